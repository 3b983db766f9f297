"""The loops on Numba's threads: one `prange` loop, compiled once, that runs any of fastact's C tasks.

The loops themselves are the serial backend's; _threads.pyx decides when this one may run and hands out blocks. It waits
for every thread of Numba's pool, which takes milliseconds where other processes keep the cores busy: by name only.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import cfunc, njit, prange, types
from numba.extending import intrinsic

from fastact._native import pool as _threads
from fastact._native.ufunc import Threads
from fastact._scalar.primitives import not_compiling
from fastact.errors import BackendError

__all__ = ["compile_launcher", "elementwise", "softmax", "why_not"]

_compiled: list[Any] = []  # keeps the machine code alive


def why_not() -> str | None:
    return not_compiling() or _threads.numba_refusal()


def _start() -> None:
    """Start Numba's threads, or raise an error that says why they cannot start. `why_not` only looks."""
    reason = _threads.numba_refusal(start=True)
    if reason is not None:
        raise BackendError(f"backend 'parallel' is not available: {reason}")


def elementwise(operation: Any, operands: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    _start()
    return operation.run(Threads.NUMBA, operands, keywords)


def softmax(*arguments: Any) -> Any:
    from fastact.backends.cpu import over_rows  # 30 ms, which `import fastact` is spared

    _start()
    return over_rows.softmax(Threads.NUMBA, *arguments)


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
