"""How a library says which elementwise functions it has, and what several libraries need for a case."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastact.measure.bench.cases import Array, Case
from fastact.measure.bench.timing import Contender

__all__ = ["ALPHA", "SCALE", "Peer", "counts", "keep", "projection"]

#: Of selu.
ALPHA, SCALE = 1.6732632423543772, 1.0507009873554805


class Peer(NamedTuple):
    """A library's elementwise functions, and the parts, dtypes and layouts it can do.

    `by_slope`: the table has a pair for each function, its value and its slope, of which one may be missing.
    """

    table: dict[str, Any]
    make: Callable[[str, str, tuple[Array, ...], Array | None], Contender | None]
    parts: tuple[str, ...] = ("forward", "derivative", "backward")
    dtypes: tuple[str, ...] = ("float32", "float64")
    any_layout: bool = True
    by_slope: bool = False

    def has(self, name: str, part: str) -> bool:
        """Whether the library has this part of an activation."""
        if name not in self.table or part not in self.parts:
            return False
        return not self.by_slope or bool(self.table[name][part != "forward"])

    def contender(self, name: str, part: str, arrays: tuple[Array, ...], out: Array | None = None) -> Contender | None:
        """The library's call for a part of an activation on these arrays; None where it has none."""
        simple = self.any_layout or all(array.ndim == 1 and array.flags.c_contiguous for array in arrays)
        if not self.has(name, part) or arrays[0].dtype.name not in self.dtypes or not simple:
            return None
        return self.make(name, part, arrays, out)


def keep(case: Case) -> Array:
    """Where the elements of a softmax case count."""
    rng = np.random.default_rng(2)
    if case.data == "causal":
        return np.tri(*case.shape[-2:], dtype=bool)
    if case.data == "padding":
        return np.arange(case.shape[-1]) < rng.integers(1, case.shape[-1] + 1, case.shape[0]).reshape(-1, 1, 1, 1)
    mask = rng.random(case.shape) < 0.8
    mask[..., 0] = True
    return mask


def counts(case: Case) -> Array:
    """1, 2, 3 ... along the axis."""
    rank, axis = len(case.shape), case.axis % len(case.shape)
    found = np.arange(1, case.shape[axis] + 1, dtype=case.dtype)
    return found.reshape([-1 if i == axis else 1 for i in range(rank)])


def projection(name: str, lib: Any, x: Any, axis: int, falling: Any, counts: Any) -> Any:
    """The papers' sparsemax and entmax15 in the functions that torch and jax.numpy share; `falling` is x sorted."""
    total = lib.cumsum(falling, axis)
    if name == "sparsemax":
        thresholds = (total - 1) / counts
    else:
        mean = total / counts
        spread = lib.cumsum(falling * falling, axis) / counts - mean * mean
        thresholds = mean - lib.sqrt(lib.clip(1 / counts - spread, 0))
    last = (falling > thresholds).sum(axis, keepdims=True) - 1
    over = lib.clip(x - lib.take_along_axis(thresholds, last, axis), 0)
    return over if name == "sparsemax" else over * over
