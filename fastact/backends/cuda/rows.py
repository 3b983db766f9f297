"""What kernels over rows are made of: how threads share rows, reductions over them, and which numbers count.

A row is the n numbers that are reduced, `inner` apart in memory; row q of outer * inner begins at
(q // inner) * n * inner + q % inner.

    rows      inner == 1: neighbouring threads take neighbouring numbers, a warp or a block for a row
    columns   inner > 1: neighbouring threads take neighbouring rows, and a block 32 of them
    parts     few long rows: several blocks for each, which leave their sums to a second kernel
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastact._axes import wide_dtype
from fastact._primitives import where

from .device import offset_of
from .libraries import dtype_of

__all__ = [
    "Layout", "Options", "counting_types", "exchange", "layout_of", "locating", "mask_tools", "reductions",
]  # fmt: skip

#: The module numba.cuda, once compiling.py has imported it.
cuda: Any = None

WARP = 32
#: Numbers for a thread, about; the rest of a row in registers and the first-level cache hides the latency.
PER_THREAD = 8
#: Threads of a block, at most.
MOST_THREADS = 1024
#: Threads of a block that takes several rows, at least.
BLOCK = 128
#: Numbers of a part of a long row, and from how many on rows are long where they are too few to fill the GPU.
PART = 8192
FEW_ROWS = 512


class Layout(NamedTuple):
    """How the threads of a block share its rows."""

    threads: int  # of a row
    rows: int  # of a block
    columns: bool  # whether neighbouring threads have neighbouring rows
    parts: int = 1  # blocks of a row


class Options(NamedTuple):
    """What a kernel is compiled for, beyond the operation."""

    stored: str  # dtype of x and of the gradient
    result: str
    mask: int = 0  # axes of the mask's rows; 0 if there is none
    counts: int = 0  # axes of the counts' rows
    causal: bool = False
    divided: bool = False  # by a temperature

    @property
    def number(self) -> Any:
        """The type that is computed with."""
        return wide_dtype(dtype_of(self.stored), dtype_of(self.result)).type


def layout_of(rows: int, n: int, inner: int) -> Layout:
    """A power of two of threads for each row, and BLOCK threads or more for a block."""
    if inner > 1:
        threads = min(MOST_THREADS // WARP, max(1, _power_of_two(n) // PER_THREAD))
        return Layout(threads, WARP, True)
    if rows < FEW_ROWS and n > 2 * PART:
        return Layout(MOST_THREADS, 1, False, -(-n // PART))
    threads = min(MOST_THREADS, max(1, _power_of_two(n) // PER_THREAD))
    return Layout(threads, max(1, BLOCK // threads), False)


def _power_of_two(n: int) -> int:
    return 1 << max(0, (n - 1).bit_length())


# --- over the threads of a row ----------------------------------------------------------------------------------------


def exchange(value: Any, step: int) -> Any:
    """The value of the thread whose number in the warp differs by the bit `step`. This body is the simulator's."""
    shared = cuda.shared.array(MOST_THREADS, np.float64)
    me = cuda.threadIdx.x
    shared[me] = value
    cuda.syncthreads()
    other = shared[me ^ step]
    cuda.syncthreads()
    return other


