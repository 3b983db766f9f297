"""What kernels are made of: reading and writing any dtype, places in memory.

The functions at the top are compiled otherwise than their bodies say, which are for Numba's simulator; compiling.py
installs what is compiled. The others make device functions for the kernels' templates.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir

__all__ = ["access", "computes_in", "from_bfloat16", "log1p", "offset_of", "to_bfloat16"]

#: The module numba.cuda, once compiling.py has imported it.
cuda: Any = None


def log1p(z: Any) -> Any:
    """log(1 + z). This body is the simulator's: Python's own refuses -1."""
    return np.log1p(z)


def from_bfloat16(bits: Any, like: Any) -> Any:
    """A float32, as the type of `like`, of the upper half of its bits. This body is the simulator's."""
    return type(like)(np.array(int(bits) << 16, np.uint32).view(np.float32))


def to_bfloat16(value: Any, like: Any) -> Any:
    """The upper half of the bits of a float32, rounded to nearest even. This body is the simulator's."""
    bits = int(np.array(value, np.float32).view(np.uint32))
    rounded = bits | 0x400000 if value != value else bits + 0x7FFF + (bits >> 16 & 1)
    return type(like)(rounded >> 16)


def _from_bfloat16(builder: Any, values: Any, cast: Any) -> Any:
    wide = builder.shl(builder.zext(values[0], ir.IntType(32)), ir.Constant(ir.IntType(32), 16))
    return builder.bitcast(wide, ir.FloatType())


def _to_bfloat16(builder: Any, values: Any, cast: Any) -> Any:
    word = ir.IntType(32)
    bits = builder.bitcast(values[0], word)
    odd = builder.and_(builder.lshr(bits, ir.Constant(word, 16)), ir.Constant(word, 1))
    rounded = builder.add(builder.add(bits, ir.Constant(word, 0x7FFF)), odd)
    nan = builder.fcmp_unordered("uno", values[0], values[0])
    kept = builder.select(nan, builder.or_(bits, ir.Constant(word, 0x400000)), rounded)
    return builder.trunc(builder.lshr(kept, ir.Constant(word, 16)), ir.IntType(16))


#: As the primitives: (function, its number of arguments, whose type the result has, LLVM body).
CONVERSIONS = [(from_bfloat16, 2, 1, _from_bfloat16), (to_bfloat16, 2, 1, _to_bfloat16)]


def access(stored: str, dtype: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Device functions: number i as it is computed, and storing one. bfloat16 is stored as uint16."""
    if stored == "bfloat16":

        @cuda.jit(device=True)
        def load(pointer, i):  # type: ignore[no-untyped-def]
            return from_bfloat16(pointer[i], np.float32(0))

        @cuda.jit(device=True)
        def store(pointer, i, value):  # type: ignore[no-untyped-def]
            pointer[i] = to_bfloat16(value, np.uint16(0))
    else:

        @cuda.jit(device=True)
        def load(pointer, i):  # type: ignore[no-untyped-def]
            return dtype(pointer[i])

        @cuda.jit(device=True)
        def store(pointer, i, value):  # type: ignore[no-untyped-def]
            pointer[i] = value

    return load, store


def offset_of(axes: int) -> Callable[..., Any]:
    """A device function: where element q in C order stands, in items, for strides over `axes` axes."""
    if axes == 1:
        return cuda.jit(device=True)(lambda q, shape, strides: q * strides[0])
    outer, axis = offset_of(axes - 1), axes - 1

    @cuda.jit(device=True)
    def offset(q, shape, strides):  # type: ignore[no-untyped-def]
        above = q // shape[axis]
        return (q - above * shape[axis]) * strides[axis] + outer(above, shape, strides)

    return offset


def computes_in(dtype: np.dtype[Any]) -> Any:
    """The scalar type of a kernel's arithmetic: float32 for half types, which are converted on the way."""
    return np.float32 if dtype.itemsize == 2 else dtype.type
