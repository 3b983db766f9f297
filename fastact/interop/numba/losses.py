"""Losses of elements: their operations as loops, and the sum that all backends take."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import from_dtype
from numba.core import types

from fastact._core.arrays import loss_dtype
from fastact.interop.numba import elementwise
from fastact.interop.numba.emitting import BYTES, DOUBLE, Emitter
from fastact.interop.numba.named import Method
from fastact.interop.numba.planning import (
    Plan,
    array_of,
    computed_dtype,
    dtype_of,
    is_array,
    is_given,
    literal,
    refuse,
    written_to,
)

__all__ = ["plan", "reduction_of"]

REDUCTIONS = "mean", "sum", "none"


def reduction_of(function: Any, kind: Any) -> str:
    """Return the value of reduction=; TypingError if it is none."""
    value = literal(function, "reduction", kind)
    if value not in REDUCTIONS:
        raise refuse(function, f"got reduction={value!r}; it must be one of {', '.join(map(repr, REDUCTIONS))}")
    return str(value)


def plan(context: Any, function: Any, arguments: dict[str, Any]) -> Plan:
    """Plan a call of a loss of single elements."""
    return _Call(context, function, arguments).plan()


class _Call:
    """One call of a loss of elements, or of its value_and_grad."""

    def __init__(self, context: Any, function: Any, arguments: dict[str, Any]) -> None:
        self.function, self.context = function, context
        self.gradient = isinstance(function, Method)
        loss = function.function if self.gradient else function
        self.operation = loss._part("value_and_grad" if self.gradient else "value")
        self.reduction = reduction_of(function, arguments["reduction"])
        self.kinds = {name: arguments[name] for name in ("x", "target", *loss.parameters)}
        for name, default in loss.parameters.items():
            if isinstance(self.kinds[name], types.NoneType):
                self.kinds[name] = types.Omitted(default)
        self.out: Any = arguments.get("out")
        self.dtype = self._dtype(function)
        self.arrays = [kind for kind in self.kinds.values() if is_array(kind)]

    def _dtype(self, function: Any) -> np.dtype[Any]:
        """The dtype of the result, as for the public function: numbers beside arrays are Python's."""
        names = "x", "target"
        some = any(is_array(self.kinds[name]) for name in names)
        found: list[Any] = []
        for name in names:
            dtype: Any = dtype_of(function, name, self.kinds[name])
            if some and not is_array(self.kinds[name]) and dtype.itemsize == 8:
                dtype = float if dtype.kind == "f" else int
            found.append(dtype)
        return computed_dtype(function, loss_dtype, function.name, *found)

    def plan(self) -> Plan:
        item = from_dtype(self.dtype)
        ndim = max((each.ndim for each in self.arrays), default=0)
        self.array = array_of(self.dtype, ndim)
        self.target = written_to(self.function, self.out, self.array, f"array like the gradient, {self.array}")
        value = self.array if self.reduction == "none" and ndim else item
        result = types.Tuple([value, self.target if ndim else item]) if self.gradient else value
        return Plan(result, self._of_arrays(result) if ndim else self._of_numbers(result))

    def _of_numbers(self, result: Any) -> Any:
        item = from_dtype(self.dtype)

        def build(context: Any, builder: Any, values: dict[str, Any]) -> Any:
            emitter = Emitter(context, builder, self.function)
            numbers = []
            for name, kind in self.kinds.items():
                if is_array(kind):
                    value = builder.load(emitter.struct(kind, values[name]).data)
                    numbers.append(emitter.cast(value, kind.dtype, item))
                else:
                    numbers.append(emitter.cast(values[name], kind, item))
            if self.gradient:
                numbers.insert(2, context.get_constant(item, 1))
            results = elementwise.call_formula(emitter, self.operation, item, numbers)
            if self.reduction != "none":  # a sum of one number, which is not -0.0
                results[0] = builder.fadd(results[0], context.get_constant(item, 0))
            return emitter.joined(result, results)

        return build

    def _of_arrays(self, result: Any) -> Any:
        item = from_dtype(self.dtype)

        def build(context: Any, builder: Any, values: dict[str, Any]) -> Any:
            emitter = Emitter(context, builder, self.function)
            shape = emitter.broadcast(
                [emitter.shape(kind, values[name]) for name, kind in self.kinds.items() if is_array(kind)]
            )
            losses = emitter.empty(self.array, shape)
            count: Any = emitter.size(1)
            for length in shape:
                count = builder.mul(count, length)
            nothing = builder.icmp_signed("==", count, emitter.size(0))
            operands, targets, arrays = dict(values), [losses], [self.array]
            kinds = dict(self.kinds)
            if self.gradient:
                share = builder.fdiv(ir.Constant(DOUBLE, 1), builder.sitofp(count, DOUBLE))
                share = builder.select(nothing, ir.Constant(DOUBLE, math.nan), share)
                operands["scale"] = share if self.reduction == "mean" else ir.Constant(DOUBLE, 1)
                names = list(kinds)
                kinds = {name: kinds.get(name, types.float64) for name in (*names[:2], "scale", *names[2:])}
                targets.append(values["out"] if is_given(self.out) else emitter.empty(self.target, shape))
                arrays.append(self.target)
            elementwise.apply(emitter, self.operation, kinds, operands, self.dtype, arrays, targets)
            value = losses
            if self.reduction != "none":
                data = builder.bitcast(emitter.struct(self.array, losses).data, BYTES)
                value = emitter.call("sum_of", DOUBLE, data, count, emitter.i32(self.dtype.itemsize == 8))
                if self.reduction == "mean":
                    value = builder.fdiv(value, builder.sitofp(count, DOUBLE))
                    value = builder.select(nothing, ir.Constant(DOUBLE, math.nan), value)
                value = emitter.cast(value, types.float64, item)
            return emitter.value_and_grad(result, value, targets[1] if self.gradient else None, is_given(self.out))

        return build