def reductions(layout: Layout, dtype: Any) -> tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]:
    """Device functions: adding without loss; the maximum and the sum over the threads of a row, for each of them."""
    threads, rows = layout.threads, layout.rows
    block, apart = threads * rows, rows if layout.columns else 1
    inside = 1 if layout.columns else min(threads, WARP)  # threads of a row that are in one warp
    warps = threads // inside

    @cuda.jit(device=True)
    def add(total, low, value):  # type: ignore[no-untyped-def]
        """total + low + value, the low part of the sum apart (two-sum)."""
        high = total + value
        rounded = high - total
        return high, low + ((total - (high - rounded)) + (value - rounded))

    @cuda.jit(device=True)
    def maximum(value):  # type: ignore[no-untyped-def]
        step = inside // 2
        while step > 0:
            other = dtype(exchange(value, step))
            value = where(other > value, other, value)
            step //= 2
        if warps > 1:
            shared = cuda.shared.array(block, dtype)
            me = cuda.threadIdx.x
            shared[me] = value
            cuda.syncthreads()
            first = me % rows if layout.columns else me // threads * threads
            for i in range(warps):
                other = shared[first + i * inside * apart]
                value = where(other > value, other, value)
            cuda.syncthreads()
        return value

    @cuda.jit(device=True)
    def total_of(high, low):  # type: ignore[no-untyped-def]
        step = inside // 2
        while step > 0:
            other, other_low = dtype(exchange(high, step)), dtype(exchange(low, step))
            high, low = add(high, low + other_low, other)
            step //= 2
        if warps > 1:
            shared = cuda.shared.array(block, dtype)
            shared_low = cuda.shared.array(block, dtype)
            me = cuda.threadIdx.x
            shared[me] = high
            shared_low[me] = low
            cuda.syncthreads()
            first = me % rows if layout.columns else me // threads * threads
            high, low = dtype(0), dtype(0)
            for i in range(warps):
                place = first + i * inside * apart
                high, low = add(high, low + shared_low[place], shared[place])
            cuda.syncthreads()
        return high, low

    return add, maximum, total_of


# --- which row --------------------------------------------------------------------------------------------------------


def locating(layout: Layout) -> Callable[..., Any]:
    """A device function: the row of this thread, and its number among the row's threads."""
    threads, rows = layout.threads, layout.rows
    if layout.columns:

        @cuda.jit(device=True)
        def locate(block):  # type: ignore[no-untyped-def]
            me = cuda.threadIdx.x
            return block * rows + me % rows, me // rows
    else:

        @cuda.jit(device=True)
        def locate(block):  # type: ignore[no-untyped-def]
            me = cuda.threadIdx.x
            return block * rows + me // threads, me % threads

    return locate


# --- what of a row counts ---------------------------------------------------------------------------------------------


def counting_types(options: Options) -> tuple[Any, Any]:
    """What the arguments mask and counts of kernels are, see `mask_tools`."""

    def of_rows(item: str, axes: int, *more: Any) -> tuple[Any, ...]:
        places = (np.int64,) * axes
        return (np.dtype(item), places, places, *more) if axes else ()

    return of_rows("bool", options.mask, np.int64), of_rows("int64", options.counts)


def mask_tools(options: Options) -> tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]:
    """Device functions: where a row's mask begins; whether its number j counts; how many of its first numbers do.

    mask is (pointer, shape and strides of the rows, step along the row), counts (pointer, shape, strides); or empty.
    """
    if options.mask:
        mask_offset = offset_of(options.mask)

        @cuda.jit(device=True)
        def mask_place(mask, q):  # type: ignore[no-untyped-def]
            return mask_offset(q, mask[1], mask[2])

        @cuda.jit(device=True)
        def kept(mask, place, j):  # type: ignore[no-untyped-def]
            return mask[0][place + j * mask[3]] != 0
    else:
        mask_place = cuda.jit(device=True)(lambda mask, q: 0)
        kept = cuda.jit(device=True)(lambda mask, place, j: True)

    causal = options.causal
    if options.counts:
        count_offset = offset_of(options.counts)

        @cuda.jit(device=True)
        def given(counts, q, n):  # type: ignore[no-untyped-def]
            return min(n, max(np.int64(0), np.int64(counts[0][count_offset(q, counts[1], counts[2])])))
    else:
        given = cuda.jit(device=True)(lambda counts, q, n: n)

    @cuda.jit(device=True)
    def count_of(counts, q, n, queries):  # type: ignore[no-untyped-def]
        count = given(counts, q, n)
        if causal:
            count = min(count, q % queries + 1)
        return count

    return mask_place, kept, count_of
