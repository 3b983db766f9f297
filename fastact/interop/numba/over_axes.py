"""The softmax family: the cython backend's kernels, and for sparsemax and entmax15 the loops of scalar/rows.py."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import from_dtype
from numba.core import cgutils, types

from fastact._core.arrays import float_dtype
from fastact._core.masking import MASKED
from fastact._kernels.scalar.rows import scratch_size
from fastact.interop.numba import linking
from fastact.interop.numba.emitting import BYTES, Emitter
from fastact.interop.numba.named import Method
from fastact.interop.numba.planning import (
    Plan,
    array_of,
    computed_dtype,
    dtype_of,
    is_array,
    is_given,
    items_of,
    literal,
    refuse,
    written_to,
)

__all__ = ["plan"]

DOUBLE = 3  # `Format` of native/half.pxi; SAME is 0
BYTE = ir.IntType(8)


def plan(context: Any, function: Any, arguments: dict[str, Any]) -> Plan:
    """Plan a call of the softmax family."""
    return _Call(function, arguments).plan()


class _Call:
    """One call of a function over axes, forward or backward."""

    def __init__(self, function: Any, arguments: dict[str, Any]) -> None:
        self.function, self.kinds = function, arguments
        self.owner = function.function if isinstance(function, Method) else function
        first, second = list(arguments)[:2]
        self.backward = isinstance(function, Method)
        self.grad, self.x = (first, second) if self.backward else ("", first)
        self.ndim = arguments[self.x].ndim if is_array(arguments[self.x]) else 0
        self.reduces = self.owner.reduces and not self.backward
        self.dtype = self._dtype()
        self.axes = _axes(function, arguments["axis"])
        self.keepdims = self.reduces and bool(literal(function, "keepdims", arguments["keepdims"]))
        where, temperature = arguments["where"], arguments["temperature"]
        if is_given(where) and not (is_array(where) and where.dtype == types.boolean and where.ndim <= self.ndim):
            raise refuse(
                function, f'takes as where= a boolean array that broadcasts to {self.x}, not {where}; "causal" is '
                "np.tri(n, m) > 0, and of a list np.array makes one"
            )  # fmt: skip
        if not isinstance(types.unliteral(temperature), types.Omitted | types.Float | types.Integer):
            raise refuse(
                function, f"takes a number as temperature= in compiled code, not {temperature}; divide x by it"
            )

    def _dtype(self) -> np.dtype[Any]:
        """The dtype of the result, as the public function finds it."""
        names = [self.grad, self.x] if self.backward else [self.x]
        dtypes = [dtype_of(self.function, name, self.kinds[name]) for name in names]
        if is_array(self.kinds[self.x]) and not self.owner.reduces and not is_array(self.kinds[names[0]]):
            raise refuse(self.function, f"takes {self.grad} as an array of {self.x}'s shape")
        name = self.owner.name
        return computed_dtype(self.function, lambda: np.result_type(*(float_dtype(name, each) for each in dtypes)))

    def plan(self) -> Plan:
        x, out = self.kinds[self.x], self.kinds["out"]
        ndim = self.ndim
        if self.reduces and not self.keepdims:
            ndim -= self.ndim if self.axes is None else len(self.axes)
        new = array_of(self.dtype, ndim, [x] if is_array(x) and not self.reduces else [])
        result = new if ndim else from_dtype(self.dtype)
        self.given = is_given(out)
        self.array = written_to(self.function, out, new, f"array like the result, {result}, not {out}")
        return Plan(self.array if ndim else result, self._build)

    def _build(self, context: Any, builder: Any, values: dict[str, Any]) -> Any:
        emitter = Emitter(context, builder, self.function)
        item, size = from_dtype(self.dtype), self.dtype.itemsize
        operands = {}
        for name in (self.grad, self.x) if self.backward else (self.x,):
            kind, value = self.kinds[name], values[name]
            operands[name] = emitter.of_dtype(kind, value, self.dtype) if is_array(kind) else (kind, value)
        kind, value = operands[self.x]
        if is_array(kind) and kind.ndim:
            shape, x = emitter.shape(kind, value), emitter.descriptor(kind, value)
        else:
            shape, x = [emitter.size(1)], emitter.line(self._address(emitter, kind, value, item), size)
        reduced = _marked(emitter, self.axes, values["axis"], len(shape))
        divisor = self._divisor(emitter, values["temperature"])
        where = self.kinds["where"]
        mask = emitter.descriptor(where, values["where"]) if is_given(where) else None
        if ndim := self.array.ndim:
            kept = _kept(emitter, shape, reduced, ndim, self.keepdims)
            result = values["out"] if self.given else emitter.empty(self.array, kept)
            out = emitter.descriptor(self.array, result)
        else:
            place = cgutils.alloca_once(builder, context.get_value_type(item))
            out = emitter.point(place) if self.reduces else emitter.line(place, size)
        grad = self._gradient(emitter, *operands[self.grad]) if self.backward else None
        self._run(emitter, grad, x, out, reduced, mask, divisor)
        emitter.drop([result] if ndim else [])
        return emitter.returned(self.array, result, not self.given) if ndim else builder.load(place)

    def _gradient(self, emitter: Emitter, kind: Any, value: Any) -> Any:
        """Return an `Array` of grad_output."""
        if is_array(kind) and self.array.ndim:
            return emitter.descriptor(kind, value)
        address = self._address(emitter, kind, value, from_dtype(self.dtype))
        return emitter.point(address) if self.array.ndim else emitter.line(address, self.dtype.itemsize)

    def _address(self, emitter: Emitter, kind: Any, value: Any, item: Any) -> Any:
        """Where a number or an array without axes has its number."""
        return emitter.struct(kind, value).data if is_array(kind) else emitter.stored(emitter.cast(value, kind, item))

    def _divisor(self, emitter: Emitter, value: Any) -> Any:
        """The temperature, negative where the function is of -x."""
        builder = emitter.builder
        divisor = emitter.as_double(value, self.kinds["temperature"])
        right = builder.fcmp_ordered(">", divisor, ir.Constant(divisor.type, 0))
        emitter.raise_if(builder.not_(right), ValueError, "temperature must be positive")
        return divisor if self.owner.sign == 1 else builder.fneg(divisor)

    def _run(self, emitter: Emitter, grad: Any, x: Any, out: Any, reduced: Any, mask: Any, divisor: Any) -> None:
        computation, inputs = self.owner.computation, 1 + self.backward
        arrays = list(map(emitter.pointer, (grad, x, out, mask)))
        is_double = self.dtype.itemsize == 8
        if self.owner._family == "sparse":
            hidden = MASKED[computation, inputs].operands[-1]
            emitter.run(
                "over_rows", emitter.symbol(self.function, ("rows", computation, inputs, self.dtype.name)),
                emitter.size(scratch_size(0)), emitter.i32(is_double), reduced, *arrays, divisor,
                ir.Constant(divisor.type, float(hidden or 0)),
            )  # fmt: skip
        else:
            weighted = self.owner.reduces and self.backward
            number = [] if weighted else [emitter.i32(linking.KERNELS[computation])]
            emitter.run(
                "weighted_softmax" if weighted else "over_axes", emitter.address("compute"), emitter.address("takes"),
                *number, emitter.i32(DOUBLE if is_double else 0), reduced, *arrays, divisor,
            )  # fmt: skip


def _axes(function: Any, kind: Any) -> list[Any] | None:
    """The type of each axis in the argument `axis`; None for all axes."""
    if isinstance(kind, types.NoneType) or (isinstance(kind, types.Omitted) and kind.value is None):
        return None
    if isinstance(kind, types.Omitted) or isinstance(types.unliteral(kind), types.Integer):
        return [kind]
    items = items_of(kind)
    if items and all(isinstance(types.unliteral(each), types.Integer) for each in items):
        return items
    raise refuse(function, f"takes as axis= an int, a tuple of ints or None, not {kind}")


def _marked(emitter: Emitter, axes: list[Any] | None, value: Any, ndim: int) -> Any:
    """The address of a byte for each axis, 1 for those that the call is over; errors are NumPy's."""
    builder = emitter.builder
    place = cgutils.alloca_once(builder, ir.ArrayType(BYTE, ndim))
    builder.store(ir.Constant(place.type.pointee, [int(axes is None)] * ndim), place)
    place = builder.bitcast(place, BYTES)
    several = isinstance(value.type, ir.Aggregate)
    for i, kind in enumerate(axes or []):
        axis = builder.extract_value(value, i) if several else value
        mark = builder.gep(place, [emitter.axis(kind, axis, ndim)])
        emitter.raise_if(builder.trunc(builder.load(mark), ir.IntType(1)), ValueError, "axis is repeated")
        builder.store(ir.Constant(BYTE, 1), mark)
    return place


def _kept(emitter: Emitter, shape: list[Any], reduced: Any, ndim: int, keepdims: bool) -> list[Any]:
    """The shape of the result."""
    builder = emitter.builder
    if ndim == len(shape) and not keepdims:
        return shape
    marks = [
        builder.trunc(builder.load(builder.gep(reduced, [emitter.size(i)])), ir.IntType(1)) for i in range(len(shape))
    ]
    if keepdims:
        return [builder.select(mark, emitter.size(1), length) for mark, length in zip(marks, shape, strict=True)]
    place = cgutils.alloca_once(builder, ir.ArrayType(shape[0].type, len(shape)))
    count: Any = emitter.size(0)
    for mark, length in zip(marks, shape, strict=True):  # one that is reduced is written over
        builder.store(length, cgutils.gep_inbounds(builder, place, 0, count))
        count = builder.add(count, builder.zext(builder.not_(mark), count.type))
    return [builder.load(cgutils.gep_inbounds(builder, place, 0, i)) for i in range(ndim)]
