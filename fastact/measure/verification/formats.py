"""Floating-point formats: their numbers by bit pattern, and errors in units in the last place (ULP) of exact results.

A pattern is the number's bits as an unsigned integer; numbers are handled in the order of their patterns, so that
neighbours are neighbours. An ULP of a subnormal result is the smallest subnormal.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastact.errors import UnknownNameError, nearest

__all__ = ["FORMATS", "Format", "Patterns", "has", "numbers"]

Patterns = NDArray[np.uint64]


@dataclass(frozen=True)
class Format:
    """A binary floating-point format.

    Attributes
    ----------
    name : str
        Of its dtype.
    bits, mantissa : int
        Of a number, and of what is behind the point.
    least, largest : int
        Exponents of the least and of the largest normal number.
    digits : int
        That tell its numbers apart.
    """

    name: str
    bits: int
    mantissa: int
    least: int
    largest: int
    digits: int

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """NumPy's; MissingDependencyError where bfloat16 needs ml_dtypes."""
        if self.name == "bfloat16":
            from fastact.errors import require

            return np.dtype(require("ml_dtypes", "verify", "bfloat16").bfloat16)
        return np.dtype(self.name)

    @property
    def infinity(self) -> int:
        """The pattern of infinity, which is also how many numbers from 0 on are finite."""
        return ((1 << (self.bits - 1 - self.mantissa)) - 1) << self.mantissa

    @property
    def bin(self) -> int:
        """So many bits of a pattern tell neighbours apart that are counted together."""
        return {16: 5, 32: 15, 64: 50}[self.bits]

    @property
    def sign(self) -> int:
        """The bit of the sign, which is the pattern of -0.0."""
        return 1 << (self.bits - 1)

    @property
    def smallest(self) -> float:
        """The least positive number."""
        return float(np.ldexp(1.0, self.least - self.mantissa))

    @property
    def tiny(self) -> float:
        """The least positive normal number."""
        return float(np.ldexp(1.0, self.least))

    def of(self, patterns: Any) -> NDArray[Any]:
        """The numbers of these patterns."""
        return np.asarray(patterns).astype(f"u{self.bits // 8}").view(self.dtype)

    def patterns(self, values: Any) -> Patterns:
        """The patterns of these numbers, rounded to the format."""
        with np.errstate(all="ignore"):
            rounded = np.atleast_1d(np.asarray(values)).astype(self.dtype)
        return rounded.view(f"u{self.bits // 8}").astype(np.uint64)

    def hexadecimal(self, pattern: int) -> str:
        """The bits of a number, for readers."""
        return f"0x{pattern:0{self.bits // 4}x}"

    def text(self, value: float) -> str:
        """A number of the format, in digits that give it back."""
        return f"{value:.{self.digits}g}"

    def quantum(self, exact: NDArray[np.float64]) -> NDArray[np.float64]:
        """The unit in the last place of each of these results."""
        bits = exact.view(np.int64) & (0x7FF << 52)
        least = max(self.least, -1022)
        np.clip(bits, (least + 1023) << 52, (self.largest + 1023) << 52, out=bits)
        if self.name == "float64":  # whose least units are subnormal
            return np.ldexp(bits.view(float), -52)
        bits -= self.mantissa << 52
        return bits.view(float)

    def errors(
        self, result: NDArray[Any], exact: NDArray[np.float64], low: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """|result - exact| in ULP of the format; exact lacks `low`, in ULP of float64.

        A wrong NaN and a missing one are infinitely far off. Infinity, and an exact result beyond it, counts as the
        power of two at which it begins: overflow may come as much too early or too late as any result may be wrong.
        """
        value = result.astype(np.float64)
        if self.name == "float64":  # in which that power of two is no number, and differences may overflow
            return self._wide_errors(value, exact, low)
        end = 2.0 ** (self.largest + 1)
        unit = self.quantum(np.clip(exact, -end, end))
        np.clip(value, -end, end, out=value)
        value -= np.clip(exact, -end, end)
        np.abs(value, out=value)
        value /= unit
        self._judge_nan(value, result, exact)
        return value

    def _wide_errors(
        self, value: NDArray[np.float64], exact: NDArray[np.float64], low: NDArray[np.float64] | None
    ) -> NDArray[np.float64]:
        unit = self.quantum(exact)
        with np.errstate(all="ignore"):
            error = np.abs((value - exact) / unit - (0.0 if low is None else low))
        end = 2.0**1022  # of numbers divided by 4
        special = np.flatnonzero(~(np.maximum(np.abs(value), np.abs(exact)) / 4 < end))
        v, e = (np.clip(each[special] / 4, -end, end) for each in (value, exact))
        error[special] = np.abs(v - e) / (unit[special] / 4)
        self._judge_nan(error, value, exact)
        return error

    @staticmethod
    def _judge_nan(errors: NDArray[np.float64], result: NDArray[Any], exact: NDArray[np.float64]) -> None:
        """Put 0 where both are NaN, and infinity where one is."""
        unknown = np.flatnonzero(np.isnan(errors))
        both = np.isnan(result[unknown].astype(np.float64)) & np.isnan(exact[unknown])
        errors[unknown] = np.where(both, 0.0, np.inf)


FORMATS = {
    each.name: each
    for each in (
        Format("float16", 16, 10, -14, 15, 5),
        Format("bfloat16", 16, 7, -126, 127, 4),
        Format("float32", 32, 23, -126, 127, 9),
        Format("float64", 64, 52, -1022, 1023, 17),
    )
}


def numbers(names: Any) -> list[Format]:
    """The formats of these names; UnknownNameError for others."""
    for name in names:
        if name not in FORMATS:
            raise UnknownNameError(f"dtype {name!r}{nearest(name, FORMATS)}")
    return [FORMATS[name] for name in dict.fromkeys(names)]


def has(module: str) -> bool:
    """Whether an optional module is installed."""
    return importlib.util.find_spec(module) is not None
