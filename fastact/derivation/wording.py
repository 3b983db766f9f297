"""Expressions as readers meet them: e**x, and "a if x > 0 else b"."""

from __future__ import annotations

from typing import Any

import sympy
from sympy.printing.str import StrPrinter

from fastact.derivation.functions import erf_slope, normal_density, sigmoid, sigmoid_slope, tanh_slope

__all__ = ["worded"]


class _Words(StrPrinter):
    def _print_Piecewise(self, e: Any) -> str:
        *pieces, (last, condition) = e.args
        text = self._print(last) if condition == sympy.true else "nan"
        for piece, condition in reversed(pieces if condition == sympy.true else e.args):
            text = f"{self._print(piece)} if {self._print(condition)} else {text}"
        return text if not getattr(self, "_inside", False) else f"({text})"

    def _print_ExpBase(self, e: Any) -> str:
        return f"e**{self._power(e.args[0])}"

    def _print_Exp1(self, e: Any) -> str:
        return "e"

    def _print_Abs(self, e: Any) -> str:
        return f"|{self._print(e.args[0])}|"

    def _print_Rational(self, e: Any) -> str:
        return f"{e.p}/{e.q}" if e.q <= 1000 else repr(float(e))

    def _power(self, e: Any) -> str:
        text = self._print(e)
        return text if text.isalnum() or text.lstrip("-").isalnum() else f"({text})"


def worded(expression: Any) -> str:
    """The expression in one line."""
    plain = expression.replace(sigmoid_slope, lambda u: sigmoid(u) * sigmoid(-u))
    plain = plain.replace(tanh_slope, lambda u: 1 - sympy.tanh(u) ** 2)
    plain = plain.replace(erf_slope, erf_slope.written_out).replace(normal_density, normal_density.written_out)
    return _Words().doprint(plain)
