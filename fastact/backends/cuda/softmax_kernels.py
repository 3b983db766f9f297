"""The kernels of the softmax family, over rows (see rows.py). Plain Python, which Numba's simulator runs too.

The exponential and all sums are those of the CPU's Numba rows: e**(x - m) with what rounding took from x - m, and sums
of two parts. A new operation: its kind in `KINDS`, and its branch in `finish`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastact._primitives import where
from fastact.math import exp

from .device import Kernel, access, log1p
from .libraries import dtype_of
from .rows import PART, Layout, Options, counting_types, locating, mask_tools, reductions

__all__ = ["KINDS", "difference_exp", "finishing_kernel", "partial_kernel", "row_kernel", "steps"]

#: The module numba.cuda, once compiling.py has imported it.
cuda: Any = None

#: The operations, by what they compute and the number of arrays they read.
KINDS = {
    ("softmax", 1), ("log_softmax", 1), ("logsumexp", 1), ("softmax", 2), ("log_softmax", 2), ("logsumexp", 2),
}  # fmt: skip


def difference_exp(dtype: Any) -> Callable[..., Any]:
    """A device function: e**(x - m), with what rounding took from x - m."""

    @cuda.jit(device=True)
    def exp_of_difference(x, m):  # type: ignore[no-untyped-def]
        d = x - m
        rounded = d - x
        low = (x - (d - rounded)) - (m + rounded)
        e = exp(d)
        return e + e * where(d > dtype(-800), low, dtype(0))

    return exp_of_difference


# --- kernels ----------------------------------------------------------------------------------------------------------


def steps(kind: str, arrays: int, layout: Layout, options: Options) -> dict[str, Callable[..., Any]]:
    """Device functions: a row's thread, its sums, those of its parts together, and the results from them.

    Sums are (maximum, total, low part of the total, how often the maximum occurs) forward, and (0, total, low part, 0)
    backward. softmax's total is that of all e**(x - m), the logarithms' that of all but the maximum: it keeps its
    digits where one number dominates.
    """
    dtype = options.number
    load, _ = access(options.stored, dtype)
    _, store = access(options.result, dtype)
    add, maximum, total_of = reductions(layout, dtype)
    exp_of_difference = difference_exp(dtype)
    mask_place, kept, count_of = mask_tools(options)
    forward = arrays == 1 or kind == "logsumexp"
    logarithm = kind == "log_softmax" or (kind == "logsumexp" and arrays == 1)
    reduces = kind == "logsumexp" and arrays == 1
    scaled = kind == "logsumexp" and arrays == 2
    divided, threads = options.divided, layout.threads
    nothing = dtype(-np.inf) if kind == "log_softmax" and arrays == 1 else dtype(0)

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

    return {"locate": locating(layout), "mask_place": mask_place, "count_of": count_of, "sums": sums,
            "together": together, "finish": finish}  # fmt: skip


def _operands(arrays: int, options: Options) -> tuple[Any, ...]:
    return ((dtype_of(options.stored),) * arrays,)


def _rest(options: Options) -> tuple[Any, ...]:
    """The arguments rows, n, inner, divisor, mask, counts, queries."""
    return np.int64, np.int64, np.int64, options.number, *counting_types(options), np.int64


def row_kernel(kind: str, arrays: int, layout: Layout, options: Options) -> Kernel:
    """kernel(operands, out, rows, n, inner, divisor, mask, counts, queries) for whole rows; out may be an operand."""
    locate, mask_place, count_of, sums, _, finish = steps(kind, arrays, layout, options).values()
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

    return kernel, (*_operands(arrays, options), dtype_of(options.result), *_rest(options))


def partial_kernel(kind: str, arrays: int, layout: Layout, options: Options) -> Kernel:
    """kernel(operands, sums, rows, n, inner, divisor, mask, counts, queries): those of every part of every row."""
    _, mask_place, count_of, sums_of, _, _ = steps(kind, arrays, layout, options).values()
    parts = layout.parts

    def kernel(operands, sums, rows, n, inner, divisor, mask, counts, queries):  # type: ignore[no-untyped-def]
        q, part, h = np.int64(cuda.blockIdx.x) // parts, np.int64(cuda.blockIdx.x) % parts, cuda.threadIdx.x
        stop = min(count_of(counts, q, n, queries), (part + 1) * PART)
        place = mask_place(mask, q)
        m, total, low, count = sums_of(operands, q * n, inner, part * PART + h, stop, mask, place, divisor)
        if h == 0:
            i = 4 * (q * parts + part)
            sums[i], sums[i + 1], sums[i + 2], sums[i + 3] = m, total, low, count

    return kernel, (*_operands(arrays, options), np.dtype(options.number), *_rest(options))


def finishing_kernel(kind: str, arrays: int, layout: Layout, options: Options) -> Kernel:
    """kernel(operands, sums, out, rows, n, ...): the results from the sums that `partial_kernel` left."""
    _, mask_place, count_of, _, together, finish = steps(kind, arrays, layout, options).values()
    parts, reduces = layout.parts, kind == "logsumexp" and arrays == 1

    def kernel(operands, sums, out, rows, n, inner, divisor, mask, counts, queries):  # type: ignore[no-untyped-def]
        q, part, h = np.int64(cuda.blockIdx.x) // parts, np.int64(cuda.blockIdx.x) % parts, cuda.threadIdx.x
        found = together(sums, q * parts, parts, h)
        end = min(n, (part + 1) * PART)
        stop, place = min(count_of(counts, q, n, queries), end), mask_place(mask, q)
        if not reduces or (h == 0 and part == 0):
            finish(operands, out, q, q * n, inner, part * PART + h, stop, end, mask, place, divisor, found)

    sums = np.dtype(options.number)
    return kernel, (*_operands(arrays, options), sums, dtype_of(options.result), *_rest(options))
