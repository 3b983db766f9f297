"""Expressions as readers meet them: e**x, and "a if x > 0 else b"."""

from __future__ import annotations

from typing import Any

import sympy
from sympy.printing.str import StrPrinter

from fastact.functions.derivation.functions import erf_slope, normal_density, sigmoid, sigmoid_slope, tanh_slope

__all__ = ["worded"]


class _Words(StrPrinter):
    def _print_Piecewise(self, e: Any) -> str:
        return f"({self._chain(e)})"

    def _chain(self, e: Any) -> str:
        if not isinstance(e, sympy.Piecewise):
            return str(self._print(e))
        pieces, last = e.args, sympy.nan
        if pieces[-1].cond == sympy.true:
            *pieces, (last, _) = pieces
        choices = "".join(f"{self._print(piece)} if {self._print(condition)} else " for piece, condition in pieces)
        return choices + self._chain(last)

    def _print_Relational(self, e: Any) -> str:
        return f"{self._print(e.lhs)} {e.rel_op} {self._print(e.rhs)}"

    def doprint(self, expr: Any) -> str:
        """The text, without parentheses around the whole."""
        return self._chain(expr)

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
