"""Errors in units in the last place (ULP) of the exact result, and the inputs at which to look for them.

Shared by test_accuracy.py and benchmarks/accuracy.py. An ULP of a subnormal result is the smallest subnormal.
"""

from __future__ import annotations

import math
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
    """|result - exact| in ULP of the result's format; exact is float64 and lacks exact_low, in ULP of itself.

    A wrong NaN and a missing one are infinitely far off. Infinity, and an exact result beyond it, counts as the power
    of two at which it begins: overflow may come as much too early or too late as any other result may be wrong.
    """
    kind = FORMATS[result.dtype.name]
    value = result.astype(float)
    with np.errstate(all="ignore"):
        unit = quantum(exact, kind)
        error = np.abs((value - exact) / unit - exact_low * (quantum(exact, FORMATS["float64"]) / unit))
    end = 2.0 ** (kind.largest - 1)  # of numbers divided by 4, which are finite
    special = np.flatnonzero(~(np.maximum(np.abs(value), np.abs(exact)) / 4 < end))
    v, e = (np.clip(each[special] / 4, -end, end) for each in (value, exact))
    far = np.abs(v - e) / (unit[special] / 4)
    nan = np.isnan(v) | np.isnan(e)
    error[special] = np.where(nan, np.where(np.isnan(v) & np.isnan(e), 0.0, np.inf), far)
    return error


def of_mpmath(exact: Iterable[Any]) -> tuple[Array, Array]:
    """Numbers of mpmath as float64, and the rest in ULP of that: the rest itself may be below all floats."""
    numbers = list(exact)
    high = [float(number) for number in numbers]
    pairs = zip(numbers, high, strict=True)
    low = [float((number - h) / math.ulp(h)) if math.isfinite(h) else 0.0 for number, h in pairs]
    return np.array(high), np.array(low)


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


def around(dtype: Any, x: float, count: int, farther: int = 0) -> Array:
    """The `count` numbers of a dtype on each side of x, and so many farther ones whose distances grow up to about x."""
    signed = f"i{np.dtype(dtype).itemsize}"
    steps = np.geomspace(count + 1, 2 ** FORMATS[np.dtype(dtype).name].mantissa, farther).astype(signed)
    steps = np.concatenate([-steps, np.arange(-count, count + 1), steps])
    return (np.array(x, dtype).view(signed) + steps).astype(signed).view(dtype)


Function = Callable[..., Any]
