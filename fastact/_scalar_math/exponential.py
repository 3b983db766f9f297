"""The exponential function and what is made of it alone: expm1, tanh, the sigmoid, softplus.

The upper half is for the other files of this folder; the lower half is vocabulary of formulas.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastact._primitives import (
    compiled,
    constant,
    copysign,
    fma,
    like,
    lower_half_power,
    magnitude,
    polynomial,
    power_of_two,
    small_power,
    times_power,
    upper_half_power,
    where,
)
from fastact._scalar_math.pairs import (
    SHIFT,
    SHIFT_TINY,
    TINY,
    bounded,
    clamp,
    exact_product,
    exact_sum,
    negated,
    ordered_sum,
    pair_product,
    quotient,
    scalar,
    scale,
    scale_tiny,
    times,
    unbiased,
)

LOG2_E = constant(1.4426950408889634, 1.4426950408889634)
LN2_HIGH = constant(0.6931471824645996, 0.6931471805599453)
LN2_LOW = constant(-1.904654299957768e-09, 2.3190468138462996e-17)
#: Where e**x is 0 even after multiplication by x, and where it is infinite.
EXP_LOWEST = constant(-112.0, -760.0)
#: Where e**x is 0 even after multiplication by the largest number.
EXP_DEEPEST = constant(-195.0, -1460.0)
EXP_HIGHEST = constant(89.0, 710.0)
#: Where 1 + e**x is 1 in the dtype, with a margin.
EXP_NEGLIGIBLE = constant(-17.4, -37.5)
#: (e**r - 1 - r) / r**2 for |r| <= log(2) / 2; e**r to 2**-28, 2**-64.
_EXP = polynomial(
    (
        0.5, 0.166665181517601, 0.04166620224714279, 0.008368954062461853, 0.0013950702268630266,
    ),
    (
        0.5, 0.16666666666666685, 0.04166666666666673, 0.00833333333331662, 0.0013888888888858558,
        0.0001984126989736193, 2.4801587373569994e-05, 2.7557233929240984e-06, 2.755723347351703e-07,
        2.5112348604125086e-08, 2.092691551163868e-09,
    ),
)  # fmt: skip
#: (log((1 + s) / (1 - s)) / s - 2) / s**2 in s**2, for |s| <= 0.172; 2**-30, 2**-59.
_LOG = polynomial(
    (
        0.6666668653488159, 0.39988696575164795, 0.2958308756351471,
    ),
    (
        0.666666666666667, 0.3999999999989789, 0.2857142862665141, 0.22222211031749325, 0.18182896207631685,
        0.15331497764506818, 0.1461909699201228,
    ),
)  # fmt: skip
tiny_power = small_power(48, 128)


@scalar
def exp_parts(x, x_low, shift):
    """u, k with e**(x + x_low) = 2**k * (1 + u), |u| < 0.42, u off by at most 2**-25; shift: SHIFT or SHIFT_TINY."""
    k = fma(x, LOG2_E(x), shift)
    whole = k - shift
    r = fma(-whole, LN2_LOW(x), fma(-whole, LN2_HIGH(x), x) + x_low)
    return fma(r * r, _EXP(r), r), k


@scalar
def expm1_parts(x):
    """e, e_low, k with e**x - 1 = 2**k * (e + e_low), without cancellation near 0."""
    k = fma(x, LOG2_E(x), SHIFT(x))
    whole = k - SHIFT(x)
    r = fma(-whole, LN2_HIGH(x), x)  # exact
    r_low = -whole * LN2_LOW(x)
    t = fma(r * r, _EXP(r), fma(r_low, r, r_low))
    inverse_k = negated(k)
    one, one_low = exact_sum(like(1.0, x), -(lower_half_power(inverse_k) * upper_half_power(inverse_k)))
    e, e_low = ordered_sum(one, r)
    e, t = ordered_sum(e, e_low + t)
    return e, one_low + t, k


@scalar
def reversed_exp_parts(x, x_low):
    """u, k with e**-(x + x_low) = (1 + u) * 2**-k, k biased as `SHIFT_TINY` is; u as in `exp_parts`."""
    k = fma(x, LOG2_E(x), SHIFT_TINY(x))
    whole = k - SHIFT_TINY(x)
    r = fma(whole, LN2_LOW(x), fma(whole, LN2_HIGH(x), -x) - x_low)
    return fma(r * r, _EXP(r), r), k


@scalar
def decay(b, b_low):
    """p, p_low, k: e**-(b + b_low) = (p + p_low) * 2**k, for 0 <= b <= -EXP_DEEPEST; k biased as `SHIFT_TINY` is."""
    u, k = exp_parts(-b, -b_low, SHIFT_TINY(b))
    p, p_low = ordered_sum(like(1.0, b), u)
    return p, p_low, k


@scalar
def sigmoid_parts(x, x_low):
    """q, error, u, k: 1 / (1 + e**-(x + x_low)) = (q + error * q) * 2**k; u and k as in `reversed_exp_parts`.

    For x down to EXP_LOWEST, `times_power(q, k)` is a normal number: multiplying by TINY, at the very end, rounds a
    subnormal result once. Powers of two are added to exponents as integers, since multiplications limit the speed.
    """
    u, k = reversed_exp_parts(x, x_low)
    one, one_low = ordered_sum(like(1.0, x), tiny_power(k))
    d, d_low = ordered_sum(one, u)
    q = like(1.0, x) / d
    return q, fma(-q, d_low + one_low, fma(-q, d, like(1.0, x))), u, k


@scalar
def log1p_parts(z, z_low):
    """log(1 + z + z_low) as high and low part, for 0 <= z <= 1."""
    # 1 + z = 2 * (1 + f) or 1 + f with |f| < 0.42
    upper = z > like(0.41421356, z)
    d, d_low = exact_sum(z, like(-1.0, z))
    f = where(upper, like(0.5, z) * d, z)
    f_low = where(upper, like(0.5, z) * (d_low + z_low), z_low)
    s = f / (like(2.0, z) + f)
    half_square = like(0.5, z) * f * f
    w = s * s
    low = fma(s, half_square + w * _LOG(w), -half_square) + fma(f_low, like(-2.0, z) * s, f_low)
    low = low + where(upper, LN2_LOW(z), like(0.0, z))
    high, more = ordered_sum(where(upper, LN2_HIGH(z), like(0.0, z)), f)
    return ordered_sum(high, low + more)


def _exp_scalar(x):
    u, k = exp_parts(clamp(x, EXP_LOWEST(x), EXP_HIGHEST(x)), like(-0.0, x), SHIFT(x))
    return scale(like(1.0, x) + u, k)


@compiled(_exp_scalar)
def exp(x: Any) -> Any:
    """e**x."""
    return np.exp(x)


def _expm1_scalar(x):
    e, e_low, k = expm1_parts(clamp(x, like(2.0, x) * EXP_NEGLIGIBLE(x), EXP_HIGHEST(x)))
    return where(x == like(0.0, x), x, scale(e + e_low, k))


@compiled(_expm1_scalar)
def expm1(x: Any) -> Any:
    """e**x - 1."""
    return np.expm1(x)


def _tanh_scalar(x):
    b = bounded(x, -EXP_NEGLIGIBLE(x))
    doubled = b + b
    k = fma(doubled, -LOG2_E(x), SHIFT(x))
    whole = k - SHIFT(x)
    r = -fma(whole, LN2_HIGH(x), doubled)  # exact; log(2)'s low part would add less than 2**-29 to the result
    u = fma(r * r, _EXP(r), r)
    power = power_of_two(k)
    e = -fma(power, u, power - like(1.0, x))  # 1 - e**(-2 b)
    d, d_low = ordered_sum(like(2.0, x), -e)
    q, q_low = quotient(e, like(-0.0, x), d, d_low)
    return copysign(q + q_low, x)


@compiled(_tanh_scalar)
def tanh(x: Any) -> Any:
    """(e**x - e**-x) / (e**x + e**-x)."""
    return np.tanh(x)


def _softplus_scalar(x, beta):
    h, h_low = exact_product(beta, x)
    negative = h < like(0.0, x)
    b_low = where(magnitude(h) < -EXP_DEEPEST(x), where(negative, -h_low, h_low), like(0.0, x))
    b = bounded(h, -EXP_DEEPEST(x))
    p, p_low, k = decay(b, b_low)
    power = tiny_power(k)
    log, log_low = log1p_parts(p * power, p_low * power)
    rest, rest_low = quotient(log, log_low, beta, like(-0.0, x))
    value, value_low = exact_sum(where(negative, like(0.0, x), x), rest)
    # Where 1 + e**-b rounds to 1, log(1 + e**-b) is e**-b.
    tail = where(negative, scale_tiny((p + p_low) / beta, k), x)
    low = value_low + rest_low
    low = where(low == low, low, like(0.0, x))  # beta = 0 gives inf
    return where(b > like(-2.0, x) * EXP_NEGLIGIBLE(x), tail, value + low)


@compiled(_softplus_scalar)
def softplus(x: Any, beta: Any) -> Any:
    """log(1 + e**(beta * x)) / beta."""
    return np.logaddexp(0, beta * x) / beta


def _sigmoid_scalar(x):
    q, error, _, k = sigmoid_parts(clamp(x, EXP_LOWEST(x), -EXP_NEGLIGIBLE(x)), like(0.0, x))
    q = times_power(q, k)
    return fma(error, q, q) * TINY(x)


@compiled(_sigmoid_scalar)
def sigmoid(x: Any) -> Any:
    """1 / (1 + e**-x)."""
    return 1 / (1 + np.exp(-x))


def _sigmoid_times_scalar(a, x, x_low):
    x_low = where(magnitude(x) < -EXP_DEEPEST(x), x_low, like(0.0, x))
    q, error, _, k = sigmoid_parts(clamp(x, EXP_DEEPEST(x), -EXP_NEGLIGIBLE(x)), x_low)
    a = where(x < EXP_DEEPEST(x), copysign(like(0.0, a), a), a)
    return scale_tiny(times(a, q, error * q), k)


@compiled(_sigmoid_times_scalar)
def sigmoid_times(a: Any, x: Any, x_low: Any) -> Any:
    """a / (1 + e**-x), rounded once; x_low is the low part of x."""
    return a / (1 + np.exp(-x))


def _sigmoid_slope_times_scalar(a, x, x_low):
    x_low = where(magnitude(x) < -EXP_LOWEST(x), x_low, like(0.0, x))
    b = bounded(x, -EXP_LOWEST(x))
    q, error, u, k = sigmoid_parts(-b, where(x < like(0.0, x), x_low, -x_low))
    p, p_low = ordered_sum(like(1.0, x), u)
    square, square_low = pair_product(q, error * q, q, error * q)
    high, low = pair_product(square, square_low, p, p_low)
    a = where(magnitude(x) > -EXP_LOWEST(x), copysign(like(0.0, a), a), a)
    return scale(fma(a, high, a * low), unbiased(k))


@compiled(_sigmoid_slope_times_scalar)
def sigmoid_slope_times(a: Any, x: Any, x_low: Any) -> Any:
    """a * e**-x / (1 + e**-x)**2, the derivative of the sigmoid times a, rounded once; a must be finite."""
    z = np.exp(-np.abs(x))
    return a * (z / (1 + z) ** 2)
