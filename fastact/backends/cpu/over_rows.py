"""The softmax family on the CPU by Numba: what the backends `serial`, `threads` and `parallel` offer of it.

The formulas are functions of one row (_rows.py); here each is compiled for rows that follow each other in memory, or
found in the cache on disk. Other layouts, axes and dtypes are brought to that slab by slab, in scratch that fits into
the cache, where masks and temperatures are put in too. Imported by the three backends alone.
"""

from __future__ import annotations

import ctypes
import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import cfunc, from_dtype, types
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

from fastact._compile import cache as _cache
from fastact._core.arguments import Options, overlaps, reduced, rounded, wide_dtype
from fastact._native import pool
from fastact._native.arithmetic import standard_arithmetic
from fastact._native.ufunc import Threads
from fastact._scalar.primitives import JIT_OPTIONS
from fastact._scalar.rows import ROWS, scratch_size
from fastact.backends.numpy.softmax import OPERATIONS, Operation

__all__ = ["softmax"]

Axes = tuple[int, ...]

#: Numbers that a thread takes at a time, at least.
GRAIN = 32768
#: Slabs are cut along the axis that is outermost in memory, if what hangs on each of its places is no more than this.
MOST_IN_SLAB = 2**18

_compiled: list[Any] = []  # keeps the machine code alive


def softmax(
    threads: Threads,
    kind: str,
    arrays: tuple[np.ndarray, ...],
    axes: Axes,
    out: np.ndarray | None,
    options: Options | None = None,
) -> np.ndarray:
    """Forward for arrays (x,), backward for two; of float dtypes, checked before. Reduced axes are kept."""
    operation, x = OPERATIONS[kind, len(arrays)], arrays[-1]
    dtype = x.dtype.newbyteorder("=") if options is None else options.dtype
    if out is None:
        reduces = operation.result is None
        out = np.empty(reduced(x.shape, axes), dtype) if reduces else np.empty_like(x, dtype, subok=False)
    if x.size == 0:
        out[...] = -np.inf  # only a sum of no terms has elements here
        return out
    wide = wide_dtype(x.dtype, dtype)
    rows = _kernel(kind, len(arrays), wide)
    operands = [a.copy() if overlaps(a, out) else a for a in arrays]
    if operands[0].shape != x.shape:
        operands[0] = np.broadcast_to(operands[0], x.shape)
    kept = tuple(axis for axis in range(x.ndim) if axis not in axes)
    if options is None and kept + axes == tuple(range(x.ndim)) and all(_plain(a, wide) for a in (*operands, out)):
        length = math.prod(x.shape[axis] for axis in kept)
        views = [a.reshape(length, -1) for a in (*operands, out)]

        def in_place(start: int, stop: int) -> None:
            rows(*(a[start:stop] for a in views))

        slab: Callable[[int, int], None] = in_place
    else:
        slab, length = _converting(operation, rows, operands, out, kept, axes, wide, options or Options(dtype))
    _run(threads, slab, length, -(-GRAIN * length // x.size))
    return out


def _converting(
    operation: Operation,
    rows: Callable[..., None],
    operands: list[np.ndarray],
    out: np.ndarray,
    kept: Axes,
    axes: Axes,
    wide: np.dtype[Any],
    options: Options,
) -> tuple[Callable[[int, int], None], int]:
    """A function that computes a slab of `out` in a copy, and along how many places slabs are cut."""
    x = operands[-1]
    order = (*_outermost_first(x, kept), *axes)

    def view(a: Any) -> np.ndarray:
        return np.transpose(a, order)[(None,) * (not kept)]

    def spread(a: Any) -> np.ndarray:
        return view(np.broadcast_to(a, x.shape))

    inputs, target, n = [view(a) for a in operands], view(out), math.prod(x.shape[axis] for axis in axes)
    given = rounded(options.temperature, wide)
    temperature = None if given.ndim == 0 and given == 1 else spread(given)
    mask = options.mask(x.shape, axes)
    missing = None if mask is None else spread(~mask)

    def slab(start: int, stop: int) -> None:
        part = slice(start, stop)
        blocks = [a[part].astype(wide, order="C") for a in inputs]
        if temperature is not None and operation.takes_x:
            blocks[-1] /= temperature[part]
        if missing is not None:
            for block, fill in zip(blocks, operation.masked, strict=True):
                if fill is not None:
                    np.copyto(block, fill, where=missing[part])
        result = np.empty(target[part].shape, wide) if operation.result is None else blocks[-1]
        rows(*(block.reshape(-1, n) for block in blocks), result.reshape(len(blocks[-1].reshape(-1, n)), -1))
        if temperature is not None and len(blocks) == 2:
            result /= temperature[part]
        if missing is not None and operation.result is not None:
            np.copyto(result, operation.result, where=missing[part])
        target[part] = result

    return slab, len(target)


def _run(threads: Threads, slab: Callable[[int, int], None], length: int, grain: int) -> None:
    """slab(start, stop) for pieces of at most `grain` that cover range(length)."""

    def pieces(start: int, stop: int) -> None:
        for first in range(start, stop, grain):
            slab(first, min(first + grain, stop))

    with standard_arithmetic():
        if threads is Threads.SERIAL or length <= grain:
            pieces(0, length)
        else:
            pool.for_slabs(pieces, length, grain, threads is Threads.NUMBA)


def _outermost_first(x: np.ndarray, kept: Axes) -> Axes:
    """These axes, the first being the one to cut along."""
    if not kept:
        return ()
    first = max(kept, key=lambda axis: abs(x.strides[axis]) * (x.shape[axis] > 1))
    if x.size // x.shape[first] > MOST_IN_SLAB:
        first = max(kept, key=lambda axis: x.shape[axis])
    return first, *(axis for axis in kept if axis != first)


def _plain(a: np.ndarray, dtype: np.dtype[Any]) -> bool:
    return a.dtype == dtype and a.flags.c_contiguous and a.flags.aligned


@functools.cache
def _kernel(kind: str, inputs: int, dtype: np.dtype[Any]) -> Callable[..., None]:
    """A function of plain arrays of rows: so many inputs of one shape, and the result."""
    row = ROWS[kind, inputs]
    name = _cache.key(row, ("rows", inputs, dtype.str))
    address = _cache.load(name)
    if address is None:
        function = _compile(row, inputs, dtype)
        _cache.store(name, function)
        address = int(function.address)
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
