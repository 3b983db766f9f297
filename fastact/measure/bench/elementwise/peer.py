"""What each library's file in this folder ends with: its table, and how to make a contender of an entry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from fastact.measure.bench.cases import Array
from fastact.measure.bench.timing import Contender

__all__ = ["ALPHA", "SCALE", "Peer"]

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
