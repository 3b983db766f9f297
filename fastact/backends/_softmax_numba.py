"""The softmax family on the CPU by Numba: what the backends `serial`, `threads` and `parallel` offer of it.

The formulas are functions of one row (_rows.py); here each is compiled for rows that follow each other in memory, or
found in the cache on disk. Other layouts, axes and dtypes are brought to that slab by slab, in scratch that fits into
the cache, where masks are put in too. Imported by the three backends alone.
"""

from __future__ import annotations

import ctypes
import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import carray, cfunc, from_dtype, types

from fastact import _cache, _threads
from fastact._primitives import JIT_OPTIONS
from fastact._rows import ROWS, scratch_size
from fastact._ufunc import Threads

__all__ = ["softmax"]

#: Numbers that a thread takes at a time, at least.
GRAIN = 32768
#: Slabs are cut along the axis that is outermost in memory, if what hangs on each of its places is no more than this.
MOST_IN_SLAB = 2**18

_compiled: list[Any] = []  # keeps the machine code alive


def softmax(
    threads: Threads,
    kind: str,
    arrays: tuple[np.ndarray, ...],
    axes: tuple[int, ...],
    out: np.ndarray | None,
    where: np.ndarray | None = None,
) -> np.ndarray:
    """Forward for arrays (x,), backward for (grad_output, output), checked before; `where` is a mask of x's shape."""
    x = arrays[-1]
    dtype = x.dtype.newbyteorder("=")
    result = np.empty_like(x, dtype, subok=False) if out is None else out
    if x.size == 0:
        return result
    arrays = tuple(a.copy() if _overlaps(a, result) else a for a in arrays)
    wide = np.dtype(np.float32) if dtype.itemsize == 2 else dtype
    n = math.prod(x.shape[axis] for axis in axes)
    rows = _kernel(kind, len(arrays), wide)
    kept = tuple(axis for axis in range(x.ndim) if axis not in axes)
    operands = (*arrays, result)
    in_place = where is None and kept + axes == tuple(range(x.ndim)) and all(_plain(a, wide) for a in operands)
    if in_place:
        views, mask = [a.reshape(-1, n) for a in operands], None
    else:
        order = (*_outermost_first(x, kept), *axes)
        views = [np.transpose(a, order)[(None,) * (not kept)] for a in operands]
        mask = None if where is None else np.transpose(where, order)[(None,) * (not kept)]

    def slab(start: int, stop: int) -> None:
        *inputs, target = (a[start:stop] for a in views)
        if in_place:
            rows(*inputs, target)
            return
        with np.errstate(all="ignore"):
            blocks = [a.astype(wide, order="C").reshape(-1, n) for a in inputs]
            block = blocks[-1]
            if mask is None:
                rows(*blocks, block)
            else:
                taken = mask[start:stop].reshape(-1, n)
                block[~taken] = -np.inf
                rows(*blocks, block)
                block[~taken.any(1)] = 0
            target[...] = block.reshape(target.shape)

    length = len(views[0])
    _run(threads, slab, length, -(-GRAIN * length // x.size))
    return result


def _run(threads: Threads, slab: Callable[[int, int], None], length: int, grain: int) -> None:
    """slab(start, stop) for pieces of at most `grain` that cover range(length)."""

    def pieces(start: int, stop: int) -> None:
        for first in range(start, stop, grain):
            slab(first, min(first + grain, stop))

    if threads is Threads.SERIAL or length <= grain:
        pieces(0, length)
    else:
        _threads.for_slabs(pieces, length, grain, threads is Threads.NUMBA)


def _outermost_first(x: np.ndarray, kept: tuple[int, ...]) -> tuple[int, ...]:
    """These axes, the first being the one to cut along."""
    if not kept:
        return ()
    first = max(kept, key=lambda axis: abs(x.strides[axis]) * (x.shape[axis] > 1))
    if x.size // x.shape[first] > MOST_IN_SLAB:
        first = max(kept, key=lambda axis: x.shape[axis])
    return first, *(axis for axis in kept if axis != first)


def _plain(a: np.ndarray, dtype: np.dtype[Any]) -> bool:
    return a.dtype == dtype and a.dtype.isnative and a.flags.c_contiguous and a.flags.aligned


def _overlaps(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays of one shape share memory other than element by element."""
    return np.may_share_memory(a, b) and (a.ctypes.data != b.ctypes.data or a.strides != b.strides)


@functools.cache
def _kernel(kind: str, inputs: int, dtype: np.dtype[Any]) -> Callable[..., None]:
    """A function of plain arrays of one shape (rows, n), the last of which is written."""
    row = ROWS[kind, inputs]
    name = _cache.key(row, ("rows", inputs, dtype.str))
    address = _cache.load(name)
    if address is None:
        function = _compile(row, inputs, dtype)
        _cache.store(name, function)
        address = int(function.address)
    call = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (inputs + 2), *[ctypes.c_ssize_t] * 3)(address)

    def rows(*arrays: np.ndarray) -> None:
        count, n = arrays[0].shape
        scratch = np.empty(scratch_size(n))
        call(*(a.ctypes.data for a in (*arrays, scratch)), scratch.size, count, n)

    return rows


def _compile(row: Callable[..., None], inputs: int, dtype: np.dtype[Any]) -> Any:
    """Numba's object for a C function of pointers to the inputs, the result and scratch, and of their sizes."""

    def forward(x, out, scratch, size, count, n):  # type: ignore[no-untyped-def]
        xs, outs, space = carray(x, (count, n)), carray(out, (count, n)), carray(scratch, size)
        for i in range(count):
            row(xs[i], outs[i], space)

    def backward(grad_output, output, out, scratch, size, count, n):  # type: ignore[no-untyped-def]
        gs, ys, outs = carray(grad_output, (count, n)), carray(output, (count, n)), carray(out, (count, n))
        space = carray(scratch, size)
        for i in range(count):
            row(gs[i], ys[i], outs[i], space)

    number, wide = types.CPointer(from_dtype(dtype)), types.CPointer(types.float64)
    signature = types.void(*[number] * (inputs + 1), wide, *[types.intp] * 3)
    function = cfunc(signature, **{**JIT_OPTIONS, "forceinline": False})((forward, backward)[inputs - 1])
    _compiled.append(function)
    return function
