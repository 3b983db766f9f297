"""The sparse arrays of pydata/sparse: elementwise functions are theirs, by ufuncs; all others are refused."""

from __future__ import annotations

from typing import Any

from fastact._core.containers import Adapter
from fastact.interop.containers.roles import is_elementwise

__all__ = ["adapter"]


class _Sparse(Adapter):
    def call(self, function: Any, method: str, operands: tuple[Any, ...], options: dict[str, Any]) -> Any:
        if is_elementwise(function):
            return NotImplemented
        raise TypeError(
            f"{function.name} counts the zeros that a sparse array leaves out; pass x.todense(), or call it on what a "
            "row holds"
        )


adapter = _Sparse()
