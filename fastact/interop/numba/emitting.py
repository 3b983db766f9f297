"""LLVM's terms for what calls have in common: arrays as C sees them, new arrays, errors, and calls of C functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import from_dtype
from numba.core import cgutils, types
from numba.core.imputils import impl_ret_borrowed, impl_ret_new_ref
from numba.np.arrayobj import make_array, populate_array
from numba.np.numpy_support import as_dtype

from fastact.interop.numba import linking
from fastact.interop.numba.named import place_of, stamp_of
from fastact.interop.numba.planning import array_of, is_cuda
from fastact.interop.numba.stamps import Dependency

__all__ = ["ARRAY", "BYTES", "DOUBLE", "INT", "SIZE", "Emitter"]

BYTES, INT, SIZE = ir.IntType(8).as_pointer(), ir.IntType(32), ir.IntType(64)
DOUBLE = ir.DoubleType()

#: Bytes from which a result has memory of fastact's own; see native/numba_results.pxi.
LARGE = 1 << 20

#: `Array` of native/strided.pyx.
ARRAY = ir.LiteralStructType([BYTES, SIZE, SIZE.as_pointer(), SIZE.as_pointer()])

#: `Status` of native/strided.pyx -> what is raised.
RAISED = 1
ERRORS = {
    2: (MemoryError, "no memory for a copy of the operands"),
    3: (ValueError, "operands do not broadcast together, or a gradient or mask does not have the shape of its array"),
    4: (ValueError, "out does not have the shape of the result"),
}


class Emitter:
    """Emits one call in the code of a user's function."""

    def __init__(self, context: Any, builder: Any, function: Any) -> None:
        self.context, self.builder, self.function = context, builder, function
        self._new: list[tuple[Any, Any]] = []  # what to let go where an error is raised
        self.depend(function, None)

    # What the code depends on.

    def depend(self, function: Any, need: linking.Need | None) -> None:
        """Keep beside the machine code what it depends on; keep it out of Numba's cache where that is unknown."""
        if is_cuda(self.context):
            return
        environment, stamp = self.context.environment, stamp_of(function)
        if stamp is None:
            name, module = f"numba.dynamic.globals.fastact.{id(function):x}", self.builder.module
            if name not in module.globals:
                gv = cgutils.add_global_variable(module, BYTES, name)
                gv.linkage, gv.initializer = "common", cgutils.get_null_value(BYTES)
        else:
            dependency = Dependency(*place_of(function), stamp, need)
            if not any(type(each) is Dependency and each == dependency for each in environment.consts):
                environment.consts.append(dependency)
            # Of the body of a `prange`, Numba would let the environment go, and keep none without a module's name.
            self.context.active_code_library.fastact_environment = environment
            environment.globals.setdefault("__name__", __package__)

    def symbol(self, function: Any, need: linking.Need) -> Any:
        """The address of what is needed of a function, wherever this process has it."""
        self.depend(function, need)
        return self.context.get_c_value(self.builder, ir.IntType(8), linking.provide(function, need))

    # Values.

    def size(self, value: int) -> Any:
        return ir.Constant(SIZE, value)

    def i32(self, value: int) -> Any:
        return ir.Constant(INT, int(value))

    def stored(self, value: Any) -> Any:
        """The address of a value on the stack."""
        return cgutils.alloca_once_value(self.builder, value)

    def cast(self, value: Any, kind: Any, target: Any) -> Any:
        if isinstance(kind, types.Omitted):
            value, kind = self.context.get_constant(types.float64, float(kind.value)), types.float64
        return self.context.cast(self.builder, value, types.unliteral(kind), target)

    def as_double(self, value: Any, kind: Any) -> Any:
        return self.cast(value, kind, types.float64)

    def struct(self, kind: Any, value: Any) -> Any:
        return make_array(kind)(self.context, self.builder, value)

    # Arrays as C sees them.

    def descriptor(self, kind: Any, value: Any) -> Any:
        """An `Array` of an array."""
        array, builder = self.struct(kind, value), self.builder
        sizes = [
            builder.bitcast(self.stored(each), SIZE.as_pointer()) if kind.ndim else SIZE.as_pointer()(None)
            for each in (array.shape, array.strides)
        ]
        return self.describe(array.data, kind.ndim, *sizes)

    def point(self, address: Any) -> Any:
        """An `Array` of the one number at an address, without axes."""
        return self.describe(address, 0, SIZE.as_pointer()(None), SIZE.as_pointer()(None))

    def line(self, address: Any, item: int) -> Any:
        """An `Array` of the one number at an address, along one axis."""
        shape, stride = self.stored(self.size(1)), self.stored(self.size(item))
        return self.describe(address, 1, shape, stride)

    def describe(self, data: Any, ndim: int, shape: Any, strides: Any) -> Any:
        struct = ir.Constant(ARRAY, ir.Undefined)
        parts = self.builder.bitcast(data, BYTES), self.size(ndim), shape, strides
        for i, part in enumerate(parts):
            struct = self.builder.insert_value(struct, part, i)
        return struct

    def pack(self, descriptors: Sequence[Any]) -> Any:
        """The address of so many `Array`s in a row."""
        place = cgutils.alloca_once(self.builder, ir.ArrayType(ARRAY, len(descriptors)))
        for i, each in enumerate(descriptors):
            self.builder.store(each, cgutils.gep_inbounds(self.builder, place, 0, i))
        return self.builder.bitcast(place, ARRAY.as_pointer())

    def pointer(self, descriptor: Any | None) -> Any:
        return ARRAY.as_pointer()(None) if descriptor is None else self.stored(descriptor)

    # New arrays.

    def shape(self, kind: Any, value: Any) -> list[Any]:
        return list(cgutils.unpack_tuple(self.builder, self.struct(kind, value).shape, kind.ndim))

    def check_shape(self, kind: Any, value: Any, shape: Sequence[Any], text: str) -> None:
        """Raise ValueError if an array has another shape of as many dimensions."""
        for wanted, length in zip(shape, self.shape(kind, value), strict=True):
            self.raise_if(self.builder.icmp_signed("!=", wanted, length), ValueError, text)

    def broadcast(self, shapes: Sequence[list[Any]]) -> list[Any]:
        """The shape to which shapes broadcast, if they do; C tells."""
        builder = self.builder
        result = [self.size(1)] * max(map(len, shapes))
        for shape in shapes:
            for i, length in enumerate(shape, len(result) - len(shape)):
                is_one = builder.icmp_signed("==", length, self.size(1))
                result[i] = builder.select(is_one, result[i], length)
        return result

    def empty(self, kind: Any, shape: Sequence[Any]) -> Any:
        """A new array, whose owner the caller is unless an error is raised."""
        context, builder = self.context, self.builder
        item = context.get_abi_sizeof(context.get_data_type(kind.dtype))
        strides, size, overflow = [], self.size(item), ir.Constant(cgutils.bool_t, 0)
        for length in shape if kind.layout == "F" else reversed(shape):
            strides.append(size)
            product = builder.smul_with_overflow(size, length)
            size = builder.extract_value(product, 0)
            overflow = builder.or_(overflow, builder.extract_value(product, 1))
        strides = strides if kind.layout == "F" else strides[::-1]
        self.raise_if(overflow, ValueError, "the result is too large")
        memory = cgutils.alloca_once_value(builder, BYTES(None))
        with builder.if_else(builder.icmp_unsigned("<", size, self.size(LARGE))) as (small, large):
            with small:
                builder.store(context.nrt.meminfo_alloc_aligned_unchecked(builder, size, 64), memory)
            with large:
                interface = ir.FunctionType(BYTES, [])
                api = builder.call(cgutils.get_or_insert_function(builder.module, interface, "NRT_get_api"), [])
                builder.store(self.call("new_memory", BYTES, api, size), memory)
        owner = builder.load(memory)
        self.raise_if(cgutils.is_null(builder, owner), MemoryError, "no memory for the result")
        array = make_array(kind)(context, builder)
        populate_array(
            array, data=builder.bitcast(context.nrt.meminfo_data(builder, owner), array.data.type),
            shape=cgutils.pack_array(builder, shape, ty=SIZE), strides=cgutils.pack_array(builder, strides, ty=SIZE),
            itemsize=self.size(item), meminfo=owner,
        )  # fmt: skip
        value = array._getvalue()
        self._new.append((kind, value))
        return value

    def converted(self, kind: Any, value: Any, dtype: np.dtype[Any]) -> tuple[Any, Any]:
        """A new array of another dtype, as type and value."""
        wanted = from_dtype(dtype)

        def convert(array):  # type: ignore[no-untyped-def]
            return array.astype(wanted)

        result = array_of(dtype, kind.ndim, [kind])
        value = self.context.compile_internal(self.builder, convert, result(kind), [value])
        self._new.append((result, value))
        return result, value

    def of_dtype(self, kind: Any, value: Any, dtype: np.dtype[Any]) -> tuple[Any, Any]:
        """The array itself, or a new one of this dtype."""
        return (kind, value) if kind.dtype == from_dtype(dtype) else self.converted(kind, value, dtype)

    def packed(self, kind: Any, value: Any) -> tuple[Any, Any]:
        """The array itself, or a new one without gaps."""
        return (kind, value) if kind.layout == "C" else self.converted(kind, value, as_dtype(kind.dtype))

    # Arguments.

    def integer(self, kind: Any, value: Any) -> Any:
        """An int, given or left out."""
        return self.size(kind.value) if isinstance(kind, types.Omitted) else self.cast(value, kind, types.intp)

    def axis(self, kind: Any, value: Any, ndim: int) -> Any:
        """An axis, counted from 0."""
        builder, axis = self.builder, self.integer(kind, value)
        negative = builder.icmp_signed("<", axis, self.size(0))
        axis = builder.select(negative, builder.add(axis, self.size(ndim)), axis)
        outside = builder.icmp_unsigned(">=", axis, self.size(ndim))
        self.raise_if(outside, np.exceptions.AxisError, f"axis is out of bounds for {ndim} dimensions")
        return axis

    def without(self, shape: Sequence[Any], axis: Any) -> list[Any]:
        """The shape without an axis."""
        builder = self.builder
        return [
            builder.select(builder.icmp_signed("<", self.size(i), axis), shape[i], shape[i + 1])
            for i in range(len(shape) - 1)
        ]

    def drop(self, keep: Sequence[Any] = ()) -> None:
        """Let new arrays go but for those that are results."""
        for kind, value in self._new:
            if not any(value is each for each in keep):
                self.context.nrt.decref(self.builder, kind, value)

    def returned(self, kind: Any, value: Any, new: bool) -> Any:
        give = impl_ret_new_ref if new else impl_ret_borrowed
        return give(self.context, self.builder, kind, value)

    def joined(self, kind: Any, values: Sequence[Any]) -> Any:
        """Return the one result, or a tuple of several, as the type of a call's result says."""
        if isinstance(kind, types.BaseTuple):
            return self.context.make_tuple(self.builder, kind, values)
        return values[0]

    def value_and_grad(self, kind: Any, value: Any, grad: Any, given: bool) -> Any:
        """Return a loss, and its gradient beside it unless that is None; the user owns a gradient that is `given`."""
        self.drop([value, grad])
        if grad is None:
            return self.returned(kind, value, True)
        if given:
            self.context.nrt.incref(self.builder, kind[1], grad)
        return self.joined(kind, [value, grad])

    # Calls and errors.

    def call(self, name: str, result: Any, *arguments: Any) -> Any:
        """Call the C function of this name."""
        kind = ir.FunctionType(result, [each.type for each in arguments])
        function = cgutils.get_or_insert_function(self.builder.module, kind, f"fastact_{name}")
        return self.builder.call(function, arguments)

    def run(self, name: str, *arguments: Any) -> None:
        """Call the C function of this name, and raise what its `Status` says."""
        self.check(self.call(name, INT, *arguments))

    def address(self, name: str) -> Any:
        return self.context.get_c_value(self.builder, ir.IntType(8), f"fastact_{name}")

    def check(self, status: Any) -> None:
        """Raise what a `Status` says."""
        with self.builder.if_then(self.builder.icmp_signed("!=", status, self.i32(0)), likely=False):
            for number, (kind, text) in ERRORS.items():
                self.raise_if(self.builder.icmp_signed("==", status, self.i32(number)), kind, text)
            self.drop()
            self.context.call_conv.return_exc(self.builder)
            self.builder.position_at_end(self.builder.append_basic_block("unreachable"))

    def raise_if(self, condition: Any, kind: type[Exception], text: str) -> None:
        with self.builder.if_then(condition, likely=False):
            self.drop()
            self.context.call_conv.return_user_exc(self.builder, kind, (f"fastact.{self.function.name}: {text}",))

    def raise_with(self, kind: type[Exception], text: str, number: Any) -> None:
        """Raise an exception with a number that is known when it is raised."""
        self.drop()
        arguments = f"fastact.{self.function.name}: {text}", number
        self.context.call_conv.return_dynamic_user_exc(self.builder, kind, arguments, (types.intp,))
