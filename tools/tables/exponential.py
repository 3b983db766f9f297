"""The polynomials of e**x, log(1 + x) and tanh: fastact/_kernels/scalar/exponential.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import mpmath
import numpy as np
from entries import Entry, polynomial
from mpmath import mpf
from remez import remez, rounded_in_turn


def exponential(r: mpf) -> mpf:
    """(e**r - 1 - r) / r**2."""
    return (mpmath.exp(r) - 1 - r) / r**2 if abs(r) > mpf(2) ** -60 else mpf(1) / 2 + r / 6


def exponential_cubic(r: mpf) -> mpf:
    """(e**r - 1 - r - r**2 / 2) / r**3."""
    return (mpmath.exp(r) - 1 - r - r * r / 2) / r**3 if abs(r) > mpf(2) ** -50 else mpf(1) / 6 + r / 24


def tanh_cubic(w: mpf) -> mpf:
    """(b**3 / (b - tanh(b)) - 3) / b**2 with w = b**2."""
    b = mpmath.sqrt(w)
    return (w / (1 - mpmath.tanh(b) / b) - 3) / w if w > mpf(2) ** -60 else mpf(6) / 5


def softplus_even(w: mpf) -> mpf:
    """(log(1 + e**-b) - log(2) + b / 2) / b**2 with w = b**2."""
    b = mpmath.sqrt(w)
    return (softplus(-b) - mpmath.log(2) + b / 2) / w if w > mpf(2) ** -60 else mpf(1) / 8 - w / 192


def log1p_ratio(z: mpf) -> mpf:
    """log(1 + z) / z."""
    return mpmath.log1p(z) / z if z > mpf(2) ** -60 else 1 - z / 2


def logarithm(w: mpf) -> mpf:
    """(log((1 + s) / (1 - s)) / s - 2) / s**2 with w = s**2."""
    s = mpmath.sqrt(w)
    return (mpmath.log((1 + s) / (1 - s)) / s - 2) / w if w > mpf(2) ** -60 else mpf(2) / 3


def softplus(x: mpf) -> mpf:
    return mpmath.log1p(mpmath.exp(x))


def tables() -> Iterator[Entry]:
    """Intervals of weights that are 0 at 0 are not quite symmetric, so that no node is 0."""
    reach = mpmath.log(2) / 2 * mpf("1.001")
    square = lambda r: r * r  # noqa: E731
    yield polynomial("_EXP", remez(exponential, -reach, reach, 4, square), np.float32)
    yield polynomial("_EXP", remez(exponential, -reach, reach, 10, square), np.float64)
    low, high = mpmath.log("0.7499"), mpmath.log("1.5002")
    for degree, dtype, turns in ((4, np.float32, 99), (9, np.float64, 4)):
        weight = lambda r: r * r / mpmath.exp(r)  # noqa: E731
        yield polynomial("_EXP_SKEW", rounded_in_turn(exponential, low, high, degree, dtype, weight, (), turns), dtype)
    reach = ((mpmath.sqrt(2) - 1) / (mpmath.sqrt(2) + 1)) ** 2 * mpf("1.001")
    yield polynomial("_LOG", remez(logarithm, mpf(0), reach, 2), np.float32)
    yield polynomial("_LOG", remez(logarithm, mpf(0), reach, 6), np.float64)
    low, high, small = -mpmath.log(2) / 2 * mpf("1.01101"), mpmath.log(2) / 2 * mpf("1.001"), mpf(10) ** -15
    cube = lambda r: abs(r) ** 3 + small**2  # noqa: E731
    yield polynomial("_EXP_CUBIC", rounded_in_turn(exponential_cubic, low, high, 4, np.float32, cube), np.float32)
    yield polynomial("_EXP_CUBIC", remez(exponential_cubic, low, high, 9, cube), np.float64)
    for degree, dtype in ((3, np.float32), (7, np.float64)):
        yield polynomial(
            "_TANH below", remez(tanh_cubic, mpf(0), mpf("0.946") ** 2, degree, lambda w: (w + small) / 3), dtype
        )
    square = lambda r: r * r + mpf(10) ** -20  # noqa: E731
    yield polynomial("_TANH above", remez(exponential, -high, high, 9, square), np.float64)
    cut, anchor = mpf("0.8"), mpf("0.90625")
    even = lambda w: (w + small) / softplus(-mpmath.sqrt(w))  # noqa: E731
    ratio = lambda z: log1p_ratio(z) - anchor  # noqa: E731
    inverse = lambda z: 1 / log1p_ratio(z)  # noqa: E731
    start = mpf("0.003")
    rows: Any = (("below", softplus_even, cut**2, 3, 8, even), ("above", ratio, mpmath.exp(-cut), 7, 15, inverse))
    for row, f, end, degree, degree64, weight in rows:
        name = f"_LOG1P_EXP {row}"
        yield polynomial(name, rounded_in_turn(f, start, end, degree, np.float32, weight), np.float32)
        yield polynomial(name, remez(f, mpf(0), end, degree64, weight), np.float64)
