"""Functions that SymPy does not have, each with its derivative: sigmoid, softplus, expm1, log1p, ndtr, and slopes.

They are kept as they are, because what they stand for loses digits: e**x - 1 near 0, log(1 + e**x) where e**x is tiny,
1 - tanh(x)**2 and 1 + erf(x) where they are tiny. `sympy.expand_func` writes them out. Formulas do not need the slopes;
recognition.py makes them. To add a function, add a line below, and what computes it to precision.py and source.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy
from sympy import S, cosh, erf, exp, log, pi, sqrt, tanh

__all__ = [
    "SLOPES", "erf_slope", "expm1", "log1p", "ndtr", "normal_density", "sigmoid", "sigmoid_slope", "softplus",
    "tanh_slope",
]  # fmt: skip

Formula = Callable[[Any], Any]


class _Named(sympy.Function):
    """A function of one number, real where that is; each says what it stands for, and its derivative."""

    nargs = 1
    written_out: Formula
    slope: Formula

    @classmethod
    def eval(cls, x: Any) -> Any:
        """The value where it is a simple number."""
        return cls.written_out(S.Zero) if x.is_zero else None

    def fdiff(self, argindex: int = 1) -> Any:
        return type(self).slope(self.args[0])

    def _eval_is_extended_real(self) -> Any:
        return self.args[0].is_extended_real

    def _eval_is_finite(self) -> Any:
        return self.args[0].is_finite

    def _eval_expand_func(self, **hints: Any) -> Any:
        return type(self).written_out(self.args[0])

    def _eval_evalf(self, prec: int) -> Any:
        return type(self).written_out(self.args[0])._eval_evalf(prec)


def _named(name: str, written_out: Formula, slope: Formula) -> Any:
    """Make the class of a function."""
    members = {"written_out": staticmethod(written_out), "slope": staticmethod(slope), "__module__": __name__}
    metaclass: Any = type(_Named)
    return metaclass(name, (_Named,), members)


sigmoid: Any = _named("sigmoid", lambda x: 1 / (1 + exp(-x)), lambda x: sigmoid_slope(x))
softplus: Any = _named("softplus", lambda x: log(1 + exp(x)), sigmoid)
expm1: Any = _named("expm1", lambda x: exp(x) - 1, exp)
log1p: Any = _named("log1p", lambda x: log(1 + x), lambda x: 1 / (1 + x))
#: The distribution function of the standard normal distribution, and its derivative.
ndtr: Any = _named("ndtr", lambda x: (1 + erf(x / sqrt(2))) / 2, lambda x: normal_density(x))
normal_density: Any = _named(
    "normal_density", lambda x: exp(-(x**2) / 2) / sqrt(2 * pi), lambda x: -x * normal_density(x)
)
#: The derivatives of sigmoid, tanh and erf.
sigmoid_slope: Any = _named(
    "sigmoid_slope", lambda x: 1 / ((1 + exp(x)) * (1 + exp(-x))), lambda x: -sigmoid_slope(x) * tanh(x / 2)
)
tanh_slope: Any = _named("tanh_slope", lambda x: cosh(x) ** -2, lambda x: -2 * tanh_slope(x) * tanh(x))
erf_slope: Any = _named("erf_slope", lambda x: 2 / sqrt(pi) * exp(-(x**2)), lambda x: -2 * x * erf_slope(x))

#: Those that fall to 0 on both sides, and are even.
SLOPES = (sigmoid_slope, tanh_slope, erf_slope, normal_density)
