"""Smooth rectifiers: near x or linear above, saturating below (elu, selu, softplus, ...).

A paragraph each: its slope, its formula, what readers want to know; see the package's docstring.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastact._core.activation import activation, public
from fastact._core.function import Metadata
from fastact._kernels import scalar as m


def _elu_alpha(x: Any, alpha: Any) -> Any:
    return m.elu_slope_by_alpha(x)


@activation(
    backward=m.elu_slope_times,
    parameter_derivatives={"alpha": _elu_alpha},
    alpha=1.0,
    text=Metadata(
        formula="x if x > 0 else alpha * (e**x - 1)",
        derivative_formula="1 if x > 0 else alpha * e**x",
        range="(-alpha, inf)",
        kinks="elu'(0) = alpha",
        reference="Clevert, Unterthiner, Hochreiter. Fast and accurate deep network learning by exponential linear "
        "units (ELUs). ICLR 2016.",
        max_ulp=1.0,
        notes={
            "for": "gradient for negatives, mean near zero, no dying units",
            "against": "the cost of an exponential",
            "use": "when relu fails",
        },
    ),
)
def elu(x: Any, alpha: Any) -> Any:
    """Exponential linear unit."""
    return m.elu(x, alpha)


@activation(
    backward=m.celu_slope_times,
    parameter_derivatives={"alpha": m.celu_slope_by_alpha},
    alpha=1.0,
    text=Metadata(
        formula="x if x > 0 else alpha * (e**(x / alpha) - 1)",
        derivative_formula="1 if x > 0 else e**(x / alpha)",
        range="(-alpha, inf)",
        kinks="celu'(0) = 1; smooth but for its second derivative, which jumps at 0",
        reference="Barron. Continuously differentiable exponential linear units. arXiv:1704.07483, 2017.",
        max_ulp=1.0,
        notes={
            "for": "elu whose slope is continuous for every alpha; alpha moves it from relu (0) to linear (inf)",
            "against": "the cost of an exponential; the same as elu for alpha = 1",
            "use": "instead of elu where alpha is not 1, above all where it is learnt",
        },
    ),
)
def celu(x: Any, alpha: Any) -> Any:
    """Continuously differentiable exponential linear unit."""
    return m.celu(x, alpha)


@activation(
    backward=m.selu_slope_times,
    text=Metadata(
        formula="scale * (x if x > 0 else alpha * (e**x - 1))",
        derivative_formula="scale if x > 0 else scale * alpha * e**x",
        range="(-1.758, inf)",
        kinks="selu'(0) = scale * alpha = 1.758",
        reference="Klambauer, Unterthiner, Mayr, Hochreiter. Self-normalizing neural networks. NIPS 2017, "
        "arXiv:1706.02515.",
        max_ulp=1.0,
        notes={
            "for": "keeps mean 0 and variance 1 through deep stacks without normalisation layers",
            "against": "only with LeCun-normal initial weights, alpha dropout and dense layers",
            "use": "deep dense networks",
        },
    ),
)
def selu(x: Any) -> Any:
    """Scaled exponential linear unit: scale = 1.0507009873554805, alpha = 1.6732632423543772."""
    return m.selu(x)


@activation(
    backward=m.softplus_slope_times,
    parameter_derivatives={"beta": m.softplus_slope_by_beta},
    beta=1.0,
    text=Metadata(
        formula="log(1 + e**(beta x)) / beta",
        derivative_formula="1 / (1 + e**(-beta x))",
        range="(0, inf)",
        reference="Dugas, Bengio, Belisle, Nadeau, Garcia. Incorporating second-order functional knowledge for "
        "better option pricing. NIPS 2000.",
        max_ulp=1.0,
        notes={
            "for": "a smooth relu; always positive",
            "against": "cost; no sparsity",
            "use": "outputs that must be positive (variances, rates)",
        },
    ),
)
def softplus(x: Any, beta: Any) -> Any:
    """Softplus: a smooth relu."""
    return m.softplus(x, beta)


@activation(
    backward=m.squareplus_slope_times,
    parameter_derivatives={"b": m.squareplus_slope_by_b},
    b=4.0,
    text=Metadata(
        formula="(x + sqrt(x**2 + b)) / 2",
        derivative_formula="(1 + x / sqrt(x**2 + b)) / 2",
        range="(0, inf)",
        kinks="smooth for b > 0; for b = 0 it is relu with squareplus'(0) = 1/2; b < 0 gives NaN",
        reference="Barron. Squareplus: a softplus-like algebraic rectifier. arXiv:2112.11687, 2021.",
        max_ulp=1.0,
        notes={
            "for": "a smooth relu without an exponential; always positive",
            "against": "approaches 0 slowly: b / (4 |x|), where softplus does as e**x",
            "use": "instead of softplus, above all in low precision",
        },
    ),
)
def squareplus(x: Any, b: Any) -> Any:
    """Squareplus: a smooth relu made of a square root."""
    return m.squareplus(x, b)


if not TYPE_CHECKING:  # type checkers then see every name
    __all__ = public(globals())
