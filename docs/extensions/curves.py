"""What the picture of a function shows: its lines, computed by fastact. drawing.py draws them.

Each kind of function has a row in `KINDS`. Labels are formulas, so that a picture is the same in all languages.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastact as fa

__all__ = ["Bars", "Line", "Panel", "panels", "varied"]

Array = NDArray[np.float64]

X = np.linspace(-5, 5, 401)
#: The first of three inputs of a row moves; these are the others.
OTHERS = (1.0, 0.1)
LOGITS = np.linspace(-4, 6, 201)
SUBSCRIPTS = "₀₁₂₃"

#: Values of the first parameter, where half of its default and twice it are not what a reader wants to see.
VALUES = {
    ("leaky_relu", "alpha"): (0.01, 0.1, 0.3),
    ("threshold", "threshold"): (-1.0, 0.0, 1.0),
    ("rrelu", "lower"): (0.0, 0.125, 0.3),
    ("quantile_loss", "q"): (0.1, 0.5, 0.9),
}


@dataclass(frozen=True)
class Line:
    """A line of a picture; NaN parts it."""

    label: str
    x: Array
    y: Array


@dataclass(frozen=True)
class Panel:
    """A picture of lines with one pair of axes."""

    title: str
    across: str
    lines: list[Line]


@dataclass(frozen=True)
class Bars:
    """A picture of shares: a bar for each draw, each parted."""

    title: str
    shares: Array


def panels(function: Any) -> list[Panel] | list[Bars]:
    """The pictures of a function, side by side."""
    return KINDS[function.kind](function)


def varied(function: Any) -> tuple[str, tuple[float, ...]]:
    """The parameter that the picture shows several values of, if there is one."""
    shown = [name for name in function.parameters if name != "weight"]
    if not shown or function.kind not in ("activation", "loss"):
        return "", ()
    name = shown[0]
    default = function.parameters[name]
    return name, VALUES.get((function.name, name)) or tuple(sorted((default / 2, default, default * 2)))


def settings(function: Any) -> list[tuple[str, dict[str, float]]]:
    """A label and parameters for each line; one line without either, for a function without parameters."""
    name, values = varied(function)
    return [(f"{name} = {value:.3g}", {name: value}) for value in values] or [("", {})]


def activation(function: Any) -> list[Panel]:
    """The curve, and the slope beside it."""
    found: dict[str, list[Line]] = {}
    for label, parameters in settings(function):
        for part, (x, y) in parts(function, parameters).items():
            found.setdefault(part, []).append(Line(label, x, y))
    return [Panel(part.replace("f", function.name, 1), "x", lines) for part, lines in found.items()]


def parts(function: Any, parameters: dict[str, float]) -> dict[str, tuple[Array, Array]]:
    """f and f' as points; a curve with the default parameters is parted where it jumps, others are parted likewise."""
    if not parameters:
        curves: dict[str, tuple[Array, Array]] = function._curves(X)
        return curves
    f = function(X, **parameters, backend="numpy")
    slope = function.derivative(X, **parameters, backend="numpy")
    return {"f(x)": parted(X, f), "f'(x)": parted(X, slope)}


def parted(x: Array, y: Array) -> tuple[Array, Array]:
    """A gap where y jumps: a step that is far larger than both of its neighbours."""
    steps = np.abs(np.diff(y))
    around = np.maximum(np.r_[0, steps[:-1]], np.r_[steps[1:], 0])
    jumps = np.flatnonzero((steps > 0.02) & (steps > 4 * around)) + 1
    return np.insert(x, jumps, np.nan), np.insert(y, jumps, np.nan)


def rows_of_logits() -> Array:
    """Three inputs each, of which the first moves."""
    return np.stack([LOGITS, *(np.full_like(LOGITS, other) for other in OTHERS)], axis=1)


