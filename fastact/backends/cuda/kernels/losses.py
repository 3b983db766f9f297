"""The kernels of losses.

loss_kernel    the cross-entropy of rows, and its gradient
nll_kernel     the negative log-likelihood of rows
sums_kernel    an elementwise loss, of which each block adds the values, and its gradient
count_kernel   the weights of the targets of rows, which each block adds
total_kernel   the sum of losses, or of the sums of blocks
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
from fastact.backends.cuda.kernels.groups import finding, locating, placing, reductions
from fastact.backends.cuda.kernels.intrinsics import log1p
from fastact.backends.cuda.kernels.layouts import Layout, RowTraits, alone
from fastact.backends.cuda.kernels.memory import access
from fastact.backends.cuda.kernels.softmax import difference_exp, summing
from fastact.backends.cuda.kernels.tiles import loading, mapped, storing

__all__ = ["TargetTraits", "count_kernel", "loss_kernel", "nll_kernel", "sums_kernel", "total_kernel"]


class TargetTraits(NamedTuple):
    """What the kernel of the cross-entropy is compiled for, besides the layout and `RowTraits`."""

    gradient: bool = False
    weighted: bool = False  # classes have weights
    smoothed: bool = False  # a part of the target is spread over all classes
    counted: bool = False  # the argument `scale` is an array, which the GPU has computed
    probabilities: str = ""  # dtype of targets that are probabilities, empty where they are classes


# --- of rows ----------------------------------------------------------------------------------------------------------


def _weighing(weighted: bool, dtype: Any) -> tuple[DeviceFunction, tuple[Any, ...]]:
    """A device function: (weights, j), the weight of class j. And what the argument `weights` of kernels is."""
    if weighted:
        return device_function(lambda weights, j: dtype(weights[0][j])), (np.dtype(np.float64),)
    return device_function(lambda weights, j: dtype(1)), ()


def _scaling(counted: bool) -> tuple[DeviceFunction, Any]:
    """A device function: (scale), the factor of losses. And what the argument `scale` of kernels is."""
    if counted:
        return device_function(lambda scale: scale[0]), np.dtype(np.float64)
    return device_function(lambda scale: scale), np.float64


def _targeting(targets: TargetTraits, dtype: Any) -> tuple[DeviceFunction, DeviceFunction, Any]:
    """Device functions: (target, q), the class of row q, -1 where targets are probabilities; (target, i, j, hit, even,
    weights), the share of class j, which is item i, in the target, without what its one class has alone. And what the
    argument `target` of kernels is.
    """
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
    """kernel(x, out, values, rows, n, inner, target, ignore, hit, even, weights, scale): the loss of each row in
    `values` and, in `out`, the gradient of their sum times `scale`; `out` may be x.

    The target of row q is the class target[q], with `hit` times its weight, and every class with `even` times its
    weight. Where targets are probabilities, it is every class with its weight times (hit times its probability + even).
    A loss and its gradient are NaN where the target is no class.
    """
    dtype = traits.number
    load, put = access(traits.stored, dtype)
    find, place_of, e_of = finding(layout, traits), placing(layout), difference_exp(traits)
    hold, sums_of, store_scaled = _held(layout, traits)
    add, _, total_of, _ = reductions(layout, dtype)
    weight_of, weights_type = _weighing(targets.weighted, dtype)
    class_of, share_of, target_type = _targeting(targets, dtype)
    factor_of, scale_type = _scaling(targets.counted)
    dense, threads, gradient = bool(targets.probabilities), layout.threads, targets.gradient
    spreads = dense or targets.smoothed  # over classes beside the target

    def kernel(x, out, values, rows, n, inner, target, ignore, hit, even, weights, scale):  # type: ignore[no-untyped-def]
        row, q, h, _, end, active = find(np.int64(cuda.blockIdx.x), n, (x,), rows, n, inner, dtype(1), (), (), n)
        y = class_of(target, q)
        counts = active and (dense or y != ignore)
        wrong = counts and not dense and (y < 0 or y >= n)
        stop = n if counts and not wrong else np.int64(0)
        at_y, weight = dtype(0), dtype(0)
        if stop > 0 and not dense:  # before another thread puts the gradient in its place
            at_y, weight = load(x, place_of(row, y)), hit * weight_of(weights, y)
        held = hold(row, h, stop)
        m, total, low, ties = sums_of(row, h, stop, held)
        spread, spread_low, distance, distance_low = dtype(0), dtype(0), dtype(0), dtype(0)
        if spreads:
            for j in range(h, stop, threads):
                i = place_of(row, j)
                share, v = share_of(target, i, j, hit, even, weights), load(x, i)
                spread, spread_low = add(spread, spread_low, share)
                if share != dtype(0):
                    distance, distance_low = add(distance, distance_low, share * (m - v))
            spread, spread_low = total_of(spread, spread_low)
            distance, distance_low = total_of(distance, distance_low)
            spread = spread + spread_low
            if distance < dtype(np.inf):  # the logit -inf of a class with a weight leaves no error to add
                distance = distance + distance_low
        others = total + low
        loss, rest = dtype(0), dtype(0)
        if stop > 0:
            rest = log1p(others + (ties - dtype(1)))
            loss = distance + spread * rest
            if weight != dtype(0):
                loss = weight * ((m - at_y) + rest) + loss
        if wrong:
            loss = dtype(np.nan)
        if h == 0 and active:
            values[q] = loss
        if gradient:
            cuda.syncthreads()  # all have read the logit of their target
            e_y = e_of(at_y, m)
            not_y = others + where(at_y == m, ties - dtype(1), ties - e_y)  # all but the target, which keeps its digits
            whole, factor = others + ties, dtype(factor_of(scale))
            slope_y = factor * ((spread * e_y - weight * not_y) / whole)
            each = factor * (weight + spread) / whole
            if wrong:
                stop, each = n, dtype(np.nan)
            if not spreads:
                store_scaled(out, row, h, stop, end, held, m, each)
                if 0 <= y < stop and y % threads == h:
                    put(out, place_of(row, y), slope_y)
            else:
                for j in range(h, end, threads):
                    i, slope = place_of(row, j), dtype(0)
                    if j < stop:
                        share = factor * share_of(target, i, j, hit, even, weights)
                        slope = (slope_y if j == y else each * e_of(load(x, i), m)) - share
                    put(out, i, slope)

    stored, number, long = dtype_of(traits.stored), dtype, np.int64
    arguments = (
        stored, stored, np.dtype(number), long, long, long, target_type, long, number, number, weights_type, scale_type,
    )  # fmt: skip
    return Kernel(kernel, arguments, layout.block)


def _held(layout: Layout, traits: RowTraits) -> tuple[DeviceFunction, DeviceFunction, DeviceFunction]:
    """Device functions: (row, start, stop), the numbers that a thread holds, all that it has of its row or none;
    (row, start, stop, held), the row's sums; (out, row, start, stop, end, held, m, factor) stores factor * e**(x - m).
    """
    dtype, tile_size = traits.number, layout.tile
    tile, store = loading(layout, traits, 0, dtype(-np.inf)), storing(layout, traits, dtype(0))
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


def nll_kernel(stored: str, weighted: bool, layout: Layout) -> Kernel:
    """kernel(x, values, rows, n, inner, target, ignore, weights): -weights[0][y] times number y of each row, y its
    target; 0 where that is to be ignored, and NaN where it is no class. The layout has one thread for a row.
    """
    number = wide_dtype(dtype_of(stored))
    dtype = number.type
    load, _ = access(stored, dtype)
    weight_of, weights_type = _weighing(weighted, dtype)
    locate, start_of = locating(layout)

    def kernel(x, values, rows, n, inner, target, ignore, weights):  # type: ignore[no-untyped-def]
        q, _ = locate(np.int64(cuda.blockIdx.x))
        if q < rows:
            y, value = target[q], dtype(0)
            if y != ignore:
                value = dtype(np.nan)
                if 0 <= y < n:
                    value = -weight_of(weights, y) * load(x, start_of(q, n, inner) + y * inner)
            values[q] = value

    long = np.dtype(np.int64)
    arguments = dtype_of(stored), number, np.int64, np.int64, np.int64, long, np.int64, weights_type
    return Kernel(kernel, arguments, layout.block)


# --- sums -------------------------------------------------------------------------------------------------------------


def _adding(value_of: DeviceFunction, dtype: Any, threads: int) -> DeviceFunction:
    """A device function: (given, n, blocks), the sum of value_of(given, i) for the numbers i < n of this block, as a
    pair. The blocks share these numbers, and neighbouring threads take neighbouring ones.
    """
    add, _, total_of, _ = reductions(alone(threads), dtype)

    @device_function
    def added(given, n, blocks):  # type: ignore[no-untyped-def]
        total, low = dtype(0), dtype(0)
        for i in range(np.int64(cuda.blockIdx.x) * threads + cuda.threadIdx.x, n, blocks * threads):
            total, low = add(total, low, value_of(given, i))
        return total_of(total, low)

    return added


def _adding_to(value_of: DeviceFunction, dtype: Any, threads: int) -> DeviceFunction:
    """A device function: (given, n, sums) stores this sum of block b in sums[2 * b] and sums[2 * b + 1]."""
    added = _adding(value_of, dtype, threads)

    @device_function
    def add_to(given, n, sums):  # type: ignore[no-untyped-def]
        total, low = added(given, n, np.int64(cuda.gridDim.x))
        if cuda.threadIdx.x == 0:
            block = np.int64(cuda.blockIdx.x)
            sums[2 * block], sums[2 * block + 1] = total, low

    return add_to


def sums_kernel(
    formula: DeviceFunction, items: Items, dtype: np.dtype[Any], gradient: bool, axes: int, threads: int
) -> Kernel:
    """kernel(operands, strides, out, sums, shape, n): the sums of the formula's values, of each block.

    The sum of block b is sums[2 * b] + sums[2 * b + 1]. The formula's second result, if it has one, goes to `out`,
    which is contiguous.
    """
    number = computes_in(dtype)
    gather = gathering(items, axes, dtype)
    _, store = access(dtype.name, number)

    @device_function
    def value_of(given, i):  # type: ignore[no-untyped-def]
        operands, strides, out, shape = given
        found = formula(*gather(operands, i, shape, strides))
        if gradient:
            store(out[0], i, found[1])
            return found[0]
        return found

    add_to = _adding_to(value_of, number, threads)

    def kernel(operands, strides, out, sums, shape, n):  # type: ignore[no-untyped-def]
        add_to((operands, strides, out, shape), n, sums)

    place = (np.int64,) * axes
    out = (dtype,) * gradient
    arguments = operand_types(items, dtype), (place,) * len(items), out, np.dtype(number), place, np.int64
    return Kernel(kernel, arguments, threads)


def count_kernel(weighted: bool, threads: int) -> Kernel:
    """kernel(target, rows, n, ignore, weights, sums): the sum of the weights of the targets that count, of each block.

    `sums` is as for sums_kernel.
    """
    weight_of, weights_type = _weighing(weighted, np.float64)

    @device_function
    def value_of(given, q):  # type: ignore[no-untyped-def]
        target, n, ignore, weights = given
        y = target[q]
        return weight_of(weights, y) if y != ignore and 0 <= y < n else np.float64(0)

    add_to = _adding_to(value_of, np.float64, threads)

    def kernel(target, rows, n, ignore, weights, sums):  # type: ignore[no-untyped-def]
        add_to((target, n, ignore, weights), rows, sums)

    arguments = np.dtype(np.int64), np.int64, np.int64, np.int64, weights_type, np.dtype(np.float64)
    return Kernel(kernel, arguments, threads)


def total_kernel(stored: str, result: str, counted: bool, inverse: bool, threads: int) -> Kernel:
    """kernel(values, n, scale, out): out[0] = scale * sum(values), or scale / sum(values); one block, in float64.

    `scale` is a number, or an array of one if it is `counted`.
    """
    number = wide_dtype(dtype_of(result)).type
    _, store = access(result, number)
    factor_of, scale_type = _scaling(counted)
    added = _adding(device_function(lambda values, i: np.float64(values[i])), np.float64, threads)

    def kernel(values, n, scale, out):  # type: ignore[no-untyped-def]
        total, low = added(values, n, np.int64(1))
        if cuda.threadIdx.x == 0:
            whole, factor = total + low, factor_of(scale)
            store(out, 0, number(factor / whole if inverse else whole * factor))

    return Kernel(kernel, (dtype_of(stored), np.int64, scale_type, dtype_of(result)), threads)
