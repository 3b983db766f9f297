"""The kernels of losses, and of reducing what they leave. Plain Python, which Numba's simulator runs too.

loss_kernel    cross-entropy of rows, and its gradient
nll_kernel     negative log-likelihood of rows
sums_kernel    the sums of an elementwise loss, and its gradient
count_kernel   the sums of what the targets of rows weigh
total_kernel   the sum of losses, or of sums
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import cuda

from fastact._core.arrays import wide_dtype
from fastact._scalar.primitives import where
from fastact.backends.cuda.dtypes import computes_in, dtype_of
from fastact.backends.cuda.kernels import DeviceFunction, Kernel, device_function
from fastact.backends.cuda.kernels.elementwise import Items, gathering, operand_types
from fastact.backends.cuda.kernels.groups import Layout, RowTraits, alone, locating, reductions
from fastact.backends.cuda.kernels.intrinsics import log1p
from fastact.backends.cuda.kernels.memory import access
from fastact.backends.cuda.kernels.softmax import difference_exp, summing
from fastact.backends.cuda.kernels.tiles import loading, mapped, storing

__all__ = ["TargetTraits", "count_kernel", "loss_kernel", "nll_kernel", "sums_kernel", "total_kernel"]


class TargetTraits(NamedTuple):
    """What kernels are compiled for, beyond the layout and `RowTraits`."""

    gradient: bool = False
    weighted: bool = False  # whether classes have weights
    smoothed: bool = False  # whether a part of the target is spread over all classes
    probabilities: str = ""  # their dtype, or nothing where targets are classes


def _weighing(weighted: bool, dtype: Any) -> tuple[DeviceFunction, tuple[Any, ...]]:
    """A device function: the weight of class j. And what the argument `weights` of kernels is."""
    if weighted:
        return device_function(lambda weights, j: dtype(weights[0][j])), (np.dtype(np.float64),)
    return device_function(lambda weights, j: dtype(1)), ()


def _targeting(targets: TargetTraits, dtype: Any) -> tuple[DeviceFunction, DeviceFunction, Any]:
    """Device functions: the class of row q, -1 where targets are probabilities; the share of class j, whose number is
    item i of the row, but for what belongs to the target alone. And what the argument `target` of kernels is."""
    weight_of, _ = _weighing(targets.weighted, dtype)
    if not targets.probabilities:
        class_of = device_function(lambda target, q: target[q])
        share_of = device_function(lambda target, i, j, hit, even, weights: even * weight_of(weights, j))
        return class_of, share_of, np.dtype(np.int64)
    load, _ = access(targets.probabilities, dtype)
    class_of = device_function(lambda target, q: np.int64(-1))
    share_of = device_function(
        lambda target, i, j, hit, even, weights: weight_of(weights, j) * (hit * load(target, i) + even)
    )
    return class_of, share_of, dtype_of(targets.probabilities)


def loss_kernel(layout: Layout, traits: RowTraits, targets: TargetTraits) -> Kernel:
    """kernel(x, out, values, rows, n, inner, target, ignore, hit, even, weights, scale): a loss for each row and, in
    out, the gradient of scale[0] times their sum, which may be x.

    A row's target is the class target[q], of the weight hit times weights[0][class], and `even` times its weight for
    every class; or hit times the classes' probabilities and `even`, times their weights. NaN where it is no class.
    """
    dtype = traits.number
    load, put = access(traits.stored, dtype)
    (locate, start_of), e_of = locating(layout), difference_exp(traits)
    hold, sums_of, store_scaled = _held(layout, traits)
    add, _, total_of, _ = reductions(layout, dtype)
    weight_of, weights_type = _weighing(targets.weighted, dtype)
    class_of, share_of, target_type = _targeting(targets, dtype)
    dense, threads, gradient = bool(targets.probabilities), layout.threads, targets.gradient
    spreads = dense or targets.smoothed  # over classes beside the target

    def kernel(x, out, values, rows, n, inner, target, ignore, hit, even, weights, scale):  # type: ignore[no-untyped-def]
        q, h = locate(np.int64(cuda.blockIdx.x))
        active = q < rows
        if not active:
            q = np.int64(0)
        first, y, end = start_of(q, n, inner), class_of(target, q), n if active else np.int64(0)
        counts = active and (dense or y != ignore)
        wrong = counts and not dense and (y < 0 or y >= n)
        stop = n if counts and not wrong else np.int64(0)
        at_y, weight = dtype(0), dtype(0)
        if stop > 0 and not dense:  # before another thread puts the gradient in its place
            at_y, weight = load(x, first + y * inner), hit * weight_of(weights, y)
        row = ((x,), first, inner, (), 0, dtype(1))
        held = hold(row, h, stop)
        m, total, low, ties = sums_of(row, h, stop, held)
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
            cuda.syncthreads()  # all have read the logit of their target
            e_y = e_of(at_y, m)
            not_y = others + where(at_y == m, ties - dtype(1), ties - e_y)  # all but the target, which keeps its digits
            whole, factor = others + ties, dtype(scale[0])
            slope_y = factor * ((spread * e_y - weight * not_y) / whole)
            each = factor * (weight + spread) / whole
            if wrong:
                stop, each = n, dtype(np.nan)
            if not spreads:
                store_scaled(out, row, h, stop, end, held, m, each)
                if 0 <= y < stop and y % threads == h:
                    put(out, first + y * inner, slope_y)
            else:
                for j in range(h, end, threads):
                    i, slope = first + j * inner, dtype(0)
                    if j < stop:
                        share = factor * share_of(target, i, j, hit, even, weights)
                        slope = (slope_y if j == y else each * e_of(load(x, i), m)) - share
                    put(out, i, slope)

    stored, number, long = dtype_of(traits.stored), dtype, np.int64
    arguments = (
        stored, stored, np.dtype(number), long, long, long, target_type, long, number, number, weights_type,
        np.dtype(np.float64),
    )  # fmt: skip
    return Kernel(kernel, arguments, layout.block)


def _held(layout: Layout, traits: RowTraits) -> tuple[DeviceFunction, DeviceFunction, DeviceFunction]:
    """Device functions: the numbers that a thread holds, all of its row or none; the row's sums; storing their e**(x -
    m), times a factor."""
    dtype, tile_size = traits.number, layout.tile
    tile, store = loading(traits, layout, 0, dtype(-np.inf)), storing(traits, layout, dtype(0))
    e_of = difference_exp(traits)
    scaled = mapped(device_function(lambda x, more: e_of(x, more[0]) * more[1]), layout.numbers)
    of_tile, of_range, _ = summing(layout, traits, True)
    if layout.whole:
        sums_of = device_function(lambda row, start, stop, held: of_tile(held))

        @device_function
        def store_scaled(out, row, start, stop, end, held, m, factor):  # type: ignore[no-untyped-def]
            store(out, row, start, stop, end, scaled(held, (m, factor)))

        return tile, sums_of, store_scaled

    @device_function
    def store_all_scaled(out, row, start, stop, end, held, m, factor):  # type: ignore[no-untyped-def]
        while start < end:
            store(out, row, start, stop, end, scaled(tile(row, start, stop), (m, factor)))
            start += tile_size

    hold = device_function(lambda row, start, stop: ())
    return hold, device_function(lambda row, start, stop, held: of_range(row, start, stop)), store_all_scaled


def nll_kernel(stored: str, weighted: bool, threads: int) -> Kernel:
    """kernel(x, values, rows, n, inner, target, ignore, weights): -weights[0][y] times number y of each row, y its
    target; 0 for those to ignore, and NaN where it is no class."""
    number = wide_dtype(dtype_of(stored))
    dtype = number.type
    load, _ = access(stored, dtype)
    weight_of, weights_type = _weighing(weighted, dtype)

    def kernel(x, values, rows, n, inner, target, ignore, weights):  # type: ignore[no-untyped-def]
        q = np.int64(cuda.blockIdx.x) * threads + cuda.threadIdx.x
        if q < rows:
            y, value = target[q], dtype(0)
            if y != ignore:
                value = dtype(np.nan)
                if 0 <= y < n:
                    value = -weight_of(weights, y) * load(x, q // inner * (n * inner) + y * inner + q % inner)
            values[q] = value

    long = np.dtype(np.int64)
    arguments = dtype_of(stored), number, np.int64, np.int64, np.int64, long, np.int64, weights_type
    return Kernel(kernel, arguments, threads)


def sums_kernel(
    formula: DeviceFunction, items: Items, dtype: np.dtype[Any], gradient: bool, axes: int, threads: int
) -> Kernel:
    """kernel(operands, strides, out, sums, shape, n): for block b the sum of the formula's values in sums[2 b], what
    rounding took from it beside, and the formula's second result in out, which is contiguous, if it has one."""
    number = computes_in(dtype)
    gather = gathering(items, axes, dtype)
    add, _, total_of, _ = reductions(alone(threads), number)
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
    arguments = operand_types(items, dtype), (place,) * len(items), out, np.dtype(number), place, np.int64
    return Kernel(kernel, arguments, threads)


