"""Finds the function that some nodes compute, by its values: whatever operators an exporter wrote it in.

The nodes run on a grid of numbers, and the function of the catalogue that has the same values is the answer; parameters
are among the numbers that stand in the nodes. So x * sigmoid(x) is silu, and an activation of one's own is found once
it is registered.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray

import fastact as fa
from fastact.onnx.files import File

__all__ = ["ELEMENTWISE", "ROWWISE", "Found", "identified"]

#: Operators that treat each number alike.
ELEMENTWISE = {
    "Abs", "Acos", "Acosh", "Add", "And", "Asin", "Asinh", "Atan", "Atanh", "Cast", "Ceil", "Celu", "Clip", "Cos",
    "Cosh", "Div", "Elu", "Equal", "Erf", "Exp", "Floor", "Gelu", "Greater", "GreaterOrEqual", "HardSigmoid",
    "HardSwish", "IsInf", "IsNaN", "LeakyRelu", "Less", "LessOrEqual", "Log", "Max", "Mean", "Min", "Mish", "Mul",
    "Neg", "Not", "Or", "PRelu", "Pow", "Reciprocal", "Relu", "Round", "Selu", "Shrink", "Sigmoid", "Sign", "Sin",
    "Sinh", "Softplus", "Softsign", "Sqrt", "Sub", "Sum", "Swish", "Tan", "Tanh", "ThresholdedRelu", "Where", "Xor",
}  # fmt: skip

#: Those of which softmax and its relatives are made besides.
ROWWISE = {
    "ArgMax", "ConstantOfShape", "CumSum", "Expand", "Gather", "Hardmax", "LogSoftmax", "OneHot",
    "ReduceLogSumExp", "ReduceMax", "ReduceSum", "Shape", "Softmax", "TopK",
}  # fmt: skip

#: Beside kinks and far out, where bounds show.
_GRID = np.concatenate([np.linspace(-9.03, 9.07, 259), [-1e6, -1e3, -31.0, 31.0, 1e3, 1e6], [-1e-3, 1e-3]])

#: The largest error relative to 1 + |y|: the nearest functions of the catalogue differ by 5e-4.
_TOLERANCE, _OF_HALF = 3e-5, 3e-3

#: Most combinations of parameters that are tried for one function.
_MOST = 600


class Found(NamedTuple):
    """A function, and those of its parameters that are not its defaults."""

    function: Any
    numbers: dict[str, float]
    arrays: dict[str, NDArray[Any]]  # of parameters, one for each unit


def identified(file: File, nodes: Sequence[Any], start: str, end: str, width: int | None) -> Found | None:
    """The function that takes `start` to `end`, of rows of `width` numbers; None if no function known here does."""
    tolerance = _OF_HALF if file.half else _TOLERANCE
    constants = [file.constants[name] for node in nodes for name in node.input if name in file.constants]
    if any(node.op_type in ROWWISE for node in nodes):
        return _of_rows(file, nodes, start, end, width or 5, tolerance)
    arrays = [each.reshape(-1) for each in constants if each.size > 1 and each.dtype.kind == "f"]
    units = max((each.size for each in arrays), default=1)
    if any(each.size != units for each in arrays):
        return None
    x = np.repeat(_GRID[:, np.newaxis], units, axis=1)
    y = _run(file, nodes, start, end, x)
    if y is None or y.shape != x.shape:
        return None
    numbers = list(dict.fromkeys([*_attributes(nodes, file.opset), *map(_digits, _scalars(constants))]))
    arrays = list({each.tobytes(): each for each in arrays}.values())
    best, least = None, tolerance
    for function in _candidates():
        for given in _choices(function, numbers, arrays):
            plain = units == 1 and not given
            error = _distance(y, _plain_values(function) if plain else _computed(function, x, given))
            if error <= least and (best is None or error < least / 2):
                best, least = _found(function, given), error
    return best


def _run(file: File, nodes: Sequence[Any], start: str, end: str, x: NDArray[Any]) -> NDArray[Any] | None:
    try:
        return np.asarray(file.run(nodes, {start: x.astype(file.dtype(file.inputs[0]))}, end), np.float64)
    except Exception:  # whatever the evaluator cannot do
        return None


def _of_rows(file: File, nodes: Sequence[Any], start: str, end: str, width: int, tolerance: float) -> Found | None:
    x = np.random.default_rng(0).normal(0, 2, (64, width))
    y = _run(file, nodes, start, end, x)
    for name in fa.names("softmax"):
        function = fa.get(name)
        if y is not None and y.shape == x.shape and _distance(y, _computed(function, x, {})) <= tolerance:
            return Found(function, {}, {})
    return None


def _distance(y: NDArray[Any], z: NDArray[Any]) -> float:
    """The largest error, where y is finite: exporters' formulas overflow where the function does not."""
    with np.errstate(all="ignore"):
        error = np.abs(y - z) / (1 + np.abs(y))
    near = np.isfinite(y)
    return float(np.max(np.where(near, np.nan_to_num(error, nan=np.inf), 0))) if near.mean() > 0.9 else np.inf


def _candidates() -> list[Any]:
    """The activations, those with the fewest parameters first."""
    functions = [each for each in map(fa.get, fa.names("activation")) if isinstance(each, fa.Activation)]
    return sorted(functions, key=lambda each: len(each.parameters))


def _choices(function: Any, numbers: list[float], arrays: list[NDArray[Any]]) -> Iterator[dict[str, Any]]:
    """Values for the parameters: the defaults, the numbers of the nodes, and, of one parameter, what they hide."""
    names = list(function.parameters)
    options: list[Any] = [*arrays, *numbers]
    if len(names) == 1:
        options += [*(-each for each in options), *(1 / each for each in options if np.all(each))]
    found = itertools.product(*([function.parameters[name], *options] for name in names))
    for values in itertools.islice(found, _MOST):
        if not arrays or any(np.ndim(value) for value in values):
            yield dict(zip(names, values, strict=True))


@lru_cache(maxsize=512)
def _plain_values(function: Any) -> NDArray[Any]:
    return _computed(function, _GRID[:, np.newaxis], {})


def _computed(function: Any, x: NDArray[Any], given: dict[str, Any]) -> NDArray[Any]:
    with np.errstate(all="ignore"):
        try:
            return np.asarray(function(x, **given, backend="numpy"))
        except Exception:  # a formula of one's own for single numbers, which must be compiled
            return np.asarray(function(x, **given))


def _found(function: Any, given: dict[str, Any]) -> Found:
    arrays = {name: value for name, value in given.items() if np.ndim(value)}
    numbers = {n: v for n, v in given.items() if n not in arrays and v != function.parameters[n]}
    return Found(function, numbers, arrays)


def _scalars(constants: Sequence[NDArray[Any]]) -> list[Any]:
    return [each.reshape(-1)[0] for each in constants if each.size == 1 and each.dtype.kind in "fiu"]


def _attributes(nodes: Sequence[Any], opset: int) -> list[float]:
    """The numbers that attributes hold, also those that are left to their defaults."""
    found = []
    for node in nodes:
        try:
            defaults = onnx.defs.get_schema(node.op_type, opset, node.domain).attributes
        except onnx.defs.SchemaError:
            defaults = {}
        given = {name: each.default_value for name, each in defaults.items()} | {a.name: a for a in node.attribute}
        found += [_digits(np.float32(each.f)) for each in given.values() if each.type == onnx.AttributeProto.FLOAT]
    return found


def _digits(number: Any) -> float:
    """A number of single precision as the digits that were meant."""
    return float(str(number)) if isinstance(number, np.float32) else float(number)
