"""The exponential function and what is made of it alone: expm1, elu and its kin, tanh, the sigmoid, softplus.

The upper half is for the other files of this folder; the lower half is vocabulary of formulas. A slope comes multiplied
by a gradient, because the product may be a normal number where the slope alone is 0 or infinite.
"""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from fastact._kernels.scalar.pairs import (
    LARGEST,
    SHIFT,
    SHIFT_TINY,
    TINY,
    bounded,
    clamp,
    exact_product,
    exact_sum,
    negated,
    ordered_sum,
    quotient,
    scalar,
    scale,
    unbiased,
)
from fastact._kernels.scalar.primitives import (
    compiled,
    constant,
    copysign,
    fma,
    ldexp,
    like,
    lower_half_power,
    magnitude,
    piecewise,
    polynomial,
    power_of_two,
    small_power,
    times_power,
    upper_half_power,
    where,
)

LOG2_E = constant(1.4426950408889634, 1.4426950408889634)
LN2_HIGH = constant(0.6931471824645996, 0.6931471805599453)
LN2_LOW = constant(-1.904654299957768e-09, 2.3190468138462996e-17)
_SKEW = constant(0.0588915178, 0.0588915178)  # log(3 / 2) - log(2) / 2
#: Where e**x is 0 even after multiplication by x, and where it is infinite.
EXP_LOWEST = constant(-112.0, -760.0)
#: Where e**x is 0 even after multiplication by the largest number.
EXP_DEEPEST = constant(-195.0, -1460.0)
EXP_HIGHEST = constant(89.0, 710.0)
#: The least x whose e**x `scale` can multiply by, alone and where TINY has been multiplied before.
_EXP_REACH = constant(-174.0, -1416.0)
_EXP_REACH_TINY = constant(-207.0, -1504.0)
#: Where e**x is infinite even after multiplication by the least number.
_EXP_FARTHEST = constant(193.0, 1456.0)
#: With a margin, the x below which 1 + e**x is 1 in the dtype.
EXP_NEGLIGIBLE = constant(-17.4, -37.5)
#: Where -e**x is infinite even after multiplication by the least normal number.
_EXPM1_FARTHEST = constant(176.0, 1418.0)
#: With a margin, the x below which e**x - 1 is -1 in the dtype.
_EXPM1_LOWEST = constant(-34.8, -75.0)
#: Where e**x - 1 is x, and where tanh(x) is x.
_EXPM1_LINEAR = constant(2.0**-24, 2.0**-53)
_TANH_LINEAR = constant(2.0**-30, 2.0**-60)
_HUGE = constant(2.0**48, 2.0**128)  # 1 / TINY
#: From here on a gradient is multiplied by TINY. A lesser gradient times e**x is 0 beyond `_EXP_REACH`; and a gradient
#: from here on times TINY and a small alpha is a normal number.
_LARGE = constant(2.0**32, 2.0**256)
_EXP_COEFFICIENTS = (
    (
        0.5, 0.166665181517601, 0.04166620224714279, 0.008368954062461853, 0.0013950702268630266,
    ),
    (
        0.5, 0.16666666666666685, 0.04166666666666673, 0.00833333333331662, 0.0013888888888858558,
        0.0001984126989736193, 2.4801587373569994e-05, 2.7557233929240984e-06, 2.755723347351703e-07,
        2.5112348604125086e-08, 2.092691551163868e-09,
    ),
)  # fmt: skip
#: (e**r - 1 - r) / r**2 for |r| <= log(2) / 2; gives e**r to 2**-28 and 2**-64.
EXP_QUADRATIC = polynomial(*_EXP_COEFFICIENTS, pairs=True)
#: The same for r from log(3 / 4) to log(3 / 2), as `exp` wants it; gives e**r to 2**-28.4 and 2**-57.7.
_EXP_SKEW = polynomial(
    (
        0.5000001788139343, 0.16666573286056519, 0.04165844991803169, 0.008360007777810097, 0.0014642314054071903,
    ),
    (
        0.4999999999999999, 0.16666666666667732, 0.04166666666668581, 0.00833333333242523,
        0.0013888888884897865, 0.00019841272475326356, 2.480157697802332e-05, 2.7554115191061327e-06,
        2.7589796358057396e-07, 2.6469837086472233e-08,
    ),
    pairs=True,
)  # fmt: skip
#: (e**r - 1 - r - r**2 / 2) / r**3, for formulas in which 1 cancels; gives e**r to 2**-33 and 2**-64.
_EXP_CUBIC = polynomial(
    (
        0.1666666716337204, 0.041666463017463684, 0.008333231322467327, 0.0013935198076069355, 0.0001992072502616793,
    ),
    (
        0.16666666666666685, 0.041666666666666616, 0.00833333333331617, 0.0013888888888916146, 0.00019841269898584476,
        2.4801587254128513e-05, 2.7557232633831574e-06, 2.755733943389981e-07, 2.5112818562848483e-08,
        2.089307142810888e-09,
    ),
    pairs=True,
)  # fmt: skip
#: (log((1 + s) / (1 - s)) / s - 2) / s**2 in s**2, for |s| <= 0.172; off by 2**-30 and 2**-59.
_LOG = polynomial(
    (
        0.6666668653488159, 0.39988696575164795, 0.2958308756351471,
    ),
    (
        0.666666666666667, 0.3999999999989789, 0.2857142862665141, 0.22222211031749325, 0.18182896207631685,
        0.15331497764506818, 0.1461909699201228,
    ),
)  # fmt: skip
#: With a margin, the x from which tanh is 1 in the dtype.
_TANH_ONE = constant(10.0, 20.0)
_TWICE_LOG2_E = constant(2 * 1.4426950408889634, 2 * 1.4426950408889634)
#: Below the cut (b**3 / (b - tanh(b)) - 3) / b**2 in b**2, off by 2**-32 and 2**-58 of b**3 / (b - tanh(b)). Above it
#: the function of `EXP_QUADRATIC`, in float64 to 2**-58. At the cut both give the same error.
_TANH_CUT = constant(0.945, 0.945)
_TANH = piecewise(
    (
        (0.945, (1.1999999284744263, -0.005714024882763624, 0.0002530761412344873, -1.0987083442159928e-05)),
        (inf, _EXP_COEFFICIENTS[0]),
    ),
    (
        (0.945, (
            1.199999999999999, -0.005714285714249175, 0.0002539682535133877, -1.2203666605039581e-05,
            5.987571537403666e-07, -2.9547228350243786e-08, 1.4423662182984154e-09, -5.962644499147243e-11,
        )),
        (inf, (
            0.5000000000000013, 0.166666666666667, 0.04166666666651433, 0.008333333333306958, 0.0013888888947330743,
            0.00019841269917922057, 2.480148959039119e-05, 2.7557215821602255e-06, 2.7631414005740205e-07,
            2.5118011748726456e-08,
        )),
    ),
)  # fmt: skip
#: Below the cut (log(1 + e**-b) - log(2) + b / 2) / b**2 in b**2, above it log(1 + z) / z - anchor in z = e**-b. In
#: float32 they give log(1 + e**-b) to 2**-30 and 2**-29, in float64 to 2**-61 and 2**-58.
_LOG1P_EXP_CUT = constant(0.8, 0.8)
_LOG1P_ANCHOR = constant(0.90625, 0.90625)
_LOG1P_EXP = piecewise(
    (
        (0.8, (0.12499997764825821, -0.005207990761846304, 0.0003455956175457686, -2.326659159734845e-05)),
        (inf, (
            0.09375, -0.4999997317790985, 0.33331772685050964, -0.2496892511844635, 0.19701074063777924,
            -0.1507699340581894, 0.09325163066387177, -0.031610291451215744,
        )),
    ),
    (
        (0.8, (
            0.12499999999999994, -0.005208333333330371, 0.00034722222216060323, -2.635168587304534e-05,
            2.1356885092963873e-06, -1.8030964812627702e-07, 1.5630781459506056e-08, -1.3481135031407697e-09,
            9.387866866328282e-11,
        )),
        (inf, (
            0.09375, -0.4999999999999957, 0.33333333333251697, -0.24999999993799246, 0.1999999975198498,
            -0.1666666064756794, 0.14285617976193923, -0.12498929005068617, 0.11102541798590211, -0.09949529250315305,
            0.08868937213606465, -0.07598346358203585, 0.05852234993963107, -0.036460775169139474,
            0.015651163864348738, -0.003354913457930832,
        )),
    ),
)  # fmt: skip
#: selu's scale less 1, and scale * alpha, of the float64 constants 1.0507009873554805 and 1.6732632423543772.
_SELU_EXCESS = constant(0.05070098862051964, 0.050700987355480454)
_SELU_SLOPE = constant(1.7580993175506592, 1.7580993408473766)
_SELU_SLOPE_LOW = constant(2.3296717444054593e-08, 5.75014648756476e-17)
tiny_power = small_power(48, 128)
_power_or_0 = small_power(0, 0)


