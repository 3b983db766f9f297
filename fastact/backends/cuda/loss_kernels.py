"""The kernels of losses, and of reducing what they leave. Plain Python, which Numba's simulator runs too.

loss_kernel    cross-entropy of rows, and its gradient
nll_kernel     negative log-likelihood of rows
sums_kernel    the sums of an elementwise loss, and its gradient
count_kernel   what the targets of rows weigh
total_kernel   the sum of the rows' losses, or of the sums
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastact._axes import wide_dtype
from fastact._primitives import where

from .device import Kernel, access, computes_in, log1p
from .elementwise_kernels import Items, gathering, operand_types
from .libraries import dtype_of
from .rows import Layout, Options, locating, reductions
from .softmax_kernels import difference_exp, steps

__all__ = ["Targets", "count_kernel", "loss_kernel", "nll_kernel", "sums_kernel", "total_kernel"]

#: The module numba.cuda, once compiling.py has imported it.
cuda: Any = None


class Targets(NamedTuple):
    """What kernels are compiled for, beyond the layout and `Options`."""

    gradient: bool = False
    weighted: bool = False  # whether classes have weights
    smoothed: bool = False  # whether a part of the target is spread over all classes
    probabilities: str = ""  # their dtype, or nothing where targets are classes


def _weighing(weighted: bool, dtype: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """A device function: the weight of class j. And what the argument `weights` of kernels is."""
    if weighted:
        return cuda.jit(device=True)(lambda weights, j: dtype(weights[0][j])), (np.dtype(np.float64),)
    return cuda.jit(device=True)(lambda weights, j: dtype(1)), ()


def _targeting(targets: Targets, dtype: Any) -> tuple[Callable[..., Any], Callable[..., Any], Any]:
    """Device functions: the class of row q, -1 where targets are probabilities; the share of class j, whose number is
    item i of the row, but for what belongs to the target alone. And what the argument `target` of kernels is."""
    weight_of, _ = _weighing(targets.weighted, dtype)
    if not targets.probabilities:
        class_of = cuda.jit(device=True)(lambda target, q: target[q])
        share_of = cuda.jit(device=True)(lambda target, i, j, hit, even, weights: even * weight_of(weights, j))
        return class_of, share_of, np.dtype(np.int64)
    load, _ = access(targets.probabilities, dtype)
    class_of = cuda.jit(device=True)(lambda target, q: np.int64(-1))
    share_of = cuda.jit(device=True)(
        lambda target, i, j, hit, even, weights: weight_of(weights, j) * (hit * load(target, i) + even)
    )
    return class_of, share_of, dtype_of(targets.probabilities)


def loss_kernel(layout: Layout, options: Options, targets: Targets) -> Kernel:
    """kernel(x, out, values, rows, n, inner, target, ignore, hit, even, weights, scale): a loss for each row and, in
    out, the gradient of scale[0] times their sum, which may be x.

    A row's target is the class target[q], of the weight hit times weights[0][class], and `even` times its weight for
    every class; or hit times the classes' probabilities and `even`, times their weights. NaN where it is no class.
    """
    dtype = options.number
    load, store = access(options.stored, dtype)
    locate, sums = locating(layout), steps("logsumexp", 1, layout, options)["sums"]
    add, _, total_of = reductions(layout, dtype)
    exp_of_difference = difference_exp(dtype)
    weight_of, weights_type = _weighing(targets.weighted, dtype)
    class_of, share_of, target_type = _targeting(targets, dtype)
    dense, threads, gradient = bool(targets.probabilities), layout.threads, targets.gradient
    spreads = dense or targets.smoothed

    def kernel(x, out, values, rows, n, inner, target, ignore, hit, even, weights, scale):  # type: ignore[no-untyped-def]
        q, h = locate(np.int64(cuda.blockIdx.x))
        active = q < rows
        if not active:
            q = np.int64(0)
        first, y = q // inner * (n * inner) + q % inner, class_of(target, q)
        counts = active and (dense or y != ignore)
        wrong = counts and not dense and (y < 0 or y >= n)
        stop = n if counts and not wrong else np.int64(0)
        at_y, weight = dtype(0), dtype(0)
        if stop > 0 and not dense:  # before another thread puts the gradient in its place
            at_y, weight = load(x, first + y * inner), hit * weight_of(weights, y)
        m, total, low, ties = sums((x,), first, inner, h, stop, (), 0, dtype(1))
        spread, spread_low, distance, distance_low = dtype(0), dtype(0), dtype(0), dtype(0)
        if spreads:
            for j in range(h, stop, threads):
                i = first + j * inner
                share, v = share_of(target, i, j, hit, even, weights), load(x, i)
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
            loss = distance + spread * rest
            if not dense:
                loss = weight * ((m - at_y) + rest) + loss
        if wrong:
            loss = dtype(np.nan)
        if h == 0 and active:
            values[q] = loss
        if gradient:
            e_y = exp_of_difference(at_y, m)
            not_y = others + where(at_y == m, ties - dtype(1), ties - e_y)  # all but the target, which keeps its digits
            whole, factor = others + ties, dtype(scale[0])
            for j in range(h, n if active else np.int64(0), threads):
                slope, i = dtype(0), first + j * inner
                if wrong:
                    slope = dtype(np.nan)
                elif stop > 0:
                    share = share_of(target, i, j, hit, even, weights)
                    if j == y:
                        slope = factor * ((spread * e_y - weight * not_y) / whole - share)
                    else:
                        e = exp_of_difference(load(x, i), m)
                        slope = factor * ((weight + spread) * (e / whole) - share)
                store(out, i, slope)

    stored, number = dtype_of(options.stored), dtype
    return kernel, (
        stored, stored, np.dtype(number), np.int64, np.int64, np.int64, target_type, np.int64, number, number,
        weights_type, np.dtype(np.float64),
    )  # fmt: skip


def nll_kernel(stored: str, weighted: bool) -> Kernel:
    """kernel(x, values, rows, n, inner, target, ignore, weights): -weights[0][y] times number y of each row, y its
    target; 0 for those to ignore, and NaN where it is no class."""
    number = wide_dtype(dtype_of(stored))
    dtype = number.type
    load, _ = access(stored, dtype)
    weight_of, weights_type = _weighing(weighted, dtype)

    def kernel(x, values, rows, n, inner, target, ignore, weights):  # type: ignore[no-untyped-def]
        q = np.int64(cuda.blockIdx.x) * cuda.blockDim.x + cuda.threadIdx.x
        if q < rows:
            y, value = target[q], dtype(0)
            if y != ignore:
                value = dtype(np.nan)
                if 0 <= y < n:
                    value = -weight_of(weights, y) * load(x, q // inner * (n * inner) + y * inner + q % inner)
            values[q] = value

    long = np.dtype(np.int64)
    return kernel, (dtype_of(stored), number, np.int64, np.int64, np.int64, long, np.int64, weights_type)


def sums_kernel(
    formula: Callable[..., Any], items: Items, dtype: np.dtype[Any], gradient: bool, axes: int, threads: int
) -> Kernel:
    """kernel(operands, strides, out, sums, shape, n): for block b the sum of the formula's values in sums[2 b], what
    rounding took from it beside, and the formula's second result in out, which is contiguous, if it has one."""
    number = computes_in(dtype)
    gather = gathering(items, axes, dtype)
    add, _, total_of = reductions(Layout(threads, 1, False), number)
    _, store = access(dtype.name, number)

    def kernel(operands, strides, out, sums, shape, n):  # type: ignore[no-untyped-def]
        block, me = np.int64(cuda.blockIdx.x), cuda.threadIdx.x
        total, low = number(0), number(0)
        for i in range(block * threads + me, n, np.int64(cuda.gridDim.x) * threads):
            if gradient:
                value, slope = formula(*gather(operands, i, shape, strides))
                store(out[0], i, slope)
            else:
                value = formula(*gather(operands, i, shape, strides))
            total, low = add(total, low, value)
        total, low = total_of(total, low)
        if me == 0:
            sums[2 * block], sums[2 * block + 1] = total, low

    place = (np.int64,) * axes
    out = (dtype,) * gradient
    return kernel, (operand_types(items, dtype), (place,) * len(items), out, np.dtype(number), place, np.int64)


def count_kernel(weighted: bool, threads: int) -> Kernel:
    """kernel(target, rows, n, ignore, weights, scale): scale[0] = 1 / what targets that count weigh; of one block."""
    add, _, total_of = reductions(Layout(threads, 1, False), np.float64)
    weight_of, weights_type = _weighing(weighted, np.float64)

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

    return kernel, (np.dtype(np.int64), np.int64, np.int64, np.int64, weights_type, np.dtype(np.float64))


def total_kernel(result: str, threads: int) -> Kernel:
    """kernel(values, n, scale, out): out[0] = scale[0] * sum(values), added in float64; of one block."""
    number = wide_dtype(dtype_of(result))
    add, _, total_of = reductions(Layout(threads, 1, False), np.float64)
    dtype = number.type
    _, store = access(result, dtype)

    def kernel(values, n, scale, out):  # type: ignore[no-untyped-def]
        me = cuda.threadIdx.x
        total, low = np.float64(0), np.float64(0)
        for i in range(me, n, threads):
            total, low = add(total, low, np.float64(values[i]))
        total, low = total_of(total, low)
        if me == 0:
            store(out, 0, dtype((total + low) * scale[0]))

    return kernel, (number, np.int64, np.dtype(np.float64), dtype_of(result))
