"""Functions made of arithmetic and square roots: the hard (piecewise linear) gates, parabolas, squareplus, softsign.

Where a function has a kink or a zero between other values, differences cancel, and low parts are kept. Powers of two
keep squares of x from overflowing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastact._kernels.scalar.pairs import (
    LARGEST,
    bounded,
    clamp,
    exact_product,
    exact_sum,
    ordered_sum,
    pair_product,
    scalar,
)
from fastact._kernels.scalar.primitives import (
    compiled,
    constant,
    copysign,
    fma,
    leading_power,
    like,
    magnitude,
    reciprocal_power,
    sqrt,
    where,
)

_SIXTH = constant(0.1666666716337204, 1 / 6)
#: Rounded up, so that hard_sigmoid(-3) is 0: with its low part the sum comes out below 0, not above.
_SIXTH_LOW = constant(-4.967053435223079e-09, 9.251858538542972e-18)
_THIRD = constant(0.3333333432674408, 1 / 3)
_THIRD_LOW = constant(-9.934107758624577e-09, 1.850371707708594e-17)
#: From here on, with a margin, x / (1 + x) is 1 in the dtype.
_SOFTSIGN_END = constant(2.0**26, 2.0**55)
#: The least normal number, and the largest power of two whose reciprocal is one.
_LEAST_POWER = constant(2.0**-126, 2.0**-1022)
#: Replaces a divisor of 0: negligible beside 1, with a square that is a normal number.
_LEAST_ROOT = constant(2.0**-45, 2.0**-400)
_LARGEST_POWER = constant(2.0**126, 2.0**1022)


@scalar
def _sixth_low(slope):
    """What to add to a slope of 1/6: it means the real number, which no float is."""
    return where(slope == like(1 / 6, slope), _SIXTH_LOW(slope), like(0.0, slope))


def _hard_sigmoid_scalar(x, slope, offset):
    x = clamp(x, -LARGEST(x), LARGEST(x))  # 0 * inf would be NaN
    return clamp(fma(x, _sixth_low(slope), fma(slope, x, offset)), like(0.0, x), like(1.0, x))


@compiled(_hard_sigmoid_scalar)
def hard_sigmoid(x: Any, slope: Any, offset: Any) -> Any:
    """slope * x + offset, clipped to [0, 1]."""
    return np.clip(slope * x + offset, 0, 1)


def _inside_hard_sigmoid_scalar(x, slope, offset):
    zero, one = like(0.0, x), like(1.0, x)
    if (slope == like(1 / 6, slope)) & (offset == like(0.5, offset)):  # LLVM takes this test of numbers out of the loop
        return where(x == x, where(magnitude(x) < like(3.0, x), one, zero), x)
    c = clamp(x, -LARGEST(x), LARGEST(x))
    low = _sixth_low(slope)
    # A product that underflows keeps its sign, and for offset = 0 the sign is all that counts.
    sign = where(slope == zero, zero, copysign(one, slope))
    steep, steep_low = where(offset == zero, sign, slope), where(offset == zero, zero, low)
    rest, rest_low = exact_sum(one, -offset)
    above = where(fma(c, steep_low, fma(steep, c, offset)) > zero, one, zero)
    inside = where(fma(-slope, c, rest) + fma(-c, low, rest_low) > zero, above, zero)
    return where(x == x, inside, x)


@compiled(_inside_hard_sigmoid_scalar)
def inside_hard_sigmoid(x: Any, slope: Any, offset: Any) -> Any:
    """1 where 0 < slope * x + offset < 1, else 0; NaN for NaN."""
    y = slope * x + offset
    return np.where(x == x, (y > 0) & (y < 1), x)


def _hard_silu_scalar(x):
    c = clamp(x, like(-3.0, x), like(3.0, x))
    s, s_low = ordered_sum(like(3.0, x), c)
    gate, gate_low = pair_product(s, s_low, _SIXTH(x), _SIXTH_LOW(x))
    return where(x > like(3.0, x), x, fma(c, gate, c * gate_low))


@compiled(_hard_silu_scalar)
def hard_silu(x: Any) -> Any:
    """x * (x + 3) / 6, the factor beside x clipped to [0, 1]."""
    return np.maximum(x, -3) * np.clip((x + 3) / 6, 0, 1)


def _hard_silu_slope_scalar(x):
    # As in hard_sigmoid, the second product is rounded, so that 0.5 - 1.5 / 3 is exactly 0.
    inside = fma(x, _THIRD(x), like(0.5, x)) + x * _THIRD_LOW(x)
    return where(x <= like(-3.0, x), like(0.0, x), where(x >= like(3.0, x), like(1.0, x), inside))


@compiled(_hard_silu_slope_scalar)
def hard_silu_slope(x: Any) -> Any:
    """(2 * x + 3) / 6 between -3 and 3, 0 and 1 outside."""
    return np.where(x <= -3, 0, np.where(x >= 3, 1, (2 * x + 3) / 6))


def _sparse_plus_scalar(x):
    s, s_low = ordered_sum(like(1.0, x), clamp(x, like(-1.0, x), like(1.0, x)))
    return where(x >= like(1.0, x), x, like(0.25, x) * fma(s, s, (s + s) * s_low))


@compiled(_sparse_plus_scalar)
def sparse_plus(x: Any) -> Any:
    """(x + 1)**2 / 4 between -1 and 1, 0 and x outside."""
    return np.where(x >= 1, x, (np.clip(x, -1, 1) + 1) ** 2 / 4)


def _star_relu_scalar(x, scale, bias):
    # (scale * r) * r, which unlike scale * r**2 overflows only where it must. Where bias cancels all but the last
    # places, the first sum is exact, and lacks only what rounding took from scale * r.
    r = clamp(x, like(0.0, x), LARGEST(x))  # 0 * inf would be NaN
    c, c_low = exact_product(scale, r)
    value = fma(c, r, bias)
    more = fma(c_low, r, value)
    return where(more == more, more, value)


@compiled(_star_relu_scalar)
def star_relu(x: Any, scale: Any, bias: Any) -> Any:
    """scale * max(x, 0)**2 + bias."""
    return scale * np.maximum(x, 0) ** 2 + bias


def _star_relu_slope_times_scalar(g, x, scale):
    r = where(x <= like(0.0, x), like(0.0, x), x)
    r = where(r > LARGEST(x), where(scale == like(0.0, x), like(0.0, x), r), r)  # 0 * inf would be NaN
    # Where g * r overflows, a small scale may bring it back: it meets the larger factor first.
    product, twice, g_is_larger = g * r, scale + scale, magnitude(g) > r
    turned = where(g_is_larger, g, r) * twice * where(g_is_larger, r, g)
    return where(magnitude(product) > LARGEST(x), turned, product * twice)


@compiled(_star_relu_slope_times_scalar)
def star_relu_slope_times(g: Any, x: Any, scale: Any) -> Any:
    """g * 2 * scale * max(x, 0)."""
    r = np.maximum(x, 0)
    product, g_is_larger = g * r, np.abs(g) > r
    turned = np.where(g_is_larger, g, r) * (2 * scale) * np.where(g_is_larger, r, g)
    return np.where(np.isinf(product), turned, product * (2 * scale))


def _softsign_scalar(x):
    one, b = like(1.0, x), bounded(x, _SOFTSIGN_END(x))
    more, less = where(b > one, b, one), where(b > one, one, b)
    d, d_low = ordered_sum(more, less)
    inverse = one / d
    q = b * inverse
    return copysign(fma(fma(-q, d_low, fma(-q, d, b)), inverse, q), x)


@compiled(_softsign_scalar)
def softsign(x: Any) -> Any:
    """x / (1 + |x|)."""
    x = np.clip(x, -1e30, 1e30)
    return x / (1 + np.abs(x))


def _softsign_slope_times_scalar(g, x):
    # The square is summed from its largest term on, and divided by p**2, where p is the power of two at or below 1 or
    # |x|. The factor that this leaves, 1 / p twice, comes last.
    one, b = like(1.0, x), magnitude(x)
    more, less = where(b > one, b, one), where(b > one, one, b)
    scale = reciprocal_power(leading_power(where(more > _LARGEST_POWER(x), _LARGEST_POWER(x), more)))
    more, less = more * scale, less * scale
    square = fma(more, more, fma(more + more, less, less * less))
    return g * (one / square) * scale * scale


@compiled(_softsign_slope_times_scalar)
def softsign_slope_times(g: Any, x: Any) -> Any:
    """g / (1 + |x|)**2."""
    return g / (1 + np.abs(x)) / (1 + np.abs(x))


@scalar
def _squareplus_parts(x, b):
    """p, a, n, n_low, s, unit, ratio, power: what squareplus and its slopes share. All are NaN for NaN or b < 0.

    All lengths are divided by a power of two, p <= max(|x|, sqrt(b)) < 2 p. a = |x| / p; n + n_low = (x**2 + b) / p**2;
    s = sqrt(n); b = unit * power**2 with 1 <= unit < 4 (or 0 for b = 0); ratio = power / p is at most 1.
    """
    root = sqrt(b)
    least = where(root > _LEAST_POWER(x), root, _LEAST_POWER(x))
    power = leading_power(least)
    inverse = reciprocal_power(power)
    unit = where(root == root, b * inverse * inverse, root)
    a = bounded(x, LARGEST(x))
    p = where(a > least, a, least)
    p = leading_power(where(p > _LARGEST_POWER(x), _LARGEST_POWER(x), p))
    inverse = reciprocal_power(p)
    ratio = power * inverse
    a = a * inverse
    square, square_low = exact_product(a, a)
    c = unit * ratio * ratio
    n, n_low = ordered_sum(where(square > c, square, c), where(square > c, c, square))
    return p, a, n, n_low + square_low, sqrt(n), unit, ratio, power


@scalar
def _power_below_root(b):
    """The power of two at or below sqrt(b)."""
    root = sqrt(b)
    return leading_power(where(root > _LEAST_POWER(b), root, _LEAST_POWER(b)))


def _squareplus_scalar(x, b):
    # x >= 0: (s + a) * p / 2; x < 0: b / (2 * (s + a) * p)
    # One division serves both: 1 / (2 * s * d) times d or s is 1 / (2 * s) or 1 / (2 * d).
    zero, half = like(0.0, x), like(0.5, x)
    p, a, n, n_low, s, unit, ratio, power = _squareplus_parts(x, b)
    d, d_low = ordered_sum(s, a)
    product = s * d  # 0 for x = b = 0
    inverse = half / where(product < _LEAST_ROOT(x), _LEAST_ROOT(x), product)
    d_low = fma(fma(-s, s, n) + n_low, d * inverse, d_low)
    inverse = inverse * s
    q = unit * inverse
    twice = q + q
    q = fma(fma(-twice, d_low, fma(-twice, d, unit)), inverse, q)
    negative = x < zero
    value = where(negative, q, d + d_low) * where(negative, power, half * p) * where(negative, ratio, like(1.0, x))
    return where(magnitude(x) > LARGEST(x), where(x > zero, x, zero), value)


@compiled(_squareplus_scalar)
def squareplus(x: Any, b: Any) -> Any:
    """(x + sqrt(x**2 + b)) / 2."""
    root = np.hypot(x, np.sqrt(b))
    return np.where(x < 0, b / (2 * (root - x)), (root + x) / 2)


def _squareplus_slope_times_scalar(g, x, b):
    # For x < 0 b / (2 * s * (s + a)), else 1 less that. Lengths are divided by p, the power of two at or below |x|, but
    # not below about sqrt(b). The factor that this leaves, 1 / p twice, comes last.
    zero, one, half = like(0.0, x), like(1.0, x), like(0.5, x)
    unit = _power_below_root(b)
    inverse = reciprocal_power(unit)
    square = b * inverse * inverse
    near = like(2.0**-32, x)  # a times this is finite where g / a**2 is not 0
    a = magnitude(x) * (inverse * near)
    a = where(a > LARGEST(x), LARGEST(x), a)
    p = leading_power(where(a > near, where(a > _LARGEST_POWER(x), _LARGEST_POWER(x), a), near))
    scale = reciprocal_power(p)
    a, scale = a * scale, scale * near
    c = where(square > zero, square, _LEAST_POWER(x) / _LEAST_ROOT(x)) * scale * scale
    s = sqrt(fma(a, a, c))
    d, d_low = ordered_sum(s, a)
    lost = where(scale < one, fma(a - s, d, c), fma(a, a, fma(-s, s, c)))  # a**2 + c - s**2
    # s * d, where s lacks lost / (2 * s), so that s * d lacks lost * (1 + a / (2 * s)), about
    product = fma(s, d, fma(s, d_low, lost * fma(a, like(0.3, x), one)))
    q = where(a == zero, half, (half * square) / product)  # also for b = 0
    negative = x < zero
    q = where(negative, q, fma(-q * scale, scale, one))
    scale = where(negative, scale, one)
    scale = where(magnitude(x) > LARGEST(x), where(negative, zero, one), scale)
    return g * q * scale * scale


@compiled(_squareplus_slope_times_scalar)
def squareplus_slope_times(g: Any, x: Any, b: Any) -> Any:
    """g times the derivative of squareplus, (1 + x / sqrt(x**2 + b)) / 2."""
    x = np.clip(x, -1e30, 1e30)
    root = np.hypot(x, np.sqrt(b))
    root = np.where(root == 0, 1, root)
    return g * (np.where(x < 0, b / (root - x) / root, 1 + x / root) / 2)


def _squareplus_slope_by_b_scalar(x, b):
    p, _, _, _, s, _, _, _ = _squareplus_parts(x, b)
    return where(magnitude(x) > LARGEST(x), like(0.0, x), like(0.25, x) / s * reciprocal_power(p))


@compiled(_squareplus_slope_by_b_scalar)
def squareplus_slope_by_b(x: Any, b: Any) -> Any:
    """1 / (4 * sqrt(x**2 + b)), the derivative of squareplus with respect to b."""
    return 0.25 / np.hypot(x, np.sqrt(b))
