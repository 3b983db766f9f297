"""The softmax family by Numba's loops over rows, for any axes, memory layout, dtype and options.

What is not rows that follow each other in memory is brought to that slab by slab, in scratch that fits into the cache,
where masks and temperatures are put in too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fastact._core.arguments import Options, SoftmaxArguments
from fastact._core.arrays import overlaps, reduced, rounded, wide_dtype
from fastact._core.masking import MASKED, Masked
from fastact._kernels.compile.row_loops import row_loop
from fastact._kernels.native import pool
from fastact._kernels.native.arithmetic import standard_arithmetic, standard_mode
from fastact._kernels.native.ufunc import Threads

__all__ = ["over_axes"]

Axes = tuple[int, ...]

#: Numbers that a thread takes at a time, at least.
GRAIN = 32768
#: Slabs are cut along the axis that is outermost in memory, if what hangs on each of its places is no more than this.
MOST_IN_SLAB = 2**18


def over_axes(threads: Threads, record: SoftmaxArguments) -> np.ndarray:
    """The result, in which reduced axes are kept."""
    arrays, axes, dtype = record.arrays, record.axes, record.dtype
    masked, x, out = MASKED[record.computation, len(arrays)], arrays[-1], record.target
    if out is None:
        out = np.empty(reduced(x.shape, axes), dtype) if masked.result is None else np.empty_like(x, dtype, subok=False)
    if x.size == 0:
        out[...] = -np.inf  # only a sum of no terms has elements here
        return out
    wide = wide_dtype(x.dtype, dtype)
    rows = row_loop(record.computation, len(arrays), wide)
    operands = [a.copy() if overlaps(a, out) else a for a in arrays]
    if operands[0].shape != x.shape:
        operands[0] = np.broadcast_to(operands[0], x.shape)
    kept = tuple(axis for axis in range(x.ndim) if axis not in axes)
    if (
        record.options is None and kept + axes == tuple(range(x.ndim))
        and all(_plain(a, wide) for a in (*operands, out))
    ):  # fmt: skip
        length = math.prod(x.shape[axis] for axis in kept)
        views = [a.reshape(length, -1) for a in (*operands, out)]

        def in_place(start: int, stop: int) -> None:
            rows(*(a[start:stop] for a in views))

        slab: Callable[[int, int], None] = in_place
        arithmetic: Any = standard_mode()  # NumPy, which could warn, computes nothing here
    else:
        arithmetic = standard_arithmetic()
        slab, length = _converting(masked, rows, operands, out, kept, axes, wide, record.options or Options(dtype))
    with arithmetic:
        _run(threads, slab, length, -(-GRAIN * length // x.size))
    return out


def _converting(
    masked: Masked,
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
    given = rounded(options.divisor, wide)
    temperature = None if given.ndim == 0 and given == 1 else spread(given)
    mask = options.mask(x.shape, axes)
    missing = None if mask is None else spread(~mask)

    def slab(start: int, stop: int) -> None:
        part = slice(start, stop)
        blocks = [a[part].astype(wide, order="C") for a in inputs]
        if temperature is not None and masked.takes_x:
            blocks[-1] /= temperature[part]
        if missing is not None:
            for block, fill in zip(blocks, masked.operands, strict=True):
                if fill is not None:
                    np.copyto(block, fill, where=missing[part])
        result = np.empty(target[part].shape, wide) if masked.result is None else blocks[-1]
        rows(*(block.reshape(-1, n) for block in blocks), result.reshape(len(blocks[-1].reshape(-1, n)), -1))
        if temperature is not None and len(blocks) == 2:
            result /= temperature[part]
        if missing is not None and masked.result is not None:
            np.copyto(result, masked.result, where=missing[part])
        target[part] = result

    return slab, len(target)


def _run(threads: Threads, slab: Callable[[int, int], None], length: int, grain: int) -> None:
    """slab(start, stop) for pieces of at most `grain` that cover range(length)."""

    def pieces(start: int, stop: int) -> None:
        for first in range(start, stop, grain):
            slab(first, min(first + grain, stop))

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
