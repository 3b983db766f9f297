"""Device functions for memory: numbers of any dtype behind a pointer, and places of elements in strided arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastact.backends.cuda.kernels import DeviceFunction, device_function
from fastact.backends.cuda.kernels.intrinsics import from_bfloat16, to_bfloat16

__all__ = ["access", "codec", "offset_of"]


def codec(stored: str, dtype: Any) -> tuple[DeviceFunction, DeviceFunction]:
    """Device functions: from an item in memory to the number that is computed with, and back.

    A bfloat16 in memory is a uint16.
    """
    if stored == "bfloat16":
        decode = device_function(lambda item: from_bfloat16(item, np.float32(0)))
        encode = device_function(lambda value: to_bfloat16(value, np.uint16(0)))
    else:
        decode = device_function(lambda item: dtype(item))
        kind = np.uint8 if stored == "bool" else np.dtype(stored).type
        encode = device_function(lambda value: kind(value))
    return decode, encode


def access(stored: str, dtype: Any) -> tuple[DeviceFunction, DeviceFunction]:
    """Device functions: load(pointer, i), the number that item i is; store(pointer, i, value)."""
    decode, encode = codec(stored, dtype)

    @device_function
    def load(pointer, i):  # type: ignore[no-untyped-def]
        return decode(pointer[i])

    @device_function
    def store(pointer, i, value):  # type: ignore[no-untyped-def]
        pointer[i] = encode(value)

    return load, store


def offset_of(axes: int) -> DeviceFunction:
    """A device function: the place, in items, of element q in C order, for a shape and strides of `axes` axes."""
    if axes == 1:
        return device_function(lambda q, shape, strides: q * strides[0])
    outer, axis = offset_of(axes - 1), axes - 1

    @device_function
    def offset(q, shape, strides):  # type: ignore[no-untyped-def]
        above = q // shape[axis]
        return (q - above * shape[axis]) * strides[axis] + outer(above, shape, strides)

    return offset
