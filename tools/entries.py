"""What a table of constants consists of: entries, each a polynomial or some named numbers in one dtype."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import mpmath
import numpy as np
from mpmath import mpf

__all__ = ["Entry", "constants", "high_and_low", "polynomial"]


class Entry(NamedTuple):
    """Numbers rounded to a dtype: those of `names`, one each, or a polynomial's coefficients and its largest error.

    An int is shown by its hexadecimal digits.
    """

    names: tuple[str, ...]
    dtype: type
    numbers: tuple[Any, ...]
    error: mpf | None = None

    def __str__(self) -> str:
        head, numbers = (
            f"{', '.join(self.names)}, {self.dtype.__name__}: ",
            ", ".join(f"{n:x}" if isinstance(n, int) else repr(n) for n in self.numbers),
        )
        if self.error is None:
            return head + numbers
        return f"{head}error 2**{float(mpmath.log(self.error, 2)):.1f}\n    {numbers}"


def constants(names: str, dtype: type, *numbers: mpf) -> Entry:
    """Numbers by their names, which are separated by blanks."""
    return Entry(tuple(names.split()), dtype, tuple(float(dtype(float(number))) for number in numbers))


def polynomial(name: str, result: tuple[list[mpf], mpf], dtype: type) -> Entry:
    """Coefficients, constant term first, and the error: what `remez` and `rounded_in_turn` give."""
    coefficients, error = result
    return constants(name, dtype, *coefficients)._replace(names=(name,), error=error)


def high_and_low(name: str, number: mpf, *bits: int) -> Iterator[Entry]:
    """A number and its low part in both dtypes, the former with only so many bits after the point."""
    for dtype, kept in zip((np.float32, np.float64), bits or (None, None), strict=True):
        high = mpf(float(dtype(float(number)))) if kept is None else mpf(round(number * 2**kept)) / 2**kept
        yield constants(f"{name} {name}_LOW", dtype, high, number - high)
