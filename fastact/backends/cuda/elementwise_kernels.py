"""The kernels of elementwise functions: one for contiguous arrays, one for any strides. Templates for any formula."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .device import access, computes_in, offset_of

__all__ = ["Items", "contiguous_kernel", "strided_kernel"]

#: The module numba.cuda, once compiling.py has imported it.
cuda: Any = None

#: Threads of an elementwise block, and elements of each: four loads in flight per thread reach the copy bandwidth.
THREADS = 256
PER_THREAD = 4

#: Of each operand of a loop, the dtype of an array, or None for a number.
Items = tuple[np.dtype[Any] | None, ...]


def _gather(items: Items, axes: int, dtype: np.dtype[Any]) -> Callable[..., Any]:
    """A device function: element i of each operand, an array's item or a number, as the loop computes, in a tuple."""
    if not items:
        return cuda.jit(device=True)(lambda operands, i, shape, strides: ())
    before, last, number = _gather(items[:-1], axes, dtype), len(items) - 1, computes_in(dtype)
    item = items[-1]
    if item is None:

        @cuda.jit(device=True)
        def gather(operands, i, shape, strides):  # type: ignore[no-untyped-def]
            return before(operands, i, shape, strides) + (operands[last],)  # noqa: RUF005 (Numba takes no starred tuples)
    else:
        load, _ = access(item.name, number)
        offset = offset_of(axes)

        @cuda.jit(device=True)
        def gather(operands, i, shape, strides):  # type: ignore[no-untyped-def]
            value = load(operands[last], offset(i, shape, strides[last]))
            return before(operands, i, shape, strides) + (value,)  # noqa: RUF005

    return gather


def contiguous_kernel(formula: Callable[..., Any], items: Items, dtype: np.dtype[Any]) -> Callable[..., None]:
    """kernel(operands, output, n): output[i] = formula(*operands[i]), of contiguous arrays of one shape and numbers."""
    gather, unit = _gather(items, 1, dtype), ((1,),) * len(items)
    _, store = access(dtype.name, computes_in(dtype))

    def kernel(operands, output, n):  # type: ignore[no-untyped-def]
        i = np.int64(cuda.blockIdx.x) * (THREADS * PER_THREAD) + cuda.threadIdx.x
        if i + 3 * THREADS < n:
            a = gather(operands, i, (n,), unit)  # all loads before the first store, which might alias them
            b = gather(operands, i + THREADS, (n,), unit)
            c = gather(operands, i + 2 * THREADS, (n,), unit)
            d = gather(operands, i + 3 * THREADS, (n,), unit)
            store(output, i, formula(*a))
            store(output, i + THREADS, formula(*b))
            store(output, i + 2 * THREADS, formula(*c))
            store(output, i + 3 * THREADS, formula(*d))
        else:
            while i < n:
                store(output, i, formula(*gather(operands, i, (n,), unit)))
                i += THREADS

    return kernel


def strided_kernel(formula: Callable[..., Any], items: Items, axes: int, dtype: np.dtype[Any]) -> Callable[..., None]:
    """kernel(operands, strides, output, output_strides, shape, n): the same for any strides, 0 and negative too."""
    gather, offset = _gather(items, axes, dtype), offset_of(axes)
    _, store = access(dtype.name, computes_in(dtype))

    def kernel(operands, strides, output, output_strides, shape, n):  # type: ignore[no-untyped-def]
        i = np.int64(cuda.blockIdx.x) * THREADS + cuda.threadIdx.x
        if i < n:
            store(output, offset(i, shape, output_strides), formula(*gather(operands, i, shape, strides)))

    return kernel
