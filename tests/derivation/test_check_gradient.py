"""check_gradient: everything in the catalogue is right, and what is wrong is found, located and said."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

import fastact as fa
from fastact.math import like, sigmoid, where

pytestmark = pytest.mark.usefixtures("own_registry")

CHECKED = [name for name in fa.names() if name != "nll_loss"]


@pytest.mark.parametrize("name", CHECKED)
def test_the_catalogue_is_right(name: str) -> None:
    found = fa.check_gradient(name)
    assert found, found.sentences()
    assert found.sentences() == [f"All gradients of {name} are right."]
    assert min(part.x.size for part in found.parts) >= 40


def test_all_that_an_activation_offers_is_checked() -> None:
    names = [part.name for part in fa.check_gradient(fa.hard_tanh, min=-0.5).parts]
    assert names == [
        "derivative", "backward", "min", "parameter_backward, min", "max", "parameter_backward, max", "with_bias",
    ]  # fmt: skip


def slope(x):  # type: ignore[no-untyped-def]
    s = sigmoid(x)
    return s + x * s * sigmoid(-x)


def of_silu(wrong: Any) -> Any:
    def own(x):  # type: ignore[no-untyped-def]
        return x * sigmoid(x)

    return fa.activation(own, derivative=wrong)


def negated(x):  # type: ignore[no-untyped-def]
    s = sigmoid(x)
    return -(s + x * s * sigmoid(-x))


def doubled(x):  # type: ignore[no-untyped-def]
    s = sigmoid(x)
    return 2 * (s + x * s * sigmoid(-x))


def zero_beyond_20(x):  # type: ignore[no-untyped-def]
    s = sigmoid(x)
    return where(x > like(20, x), like(0, x), s + x * s * sigmoid(-x))


def nan_above_50(x):  # type: ignore[no-untyped-def]
    s = sigmoid(x)
    return where(x > like(50, x), like(np.nan, x), s + x * s * sigmoid(-x))


@pytest.mark.parametrize(
    ("wrong", "least", "told"),
    [
        (negated, -15, "Its sign is wrong."),
        (doubled, -15, "It is 2 times what it should be."),
        (zero_beyond_20, 20.5, "for x from 20.5 to 100. At x = "),
        (nan_above_50, 75, "for x from 75 to 100. At x = 75 it is nan, and the values of the function give 1."),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
@pytest.mark.parametrize("with_sympy", [True, False])
def test_a_wrong_derivative_is_found(
    wrong: Any, least: float, told: str, with_sympy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if with_sympy:
        pytest.importorskip("sympy")
    else:
        monkeypatch.setitem(sys.modules, "fastact.functions.derivation.formula", None)
    found = fa.check_gradient(of_silu(wrong))
    assert not found
    parts = {part.name: part for part in found.parts}
    assert not parts["derivative"].passed
    assert parts["derivative"].x[parts["derivative"].wrong].min() >= least
    sentence = found.sentences()[0]
    assert sentence.startswith("derivative: wrong at ")
    assert told in sentence


def leaky(x):  # type: ignore[no-untyped-def]
    return where(x > like(0.3717, x), x, like(0.1, x) * x)


def bent(x):  # type: ignore[no-untyped-def]
    return where(x > like(0.3717, x), x - like(0.3717, x), like(0.1, x) * (x - like(0.3717, x)))


@pytest.mark.parametrize("formula", [leaky, bent], ids=["jump", "kink"])
@pytest.mark.parametrize("at_the_kink", [0.1, 0.5, 1.0, 5.0])
def test_the_kink_is_found_and_may_have_any_slope_in_between(formula: Any, at_the_kink: float) -> None:
    def own_slope(x):  # type: ignore[no-untyped-def]
        at = like(0.3717, x)
        return where(x > at, like(1, x), where(x == at, like(at_the_kink, x), like(0.1, x)))

    found = fa.check_gradient(fa.activation(formula, derivative=own_slope))
    assert bool(found) == (at_the_kink <= 1)
    if not found:
        part = found.parts[0]
        assert part.x[part.wrong].tolist() == [0.3717]
        assert "At x = 0.3717 it is 5, and the values of the function give from 0.1 to 1." in part.sentence()


def test_a_wrong_gradient_by_a_parameter_is_found() -> None:
    def own(x, a, b):  # type: ignore[no-untyped-def]
        return a * x + b

    f = fa.activation(
        own, derivative=lambda x, a, b: a + x * 0, a=1.5, b=0.0,
        parameter_derivatives={"a": lambda x, a, b: -x, "b": lambda x, a, b: 1 + x * 0},
    )  # fmt: skip
    wrong = [part.name for part in fa.check_gradient(f).parts if not part.passed]
    assert wrong == ["a", "parameter_backward, a"]


def test_scalar_code_without_an_expression_is_checked_too() -> None:
    def own(x):  # type: ignore[no-untyped-def]
        return x if x > 0 else np.nextafter(0.5 * x, 0.0)

    assert fa.check_gradient(fa.activation(own, derivative=lambda x: 1.0 if x > 0 else 0.5))
    own.__name__ = "other"
    assert not fa.check_gradient(fa.activation(own, derivative=lambda x: 1.0 if x > 0 else 0.25))


class Odd(fa.Function):
    """An implementation of someone else's."""

    kind, name, family, metadata = "activation", "odd", "elementwise", fa.Metadata(formula="tanh(x)")

    def __call__(self, x: Any) -> Any:
        return np.tanh(x)

    def derivative(self, x: Any) -> Any:
        return np.ones(3)

    def backward(self, grad_output: Any, x: Any) -> Any:
        raise RuntimeError("no\nway")

    def _part(self, name: str) -> Any:
        return self.derivative


