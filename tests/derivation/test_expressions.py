"""Formulas as expressions: they are what the functions compute, and what has none is told."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
import pytest

import fastact as fa
from fastact.errors import FormulaError
from fastact.functions.derivation import expression
from fastact.math import like, sigmoid, where
from helpers.catalogue import ACTIVATIONS

sympy = pytest.importorskip("sympy")
mpmath = pytest.importorskip("mpmath")

pytestmark = pytest.mark.usefixtures("own_registry")

X = np.array([-40.0, -7.3, -3, -2.5, -1, -0.5, -0.1, 0, 0.2, 0.5, 1, 1.7, 3, 6, 8, 33])


def computed(activation: Any, *parameters: float) -> list[float]:
    """The values of its expression, by mpmath."""
    found = expression(activation)
    arguments = [sympy.Symbol(name, real=True) for name in ("x", *activation.parameters)]
    assert found.free_symbols <= set(arguments)
    function = sympy.lambdify(arguments, sympy.expand_func(found), "mpmath")
    with mpmath.workprec(300):
        return [float(function(*map(mpmath.mpf, (x, *parameters)))) for x in X]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_expression_is_what_is_computed(name: str) -> None:
    f = fa.get(name)
    for parameters in (tuple(f.parameters.values()), tuple(0.5 + 0.25 * i for i in range(len(f.parameters)))):
        np.testing.assert_allclose(computed(f, *parameters), f(X, *parameters), rtol=1e-12, atol=1e-16)


HALF = 0.5
COEFFICIENTS = (1.0, HALF, 0.25)


def polynomial(x):  # type: ignore[no-untyped-def]
    total = 0.0
    for coefficient in COEFFICIENTS[::-1]:
        total = total * x + coefficient
    return total


@numba.njit
def softer(x, by=2.0):  # type: ignore[no-untyped-def]
    return sigmoid(x / by)


def of_helpers(x):  # type: ignore[no-untyped-def]
    """Helpers, keywords, constants."""
    return softer(x, by=4.0) * polynomial(x) - np.exp(-abs(x)) * math.sqrt(2 / math.pi)


def of_branches(x):  # type: ignore[no-untyped-def]
    if 0 < x <= 1:
        return x * x
    if x > 2 or x < -3:
        return math.atan(x)
    return max(min(x, 0.5), -1.0)


def of_masks(x):  # type: ignore[no-untyped-def]
    inside = (x > -1) & ~(x >= 1)
    return inside * x**3 + where(x >= like(1, x), like(1, x), like(0, x)) - (x % 1.0) * np.logical_not(inside)


def of_loops(x):  # type: ignore[no-untyped-def]
    for _ in range(3):
        x = np.tanh(x)
    return np.clip(x, -0.25, 0.25) + fa.silu(x)


@pytest.mark.parametrize("formula", [of_helpers, of_branches, of_masks, of_loops], ids=lambda each: each.__name__)
def test_formulas_of_users(formula: Any) -> None:
    f = fa.activation(formula)
    expected = [formula(x) for x in X.tolist()]
    np.testing.assert_allclose(computed(f), expected, rtol=1e-12, atol=1e-16)


def test_constants_are_the_numbers_that_floats_stand_for() -> None:
    @fa.activation(a=1.0)
    def own(x, a):  # type: ignore[no-untyped-def]
        return x * (1 / 6) + like(0.044715, x) * a + HALF

    x, a = sympy.symbols("x a", real=True)
    assert expression("own") == x / 6 + sympy.Rational(44715, 10**6) * a + sympy.Rational(1, 2)


def test_the_argument_that_is_constant_is_taken_at_a_tie() -> None:
    for formula in (lambda x: np.maximum(0, x), lambda x: max(x, 0.0)):
        formula.__name__ = f"tied_{id(formula)}"
        found = expression(fa.activation(formula))
        assert found.diff().subs(found.free_symbols.pop(), 0) == 0


def of_a_loop(x):  # type: ignore[no-untyped-def]
    while x > 1:
        x = x - 0.5
    return x


@pytest.mark.parametrize(
    ("formula", "told"),
    [
        (of_a_loop, "looks at values again and again, as a loop does; write choices as where"),
        (lambda x: np.frexp(x)[0], "calls numpy.frexp, which is not known"),
        (lambda x: int(x) * x, "int()"),
        (lambda x: x.max(), "max"),
        (lambda x: (x, x), "returns tuple, no number"),
    ],
    ids=range(5),
)
def test_what_has_no_expression(formula: Any, told: str) -> None:
    formula.__name__ = "own"
    with pytest.raises(FormulaError, match="the formula of own cannot be read as an expression") as caught:
        expression(fa.activation(formula))
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_activation() -> None:
    for name in "rrelu", "softmax", "mse":
        with pytest.raises(TypeError, match=name):
            expression(name)
