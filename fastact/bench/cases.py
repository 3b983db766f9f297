"""The grid of benchmark cases and the arrays of each: activation x part x dtype x size x layout.

Imported by the benchmarks, the command `bench` and tests/test_peers.py, so that what is timed is what is tested. A new
activation is in the grid by itself; a new layout is a name in LAYOUTS and its arrays in `operands`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

import fastact as fa

__all__ = ["DTYPES", "LAYOUTS", "PARTS", "SIZES", "Array", "Case", "Operands", "activations", "grid", "operands"]

Array = np.ndarray[Any, np.dtype[Any]]

PARTS = ("forward", "derivative", "backward")
DTYPES = ("float16", "bfloat16", "float32", "float64")
SIZES = (1, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)
#: new: the result is a new array. out: it goes to a given one. inplace: to x, in a backward pass to grad_output.
#: strided: every second element of an array in, a new contiguous array out. transposed: columns in, columns out.
LAYOUTS = ("new", "out", "inplace", "strided", "transposed")


class Case(NamedTuple):
    """One thing to be timed."""

    name: str
    part: str = "forward"
    dtype: str = "float32"
    size: int = 1_000_000
    layout: str = "new"

    @property
    def operation(self) -> Callable[..., Any]:
        activation = fa.get(self.name)
        return activation if self.part == "forward" else getattr(activation, self.part)

    @property
    def bytes(self) -> int:
        """What must be read and written: one array of each operand, and the result."""
        return (3 if self.part == "backward" else 2) * self.size * dtype(self.dtype).itemsize


class Operands(NamedTuple):
    """The arrays of a case; `original` is what an array that the result goes over held before."""

    arrays: tuple[Array, ...]
    out: Array | None
    original: Array | None

    def restore(self) -> None:
        """Undo the last call: results of results end up as 0, infinity or subnormals, which have other speeds."""
        if self.out is not None and self.original is not None:
            np.copyto(self.out, self.original)


def activations() -> list[str]:
    """The names of all elementwise activations."""
    return [name for name in fa.names() if isinstance(fa.get(name), fa.Activation)]


def grid(
    names: Sequence[str],
    parts: Sequence[str] = PARTS,
    dtypes: Sequence[str] = ("float32", "float64"),
    sizes: Sequence[int] = SIZES,
    layouts: Sequence[str] = LAYOUTS,
) -> Iterator[Case]:
    """All combinations; the sizes outermost, so that the arrays of one size are made once."""
    for size in sizes:
        for kind in dtypes:
            for name in names:
                yield from (Case(name, part, kind, size, layout) for part in parts for layout in layouts)


def dtype(name: str) -> np.dtype[Any]:
    """The dtype of this name, bfloat16 included."""
    if name == "bfloat16":
        import ml_dtypes

        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(name)


@lru_cache(maxsize=4)
def _values(kind: str, size: int, seed: int) -> Array:
    """Ordinary numbers: normal, of standard deviation 2."""
    return (2 * np.random.default_rng(seed).standard_normal(size)).astype(dtype(kind))


def _rows(size: int) -> int:
    """The largest divisor up to the square root: the more even side of a matrix of this many elements."""
    return next(rows for rows in range(int(size**0.5), 0, -1) if size % rows == 0)


def _laid_out(values: Array, layout: str) -> Array:
    if layout == "strided":
        return np.repeat(values, 2)[::2]
    if layout == "transposed":
        return values.reshape(_rows(values.size), -1).T
    return values


def operands(case: Case) -> Operands:
    """The arrays of a case, the same numbers every time."""
    seeds = (1, 0) if case.part == "backward" else (0,)
    arrays = [_laid_out(_values(case.dtype, case.size, seed), case.layout) for seed in seeds]
    original = None
    if case.layout == "inplace":
        original, arrays[0] = arrays[0], arrays[0].copy()
    out = {"inplace": arrays[0], "out": np.zeros_like(arrays[0])}.get(case.layout) if case.layout != "new" else None
    return Operands(tuple(arrays), out, original)