def row(function: Any) -> list[Panel]:
    """The three outputs over the first of three inputs."""
    outputs = function(rows_of_logits(), backend="numpy").T
    lines = [
        Line(f"y{SUBSCRIPTS[position]}", *parted(LOGITS, output)) for position, output in enumerate(outputs, start=1)
    ]
    return [Panel(f"{function.name}([x, 1, 0.1])", "x", lines)]


def reduction(function: Any) -> list[Panel]:
    """The result over the first of three inputs, beside the largest input."""
    inputs = rows_of_logits()
    result = function(inputs, axis=-1, backend="numpy")
    lines = [Line(function.name, LOGITS, result), Line("max", LOGITS, inputs.max(axis=-1))]
    return [Panel(f"{function.name}([x, 1, 0.1])", "x", lines)]


def sampling(function: Any) -> list[Bars]:
    """Ten draws for each of three temperatures."""
    logits = np.tile([2.0, *OTHERS], (10, 1))
    return [
        Bars(f"tau = {tau:g}", function(logits, np.random.default_rng(0), tau=tau, backend="numpy"))
        for tau in (0.3, 1.0, 3.0)
    ]


def gated_unit(function: Any) -> list[Panel]:
    """The result over the gate, for three values; and the gradient for the gate."""
    values, gradients = [], []
    for value in (-1.0, 1.0, 2.0):
        pair = np.full_like(X, value), X
        if function.name == "glu":
            halves = np.stack(pair, axis=-1)
            y = function(halves, backend="numpy")[..., 0]
            slope = function.backward(np.ones((len(X), 1)), halves, backend="numpy")[..., 1]
        else:
            y = function(*pair, backend="numpy")
            slope = function.backward(np.ones_like(X), *pair, backend="numpy")[1]
        values.append(Line(f"value = {value:g}", X, y))
        gradients.append(Line(f"value = {value:g}", *parted(X, slope)))
    return [Panel(function.name, "gate", values), Panel(f"∂ {function.name} / ∂ gate", "gate", gradients)]


def loss(function: Any) -> list[Panel]:
    """The loss of one sample, and its gradient."""
    if function._family == "class loss":
        return class_loss(function)
    values, gradients = [], []
    targets = (0.0, 1.0) if function.name == "binary_cross_entropy" else (1.0,)
    for target in targets:
        for label, parameters in settings(function) if len(targets) == 1 else [(f"target = {target:g}", {})]:
            given = {"reduction": "none", "backend": "numpy", **parameters}
            value, gradient = function.value_and_grad(X, np.full_like(X, target), **given)
            values.append(Line(label, X, value))
            gradients.append(Line(label, *parted(X, gradient)))
    ending = ", target = 1" if len(targets) == 1 else ""
    return [Panel(function.name + ending, "x", values), Panel(f"∂ {function.name} / ∂ x", "x", gradients)]


def class_loss(function: Any) -> list[Panel]:
    """The loss of one row of three classes, of which the first input moves, for each target."""
    inputs, title = rows_of_logits(), f"{function.name}([x, 1, 0.1])"
    if function.name == "nll_loss":
        inputs, title = fa.log_softmax(inputs), f"{function.name}(log_softmax([x, 1, 0.1]))"
    values, gradients = [], []
    for target in range(3):
        label, targets = f"target = {target}", np.full(len(LOGITS), target)
        values.append(Line(label, LOGITS, function(inputs, targets, reduction="none", backend="numpy")))
        if hasattr(function, "value_and_grad"):
            gradient = function.value_and_grad(inputs, targets, reduction="none", backend="numpy")[1]
            gradients.append(Line(label, LOGITS, gradient[:, 0]))
    found = [Panel(title, "x", values), Panel(f"∂ {function.name} / ∂ x", "x", gradients)]
    return [panel for panel in found if panel.lines]


KINDS: dict[str, Callable[[Any], Any]] = {
    "activation": activation,
    "softmax": row,
    "reduction": reduction,
    "sampling": sampling,
    "gated unit": gated_unit,
    "loss": loss,
}
