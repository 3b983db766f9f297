"""What there is to check of a function: each gradient that it offers, beside the values it is the gradient of.

A kind of function is a function here, in `SUBJECTS`, that yields its `Subject`s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from fastact.errors import FormulaError
from fastact.functions.derivation.differences import Floats, Slopes, slopes, slopes_in_many_digits

__all__ = ["SUBJECTS", "Subject"]


@dataclass(frozen=True)
class Subject:
    """A gradient to check.

    Attributes
    ----------
    name : str
        What readers know it by.
    x : ndarray
        Where it is checked: the variable whose gradient it is, or the input beside it.
    claimed : callable
        Computes the gradient that the function offers.
    slopes : callable
        Computes the slopes of its values.
    """

    name: str
    x: Floats
    claimed: Callable[[], Any]
    slopes: Callable[[], Slopes]


def _activation(f: Any, x: Floats, parameters: dict[str, float]) -> Iterator[Subject]:
    """f', the backward pass, the gradient by each parameter, and with_bias."""
    precise = _in_many_digits(f, x, parameters)

    def by_x() -> Slopes:
        return precise(0) if precise else slopes(lambda h: f(x + h, **parameters), x)

    yield Subject("derivative", x, lambda: f.derivative(x, **parameters), by_x)
    yield Subject("backward", x, lambda: f.backward(np.full_like(x, 3.0), x, **parameters) / 3.0, by_x)
    if not hasattr(f, "parameter_backward"):
        return
    for position, name in enumerate(f.parameters):
        yield from _parameter(f, x, parameters, name, precise and partial(precise, 1 + position))
    bias = 0.375
    by_bias = partial(slopes, lambda h: f.with_bias(x, bias + h, **parameters), x + bias)
    yield Subject("with_bias", x, lambda: f.derivative(x + bias, **parameters), by_bias)


def _parameter(
    f: Any, x: Floats, parameters: dict[str, float], name: str, precise: Callable[[], Slopes] | None
) -> Iterator[Subject]:
    """The gradient by a parameter, element by element, and as training asks for it."""
    spread = {each: np.full_like(x, value) for each, value in parameters.items()}

    def by_parameter() -> Slopes:
        return slopes(lambda h: f(x, **{**spread, name: spread[name] + h}), spread[name])

    def gradient() -> Any:
        found = f.parameter_backward(np.ones_like(x), x, **spread)
        return found[list(parameters).index(name)] if isinstance(found, tuple) else found

    by = precise or by_parameter
    yield Subject(name, x, lambda: f.parameter_derivative(name)(x, **parameters), by)
    yield Subject(f"parameter_backward, {name}", x, gradient, by)


def _in_many_digits(f: Any, x: Floats, parameters: dict[str, float]) -> Callable[[int], Slopes] | None:
    """Slopes by an argument of the expression of f; None where it has none, or is not what f computes."""
    if not hasattr(f, "_plain"):
        return None
    try:
        from fastact.functions.derivation import formula
        from fastact.functions.derivation.precision import Precise

        value = Precise(formula.read(f), [*f._input_names, *f.parameters]).once
    except (ImportError, FormulaError):
        return None
    points = [[each, *parameters.values()] for each in x.tolist()]
    with np.errstate(all="ignore"):
        computed = np.array([float(value(*point)) for point in points])
        alike = np.isclose(computed, f(x, **parameters), rtol=1e-6, atol=1e-9, equal_nan=True)
    return partial(slopes_in_many_digits, value, points) if alike.all() else None


def _rows(name: str, x: Floats, outputs: Callable[[Floats], Any], claimed: Callable[[], Any]) -> Subject:
    """A gradient of a function of rows: element after element of each row is moved."""

    def by_element(column: int) -> Slopes:
        return slopes(lambda h: outputs(_moved(x, column, h)), x[:, column])

    def by_elements() -> Slopes:
        found = [by_element(column) for column in range(x.shape[1])]
        return Slopes(*(np.stack(side, axis=1) for side in zip(*found, strict=True)))

    return Subject(name, x, claimed, by_elements)


def _weighted(
    name: str, x: Floats, g: Floats, function: Callable[[Floats], Any], claimed: Callable[[], Any]
) -> Subject:
    """A gradient of the sum of a function's row, weighted by g."""
    return _rows(name, x, lambda moved: (g * function(moved)).sum(axis=1), claimed)


