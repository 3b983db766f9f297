"""The constants of the softmax kernels: fastact/_kernels/native/softmax/simd.pxi."""

from __future__ import annotations

from collections.abc import Iterator

import mpmath
import numpy as np
from entries import Entry, constants, polynomial
from mpmath import mpf
from remez import remez
from tables.exponential import exponential, logarithm

#: The polynomials of FreeBSD's k_logf.h and e_log.c, by a Remez algorithm that is not published. In float64 the least
#: possible error is 2**-58.49, in float32 2**-36.60, which rounded coefficients do not reach.
LOG32 = "0.66666662693", "0.40000972152", "0.28498786688", "0.24279078841"
LOG64 = (
    "6.666666666666735130e-01", "3.999999999940941908e-01", "2.857142874366239149e-01", "2.222219843214978396e-01",
    "1.818357216161805012e-01", "1.531383769920937332e-01", "1.479819860511658591e-01",
)  # fmt: skip


def relative(r: mpf) -> mpf:
    """The weight for which the error is that of e**r, relative to it; not 0 at 0, where a node may be."""
    return r * r / mpmath.exp(r) + mpf(10) ** -20


def log_error(coefficients: list[mpf]) -> mpf:
    """The largest error of w * p(w) as log((1 + s) / (1 - s)) / s - 2, for w = s**2 and s to (sqrt(2) - 1)**2."""
    end = (mpmath.sqrt(2) - 1) ** 4
    points = [end * i / 1000 for i in range(1001)]
    return max(abs(w * (logarithm(w) - mpmath.polyval(coefficients[::-1], w))) for w in points)


def tables() -> Iterator[Entry]:
    ln2 = mpmath.log(2)
    # Few enough bits for the products with the exponent to be exact: the nearest number with 9, and the first 32.
    for dtype, high in ((np.float32, mpmath.nint(ln2 * 2**9) / 2**9), (np.float64, mpmath.floor(ln2 * 2**32) / 2**32)):
        yield constants("LN2_HIGH LN2_REST", dtype, high, ln2 - high)
        yield constants("LOG2_E LN2 SQRT_HALF", dtype, 1 / ln2, ln2, mpmath.sqrt(2) / 2)
    reach = ln2 / 2 * mpf("1.002")
    for degree, dtype in ((4, np.float32), (9, np.float64)):
        yield polynomial("exp_above", remez(exponential, -reach, reach, degree, relative, 4000, "1e-9"), dtype)
    for written, dtype in ((LOG32, np.float32), (LOG64, np.float64)):
        numbers = [mpf(float(dtype(number))) for number in written]
        yield polynomial("log1p", (numbers, log_error(numbers)), dtype)