@scalar
def _exp_reduced(x, x_low, shift):
    """r, k: e**(x + x_low) = 2**k * e**r, |r| < 0.35; shift: SHIFT or SHIFT_TINY."""
    k = fma(x, LOG2_E(x), shift)
    whole = k - shift
    return fma(-whole, LN2_LOW(x), fma(-whole, LN2_HIGH(x), x) + x_low), k


@scalar
def exp_parts(x, x_low, shift):
    """u, k: e**(x + x_low) = 2**k * (1 + u), |u| < 0.42, u off by at most 2**-25; shift: SHIFT or SHIFT_TINY."""
    r, k = _exp_reduced(x, x_low, shift)
    return fma(r * r, EXP_QUADRATIC(r), r), k


@scalar
def over_r(r):
    """(e**r - 1 - r) / r, rounded about once."""
    return fma(r * r, _EXP_CUBIC(r), like(0.5, r) * r)


@scalar
def _expm1_parts(x, x_low):
    """`expm1_parts` of x + x_low; k is not negative."""
    k = fma(x, LOG2_E(x), SHIFT(x))
    whole = k - SHIFT(x)
    r = fma(-whole, LN2_HIGH(x), x)  # exact
    r_low = fma(-whole, LN2_LOW(x), x_low)
    one, one_low = ordered_sum(like(1.0, x), r)
    w = over_r(r)
    # 2**min(k, 0) * e**r - 2**-max(k, 0), times 2**max(k, 0)
    down = whole < like(0.0, x)
    power, up = power_of_two(where(down, k, SHIFT(x))), where(down, SHIFT(x), k)
    e, e_low = ordered_sum(where(down, like(-1.0, x), one), where(down, power * one, -_power_or_0(negated(up))))
    one_low = one_low + fma(fma(r, w, r), r_low, r_low)
    e, e_low = ordered_sum(e, fma(power, fma(r, w, one_low), e_low))
    return e, e_low, up


