"""From a formula of one row to a loop: Numba compiles it for rows that follow each other in memory, without gaps."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import cfunc, from_dtype, types
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

from fastact._kernels.compile import cache
from fastact._kernels.native.arithmetic import standard_arithmetic
from fastact._kernels.scalar.primitives import JIT_OPTIONS
from fastact._kernels.scalar.rows import ROWS, scratch_size

__all__ = ["row_address", "row_loop"]

_compiled: list[Any] = []  # keeps the machine code alive


@functools.cache
def row_address(kind: str, inputs: int, dtype: np.dtype[Any]) -> int:
    """The C function: pointers to the inputs, the result and scratch, then the sizes of scratch and of the rows."""
    row = ROWS[kind, inputs]
    name = cache.key(row, ("rows", inputs, dtype.str))
    address = cache.load(name)
    if address is None:
        function = _compile(row, inputs, dtype)
        cache.store(name, function)
        address = int(function.address)
    return address


@functools.cache
def row_loop(kind: str, inputs: int, dtype: np.dtype[Any]) -> Callable[..., None]:
    """A function of plain arrays of rows: so many inputs of one shape, and the result."""
    address = row_address(kind, inputs, dtype)
    call = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (inputs + 2), *[ctypes.c_ssize_t] * 4)(address)

    def rows(*arrays: np.ndarray) -> None:
        count, n = arrays[0].shape
        scratch = np.empty(scratch_size(n))
        pointers = (a.__array_interface__["data"][0] for a in (*arrays, scratch))  # a.ctypes.data takes twice as long
        call(*pointers, scratch.size, count, n, arrays[-1].shape[1])

    return rows


@intrinsic
def _vector(_context: Any, pointer: Any, start: Any, n: Any) -> Any:
    """An array of the n numbers from pointer[start] on. `numba.carray` may raise, and so needs Python beside it."""
    array_type = types.Array(pointer.dtype, 1, "C")

    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        address, first, length = values
        array = context.make_array(array_type)(context, builder)
        size = context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(pointer.dtype)))
        data = builder.gep(address, [first])
        populate_array(array, data=data, shape=[length], strides=[size], itemsize=size, meminfo=None)
        return array._getvalue()

    return array_type(pointer, types.intp, types.intp), build


def _compile(row: Callable[..., None], inputs: int, dtype: np.dtype[Any]) -> Any:
    """Numba's object for a C function of pointers to the inputs, the result and scratch, and of their sizes."""

    def forward(x, out, scratch, size, count, n, out_n):  # type: ignore[no-untyped-def]
        for i in range(count):
            row(_vector(x, i * n, n), _vector(out, i * out_n, out_n), _vector(scratch, 0, size))

    def backward(grad, y, out, scratch, size, count, n, out_n):  # type: ignore[no-untyped-def]
        for i in range(count):
            grad_row, y_row = _vector(grad, i * n, n), _vector(y, i * n, n)
            row(grad_row, y_row, _vector(out, i * out_n, out_n), _vector(scratch, 0, size))

    number, wide = types.CPointer(from_dtype(dtype)), types.CPointer(types.float64)
    signature = types.void(*[number] * (inputs + 1), wide, *[types.intp] * 4)
    with standard_arithmetic():  # constants are rounded
        function = cfunc(signature, **{**JIT_OPTIONS, "forceinline": False})((forward, backward)[inputs - 1])
    _compiled.append(function)
    return function
