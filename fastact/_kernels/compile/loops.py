"""From a formula to a loop: Numba compiles it for contiguous operands, and native/ufunc.pyx calls the loop.

The loop is a C function of (array of pointers, number of elements); the last pointers are the outputs'. It is written
out in LLVM's terms, because two things that make it fast cannot be said in Python: that no element depends on another,
so that it is vectorised also where an output is an input, and how many vectors to compute side by side. Threads run the
same loops block by block. A loop that an earlier process compiled comes from the cache on disk.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from llvmlite.binding import ffi, get_host_cpu_features
from numba import cfunc, from_dtype, typeof, types
from numba.core import cgutils
from numba.core.compiler_lock import global_compiler_lock
from numba.extending import intrinsic

from fastact._kernels.compile import cache as _cache
from fastact._kernels.native import pool
from fastact._kernels.native.arithmetic import standard_arithmetic
from fastact._kernels.scalar.primitives import JIT_OPTIONS, not_compiling
from fastact.errors import BackendError

__all__ = ["compile_loop"]

#: Vectors of 512 bits where there are any: for some processors LLVM prefers 256 (a gelu took twice as long there).
WIDEST = '"prefer-vector-width"="512"'

_compiled: list[Any] = []  # keeps the machine code alive


def _apply(formula: Any, name: str, arrays: int, numbers: int, outputs: int, vectors: int) -> Callable[..., Any]:
    """An intrinsic (operands, n): a formula of so many operands, and numbers that are read once, for n elements.

    A formula with several outputs returns a tuple of them. One that raises ends the loop.
    """
    inputs = arrays + numbers

    @intrinsic
    def apply(typing_context: Any, operands: Any, n: Any) -> Any:
        item = operands.dtype.dtype
        kind = typeof(formula)
        call = kind.get_call_type(typing_context, (item,) * inputs, {})
        if isinstance(call.return_type, types.Optional):
            raise TypeError(f"{name}: the formula returns None for some x; return a number on every path")

        def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            function = formula.overloads[call.args]
            context.add_linking_libs([function.library])
            set.add(builder.function.attributes, WIDEST)
            builder.function.attributes.alignstack = 64  # else what does not fit into registers lies across cache lines
            pointers = [builder.load(cgutils.gep_inbounds(builder, values[0], k)) for k in range(inputs + outputs)]
            constants = [builder.load(pointer) for pointer in pointers[arrays:inputs]]
            independent = Distinct(builder.module, [])

            before = builder.block
            body, done = builder.append_basic_block("body"), builder.append_basic_block("done")
            zero = ir.Constant(values[1].type, 0)
            builder.cbranch(builder.icmp_signed(">", values[1], zero), body, done)
            builder.position_at_end(body)
            index = builder.phi(values[1].type)
            index.add_incoming(zero, before)
            moving = *pointers[:arrays], *pointers[inputs:]
            places = [builder.gep(pointer, [index], inbounds=True) for pointer in moving]
            items = [builder.load(place) for place in places[:arrays]]
            arguments = [*items, *constants]
            if isinstance(call.args[-1], types.BaseTuple):  # the formula has *parameters
                *_, rest = call.args
                first = len(call.args) - 1
                arguments[first:] = [context.make_tuple(builder, rest, arguments[first:])]
            status, results = context.call_internal_no_propagate(builder, function.fndesc, call, arguments)
            with builder.if_then(status.is_error, likely=False):
                _raise(context, builder, status, name)
                builder.branch(done)
            kinds = call.return_type
            if outputs == 1:
                results, kinds = [results], [kinds]
            else:
                results = cgutils.unpack_tuple(builder, results)
            results = [context.cast(builder, *each, item) for each in zip(results, kinds, strict=True)]
            stores = [builder.store(*each) for each in zip(results, places[arrays:], strict=True)]
            for access in (*items, *stores):
                access.set_metadata("llvm.access.group", independent)
            following = builder.add(index, ir.Constant(index.type, 1), flags=["nsw"])
            index.add_incoming(following, builder.block)
            back = builder.cbranch(builder.icmp_signed("<", following, values[1]), body, done)
            back.set_metadata("llvm.loop", _loop_metadata(builder.module, independent, vectors))
            builder.position_at_end(done)
            return context.get_dummy_value()

        return types.void(operands, n), build

    return apply


def _raise(context: Any, builder: Any, status: Any, name: str) -> None:
    """Raise in Python what a formula raised, for the caller of the loop.

    LLVM removes it from loops whose formula cannot raise. Others call Python, and so are not kept on disk.
    """
    number, text = context.get_value_type(types.uintp), ir.IntType(8).as_pointer()
    kinds = ir.FunctionType(number, []), ir.FunctionType(ir.VoidType(), [number, text])
    enter, leave = (
        builder.inttoptr(ir.Constant(number, address), kind.as_pointer())
        for address, kind in zip(pool.raising_functions(), kinds, strict=True)
    )
    entered = builder.call(enter, [])
    context.call_conv.raise_error(builder, context.get_python_api(builder), status)
    builder.call(leave, [entered, context.insert_const_string(builder.module, name)])


#: Loops that use few values at a time: with 32 registers, eight vectors side by side take 3 to 11 % less time than 4.
_FEW_VALUES = frozenset({
    "gelu_tanh", "quick_gelu", "sigmoid_backward", "sigmoid_derivative", "silu", "tanh_backward", "tanh_derivative",
})  # fmt: skip


def _vectors(name: str) -> int:
    """How many vectors a loop computes side by side.

    On average four take 4 % less time than two with AVX-512's 32 registers, from 20 % less (telu) to 10 % more (silu),
    and 6 % less with AVX2's 16. Other instruction sets were not measured.
    """
    return 8 if name in _FEW_VALUES and get_host_cpu_features().get("avx512f") else 4


def _loop_metadata(module: Any, independent: Any, vectors: int) -> Any:
    """What LLVM is told of the loop: these accesses do not depend on other rounds; so many vectors side by side."""
    parallel = module.add_metadata(["llvm.loop.parallel_accesses", independent])
    interleaved = module.add_metadata(["llvm.loop.interleave.count", ir.Constant(ir.IntType(32), vectors)])
    loop = Distinct(module, [parallel, interleaved])
    loop.operands = (loop, *loop.operands)  # loops are told apart by nodes that name themselves
    return loop


class Distinct(ir.values.MDValue):
    """A node of LLVM's metadata that is itself alone, whatever it holds."""

    def __init__(self, module: Any, operands: list[Any]) -> None:
        super().__init__(module, operands, name=str(len(module.metadata)))

    def descr(self, buffer: Any) -> None:
        buffer.append("distinct ")
        super().descr(buffer)


