"""The polynomials of the sine, and the digits of 1 / pi: fastact/_kernels/scalar/sine.py and reduction.py."""

from __future__ import annotations

from collections.abc import Iterator

import mpmath
import numpy as np
from entries import Entry, polynomial
from mpmath import mpf
from remez import remez


def sine_squared(z: mpf) -> mpf:
    """(sin(r)**2 - z) / z**2 with z = r**2."""
    return (mpmath.sin(mpmath.sqrt(z)) ** 2 - z) / z**2 if z > mpf(2) ** -40 else 2 * z / 45 - mpf(1) / 3


def doubled_sine(z: mpf) -> mpf:
    """(sin(2 r) / (2 r) - 1) / z with z = r**2."""
    return (mpmath.sinc(2 * mpmath.sqrt(z)) - 1) / z if z > mpf(2) ** -40 else 2 * z / 15 - mpf(2) / 3


def tables() -> Iterator[Entry]:
    tiny = mpf(2) ** -60
    yield polynomial("_SINE_SQUARED", remez(sine_squared, mpf(0), mpf("0.255"), 3, lambda z: z + tiny), np.float32)
    yield polynomial("_SINE_SQUARED", remez(sine_squared, mpf(0), mpf("0.255"), 6, lambda z: z + tiny), np.float64)
    yield polynomial("_DOUBLED_SINE", remez(doubled_sine, mpf(0), mpf("0.085"), 2), np.float32)
    yield polynomial("_DOUBLED_SINE", remez(doubled_sine, mpf(0), mpf("0.085"), 5), np.float64)
    with mpmath.workprec(1300):
        yield Entry(("INVERSE_PI",), int, (int(mpmath.floor(2**1216 / mpmath.pi)),))
