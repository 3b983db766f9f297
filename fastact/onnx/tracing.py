"""A tensor that writes what NumPy does with it as ONNX nodes, so that a formula in NumPy's words becomes a graph.

`Symbol` takes part in NumPy's protocols for ufuncs and functions. To let formulas use another function, add it to
`_UFUNCS` or `_FUNCTIONS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from onnx import helper

from fastact.onnx.graph import Graph

__all__ = ["Symbol", "Untraceable", "erf", "softplus"]


class Untraceable(TypeError):
    """A formula does something that ONNX has no operator for."""


class Symbol(NDArrayOperatorsMixin):
    """A tensor of a graph. Operators, ufuncs and functions of NumPy add a node and return another."""

    def __init__(self, graph: Graph, name: str) -> None:
        self.graph, self.name = graph, name

    def node(self, operator: str, *others: Any, **attributes: Any) -> Any:
        """The result of an ONNX operator on this tensor and others; numbers become constants."""
        outputs = self.graph.node(operator, self.name, *(self.named(each) for each in others), **attributes)
        if isinstance(outputs, tuple):
            return tuple(Symbol(self.graph, each) for each in outputs)
        return Symbol(self.graph, outputs)

    def named(self, value: Any) -> str:
        if isinstance(value, Symbol):
            return value.name
        value = np.asarray(value)
        if value.dtype == object:
            raise Untraceable(f"{value!r:.99} is no number")
        # Truth values and indices keep their type; all else is what the network computes with.
        return self.graph.constant(value, value.dtype if value.dtype.kind == "b" else None)

    def index(self, values: Any) -> Symbol:
        """A constant of integers, as operators want them for axes and shapes."""
        return Symbol(self.graph, self.graph.constant(values, np.int64))

    def cast(self, dtype: Any = None) -> Symbol:
        """The same numbers in another dtype, by default that of the graph."""
        wanted = np.dtype(self.graph.dtype if dtype is None else dtype)
        return self.node("Cast", to=helper.np_dtype_to_tensor_dtype(wanted))

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **keywords: Any) -> Symbol:
        write = _UFUNCS.get(ufunc.__name__.split(" ")[0])  # one of np.frompyfunc is called "erf (vectorized)"
        if write is None or method != "__call__" or keywords:
            raise Untraceable(f"numpy's {ufunc.__name__} has no form in ONNX here")
        return write(*(each if isinstance(each, Symbol) else _Constant(self, each) for each in inputs))

    def __array_function__(self, function: Any, types: Any, arguments: Any, keywords: Any) -> Any:
        write = _FUNCTIONS.get(function)
        if write is None:
            raise Untraceable(f"numpy's {function.__name__} has no form in ONNX here")
        return write(*arguments, **keywords)

    def __bool__(self) -> bool:
        raise Untraceable("it branches on numbers")

    def __float__(self) -> float:
        raise Untraceable("it computes with functions of `math`")

    __index__ = __int__ = __float__

    def __repr__(self) -> str:
        return f"<tensor {self.name}>"


class _Constant(Symbol):
    """A number beside a symbol, which becomes a constant when a node takes it."""

    def __init__(self, beside: Symbol, value: Any) -> None:
        super().__init__(beside.graph, beside.named(value))
        self.value = value

    def is_(self, number: float) -> bool:
        return bool(np.ndim(self.value) == 0 and self.value == number)


def _operator(name: str) -> Callable[..., Symbol]:
    return lambda first, *others: first.node(name, *others)


def softplus(x: Any) -> Any:
    """log(1 + e**x). No common runtime has the operator in double precision."""
    if x.graph.dtype != np.float64:
        return x.node("Softplus")
    return np.maximum(x, 0.0) + np.log(1.0 + np.exp(-np.abs(x)))


def erf(x: Any) -> Any:
    """The error function, of float64 too in single precision, which is all that common runtimes have."""
    if x.graph.dtype != np.float64:
        return x.node("Erf")
    return x.cast(np.float32).node("Erf").cast()


def _power(base: Any, exponent: Any) -> Any:
    if isinstance(exponent, _Constant) and exponent.is_(2):
        return base * base
    return base.node("Pow", exponent)


def _logaddexp(a: Any, b: Any) -> Any:
    if isinstance(a, _Constant) and a.is_(0):
        return softplus(b)
    return a + softplus(b - a)


def _hypot(a: Any, b: Any) -> Any:
    """Without an overflow of squares."""
    a, b = abs(a), abs(b)
    longer = np.maximum(a, b)
    ratio = np.minimum(a, b) / _where(longer > 0.0, longer, 1.0)
    return longer * np.sqrt(1.0 + ratio * ratio)


def _where(condition: Any, a: Any, b: Any) -> Any:
    if not isinstance(condition, Symbol) and np.ndim(condition) == 0:
        return a if condition else b
    symbol = next(each for each in (condition, a, b) if isinstance(each, Symbol))
    condition, a, b = (each if isinstance(each, Symbol) else _Constant(symbol, each) for each in (condition, a, b))
    return condition.node("Where", a, b)


def _select(conditions: Any, choices: Any, default: Any = 0) -> Any:
    result = default
    for condition, choice in zip(reversed(conditions), reversed(choices), strict=True):
        result = _where(condition, choice, result)
    return result


def _clip(x: Any, a_min: Any = None, a_max: Any = None, /) -> Any:
    x = x if a_min is None else np.maximum(x, a_min)
    return x if a_max is None else np.minimum(x, a_max)


#: NumPy's ufunc -> the operator that does the same.
_OPERATORS = {
    "absolute": "Abs", "add": "Add", "arccos": "Acos", "arccosh": "Acosh", "arcsin": "Asin", "arcsinh": "Asinh",
    "arctan": "Atan", "arctanh": "Atanh", "bitwise_and": "And", "bitwise_or": "Or", "bitwise_xor": "Xor",
    "ceil": "Ceil", "cos": "Cos", "cosh": "Cosh", "divide": "Div", "equal": "Equal", "exp": "Exp", "expit": "Sigmoid",
    "fabs": "Abs", "floor": "Floor", "fmax": "Max", "fmin": "Min", "greater": "Greater",
    "greater_equal": "GreaterOrEqual", "invert": "Not", "less": "Less", "less_equal": "LessOrEqual", "log": "Log",
    "logical_and": "And", "logical_not": "Not", "logical_or": "Or", "logical_xor": "Xor", "maximum": "Max",
    "minimum": "Min", "multiply": "Mul", "negative": "Neg", "reciprocal": "Reciprocal", "rint": "Round", "sign": "Sign",
    "sin": "Sin", "sinh": "Sinh", "sqrt": "Sqrt", "subtract": "Sub", "tan": "Tan", "tanh": "Tanh",
}  # fmt: skip

#: NumPy's ufuncs by name, and those that stand in formulas of fastact or come from SciPy.
_UFUNCS: dict[str, Callable[..., Symbol]] = {
    **{name: _operator(operator) for name, operator in _OPERATORS.items()},
    "power": _power,
    "float_power": _power,
    "positive": lambda x: x,
    "square": lambda x: x * x,
    "hypot": _hypot,
    "not_equal": lambda a, b: np.logical_not(a == b),
    "expm1": lambda x: np.exp(x) - 1.0,
    "log1p": lambda x: np.log(1.0 + x),
    "exp2": lambda x: np.exp(math.log(2) * x),
    "log2": lambda x: np.log(x) / math.log(2),
    "log10": lambda x: np.log(x) / math.log(10),
    "erf": erf,
    "erfc": lambda x: 1.0 - erf(x),
    "isnan": lambda x: np.logical_not(x == x),
    "isinf": lambda x: np.abs(x) == math.inf,
    "isfinite": lambda x: np.abs(x) < math.inf,
    "logaddexp": _logaddexp,
    "copysign": lambda a, b: _where(b < 0.0, -np.abs(a), np.abs(a)),
    "heaviside": lambda x, middle: _where(x < 0.0, 0.0, _where(x > 0.0, 1.0, _where(x == 0.0, middle, x))),
}  # fmt: skip

_FUNCTIONS: dict[Any, Callable[..., Any]] = {np.where: _where, np.select: _select, np.clip: _clip}
