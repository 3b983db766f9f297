"""Arithmetic on unevaluated sums `high + low`, whose low part carries what rounding took from the high part.

It keeps results within about one unit in the last place without leaving their dtype. A function that returns two values
returns the high and the low part; a third value `k` means that both are still to be multiplied by 2**k.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from fastact._kernels.scalar.primitives import (
    INNER_OPTIONS,
    constant,
    fma,
    ldexp,
    like,
    magnitude,
    positive_part,
    where,
)

#: Decorates helper functions, which compiled code alone may call.
scalar = njit(**INNER_OPTIONS)

#: Adding this rounds to an integer, and leaves it in the low bits.
SHIFT = constant(1.5 * 2**23, 1.5 * 2**52)
LARGEST = constant(float(np.finfo(np.float32).max), float(np.finfo(np.float64).max))
#: A factor that is taken out of small results to keep the rest normal, and the `SHIFT` for a k counted from it.
TINY = constant(2.0**-48, 2.0**-128)
SHIFT_TINY = constant(1.5 * 2**23 + 48, 1.5 * 2**52 + 128)
#: The `SHIFT` plus the least k whose power `nearer` takes as a whole.
_SHIFT_NEAR = constant(1.5 * 2**23 - 100, 1.5 * 2**52 - 900)
#: A biased exponent from which scaling is done in two steps.
DEEP = constant(-100.0, -1000.0)


@scalar
def exact_product(a, b):
    """a * b exactly, where nothing over- or underflows."""
    high = a * b
    return high, fma(a, b, -high)


@scalar
def exact_sum(a, b):
    """a + b exactly."""
    high = a + b
    b_rounded = high - a
    return high, (a - (high - b_rounded)) + (b - b_rounded)


@scalar
def ordered_sum(a, b):
    """a + b exactly, where |a| >= |b| or a = 0."""
    high = a + b
    return high, (a - high) + b


@scalar
def pair_product(a, a_low, b, b_low):
    """(a + a_low) * (b + b_low)."""
    high = a * b
    return high, fma(a, b, -high) + fma(a, b_low, a_low * b)


@scalar
def quotient(n, n_low, d, d_low):
    """(n + n_low) / (d + d_low), by one division and one correction."""
    inverse = like(1.0, d) / d
    q = n * inverse
    return q, (fma(-q, d, n) + fma(-q, d_low, n_low)) * inverse


@scalar
def less_tail(x, tail):
    """max(x, 0) - tail * TINY for tail >= 0, rounded once. Where the tail vanishes, negative x give -0.0."""
    return fma(tail, -TINY(x), positive_part(x))


@scalar
def clamp(x, low, high):
    """x within [low, high]; NaN stays NaN."""
    x = where(x < low, low, x)
    return where(x > high, high, x)


@scalar
def bounded(x, limit):
    """|x|, or the limit where that is less; NaN stays NaN."""
    b = magnitude(x)
    return where(b > limit, limit, b)


@scalar
def scale(x, k):
    """x * 2**k, also where 2**k is out of range; rounded once, if at all."""
    return ldexp(x, k, SHIFT(k))


@scalar
def nearer(k):
    """k, or where that is larger the least k that leaves products normal; the rest comes last, by `ldexp`."""
    return where(k < _SHIFT_NEAR(k), _SHIFT_NEAR(k), k)


@scalar
def scale_tiny(x, k):
    """x * 2**k, with k biased as `SHIFT_TINY` is, down to where even the largest x gives 0."""
    deep = k - SHIFT(k) < DEEP(k)
    return scale(where(deep, x * TINY(x), x), where(deep, k, unbiased(k)))


@scalar
def negated(k):
    """-k, for k as `power_of_two` takes it."""
    return SHIFT(k) + (SHIFT(k) - k)


@scalar
def unbiased(k):
    """A k that is biased as `SHIFT_TINY` is, biased as `SHIFT` is."""
    return k - (SHIFT_TINY(k) - SHIFT(k))
