"""Piecewise functions: relu and its kin, hard (clipped) forms, shrinkage, thresholds, steps.

A paragraph each: its slope, its formula, what readers want to know; see the package's docstring.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastact._activation import activation, public
from fastact._scalar_math import like, where


def _identity_slope(x: Any) -> Any:
    return where(x == x, like(1, x), x)


@activation(
    derivative=_identity_slope,
    keeps_integers=True,
    text={
        "formula": "x",
        "derivative_formula": "1",
        "max_ulp": 0.0,
        "aliases": ("linear",),
        "notes": {
            "for": "no cost; the output keeps its scale",
            "against": "stacked linear layers stay one linear map: g(f(x)) = 3(2x) = 6x",
            "use": "regression output",
        },
    },
)
def identity(x: Any) -> Any:
    """The identity: no activation."""
    return x


def _relu_slope(x: Any) -> Any:
    return where(x > like(0, x), like(1, x), where(x <= like(0, x), like(0, x), x))


@activation(
    derivative=_relu_slope,
    keeps_integers=True,
    text={
        "formula": "max(0, x)",
        "derivative_formula": "1 if x > 0 else 0",
        "range": "[0, inf)",
        "kinks": "relu'(0) = 0",
        "reference": "Nair, Hinton. Rectified linear units improve restricted Boltzmann machines. ICML 2010.",
        "max_ulp": 0.0,
        "notes": {
            "for": "very cheap, eases the vanishing gradient, sparse, the most used",
            "against": "units can die: the gradient is zero for negatives",
            "use": "hidden layers, CNN; the first choice",
        },
    },
)
def relu(x: Any) -> Any:
    """Rectified linear unit."""
    return where(x < like(0, x), like(0, x), x)


def _leaky_relu_slope(x: Any, alpha: Any) -> Any:
    return where(x > like(0, x), like(1, x), where(x <= like(0, x), alpha, x))


@activation(
    derivative=_leaky_relu_slope,
    alpha=0.01,
    text={
        "formula": "x if x >= 0 else alpha * x",
        "derivative_formula": "1 if x > 0 else alpha",
        "kinks": "leaky_relu'(0) = alpha",
        "reference": "Maas, Hannun, Ng. Rectifier nonlinearities improve neural network acoustic models. ICML 2013.",
        "max_ulp": 0.5,
        "notes": {
            "for": "no dying units",
            "against": "a slope to tune; an array alpha makes it PReLU",
            "use": "when relu fails; GAN",
        },
    },
)
def leaky_relu(x: Any, alpha: Any) -> Any:
    """Leaky rectified linear unit."""
    return where(x < like(0, x), alpha * x, x)


if not TYPE_CHECKING:  # type checkers then see every name
    __all__ = public(globals())
