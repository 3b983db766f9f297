"""What the backends that run Numba's loops have in common; they differ in the threads that do it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from fastact._core.arguments import SoftmaxArguments
from fastact._kernels.native.ufunc import Threads
from fastact._kernels.scalar.primitives import not_compiling
from fastact.backends.host import Elementwise

__all__ = ["Loops"]


class Loops(Elementwise):
    """Elementwise functions and the softmax family by loops that Numba compiled."""

    loops = True

    def __init__(self, name: str, threads: Threads) -> None:
        self.name, self.threads = name, threads

    def why_not(self) -> str | None:
        return not_compiling()

    def elementwise(self, operation: Any, operands: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        return operation._run(self.threads, operands, keywords)

    def over_axes(self, record: SoftmaxArguments) -> Any:
        return record.finished(_over_axes()(self.threads, record))


@functools.cache
def _over_axes() -> Callable[[Threads, SoftmaxArguments], NDArray[Any]]:
    """Loaded late: its imports take 30 ms, which `import fastact` is spared."""
    from fastact.backends.cpu.over_rows import over_axes

    return over_axes
