"""Formulas that branch or use `math`, as nodes: by way of their expression in SymPy, printed for NumPy and traced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastact.onnx.tracing import erf, softplus

__all__ = ["traceable"]


def traceable(function: Any) -> Callable[..., Any]:
    """The formula of an activation as a function of a tensor and its parameters, in NumPy's words.

    Raises
    ------
    Exception
        SymPy is not installed, or the formula does something that has no expression.
    """
    from fastact.functions.derivation import expression

    formula = expression(function)
    import sympy
    from sympy.printing.numpy import NumPyPrinter

    class Printer(NumPyPrinter):
        """Joins conditions by operators: NumPy's `reduce` takes no tensors."""

        def _print_And(self, expr: Any) -> str:
            return " & ".join(f"({self._print(each)})" for each in expr.args)

        def _print_Or(self, expr: Any) -> str:
            return " | ".join(f"({self._print(each)})" for each in expr.args)

    words = {
        "sigmoid": lambda x: 1.0 / (1.0 + np.exp(-x)), "softplus": softplus, "expm1": np.expm1, "log1p": np.log1p,
        "erf": erf, "ndtr": lambda x: 0.5 * (1.0 + erf(x * 2**-0.5)),
    }  # fmt: skip
    symbols = [sympy.Symbol(name, real=True) for name in (*function._input_names, *function.parameters)]
    printer = Printer({"fully_qualified_modules": False, "user_functions": {name: name for name in words}})
    result: Callable[..., Any] = sympy.lambdify(symbols, formula, [words, "numpy"], printer=printer)
    return result
