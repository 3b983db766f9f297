"""The loops on one core or on fastact's own threads, as the work of a call decides: elementwise calls by default."""

from __future__ import annotations

from typing import Any

from fastact._core.backends import in_force
from fastact._kernels.native.ufunc import Threads
from fastact.backends.cpu.loops import Loops

__all__ = ["backend"]


class Automatic(Loops):
    """Also reached past the dispatcher: an operation that is called sends common calls straight to its loop."""

    def apply(self, operation: Any, operands: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        if in_force.get() is None:
            return operation(*operands, **keywords)
        return self.elementwise(operation, operands, keywords)  # asked for by "auto" in a block that asks for another


backend = Automatic("automatic", Threads.AUTO)
