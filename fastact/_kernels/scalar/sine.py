"""snake and its slopes: sin(y)**2 with y = alpha * x, which is reduced modulo pi.

The function itself needs y modulo pi only while x + sin(y)**2 / alpha differs from x. Its derivative is a sine however
large y is, and 0 at all its minima: there y must be known modulo pi far below its own last place.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastact._kernels.scalar.pairs import LARGEST, exact_product, exact_sum, ordered_sum, pair_product, quotient, scalar
from fastact._kernels.scalar.primitives import (
    compiled,
    constant,
    copysign,
    floor,
    fma,
    like,
    magnitude,
    polynomial,
    sqrt,
    where,
)
from fastact._kernels.scalar.reduction import (
    half_turns,
    half_turns_low,
    half_turns_sign,
    shifted_half_turns,
    shifted_half_turns_low,
    shifted_half_turns_sign,
)

#: pi in the units of half_turns.
_PI = constant(3.1415927410125732 * 2**-32, 3.141592653589793 * 2**-64)
_PI_LOW = constant(-8.742277657347586e-08 * 2**-32, 1.2246467991473532e-16 * 2**-64)
_HALF_PI = constant(1.5707963705062866, 1.5707963267948966)
_HALF_PI_LOW = constant(-4.371138828673793e-08, 6.123233995736766e-17)
_QUARTER_PI = constant(0.7853981852531433, 0.7853981633974483)
_QUARTER_PI_LOW = constant(-2.1855694143368964e-08, 3.061616997868383e-17)
_TWO_OVER_PI = constant(0.6366197466850281, 0.6366197723675814)
_TWO_OVER_PI_LOW = constant(2.5682552973194106e-08, -3.935735335036497e-17)
#: From this |y| on, sin(y)**2 / y is at most 2/3 ULP of 1.
_NEGLIGIBLE = constant(1.5 * 2**24, 1.5 * 2**53)
#: Where 1 + sin(2 y) is 1 + 2 y, and where y sin(2 y) - sin(y)**2 is y**2 - y**4.
_SMALL = constant(2.0**-9, 2.0**-19)
_SMALL_FOURTH = constant(2.0**-6, 2.0**-13)
#: In z = r**2: (sin(r)**2 - z) / z**2 for |r| <= 1/2, sin(r)**2 to 2**-36, 2**-66 of itself.
_SINE_SQUARED = polynomial(
    (-0.3333333432674408, 0.04444439709186554, -0.0031740409322082996, 0.00013846058573108166),
    (
        -0.3333333333333333, 0.044444444444444065, -0.0031746031745902934, 0.00014109347421998166,
        -4.2755580547289615e-06, 9.395996004738476e-08, -1.5455917069018056e-09,
    ),
)  # fmt: skip
#: (sin(2 r) / (2 r) - 1) / z for |r| <= pi / 4 - 1/2, to 2**-26, 2**-58.
_DOUBLED_SINE = polynomial(
    (-0.6666666269302368, 0.13333047926425934, -0.012608801014721394),
    (
        -0.6666666666666666, 0.1333333333333314, -0.0126984126981455, 0.000705467358717853,
        -2.565305445339379e-05, 6.545911543339122e-07,
    ),
)  # fmt: skip


@scalar
def _squares(r, r_low, odd):
    """sin(y)**2 and cos(y)**2, each with its low part, for y = r + r_low and |r| up to pi / 4; exchanged where `odd`.

    Up to |r| = 1/2 the sine's square is r**2 - r**4 / 3 ..., and from there on 1/2 + sin(2 |r| - pi / 2) / 2. So what
    is rounded is small near every zero, of the squares and of the derivative of snake; hence snake does not fall.
    """
    zero, half = like(0.0, r), like(0.5, r)
    b, b_low = magnitude(r), r_low * copysign(like(1.0, r), r)
    above = b > half
    base = where(above, half, zero)
    b, b_low = where(above, b - _QUARTER_PI(r), b), where(above, b_low - _QUARTER_PI_LOW(r), b_low)
    z, z_low = pair_product(b, b_low, b, b_low)
    # z + z * t with t = -z / 3 ..., or b + b * t with t = -2 z / 3 ...; low parts are multiplied by their derivatives.
    high = where(above, b, z)
    low = where(above, b_low, z_low)
    t = z * where(above, _DOUBLED_SINE(z), _SINE_SQUARED(z))
    low = fma(high, t, fma(low, t * where(above, like(3.0, r), like(2.0, r)), low))
    base, high, low = where(odd, like(1.0, r) - base, base), where(odd, -high, high), where(odd, -low, low)
    s, s_low = ordered_sum(base, high)
    c, c_low = ordered_sum(like(1.0, r) - base, -high)
    return s, s_low + low, c, c_low - low


@scalar
def _squares_of_half_turns(u, u_low, odd):
    """The same for y = pi * (u + u_low), u in the units of half_turns."""
    r, r_low = pair_product(u, u_low, _PI(u), _PI_LOW(u))
    return _squares(r, r_low, odd)


def _snake_scalar(x, alpha):
    zero, one, half = like(0.0, x), like(1.0, x), like(0.5, x)
    y, y_low = exact_product(alpha, x)
    near = magnitude(y) < _NEGLIGIBLE(x)
    y, y_low = where(near, y, zero), where(near, y_low, zero)
    # The low parts matter where k has no fraction left.
    k = fma(y_low, _TWO_OVER_PI(x), fma(y, _TWO_OVER_PI_LOW(x), half))
    k = floor(fma(y, _TWO_OVER_PI(x), k))
    r, r_low = exact_sum(fma(-k, _HALF_PI(x), y), fma(-k, _HALF_PI_LOW(x), y_low))  # the first term is exact
    s, s_low, _, _ = _squares(r, r_low, half * k != floor(half * k))
    # Powers of two keep 1 / alpha normal; for alpha = 0 the sine is 0 too.
    power = where(magnitude(alpha) < one, like(2.0**64, x), like(2.0**-64, x))
    q, q_low = quotient(s, s_low, where(alpha == zero, one, alpha * power), like(-0.0, x))
    value, value_low = exact_sum(x, q * power)
    value = value + (value_low + q_low * power)
    return where(magnitude(x) > LARGEST(x), x, where(x == zero, x, value))


@compiled(_snake_scalar)
def snake(x: Any, alpha: Any) -> Any:
    """x + sin(alpha * x)**2 / alpha; x for alpha = 0."""
    y = np.where(np.isfinite(x), alpha * x, 0)
    return x + np.sin(y) ** 2 / np.where(alpha == 0, 1, alpha)


def _snake_slope_scalar(x, alpha):
    # 2 * sin(y + pi / 4)**2
    y = alpha * x
    odd = shifted_half_turns_sign(alpha, x) < like(0.0, x)
    s, s_low, _, _ = _squares_of_half_turns(shifted_half_turns(alpha, x), shifted_half_turns_low(alpha, x), odd)
    s = s + s_low
    slope = where(magnitude(y) >= _SMALL(x), s + s, fma(like(2.0, x), y, like(1.0, x)))
    return where(magnitude(x) <= LARGEST(x), slope, x - x)


@compiled(_snake_slope_scalar)
def snake_slope(x: Any, alpha: Any) -> Any:
    """1 + sin(2 * alpha * x), the derivative of snake."""
    return 1 + np.sin(2 * (alpha * x))


def _snake_slope_by_alpha_scalar(x, alpha):
    # y * sin(2 * y) = 2 * y * (-1)**n * sign(u) * sin(pi * |u|) * cos(pi * |u|) for y = pi * (u + n / 2)
    y = alpha * x
    u, odd = half_turns(alpha, x), half_turns_sign(alpha, x) < like(0.0, x)
    s, s_low, c, c_low = _squares_of_half_turns(u, half_turns_low(alpha, x), odd)
    s = s + s_low
    sine = like(2.0, x) * copysign(sqrt(s * (c + c_low)), u)
    slope = (y * where(odd, -sine, sine) - s) / alpha / alpha
    slope = where(magnitude(y) < _SMALL_FOURTH(x), x * x * fma(-y, y, like(1.0, x)), slope)
    return where(magnitude(x) <= LARGEST(x), where(y == y, slope, y), x - x)


@compiled(_snake_slope_by_alpha_scalar)
def snake_slope_by_alpha(x: Any, alpha: Any) -> Any:
    """(y * sin(2 * y) - sin(y)**2) / alpha**2 with y = alpha * x, the derivative of snake with respect to alpha."""
    y = alpha * x
    divisor = np.where(alpha == 0, 1, alpha)
    return np.where(alpha == 0, x * x, (y * np.sin(2 * y) - np.sin(y) ** 2) / divisor / divisor)