@scalar
def expm1_parts(x):
    """e, e_low, k: e**x - 1 = 2**k * (e + e_low), without cancellation near 0."""
    return _expm1_parts(x, like(-0.0, x))


@scalar
def _fall(x):
    """e**x - 1 for x <= 0, as high and low part, without cancellation near 0."""
    x = where(x < _EXPM1_LOWEST(x), _EXPM1_LOWEST(x), x)
    k = fma(x, LOG2_E(x), SHIFT(x))
    r = fma(k - SHIFT(x), -LN2_HIGH(x), x)  # exact; the low part of log(2) would add less than 1/4 ULP to the result
    power = power_of_two(k)
    one, one_low = ordered_sum(like(1.0, x), r)
    high = fma(power, one, like(-1.0, x))
    low = fma(power, one, like(-1.0, x) - high)
    return ordered_sum(high, fma(power, fma(r, over_r(r), one_low), low))


@scalar
def reversed_exp_parts(x, x_low):
    """u, k: e**-(x + x_low) = (1 + u) * 2**-k, with k biased as `SHIFT_TINY` is, and u as in `exp_parts`."""
    k = fma(x, LOG2_E(x), SHIFT_TINY(x))
    whole = k - SHIFT_TINY(x)
    r = fma(whole, LN2_LOW(x), fma(whole, LN2_HIGH(x), -x) - x_low)
    return fma(r * r, EXP_QUADRATIC(r), r), k


@scalar
def decay(b, b_low):
    """p, p_low, k: e**-(b + b_low) = (p + p_low) * 2**k for 0 <= b <= -EXP_DEEPEST, k biased as `SHIFT_TINY` is."""
    u, k = exp_parts(-b, -b_low, SHIFT_TINY(b))
    p, p_low = ordered_sum(like(1.0, b), u)
    return p, p_low, k


