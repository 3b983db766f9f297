"""The serial CPU backend: Numba compiles any formula into a loop over contiguous operands, which _ufunc.pyx calls.

The loop is a C function of (array of pointers, number of elements). LLVM vectorises it because formulas have no
branches and the pointers are read once, before the loop. The parallel backend runs the same loops block by block. A
loop that an earlier process compiled comes from the cache on disk.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import cfunc, from_dtype, njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from fastact import _cache
from fastact._primitives import JIT_OPTIONS
from fastact._ufunc import Threads

__all__ = ["compile_loop", "elementwise", "why_not"]

_compiled: list[Any] = []  # keeps the machine code alive


def why_not() -> str | None:
    return None


def elementwise(operation: Any, operands: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    return operation.run(Threads.SERIAL, operands, keywords)


def _pointers(first: int, count: int) -> Callable[..., Any]:
    """An intrinsic: entries first to first + count of an array of pointers, as a tuple."""

    @intrinsic
    def pointers(_context: Any, operands: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            loaded = [builder.load(cgutils.gep_inbounds(builder, values[0], first + i)) for i in range(count)]
            return context.make_tuple(builder, signature.return_type, loaded)

        return types.UniTuple(operands.dtype, count)(operands), build

    return pointers


def _items(count: int) -> Callable[..., Any]:
    """An intrinsic: item i behind each of a tuple of pointers, as a tuple."""

    @intrinsic
    def items(_context: Any, pointers: Any, i: Any) -> Any:
        item = pointers.dtype.dtype if count else types.float64

        def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            tuple_, index = values
            loaded = [builder.load(builder.gep(builder.extract_value(tuple_, k), [index])) for k in range(count)]
            return context.make_tuple(builder, signature.return_type, loaded)

        return types.UniTuple(item, count)(pointers, types.intp), build

    return items


def compile_loop(
    formula: Callable[..., Any], inputs: int, parameters: int, dtype: np.dtype[Any], array_parameters: bool
) -> int:
    """The address of a loop that applies `formula` to `inputs` arrays and to parameters, arrays or numbers too."""
    layout = inputs, parameters, dtype.str, array_parameters or not parameters
    name = _cache.key(formula, layout)
    address = _cache.load(name)
    if address is None:
        collecting = gc.isenabled()
        gc.disable()  # a tenth of a compilation would be the collector's looks at objects that all live on
        try:
            function = _compile(formula, inputs, parameters, dtype, array_parameters)
        finally:
            if collecting:
                gc.enable()
        _cache.store(name, function)
        address = int(function.address)
    return address


def _compile(
    formula: Callable[..., Any], inputs: int, parameters: int, dtype: np.dtype[Any], array_parameters: bool
) -> Any:
    """Numba's object for such a loop."""
    per_element = inputs + (parameters if array_parameters else 0)
    read_arrays, items = _pointers(0, per_element), _items(per_element)
    read_output = _pointers(inputs + parameters, 1)
    options = {**JIT_OPTIONS, "forceinline": False}

    if array_parameters or not parameters:

        @njit(**options)
        def loop(operands, n):  # type: ignore[no-untyped-def]
            arrays = read_arrays(operands)
            output = read_output(operands)[0]
            for i in range(n):
                output[i] = formula(*items(arrays, i))
    else:
        read_parameters, numbers = _pointers(inputs, parameters), _items(parameters)

        @njit(**options)
        def loop(operands, n):  # type: ignore[no-untyped-def]
            arrays = read_arrays(operands)
            constants = numbers(read_parameters(operands), 0)
            output = read_output(operands)[0]
            for i in range(n):
                output[i] = formula(*(items(arrays, i) + constants))

    signature = types.void(types.CPointer(types.CPointer(from_dtype(dtype))), types.intp)
    function = cfunc(signature, **options)(loop.py_func)
    _compiled.append(function)
    return function
