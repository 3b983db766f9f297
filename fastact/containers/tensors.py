"""What libraries of tensors have in common: arguments as arrays of the same memory, and results as tensors again."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastact._core.containers import Adapter

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

    def target(self, out: Any) -> Any:
        """The array to write to in the place of `out`."""
        raise TypeError(f"out is a {type(out).__name__}, which cannot be written to; leave it out")

    def call(self, function: Any, method: str, operands: tuple[Any, ...], options: dict[str, Any]) -> Any:
        name, out = function.name, options.get("out")
        arrays = [self.array(name, each) for each in operands]
        named = {key: self.array(name, value) for key, value in options.items() if key != "out"}
        if out is not None:
            several = out if isinstance(out, tuple) else (out,)
            targets = tuple(each if each is None or type(each) is np.ndarray else self.target(each) for each in several)
            named["out"] = targets if isinstance(out, tuple) else targets[0]
        found = getattr(function, method)(*arrays, **named)
        written = {} if out is None else dict(zip(map(id, targets), several, strict=True))
        like = next(
            given
            for given, array in zip((*operands, *options.values()), (*arrays, *named.values()), strict=False)
            if given is not array
        )
        results = [
            written.get(id(each)) if id(each) in written else self.tensor(each, like)
            for each in (found if isinstance(found, tuple) else (found,))
        ]
        return tuple(results) if isinstance(found, tuple) else results[0]