@scalar
def sigmoid_parts(x, x_low):
    """q, error, u, k: 1 / (1 + e**-(x + x_low)) = (q + error * q) * 2**k; u and k as in `reversed_exp_parts`.

    For x down to EXP_LOWEST, `times_power(q, k)` is a normal number, so that multiplying it by TINY, at the very end,
    rounds a subnormal result once. Powers of two are added to exponents as integers: multiplications limit the speed.
    """
    u, k = reversed_exp_parts(x, x_low)
    power = tiny_power(k)
    d = (like(1.0, x) + power) + u
    d_low = ((like(1.0, x) - d) + power) + u  # exact: each sum is nearly 0, or a multiple of what d is rounded to
    q = like(1.0, x) / d
    return q, fma(-q, d_low, fma(-q, d, like(1.0, x))), u, k


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


@scalar
def _log1p_exp_parts(b, b_low, half):
    """m, m_low, k, near: log(1 + e**-(b + b_low)) = (m + m_low) * 2**k for b >= 0, with k biased as `SHIFT_TINY` is.

    half is -1/2; with 1/2 the result is log(1 + e**(b + b_low)) where `near` is true.
    """
    # Near 0, log(2) - b / 2 + b**2 * table; elsewhere, with e**-b = p * 2**k, p * anchor + p * table. The first form
    # keeps the result monotone: only its product with the table is rounded in steps.
    near = b < _LOG1P_EXP_CUT(b)
    k = fma(b, -LOG2_E(b), SHIFT_TINY(b))
    whole = k - SHIFT_TINY(b)
    r, r_low = ordered_sum(fma(-whole, LN2_HIGH(b), -b), fma(-whole, LN2_LOW(b), -b_low))
    one, one_low = ordered_sum(like(1.0, b), r)
    p, p_low = ordered_sum(one, fma(r * r, EXP_QUADRATIC(r), one_low + r_low))
    square = b * b
    table = _LOG1P_EXP(b, where(near, square, p * tiny_power(k)))
    factor, x, addend = where(near, half, _LOG1P_ANCHOR(b)), where(near, b, p), where(near, LN2_HIGH(b), like(0.0, b))
    m = fma(factor, x, addend)
    rest = fma(factor, x, addend - m)
    factor = where(near, fma(like(0.24, b), b, half), _LOG1P_ANCHOR(b))  # about the slope by the low part
    rest = fma(factor, where(near, b_low, p_low), where(near, rest + LN2_LOW(b), rest))
    m, m_low = ordered_sum(m, fma(where(near, square, p), table, rest))
    return m, m_low, where(near, SHIFT_TINY(b), k), near


# --- the exponential itself -------------------------------------------------------------------------------------------


def _exp_scalar(x):
    x = clamp(x, EXP_LOWEST(x), EXP_HIGHEST(x))
    # 3 / 4 <= e**r <= 3 / 2, so that the last bit of e**r - 1 is 1 / 4 ULP of e**r. For |r| <= 0.35 it is 1 / 2 ULP.
    k = fma(x - _SKEW(x), LOG2_E(x), SHIFT(x))
    whole = k - SHIFT(x)
    r = fma(-whole, LN2_LOW(x), fma(-whole, LN2_HIGH(x), x))
    return scale(like(1.0, x) + fma(r * r, _EXP_SKEW(r), r), k)


@compiled(_exp_scalar)
def exp(x: Any) -> Any:
    """e**x."""
    return np.exp(x)


def _exp_times_scalar(a, x, x_low):
    # Bring a nearer to 1, so that all products but the last one are normal numbers.
    big, small = magnitude(a) > like(1.0, a), magnitude(a) < like(1.0, a)
    x_low = where(magnitude(x) < -EXP_DEEPEST(x), x_low, like(0.0, x))
    lowest = where(big, EXP_DEEPEST(x), EXP_LOWEST(x))
    highest = where(small, _EXP_FARTHEST(x), EXP_HIGHEST(x))
    u, k = exp_parts(clamp(x, lowest, highest), x_low, SHIFT(x))
    a = where(big, a * TINY(a), where(small, a * _HUGE(a), a))
    bias = SHIFT_TINY(x) - SHIFT(x)
    return scale(a * (like(1.0, x) + u), where(big, k + bias, where(small, k - bias, k)))


@compiled(_exp_times_scalar)
def exp_times(a: Any, x: Any, x_low: Any) -> Any:
    """a * e**x; x_low is the low part of x."""
    return a * np.exp(x)


