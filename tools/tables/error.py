"""The tables of erf and serf: fastact/_kernels/scalar/error.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import mpmath
import numpy as np
from entries import Entry, constants, polynomial
from mpmath import mpf
from remez import Function, almost_exact, rounded_in_turn

TWO_OVER_ROOT_PI = 2 / mpmath.sqrt(mpmath.pi)


def error_excess(w: mpf) -> mpf:
    """erf(b) / b - 1 with w = b**2."""
    b = mpmath.sqrt(w)
    return mpmath.erf(b) / b - 1 if w > mpf(2) ** -100 else TWO_OVER_ROOT_PI - 1


def error_root(k: int) -> Function:
    """erfc(b) ** (1 / k)."""
    return lambda b: mpmath.erfc(b) ** (mpf(1) / k)


def softplus(x: mpf) -> mpf:
    return mpmath.log1p(mpmath.exp(x))


def serf_gate_slope(x: mpf) -> mpf:
    """The derivative of erf(log(1 + e**x))."""
    return TWO_OVER_ROOT_PI * mpmath.exp(-(softplus(x) ** 2)) / (1 + mpmath.exp(-x))


def serf_slope(x: mpf) -> mpf:
    return mpmath.erf(softplus(x)) + x * serf_gate_slope(x)


def serf_ratio(z: mpf) -> mpf:
    """erf(log(1 + z)) / z."""
    return mpmath.erf(mpmath.log1p(z)) / z if z > mpf(2) ** -100 else TWO_OVER_ROOT_PI


def serf_ratio_slope(z: mpf) -> mpf:
    h = mpmath.log1p(z)
    if z < mpf(2) ** -60:
        return -TWO_OVER_ROOT_PI / 2
    return (TWO_OVER_ROOT_PI * mpmath.exp(-h * h) / (1 + z) - mpmath.erf(h) / z) / z


def serf_root(x: mpf) -> mpf:
    """The square root of erfc(log(1 + e**x))."""
    return mpmath.sqrt(mpmath.erfc(softplus(x)))


def serf_root_slope(x: mpf) -> mpf:
    return -serf_gate_slope(x) / (2 * serf_root(x))


def error_tables() -> Iterator[Entry]:
    """`_ERF_CENTRE` and `_ERF`: erf(b) / b - 1 by b**2, then square and eighth root of erfc(b) by b."""
    pieces: Any = (  # dtype, bits of a centre, coefficients rounded in turn; for each row: to where, degree, centre
        (np.float32, 15, 99, (1, 6, 0.495), (mpf("1.5625"), 6, 1.1), (mpf("3.95"), 6, 1.8)),
        (np.float64, 20, 4, (1, 12, 0.5), (mpf("1.75"), 14, 1.3), (mpf("5.95"), 14, 3.0)),
    )
    for dtype, bits, turns, *rows in pieces:
        low = mpf(0)
        for k, (high, degree, near) in zip((1, 2, 8), rows, strict=True):
            f = error_excess if k == 1 else error_root(k)
            centre, first = almost_exact(f, near, dtype, bits)

            def weight(y: mpf, k: int = k, f: Function = f, centre: mpf = centre) -> mpf:
                return 1 / (1 + f(y + centre)) if k == 1 else k * f(y + centre) ** (k - 1)

            yield constants("_ERF_CENTRE", dtype, centre)
            table = rounded_in_turn(
                lambda y, f=f, c=centre: f(y + c), low - centre, high - centre, degree, dtype, weight, (first,), turns
            )
            yield polynomial("_ERF", table, dtype)
            low = mpf(high)


def serf_tables() -> Iterator[Entry]:
    """`_SERF_CENTRE`, `_SERF_ANCHOR`, `_SERF_ROWS`: `serf_ratio` for x < 0 and `serf_root`, fitted by their slopes."""
    pieces: Any = (  # dtype, bits of a centre, coefficients rounded in turn, degree; for each row: from, to, centre
        (np.float32, 15, 99, 10, (0, 1, 0.4), (0, mpf("1.6"), 0.1), (mpf("1.6"), mpf("4.4"), 2.0)),
        (np.float64, 20, 3, 23, (0, 1, 0.4), (0, mpf("2.15"), 0.2), (mpf("2.15"), mpf("6.4"), 3.3)),
    )
    for dtype, bits, turns, degree, *rows in pieces:
        for i, (low, high, near) in enumerate(rows):
            f, slope = (serf_root, serf_root_slope) if i else (serf_ratio, serf_ratio_slope)
            centre, anchor = almost_exact(f, near, dtype, bits)

            def weight(y: mpf, i: int = i, centre: mpf = centre) -> mpf:
                x = y + centre
                return 2 * max(x, mpf("0.5")) * serf_root(x) / serf_slope(x) if i else mpf(1)

            yield constants("_SERF_CENTRE _SERF_ANCHOR", dtype, centre, anchor)
            table = rounded_in_turn(
                lambda y, f=slope, c=centre: f(y + c), low - centre, high - centre, degree - 1, dtype, weight,
                turns=turns, integral=True,
            )  # fmt: skip
            yield polynomial("_SERF_ROWS", table, dtype)
    zero = mpmath.findroot(serf_slope, mpf("-1.19306"))
    steepness = mpmath.diff(serf_slope, zero)

    def beside(d: mpf) -> mpf:
        return serf_slope(zero + d) / d if abs(d) > mpf(2) ** -80 else steepness

    for dtype, degree, turns in ((np.float32, 7, 99), (np.float64, 15, 2)):
        for name, number in (("_SERF_BOTTOM", zero), ("_SERF_BEND", steepness)):
            high = mpf(float(dtype(float(number))))
            yield constants(f"{name} {name}_LOW", dtype, high, number - high)
        table = rounded_in_turn(
            beside, mpf("-0.45"), mpf("0.46"), degree, dtype, lambda d: 1 / beside(d), (steepness,), turns
        )
        yield polynomial("_SERF_BESIDE, after its first", table, dtype)


def tables() -> Iterator[Entry]:
    yield from error_tables()
    yield from serf_tables()
