"""What a function does besides computing: what no figure of errors shows, but a user of the function stumbles over."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastact.measure.verification.inputs import BLOCK
from fastact.measure.verification.libraries import Call

__all__ = ["Behaviour", "Place", "behaviour"]

#: Lengths of the pieces in which an array is computed again: tails of SIMD bodies of all kinds.
LENGTHS = (1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 65)
#: Lengths where each costs a compilation.
FEW_LENGTHS = (1, 3, 17)
#: Pieces of each length.
PIECES = 24

Array = NDArray[Any]
#: Inputs and results -> the errors in ULP.
Judge = Callable[[Array, Array], NDArray[np.float64]]


@dataclass(frozen=True)
class Place:
    """Another place in an array, where some numbers give other results than in a long array.

    Attributes
    ----------
    length : int
        Of the array; 0 for a long one that is not contiguous, or does not begin where arrays do.
    x, ulp : float
        The worst input and its error there.
    """

    length: int
    x: float
    ulp: float


@dataclass
class Behaviour:
    """Findings about a function in one format.

    Attributes
    ----------
    dtype : str
        That of its results.
    changes_input : bool
    places : list of Place
    elementwise : bool
        False if results depend on what else is in the array.
    warnings : list of str
        What it warns of.
    printed : str
        What it writes to the standard output.
    """

    dtype: str
    changes_input: bool = False
    places: list[Place] = field(default_factory=list)
    elementwise: bool = True
    warnings: list[str] = field(default_factory=list)
    printed: str = ""

    @property
    def worst_place(self) -> Place | None:
        return max(self.places, key=lambda place: place.ulp, default=None)


def behaviour(call: Call, x: Array, judge: Judge, *, few_shapes: bool, strides: bool) -> Behaviour:
    """Look at a function.

    Parameters
    ----------
    call : callable
    x : array
        Some hundreds of numbers, in no order.
    judge : callable
    few_shapes : bool
        Whether each shape costs a compilation.
    strides : bool
        Whether the function takes arrays that are not contiguous.
    """
    given, output = x.copy(), io.StringIO()
    with warnings.catch_warnings(record=True) as heard, contextlib.redirect_stdout(output):
        warnings.simplefilter("always")
        with np.errstate(all="warn"):
            result = call(given)
    found = Behaviour(result.dtype.name, printed=output.getvalue())
    found.changes_input = not same(given, x).all()
    found.warnings = sorted({str(each.message) for each in heard})
    with np.errstate(all="ignore"):
        _look_at_places(call, x, judge, few_shapes, strides, found)
    return found


def _look_at_places(call: Call, x: Array, judge: Judge, few_shapes: bool, strides: bool, found: Behaviour) -> None:
    """Compute the same numbers at other places of other arrays."""
    whole = call(np.resize(x, BLOCK))[: x.size]
    worst: dict[int, Place] = {}

    def compare(length: int, start: int, result: Array) -> None:
        part = slice(start, start + result.size)
        differ = np.flatnonzero(~same(result, whole[part]))
        if differ.size:
            error = judge(x[part][differ], result[differ])
            place = Place(length, float(x[part][differ][error.argmax()]), float(error.max()))
            if length not in worst or place.ulp > worst[length].ulp:
                worst[length] = place

    for length in FEW_LENGTHS if few_shapes else LENGTHS:
        for start in range(0, min(x.size + 1 - length, PIECES * length), length):
            compare(length, start, call(x[start : start + length].copy()))
    if not few_shapes:
        compare(0, 0, call(np.concatenate([x[:1], x])[1:]))
    if strides:
        compare(0, 0, call(np.repeat(x, 3)[::3]))
    found.places = list(worst.values())
    mine, others = (np.random.default_rng(seed).uniform(-2, 2, 64).astype(x.dtype) for seed in (0, 1))
    others[::2] = mine[::2]
    found.elementwise = bool(same(call(mine)[::2], call(others)[::2]).all())


def same(one: Array, other: Array) -> NDArray[np.bool_]:
    """Where the bits are the same, or both are NaN."""
    bits = f"u{one.dtype.itemsize}"
    one, other = np.ascontiguousarray(one), np.ascontiguousarray(other)
    equal: NDArray[np.bool_] = one.view(bits) == other.view(bits)
    return equal | (np.isnan(one) & np.isnan(other))
