"""What kernels are made of: reading and writing any dtype, places in memory.

The functions at the top are compiled otherwise than their bodies say, which are for Numba's simulator; compiling.py
installs what is compiled. The others make device functions for the kernels' templates.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import types

__all__ = [
    "CONVERSIONS", "Kernel", "access", "codec", "compile_counters", "compile_eights", "computes_in", "fetch_add", "fma",
    "from_bfloat16", "load_acquire", "load_eight", "log1p", "offset_of", "store_eight", "to_bfloat16",
]  # fmt: skip

#: The module numba.cuda, once compiling.py has imported it.
cuda: Any = None


class Kernel(NamedTuple):
    """What templates make."""

    function: Callable[..., None]
    arguments: tuple[Any, ...]  # a dtype is a pointer to items of it, a type a number, and tuples are tuples of these
    block: int  # threads


def log1p(z: Any) -> Any:
    """log(1 + z). This body is the simulator's: Python's own refuses -1."""
    return np.log1p(z)


def fma(a: Any, b: Any, c: Any) -> Any:
    """a * b + c, rounded once. This body is the simulator's."""
    if not np.isfinite(a * b + c):
        return a * b + c
    return type(c)(float(Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))))


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


def fetch_add(pointer: Any, i: Any) -> Any:
    """The item i, an int32, which is 1 more then: what was written before is seen by who sees that. This body is the
    simulator's."""
    old = pointer[i]
    pointer[i] = old + 1
    return old


def load_acquire(pointer: Any, i: Any) -> Any:
    """The item i, an int32, and with it all that was written before it. This body is the simulator's."""
    return pointer[i]


def load_eight(pointer: Any, i: Any) -> Any:
    """Items i to i + 7, of 2 bytes, from a multiple of 16 bytes on, in one access. This body is the simulator's."""
    return tuple(pointer[i + k] for k in range(8))


def store_eight(pointer: Any, i: Any, values: Any) -> None:
    """The same for writing. This body is the simulator's."""
    for k in range(8):
        pointer[i + k] = values[k]


def compile_counters(extending: Any) -> None:
    """Give the compiler what `fetch_add` and `load_acquire` do."""
    word = ir.IntType(32)
    texts = {
        fetch_add: "{ .reg .u64 p; cvta.to.global.u64 p, $1; atom.add.acq_rel.gpu.global.u32 $0, [p], 1; }",
        load_acquire: "{ .reg .u64 p; cvta.to.global.u64 p, $1; ld.acquire.gpu.global.u32 $0, [p]; }",
    }
    for function, text in texts.items():
        assembly = ir.InlineAsm(ir.FunctionType(word, [word.as_pointer()]), text, "=r,l,~{memory}", side_effect=True)
        _compile_access(extending, function, assembly)


def _compile_access(extending: Any, function: Callable[..., Any], assembly: ir.InlineAsm) -> None:
    """Let function(pointer, i) be this assembly, of the address of item i, an int32, which it gives."""

    @extending.intrinsic
    def access(_context: Any, pointer: Any, i: Any) -> Any:
        def build(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            return builder.call(assembly, [builder.gep(values[0], [values[1]])])

        return types.int32(pointer, i), build

    extending.overload(function)(lambda pointer, i: lambda pointer, i: access(pointer, i))


def compile_eights(extending: Any) -> None:
    """Give the compiler what `load_eight` and `store_eight` do."""

    word, half = ir.IntType(32), ir.IntType(16)
    address = half.as_pointer()
    # As text: LLVM makes vectors of eight 16-bit numbers of anything else, and two accesses of those.
    load_text = "{ .reg .u64 p; cvta.to.global.u64 p, $4; ld.global.v4.u32 {$0, $1, $2, $3}, [p]; }"
    store_text = "{ .reg .u64 p; cvta.to.global.u64 p, $0; st.global.v4.u32 [p], {$1, $2, $3, $4}; }"
    load_type = ir.FunctionType(ir.LiteralStructType([word] * 4), [address])
    load_words = ir.InlineAsm(load_type, load_text, "=r,=r,=r,=r,l,~{memory}", side_effect=True)
    store_type = ir.FunctionType(ir.VoidType(), [address, *[word] * 4])
    store_words = ir.InlineAsm(store_type, store_text, "l,r,r,r,r,~{memory}", side_effect=True)

    @extending.intrinsic
    def load(_context: Any, pointer: Any, i: Any) -> Any:
        signature = types.UniTuple(pointer.dtype, 8)(pointer, i)

        def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            loaded = builder.call(load_words, [builder.bitcast(builder.gep(values[0], [values[1]]), address)])
            each = []
            for k in range(8):
                pair = builder.extract_value(loaded, k // 2)
                each.append(builder.trunc(builder.lshr(pair, ir.Constant(word, 16 * (k % 2))), half))
            return context.make_tuple(builder, signature.return_type, each)

        return signature, build

    @extending.intrinsic
    def store(_context: Any, pointer: Any, i: Any, values: Any) -> Any:
        signature = types.void(pointer, i, values)

        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pairs = []
            for k in range(0, 8, 2):
                low, high = (builder.zext(builder.extract_value(arguments[2], k + j), word) for j in range(2))
                pairs.append(builder.or_(low, builder.shl(high, ir.Constant(word, 16))))
            place = builder.bitcast(builder.gep(arguments[0], [arguments[1]]), address)
            builder.call(store_words, [place, *pairs])
            return context.get_dummy_value()

        return signature, build

    extending.overload(load_eight)(lambda pointer, i: lambda pointer, i: load(pointer, i))
    extending.overload(store_eight)(lambda pointer, i, values: lambda pointer, i, values: store(pointer, i, values))


def codec(stored: str, dtype: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Device functions: from an item in memory to the number that is computed with, and back. bfloat16 is a uint16."""
    if stored == "bfloat16":
        decode = cuda.jit(device=True)(lambda item: from_bfloat16(item, np.float32(0)))
        encode = cuda.jit(device=True)(lambda value: to_bfloat16(value, np.uint16(0)))
    else:
        decode = cuda.jit(device=True)(lambda item: dtype(item))
        kind = np.uint8 if stored == "bool" else np.dtype(stored).type
        encode = cuda.jit(device=True)(lambda value: kind(value))
    return decode, encode


def access(stored: str, dtype: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Device functions: number i behind a pointer as it is computed with, and storing one."""
    decode, encode = codec(stored, dtype)

    @cuda.jit(device=True)
    def load(pointer, i):  # type: ignore[no-untyped-def]
        return decode(pointer[i])

    @cuda.jit(device=True)
    def store(pointer, i, value):  # type: ignore[no-untyped-def]
        pointer[i] = encode(value)

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
