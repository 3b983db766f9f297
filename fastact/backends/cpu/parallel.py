"""The `parallel` backend: the loops on Numba's threads.

native/pool.pyx decides when it may run, and hands out blocks. A call waits for every thread of Numba's pool, which
takes milliseconds where other processes keep the cores busy: hence by name only.
"""

from __future__ import annotations

from typing import Any

from fastact._core.arguments import SoftmaxArguments
from fastact._kernels.native import pool
from fastact._kernels.native.ufunc import Threads
from fastact.backends.cpu.loops import Loops
from fastact.errors import BackendError

__all__ = ["backend"]


class Parallel(Loops):
    """`why_not` only looks whether Numba's threads can start; a call starts them, or says why they cannot."""

    def why_not(self) -> str | None:
        return super().why_not() or pool.numba_refusal()

    def elementwise(self, operation: Any, operands: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        _start()
        return super().elementwise(operation, operands, keywords)

    def over_axes(self, record: SoftmaxArguments) -> Any:
        _start()
        return super().over_axes(record)


def _start() -> None:
    reason = pool.numba_refusal(start=True)
    if reason is not None:
        raise BackendError(f"backend 'parallel' is not available: {reason}")


backend = Parallel("parallel", Threads.NUMBA)
