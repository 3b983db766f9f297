"""Calls with dask's arrays, which stay lazy: nothing is computed before the user asks for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastact._core import dispatch
from fastact._core.containers import Adapter
from fastact.dask import over_axes
from fastact.dask.blocks import fake, is_lazy

__all__ = ["adapter"]


class _Dask(Adapter):
    def call(self, function: Any, method: str, operands: tuple[Any, ...], options: dict[str, Any]) -> Any:
        options = {name: value for name, value in options.items() if value is not None or name == "axis"}
        if options.pop("out", None) is not None:
            raise TypeError(f"{function.name} of dask arrays takes no out, as nothing is computed yet; use the result")
        asked = dispatch.requested(options.get("backend"))
        if type(asked) is not str:  # a call that is to be explained
            shown = {name: fake(value) for name, value in options.items()}
            return getattr(function, method)(*map(fake, operands), **shown)
        if asked != "auto":
            options["backend"] = asked
        return over_axes.over_axes(function, operands, **options)

adapter = _Dask()
