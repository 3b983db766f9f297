"""What kernels over rows are made of: how threads share rows, reductions over them, and which numbers count.

A row is the n numbers that are reduced, `inner` apart in memory; row q of outer * inner begins at
(q // inner) * n * inner + q % inner.

    rows      inner == 1: neighbouring threads take neighbouring numbers, a warp or a block for a row
    columns   inner > 1: neighbouring threads take neighbouring rows, and a block 32 of them
    whole     rows that fit into the registers of a block, which are read once
    parts     much longer or few rows: several blocks for each, that find its sums, and then as many for the results
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
from numba import cuda

from fastact._core.arrays import wide_dtype
from fastact.backends.cuda.dtypes import dtype_of
from fastact.backends.cuda.kernels import DeviceFunction, device_function
from fastact.backends.cuda.kernels.intrinsics import exchange
from fastact.backends.cuda.kernels.memory import offset_of

__all__ = [
    "Layout", "Parts", "Reductions", "RowTraits", "alone", "counting_types", "larger_of", "layout_of", "locating",
    "mask_tools", "parts_of", "reductions",
]  # fmt: skip

WARP = 32
#: Bytes of a row that a thread takes at a time, at most.
BYTES = 64
#: Threads of a row, at most: more would have too few registers for what they hold.
MOST_THREADS = 512
#: Threads of a block that takes several rows, at least.
BLOCK = 128
#: Blocks that fill a GPU: longer rows are cut into parts until there are so many.
FILLED = 256
#: Numbers of a part of a row, at least.
PART = 1024
#: Bytes of what one block may go through twice, and of what all blocks may: twice as much is to stay in the cache.
BLOCK_BYTES = 3 << 15
CACHED = 1 << 24


class Layout(NamedTuple):
    """How the threads of a block share its rows."""

    threads: int  # of a row
    rows: int  # of a block
    columns: bool  # whether neighbouring threads have neighbouring rows
    numbers: int  # of a row that a thread takes at a time, a power of two
    whole: bool  # whether the threads take all numbers of a row at once

    @property
    def tile(self) -> int:
        """Numbers of a row that its threads take at a time."""
        return self.threads * self.numbers

    @property
    def block(self) -> int:
        """Threads of a block."""
        return self.threads * self.rows


class Parts(NamedTuple):
    """How rows are cut. Kernels take this as arguments: it depends on how many rows there are."""

    parts: int  # of a row, each of which has a block
    size: int  # numbers of a part
    together: int  # blocks for the same part of rows that are finished before others begin


class RowTraits(NamedTuple):
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

    @property
    def coarse(self) -> bool:
        """Whether rounding to the result hides what rounding does before."""
        return dtype_of(self.result).itemsize == 2


@functools.lru_cache(maxsize=4096)
def layout_of(n: int, inner: int, itemsize: int) -> Layout:
    """As many threads for each row as hold its numbers, if there are so many, and BLOCK threads or more for a block."""
    most, held = MOST_THREADS // WARP if inner > 1 else MOST_THREADS, BYTES // itemsize
    threads = min(most, _power_of_two(-(-n // held)))
    numbers = min(held, _power_of_two(-(-n // threads)))
    in_block = WARP if inner > 1 else max(1, BLOCK // threads)
    return Layout(threads, in_block, inner > 1, numbers, n <= threads * numbers)


def parts_of(layout: Layout, rows: int, n: int, itemsize: int) -> Parts | None:
    """The parts of rows that are too long, or too few, for a block each."""
    blocks, size = -(-rows // layout.rows), n * itemsize * (layout.rows if layout.columns else 1)
    if layout.whole or (blocks >= FILLED and size <= BLOCK_BYTES):
        return None
    together = min(blocks, max(1, CACHED // size))
    tiles = -(-n // layout.tile)
    most = min(tiles, -(-n // PART), -(-FILLED // together))
    part = layout.tile * -(-tiles // most)
    return Parts(-(-n // part), part, together)


def alone(threads: int) -> Layout:
    """One row, of one block."""
    return Layout(threads, 1, False, 1, False)


def _power_of_two(n: int) -> int:
    """The least that is not below n."""
    return 1 << max(0, n - 1).bit_length()


# --- over the threads of a row ----------------------------------------------------------------------------------------


def larger_of() -> DeviceFunction:
    """A device function: the larger of two numbers; of NaN and a number either, whatever takes the least time."""
    return device_function(lambda a, b: max(a, b))


class Reductions(NamedTuple):
    """Device functions. All but the first give every thread of a row the result over all of them."""

    add: DeviceFunction  # (total, low, value): total + low + value, what rounding took from it apart (two-sum)
    maximum: DeviceFunction  # of numbers that are not NaN
    total: DeviceFunction  # (total, low), added as pairs
    sum: DeviceFunction  # of numbers whose sum is exact, or need not be


def reductions(layout: Layout, dtype: Any) -> Reductions:
    larger = larger_of()

    @device_function
    def add(total, low, value):  # type: ignore[no-untyped-def]
        high = total + value
        rounded = high - total
        return high, low + ((total - (high - rounded)) + (value - rounded))

    add_pairs = device_function(lambda a, b: add(a[0], a[1] + b[1], b[0]))
    totals = _across(layout, dtype, 2, add_pairs)
    largest = _across(layout, dtype, 1, device_function(lambda a, b: (larger(a[0], b[0]),)))
    sums = _across(layout, dtype, 1, device_function(lambda a, b: (a[0] + b[0],)))
    return Reductions(
        add,
        device_function(lambda value: largest((value,))[0]),
        device_function(lambda total, low: totals((total, low))),
        device_function(lambda value: sums((value,))[0]),
    )


def _across(layout: Layout, dtype: Any, size: int, combine: DeviceFunction) -> DeviceFunction:
    """A device function: tuples of `size` numbers, combined over the threads of a row, in an order that is fixed."""
    threads, rows, warp = layout.threads, layout.rows, WARP
    get, put, exchanged = _tuples(dtype, size)
    places = size * layout.block

    if layout.columns:

        @device_function
        def across_columns(values):  # type: ignore[no-untyped-def]
            if threads > 1:
                shared = cuda.shared.array(places, dtype)
                me = cuda.threadIdx.x
                put(shared, me, values)
                cuda.syncthreads()
                step = threads // 2
                while step > 0:
                    if me // rows < step:
                        values = combine(values, get(shared, me + step * rows))
                        put(shared, me, values)
                    cuda.syncthreads()
                    step //= 2
                values = get(shared, me % rows)
                cuda.syncthreads()
            return values

        return across_columns

    inside, warps = min(threads, warp), max(1, threads // warp)

    @device_function
    def across(values):  # type: ignore[no-untyped-def]
        step = inside // 2
        while step > 0:
            values = combine(values, exchanged(values, step))
            step //= 2
        if warps > 1:
            shared = cuda.shared.array(places, dtype)
            me = cuda.threadIdx.x
            if me % warp == 0:
                put(shared, me // warp, values)
            cuda.syncthreads()
            values = get(shared, me // threads * warps + me % warps)
            step = warps // 2
            while step > 0:
                values = combine(values, exchanged(values, step))
                step //= 2
            cuda.syncthreads()
        return values

    return across


def _tuples(dtype: Any, size: int) -> tuple[DeviceFunction, DeviceFunction, DeviceFunction]:
    """Device functions for tuples of one or two numbers: reading and writing in shared memory, and `exchange`."""
    jit = device_function
    if size == 1:

        @jit
        def put_one(shared, i, values):  # type: ignore[no-untyped-def]
            shared[i] = values[0]

        return jit(lambda shared, i: (shared[i],)), put_one, jit(lambda v, step: (dtype(exchange(v[0], step)),))

    @jit
    def put(shared, i, values):  # type: ignore[no-untyped-def]
        shared[2 * i], shared[2 * i + 1] = values

    exchanged = jit(lambda v, step: (dtype(exchange(v[0], step)), dtype(exchange(v[1], step))))
    return jit(lambda shared, i: (shared[2 * i], shared[2 * i + 1])), put, exchanged


# --- which row --------------------------------------------------------------------------------------------------------


def locating(layout: Layout) -> tuple[DeviceFunction, DeviceFunction]:
    """Device functions: the row of this thread, and its number among the row's threads; where row q begins."""
    threads, rows = layout.threads, layout.rows
    if layout.columns:

        @device_function
        def locate_column(block):  # type: ignore[no-untyped-def]
            me = cuda.threadIdx.x
            return block * rows + me % rows, me // rows

        @device_function
        def top_of(q, n, inner):  # type: ignore[no-untyped-def]
            outer = q // inner
            return outer * (n * inner) + (q - outer * inner)

        return locate_column, top_of

    @device_function
    def locate(block):  # type: ignore[no-untyped-def]
        me = cuda.threadIdx.x
        return block * rows + me // threads, me % threads

    return locate, device_function(lambda q, n, inner: q * n)


