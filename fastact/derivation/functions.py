"""Functions of formulas that SymPy does not have, each with its derivative: sigmoid, softplus, expm1, log1p.

They are kept as they are, because what they stand for loses digits: e**x - 1 near 0, log(1 + e**x) where e**x is tiny.
`sympy.expand_func` writes them out.
"""

from __future__ import annotations

from typing import Any

import sympy

__all__ = ["expm1", "log1p", "sigmoid", "softplus"]


class _Named(sympy.Function):
    """A function of one number, real where that is; each says how mpmath computes it, and what it stands for."""

    nargs = 1
    in_mpmath: str

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

    def _mpmathcode(self, printer: Any) -> str:
        exp, expm1, log1p = (printer._module_format(f"mpmath.{name}") for name in ("exp", "expm1", "log1p"))
        return self.in_mpmath.format(x=printer._print(self.args[0]), exp=exp, expm1=expm1, log1p=log1p)


class sigmoid(_Named):
    """1 / (1 + e**-x)."""

    in_mpmath = "(1/(1 + {exp}(-({x}))))"

    @staticmethod
    def written_out(x: Any) -> Any:
        return 1 / (1 + sympy.exp(-x))

    def fdiff(self, argindex: int = 1) -> Any:
        return sigmoid(self.args[0]) * sigmoid(-self.args[0])


class softplus(_Named):
    """log(1 + e**x)."""

    in_mpmath = "{log1p}({exp}({x}))"

    @staticmethod
    def written_out(x: Any) -> Any:
        return sympy.log(1 + sympy.exp(x))

    def fdiff(self, argindex: int = 1) -> Any:
        return sigmoid(self.args[0])


class expm1(_Named):
    """e**x - 1."""

    in_mpmath = "{expm1}({x})"

    @staticmethod
    def written_out(x: Any) -> Any:
        return sympy.exp(x) - 1

    def fdiff(self, argindex: int = 1) -> Any:
        return sympy.exp(self.args[0])


class log1p(_Named):
    """log(1 + x)."""

    in_mpmath = "{log1p}({x})"

    @staticmethod
    def written_out(x: Any) -> Any:
        return sympy.log(1 + x)

    def fdiff(self, argindex: int = 1) -> Any:
        return 1 / (1 + self.args[0])
