"""The kernels of the softmax family on the GPU, over one axis of an array seen as (outer, n, inner).

Plain Python, which Numba's simulator runs too; softmax.py launches it. A row is the n numbers that are
reduced, `inner` apart in memory, and row q of outer * inner begins at (q // inner) * n * inner + q % inner.

    rows      inner == 1: neighbouring threads take neighbouring numbers, a warp or a block for a row
    columns   inner > 1: neighbouring threads take neighbouring rows, and a block 32 of them
    parts     few long rows: several blocks for each, which leave their sums to a second kernel

The exponential and all sums are those of the CPU's Numba rows: e**(x - m) with what rounding took from x - m, and sums
of two parts. A new operation: its kind in `KINDS`, and its branch in `finish`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastact._primitives import where
from fastact.math import exp

from .device import access, log1p, offset_of

__all__ = [
    "KINDS", "Layout", "Options", "Targets", "count_kernel", "finishing_kernel", "layout_of", "loss_kernel",
    "partial_kernel", "row_kernel", "total_kernel",
]  # fmt: skip

#: The module numba.cuda, once compiling.py has imported it.
cuda: Any = None

#: The operations, by what they compute and the number of arrays they read.
KINDS = {
    ("softmax", 1), ("log_softmax", 1), ("logsumexp", 1), ("softmax", 2), ("log_softmax", 2), ("logsumexp", 2),
}  # fmt: skip

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


def _reductions(layout: Layout, dtype: Any) -> tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]:
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


def _exp_of_difference(dtype: Any) -> Callable[..., Any]:
    """A device function: e**(x - m), with what rounding took from x - m."""

    @cuda.jit(device=True)
    def exp_of_difference(x, m):  # type: ignore[no-untyped-def]
        d = x - m
        rounded = d - x
        low = (x - (d - rounded)) - (m + rounded)
        e = exp(d)
        return e + e * where(d > dtype(-800), low, dtype(0))

    return exp_of_difference


# --- what of a row counts ---------------------------------------------------------------------------------------------


def _mask_tools(options: Options) -> tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]:
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


# --- kernels ----------------------------------------------------------------------------------------------------------


def _steps(kind: str, arrays: int, layout: Layout, options: Options, dtype: Any) -> dict[str, Callable[..., Any]]:
    """Device functions: a row's thread, its sums, those of its parts together, and the results from them.

    Sums are (maximum, total, low part of the total, how often the maximum occurs) forward, and (0, total, low part, 0)
    backward. softmax's total is that of all e**(x - m), the logarithms' that of all but the maximum: it keeps its
    digits where one number dominates.
    """
    load, _ = access(options.stored, dtype)
    _, store = access(options.result, dtype)
    add, maximum, total_of = _reductions(layout, dtype)
    exp_of_difference = _exp_of_difference(dtype)
    mask_place, kept, count_of = _mask_tools(options)
    forward = arrays == 1 or kind == "logsumexp"
    logarithm = kind == "log_softmax" or (kind == "logsumexp" and arrays == 1)
    reduces = kind == "logsumexp" and arrays == 1
    scaled = kind == "logsumexp" and arrays == 2
    divided, threads, rows, columns = options.divided, layout.threads, layout.rows, layout.columns
    nothing = dtype(-np.inf) if kind == "log_softmax" and arrays == 1 else dtype(0)

    @cuda.jit(device=True)
    def locate(block):  # type: ignore[no-untyped-def]
        """The row of this thread, and its number among the row's threads."""
        me = cuda.threadIdx.x
        if columns:
            return block * rows + me % rows, me // rows
        return block * rows + me // threads, me % threads

    @cuda.jit(device=True)
    def number(x, i, divisor):  # type: ignore[no-untyped-def]
        value = load(x, i)
        if divided:
            value = value / divisor
        return value

    if forward:

        @cuda.jit(device=True)
        def sums(operands, first, inner, start, stop, mask, place, divisor):  # type: ignore[no-untyped-def]
            x = operands[-1]
            m = dtype(-np.inf)
            for j in range(start, stop, threads):
                v = number(x, first + j * inner, divisor)
                m = where(kept(mask, place, j) and v > m, v, m)
            m = maximum(m)
            total, low, count = dtype(0), dtype(0), dtype(0)
            for j in range(start, stop, threads):
                if kept(mask, place, j):
                    v = number(x, first + j * inner, divisor)
                    e = exp_of_difference(v, m)
                    if logarithm:
                        count += where(v == m, dtype(1), dtype(0))
                        e = where(v == m, dtype(0), e)
                    total, low = add(total, low, e)
            total, low = total_of(total, low)
            if logarithm:
                count = total_of(count, dtype(0))[0]
            return m, total, low, count
    else:

        @cuda.jit(device=True)
        def sums(operands, first, inner, start, stop, mask, place, divisor):  # type: ignore[no-untyped-def]
            g, y = operands
            total, low = dtype(0), dtype(0)
            for j in range(start, stop, threads):
                if kept(mask, place, j):
                    v = load(g, first + j * inner)
                    if not logarithm:
                        v = v * load(y, first + j * inner)
                    total, low = add(total, low, v)
            total, low = total_of(total, low)
            return dtype(0), total, low, dtype(0)

    @cuda.jit(device=True)
    def together(parts, first, n, h):  # type: ignore[no-untyped-def]
        """The sums of a row from those of its n parts."""
        m = dtype(-np.inf) if forward else dtype(0)
        if forward:
            for c in range(h, n, threads):
                m = where(parts[4 * (first + c)] > m, parts[4 * (first + c)], m)
            m = maximum(m)
        total, low, count = dtype(0), dtype(0), dtype(0)
        for c in range(h, n, threads):
            part = 4 * (first + c)
            if parts[part] == m:
                total, low = add(total, low + parts[part + 2], parts[part + 1])
                count += parts[part + 3]
            else:
                scale = exp_of_difference(parts[part], m)
                total, low = add(total, low + parts[part + 2] * scale, parts[part + 1] * scale)
                total, low = add(total, low, parts[part + 3] * scale)
        total, low = total_of(total, low)
        if logarithm and forward:
            count = total_of(count, dtype(0))[0]
        return m, total, low, count

    @cuda.jit(device=True)
    def finish(  # type: ignore[no-untyped-def]
        operands, out, q, first, inner, start, stop, end, mask, place, divisor, found
    ):
        """The results from `start` to `end`, of which those before `stop` count, but for the mask."""
        m, total, low, count = found
        total = total + low
        if logarithm and forward:
            total = log1p(total + (count - dtype(1)))
        if reduces:
            store(out, q, m + total)
            return
        if logarithm and forward:
            total = total + (m - m)  # NaN for an infinite maximum
        for j in range(start, end, threads):
            i = first + j * inner
            v = nothing
            if j < stop and kept(mask, place, j):
                v = number(operands[-1], i, divisor) if forward else load(operands[-1], i)
                if forward and logarithm:
                    v = (v - m) - total
                elif forward:
                    v = exp_of_difference(v, m) / total
                    if scaled:
                        v = v * load(operands[0], q)
                elif logarithm:
                    v = load(operands[0], i) - exp(v) * total
                else:
                    v = v * (load(operands[0], i) - total)
                if divided and (scaled or not forward):
                    v = v / divisor
            store(out, i, v)

    return {"locate": locate, "mask_place": mask_place, "count_of": count_of, "sums": sums, "together": together,
            "finish": finish}  # fmt: skip


