"""Calls with dask's arrays, which stay lazy: nothing is computed before the user asks for it."""

from __future__ import annotations

from typing import Any

from fastact._core import dispatch
from fastact._core.containers import Adapter
from fastact._core.operation import Operation
from fastact.dask import class_losses, elementwise, frames, over_axes, sampling
from fastact.dask.blocks import fake, is_lazy

__all__ = ["adapter"]


class _Dask(Adapter):
    def call(self, function: Any, method: str, operands: tuple[Any, ...], options: dict[str, Any]) -> Any:
        options = {name: value for name, value in options.items() if value is not None or name == "axis"}
        if "out" in options:
            raise TypeError(f"{function.name} of dask arrays takes no out: they are lazy, so use what is returned")
        asked = dispatch.requested(options.get("backend"))
        if type(asked) is not str:  # a call that is to be explained
            shown = {name: fake(value) for name, value in options.items()}
            return getattr(function, method)(*map(fake, operands), **shown)
        if asked != "auto":
            options["backend"] = asked
        if any(map(frames.is_frame, (*operands, *options.values()))):
            return frames.call(function, method, operands, options)
        for value in (*operands, *options.values()):
            if type(value).__module__.partition(".")[0] == "dask" and not is_lazy(value):
                raise TypeError(
                    f"{function.name} takes dask arrays and data frames, but no {type(value).__name__}; make an "
                    "array, as by dask.array.from_delayed"
                )
        return _lazy(function, method, operands, options)


def _lazy(function: Any, method: str, operands: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """The call of dask arrays, and of others beside them."""
    if isinstance(function, Operation):
        return elementwise.with_several_results(function, operands, options)
    if hasattr(function, "computation"):
        return over_axes.over_axes(function, operands, **options)
    if function._family == "class loss":
        return class_losses.class_loss(function, method, operands, **options)
    if function.kind == "loss":
        return elementwise.elementwise_loss(function, method, operands, **options)
    if function.kind == "sampling":
        return sampling.gumbel_softmax(*operands, **options)
    if function.kind == "gated unit":
        return elementwise.glu(function, method, operands, **options)
    return sampling.rrelu(*operands, **options)


adapter = _Dask()
