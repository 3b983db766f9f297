"""Smooth rectifiers: near x or linear above, saturating below (elu, selu, softplus, ...).

A paragraph each: its slope, its formula, what readers want to know; see the package's docstring.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastact import _scalar_math as m
from fastact._activation import activation, public
from fastact._scalar_math import like, where


def _elu_slope(x: Any, alpha: Any) -> Any:
    return where(x > like(0, x), like(1, x), alpha * m.exp(where(x > like(0, x), like(0, x), x)))


@activation(
    derivative=_elu_slope,
    alpha=1.0,
    text={
        "formula": "x if x > 0 else alpha * (e**x - 1)",
        "derivative_formula": "1 if x > 0 else alpha * e**x",
        "range": "(-alpha, inf)",
        "kinks": "elu'(0) = alpha",
        "reference": "Clevert, Unterthiner, Hochreiter. Fast and accurate deep network learning by exponential linear "
        "units (ELUs). ICLR 2016.",
        "max_ulp": 2.0,
        "notes": {
            "for": "gradient for negatives, mean near zero, no dying units",
            "against": "the cost of an exponential",
            "use": "when relu fails",
        },
    },
)
def elu(x: Any, alpha: Any) -> Any:
    """Exponential linear unit."""
    return where(x > like(0, x), x, alpha * m.expm1(where(x > like(0, x), like(0, x), x)))


def _softplus_slope(x: Any, beta: Any) -> Any:
    high, low = m.product(beta, x)
    return m.sigmoid_times(like(1, x), high, low)


@activation(
    derivative=_softplus_slope,
    beta=1.0,
    text={
        "formula": "log(1 + e**(beta x)) / beta",
        "derivative_formula": "1 / (1 + e**(-beta x))",
        "range": "(0, inf)",
        "reference": "Dugas, Bengio, Belisle, Nadeau, Garcia. Incorporating second-order functional knowledge for "
        "better option pricing. NIPS 2000.",
        "max_ulp": 2.0,
        "notes": {
            "for": "a smooth relu; always positive",
            "against": "cost; no sparsity",
            "use": "outputs that must be positive (variances, rates)",
        },
    },
)
def softplus(x: Any, beta: Any) -> Any:
    """Softplus: a smooth relu."""
    return m.softplus(x, beta)


if not TYPE_CHECKING:  # type checkers then see every name
    __all__ = public(globals())
