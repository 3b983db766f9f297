"""The catalogue: every elementwise activation function, a paragraph each.

A paragraph is the derivative, the formula and what readers want to know; forward, derivative and backward, for every
dtype, backend and layout, are made from it. To add one, write its paragraph and one line in tests/reference.py.
Formulas use _scalar_math.py only; `like(c, x)` is the constant c in the dtype of x.
"""

from __future__ import annotations

from typing import Any

from fastact import _scalar_math as m
from fastact._activation import activation
from fastact._scalar_math import like, where

__all__ = [
    "elu", "gelu", "gelu_tanh", "identity", "leaky_relu", "mish", "relu", "sigmoid", "silu", "softplus", "swish",
    "tanh",
]  # fmt: skip


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
