"""fastact's functions as ONNX nodes: the standard operator where there is one, else the formula in primitives.

The formula is the function's own in NumPy's words, run on a `Symbol`; a user's is written so too. An operator that ONNX
has is an entry in `STANDARD`; a formula that cannot be traced, or is written better by hand, is one in `WRITTEN`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from onnx import numpy_helper

import fastact as fa
from fastact.onnx.tracing import Symbol, Untraceable, erf, softplus

__all__ = ["apply"]

#: Function -> ONNX's operator, and its attributes of the function's parameters.
STANDARD: dict[str, tuple[str, Callable[..., dict[str, Any]]]] = {
    "identity": ("Identity", dict),
    "relu": ("Relu", dict),
    "leaky_relu": ("LeakyRelu", lambda alpha: {"alpha": alpha}),
    "thresholded_relu": ("ThresholdedRelu", lambda theta: {"alpha": theta}),
    "hard_sigmoid": ("HardSigmoid", lambda slope, offset: {"alpha": slope, "beta": offset}),
    "hard_silu": ("HardSwish", dict),
    "softshrink": ("Shrink", lambda lambd: {"lambd": lambd, "bias": lambd}),
    "hardshrink": ("Shrink", lambda lambd: {"lambd": lambd}),
    "sigmoid": ("Sigmoid", dict),
    "tanh": ("Tanh", dict),
    "exponential": ("Exp", dict),
    "erf": ("Erf", dict),
    "softsign": ("Softsign", dict),
    "elu": ("Elu", lambda alpha: {"alpha": alpha}),
    "celu": ("Celu", lambda alpha: {"alpha": alpha}),
    "selu": ("Selu", lambda: {"alpha": 1.6732632423543772, "gamma": 1.0507009873554805}),
    "silu": ("Swish", dict),
    "swish": ("Swish", lambda beta: {"alpha": beta}),
    "quick_gelu": ("Swish", lambda: {"alpha": 1.702}),
    "gelu": ("Gelu", dict),
    "gelu_tanh": ("Gelu", lambda: {"approximate": "tanh"}),
    "mish": ("Mish", dict),
}


def _softplus(x: Symbol, beta: Any) -> Any:
    return softplus(x) if np.ndim(beta) == 0 and beta == 1 else softplus(beta * x) / beta


def _ndtr(x: Symbol) -> Any:
    return 0.5 * (1.0 + erf(x * math.sqrt(0.5)))


#: Those that common runtimes have in double precision too. Attributes are in single precision.
DOUBLE = {"Identity", "Relu", "Sigmoid", "Tanh", "Exp"}


def _leaky_relu(x: Symbol, alpha: Any) -> Any:
    return fa.leaky_relu._plain(x, alpha) if x.graph.dtype == np.float64 else x.node("PRelu", alpha)


#: Function -> its nodes, given a symbol and the parameters.
WRITTEN: dict[str, Callable[..., Any]] = {
    "leaky_relu": _leaky_relu,
    "erf": erf,
    "rrelu": lambda x, lower, upper: _activation(fa.leaky_relu, x, {"alpha": (lower + upper) / 2}),
    "tanhshrink": lambda x: x - np.tanh(x),
    "softplus": _softplus,
    "ndtr": _ndtr,
    "gelu": lambda x: x * _ndtr(x),
}


def _reduce(operator: str, x: Any, axis: int) -> Any:
    if x.graph.opset < 18 and operator != "ReduceSum":  # which took its axes as an input before others did
        return x.node(operator, axes=[axis], keepdims=1)
    return x.node(operator, x.index([axis]), keepdims=1)


def _ranked(x: Symbol, axis: int) -> tuple[Any, Any]:
    """The entries along an axis, largest first, and their ranks from 1."""
    ranked, _ = x.node("TopK", _length(x, axis), outputs=2, axis=axis)
    one = numpy_helper.from_array(np.ones(1, x.graph.dtype))
    return ranked, _sums(ranked.node("Shape").node("ConstantOfShape", value=one), axis)


def _length(x: Symbol, axis: int) -> Symbol:
    return x.node("Shape").node("Gather", x.index([axis]), axis=0)


def _sums(x: Any, axis: int) -> Any:
    return x.node("CumSum", x.index(axis))


def _sparsemax(x: Any, axis: int) -> Any:
    x = x - _reduce("ReduceMax", x, axis)
    ranked, rank = _ranked(x, axis)
    inside = ranked * rank > _sums(ranked, axis) - 1.0
    total = _reduce("ReduceSum", np.where(inside, ranked, 0.0), axis)
    threshold = (total - 1.0) / _reduce("ReduceSum", inside.cast(), axis)
    return np.maximum(x - threshold, 0.0)


def _entmax15(x: Any, axis: int) -> Any:
    x = np.maximum((x - _reduce("ReduceMax", x, axis)) * 0.5, -2.0)  # the threshold is at least -1
    ranked, rank = _ranked(x, axis)
    mean = _sums(ranked, axis) / rank
    spread = _sums(ranked * ranked, axis) - rank * mean * mean
    thresholds = mean - np.sqrt(np.maximum((1.0 - spread) / rank, 0.0))
    # Each entry inside raises the threshold, so that the last one's is the largest of theirs.
    threshold = _reduce("ReduceMax", np.where(thresholds <= ranked, thresholds, -2.0), axis)
    excess = np.maximum(x - threshold, 0.0)
    return excess * excess


def _hardmax(x: Symbol, axis: int) -> Any:
    if x.graph.dtype != np.float64:
        return x.node("Hardmax", axis=axis)
    ranked = x.node("ArgMax", axis=axis, keepdims=0)
    ends = Symbol(x.graph, x.graph.constant([0, 1], np.float32))
    return ranked.node("OneHot", _length(x, axis), ends, axis=axis).cast()


#: Functions of a row -> their nodes, given a symbol and the axis.
ROWWISE: dict[str, Callable[[Symbol, int], Any]] = {
    "softmax": lambda x, axis: x.node("Softmax", axis=axis),
    "log_softmax": lambda x, axis: x.node("LogSoftmax", axis=axis),
    "softmin": lambda x, axis: (-x).node("Softmax", axis=axis),
    "hardmax": _hardmax,
    "sparsemax": _sparsemax,
    "entmax15": _entmax15,
}


def apply(function: Any, x: Symbol, parameters: Mapping[str, Any]) -> Symbol:
    """The function of a tensor. Parameters are numbers, or arrays with one for each unit; a softmax takes `axis`.

    Raises
    ------
    TypeError
        The function has no form in ONNX.
    """
    if function.kind == "softmax" and function.name in ROWWISE:
        return ROWWISE[function.name](x, parameters.get("axis", -1))
    if function.kind != "activation":
        raise TypeError(
            f"{function.name} is a {function.kind}, which is not saved as ONNX; take an activation or softmax"
        )
    return _activation(function, x, {**function.parameters, **parameters})


def _activation(function: Any, x: Symbol, parameters: Mapping[str, Any]) -> Symbol:
    builtin = function.__module__.startswith("fastact.")
    if builtin and function.name in STANDARD and not any(np.ndim(value) for value in parameters.values()):
        operator, attributes_of = STANDARD[function.name]
        if x.graph.supports(operator) and (x.graph.dtype != np.float64 or operator in DOUBLE):
            return x.node(operator, **attributes_of(**parameters))
    if builtin:
        return _traced(WRITTEN.get(function.name) or function._plain, x, parameters)
    try:
        return _traced(function._plain, x, parameters)
    except Exception as error:  # whatever a formula of single numbers raises for a tensor
        try:
            return _traced(_traceable(function), x, parameters)
        except Exception:  # no expression either
            raise _no_form(function, error) from error


def _traced(formula: Callable[..., Any], x: Symbol, parameters: Mapping[str, Any]) -> Symbol:
    with x.graph.all_or_nothing():
        result = formula(x, *parameters.values())
        if not isinstance(result, Symbol):
            raise Untraceable("its result does not depend on x")
        return result


def _no_form(function: Any, error: Exception) -> TypeError:
    reason = str(error) if isinstance(error, Untraceable) else f"{type(error).__name__}: {error}"
    return TypeError(
        f"{function.name} has no form in ONNX: {reason:.300}; write its formula for arrays, with functions of numpy "
        "and fastact.math"
    )


def _traceable(function: Any) -> Callable[..., Any]:
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