def count_kernel(weighted: bool, threads: int) -> Kernel:
    """kernel(target, rows, n, ignore, weights, sums): what targets that count weigh, of each block as sums_kernel."""
    add, _, total_of, _ = reductions(alone(threads), np.float64)
    weight_of, weights_type = _weighing(weighted, np.float64)

    def kernel(target, rows, n, ignore, weights, sums):  # type: ignore[no-untyped-def]
        block, me = np.int64(cuda.blockIdx.x), cuda.threadIdx.x
        total, low = np.float64(0), np.float64(0)
        for q in range(block * threads + me, rows, np.int64(cuda.gridDim.x) * threads):
            y = target[q]
            if y != ignore and 0 <= y < n:
                total, low = add(total, low, weight_of(weights, y))
        total, low = total_of(total, low)
        if me == 0:
            sums[2 * block], sums[2 * block + 1] = total, low

    arguments = np.dtype(np.int64), np.int64, np.int64, np.int64, weights_type, np.dtype(np.float64)
    return Kernel(kernel, arguments, threads)


def total_kernel(stored: str, result: str, inverse: bool, threads: int) -> Kernel:
    """kernel(values, n, scale, out): out[0] = scale[0] * sum(values), or 1 / sum(values); of one block, in float64."""
    add, _, total_of, _ = reductions(alone(threads), np.float64)
    number = wide_dtype(dtype_of(result)).type
    _, store = access(result, number)

    def kernel(values, n, scale, out):  # type: ignore[no-untyped-def]
        me = cuda.threadIdx.x
        total, low = np.float64(0), np.float64(0)
        for i in range(me, n, threads):
            total, low = add(total, low, np.float64(values[i]))
        total, low = total_of(total, low)
        if me == 0:
            whole = total + low
            store(out, 0, number(np.float64(1) / whole if inverse else whole * scale[0]))

    arguments = dtype_of(stored), np.int64, np.dtype(np.float64), dtype_of(result)
    return Kernel(kernel, arguments, threads)