def _expm1_scalar(x):
    e, e_low, k = expm1_parts(clamp(x, _EXPM1_LOWEST(x), EXP_HIGHEST(x)))
    return where(x == like(0.0, x), x, scale(e + e_low, k))


@compiled(_expm1_scalar)
def expm1(x: Any) -> Any:
    """e**x - 1."""
    return np.expm1(x)


# --- elu and its kin --------------------------------------------------------------------------------------------------


def _elu_scalar(x, alpha):
    high, low = _fall(x)
    return where(x < like(0.0, x), fma(alpha, high, alpha * low), x)


@compiled(_elu_scalar)
def elu(x: Any, alpha: Any) -> Any:
    """x where it is positive, else alpha * (e**x - 1)."""
    return np.where(x < 0, alpha * np.expm1(np.minimum(x, 0)), x)


def _elu_slope_times_scalar(g, x, alpha):
    big = magnitude(g) > _LARGE(g)
    lowest = where(big, _EXP_REACH_TINY(x), _EXP_REACH(x))
    u, k = exp_parts(where(x < lowest, lowest, x), like(-0.0, x), SHIFT(x))
    slope = where(big, g * TINY(g), g) * fma(alpha, u, alpha)
    slope = scale(slope, where(big, k + (SHIFT_TINY(x) - SHIFT(x)), k))
    return where(x > like(0.0, x), g, slope)


@compiled(_elu_slope_times_scalar)
def elu_slope_times(g: Any, x: Any, alpha: Any) -> Any:
    """g times the derivative of `elu`."""
    return g * np.where(x > 0, 1, alpha * np.exp(np.minimum(x, 0)))


def _elu_slope_by_alpha_scalar(x):
    high, _ = _fall(x)
    return where(x < like(0.0, x), high, where(x > like(0.0, x), like(0.0, x), x))


@compiled(_elu_slope_by_alpha_scalar)
def elu_slope_by_alpha(x: Any) -> Any:
    """The derivative of `elu` by alpha."""
    return np.expm1(np.minimum(x, 0))


def _selu_scalar(x):
    high, low = _fall(x)
    low = fma(_SELU_SLOPE(x), low, _SELU_SLOPE_LOW(x) * high)
    return where(x < like(0.0, x), fma(_SELU_SLOPE(x), high, low), fma(_SELU_EXCESS(x), x, x))


@compiled(_selu_scalar)
def selu(x: Any) -> Any:
    """1.0507009873554805 * elu(x, 1.6732632423543772)."""
    return 1.0507009873554805 * np.where(x < 0, 1.6732632423543772 * np.expm1(np.minimum(x, 0)), x)


def _selu_slope_times_scalar(g, x):
    return where(x > like(0.0, x), fma(_SELU_EXCESS(g), g, g), elu_slope_times(g, x, _SELU_SLOPE(x)))


@compiled(_selu_slope_times_scalar)
def selu_slope_times(g: Any, x: Any) -> Any:
    """g times the derivative of `selu`."""
    return g * (1.0507009873554805 * np.where(x > 0, 1, 1.6732632423543772 * np.exp(np.minimum(x, 0))))


@scalar
def _over_alpha(x, alpha):
    """x / alpha as high and low part; the low part is 0 where it has no meaning."""
    factor = where(magnitude(alpha) < like(1.0, alpha), _HUGE(alpha), like(1.0, alpha))  # for a finite inverse
    x, alpha = x * factor, alpha * factor
    inverse = like(1.0, alpha) / alpha
    t = x * inverse
    t_low = fma(-t, alpha, x) * inverse
    return t, where(magnitude(t_low) < like(1.0, x), t_low, like(0.0, x))


def _celu_scalar(x, alpha):
    t, t_low = _over_alpha(x, alpha)
    e, e_low, k = _expm1_parts(clamp(t, _EXPM1_LOWEST(x), _EXPM1_FARTHEST(x)), t_low)
    value = scale(fma(alpha, e, alpha * e_low), k)
    return where(x < like(0.0, x), where(magnitude(t) < _EXPM1_LINEAR(x), x, value), x)


@compiled(_celu_scalar)
def celu(x: Any, alpha: Any) -> Any:
    """x where it is positive, else alpha * (e**(x / alpha) - 1)."""
    return np.where(x < 0, alpha * np.expm1(np.minimum(x, 0) / alpha), x)


