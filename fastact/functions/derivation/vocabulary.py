"""What the functions that a formula may call are as expressions: those of Python, NumPy, SciPy and `fastact.math`.

To let formulas call another function, name it in `WORDS` and write what it is, in functions of SymPy and of
functions.py. A function of fastact that is not here is read as what it computes with NumPy.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import sympy
from sympy import Abs, Piecewise, Rational, erf, exp, log, pi, sqrt, tanh

from fastact.errors import FormulaError
from fastact.functions.derivation.functions import expm1, log1p, ndtr, sigmoid, softplus
from fastact.functions.derivation.values import Condition, Value, truth_of, unwrapped

__all__ = ["WORDS"]


def _extremum(better: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """The maximum or minimum; of equals, the one of fewer variables, as relu(0) is the constant 0."""

    def of_two(a: Any, b: Any) -> Any:
        if len(b.free_symbols) < len(a.free_symbols):
            a, b = b, a
        return Piecewise((b, better(b, a)), (a, True))

    return lambda *values: functools.reduce(of_two, values)


_maximum, _minimum = _extremum(sympy.Gt), _extremum(sympy.Lt)


def _sign(x: Any) -> Any:
    return Piecewise((1, x > 0), (-1, x < 0), (0, True))


def _copysign(x: Any, sign: Any) -> Any:
    return Piecewise((-Abs(x), sign < 0), (Abs(x), True))


def _truncated(x: Any) -> Any:
    return Piecewise((sympy.floor(x), x >= 0), (sympy.ceiling(x), True))


def _fall(x: Any, alpha: Any, inner: Any) -> Any:
    return Piecewise((alpha * expm1(inner), x < 0), (x, True))


def _gelu_tanh(x: Any) -> Any:
    return x * sigmoid(2 * sqrt(2 / pi) * (x + Rational("0.044715") * x**3))


def _snake(x: Any, alpha: Any) -> Any:
    return Piecewise((x, sympy.Eq(alpha, 0)), (x + sympy.sin(alpha * x) ** 2 / alpha, True))


def _selu(x: Any) -> Any:
    alpha, scale = Rational("1.6732632423543772"), Rational("1.0507009873554805")
    return Piecewise((scale * alpha * expm1(x), x < 0), (scale * x, True))


#: Name of a function -> what it is, of expressions.
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    # arithmetic
    "abs": Abs, "absolute": Abs, "fabs": Abs, "magnitude": Abs,
    "add": lambda a, b: a + b, "subtract": lambda a, b: a - b, "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b, "true_divide": lambda a, b: a / b, "fma": lambda a, b, c: a * b + c,
    "negative": lambda x: -x, "positive": lambda x: x, "reciprocal": lambda x: 1 / x, "square": lambda x: x**2,
    "pow": lambda a, b: a**b, "power": lambda a, b: a**b, "float_power": lambda a, b: a**b,
    "sqrt": sqrt, "cbrt": lambda x: _sign(x) * Abs(x) ** Rational(1, 3), "hypot": lambda a, b: sqrt(a**2 + b**2),
    "mod": lambda a, b: a - b * sympy.floor(a / b), "remainder": lambda a, b: a - b * sympy.floor(a / b),
    # choices and steps
    "max": _maximum, "maximum": _maximum, "fmax": _maximum,
    "min": _minimum, "minimum": _minimum, "fmin": _minimum,
    "clip": lambda x, low, high: _minimum(_maximum(x, low), high),
    "sign": _sign, "copysign": _copysign, "heaviside": lambda x, at: Piecewise((0, x < 0), (1, x > 0), (at, True)),
    "floor": sympy.floor, "ceil": sympy.ceiling, "trunc": _truncated, "fix": _truncated,
    # exponentials and logarithms
    "exp": exp, "exp2": lambda x: exp(x * log(2)), "expm1": expm1,
    "log": lambda x, base=None: log(x) if base is None else log(x) / log(base),
    "log1p": log1p, "log2": lambda x: log(x) / log(2), "log10": lambda x: log(x) / log(10),
    "logaddexp": lambda a, b: a + softplus(b - a),
    # circular and hyperbolic functions
    "sin": sympy.sin, "cos": sympy.cos, "tan": sympy.tan, "sinh": sympy.sinh, "cosh": sympy.cosh, "tanh": tanh,
    "asin": sympy.asin, "acos": sympy.acos, "atan": sympy.atan,
    "arcsin": sympy.asin, "arccos": sympy.acos, "arctan": sympy.atan,
    "asinh": sympy.asinh, "acosh": sympy.acosh, "atanh": sympy.atanh,
    "arcsinh": sympy.asinh, "arccosh": sympy.acosh, "arctanh": sympy.atanh,
    # the normal distribution
    "erf": erf, "erfc": lambda x: 2 * ndtr(-sqrt(2) * x), "ndtr": ndtr,
    # sigmoids
    "sigmoid": sigmoid, "expit": sigmoid, "log_expit": lambda x: -softplus(-x), "log_sigmoid": lambda x: -softplus(-x),
    "softsign": lambda x: x / (1 + Abs(x)), "tanhshrink": lambda x: x - tanh(x),
    # rectifiers
    "softplus": lambda x, beta: softplus(beta * x) / beta, "elu": lambda x, alpha: _fall(x, alpha, x),
    "celu": lambda x, alpha: _fall(x, alpha, x / alpha), "selu": _selu,
    "squareplus": lambda x, b: (x + sqrt(x**2 + b)) / 2,
    # gated functions
    "silu": lambda x: x * sigmoid(x), "swish": lambda x, beta: x * sigmoid(beta * x),
    "quick_gelu": lambda x: x * sigmoid(Rational("1.702") * x), "gelu": lambda x: x * ndtr(x),
    "gelu_tanh": _gelu_tanh, "mish": lambda x: x * tanh(softplus(x)), "serf": lambda x: x * erf(softplus(x)),
    "telu": lambda x: x * tanh(exp(x)), "snake": _snake,
}  # fmt: skip


def _of_values(name: str, function: Callable[..., Any]) -> Callable[..., Value]:
    """The function of what a formula calculates with."""

    def called(*arguments: Any, **keywords: Any) -> Value:
        if keywords.keys() - {"dtype"}:
            raise FormulaError(f"it calls {name}() with {next(iter(keywords))}=; pass arguments by position")
        expressions = [unwrapped(each) for each in arguments]
        if any(each is None for each in expressions):
            raise FormulaError(f"it calls {name}() with something that is no number")
        return Value(function(*expressions))

    return called


def _where(condition: Any, if_true: Any, if_false: Any) -> Any:
    truth = truth_of(condition)
    return Value(Piecewise((unwrapped(if_true), truth), (unwrapped(if_false), True)))


def _same(value: Any, *_: Any) -> Value:
    return Value(unwrapped(value))


#: Name of a function of Python, math, NumPy, scipy.special or fastact's vocabulary -> what it is here.
WORDS: dict[str, Callable[..., Any]] = {
    **{name: _of_values(name, function) for name, function in _FUNCTIONS.items()},
    "where": _where, "like": _same, "float": _same, "float32": _same, "float64": _same, "asarray": _same,
    "logical_and": lambda a, b: Condition(sympy.And(truth_of(a), truth_of(b))),
    "logical_or": lambda a, b: Condition(sympy.Or(truth_of(a), truth_of(b))),
    "logical_not": lambda a: Condition(sympy.Not(truth_of(a))),
    "isnan": lambda x: Condition(sympy.false), "isfinite": lambda x: Condition(sympy.true),
    "isinf": lambda x: Condition(sympy.false),
    **{
        name: (lambda a, b, compare=compare: Condition(compare(unwrapped(a), unwrapped(b))))
        for name, compare in {
            "greater": sympy.Gt, "greater_equal": sympy.Ge, "less": sympy.Lt, "less_equal": sympy.Le,
            "equal": sympy.Eq, "not_equal": sympy.Ne,
        }.items()
    },
}  # fmt: skip
