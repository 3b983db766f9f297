"""A case of the benchmarks, and the arrays it is timed on. A new layout is a name in LAYOUTS and its arrays."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from fastact.language import marked

__all__ = [
    "DTYPES",
    "FIELDS",
    "GATES",
    "LAYOUTS",
    "PARTS",
    "Array",
    "Case",
    "Operands",
    "Size",
    "dtype",
    "label",
    "operands",
]

Array = np.ndarray[Any, np.dtype[Any]]
#: A number of elements, or a shape.
Size = int | tuple[int, ...]

PARTS = ("forward", "derivative", "backward", "value_and_grad")
#: Gated units, and the activation of each.
GATES = {"glu": "sigmoid", "bilinear": "identity", "reglu": "relu", "geglu": "gelu", "swiglu": "silu"}
DTYPES = ("float16", "bfloat16", "float32", "float64")
#: new: the result is a new array. out: it goes to a given one. inplace: to the first operand.
#: strided: every second element of an array in, a new contiguous array out. transposed: columns in, columns out.
LAYOUTS = ("new", "out", "inplace", "strided", "transposed")


class Case(NamedTuple):
    """One thing to be timed; functions of rows have an axis, and `data` says what their rows hold or count."""

    name: str
    part: str = "forward"
    dtype: str = "float32"
    size: Size = 1_000_000
    layout: str = "new"
    axis: int = -1
    data: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.size,) if isinstance(self.size, int) else self.size

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def given(self) -> str:
        """What the function is called with, in words."""
        axis, layout = f"axis {self.axis}" * (self.axis != -1), self.layout * (self.layout != "new")
        return " ".join(filter(None, [label(self.size), axis, self.dtype, layout, self.data]))

    def __str__(self) -> str:
        return " ".join(filter(None, [self.name, self.part * (self.part != "forward"), self.given]))


#: What the command's options choose, and what a file of results keeps.
FIELDS = (marked("name"), marked("part"), marked("dtype"), marked("size"), marked("layout"))


def label(size: Size) -> str:
    """1000 as 1e3, 1500 as 1500, (4096, 1000) as 4096x1000."""
    if isinstance(size, tuple):
        return "x".join(map(str, size))
    digits = len(str(size)) - 1
    return f"1e{digits}" if size == 10**digits and digits else str(size)


class Operands(NamedTuple):
    """The arrays of a case; `original` is what an array that the result goes over held before."""

    arrays: tuple[Array, ...]
    out: Array | None
    original: Array | None

    def restore(self) -> None:
        """Undo the last call: results of results end up as 0, infinity or subnormals, which have other speeds."""
        if self.out is not None and self.original is not None:
            np.copyto(self.out, self.original)


def dtype(name: str) -> np.dtype[Any]:
    """The dtype of this name, bfloat16 included."""
    if name == "bfloat16":
        import ml_dtypes

        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(name)


@lru_cache(maxsize=4)
def _values(kind: str, size: int, seed: int, deviation: float) -> Array:
    """Normal numbers."""
    return (deviation * np.random.default_rng(seed).standard_normal(size)).astype(dtype(kind))


def _rows(size: int) -> int:
    """The largest divisor up to the square root: the more even side of a matrix of this many elements."""
    return next(rows for rows in range(int(size**0.5), 0, -1) if size % rows == 0)


def _laid_out(values: Array, layout: str) -> Array:
    if layout == "strided":
        return np.repeat(values, 2, axis=-1)[..., ::2]
    if layout == "transposed":
        return values.reshape(_rows(values.size), -1).T if values.ndim == 1 else np.asfortranarray(values)
    return values


def operands(case: Case, count: int = 1, deviation: float = 2.0) -> Operands:
    """So many arrays of a case's shape, of normal numbers: the same every time."""
    numbers = [_values(case.dtype, case.elements, seed, deviation) for seed in reversed(range(count))]
    arrays = [_laid_out(each.reshape(case.shape), case.layout) for each in numbers]
    original = None
    if case.layout == "inplace":
        original, arrays[0] = arrays[0], arrays[0].copy()
    out = {"inplace": arrays[0], "out": np.zeros_like(arrays[0])}.get(case.layout) if case.layout != "new" else None
    return Operands(tuple(arrays), out, original)
