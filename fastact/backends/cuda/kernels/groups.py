"""Device functions for kernels over rows: reductions, which row a thread has, and which of its numbers count.

In kernels a row is a tuple (operands, first, inner, mask, place, divisor). Its number j is item first + j * inner of an
operand. The mask says whether the number counts; its items for this row begin at `place`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import cuda

from fastact.backends.cuda.kernels import DeviceFunction, device_function
from fastact.backends.cuda.kernels.intrinsics import exchange
from fastact.backends.cuda.kernels.layouts import Layout, RowTraits
from fastact.backends.cuda.kernels.memory import access, offset_of
from fastact.backends.cuda.kernels.staging import skewed

__all__ = ["Reductions", "counting", "counting_types", "finding", "locating", "placing", "reading", "reductions"]


# --- over the threads of a row ----------------------------------------------------------------------------------------


class Reductions(NamedTuple):
    """Device functions. All but the first reduce over the threads of a row, and give each of them the result.

    Between two calls of one of these the threads of a block must wait for each other: its shared memory is its own.
    """

    add: DeviceFunction  # (total, low, value): total + value, and low plus what rounding took from that (two-sum)
    maximum: DeviceFunction  # of numbers that are not NaN
    total: DeviceFunction  # of pairs (total, low)
    sum: DeviceFunction  # of numbers whose sum is exact, or need not be


def reductions(layout: Layout, dtype: Any) -> Reductions:
    """The reductions of numbers of this type."""

    @device_function
    def add(total, low, value):  # type: ignore[no-untyped-def]
        high = total + value
        rounded = high - total
        return high, low + ((total - (high - rounded)) + (value - rounded))

    add_pairs = device_function(lambda a, b: add(a[0], a[1] + b[1], b[0]))
    totals = _across(layout, dtype, 2, add_pairs)
    largest = _across(layout, dtype, 1, device_function(lambda a, b: (max(a[0], b[0]),)))
    sums = _across(layout, dtype, 1, device_function(lambda a, b: (a[0] + b[0],)))
    return Reductions(
        add,
        device_function(lambda value: largest((value,))[0]),
        device_function(lambda total, low: totals((total, low))),
        device_function(lambda value: sums((value,))[0]),
    )


def _across(layout: Layout, dtype: Any, size: int, combine: DeviceFunction) -> DeviceFunction:
    """A device function: combine the tuples of `size` numbers of the threads of a row, always in the same order."""
    threads, rows = layout.threads, layout.rows
    slots = layout.block if layout.columns else layout.block // layout.lanes
    get, put, exchanged = _tuples(dtype, size, slots)
    places = size * slots

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
            return values

        return across_columns

    lanes, warps = layout.lanes, layout.warps

    @device_function
    def across(values):  # type: ignore[no-untyped-def]
        step = lanes // 2
        while step > 0:
            values = combine(values, exchanged(values, step))
            step //= 2
        if warps > 1:
            shared = cuda.shared.array(places, dtype)
            me = cuda.threadIdx.x
            if me % lanes == 0:
                put(shared, me // lanes, values)
            cuda.syncthreads()
            values = get(shared, me // threads * warps + me % warps)
            step = warps // 2
            while step > 0:
                values = combine(values, exchanged(values, step))
                step //= 2
        return values

    return across


def _tuples(dtype: Any, size: int, apart: int) -> tuple[DeviceFunction, DeviceFunction, DeviceFunction]:
    """Device functions for tuples of one or two numbers: read and write them in shared memory, and `exchange` them.

    The second numbers stand `apart` places after the first, so that neighbours are in different banks.
    """
    if size == 1:

        @device_function
        def put_one(shared, i, values):  # type: ignore[no-untyped-def]
            shared[i] = values[0]

        exchanged = device_function(lambda v, step: (dtype(exchange(v[0], step)),))
        return device_function(lambda shared, i: (shared[i],)), put_one, exchanged

    @device_function
    def put(shared, i, values):  # type: ignore[no-untyped-def]
        shared[i], shared[apart + i] = values

    exchanged = device_function(lambda v, step: (dtype(exchange(v[0], step)), dtype(exchange(v[1], step))))
    return device_function(lambda shared, i: (shared[i], shared[apart + i])), put, exchanged


# --- which row --------------------------------------------------------------------------------------------------------


def locating(layout: Layout) -> tuple[DeviceFunction, DeviceFunction]:
    """Device functions: (block), the number q of this thread's row and the number of the thread among the row's;
    (q, n, inner), the first item of row q.
    """
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

    if layout.staged:  # where a block's first row begins at 0
        return locate, device_function(lambda q, n, inner: q % rows * n)
    return locate, device_function(lambda q, n, inner: q * n)


def finding(layout: Layout, traits: RowTraits) -> DeviceFunction:
    """A device function: (block, end, operands, rows, n, inner, divisor, mask, counts, queries), this thread's row.

    It returns (row, q, h, stop, end, active):

        row      a tuple as the module's docstring describes it
        q        the number of the row
        h        the number of the thread among those of the row
        stop     the row's numbers from this one on do not count
        end      as given
        active   True

    The other threads of a block wait also for one without a row. It gets row 0, with stop = end = 0, and False.
    """
    (locate, start_of), (place_of, _, count_of) = locating(layout), counting(traits)

    @device_function
    def find(block, end, operands, rows, n, inner, divisor, mask, counts, queries):  # type: ignore[no-untyped-def]
        q, h = locate(block)
        active = q < rows
        if not active:
            q, end = np.int64(0), np.int64(0)
        row = (operands, start_of(q, n, inner), inner, mask, place_of(mask, q), divisor)
        return row, q, h, min(end, count_of(counts, q, n, queries)), end, active

    return find


def placing(layout: Layout) -> DeviceFunction:
    """A device function: (row, j), the item that number j of a row is."""
    if layout.staged:
        return device_function(lambda row, j: skewed(row[1] + j))
    if layout.columns:
        return device_function(lambda row, j: row[1] + j * row[2])
    return device_function(lambda row, j: row[1] + j)


# --- which numbers count ----------------------------------------------------------------------------------------------


def counting_types(traits: RowTraits) -> tuple[Any, Any]:
    """What the arguments `mask` and `counts` of kernels are."""

    def of_rows(item: str, axes: int, *more: Any) -> tuple[Any, ...]:
        places = (np.int64,) * axes
        return (np.dtype(item), places, places, *more) if axes else ()

    return of_rows("bool", traits.mask, np.int64), of_rows("int64", traits.counts)


def counting(traits: RowTraits) -> tuple[DeviceFunction, DeviceFunction, DeviceFunction]:
    """Device functions: (mask, q), where the mask of row q begins; (row, j), does number j of a row count by its mask?
    (counts, q, n, queries), how many of the first numbers of row q do.

    `mask` is (pointer, shape and strides of the rows, step along a row), and `counts` (pointer, shape, strides); both
    are empty where there are none.
    """
    if traits.mask:
        mask_offset = offset_of(traits.mask)

        @device_function
        def place_of(mask, q):  # type: ignore[no-untyped-def]
            return mask_offset(q, mask[1], mask[2])

        @device_function
        def kept(row, j):  # type: ignore[no-untyped-def]
            _, _, _, mask, place, _ = row
            return mask[0][place + j * mask[3]] != 0
    else:
        place_of = device_function(lambda mask, q: 0)
        kept = device_function(lambda row, j: True)

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

    return place_of, kept, count_of


def reading(layout: Layout, traits: RowTraits, array: int, divided: bool = False) -> DeviceFunction:
    """A device function: (row, j), number j of a row in operand `array`; divided by the temperature if so asked."""
    load, _ = access(traits.stored, traits.number)
    place_of = placing(layout)

    @device_function
    def number(row, j):  # type: ignore[no-untyped-def]
        value = load(row[0][array], place_of(row, j))
        if divided:
            value = value / row[5]
        return value

    return number
