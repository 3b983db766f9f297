"""The kernels of elementwise functions, for any formula: of contiguous arrays, of half types, of any strides."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cuda

from fastact.backends.cuda.dtypes import computes_in
from fastact.backends.cuda.kernels import DeviceFunction, Kernel, device_function
from fastact.backends.cuda.kernels.intrinsics import load_eight, store_eight
from fastact.backends.cuda.kernels.memory import access, codec, offset_of

__all__ = ["Items", "contiguous_kernel", "gathering", "half_kernel", "operand_types", "strided_kernel"]

#: Threads of a block.
THREADS = 256
#: Elements of a thread: four loads in flight reach the bandwidth of copying.
PER_THREAD = 4
#: Elements of a thread for half types, which have the bytes of four float32.
HALVES_PER_THREAD = 8

#: For each operand of a loop the dtype of an array, or None for a number.
Items = tuple[np.dtype[Any] | None, ...]


def gathering(items: Items, axes: int, dtype: np.dtype[Any]) -> DeviceFunction:
    """A device function: (operands, i, shape, strides), a tuple of element i of each operand, array or number, in the
    type that the loop computes in.
    """
    if not items:
        return device_function(lambda operands, i, shape, strides: ())
    before, last, number = gathering(items[:-1], axes, dtype), len(items) - 1, computes_in(dtype)
    item = items[-1]
    if item is None:

        @device_function
        def gather(operands, i, shape, strides):  # type: ignore[no-untyped-def]
            return before(operands, i, shape, strides) + (operands[last],)  # noqa: RUF005 (Numba takes no starred tuples)
    else:
        load, _ = access(item.name, number)
        offset = offset_of(axes)

        @device_function
        def gather(operands, i, shape, strides):  # type: ignore[no-untyped-def]
            value = load(operands[last], offset(i, shape, strides[last]))
            return before(operands, i, shape, strides) + (value,)  # noqa: RUF005

    return gather


def _scatter(outputs: int, axes: int, dtype: np.dtype[Any]) -> DeviceFunction:
    """A device function: (arrays, i, shape, strides, values) stores each value of a tuple in element i of its array."""
    if outputs == 0:
        return device_function(lambda arrays, i, shape, strides, values: None)
    before, last = _scatter(outputs - 1, axes, dtype), outputs - 1
    _, store = access(dtype.name, computes_in(dtype))
    offset = offset_of(axes)

    @device_function
    def scatter(arrays, i, shape, strides, values):  # type: ignore[no-untyped-def]
        before(arrays, i, shape, strides, values)
        store(arrays[last], offset(i, shape, strides[last]), values[last])

    return scatter


def _results(formula: DeviceFunction, outputs: int) -> DeviceFunction:
    """A device function: (operands), a tuple of the formula's results, even if there is but one."""
    if outputs > 1:
        return device_function(lambda operands: formula(*operands))
    return device_function(lambda operands: (formula(*operands),))


def operand_types(items: Items, dtype: np.dtype[Any]) -> tuple[Any, ...]:
    """What the argument `operands` of kernels is."""
    return tuple(computes_in(dtype) if each is None else each for each in items)


def contiguous_kernel(formula: DeviceFunction, items: Items, outputs: int, dtype: np.dtype[Any]) -> Kernel:
    """kernel(operands, arrays, n): element i of the output arrays is the formula's result for element i of operands."""
    gather, unit = gathering(items, 1, dtype), ((1,),) * len(items)
    scatter, output_unit, results = _scatter(outputs, 1, dtype), ((1,),) * outputs, _results(formula, outputs)

    def kernel(operands, arrays, n):  # type: ignore[no-untyped-def]
        i = np.int64(cuda.blockIdx.x) * (THREADS * PER_THREAD) + cuda.threadIdx.x
        if i + 3 * THREADS < n:
            a = gather(operands, i, (n,), unit)  # all loads before the first store, which might alias them
            b = gather(operands, i + THREADS, (n,), unit)
            c = gather(operands, i + 2 * THREADS, (n,), unit)
            d = gather(operands, i + 3 * THREADS, (n,), unit)
            scatter(arrays, i, (n,), output_unit, results(a))
            scatter(arrays, i + THREADS, (n,), output_unit, results(b))
            scatter(arrays, i + 2 * THREADS, (n,), output_unit, results(c))
            scatter(arrays, i + 3 * THREADS, (n,), output_unit, results(d))
        else:
            while i < n:
                scatter(arrays, i, (n,), output_unit, results(gather(operands, i, (n,), unit)))
                i += THREADS

    return Kernel(kernel, (operand_types(items, dtype), (dtype,) * outputs, np.int64), THREADS)


