"""A loop on Numba's threads: one `prange` loop, compiled once, that runs any of fastact's C tasks."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import cfunc, njit, prange, types
from numba.extending import intrinsic

__all__ = ["compile_launcher"]

_compiled: list[Any] = []  # keeps the machine code alive


@intrinsic
def _call(_context: Any, function: Any, argument: Any, worker: Any) -> Any:
    """Call the C function `void f(void *argument, intp worker)` at an address."""

    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        pointer = ir.IntType(8).as_pointer()
        c_function = ir.FunctionType(ir.VoidType(), [pointer, values[2].type]).as_pointer()
        builder.call(builder.inttoptr(values[0], c_function), [builder.inttoptr(values[1], pointer), values[2]])
        return context.get_dummy_value()

    return types.void(types.uintp, types.uintp, types.intp), build


def compile_launcher() -> int:
    """The address of `void launch(intp workers, void *function, void *argument)`: a call for each worker."""

    @njit(parallel=True, error_model="numpy")
    def launch(workers, function, argument):  # type: ignore[no-untyped-def]
        for worker in prange(workers):
            _call(function, argument, worker)

    @cfunc(types.void(types.intp, types.uintp, types.uintp))
    def entry(workers, function, argument):  # type: ignore[no-untyped-def]
        launch(workers, function, argument)

    _compiled.append(entry)
    return int(entry.address)  # type: ignore[arg-type]
