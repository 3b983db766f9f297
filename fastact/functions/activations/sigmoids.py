"""S-shaped functions and what is made of them: sigmoid, tanh, erf, ndtr, log_sigmoid, tanhshrink, softsign.

A paragraph each: its slope, its formula, what readers want to know; see the package's docstring.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastact._core.activation import activation, public
from fastact._core.function import Metadata
from fastact._kernels import scalar as m
from fastact._kernels.scalar import like


def _sigmoid_backward(g: Any, x: Any) -> Any:
    return m.sigmoid_slope_times(g, x, like(0, x))


@activation(
    backward=_sigmoid_backward,
    text=Metadata(
        formula="1 / (1 + e**-x)",
        derivative_formula="e**-x / (1 + e**-x)**2",
        range="(0, 1)",
        reference="Rumelhart, Hinton, Williams. Learning representations by back-propagating errors. Nature 1986.",
        max_ulp=1.0,
        aliases=("logistic", "expit"),
        notes={
            "for": "reads as a probability, smooth",
            "against": "vanishing gradient at both ends, exponential cost, not zero-centred",
            "use": "output of binary classification",
        },
    ),
)
def sigmoid(x: Any) -> Any:
    """Logistic function."""
    return m.sigmoid(x)


logistic = expit = sigmoid


@activation(
    backward=m.log_sigmoid_slope_times,
    text=Metadata(
        formula="-log(1 + e**-x)",
        derivative_formula="1 / (1 + e**x)",
        range="(-inf, 0)",
        reference="Goodfellow, Bengio, Courville. Deep learning, section 3.10. MIT Press 2016.",
        max_ulp=1.0,
        aliases=("logsigmoid",),
        notes={
            "for": "the log of a probability without overflow or cancellation; linear for negative x",
            "against": "unbounded below; no good between layers",
            "use": "log-likelihoods: binary and pairwise ranking losses",
        },
    ),
)
def log_sigmoid(x: Any) -> Any:
    """Logarithm of the sigmoid: -softplus(-x)."""
    return m.log_sigmoid(x)


logsigmoid = log_sigmoid


@activation(
    backward=m.tanh_slope_times,
    text=Metadata(
        formula="(e**x - e**-x) / (e**x + e**-x)",
        derivative_formula="4 / (e**x + e**-x)**2",
        range="(-1, 1)",
        reference="LeCun, Bottou, Orr, Mueller. Efficient BackProp. 1998.",
        max_ulp=1.0,
        notes={
            "for": "stronger gradient than sigmoid, zero-centred",
            "against": "the gradient still vanishes at both ends; exponential cost",
            "use": "hidden layers, RNN",
        },
    ),
)
def tanh(x: Any) -> Any:
    """Hyperbolic tangent."""
    return m.tanh(x)


@activation(
    backward=m.tanhshrink_slope_times,
    text=Metadata(
        formula="x - tanh(x)",
        derivative_formula="tanh(x)**2",
        reference="PyTorch documentation, torch.nn.Tanhshrink.",
        max_ulp=1.0,
        notes={
            "for": "a smooth shrinkage: x**3 / 3 near 0, x - 1 and x + 1 far from it",
            "against": "no gradient at 0; not sparse, as softshrink is",
            "use": "denoising, sparse coding",
        },
    ),
)
def tanhshrink(x: Any) -> Any:
    """What tanh takes from x."""
    return m.tanhshrink(x)


def _exponential_backward(g: Any, x: Any) -> Any:
    return m.exp_times(g, x, like(0, x))


@activation(
    backward=_exponential_backward,
    text=Metadata(
        formula="e**x",
        derivative_formula="e**x",
        range="(0, inf)",
        reference="McCullagh, Nelder. Generalized linear models, second edition. Chapman and Hall 1989.",
        max_ulp=1.0,
        notes={
            "for": "positive; turns sums into products (the inverse of the log link)",
            "against": "overflows from 88.72 on in float32; its gradient explodes with it",
            "use": "output for rates and counts (Poisson regression)",
        },
    ),
)
def exponential(x: Any) -> Any:
    """Exponential function."""
    return m.exp(x)


@activation(
    backward=m.erf_slope_times,
    text=Metadata(
        formula="2 / sqrt(pi) times the integral of e**(-t**2) over t from 0 to x",
        derivative_formula="2 / sqrt(pi) * e**(-x**2)",
        range="(-1, 1)",
        reference="Abramowitz, Stegun. Handbook of mathematical functions, 7.1.1. 1964. Cody. Rational Chebyshev "
        "approximations for the error function. Mathematics of Computation 1969.",
        max_ulp=1.0,
        notes={
            "for": "zero-centred; 2 Phi(sqrt(2) x) - 1 of the normal distribution, so it is inside gelu",
            "against": "saturates sooner than tanh: its gradient vanishes as e**(-x**2)",
            "use": "probabilities of normal errors; building gelu, serf",
        },
    ),
)
def erf(x: Any) -> Any:
    """Error function."""
    return m.erf(x)


@activation(
    backward=m.softsign_slope_times,
    text=Metadata(
        formula="x / (1 + |x|)",
        derivative_formula="1 / (1 + |x|)**2",
        range="(-1, 1)",
        kinks="smooth but for its second derivative, which jumps at 0",
        reference="Turian, Bergstra, Bengio. Quadratic features and deep architectures for chunking. NAACL-HLT 2009.",
        max_ulp=1.0,
        notes={
            "for": "tanh without an exponential; its gradient vanishes slowly, as 1 / x**2",
            "against": "needs large inputs to come near 1: 0.9 at 9",
            "use": "instead of tanh, where units saturate",
        },
    ),
)
def softsign(x: Any) -> Any:
    """Softsign: x divided by 1 + |x|."""
    return m.softsign(x)


@activation(
    backward=m.normal_density_times,
    text=Metadata(
        formula="Phi(x), the integral of e**(-t**2 / 2) / sqrt(2 pi) over t from -inf to x",
        derivative_formula="phi(x) = e**(-x**2 / 2) / sqrt(2 pi)",
        range="(0, 1)",
        reference="Cody. Rational Chebyshev approximations for the error function. Mathematics of Computation 1969.",
        aliases=("normal_cdf",),
        max_ulp=1.0,
        notes={
            "for": "the probability that a standard normal number is below x; the gate of gelu",
            "against": "its gradient vanishes as e**(-x**2 / 2), sooner than sigmoid's",
            "use": "probit models: output of binary classification",
        },
    ),
)
def ndtr(x: Any) -> Any:
    """Distribution function of the standard normal distribution."""
    return m.ndtr(x)


normal_cdf = ndtr


if not TYPE_CHECKING:  # type checkers then see every name
    __all__ = public(globals())