def strided_kernel(formula: DeviceFunction, items: Items, outputs: int, dtype: np.dtype[Any], axes: int) -> Kernel:
    """kernel(operands, strides, arrays, array_strides, shape, n): the same for any strides, even 0 and negative."""
    gather, scatter, results = gathering(items, axes, dtype), _scatter(outputs, axes, dtype), _results(formula, outputs)

    def kernel(operands, strides, arrays, array_strides, shape, n):  # type: ignore[no-untyped-def]
        i = np.int64(cuda.blockIdx.x) * THREADS + cuda.threadIdx.x
        if i < n:
            scatter(arrays, i, shape, array_strides, results(gather(operands, i, shape, strides)))

    place = (np.int64,) * axes
    arrays = (dtype,) * outputs
    return Kernel(
        kernel,
        (operand_types(items, dtype), (place,) * len(items), arrays, (place,) * outputs, place, np.int64),
        THREADS,
    )


# --- half types: each access has eight numbers, so that as many bytes are on their way as with float32 ----------------


def _gather_eights(items: Items) -> DeviceFunction:
    """A device function: items i to i + 7 of each array operand as a tuple, and numbers, in a tuple."""
    if not items:
        return device_function(lambda operands, i: ())
    before, last, is_number = _gather_eights(items[:-1]), len(items) - 1, items[-1] is None
    if is_number:
        return device_function(lambda operands, i: before(operands, i) + (operands[last],))  # noqa: RUF005
    return device_function(lambda operands, i: before(operands, i) + (load_eight(operands[last], i),))  # noqa: RUF005


def _one_of_eight(items: Items, k: int, dtype: np.dtype[Any]) -> DeviceFunction:
    """A device function: (eights), a tuple of number k of each operand, as the formula takes it."""
    if not items:
        return device_function(lambda eights: ())
    before, last, item = _one_of_eight(items[:-1], k, dtype), len(items) - 1, items[-1]
    if item is None:
        return device_function(lambda eights: before(eights) + (eights[last],))  # noqa: RUF005
    decode, _ = codec(item.name, computes_in(dtype))
    return device_function(lambda eights: before(eights) + (decode(eights[last][k]),))  # noqa: RUF005


def _results_of(formula: DeviceFunction, items: Items, outputs: int, n: int, dtype: np.dtype[Any]) -> Any:
    """A device function: (eights), a tuple with, for each of the first n of eight numbers, the results as stored."""
    if n == 0:
        return device_function(lambda eights: ())
    before, results = _results_of(formula, items, outputs, n - 1, dtype), _results(formula, outputs)
    one, (_, encode) = _one_of_eight(items, n - 1, dtype), codec(dtype.name, computes_in(dtype))
    if outputs == 1:
        return device_function(lambda eights: before(eights) + ((encode(results(one(eights))[0]),),))  # noqa: RUF005

    @device_function
    def both(eights):  # type: ignore[no-untyped-def]
        a, b = results(one(eights))
        return before(eights) + ((encode(a), encode(b)),)  # noqa: RUF005

    return both


def _scatter_eights(outputs: int) -> DeviceFunction:
    """A device function: (arrays, i, r) stores eight tuples of results in the items i to i + 7 of the output arrays."""
    if outputs == 0:
        return device_function(lambda arrays, i, r: None)
    before, o = _scatter_eights(outputs - 1), outputs - 1

    @device_function
    def scatter(arrays, i, r):  # type: ignore[no-untyped-def]
        before(arrays, i, r)
        store_eight(arrays[o], i, (r[0][o], r[1][o], r[2][o], r[3][o], r[4][o], r[5][o], r[6][o], r[7][o]))

    return scatter


def half_kernel(formula: DeviceFunction, items: Items, outputs: int, dtype: np.dtype[Any]) -> Kernel:
    """`contiguous_kernel` for arrays of half types that all begin at multiples of 16 bytes."""
    gather, unit = gathering(items, 1, dtype), ((1,),) * len(items)
    scatter, output_unit, results = _scatter(outputs, 1, dtype), ((1,),) * outputs, _results(formula, outputs)
    gather_eights, scatter_eights = _gather_eights(items), _scatter_eights(outputs)
    results_of = _results_of(formula, items, outputs, 8, dtype)

    def kernel(operands, arrays, n):  # type: ignore[no-untyped-def]
        i = (np.int64(cuda.blockIdx.x) * THREADS + cuda.threadIdx.x) * 8
        if i + 8 <= n:
            scatter_eights(arrays, i, results_of(gather_eights(operands, i)))
        else:
            for k in range(i, n):
                scatter(arrays, k, (n,), output_unit, results(gather(operands, k, (n,), unit)))

    return Kernel(kernel, (operand_types(items, dtype), (dtype,) * outputs, np.int64), THREADS)
