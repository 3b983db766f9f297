"""What libraries of tensors have in common: arguments as arrays of the same memory, and results as tensors again."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastact._core.containers import Adapter
from fastact.interop.containers.roles import Call, of_each

__all__ = ["Tensors"]


class Tensors(Adapter):
    """An adapter for tensors in host memory."""

    elementwise = True

    def array(self, function: str, value: Any) -> Any:
        """The array that shares the memory of an argument, if that is a tensor; anything else as it is."""
        raise NotImplementedError

    def tensor(self, array: Any, like: Any) -> Any:
        """A tensor of the numbers of an array or a scalar, of the kind of another."""
        raise NotImplementedError

    def target(self, function: str, out: Any) -> Any:
        """The array to write to in the place of `out`."""
        if out is None or type(out) is np.ndarray:
            return out
        raise TypeError(f"out is a {type(out).__name__}, which cannot be written to; leave it out")

    def call(self, function: Any, method: str, operands: tuple[Any, ...], options: dict[str, Any]) -> Any:
        name, call = function.name, Call(function, method, operands, options)
        out = call.arguments.pop("out", None)
        arrays = call.each(lambda each: self.array(name, each))
        tensors = [each for key, each in call.arguments.items() if arrays[key] is not each]
        like = tensors[0] if tensors else out
        if like is None:
            raise self.refusal(function, call.arguments.values())
        if out is None:
            return of_each(call.made(arrays), lambda result: self.tensor(result, like))
        outputs = out if isinstance(out, tuple) else (out,)
        targets = tuple(self.target(name, each) for each in outputs)
        arrays["out"] = targets if isinstance(out, tuple) else targets[0]

        def tensor(result: Any) -> Any:
            written = next((o for o, target in zip(outputs, targets, strict=True) if target is result), None)
            return self.tensor(result, like) if written is None else written

        return of_each(call.made(arrays), tensor)