def _moved(x: Floats, column: int, by: Floats) -> Floats:
    moved = x.copy()
    moved[:, column] += by
    return moved


def _drawn(rows: int, columns: int, seed: int = 1) -> tuple[Floats, Floats]:
    """An input and the gradient of a loss for the output."""
    random = np.random.default_rng(seed)
    return random.normal(0, 2, (rows, columns)), random.normal(0, 1, (rows, columns))


def _softmax(f: Any, x: Floats, parameters: dict[str, float]) -> Iterator[Subject]:
    x, g = _drawn(8, 5)
    for name, options in {"backward": {}, "backward, temperature=2": {"temperature": 2.0}}.items():
        softmax, backward = partial(f, axis=-1, **options), partial(f.backward, g, axis=-1, **options)
        yield _weighted(name, x, g, softmax, partial(_after, softmax, backward, x))


def _after(first: Callable[[Floats], Any], second: Callable[[Any], Any], x: Floats) -> Any:
    return second(first(x))


def _reduction(f: Any, x: Floats, parameters: dict[str, float]) -> Iterator[Subject]:
    x, g = _drawn(8, 5)
    row = g[:, 0]
    yield _rows("backward", x, lambda moved: row * f(moved, axis=-1), lambda: f.backward(row, x, axis=-1))


def _sampling(f: Any, x: Floats, parameters: dict[str, float]) -> Iterator[Subject]:
    x, g = _drawn(8, 5)

    def sample(moved: Floats) -> Any:
        return f(moved, np.random.default_rng(0), **parameters)

    yield _weighted("backward", x, g, sample, lambda: f.backward(g, sample(x), **parameters))


def _gated_unit(f: Any, x: Floats, parameters: dict[str, float]) -> Iterator[Subject]:
    if not hasattr(f, "_input_names"):  # it halves its input
        halves, g = _drawn(8, 6)
        g = g[:, :3]
        yield _weighted("backward", halves, g, f, lambda: f.backward(g, halves))
        return
    value, g = np.random.default_rng(2).normal(0, 2, x.shape), np.full_like(x, 3.0)

    def claimed(position: int) -> Any:
        return f.backward(g, value, x)[position] / g

    yield Subject("backward, value", value, lambda: claimed(0), lambda: slopes(lambda h: f(value + h, x), value))
    yield Subject("backward, gate", x, lambda: claimed(1), lambda: slopes(lambda h: f(value, x + h), x))


def _loss(f: Any, x: Floats, parameters: dict[str, float]) -> Iterator[Subject]:
    if f._family == "class loss":
        x, _ = _drawn(8, 5)
        random = np.random.default_rng(3)
        yield from _loss_of_classes(f, "classes", x, random.integers(0, 5, 8))
        yield from _loss_of_classes(f, "probabilities", x, random.dirichlet(np.ones(5), 8))
        return
    target = np.random.default_rng(3).uniform(0, 1, x.shape)

    def by_x() -> Slopes:
        return slopes(lambda h: f(x + h, target, reduction="none", **parameters), x)

    yield Subject("value_and_grad, sum", x, lambda: f.value_and_grad(x, target, reduction="sum", **parameters)[1], by_x)
    yield Subject("value_and_grad, mean", x, lambda: f.value_and_grad(x, target, **parameters)[1] * x.size, by_x)


def _loss_of_classes(f: Any, name: str, x: Floats, targets: Any) -> Iterator[Subject]:
    def losses(moved: Floats) -> Any:
        return f(moved, targets, reduction="none")

    yield _rows(f"value_and_grad, {name}, sum", x, losses, lambda: f.value_and_grad(x, targets, reduction="sum")[1])
    yield _rows(f"value_and_grad, {name}, mean", x, losses, lambda: f.value_and_grad(x, targets)[1] * len(x))


#: Kind of function -> its subjects, for inputs and parameters where it has some.
SUBJECTS: dict[str, Callable[[Any, Floats, dict[str, float]], Iterator[Subject]]] = {
    "activation": _activation, "softmax": _softmax, "reduction": _reduction, "sampling": _sampling,
    "gated unit": _gated_unit, "loss": _loss,
}  # fmt: skip
