"""Functions that SymPy does not have, each with its derivative: sigmoid, softplus, expm1, log1p, ndtr, and slopes.

They are kept as they are, because what they stand for loses digits: e**x - 1 near 0, log(1 + e**x) where e**x is tiny,
1 - tanh(x)**2 and 1 + erf(x) where they are tiny. `sympy.expand_func` writes them out. The
slopes, which formulas do not need, come from recognition.py.
"""

from __future__ import annotations

from typing import Any

import sympy

__all__ = [
    "SLOPES", "erf_slope", "expm1", "log1p", "ndtr", "normal_density", "sigmoid", "sigmoid_slope", "softplus",
    "tanh_slope",
]  # fmt: skip


class _Named(sympy.Function):
    """A function of one number, real where that is; each says how mpmath computes it, and what it stands for."""

    nargs = 1

    @staticmethod
    def written_out(x: Any) -> Any:
        raise NotImplementedError

    @classmethod
    def eval(cls, x: Any) -> Any:
        """The value where it is a simple number."""
        if x.is_zero:
            return cls.written_out(sympy.S.Zero)
        return None

    def _eval_is_extended_real(self) -> Any:
        return self.args[0].is_extended_real

    def _eval_is_finite(self) -> Any:
        return self.args[0].is_finite

    def _eval_expand_func(self, **hints: Any) -> Any:
        return self.written_out(self.args[0])

    def _eval_evalf(self, prec: int) -> Any:
        return self.written_out(self.args[0])._eval_evalf(prec)


class sigmoid(_Named):
    """1 / (1 + e**-x)."""

    @staticmethod
    def written_out(x: Any) -> Any:
        return 1 / (1 + sympy.exp(-x))

    def fdiff(self, argindex: int = 1) -> Any:
        return sigmoid_slope(self.args[0])


class softplus(_Named):
    """log(1 + e**x)."""

    @staticmethod
    def written_out(x: Any) -> Any:
        return sympy.log(1 + sympy.exp(x))

    def fdiff(self, argindex: int = 1) -> Any:
        return sigmoid(self.args[0])


class expm1(_Named):
    """e**x - 1."""

    @staticmethod
    def written_out(x: Any) -> Any:
        return sympy.exp(x) - 1

    def fdiff(self, argindex: int = 1) -> Any:
        return sympy.exp(self.args[0])


class log1p(_Named):
    """log(1 + x)."""

    @staticmethod
    def written_out(x: Any) -> Any:
        return sympy.log(1 + x)

    def fdiff(self, argindex: int = 1) -> Any:
        return 1 / (1 + self.args[0])


class ndtr(_Named):
    """The distribution function of the standard normal distribution."""

    @staticmethod
    def written_out(x: Any) -> Any:
        return (1 + sympy.erf(x / sympy.sqrt(2))) / 2

    def fdiff(self, argindex: int = 1) -> Any:
        return normal_density(self.args[0])


class sigmoid_slope(_Named):
    """The derivative of the sigmoid."""

    @staticmethod
    def written_out(x: Any) -> Any:
        return 1 / ((1 + sympy.exp(x)) * (1 + sympy.exp(-x)))

    def fdiff(self, argindex: int = 1) -> Any:
        return -sigmoid_slope(self.args[0]) * sympy.tanh(self.args[0] / 2)


class tanh_slope(_Named):
    """The derivative of tanh."""

    @staticmethod
    def written_out(x: Any) -> Any:
        return sympy.cosh(x) ** -2

    def fdiff(self, argindex: int = 1) -> Any:
        return -2 * tanh_slope(self.args[0]) * sympy.tanh(self.args[0])


class erf_slope(_Named):
    """The derivative of erf."""

    @staticmethod
    def written_out(x: Any) -> Any:
        return 2 / sympy.sqrt(sympy.pi) * sympy.exp(-(x**2))

    def fdiff(self, argindex: int = 1) -> Any:
        return -2 * self.args[0] * erf_slope(self.args[0])


class normal_density(_Named):
    """The derivative of the normal distribution function."""

    @staticmethod
    def written_out(x: Any) -> Any:
        return sympy.exp(-(x**2) / 2) / sympy.sqrt(2 * sympy.pi)

    def fdiff(self, argindex: int = 1) -> Any:
        return -self.args[0] * normal_density(self.args[0])


#: Those that fall to 0 on both sides, and are even.
SLOPES = (sigmoid_slope, tanh_slope, erf_slope, normal_density)