def _celu_slope_times_scalar(g, x, alpha):
    t, t_low = _over_alpha(x, alpha)
    slope = exp_times(g, where(x == like(0.0, x), x, t), t_low)  # 0 / 0 would be NaN
    return where(x > like(0.0, x), g, slope)


@compiled(_celu_slope_times_scalar)
def celu_slope_times(g: Any, x: Any, alpha: Any) -> Any:
    """g times the derivative of `celu`."""
    return g * np.where(x > 0, 1, np.exp(np.minimum(x, 0) / alpha))


def _celu_slope_by_alpha_scalar(x, alpha):
    t, t_low = _over_alpha(x, alpha)
    t, t_low = ordered_sum(clamp(t, _EXPM1_LOWEST(x), EXP_HIGHEST(x) - like(1.0, x)), t_low)
    # Near 0 the slope is t * w - t * t * (1 + w) with w = (e**t - 1 - t) / t; its second term is twice as large.
    w = over_r(t)
    near = t * (w - fma(t, w, t))
    # Elsewhere it is (e**t - 1) - t - t * (e**t - 1).
    e, e_low, k = _expm1_parts(t, t_low)
    e, e_low = scale(e, k), scale(e_low, k)
    product, product_low = exact_product(t, e)
    far, far_low = exact_sum(e, -t)
    far, more = exact_sum(far, -product)
    far = far + (more + (far_low - product_low) + (fma(-t, e_low, e_low) - fma(t_low, e, t_low)))
    slope = where(magnitude(t) < like(0.34, x), near, where(magnitude(product) > LARGEST(x), -product, far))
    return where(x < like(0.0, x), slope, where(x > like(0.0, x), like(0.0, x), x))


@compiled(_celu_slope_by_alpha_scalar)
def celu_slope_by_alpha(x: Any, alpha: Any) -> Any:
    """The derivative of `celu` by alpha."""
    t = np.minimum(x, 0) / alpha
    return np.expm1(t) - t * np.exp(t)


# --- tanh -------------------------------------------------------------------------------------------------------------


@scalar
def _tanh_parts(x):
    """a, q: tanh(|x|) = a - a * q, where a is |x| near 0 and 1 elsewhere."""
    # Near 0, q = b**2 / d with d = b**3 / (b - tanh(b)); elsewhere 2 / d with d = e**(2 b) + 1.
    b = bounded(x, _TANH_ONE(x))
    near = b < _TANH_CUT(x)
    k = fma(b, _TWICE_LOG2_E(x), SHIFT(x))
    r = fma(k - SHIFT(x), -LN2_HIGH(x), b + b)  # exact
    square = where(near, b, r)
    square = square * square
    d = fma(square, _TANH(b, where(near, square, r)), where(near, like(3.0, x), r))
    power = power_of_two(k)
    d = where(near, d, fma(power, d, power + like(1.0, x)))
    return where(near, b, like(1.0, x)), where(near, square, like(2.0, x)) / d


def _tanh_scalar(x):
    a, q = _tanh_parts(x)
    return copysign(fma(-a, q, a), x)


@compiled(_tanh_scalar)
def tanh(x: Any) -> Any:
    """(e**x - e**-x) / (e**x + e**-x)."""
    return np.tanh(x)


def _tanh_slope_times_scalar(g, x):
    return _bell_times(g, x + x, like(0.0, x), like(2.0, x))


@compiled(_tanh_slope_times_scalar)
def tanh_slope_times(g: Any, x: Any) -> Any:
    """g * 4 / (e**x + e**-x)**2, g times the derivative of tanh."""
    z = np.exp(-2 * np.abs(x))
    return g * (4 * z / (1 + z) ** 2)