# --- what of a row counts ---------------------------------------------------------------------------------------------


def counting_types(traits: RowTraits) -> tuple[Any, Any]:
    """What the arguments mask and counts of kernels are, see `mask_tools`."""

    def of_rows(item: str, axes: int, *more: Any) -> tuple[Any, ...]:
        places = (np.int64,) * axes
        return (np.dtype(item), places, places, *more) if axes else ()

    return of_rows("bool", traits.mask, np.int64), of_rows("int64", traits.counts)


def mask_tools(traits: RowTraits) -> tuple[DeviceFunction, DeviceFunction, DeviceFunction]:
    """Device functions: where a row's mask begins; whether its number j counts; how many of its first numbers do.

    mask is (pointer, shape and strides of the rows, step along the row), counts (pointer, shape, strides); or empty.
    """
    if traits.mask:
        mask_offset = offset_of(traits.mask)

        @device_function
        def mask_place(mask, q):  # type: ignore[no-untyped-def]
            return mask_offset(q, mask[1], mask[2])

        @device_function
        def kept(mask, place, j):  # type: ignore[no-untyped-def]
            return mask[0][place + j * mask[3]] != 0
    else:
        mask_place = device_function(lambda mask, q: 0)
        kept = device_function(lambda mask, place, j: True)

    causal = traits.causal
    if traits.counts:
        count_offset = offset_of(traits.counts)

        @device_function
        def given(counts, q, n):  # type: ignore[no-untyped-def]
            return min(n, max(np.int64(0), np.int64(counts[0][count_offset(q, counts[1], counts[2])])))
    else:
        given = device_function(lambda counts, q, n: n)

    @device_function
    def count_of(counts, q, n, queries):  # type: ignore[no-untyped-def]
        count = given(counts, q, n)
        if causal:
            count = min(count, q % queries + 1)
        return count

    return mask_place, kept, count_of
