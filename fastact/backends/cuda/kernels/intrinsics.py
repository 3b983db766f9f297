"""What kernels call and CUDA Python lacks: exact arithmetic, conversions, accesses to memory.

The bodies of the functions are for Numba's simulator. `register` gives the compiler others, of which most are LLVM or
PTX. To add one, write its body and, in `register` or a table that it reads, what is compiled.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
from llvmlite import ir
from numba import cuda
from numba.core import cgutils, types

from fastact._kernels.scalar.primitives import fma as fused
from fastact._kernels.scalar.primitives import install

__all__ = [
    "exchange", "fetch_add", "fma", "from_bfloat16", "load_acquire", "load_eight", "log1p", "quick_exp", "register",
    "store_eight", "to_bfloat16",
]  # fmt: skip

#: The most threads that a block can have.
MOST_THREADS = 1024


# --- arithmetic -------------------------------------------------------------------------------------------------------


def log1p(z: Any) -> Any:
    """log(1 + z)."""
    return np.log1p(z)  # math.log1p refuses -1


def fma(a: Any, b: Any, c: Any) -> Any:
    """a * b + c, rounded once."""
    if not np.isfinite(a * b + c):
        return a * b + c
    return type(c)(float(Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))))


def quick_exp(x: Any) -> Any:
    """e**x of a float32 in two instructions, which is off by at most 2**-17 of itself for x from -90 to 0.

    2**-22 of that is the GPU's power of two (CUDA C++ programming guide, __exp2f), the rest is what rounding takes from
    the exponent.
    """
    return np.exp(x)


def exchange(value, step):  # type: ignore[no-untyped-def]
    """The value of the thread whose number in the warp differs in the bit `step`."""
    shared = cuda.shared.array(MOST_THREADS, np.float64)
    me = cuda.threadIdx.x
    shared[me] = value
    cuda.syncthreads()
    other = shared[me ^ step]
    cuda.syncthreads()
    return other


# --- conversions ------------------------------------------------------------------------------------------------------


def from_bfloat16(bits: Any, like: Any) -> Any:
    """The float32 whose upper half `bits` is, in the type of `like`."""
    return type(like)(np.array(int(bits) << 16, np.uint32).view(np.float32))


def to_bfloat16(value: Any, like: Any) -> Any:
    """The upper half of a float32, rounded to nearest even, in the type of `like`."""
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


# --- memory -----------------------------------------------------------------------------------------------------------


def fetch_add(pointer: Any, i: Any) -> Any:
    """Item i, an int32, to which 1 is added; a thread that sees the sum sees all that was written before."""
    old = pointer[i]
    pointer[i] = old + 1
    return old


def load_acquire(pointer: Any, i: Any) -> Any:
    """Item i, an int32, and with it all that was written before it."""
    return pointer[i]


def load_eight(pointer: Any, i: Any) -> Any:
    """Items i to i + 7, of 2 bytes each, in one access; their address divides by 16."""
    return tuple(pointer[i + k] for k in range(8))


def store_eight(pointer: Any, i: Any, values: Any) -> None:
    """Store items i to i + 7, of 2 bytes each, in one access; their address divides by 16."""
    for k in range(8):
        pointer[i + k] = values[k]


# --- what is compiled -------------------------------------------------------------------------------------------------

#: As the primitives: (function, its number of arguments, index of the argument whose type is the result's, LLVM body).
CONVERSIONS = [(from_bfloat16, 2, 1, _from_bfloat16), (to_bfloat16, 2, 1, _to_bfloat16)]

#: Function of a pointer to int32 and an index -> PTX that gives $0 of the address $1.
ORDERED = {
    fetch_add: "{ .reg .u64 p; cvta.to.global.u64 p, $1; atom.add.acq_rel.gpu.global.u32 $0, [p], 1; }",
    load_acquire: "{ .reg .u64 p; cvta.to.global.u64 p, $1; ld.acquire.gpu.global.u32 $0, [p]; }",
}


def register(extending: Any) -> None:
    """Give the compiler what these functions do; `extending` is numba.cuda.extending."""
    for conversion in CONVERSIONS:
        install(extending, *conversion)
    for function, text in ORDERED.items():
        _register_ordered(extending, function, text)
    _register_eights(extending)
    _register_quick_exp(extending)
    extending.overload(log1p)(lambda z: lambda z: math.log1p(z))
    extending.overload(fma)(lambda a, b, c: lambda a, b, c: fused(a, b, c))
    extending.overload(exchange)(lambda value, step: lambda value, step: cuda.shfl_xor_sync(0xFFFFFFFF, value, step))


def _register_ordered(extending: Any, function: Callable[..., Any], text: str) -> None:
    word = ir.IntType(32)
    assembly = ir.InlineAsm(ir.FunctionType(word, [word.as_pointer()]), text, "=r,l,~{memory}", side_effect=True)

    @extending.intrinsic
    def access(_context: Any, pointer: Any, i: Any) -> Any:
        def build(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            return builder.call(assembly, [builder.gep(values[0], [values[1]])])

        return types.int32(pointer, i), build

    extending.overload(function)(lambda pointer, i: lambda pointer, i: access(pointer, i))


def _register_quick_exp(extending: Any) -> None:
    single = ir.FloatType()

    @extending.intrinsic
    def power_of_two(_context: Any, x: Any) -> Any:
        def build(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            kind = ir.FunctionType(single, [single])
            name = "llvm.nvvm.ex2.approx.f"  # as PTX, it would be computed anew for each use
            return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), values)

        return types.float32(types.float32), build

    log2_e = np.float32(math.log2(math.e))
    extending.overload(quick_exp)(lambda x: lambda x: power_of_two(x * log2_e))


def _register_eights(extending: Any) -> None:
    word, half = ir.IntType(32), ir.IntType(16)
    address = half.as_pointer()
    # PTX, because LLVM makes vectors of eight 16-bit numbers of anything else, and two accesses of those.
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
