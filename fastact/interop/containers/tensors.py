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

    def target(self, function: str, out: Any) -> Any:
        """The array to write to in the place of `out`."""
        if out is None or type(out) is np.ndarray:
            return out
        raise TypeError(f"out is a {type(out).__name__}, which cannot be written to; leave it out")

    def call(self, function: Any, method: str, operands: tuple[Any, ...], options: dict[str, Any]) -> Any:
        name = function.name
        pairs = [(each, self.array(name, each)) for each in operands]
        named = {key: (each, self.array(name, each)) for key, each in options.items() if key != "out"}
        keywords = {key: array for key, (_, array) in named.items()}
        if all(given is array for given, array in (*pairs, *named.values())) and options.get("out") is None:
            raise self.refusal(function, (*operands, *options.values()))
        out = options.get("out")
        outputs = out if isinstance(out, tuple) else (out,)
        targets = tuple(self.target(name, each) for each in outputs)
        if out is not None:
            keywords["out"] = targets if isinstance(out, tuple) else targets[0]
        found = getattr(function, method)(*(array for _, array in pairs), **keywords)
        like = next((given for given, array in (*pairs, *named.values()) if given is not array), out)
        results = []
        for each in found if isinstance(found, tuple) else (found,):
            written = next((o for o, target in zip(outputs, targets, strict=True) if target is each), None)
            results.append(self.tensor(each, like) if written is None else written)
        return tuple(results) if isinstance(found, tuple) else results[0]