def compile_loop(
    formula: Callable[..., Any],
    name: str,
    inputs: int,
    parameters: int,
    outputs: int,
    dtype: np.dtype[Any],
    array_parameters: bool,
) -> int:
    """The address of a loop that applies `formula` to `inputs` arrays and to parameters, arrays or numbers too.

    `name` stands in what a formula raises.
    """
    reason = not_compiling()
    if reason is not None:
        raise BackendError(f"{name} cannot be compiled: {reason}")
    arrays = inputs + (parameters if array_parameters else 0)
    layout = arrays, inputs + parameters - arrays, outputs, _vectors(name), dtype.str
    key = _cache.key(formula, layout)
    address = _cache.load(key)
    if address is None:
        collecting = gc.isenabled()
        gc.disable()  # a tenth of a compilation would be the collector's looks at objects that all live on
        try:
            with standard_arithmetic():  # constants are rounded
                function = _compile(formula, name, *layout)
        finally:
            if collecting:
                gc.enable()
        _cache.store(key, function)
        address = int(function.address)
    return address


def _compile(
    formula: Callable[..., Any], name: str, arrays: int, numbers: int, outputs: int, vectors: int, dtype: str
) -> Any:
    """Numba's object for such a loop."""
    apply = _apply(formula, name, arrays, numbers, outputs, vectors)

    def loop(operands, n):  # type: ignore[no-untyped-def]
        apply(operands, n)

    signature = types.void(types.CPointer(types.CPointer(from_dtype(np.dtype(dtype)))), types.intp)
    function = cfunc(signature, **{**JIT_OPTIONS, "forceinline": False})(loop)
    _compiled.append(function)
    return function


#: What a thread holds while it compiles, in the order in which Numba takes them.
_COMPILERS_LOCKS = global_compiler_lock, ffi.lib._lock


def _await_compilers() -> None:
    """Before a fork: let other threads end what they compile. Their locks would stay shut in the child."""
    for lock in _COMPILERS_LOCKS:
        lock.__enter__()


def _release_compilers() -> None:
    for lock in reversed(_COMPILERS_LOCKS):
        lock.__exit__(None, None, None)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_await_compilers, after_in_parent=_release_compilers, after_in_child=_release_compilers)