def test_wrong_shapes_and_errors_are_reported() -> None:
    found = fa.check_gradient(Odd())
    assert not found
    size = found.parts[0].x.size
    assert found.sentences() == [
        f"derivative: it has the shape (3,) where the input has ({size},).",
        "backward: it raises RuntimeError: no.",
    ]


def test_what_is_found_is_shown() -> None:
    pytest.importorskip("matplotlib")
    for f in of_silu(negated), "softmax":
        found = fa.check_gradient(f)
        [table] = found.tables()
        assert [row[1] for row in table.rows] == ["yes" if part.passed else "no" for part in found.parts]
        assert found.as_dict()["passed"] == bool(found)
        assert len(found.figure().axes) == 2 * len(found.parts)
        assert " ".join(found.sentences()) in repr(found)
    at = found.parts[0]
    assert at.place(1) == "x[0, 1]"


def test_one_s_own_places() -> None:
    found = fa.check_gradient(of_silu(zero_beyond_20), x=[19.0, 21.0])
    assert found.parts[0].wrong.tolist() == [False, True]
    assert fa.check_gradient("silu", x=3.0).parts[0].x.tolist() == [3.0]


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        (("siluu",), fa.UnknownNameError, "did you mean 'silu'"),
        ((np.tanh,), TypeError, "pass a function of fastact"),
        (("nll_loss",), TypeError, "nll_loss has no gradient"),
        (("silu", "abc"), TypeError, "x='abc'; pass numbers"),
        (("silu", [np.inf]), ValueError, "finite numbers"),
        (("silu", []), ValueError, "one at least"),
    ],
    ids=range(6),
)
def test_wrong_questions(arguments: Any, error: type[Exception], told: str) -> None:
    with pytest.raises(error) as caught:
        fa.check_gradient(*arguments)
    assert told in str(caught.value)


def test_wrong_parameters() -> None:
    with pytest.raises(TypeError, match="elu has no parameter 'alfa'; it has alpha"):
        fa.check_gradient("elu", alfa=1.0)
