"""The kernels of the softmax family, over rows (see groups.py and tiles.py).

    row_kernel     a block takes whole rows: it holds them in registers, or reads them twice
    parts_kernel   several blocks find the sums of the parts of a row, and as many then compute its results

The exponential is the CPU's: e**(x - m), corrected for what rounding took from x - m. Sums are pairs, of which the
second is what rounding took from the first. All results of a row depend on its `sums` (m, total, low, count).

Forward, m is the row's maximum, or a number near it for the softmax of long rows, and total + low is the sum of
e**(x - m). For a logarithm this sum leaves out the numbers that equal m, and `count` says how many they are: so it
keeps its digits where one number dominates. Backward, total + low is the sum of g * y, or of g for log_softmax; m and
count are 0.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import cuda

from fastact._kernels.scalar import exp
from fastact._kernels.scalar.primitives import where
from fastact.backends.cuda.dtypes import dtype_of
from fastact.backends.cuda.kernels import DeviceFunction, Kernel, device_function
from fastact.backends.cuda.kernels.groups import counting_types, finding, reductions
from fastact.backends.cuda.kernels.intrinsics import fma, log1p, quick_exp
from fastact.backends.cuda.kernels.layouts import Layout, RowTraits
from fastact.backends.cuda.kernels.memory import access
from fastact.backends.cuda.kernels.staging import staging
from fastact.backends.cuda.kernels.tiles import accumulated, folded, loading, mapped, paired, storing
from fastact.backends.cuda.kernels.turns import turns

__all__ = ["Sums", "arguments_of", "difference_exp", "parts_kernel", "row_kernel", "summing"]

#: The maximum may be so far above the base of a sum of e**(x - base).
FAR = 4


def exponential(traits: RowTraits) -> DeviceFunction:
    """A device function: e**x, as exact as the results need it."""
    if traits.coarse and traits.number is np.float32:
        return device_function(lambda x: quick_exp(x))
    return device_function(lambda x: exp(x))


def difference_exp(traits: RowTraits) -> DeviceFunction:
    """A device function: e**(x - m), corrected for what rounding took from x - m where that matters."""
    dtype = traits.number
    if traits.coarse:
        e_of = exponential(traits)
        return device_function(lambda x, m: e_of(x - m))

    @device_function
    def exp_of_difference(x, m):  # type: ignore[no-untyped-def]
        d = x - m
        rounded = d - x
        low = (x - (d - rounded)) - (m + rounded)
        e = exp(d)
        return e + e * where(d > dtype(-800), low, dtype(0))

    return exp_of_difference


# --- sums -------------------------------------------------------------------------------------------------------------


class Sums(NamedTuple):
    """Device functions that give the sums (m, total, low, count) of a row to all its threads."""

    of_tile: DeviceFunction  # (values), the numbers of a whole row that the thread holds
    of_range: DeviceFunction  # (row, start, stop), of which the thread takes every number `threads` apart from `start`
    of_parts: DeviceFunction  # (parts, first, n, h): the sums of n parts, from number `first` on; h is the thread's


def summing(layout: Layout, traits: RowTraits, logarithm: bool) -> Sums:
    """The forward sums. A logarithm counts the numbers that equal the maximum; others add them like all."""
    dtype, n, tile_size, threads = traits.number, layout.numbers, layout.tile, layout.threads
    add, maximum, total_of, sum_of = reductions(layout, dtype)
    e_of = difference_exp(traits)
    of_equal = dtype(0 if logarithm else 1)
    largest = folded(device_function(lambda a, b: max(a, b)), n)
    lowest, far = dtype(-np.inf), dtype(FAR)
    terms = mapped(device_function(lambda x, more: where(x == more[0], of_equal, e_of(x, more[1]))), n)
    terms_of_tile = terms if logarithm else mapped(device_function(lambda x, more: e_of(x, more[1])), n)
    add_all = accumulated(add, n)
    tile = loading(layout, traits, -1, dtype(-np.inf), traits.divided)
    if logarithm:
        ones = mapped(device_function(lambda x, m: where(x == m, dtype(1), dtype(0))), n)
        plus = folded(device_function(lambda a, b: a + b), n)
        equal = device_function(lambda values, m: plus(ones(values, m)))
        all_equal = sum_of
    else:
        equal = device_function(lambda values, m: dtype(0))
        all_equal = device_function(lambda count: count)

    @device_function
    def of_tile(values):  # type: ignore[no-untyped-def]
        m = maximum(largest(values))
        total, low = add_all(dtype(0), dtype(0), terms_of_tile(values, (m, m)))
        total, low = total_of(total, low)
        return m, total, low, all_equal(equal(values, m))

    @device_function
    def scaled(total, low, m, to):  # type: ignore[no-untyped-def]
        """Turn a sum of e**(x - m) into one of e**(x - to)."""
        scale = where(m == to, dtype(1), e_of(m, to))
        return add(total * scale, dtype(0), low * scale)

    @device_function
    def risen(state, top):  # type: ignore[no-untyped-def]
        """Prepare (base, m, total, low, count) for numbers up to `top`.

        The sum is one of e**(x - base). The base seldom moves, because each move costs some of the sum's digits.
        """
        base, m, total, low, count = state
        if logarithm and top > m and count > dtype(0) and m > lowest:
            total, low = add(total, low, count * e_of(m, base))
        if top > m:
            m, count = top, dtype(0)
        if m > base + far:
            total, low = scaled(total, low, base, m)
            base = m
        return base, m, total, low, count

    @device_function
    def of_range(row, start, stop):  # type: ignore[no-untyped-def]
        state = (lowest, lowest, dtype(0), dtype(0), dtype(0))
        while start < stop:
            values = tile(row, start, stop)
            base, m, total, low, count = risen(state, largest(values))
            total, low = add_all(total, low, terms(values, (m if logarithm else base, base)))
            state = (base, m, total, low, count + equal(values, m))
            start += tile_size
        return of_threads(state)

    @device_function
    def of_threads(state):  # type: ignore[no-untyped-def]
        base, m, total, low, count = state
        own = m if logarithm else base
        total, low = scaled(total, low, base, own)
        m = maximum(own)
        total, low = scaled(total, low, own, m)
        if logarithm and own < m:
            total, low = add(total, low, count * e_of(own, m))
            count = dtype(0)
        total, low = total_of(total, low)
        return m, total, low, all_equal(count)

    @device_function
    def of_parts(parts, first, n, h):  # type: ignore[no-untyped-def]
        state = (lowest, lowest, dtype(0), dtype(0), dtype(0))
        for c in range(4 * (first + h), 4 * (first + n), 4 * threads):
            own, more, more_low, more_count = parts[c], parts[c + 1], parts[c + 2], parts[c + 3]
            base, m, total, low, count = risen(state, own)
            more, more_low = scaled(more, more_low, own, base)
            total, low = add(total, low + more_low, more)
            if own == m:
                count += more_count
            elif logarithm and more_count > dtype(0):
                total, low = add(total, low, more_count * e_of(own, base))
            state = (base, m, total, low, count)
        return of_threads(state)

    return Sums(of_tile, of_range, of_parts)


def summing_products(kind: str, layout: Layout, traits: RowTraits) -> Sums:
    """The backward sums, of g * y, or of g for log_softmax."""
    dtype, n, tile_size, threads, zero = traits.number, layout.numbers, layout.tile, layout.threads, traits.number(0)
    add, _, total_of, _ = reductions(layout, dtype)
    gradients, outputs = (loading(layout, traits, array, zero) for array in (0, 1))
    logarithm = kind == "log_softmax"
    product = device_function(lambda g, y, _: g if logarithm else g * y)
    products, sum_all = paired(product, n), accumulated(add, n)

    @device_function
    def of_tile(values):  # type: ignore[no-untyped-def]
        total, low = sum_all(zero, zero, products(values[0], values[1], zero))
        total, low = total_of(total, low)
        return zero, total, low, zero

    @device_function
    def of_range(row, start, stop):  # type: ignore[no-untyped-def]
        total, low = zero, zero
        while start < stop:
            g = gradients(row, start, stop)
            y = g if logarithm else outputs(row, start, stop)
            total, low = sum_all(total, low, products(g, y, zero))
            start += tile_size
        total, low = total_of(total, low)
        return zero, total, low, zero

    @device_function
    def of_parts(parts, first, n, h):  # type: ignore[no-untyped-def]
        total, low = zero, zero
        for c in range(4 * (first + h), 4 * (first + n), 4 * threads):
            total, low = add(total, low + parts[c + 2], parts[c + 1])
        total, low = total_of(total, low)
        return zero, total, low, zero

    return Sums(of_tile, of_range, of_parts)


# --- results ----------------------------------------------------------------------------------------------------------


def _reading(kind: str, arrays: int, layout: Layout, traits: RowTraits) -> DeviceFunction:
    """A device function: (row, start, stop), the tile that results are made of: x, or (g, y)."""
    dtype = traits.number
    x = loading(layout, traits, -1, dtype(-np.inf), traits.divided)
    if arrays == 1 or kind == "logsumexp":
        return x
    g, y = (loading(layout, traits, array, dtype(0)) for array in (0, 1))
    return device_function(lambda row, start, stop: (g(row, start, stop), y(row, start, stop)))


def _results(kind: str, arrays: int, layout: Layout, traits: RowTraits) -> tuple[DeviceFunction, DeviceFunction]:
    """Device functions: (sums, operands, q, divisor), what the results of row q need of its sums; (values, of_row), the
    results of a tile, given that.
    """
    dtype, n, divided = traits.number, layout.numbers, traits.divided
    e_of = difference_exp(traits)
    load, _ = access(traits.stored, dtype)
    if kind == "log_softmax" and arrays == 1:

        @device_function
        def maximum_and_logarithm(sums, operands, q, divisor):  # type: ignore[no-untyped-def]
            m, total, low, count = sums
            return m, log1p((total + low) + (count - dtype(1))) + (m - m)  # NaN for an infinite maximum

        return maximum_and_logarithm, mapped(device_function(lambda x, of_row: (x - of_row[0]) - of_row[1]), n)

    if arrays == 1 or kind == "logsumexp":
        scaled = arrays == 2

        @device_function
        def maximum_and_factor(sums, operands, q, divisor):  # type: ignore[no-untyped-def]
            """The maximum, and the factor of e**(x - m) as a pair."""
            m, total, low, _ = sums
            whole = total + low
            low = low - (whole - total)
            factor = dtype(1) / whole + (m - m)  # NaN for an infinite maximum
            factor_low = factor * (fma(-whole, factor, dtype(1)) - low * factor)
            if scaled:
                g = load(operands[0], q)
                if divided:
                    g = g / divisor
                factor, factor_low = factor * g, factor_low * g
            return m, factor, factor_low

        @device_function
        def result(x, of_row):  # type: ignore[no-untyped-def]
            m, factor, factor_low = of_row
            e = e_of(x, m)
            return fma(e, factor, e * factor_low)

        return maximum_and_factor, mapped(result, n)

    logarithm, e_to = kind == "log_softmax", exponential(traits)

    @device_function
    def sum_of_products(sums, operands, q, divisor):  # type: ignore[no-untyped-def]
        _, total, low, _ = sums
        return total + low, divisor

    @device_function
    def slope(g, y, of_row):  # type: ignore[no-untyped-def]
        total, divisor = of_row
        value = g - e_to(y) * total if logarithm else y * (g - total)
        if divided:
            value = value / divisor
        return value

    slopes = paired(slope, n)
    return sum_of_products, device_function(lambda values, of_row: slopes(values[0], values[1], of_row))


# --- kernels ----------------------------------------------------------------------------------------------------------


def _sums(kind: str, arrays: int, layout: Layout, traits: RowTraits) -> Sums:
    if arrays == 1 or kind == "logsumexp":
        return summing(layout, traits, kind != "softmax" and arrays == 1)
    return summing_products(kind, layout, traits)


def _finishing(kind: str, arrays: int, layout: Layout, traits: RowTraits) -> DeviceFunction:
    """A device function: (row, out, q, start, stop, end, active, sums) stores the results from `start` to `end`, given
    the row's sums; the numbers from `stop` on do not count.
    """
    dtype, tile_size = traits.number, layout.tile
    if kind == "logsumexp" and arrays == 1:
        _, put = access(traits.result, dtype)

        @device_function
        def reduce(row, out, q, start, stop, end, active, sums):  # type: ignore[no-untyped-def]
            m, total, low, count = sums
            if active and start == 0:
                put(out, q, m + log1p((total + low) + (count - dtype(1))))

        return reduce

    needed, results = _results(kind, arrays, layout, traits)
    tile, store = _reading(kind, arrays, layout, traits), storing(layout, traits, _nothing(kind, arrays, dtype))

    @device_function
    def finish(row, out, q, start, stop, end, active, sums):  # type: ignore[no-untyped-def]
        of_row = needed(sums, row[0], q, row[-1])
        while start < end:
            store(out, row, start, stop, end, results(tile(row, start, stop), of_row))
            start += tile_size

    return finish


def _nothing(kind: str, arrays: int, dtype: Any) -> Any:
    """The result for a number that does not count."""
    return dtype(-np.inf) if kind == "log_softmax" and arrays == 1 else dtype(0)


def arguments_of(operands: int, traits: RowTraits, *middle: Any) -> tuple[Any, ...]:
    """What the arguments (operands, *middle, rows, n, inner, divisor, mask, counts, queries) of kernels are."""
    stored, long = (dtype_of(traits.stored),) * operands, np.int64
    return stored, *middle, long, long, long, traits.number, *counting_types(traits), long


def row_kernel(kind: str, arrays: int, layout: Layout, traits: RowTraits) -> Kernel:
    """kernel(operands, out, rows, n, inner, divisor, mask, counts, queries) for whole rows; `out` may be an operand."""
    sums, find = _sums(kind, arrays, layout, traits), finding(layout, traits)
    tile = _reading(kind, arrays, layout, traits)
    whole, reduces = layout.whole, kind == "logsumexp" and arrays == 1
    of_rows = [kind != "logsumexp"] * (arrays - 1) + [True]
    enter, leave = staging(layout, traits.stored, of_rows, traits.result, not reduces)

    if whole and not reduces:
        needed, results = _results(kind, arrays, layout, traits)
        store = storing(layout, traits, _nothing(kind, arrays, traits.number))

        @device_function
        def compute(row, out, q, h, stop, end, active):  # type: ignore[no-untyped-def]
            values = tile(row, h, stop)
            of_row = needed(sums.of_tile(values), row[0], q, row[-1])
            store(out, row, h, stop, end, results(values, of_row))
    else:
        finish = _finishing(kind, arrays, layout, traits)
        of_tile, of_range = sums.of_tile, sums.of_range

        @device_function
        def compute(row, out, q, h, stop, end, active):  # type: ignore[no-untyped-def]
            found = of_tile(tile(row, h, stop)) if whole else of_range(row, h, stop)
            finish(row, out, q, h, stop, end, active, found)

    def kernel(operands, out, rows, n, inner, divisor, mask, counts, queries):  # type: ignore[no-untyped-def]
        block = np.int64(cuda.blockIdx.x)
        near, results = enter(operands, out, block, rows, n)
        row, q, h, stop, end, active = find(block, n, near, rows, n, inner, divisor, mask, counts, queries)
        compute(row, results, q, h, stop, end, active)
        leave(results, out, block, rows, n)

    return Kernel(kernel, arguments_of(arrays, traits, dtype_of(traits.result)), layout.block)


def parts_kernel(kind: str, arrays: int, layout: Layout, traits: RowTraits) -> Kernel:
    """kernel(operands, sums, counters, out, parts, part_size, together, rows, n, ...), for rows in parts (turns.py)."""
    of_range, finish = _sums(kind, arrays, layout, traits).of_range, _finishing(kind, arrays, layout, traits)
    of_parts = _sums(kind, arrays, layout, traits).of_parts  # made anew: two functions cannot own one shared array
    find, (take, wait, count) = finding(layout, traits), turns()

    def kernel(  # type: ignore[no-untyped-def]
        operands, sums, counters, out, parts, part_size, together, rows, n, inner, divisor, mask, counts, queries
    ):
        blocks = parts * together
        finishing, group, block = take(counters, blocks)
        part = block % parts
        row, q, h, stop, end, active = find(
            group * together + block // parts, min(n, (part + 1) * part_size), operands, rows, n, inner, divisor, mask,
            counts, queries,
        )  # fmt: skip
        start = part * part_size + h
        if finishing:
            wait(counters, group, blocks)
            finish(row, out, q, start, stop, end, active, of_parts(sums, q * parts, parts, h))
        else:
            found = of_range(row, start, stop)
            if active and h == 0:
                i = 4 * (q * parts + part)
                sums[i], sums[i + 1], sums[i + 2], sums[i + 3] = found
            count(counters, group)

    middle = np.dtype(traits.number), np.dtype(np.int32), dtype_of(traits.result), *[np.int64] * 3
    return Kernel(kernel, arguments_of(arrays, traits, *middle), layout.block)