def _tanhshrink_scalar(x):
    # `_tanh_parts` with what each step loses; near 0 the result is b * q, elsewhere b - 1 + q.
    b = bounded(x, _TANH_ONE(x))
    near = b < _TANH_CUT(x)
    k = fma(b, _TWICE_LOG2_E(x), SHIFT(x))
    whole = k - SHIFT(x)
    r = fma(whole, -LN2_HIGH(x), b + b)
    square, square_low = exact_product(where(near, b, r), where(near, b, r))
    table, start = _TANH(b, where(near, square, r)), where(near, like(3.0, x), r)
    d = fma(square, table, start)
    # square_low times the slope of d by the square; log(2)'s low part
    d_low = fma(square, table, start - d) + where(near, like(1.19, x) * square_low, whole * -LN2_LOW(x))
    power = power_of_two(k)
    one = power + like(1.0, x)
    far = fma(power, d, one)
    far_low = fma(power, d_low, fma(power, d, one - far))
    n, n_low = where(near, square, like(2.0, x)), where(near, square_low, like(0.0, x))
    q, q_low = quotient(n, n_low, where(near, d, far), where(near, d_low, far_low))
    b = magnitude(x)
    scaled = b * _HUGE(x)  # keeps low parts normal where the result is not
    high, low = exact_sum(b - like(1.0, x), q)
    value = where(near, fma(scaled, q, scaled * q_low) * TINY(x), high + (low + q_low))
    return where(b > LARGEST(x), x, copysign(value, x))


@compiled(_tanhshrink_scalar)
def tanhshrink(x: Any) -> Any:
    """x - tanh(x)."""
    return np.copysign(x - np.tanh(x), x)


def _tanhshrink_slope_times_scalar(g, x):
    a, q = _tanh_parts(x)
    t = fma(-a, q, a)
    t_low = fma(-a, q, a - t)
    square = t * t
    square = square + fma(t + t, t_low, fma(t, t, -square))
    # Where t**2 might underflow, g is multiplied by t twice.
    tiny = t < _TANH_LINEAR(x)
    return where(tiny, g * t, g) * where(tiny, t, square)


@compiled(_tanhshrink_slope_times_scalar)
def tanhshrink_slope_times(g: Any, x: Any) -> Any:
    """g * tanh(x)**2, g times the derivative of `tanhshrink`."""
    return g * np.tanh(x) ** 2


# --- the sigmoid ------------------------------------------------------------------------------------------------------


def _sigmoid_scalar(x):
    q, error, _, k = sigmoid_parts(clamp(x, EXP_LOWEST(x), -EXP_NEGLIGIBLE(x)), like(0.0, x))
    q = times_power(q, k)
    return fma(error, q, q) * TINY(x)


@compiled(_sigmoid_scalar)
def sigmoid(x: Any) -> Any:
    """1 / (1 + e**-x)."""
    return 1 / (1 + np.exp(-x))


@scalar
def _gate_times(g, x, x_low):
    """g / (1 + e**-x), infinite where g is."""
    big = magnitude(g) > like(1.0, g)
    lowest = where(big, EXP_DEEPEST(x), EXP_LOWEST(x))
    x_low = where(magnitude(x) < -EXP_DEEPEST(x), x_low, like(0.0, x))
    u, k = reversed_exp_parts(clamp(x, lowest, -EXP_NEGLIGIBLE(x)), x_low)
    power = tiny_power(k)
    one, one_low = ordered_sum(like(1.0, x), power)
    q = like(1.0, x) / (one + (u + one_low))
    # Multiply by a positive power first: without it g * q might be subnormal.
    positive = power > like(1.0, x)
    q, k = where(positive, power * q, q), where(positive, SHIFT_TINY(x), k)
    return ldexp(g * where(big, q * TINY(g), q), k, where(big, SHIFT(k), SHIFT_TINY(k)))


@scalar
def _bell_times(g, x, x_low, more):
    """g * e**-x / (1 + e**-x)**2 * 2**more, infinite where g is."""
    big = magnitude(g) > like(1.0, g)
    limit = where(big, -EXP_DEEPEST(x), -EXP_LOWEST(x))
    x_low = where(magnitude(x) < limit, x_low, like(0.0, x))
    q, error, u, k = sigmoid_parts(-bounded(x, limit), where(x < like(0.0, x), x_low, -x_low))
    p, p_low = ordered_sum(like(1.0, x), u)
    square = q * q
    slope = fma(square, p, square * fma(error + error, p, p_low))
    return ldexp(g * where(big, slope * TINY(g), slope), k + more, where(big, SHIFT(k), SHIFT_TINY(k)))


def _sigmoid_slope_times_scalar(a, x, x_low):
    return _bell_times(a, x, x_low, like(0.0, x))


@compiled(_sigmoid_slope_times_scalar)
def sigmoid_slope_times(a: Any, x: Any, x_low: Any) -> Any:
    """a * e**-x / (1 + e**-x)**2, a times the derivative of the sigmoid; x_low is the low part of x."""
    z = np.exp(-np.abs(x))
    return a * (z / (1 + z) ** 2)


