"""x times a smooth gate of x: silu, swish, gelu, mish and their kin.

A paragraph each: its slope, its formula, what readers want to know; see the package's docstring.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastact import _scalar_math as m
from fastact._activation import activation, public
from fastact._scalar_math import like


def _silu_slope(x: Any) -> Any:
    return m.gate_slope(x, like(0, x), x, like(0, x))


@activation(
    derivative=_silu_slope,
    text={
        "formula": "x / (1 + e**-x)",
        "derivative_formula": "s + x s (1 - s) with s = 1 / (1 + e**-x)",
        "range": "[-0.278, inf)",
        "reference": "Elfwing, Uchibe, Doya. Sigmoid-weighted linear units for neural network function approximation "
        "in reinforcement learning. Neural Networks 2018.",
        "max_ulp": 2.0,
        "notes": {
            "for": "smooth, often better than relu",
            "against": "cost",
            "use": "deep networks; swish with beta = 1",
        },
    },
)
def silu(x: Any) -> Any:
    """Sigmoid linear unit: swish with beta = 1."""
    return m.silu(x)


def _swish_slope(x: Any, beta: Any) -> Any:
    high, low = m.product(beta, x)
    return m.gate_slope(high, low, high, low)


@activation(
    derivative=_swish_slope,
    beta=1.0,
    text={
        "formula": "x / (1 + e**(-beta x))",
        "derivative_formula": "s + beta x s (1 - s) with s = 1 / (1 + e**(-beta x))",
        "range": "[-0.278 / beta, inf)",
        "reference": "Ramachandran, Zoph, Le. Searching for activation functions. arXiv:1710.05941, 2017.",
        "max_ulp": 2.0,
        "notes": {
            "for": "smooth, often better than relu; beta moves it from linear (0) to relu (inf)",
            "against": "cost",
            "use": "deep networks",
        },
    },
)
def swish(x: Any, beta: Any) -> Any:
    """Swish: x times the sigmoid of beta x."""
    high, low = m.product(beta, x)
    return m.sigmoid_times(x, high, low)


def _gelu_slope(x: Any) -> Any:
    return m.gelu_slope(x)


@activation(
    derivative=_gelu_slope,
    text={
        "formula": "x Phi(x), Phi the standard normal distribution function",
        "derivative_formula": "Phi(x) + x phi(x)",
        "range": "[-0.170, inf)",
        "reference": "Hendrycks, Gimpel. Gaussian error linear units (GELUs). arXiv:1606.08415, 2016.",
        "max_ulp": 2.5,
        "notes": {
            "for": "smooth; the standard of transformers",
            "against": "cost; newer is not always better",
            "use": "transformers",
        },
    },
)
def gelu(x: Any) -> Any:
    """Gaussian error linear unit; exact with approximate="none" (default), the tanh form with approximate="tanh"."""
    return m.gelu(x)


def _gelu_tanh_slope(x: Any) -> Any:
    steepness, steepness_low = m.tanh_gelu_steepness(x)
    high, low = m.tanh_gelu_argument(x)
    return m.gate_slope(steepness, steepness_low, high, low)


@activation(
    derivative=_gelu_tanh_slope,
    text={
        "formula": "x / (1 + e**-2u), u = sqrt(2 / pi) (x + 0.044715 x**3)",
        "derivative_formula": "s + 2 x u' s (1 - s), s = 1 / (1 + e**-2u)",
        "range": "[-0.170, inf)",
        "reference": "Hendrycks, Gimpel. Gaussian error linear units (GELUs). arXiv:1606.08415, 2016.",
        "max_ulp": 2.0,
        "notes": {
            "for": "what many published transformers were trained with",
            "against": "differs from gelu by up to 5e-4, and gains no speed here",
            "use": 'models trained with it: gelu(x, approximate="tanh")',
        },
    },
)
def gelu_tanh(x: Any) -> Any:
    """The tanh form of the Gaussian error linear unit: 0.5 x (1 + tanh(u))."""
    high, low = m.tanh_gelu_argument(x)
    return m.sigmoid_times(x, high, low)


gelu.add_variants("approximate", {"none": gelu, "tanh": gelu_tanh})


def _mish_slope(x: Any) -> Any:
    return m.mish_slope(x)


@activation(
    derivative=_mish_slope,
    text={
        "formula": "x tanh(log(1 + e**x))",
        "derivative_formula": "t + x (1 - t**2) / (1 + e**-x) with t = tanh(log(1 + e**x))",
        "range": "[-0.309, inf)",
        "reference": "Misra. Mish: a self regularized non-monotonic activation function. BMVC 2020.",
        "max_ulp": 2.0,
        "notes": {
            "for": "smooth; a newer alternative to swish",
            "against": "cost; newer is not always better",
            "use": "deep networks, image detection",
        },
    },
)
def mish(x: Any) -> Any:
    """Mish."""
    return m.mish(x)


if not TYPE_CHECKING:  # type checkers then see every name
    __all__ = public(globals())
