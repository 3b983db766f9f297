"""The kernels that add the losses of one call, and what they weigh.

    sums_kernel    an elementwise loss, of which each block adds the values, and its gradient
    nll_kernel     the negative log-likelihood of rows; or of each block the sum of these, and what the targets weigh
    count_kernel   what the targets of rows weigh, which each block adds
    total_kernel   the sum of the sums of blocks, times a factor

A sum of a block is a float64, made of the pair (total, low) of groups.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cuda

from fastact._core.arrays import wide_dtype
from fastact.backends.cuda.dtypes import computes_in, dtype_of
from fastact.backends.cuda.kernels import DeviceFunction, Kernel, device_function
from fastact.backends.cuda.kernels.elementwise import Items, gathering, operand_types
from fastact.backends.cuda.kernels.groups import locating, reductions
from fastact.backends.cuda.kernels.layouts import Layout, alone, in_warps
from fastact.backends.cuda.kernels.memory import access

__all__ = ["count_kernel", "nll_kernel", "scale_type", "scaling", "sums_kernel", "total_kernel", "weighing"]

DOUBLE, LONG = np.dtype(np.float64), np.dtype(np.int64)


# --- parts of kernels -------------------------------------------------------------------------------------------------


def weighing(weighted: bool, dtype: Any) -> tuple[DeviceFunction, tuple[Any, ...]]:
    """A device function: (weights, j), the weight of class j. And what the argument `weights` of kernels is."""
    if weighted:
        return device_function(lambda weights, j: dtype(weights[0][j])), (DOUBLE,)
    return device_function(lambda weights, j: dtype(1)), ()


def _summing_wide(layout: Layout, dtype: Any) -> DeviceFunction:
    """A device function: the sum over the threads of a row, in float64, of numbers as exact as this type.

    Only those of float64 are added as pairs: most GPUs add float64 32 times as slowly as float32.
    """
    _, _, total_of, sum_of = reductions(layout, np.float64)
    if dtype is not np.float64:
        return sum_of

    @device_function
    def sum_pairs(value):  # type: ignore[no-untyped-def]
        total, low = total_of(value, np.float64(0))
        return total + low

    return sum_pairs


def scale_type(counted: bool) -> Any:
    """What the argument `scale` of kernels is, the factor of the sum of losses: a number or, if the targets are
    `counted`, (counts, number of these), the sums of what they weigh, of which it is the reciprocal.
    """
    return (DOUBLE, np.int64) if counted else np.float64


def scaling(counted: bool, threads: int, dtype: Any) -> DeviceFunction:
    """A device function: (scale), the factor, for each thread of a block. All blocks add in the same order."""
    if not counted:
        return device_function(lambda scale: scale)
    layout = in_warps(threads)
    sum_of, lanes = _summing_wide(layout, dtype), layout.threads

    @device_function
    def factor_of(scale):  # type: ignore[no-untyped-def]
        counts, number = scale
        total = np.float64(0)
        for i in range(cuda.threadIdx.x % lanes, number, lanes):
            total += counts[i]
        return np.float64(1) / sum_of(total)

    return factor_of


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
    """A device function: (given, n, sums) stores this sum of block b in sums[b]."""
    added = _adding(value_of, dtype, threads)

    @device_function
    def add_to(given, n, sums):  # type: ignore[no-untyped-def]
        total, low = added(given, n, np.int64(cuda.gridDim.x))
        if cuda.threadIdx.x == 0:
            sums[np.int64(cuda.blockIdx.x)] = np.float64(total) + np.float64(low)

    return add_to


def _adding_weights(weighted: bool, threads: int) -> DeviceFunction:
    """A device function: ((target, n, ignore, weights), rows, counts) adds what the targets weigh, 0 where one is to be
    ignored or no class.
    """
    weight_of, _ = weighing(weighted, np.float64)

    @device_function
    def weight_at(given, q):  # type: ignore[no-untyped-def]
        target, n, ignore, weights = given
        y = target[q]
        return weight_of(weights, y) if y != ignore and 0 <= y < n else np.float64(0)

    return _adding_to(weight_at, np.float64, threads)


# --- kernels ----------------------------------------------------------------------------------------------------------


def sums_kernel(
    formula: DeviceFunction, items: Items, dtype: np.dtype[Any], gradient: bool, axes: int, threads: int
) -> Kernel:
    """kernel(operands, strides, out, sums, shape, n): the sums of the formula's values, of each block.

    The formula's second result, if it has one, goes to `out`, which is contiguous.
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
    return Kernel(kernel, (operand_types(items, dtype), (place,) * len(items), out, DOUBLE, place, np.int64), threads)