def row_kernel(kind: str, arrays: int, layout: Layout, options: Options, dtype: Any) -> Callable[..., None]:
    """kernel(operands, out, rows, n, inner, divisor, mask, counts, queries) for whole rows; out may be an operand."""
    locate, mask_place, count_of, sums, _, finish = _steps(kind, arrays, layout, options, dtype).values()
    reduces = kind == "logsumexp" and arrays == 1

    def kernel(operands, out, rows, n, inner, divisor, mask, counts, queries):  # type: ignore[no-untyped-def]
        q, h = locate(np.int64(cuda.blockIdx.x))
        end = n
        if q >= rows:  # no row, but the others of the block wait for this thread
            q, end = np.int64(0), np.int64(0)
        first = q // inner * (n * inner) + q % inner
        place, stop = mask_place(mask, q), min(end, count_of(counts, q, n, queries))
        found = sums(operands, first, inner, h, stop, mask, place, divisor)
        if not reduces or (h == 0 and end == n):
            finish(operands, out, q, first, inner, h, stop, end, mask, place, divisor, found)

    return kernel


def partial_kernel(kind: str, arrays: int, layout: Layout, options: Options, dtype: Any) -> Callable[..., None]:
    """kernel(operands, sums, rows, n, inner, divisor, mask, counts, queries): those of every part of every row."""
    _, mask_place, count_of, sums_of, _, _ = _steps(kind, arrays, layout, options, dtype).values()
    parts = layout.parts

    def kernel(operands, sums, rows, n, inner, divisor, mask, counts, queries):  # type: ignore[no-untyped-def]
        q, part, h = np.int64(cuda.blockIdx.x) // parts, np.int64(cuda.blockIdx.x) % parts, cuda.threadIdx.x
        stop = min(count_of(counts, q, n, queries), (part + 1) * PART)
        place = mask_place(mask, q)
        m, total, low, count = sums_of(operands, q * n, inner, part * PART + h, stop, mask, place, divisor)
        if h == 0:
            i = 4 * (q * parts + part)
            sums[i], sums[i + 1], sums[i + 2], sums[i + 3] = m, total, low, count

    return kernel


