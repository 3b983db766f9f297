"""x times a smooth gate of x: silu, swish, gelu, mish and their kin.

A paragraph each: its slope, its formula, what readers want to know; see the package's docstring.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastact._core.activation import activation, public
from fastact._core.function import Metadata
from fastact._kernels import scalar as m


@activation(
    backward=m.silu_slope_times,
    text=Metadata(
        formula="x / (1 + e**-x)",
        derivative_formula="s + x s (1 - s) with s = 1 / (1 + e**-x)",
        range="[-0.278, inf)",
        reference="Elfwing, Uchibe, Doya. Sigmoid-weighted linear units for neural network function approximation "
        "in reinforcement learning. Neural Networks 2018.",
        max_ulp=1.0,
        notes={
            "for": "smooth, often better than relu",
            "against": "cost",
            "use": "deep networks; swish with beta = 1",
        },
    ),
)
def silu(x: Any) -> Any:
    """Sigmoid linear unit: swish with beta = 1."""
    return m.silu(x)


@activation(
    backward=m.swish_slope_times,
    parameter_derivatives={"beta": m.swish_slope_by_beta},
    beta=1.0,
    text=Metadata(
        formula="x / (1 + e**(-beta x))",
        derivative_formula="s + beta x s (1 - s) with s = 1 / (1 + e**(-beta x))",
        range="[-0.278 / beta, inf)",
        reference="Ramachandran, Zoph, Le. Searching for activation functions. arXiv:1710.05941, 2017.",
        max_ulp=1.0,
        notes={
            "for": "smooth, often better than relu; beta moves it from linear (0) to relu (inf)",
            "against": "cost",
            "use": "deep networks",
        },
    ),
)
def swish(x: Any, beta: Any) -> Any:
    """Swish: x times the sigmoid of beta x; `silu`, bit for bit, where beta is 1."""
    return m.swish(x, beta)


@activation(
    backward=m.gelu_slope_times,
    text=Metadata(
        formula="x Phi(x), Phi the standard normal distribution function",
        derivative_formula="Phi(x) + x phi(x)",
        range="[-0.170, inf)",
        reference="Hendrycks, Gimpel. Gaussian error linear units (GELUs). arXiv:1606.08415, 2016.",
        max_ulp=1.0,
        notes={
            "for": "smooth; the standard of transformers",
            "against": "cost; newer is not always better",
            "use": "transformers",
        },
    ),
)
def gelu(x: Any) -> Any:
    """Gaussian error linear unit; exact with approximate="none" (default), the tanh form with approximate="tanh"."""
    return m.gelu(x)


@activation(
    backward=m.gelu_tanh_slope_times,
    text=Metadata(
        formula="x / (1 + e**-2u), u = sqrt(2 / pi) (x + 0.044715 x**3)",
        derivative_formula="s + 2 x u' s (1 - s), s = 1 / (1 + e**-2u)",
        range="[-0.170, inf)",
        reference="Hendrycks, Gimpel. Gaussian error linear units (GELUs). arXiv:1606.08415, 2016.",
        max_ulp=1.0,
        notes={
            "for": "what many published transformers were trained with",
            "against": "differs from gelu by up to 5e-4, and gains no speed here",
            "use": 'models trained with it: gelu(x, approximate="tanh")',
        },
    ),
)
def gelu_tanh(x: Any) -> Any:
    """The tanh form of the Gaussian error linear unit: 0.5 x (1 + tanh(u))."""
    return m.gelu_tanh(x)


gelu._add_variants("approximate", {"none": gelu, "tanh": gelu_tanh})


@activation(
    backward=m.quick_gelu_slope_times,
    text=Metadata(
        formula="x / (1 + e**(-1.702 x))",
        derivative_formula="s + 1.702 x s (1 - s) with s = 1 / (1 + e**(-1.702 x))",
        range="[-0.164, inf)",
        reference="Hendrycks, Gimpel. Gaussian error linear units (GELUs). arXiv:1606.08415, 2016.",
        max_ulp=1.0,
        notes={
            "for": "a sigmoid in place of gelu's normal distribution",
            "against": "differs from gelu by up to 0.02, and gains little speed here",
            "use": "models trained with it, such as CLIP",
        },
    ),
)
def quick_gelu(x: Any) -> Any:
    """The sigmoid form of the Gaussian error linear unit: swish with beta = 1.702."""
    return m.quick_gelu(x)


@activation(
    backward=m.mish_slope_times,
    text=Metadata(
        formula="x tanh(log(1 + e**x))",
        derivative_formula="t + x (1 - t**2) / (1 + e**-x) with t = tanh(log(1 + e**x))",
        range="[-0.309, inf)",
        reference="Misra. Mish: a self regularized non-monotonic activation function. BMVC 2020.",
        max_ulp=1.0,
        notes={
            "for": "smooth; a newer alternative to swish",
            "against": "cost; newer is not always better",
            "use": "deep networks, image detection",
        },
    ),
)
def mish(x: Any) -> Any:
    """Mish."""
    return m.mish(x)


@activation(
    backward=m.serf_slope_times,
    text=Metadata(
        formula="x erf(log(1 + e**x))",
        derivative_formula="erf(h) + 2 x e**(-h**2) / (sqrt(pi) (1 + e**-x)) with h = log(1 + e**x)",
        range="[-0.348, inf)",
        reference="Nag, Bhattacharyya. SERF: Towards better training of deep neural networks using log-Softplus "
        "ERror activation Function. arXiv:2108.09598, 2021.",
        max_ulp=1.0,
        notes={
            "for": "smooth; mish with erf in place of tanh, nearer to x above 0",
            "against": "cost; newer is not always better",
            "use": "deep networks, where mish is good",
        },
    ),
)
def serf(x: Any) -> Any:
    """Log-softplus error activation function."""
    return m.serf(x)


@activation(
    backward=m.telu_slope_times,
    text=Metadata(
        formula="x tanh(e**x)",
        derivative_formula="tanh(e**x) + x e**x (1 - tanh(e**x)**2)",
        range="[-0.353, inf)",
        reference="Fernandez, Mali. TeLU activation function for fast and stable deep learning. arXiv:2412.20269, "
        "2024.",
        max_ulp=1.0,
        notes={
            "for": "smooth; nearly linear above 0, so that it learns as fast as relu does",
            "against": "cost; newer is not always better",
            "use": "deep networks, in place of relu",
        },
    ),
)
def telu(x: Any) -> Any:
    """Hyperbolic tangent exponential linear unit."""
    return m.telu(x)


if not TYPE_CHECKING:  # type checkers then see every name
    __all__ = public(globals())
