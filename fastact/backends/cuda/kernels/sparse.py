"""The kernel of sparsemax, entmax15 and hardmax, over rows (see groups.py).

To add a function, make its two steps, device functions, in an entry of `STEPS`:

    found(row, start, stop, n)   what all results of the row depend on, for each of its threads
    result(row, j, of_row)       result number j, given that

sparsemax and entmax15 are max(c - threshold, 0)**power with c = x / power, where the threshold makes their sum 1. The
kernel subtracts the largest c from both, which leaves a threshold from -1 to 0. Newton's method finds it as on the CPU
(_kernels/scalar/rows.py).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numba import cuda

from fastact._kernels.scalar.primitives import sqrt, where
from fastact.backends.cuda.dtypes import dtype_of
from fastact.backends.cuda.kernels import DeviceFunction, Kernel, device_function
from fastact.backends.cuda.kernels.groups import counting, finding, placing, reading, reductions
from fastact.backends.cuda.kernels.intrinsics import fma
from fastact.backends.cuda.kernels.layouts import Layout, RowTraits
from fastact.backends.cuda.kernels.memory import access
from fastact.backends.cuda.kernels.softmax import arguments_of
from fastact.backends.cuda.kernels.staging import staging

__all__ = ["STEPS", "sparse_kernel"]

#: The most corrections of a threshold; two or three are usual.
MOST_CORRECTIONS = 20

#: `found` and `result`.
Steps = tuple[DeviceFunction, DeviceFunction]


def sparse_kernel(kind: str, arrays: int, layout: Layout, traits: RowTraits) -> Kernel:
    """kernel(operands, out, rows, n, inner, divisor, mask, counts, queries) for whole rows; `out` may be an operand."""
    dtype = traits.number
    found, result = STEPS[kind, arrays](layout, traits)
    find, place_of, (_, kept, _) = finding(layout, traits), placing(layout), counting(traits)
    _, store = access(traits.result, dtype)
    threads, divided = layout.threads, traits.divided and arrays == 2
    enter, leave = staging(layout, traits.stored, [True] * arrays, traits.result)

    def kernel(operands, out, rows, n, inner, divisor, mask, counts, queries):  # type: ignore[no-untyped-def]
        block = np.int64(cuda.blockIdx.x)
        near, results = enter(operands, out, block, rows, n)
        row, _, h, stop, end, _ = find(block, n, near, rows, n, inner, divisor, mask, counts, queries)
        of_row = found(row, h, stop, n)
        for j in range(h, end, threads):
            value = dtype(0)
            if j < stop and kept(row, j):
                value = result(row, j, of_row)
                if divided:
                    value = value / divisor
            store(results, place_of(row, j), value)
        leave(results, out, block, rows, n)

    return Kernel(kernel, arguments_of(arrays, traits, dtype_of(traits.result)), layout.block)


# --- sparsemax and entmax15 -------------------------------------------------------------------------------------------


def powers(power: int, dtype: Any) -> tuple[DeviceFunction, DeviceFunction, DeviceFunction]:
    """Device functions: (over, rest), the power of their sum as a pair; (over), over**(power - 1); (value),
    value**(1 - 1 / power).
    """
    if power == 1:
        raised = device_function(lambda over, rest: (over, rest))
        positive = device_function(lambda value: where(value > dtype(0), dtype(1), dtype(0)))
        return raised, positive, positive

    @device_function
    def squared(over, rest):  # type: ignore[no-untyped-def]
        square = over * over
        return square, fma(over, over, -square) + dtype(2) * over * rest

    return squared, device_function(lambda over: over), device_function(lambda value: sqrt(value))


def projection(power: int, layout: Layout, traits: RowTraits) -> Steps:
    """max(c - threshold, 0)**power. As the threshold rises, the sum and its root fall, and both are convex."""
    dtype, (_, counts, _) = traits.number, counting(traits)
    number = reading(layout, traits, 0, traits.divided)
    add, maximum, total_of, sum_of = reductions(layout, dtype)
    slope_sum_of = reductions(layout, dtype).sum
    raised, slope_of, weight_of = powers(power, dtype)
    threads, share, eps = layout.threads, dtype(1 / power), np.finfo(dtype).eps
    near, smallest = dtype(32 * eps), dtype(4 * eps * eps)

    @device_function
    def excess(x, top, high, low):  # type: ignore[no-untyped-def]
        """The excess of c over the threshold high + low, as a pair; 0 if there is none. NaN stays NaN."""
        distance, rest = add(x, dtype(0), -top)
        if distance < dtype(-power):  # -inf among them
            return dtype(0), dtype(0)
        over, rest = add(share * distance, share * rest - low, -high)
        over, rest = add(over, dtype(0), rest)
        return where(over <= dtype(0), dtype(0), over), where(over > dtype(0), rest, dtype(0))

    @device_function
    def rough_sums(row, start, stop, top, threshold):  # type: ignore[no-untyped-def]
        """The sum of this thread's results, and the sum of their slopes divided by -power."""
        total, slope = dtype(0), dtype(0)
        for j in range(start, stop, threads):
            if counts(row, j):
                over = share * (number(row, j) - top) - threshold
                over = where(over > dtype(0), over, dtype(0))
                total += raised(over, dtype(0))[0]
                slope += slope_of(over)
        return total, slope

    @device_function
    def fine_sums(row, start, stop, top, high, low):  # type: ignore[no-untyped-def]
        """The same sums, that of the results as a pair."""
        total, total_low, slope = dtype(0), dtype(0), dtype(0)
        for j in range(start, stop, threads):
            if counts(row, j):
                over, rest = excess(number(row, j), top, high, low)
                value, value_low = raised(over, rest)
                total, total_low = add(total, total_low + value_low, value)
                slope += slope_of(over)
        return total, total_low, slope

    @device_function
    def found(row, start, stop, n):  # type: ignore[no-untyped-def]
        """The maximum, and the threshold as a pair; NaN for a row with NaN.

        The threads of a block take their steps together. A row that is finished stays as it is.
        """
        top = dtype(-np.inf)
        for j in range(start, stop, threads):
            if counts(row, j):
                x = number(row, j)
                top = where(x > top, x, top)
        top = maximum(top)
        finite = top - top == dtype(0)
        high, low = where(finite, dtype(-1), dtype(np.nan)), dtype(0)
        latest = dtype(-1) / dtype(n)  # of equal numbers; rounding must not pass it
        going = finite
        while cuda.syncthreads_or(np.int32(going)):
            total, slope = rough_sums(row, start, stop if going else start, top, high)
            total, slope = sum_of(total), slope_sum_of(slope)
            if going:  # Newton's step for the root of the sum, which is nearly a line
                before, high = high, min(high + (total - weight_of(total)) / slope, latest)
                going = high - before > near
        enough = smallest * dtype(n // threads + 1)  # what rounding may leave of a sum
        going = finite
        for _ in range(MOST_CORRECTIONS):
            total, rest, slope = fine_sums(row, start, stop if going else start, top, high, low)
            total, rest = total_of(total, rest)
            slope = slope_sum_of(slope)
            if going:  # Newton's step for the sum itself
                step = ((total - dtype(1)) + rest) / (dtype(power) * slope)
                high, low = add(high, dtype(0), low + step)
                going = abs(step) > enough
            if not cuda.syncthreads_or(np.int32(going)):
                break
        return top, high, low

    @device_function
    def result(row, j, of_row):  # type: ignore[no-untyped-def]
        top, high, low = of_row
        over, rest = excess(number(row, j), top, high, low)
        value, rest = raised(over, rest)
        return where(high == high, value + rest, high)

    return found, result


def projection_gradient(power: int, layout: Layout, traits: RowTraits) -> Steps:
    """w * (g - sum(w * g) / sum(w)) with w = y**(1 - 1 / power); 0 where y is 0, whatever g is there."""
    dtype, (_, counts, _) = traits.number, counting(traits)
    gradient, output = reading(layout, traits, 0), reading(layout, traits, 1)
    add, _, total_of, _ = reductions(layout, dtype)
    weight_sum_of = reductions(layout, dtype).total
    _, _, weight_of = powers(power, dtype)
    threads = layout.threads

    @device_function
    def found(row, start, stop, n):  # type: ignore[no-untyped-def]
        """sum(w * g) / sum(w)."""
        total, low, weight, weight_low = dtype(0), dtype(0), dtype(0), dtype(0)
        for j in range(start, stop, threads):
            if counts(row, j):
                y = output(row, j)
                w = weight_of(y)
                total, low = add(total, low, where(y > dtype(0), w * gradient(row, j), dtype(0)))
                weight, weight_low = add(weight, weight_low, w)
        total, low = total_of(total, low)
        weight, weight_low = weight_sum_of(weight, weight_low)
        return (total + low) / (weight + weight_low)

    @device_function
    def result(row, j, mean):  # type: ignore[no-untyped-def]
        y = output(row, j)
        return where(y == dtype(0), dtype(0), weight_of(y) * (gradient(row, j) - mean))

    return found, result


# --- hardmax ----------------------------------------------------------------------------------------------------------


def hardmax(layout: Layout, traits: RowTraits) -> Steps:
    """1 for the first maximum, 0 for all others."""
    dtype, (_, counts, _) = traits.number, counting(traits)
    number = reading(layout, traits, 0, traits.divided)
    maximum, largest = reductions(layout, dtype).maximum, reductions(layout, np.int64).maximum
    threads = layout.threads

    @device_function
    def found(row, start, stop, n):  # type: ignore[no-untyped-def]
        """The number of the first maximum; -1 for a row with NaN."""
        best, place, wrong = dtype(-np.inf), n, False
        for j in range(start, stop, threads):
            if counts(row, j):
                x = number(row, j)
                wrong |= x != x
                if x > best:
                    best, place = x, j
        top = maximum(best)
        if top == dtype(-np.inf):
            wrong = True
        elif best != top:
            place = n
        return -largest(np.int64(1) if wrong else -place)

    @device_function
    def result(row, j, place):  # type: ignore[no-untyped-def]
        return where(place < 0, dtype(np.nan), where(j == place, dtype(1), dtype(0)))

    return found, result


def hardmax_gradient(layout: Layout, traits: RowTraits) -> Steps:
    """0, because the 1 stays where it is when x changes a little; NaN where y is NaN."""
    dtype, output = traits.number, reading(layout, traits, 1)

    @device_function
    def result(row, j, _):  # type: ignore[no-untyped-def]
        y = output(row, j)
        return where(y == y, dtype(0), y)

    return device_function(lambda row, start, stop, n: 0), result


#: (name, number of arrays) -> its steps.
STEPS: dict[tuple[str, int], Callable[[Layout, RowTraits], Steps]] = {
    ("sparsemax", 1): partial(projection, 1),
    ("sparsemax", 2): partial(projection_gradient, 1),
    ("entmax15", 1): partial(projection, 2),
    ("entmax15", 2): partial(projection_gradient, 2),
    ("hardmax", 1): hardmax,
    ("hardmax", 2): hardmax_gradient,
}
