"""Calls with dask's arrays, which stay lazy."""

from __future__ import annotations

from typing import Any

from fastact._core.containers import Adapter

__all__ = ["adapter"]


class _Dask(Adapter):
    def call(self, function: Any, method: str, operands: tuple[Any, ...], options: dict[str, Any]) -> Any:
        raise NotImplementedError(f"{function.name} of dask's arrays")


adapter = _Dask()
