"""Errors in units in the last place (ULP) of the exact result, and the inputs at which to look for them.

Shared by test_accuracy.py and benchmarks/accuracy.py. An ULP of a subnormal result is the smallest subnormal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


class Format(NamedTuple):
    """A binary floating-point format: bits after the point, exponents of the least and the largest normal number."""

    mantissa: int
    least: int
    largest: int


FORMATS = {
    "float16": Format(10, -14, 15),
    "bfloat16": Format(7, -126, 127),
    "float32": Format(23, -126, 127),
    "float64": Format(52, -1022, 1023),
}


def quantum(exact: Array, kind: Format) -> Array:
    """The unit in the last place of each of these float64 numbers in a format, put together from its bits."""
    exponent = np.clip((exact.view(np.int64) >> 52) & 0x7FF, kind.least + 1023, kind.largest + 1023) - kind.mantissa
    units = (np.maximum(exponent, 1) << 52).view(float)
    below = np.flatnonzero(exponent < 1)  # the unit is itself subnormal, in float64
    units[below] = np.ldexp(1.0, exponent[below] - 1023)
    return units


def ulps(result: Array, exact: Array, exact_low: Array | float = 0.0) -> Array:
    """|result - (exact + exact_low)| in ULP of the result's format; exact is float64, exact_low what it lacks.

    A wrong NaN, a missing one and a wrong infinity are infinitely far off; an overflow that rounding asks for is not.
    """
    kind = FORMATS[result.dtype.name]
    value = result.astype(float)
    with np.errstate(all="ignore"):
        error = np.abs((value - exact) - exact_low) / quantum(exact, kind)
        halfway = 2.0**kind.largest * (2 - 2.0 ** (-kind.mantissa - 1))
    special = np.flatnonzero(~(error < 1e300) | ~(np.abs(exact) < halfway))
    v, e = value[special], exact[special]
    overflow = np.isinf(v) & (np.abs(e) >= halfway) & (np.sign(v) == np.sign(e))
    error[special] = np.where(overflow | (np.isnan(v) & np.isnan(e)), 0.0, np.inf)
    return error


def of_mpmath(exact: Iterable[Any]) -> tuple[Array, Array]:
    """Numbers of mpmath as float64 and what that lacks."""
    numbers = list(exact)
    high = np.array([float(number) for number in numbers])
    low = [float(number - h) if np.isfinite(h) else 0.0 for number, h in zip(numbers, high, strict=True)]
    return high, np.array(low)


def stratified(dtype: Any, n: int, seed: int, landmarks: Iterable[float] = ()) -> Array:
    """n finite numbers, half from equal strata of all bit patterns, half with exponents from -12 to 10; and landmarks.

    Landmarks come with both signs and with their neighbours.
    """
    random, unsigned = np.random.default_rng(seed), np.dtype(f"u{np.dtype(dtype).itemsize}").type
    stratum = (int(np.iinfo(unsigned).max) + 1) // (n // 2)
    everywhere = np.arange(n // 2, dtype=unsigned) * unsigned(stratum)
    everywhere += random.integers(0, stratum, n // 2, dtype=unsigned)
    low, high = np.array([2.0**-12, 2.0**11], dtype).view(unsigned)
    common = random.integers(low, high, n // 2, dtype=unsigned).view(dtype) * random.choice([-1, 1], n // 2)
    marks = np.array(list(landmarks), dtype)
    marks = np.concatenate([marks, np.nextafter(marks, dtype(np.inf)), np.nextafter(marks, dtype(-np.inf))])
    extremes = np.array([np.finfo(dtype).max, np.finfo(dtype).tiny, np.finfo(dtype).smallest_subnormal], dtype)
    x = np.concatenate([everywhere.view(dtype), common.astype(dtype), marks, -marks, extremes, -extremes])
    return x[np.isfinite(x)]


def around(dtype: Any, x: float, count: int) -> Array:
    """The `count` numbers of a dtype on each side of x."""
    unsigned = f"i{np.dtype(dtype).itemsize}"
    middle = np.array(x, dtype).view(unsigned)
    return (middle + np.arange(-count, count + 1)).astype(unsigned).view(dtype)


Function = Callable[..., Any]