# --- softplus ---------------------------------------------------------------------------------------------------------


def _softplus_scalar(x, beta):
    # 1 / beta and its low part, brought nearer to 1 where it is larger; for a beta that is a number, this is done once
    inverse = like(1.0, beta) / beta
    finite = where(magnitude(inverse) > LARGEST(beta), like(0.0, beta), inverse)
    inverse_low = fma(-finite, beta, like(1.0, beta)) * finite
    big = magnitude(inverse) > like(1.0, beta)
    factor, bias = where(big, TINY(beta), like(1.0, beta)), where(big, like(0.0, beta), SHIFT_TINY(beta) - SHIFT(beta))
    limit = where(big, -EXP_DEEPEST(beta), -EXP_LOWEST(beta))
    inverse, inverse_low, finite = inverse * factor, inverse_low * factor, finite * factor
    h, h_low = exact_product(beta, x)
    negative = h < like(0.0, x)
    h_low = where(magnitude(h) < limit, where(negative, -h_low, h_low), like(0.0, x))
    half = where(negative, like(-0.5, x), like(0.5, x))
    m, m_low, k, near = _log1p_exp_parts(bounded(h, limit), h_low, half)
    tail = scale(fma(m, inverse, fma(m, inverse_low, m_low * finite)), k - bias)
    return tail + where(near, like(-0.0, x), where(h > like(0.0, x), x, like(-0.0, x)))


@compiled(_softplus_scalar)
def softplus(x: Any, beta: Any) -> Any:
    """log(1 + e**(beta * x)) / beta."""
    return np.logaddexp(0, beta * x) / beta


def _softplus_slope_times_scalar(g, x, beta):
    h, h_low = exact_product(beta, x)
    return _gate_times(g, h, h_low)


@compiled(_softplus_slope_times_scalar)
def softplus_slope_times(g: Any, x: Any, beta: Any) -> Any:
    """g / (1 + e**(-beta * x)), g times the derivative of `softplus`."""
    return g / (1 + np.exp(-beta * x))


def _softplus_slope_by_beta_scalar(x, beta):
    h, h_low = exact_product(beta, x)
    inside = magnitude(h) < -_EXP_REACH(x)
    b, b_low = bounded(h, -_EXP_REACH(x)), where(inside, where(h < like(0.0, x), -h_low, h_low), like(0.0, x))
    p, p_low, k = decay(b, b_low)
    power = tiny_power(k)
    z = p * power
    log, _ = log1p_parts(z, p_low * power)
    ratio = where(b > -EXP_NEGLIGIBLE(x), like(1.0, x), log / z) + b / (like(1.0, x) + z)
    k = unbiased(k)
    entropy = where(inside, p, like(0.0, x)) / beta * ratio * lower_half_power(k) / beta * upper_half_power(k)
    return -entropy


@compiled(_softplus_slope_by_beta_scalar)
def softplus_slope_by_beta(x: Any, beta: Any) -> Any:
    """The derivative of `softplus` by beta: -entropy / beta**2, for a coin of probability sigmoid(beta * x)."""
    b = np.abs(beta * x)
    z = np.exp(-b)
    return -(np.log1p(z) + b * z / (1 + z)) / beta**2


def _log_sigmoid_scalar(x):
    negative = x < like(0.0, x)
    half = where(negative, like(0.5, x), like(-0.5, x))
    m, _, k, near = _log1p_exp_parts(bounded(x, -EXP_LOWEST(x)), like(0.0, x), half)
    rest = where(near, like(-0.0, x), where(x > like(0.0, x), like(-0.0, x), x))  # NaN stays, and might not in k
    return rest - times_power(m, k) * TINY(x)


@compiled(_log_sigmoid_scalar)
def log_sigmoid(x: Any) -> Any:
    """-log(1 + e**-x)."""
    return -np.logaddexp(0, -x)


def _log_sigmoid_slope_times_scalar(g, x):
    return _gate_times(g, -x, like(0.0, x))


@compiled(_log_sigmoid_slope_times_scalar)
def log_sigmoid_slope_times(g: Any, x: Any) -> Any:
    """g / (1 + e**x), g times the derivative of `log_sigmoid`."""
    return g / (1 + np.exp(x))