def finishing_kernel(kind: str, arrays: int, layout: Layout, options: Options, dtype: Any) -> Callable[..., None]:
    """kernel(operands, sums, out, rows, n, ...): the results from the sums that `partial_kernel` left."""
    _, mask_place, count_of, _, together, finish = _steps(kind, arrays, layout, options, dtype).values()
    parts, reduces = layout.parts, kind == "logsumexp" and arrays == 1

    def kernel(operands, sums, out, rows, n, inner, divisor, mask, counts, queries):  # type: ignore[no-untyped-def]
        q, part, h = np.int64(cuda.blockIdx.x) // parts, np.int64(cuda.blockIdx.x) % parts, cuda.threadIdx.x
        found = together(sums, q * parts, parts, h)
        end = min(n, (part + 1) * PART)
        stop, place = min(count_of(counts, q, n, queries), end), mask_place(mask, q)
        if not reduces or (h == 0 and part == 0):
            finish(operands, out, q, q * n, inner, part * PART + h, stop, end, mask, place, divisor, found)

    return kernel


# --- cross-entropy ----------------------------------------------------------------------------------------------------


class Targets(NamedTuple):
    """What a loss kernel is compiled for, beyond the layout and `Options`."""

    gradient: bool
    weighted: bool  # whether classes have weights
    smoothed: bool  # whether a part of the target is spread over all classes


