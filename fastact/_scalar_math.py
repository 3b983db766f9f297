"""The scalar functions that formulas are made of, for float32 and float64, free of branches so that loops vectorise.

Two layers. The first, private, is arithmetic on unevaluated sums `high + low`, whose low part carries what rounding
took from the high part: it keeps every result within about one unit in the last place without leaving its dtype.
The second is the vocabulary of activations.py: each function has a body for NumPy arrays, which says what it computes,
and a scalar one that compiled code gets instead. This is the only file that knows polynomial coefficients;
benchmarks/coefficients.py computes them. Only activations.py and user formulas import from here.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from fastact._primitives import (
    JIT_OPTIONS,
    biased_power,
    compiled,
    constant,
    copysign,
    fma,
    like,
    lower_half_power,
    magnitude,
    polynomial,
    positive_part,
    power_of_two,
    small_power,
    times_power,
    upper_half_power,
    where,
)

__all__ = [
    "exp", "expm1", "gate_slope", "gelu", "gelu_slope", "like", "mish", "mish_slope", "product", "sigmoid",
    "sigmoid_slope_times", "sigmoid_times", "silu", "softplus", "tanh", "tanh_gelu_argument",
    "tanh_gelu_steepness", "where",
]  # fmt: skip

scalar = njit(**JIT_OPTIONS)

# --- constants --------------------------------------------------------------------------------------------------------

_LOG2_E = constant(1.4426950408889634, 1.4426950408889634)
_LN2_HIGH = constant(0.6931471824645996, 0.6931471805599453)
_LN2_LOW = constant(-1.904654299957768e-09, 2.3190468138462996e-17)
#: Adding this rounds to an integer, which then stands in the low bits.
_SHIFT = constant(1.5 * 2**23, 1.5 * 2**52)
_LARGEST = constant(float(np.finfo(np.float32).max), float(np.finfo(np.float64).max))
#: Where e**x is 0 even after multiplication by x, and where it is infinite.
_EXP_LOWEST = constant(-112.0, -760.0)
#: Where e**x is 0 even after multiplication by the largest number.
_EXP_DEEPEST = constant(-195.0, -1460.0)
_EXP_HIGHEST = constant(89.0, 710.0)
#: A power of two, and the shift that counts in powers of it: what keeps the scale of a subnormal result normal.
_TINY = constant(2.0**-48, 2.0**-128)
_SHIFT_TINY = constant(1.5 * 2**23 + 48, 1.5 * 2**52 + 128)
_small_power = small_power(48, 128)
#: The shift whose sum with k, moved to the exponent, is 2**(k - 2) / _TINY: the tail's tables are 4 times too large.
_SHIFT_TAIL = constant(1.5 * 2**23 + 48 + 127 - 2, 1.5 * 2**52 + 128 + 1023 - 2)
_HALF_LOG2_E = constant(0.7213475204444817, 0.7213475204444817)
_TWICE_LN2 = constant(2 * 0.6931471824645996, 2 * 0.6931471805599453)
#: A biased exponent from which scaling is done in two steps.
_DEEP = constant(-100.0, -1000.0)
#: Where 1 + e**x is 1 in the dtype, with a margin.
_EXP_NEGLIGIBLE = constant(-17.4, -37.5)
#: More than x times the derivative of the argument in any gate, where the gate is not 0; and 0 times e**_EXP_LOWEST.
_STEEPEST = constant(400.0, 2400.0)
#: Where the normal distribution's lower tail is 0 even after multiplication by x.
_TAIL_END = constant(14.6, 39.2)

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
#: (2 * e**(r / 2) - 2 - r) / r**2 for |r| <= log(2): `_EXP` in r / 2, so that r need not be halved; 2**-27, 2**-62.
_EXP_DOUBLED = polynomial(
    (0.25, 0.04166625067591667, 0.00520826131105423, 0.000523049384355545, 4.359629747341387e-05),
    (
        0.25, 0.04166666666666668, 0.005208333333333334, 0.0005208333333328465, 4.34027777777604e-05,
        3.1001984182600556e-06, 1.9376240099224365e-07, 1.0764551888092543e-08, 5.382279650433555e-10,
        2.451784641950517e-11, 1.0212618309462947e-12,
    ),
)  # fmt: skip
#: The variable of the normal distribution's tail at -b is t = b / (b + pole). With S(t) = 2 (b + pole) e**(b**2 / 2)
#: Phi(-b), and S(centre) = anchor, the table is (S(t) - anchor) / (t - centre) in t - centre, up to b = 14.2 and 39.
#: It contains what rounding log(2) takes from e**(b**2 / 2). Relative to S 2**-26.6, 2**-59.2. The float32 columns here
#: and in `_EXP_DOUBLED` were then moved by a few ULP, by random search for the least error of the whole function.
_POLE = constant(2.625, 2.625)
_TAIL_ANCHOR = constant(2.0, 1.0)  # powers of two: t times it is exact
_TAIL_CENTRE = constant(0.23296736180782318, 0.7899361626860614)
_TAIL_CENTRE_LOW = constant(0.0, 4.5683360039554425e-17)
_TAIL = polynomial(
    (
        -2.4611666202545166, 1.0749834775924683, 0.46744388341903687, -0.33812400698661804, -0.2788125276565552,
        0.031685031950473785, 0.16602711379528046, 0.1097467690706253, -0.13324059545993805,
    ),
    (
        -1.1481389987943158, 0.9895528265587662, -0.48668355551969383, -0.11991271601839726, 0.3925637284465002,
        -0.11527209754817341, -0.3162719037758041, 0.2268927480365928, 0.3255120376018499, -0.344746551269745,
        -0.4520837392756089, 0.5201329526457479, 0.8160858568473468, -0.7627319908960181, -1.7086331936490429,
        1.1191724364564348, 4.264959264981516, -2.313070977086825, -23.273783811462025, -47.76015213494335,
        -57.545705423942984, -46.21969102332418, -24.935160689085734, -8.414357096373543, -1.3624578642077667,
        0.058962473014781025, 0.04225612638415555,
    ),
)  # fmt: skip
#: For the derivative, with a pole of 3: 2 e**(b**2 / 2) (Phi(-b) - b phi(b)) / (b + pole) from the second power of
#: t - centre on; then the coefficients of the first power and of 1. Relative 2**-26, 2**-61.
_SLOPE_POLE = constant(3.0, 3.0)
_SLOPE_CENTRE = constant(0.203125, 0.203125)
_TAIL_SLOPE = polynomial(
    (
        0.9883336424827576, -0.7680027484893799, 0.2169763743877411, 0.10814402252435684,
        -0.05196263641119003, -0.04611906409263611, 0.01922319456934929, 0.007612273562699556,
    ),
    (
        0.9883333240297176, -0.7679961469465442, 0.21699295800259555, 0.10780366193399167,
        -0.051628192473817364, -0.04158035415723059, 0.005120234319944721, 0.017858420965648967,
        0.0067843095236545655, -0.003928704713380685, -0.005674273684542716, -0.002092772436116973,
        0.0012638493122714017, 0.0022231574707216647, 0.0011908654330152729, -0.0015160252402826701,
        0.00273903718030918, -0.00014186674736121454, -0.02794740037430886, 0.08615276526362747,
        -0.14520816618353477, 0.15485959323733006, -0.10229818103532966, 0.038035511570248315,
        -0.0060903392967074045,
    ),
)  # fmt: skip
_TAIL_SLOPE_LINEAR = constant(-1.4262597560882568, -1.426259760213135)
_TAIL_SLOPE_CONSTANT = constant(-0.003919669426977634, -0.0039196691472603955)
#: 2 * sqrt(2 / pi), and that times 0.044715, each with its low part.
_GELU_LINEAR = constant(1.5957691669464111, 1.5957691216057308)
_GELU_LINEAR_LOW = constant(-4.534068054340423e-08, -9.96930880911092e-17)
_GELU_CUBIC = constant(0.07135481387376785, 0.07135481627260025)
_GELU_CUBIC_LOW = constant(2.3988324659995897e-09, -6.175149918155315e-19)


# --- sums of a high and a low part ------------------------------------------------------------------------------------


@scalar
def _product(a, b):
    """a * b exactly, where nothing over- or underflows."""
    high = a * b
    return high, fma(a, b, -high)


@scalar
def _sum(a, b):
    """a + b exactly."""
    high = a + b
    b_rounded = high - a
    return high, (a - (high - b_rounded)) + (b - b_rounded)


@scalar
def _ordered_sum(a, b):
    """a + b exactly, where |a| >= |b| or a = 0."""
    high = a + b
    return high, (a - high) + b


@scalar
def _quotient(n, n_low, d, d_low):
    """(n + n_low) / (d + d_low): one division, one correction."""
    inverse = like(1.0, d) / d
    q = n * inverse
    return q, (fma(-q, d, n) + fma(-q, d_low, n_low)) * inverse


@scalar
def _times(a, y, y_low):
    """a * (y + y_low) rounded once, for y > 0; infinite a and the sign of zero stay."""
    return where(magnitude(a) > _LARGEST(a), a, copysign(fma(a, y, a * y_low), a))


@scalar
def _clamp(x, low, high):
    """x within [low, high]; NaN stays NaN."""
    x = where(x < low, low, x)
    return where(x > high, high, x)


@scalar
def _bounded(x, limit):
    """|x|, or the limit where that is less; NaN stays NaN."""
    b = magnitude(x)
    return where(b > limit, limit, b)


@scalar
def _scale(x, k):
    """x * 2**k in two steps, so that a subnormal result is rounded once and 2**128 does no harm."""
    return (x * lower_half_power(k)) * upper_half_power(k)


@scalar
def _negated(k):
    """-k, for k as `power_of_two` takes it."""
    return _SHIFT(k) + (_SHIFT(k) - k)


@scalar
def _exp(x, x_low, shift):
    """u, k with e**(x + x_low) = 2**k * (1 + u), |u| < 0.42, u off by at most 2**-25; shift: _SHIFT or _SHIFT_TINY."""
    k = fma(x, _LOG2_E(x), shift)
    whole = k - shift
    r = fma(-whole, _LN2_LOW(x), fma(-whole, _LN2_HIGH(x), x) + x_low)
    return fma(r * r, _EXP(r), r), k


@scalar
def _expm1(x):
    """e, e_low, k with e**x - 1 = 2**k * (e + e_low), without cancellation near 0."""
    k = fma(x, _LOG2_E(x), _SHIFT(x))
    whole = k - _SHIFT(x)
    r = fma(-whole, _LN2_HIGH(x), x)  # exact
    r_low = -whole * _LN2_LOW(x)
    t = fma(r * r, _EXP(r), fma(r_low, r, r_low))
    inverse_k = _negated(k)
    one, one_low = _sum(like(1.0, x), -(lower_half_power(inverse_k) * upper_half_power(inverse_k)))
    e, e_low = _ordered_sum(one, r)
    e, t = _ordered_sum(e, e_low + t)
    return e, one_low + t, k


@scalar
def _reversed_exp(x, x_low):
    """u, k with e**-(x + x_low) = (1 + u) * 2**-k, k biased as `_SHIFT_TINY` is; u as in `_exp`."""
    k = fma(x, _LOG2_E(x), _SHIFT_TINY(x))
    whole = k - _SHIFT_TINY(x)
    r = fma(whole, _LN2_LOW(x), fma(whole, _LN2_HIGH(x), -x) - x_low)
    return fma(r * r, _EXP(r), r), k


@scalar
def _sigmoid(x, x_low):
    """q, error, u, k: 1 / (1 + e**-(x + x_low)) = (q + error * q) * 2**k; u and k as in `_reversed_exp`.

    For x down to _EXP_LOWEST, `times_power(q, k)` is a normal number: multiplying by _TINY, at the very end, rounds a
    subnormal result once. Powers of two are added to exponents as integers, since multiplications limit the speed.
    """
    u, k = _reversed_exp(x, x_low)
    one, one_low = _ordered_sum(like(1.0, x), _small_power(k))
    d, d_low = _ordered_sum(one, u)
    q = like(1.0, x) / d
    return q, fma(-q, d_low + one_low, fma(-q, d, like(1.0, x))), u, k


@scalar
def _unbiased(k):
    """k of `_SHIFT_TINY` as a k of `_SHIFT`."""
    return k - (_SHIFT_TINY(k) - _SHIFT(k))


@scalar
def _scale_tiny(x, k):
    """x * 2**k, k biased as `_SHIFT_TINY` is, down to where even the largest x gives 0."""
    deep = k - _SHIFT(k) < _DEEP(k)
    return _scale(where(deep, x * _TINY(x), x), where(deep, k, _unbiased(k)))


@scalar
def _decay(b, b_low):
    """p, p_low, k: e**-(b + b_low) = (p + p_low) * 2**k, for 0 <= b <= -_EXP_DEEPEST; k biased as `_SHIFT_TINY` is."""
    u, k = _exp(-b, -b_low, _SHIFT_TINY(b))
    p, p_low = _ordered_sum(like(1.0, b), u)
    return p, p_low, k


@scalar
def _pair_product(a, a_low, b, b_low):
    """(a + a_low) * (b + b_low)."""
    high = a * b
    return high, fma(a, b, -high) + fma(a, b_low, a_low * b)


@scalar
def _less_tail(x, tail):
    """max(x, 0) - tail * _TINY for tail >= 0, rounded once; a vanishing tail leaves -0.0 for negative x."""
    return fma(tail, -_TINY(x), positive_part(x))


# --- the vocabulary of formulas ---------------------------------------------------------------------------------------


def _product_scalar(a, b):
    return _product(a, b)


@compiled(_product_scalar)
def product(a: Any, b: Any) -> tuple[Any, Any]:
    """a * b, and what rounding took from it."""
    return a * b, np.zeros_like(a * b)


def _exp_scalar(x):
    u, k = _exp(_clamp(x, _EXP_LOWEST(x), _EXP_HIGHEST(x)), like(-0.0, x), _SHIFT(x))
    return _scale(like(1.0, x) + u, k)


@compiled(_exp_scalar)
def exp(x: Any) -> Any:
    """e**x."""
    return np.exp(x)


def _expm1_scalar(x):
    e, e_low, k = _expm1(_clamp(x, like(2.0, x) * _EXP_NEGLIGIBLE(x), _EXP_HIGHEST(x)))
    return where(x == like(0.0, x), x, _scale(e + e_low, k))


@compiled(_expm1_scalar)
def expm1(x: Any) -> Any:
    """e**x - 1."""
    return np.expm1(x)


def _tanh_scalar(x):
    b = _bounded(x, -_EXP_NEGLIGIBLE(x))
    doubled = b + b
    k = fma(doubled, -_LOG2_E(x), _SHIFT(x))
    whole = k - _SHIFT(x)
    r = -fma(whole, _LN2_HIGH(x), doubled)  # exact; log(2)'s low part would add less than 2**-29 to the result
    u = fma(r * r, _EXP(r), r)
    power = power_of_two(k)
    e = -fma(power, u, power - like(1.0, x))  # 1 - e**(-2 b)
    d, d_low = _ordered_sum(like(2.0, x), -e)
    q, q_low = _quotient(e, like(-0.0, x), d, d_low)
    return copysign(q + q_low, x)


@compiled(_tanh_scalar)
def tanh(x: Any) -> Any:
    """(e**x - e**-x) / (e**x + e**-x)."""
    return np.tanh(x)


@scalar
def _log1p(z, z_low):
    """log(1 + z + z_low) as high and low part, for 0 <= z <= 1."""
    # 1 + z = 2 * (1 + f) or 1 + f with |f| < 0.42
    upper = z > like(0.41421356, z)
    d, d_low = _sum(z, like(-1.0, z))
    f = where(upper, like(0.5, z) * d, z)
    f_low = where(upper, like(0.5, z) * (d_low + z_low), z_low)
    s = f / (like(2.0, z) + f)
    half_square = like(0.5, z) * f * f
    w = s * s
    low = fma(s, half_square + w * _LOG(w), -half_square) + fma(f_low, like(-2.0, z) * s, f_low)
    low = low + where(upper, _LN2_LOW(z), like(0.0, z))
    high, more = _ordered_sum(where(upper, _LN2_HIGH(z), like(0.0, z)), f)
    return _ordered_sum(high, low + more)


def _softplus_scalar(x, beta):
    h, h_low = _product(beta, x)
    negative = h < like(0.0, x)
    b_low = where(magnitude(h) < -_EXP_DEEPEST(x), where(negative, -h_low, h_low), like(0.0, x))
    b = _bounded(h, -_EXP_DEEPEST(x))
    p, p_low, k = _decay(b, b_low)
    power = _small_power(k)
    log, log_low = _log1p(p * power, p_low * power)
    rest, rest_low = _quotient(log, log_low, beta, like(-0.0, x))
    value, value_low = _sum(where(negative, like(0.0, x), x), rest)
    # Where 1 + e**-b rounds to 1, log(1 + e**-b) is e**-b.
    tail = where(negative, _scale_tiny((p + p_low) / beta, k), x)
    low = value_low + rest_low
    low = where(low == low, low, like(0.0, x))  # beta = 0 gives inf
    return where(b > like(-2.0, x) * _EXP_NEGLIGIBLE(x), tail, value + low)


@compiled(_softplus_scalar)
def softplus(x: Any, beta: Any) -> Any:
    """log(1 + e**(beta * x)) / beta."""
    return np.logaddexp(0, beta * x) / beta


def _sigmoid_scalar(x):
    q, error, _, k = _sigmoid(_clamp(x, _EXP_LOWEST(x), -_EXP_NEGLIGIBLE(x)), like(0.0, x))
    q = times_power(q, k)
    return fma(error, q, q) * _TINY(x)


@compiled(_sigmoid_scalar)
def sigmoid(x: Any) -> Any:
    """1 / (1 + e**-x)."""
    return 1 / (1 + np.exp(-x))


def _sigmoid_times_scalar(a, x, x_low):
    x_low = where(magnitude(x) < -_EXP_DEEPEST(x), x_low, like(0.0, x))
    q, error, _, k = _sigmoid(_clamp(x, _EXP_DEEPEST(x), -_EXP_NEGLIGIBLE(x)), x_low)
    a = where(x < _EXP_DEEPEST(x), copysign(like(0.0, a), a), a)
    return _scale_tiny(_times(a, q, error * q), k)


@compiled(_sigmoid_times_scalar)
def sigmoid_times(a: Any, x: Any, x_low: Any) -> Any:
    """a / (1 + e**-x), rounded once; x_low is the low part of x."""
    return a / (1 + np.exp(-x))


def _sigmoid_slope_times_scalar(a, x, x_low):
    x_low = where(magnitude(x) < -_EXP_LOWEST(x), x_low, like(0.0, x))
    b = _bounded(x, -_EXP_LOWEST(x))
    q, error, u, k = _sigmoid(-b, where(x < like(0.0, x), x_low, -x_low))
    p, p_low = _ordered_sum(like(1.0, x), u)
    square, square_low = _pair_product(q, error * q, q, error * q)
    high, low = _pair_product(square, square_low, p, p_low)
    a = where(magnitude(x) > -_EXP_LOWEST(x), copysign(like(0.0, a), a), a)
    return _scale(fma(a, high, a * low), _unbiased(k))


@compiled(_sigmoid_slope_times_scalar)
def sigmoid_slope_times(a: Any, x: Any, x_low: Any) -> Any:
    """a * e**-x / (1 + e**-x)**2, the derivative of the sigmoid times a, rounded once; a must be finite."""
    z = np.exp(-np.abs(x))
    return a * (z / (1 + z) ** 2)


def _silu_scalar(x):
    # max(x, 0) - b / (1 + e**b) with b = |x|
    b = _bounded(x, -_EXP_LOWEST(x))
    q, error, _, k = _sigmoid(-b, like(0.0, x))
    q = times_power(q, k)
    return _less_tail(x, fma(b, q, b * (error * q)))


@compiled(_silu_scalar)
def silu(x: Any) -> Any:
    """x / (1 + e**-x)."""
    return x / (1 + np.exp(-x))


def _gate_slope_scalar(x, x_low, g, g_low):
    small = magnitude(g) < -_EXP_LOWEST(x)
    g_low, x_low = where(small, g_low, like(0.0, x)), where(small, x_low, like(0.0, x))
    negative = g < like(0.0, x)
    b, b_low = _bounded(g, -_EXP_LOWEST(x)), where(negative, -g_low, g_low)
    a, a_low = _bounded(x, _STEEPEST(x)), where(negative, -x_low, x_low)
    p, p_low, k = _decay(b, b_low)
    power = _small_power(k)
    z, z_low = p * power, p_low * power
    d, d_low = _ordered_sum(like(1.0, x), z)
    d_low = d_low + z_low
    q, q_low = _quotient(like(1.0, x), like(0.0, x), d, d_low)
    q, q_low = _pair_product(q, q_low, q, q_low)
    # g < 0: z * (1 + z - a) / (1 + z)**2; else (1 + z + a * z) / (1 + z)**2
    n, n_low = _sum(like(1.0, x), -a)
    n, more = _sum(n, z)
    n_low = n_low + (more + (z_low - a_low))
    m, m_low = _pair_product(z, z_low, a, a_low)
    m, more = _sum(d, m)
    m_low = m_low + (more + d_low)
    slope, slope_low = _pair_product(q, q_low, where(negative, n, m), where(negative, n_low, m_low))
    tail, tail_low = _pair_product(slope, slope_low, p, p_low)
    return where(negative, _scale(tail + tail_low, _unbiased(k)), slope + slope_low)


@compiled(_gate_slope_scalar)
def gate_slope(x: Any, x_low: Any, g: Any, g_low: Any) -> Any:
    """s + x * s * (1 - s) with s = 1 / (1 + e**-g): the derivative of x * s where x is x times the derivative of g."""
    s = 1 / (1 + np.exp(-g))
    return s + np.clip(x, -1e4, 1e4) * (s * (1 - s))


@scalar
def _tanh_gelu_cubic(x, factor):
    """2 * sqrt(2 / pi) * (x + factor * 0.044715 * x**3) as high and low part."""
    square, square_low = _product(x, x)
    term, term_low = _product(square, _GELU_CUBIC(x))
    term_low = term_low + fma(square_low, _GELU_CUBIC(x), square * _GELU_CUBIC_LOW(x))
    term, more = _product(term, factor)
    inner, inner_low = _sum(_GELU_LINEAR(x), term)
    inner_low = inner_low + (fma(term_low, factor, more) + _GELU_LINEAR_LOW(x))
    high, low = _product(x, inner)
    return high, fma(x, inner_low, low)


def _tanh_gelu_argument_scalar(x):
    return _tanh_gelu_cubic(_clamp(x, like(-1e3, x), like(1e3, x)), like(1.0, x))


@compiled(_tanh_gelu_argument_scalar)
def tanh_gelu_argument(x: Any) -> tuple[Any, Any]:
    """2 * sqrt(2 / pi) * (x + 0.044715 * x**3), and its low part; x within 1,000."""
    x = np.clip(x, -1e3, 1e3)
    return 2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3), np.zeros_like(x)


def _tanh_gelu_steepness_scalar(x):
    return _tanh_gelu_cubic(_clamp(x, like(-1e3, x), like(1e3, x)), like(3.0, x))


@compiled(_tanh_gelu_steepness_scalar)
def tanh_gelu_steepness(x: Any) -> tuple[Any, Any]:
    """x times the derivative of `tanh_gelu_argument`, and its low part."""
    x = np.clip(x, -1e3, 1e3)
    return 2 * math.sqrt(2 / math.pi) * (x + 3 * 0.044715 * x**3), np.zeros_like(x)


@scalar
def _mish_parts(x):
    """b, p, z, plus, d, k, all but b and k with low parts: what mish and its derivative share.

    b = |x|, z = e**-b = p * 2**k; x < 0: plus = 2 + z, d = 2 + z * plus; else plus = 2 + 2 z, d = 1 + z * plus.
    """
    negative = x < like(0.0, x)
    b = _bounded(x, -_EXP_LOWEST(x))
    p, p_low, k = _decay(b, like(0.0, x))
    power = _small_power(k)
    z, z_low = p * power, p_low * power
    plus, plus_low = _ordered_sum(like(2.0, x), where(negative, z, z + z))
    plus_low = plus_low + where(negative, z_low, z_low + z_low)
    m, m_low = _pair_product(z, z_low, plus, plus_low)
    d, d_low = _sum(where(negative, like(2.0, x), like(1.0, x)), m)
    return b, p, p_low, z, z_low, plus, plus_low, d, d_low + m_low, k


def _mish_scalar(x):
    # x < 0: -b * z * (2 + z) / d; else x - b * z * 2z / d
    negative = x < like(0.0, x)
    b, p, p_low, z, z_low, plus, plus_low, d, d_low, k = _mish_parts(x)
    q, q_low = _quotient(where(negative, plus, z + z), where(negative, plus_low, z_low + z_low), d, d_low)
    q, q_low = _pair_product(q, q_low, p, p_low)
    return _less_tail(x, fma(b, q, b * q_low) * power_of_two(k))


@compiled(_mish_scalar)
def mish(x: Any) -> Any:
    """x * tanh(log(1 + e**x))."""
    return x * np.tanh(np.logaddexp(0, x))


def _mish_slope_scalar(x):
    # x < 0: z * (2 + z - 4b * (1 + z) / d) / d; else (1 + 2z + 4b * z**2 * (1 + z) / d) / d
    negative = x < like(0.0, x)
    b, p, p_low, z, z_low, plus, plus_low, d, d_low, k = _mish_parts(x)
    one, one_low = _ordered_sum(like(1.0, x), z)
    term, term_low = _pair_product(one, one_low + z_low, like(4.0, x) * b, like(0.0, x))
    square, square_low = _pair_product(z, z_low, z, z_low)
    other, other_low = _pair_product(term, term_low, square, square_low)
    term, term_low = _quotient(where(negative, -term, other), where(negative, -term_low, other_low), d, d_low)
    n, n_low = _sum(where(negative, plus, plus - like(1.0, x)), term)
    slope, slope_low = _quotient(n, n_low + (plus_low + term_low), d, d_low)
    tail, tail_low = _pair_product(slope, slope_low, p, p_low)
    return where(negative, _scale(tail + tail_low, _unbiased(k)), slope + slope_low)


@compiled(_mish_slope_scalar)
def mish_slope(x: Any) -> Any:
    """The derivative of x * tanh(log(1 + e**x))."""
    t = np.tanh(np.logaddexp(0, x))
    return t + np.clip(x, -1e4, 1e4) * (1 - t * t) / (1 + np.exp(-x))


@scalar
def _exp_half_square(b):
    """u, power with e**(-b**2 / 2) = 2 * (2 + u) * power * _TINY, but for what rounding log(2) takes."""
    square, square_low = _product(b, b)
    k = fma(square, -_HALF_LOG2_E(b), _SHIFT_TAIL(b))
    r = fma(k - _SHIFT_TAIL(b), -_TWICE_LN2(b), -square) - square_low
    return fma(r * r, _EXP_DOUBLED(r), r), biased_power(k)


def _gelu_scalar(x):
    # max(x, 0) - b * Phi(-b) with b = |x|; the speed is limited by the number of multiplications
    b = _bounded(x, _TAIL_END(x))
    u, power = _exp_half_square(b)
    d = b + _POLE(x)
    t = b / d
    y = (t - _TAIL_CENTRE(x)) - _TAIL_CENTRE_LOW(x)
    ty, rest, main = t * y, _TAIL(y), t * _TAIL_ANCHOR(x)
    w = fma(ty, rest, main)
    # What w loses: in its own rounding, and, times about (1 - t)**3, in that of t.
    q = like(1.0, x) - t
    w_low = fma(fma(-t, d, b) * q, q * q, fma(ty, rest, main - w))
    tail = (w + w) + fma(w, u, w_low + w_low)
    return _less_tail(x, tail * power)


@compiled(_gelu_scalar)
def gelu(x: Any) -> Any:
    """x * Phi(x), Phi the standard normal distribution function."""
    return x * _normal_distribution(x)


def _gelu_slope_scalar(x):
    # Phi(-b) - b * phi(b) with b = |x|, or 1 less that
    b = _bounded(x, _TAIL_END(x))
    u, power = _exp_half_square(b)
    d, d_low = _ordered_sum(_SLOPE_POLE(x), b)
    t = b / d
    t_low = fma(-t, d_low, fma(-t, d, b))  # times d
    y = t - _SLOPE_CENTRE(x)
    # Horner's last two steps, with what each one loses.
    p = _TAIL_SLOPE(y)
    slope = fma(y, p, _TAIL_SLOPE_LINEAR(x))
    slope_low = fma(y, p, _TAIL_SLOPE_LINEAR(x) - slope)
    s = fma(y, slope, _TAIL_SLOPE_CONSTANT(x))
    s_low = fma(y, slope_low, fma(y, slope, _TAIL_SLOPE_CONSTANT(x) - s))
    w = d * s
    w_low = fma(t_low, slope, fma(d, s_low, fma(d_low, s, fma(d, s, -w))))
    tail = ((w + w) + fma(w, u, w_low + w_low)) * power
    negative = x < like(0.0, x)
    return fma(where(negative, tail, -tail), _TINY(x), where(negative, like(0.0, x), like(1.0, x)))


@compiled(_gelu_slope_scalar)
def gelu_slope(x: Any) -> Any:
    """Phi(x) + x * phi(x)."""
    return _normal_distribution(x) + x * np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)


def _normal_distribution(x: Any) -> Any:
    """Phi(x) for NumPy arrays."""
    phi = np.frompyfunc(lambda v: 0.5 * math.erfc(-v / math.sqrt(2)), 1, 1)
    return np.asarray(phi(x), dtype=np.asarray(x).dtype)[()]
