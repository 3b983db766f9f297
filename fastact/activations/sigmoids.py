"""S-shaped functions and what is made of them: sigmoid, tanh, erf, ndtr, log_sigmoid, tanhshrink, softsign.

A paragraph each: its slope, its formula, what readers want to know; see the package's docstring.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastact import _scalar_math as m
from fastact._activation import activation, public
from fastact._scalar_math import like


def _sigmoid_slope(x: Any) -> Any:
    return m.sigmoid_slope_times(like(1, x), x, like(0, x))


@activation(
    derivative=_sigmoid_slope,
    text={
        "formula": "1 / (1 + e**-x)",
        "derivative_formula": "e**-x / (1 + e**-x)**2",
        "range": "(0, 1)",
        "reference": "Rumelhart, Hinton, Williams. Learning representations by back-propagating errors. Nature 1986.",
        "max_ulp": 1.0,
        "notes": {
            "for": "reads as a probability, smooth",
            "against": "vanishing gradient at both ends, exponential cost, not zero-centred",
            "use": "output of binary classification",
        },
    },
)
def sigmoid(x: Any) -> Any:
    """Logistic function."""
    return m.sigmoid(x)


def _tanh_slope(x: Any) -> Any:
    return m.sigmoid_slope_times(like(4, x), like(2, x) * x, like(0, x))


@activation(
    derivative=_tanh_slope,
    text={
        "formula": "(e**x - e**-x) / (e**x + e**-x)",
        "derivative_formula": "4 / (e**x + e**-x)**2",
        "range": "(-1, 1)",
        "reference": "LeCun, Bottou, Orr, Mueller. Efficient BackProp. 1998.",
        "max_ulp": 2.0,
        "notes": {
            "for": "stronger gradient than sigmoid, zero-centred",
            "against": "the gradient still vanishes at both ends; exponential cost",
            "use": "hidden layers, RNN",
        },
    },
)
def tanh(x: Any) -> Any:
    """Hyperbolic tangent."""
    return m.tanh(x)


if not TYPE_CHECKING:  # type checkers then see every name
    __all__ = public(globals())