def loss_kernel(layout: Layout, options: Options, targets: Targets, dtype: Any) -> Callable[..., None]:
    """kernel(x, out, values, rows, n, inner, target, ignore, hit, even, weights, scale): a loss for each row and, in
    out, the gradient of scale[0] times their sum, which may be x.

    A row's target is the class target[q], of the weight hit times weights[0][class], and `even` times its weight for
    every class. NaN where it is no class.
    """
    load, store = access(options.stored, dtype)
    locate, _, _, sums, _, _ = _steps("logsumexp", 1, layout, options, dtype).values()
    add, _, total_of = _reductions(layout, dtype)
    exp_of_difference = _exp_of_difference(dtype)
    threads, gradient, smoothed = layout.threads, targets.gradient, targets.smoothed
    if targets.weighted:
        weight_of = cuda.jit(device=True)(lambda weights, j: dtype(weights[0][j]))
    else:
        weight_of = cuda.jit(device=True)(lambda weights, j: dtype(1))

    def kernel(x, out, values, rows, n, inner, target, ignore, hit, even, weights, scale):  # type: ignore[no-untyped-def]
        q, h = locate(np.int64(cuda.blockIdx.x))
        active = q < rows
        if not active:
            q = np.int64(0)
        first, y = q // inner * (n * inner) + q % inner, target[q]
        counts = active and y != ignore
        wrong = counts and (y < 0 or y >= n)
        stop = n if counts and not wrong else np.int64(0)
        at_y, weight = dtype(0), dtype(0)
        if stop > 0:  # before another thread puts the gradient in its place
            at_y, weight = load(x, first + y * inner), hit * weight_of(weights, y)
        m, total, low, ties = sums((x,), first, inner, h, stop, (), 0, dtype(1))
        spread, spread_low, distance, distance_low = dtype(0), dtype(0), dtype(0), dtype(0)
        if smoothed:
            for j in range(h, stop, threads):
                share, v = even * weight_of(weights, j), load(x, first + j * inner)
                spread, spread_low = add(spread, spread_low, share)
                if share != dtype(0):
                    distance, distance_low = add(distance, distance_low, share * (m - v))
            spread, spread_low = total_of(spread, spread_low)
            distance, distance_low = total_of(distance, distance_low)
            spread, distance = spread + spread_low, distance + distance_low
        others = total + low
        loss, rest = dtype(0), dtype(0)
        if stop > 0:
            rest = log1p(others + (ties - dtype(1)))
            loss = weight * ((m - at_y) + rest) + (distance + spread * rest)
        if wrong:
            loss = dtype(np.nan)
        if h == 0 and active:
            values[q] = loss
        if gradient:
            e_y = exp_of_difference(at_y, m)
            not_y = others + where(at_y == m, ties - dtype(1), ties - e_y)  # all but the target, which keeps its digits
            whole, factor = others + ties, dtype(scale[0])
            for j in range(h, n if active else np.int64(0), threads):
                slope = dtype(0)
                if wrong:
                    slope = dtype(np.nan)
                elif stop > 0:
                    share = even * weight_of(weights, j)
                    if j == y:
                        slope = factor * ((spread * e_y - weight * not_y) / whole - share)
                    else:
                        e = exp_of_difference(load(x, first + j * inner), m)
                        slope = factor * ((weight + spread) * (e / whole) - share)
                store(out, first + j * inner, slope)

    return kernel


def count_kernel(weighted: bool, threads: int) -> Callable[..., None]:
    """kernel(target, rows, n, ignore, weights, scale): scale[0] = 1 / what targets that count weigh; of one block."""
    layout = Layout(threads, 1, False)
    add, _, total_of = _reductions(layout, np.float64)
    if weighted:
        weight_of = cuda.jit(device=True)(lambda weights, j: weights[0][j])
    else:
        weight_of = cuda.jit(device=True)(lambda weights, j: np.float64(1))

    def kernel(target, rows, n, ignore, weights, scale):  # type: ignore[no-untyped-def]
        me = cuda.threadIdx.x
        total, low = np.float64(0), np.float64(0)
        for q in range(me, rows, threads):
            y = target[q]
            if y != ignore and 0 <= y < n:
                total, low = add(total, low, weight_of(weights, y))
        total, low = total_of(total, low)
        if me == 0:
            scale[0] = np.float64(1) / (total + low)

    return kernel


def total_kernel(result: str, threads: int, dtype: Any) -> Callable[..., None]:
    """kernel(values, rows, scale, out): out[0] = scale[0] * sum(values), added in float64; of one block."""
    layout = Layout(threads, 1, False)
    add, _, total_of = _reductions(layout, np.float64)
    _, store = access(result, dtype)

    def kernel(values, rows, scale, out):  # type: ignore[no-untyped-def]
        me = cuda.threadIdx.x
        total, low = np.float64(0), np.float64(0)
        for q in range(me, rows, threads):
            total, low = add(total, low, np.float64(values[q]))
        total, low = total_of(total, low)
        if me == 0:
            store(out, 0, dtype((total + low) * scale[0]))

    return kernel