def nll_kernel(stored: str, result: str, weighted: bool, layout: Layout) -> Kernel:
    """kernel(x, values, counts, rows, n, inner, target, ignore, weights): -weights[0][y] times number y of each row, y
    its target; 0 where that is to be ignored, and NaN where it is no class. The layout has one thread for a row.

    Each loss goes to `values`, in the dtype `result`. If there is none, `values` has the sum of each block's, and
    `counts` that of what the targets weigh.
    """
    dtype, threads = wide_dtype(dtype_of(stored)).type, layout.block
    load, _ = access(stored, dtype)
    weight_of, weights_type = weighing(weighted, dtype)
    locate, start_of = locating(layout)

    @device_function
    def loss_at(given, q):  # type: ignore[no-untyped-def]
        x, n, inner, target, ignore, weights = given
        y, loss = target[q], dtype(0)
        if y != ignore:
            loss = dtype(np.nan)
            if 0 <= y < n:
                loss = -weight_of(weights, y) * load(x, start_of(q, n, inner) + y * inner)
        return loss

    if result:
        _, put = access(result, dtype)

        @device_function
        def keep(given, rows, values, counts):  # type: ignore[no-untyped-def]
            q, _ = locate(np.int64(cuda.blockIdx.x))
            if q < rows:
                put(values, q, loss_at(given, q))
    else:
        add_losses = _adding_to(device_function(lambda given, q: np.float64(loss_at(given, q))), np.float64, threads)
        add_weights = _adding_weights(weighted, threads)

        @device_function
        def keep(given, rows, values, counts):  # type: ignore[no-untyped-def]
            _, n, _, target, ignore, weights = given
            add_losses(given, rows, values)
            add_weights((target, n, ignore, weights), rows, counts[0])

    def kernel(x, values, counts, rows, n, inner, target, ignore, weights):  # type: ignore[no-untyped-def]
        keep((x, n, inner, target, ignore, weights), rows, values, counts)

    values, counts = (dtype_of(result), ()) if result else (DOUBLE, (DOUBLE,))
    long = np.int64
    return Kernel(kernel, (dtype_of(stored), values, counts, long, long, long, LONG, long, weights_type), threads)


def count_kernel(weighted: bool, threads: int) -> Kernel:
    """kernel(target, rows, n, ignore, weights, counts, counters, number): what the targets weigh, of each block.

    And so many `counters` become 0, for the kernel that comes after this one.
    """
    add_weights, (_, weights_type) = _adding_weights(weighted, threads), weighing(weighted, np.float64)

    def kernel(target, rows, n, ignore, weights, counts, counters, number):  # type: ignore[no-untyped-def]
        add_weights((target, n, ignore, weights), rows, counts)
        first = np.int64(cuda.blockIdx.x) * threads + cuda.threadIdx.x
        for i in range(first, number, np.int64(cuda.gridDim.x) * threads):
            counters[i] = 0

    long = np.int64
    return Kernel(kernel, (LONG, long, long, long, weights_type, DOUBLE, np.dtype(np.int32), long), threads)


def total_kernel(result: str, counted: bool, threads: int) -> Kernel:
    """kernel(sums, n, scale, out): out[0] = scale * sum(sums), by one block."""
    number = wide_dtype(dtype_of(result)).type
    _, store = access(result, number)
    factor_of = scaling(counted, threads, np.float64)
    added = _adding(device_function(lambda sums, i: sums[i]), np.float64, threads)

    def kernel(sums, n, scale, out):  # type: ignore[no-untyped-def]
        total, low = added(sums, n, np.int64(1))
        factor = factor_of(scale)
        if cuda.threadIdx.x == 0:
            store(out, 0, number((total + low) * factor))

    return Kernel(kernel, (DOUBLE, np.int64, scale_type(counted), dtype_of(result)), threads)
