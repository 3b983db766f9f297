"""The normal distribution: gelu and its slope."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastact._primitives import (
    biased_power,
    compiled,
    constant,
    fma,
    like,
    polynomial,
    where,
)
from fastact._scalar_math.pairs import (
    TINY,
    bounded,
    exact_product,
    less_tail,
    ordered_sum,
    scalar,
)

#: The shift whose sum with k, moved to the exponent, is 2**(k - 2) / TINY: the tail's tables are 4 times too large.
_SHIFT_TAIL = constant(1.5 * 2**23 + 48 + 127 - 2, 1.5 * 2**52 + 128 + 1023 - 2)
_HALF_LOG2_E = constant(0.7213475204444817, 0.7213475204444817)
_TWICE_LN2 = constant(2 * 0.6931471824645996, 2 * 0.6931471805599453)
#: Where the normal distribution's lower tail is 0 even after multiplication by x.
_TAIL_END = constant(14.6, 39.2)
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


@scalar
def _exp_half_square(b):
    """u, power with e**(-b**2 / 2) = 2 * (2 + u) * power * TINY, but for what rounding log(2) takes."""
    square, square_low = exact_product(b, b)
    k = fma(square, -_HALF_LOG2_E(b), _SHIFT_TAIL(b))
    r = fma(k - _SHIFT_TAIL(b), -_TWICE_LN2(b), -square) - square_low
    return fma(r * r, _EXP_DOUBLED(r), r), biased_power(k)


def _gelu_scalar(x):
    # max(x, 0) - b * Phi(-b) with b = |x|; the speed is limited by the number of multiplications
    b = bounded(x, _TAIL_END(x))
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
    return less_tail(x, tail * power)


@compiled(_gelu_scalar)
def gelu(x: Any) -> Any:
    """x * Phi(x), Phi the standard normal distribution function."""
    return x * _normal_distribution(x)


def _gelu_slope_scalar(x):
    # Phi(-b) - b * phi(b) with b = |x|, or 1 less that
    b = bounded(x, _TAIL_END(x))
    u, power = _exp_half_square(b)
    d, d_low = ordered_sum(_SLOPE_POLE(x), b)
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
    return fma(where(negative, tail, -tail), TINY(x), where(negative, like(0.0, x), like(1.0, x)))


@compiled(_gelu_slope_scalar)
def gelu_slope(x: Any) -> Any:
    """Phi(x) + x * phi(x)."""
    return _normal_distribution(x) + x * np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)


def _normal_distribution(x: Any) -> Any:
    """Phi(x) for NumPy arrays."""
    phi = np.frompyfunc(lambda v: 0.5 * math.erfc(-v / math.sqrt(2)), 1, 1)
    return np.asarray(phi(x), dtype=np.asarray(x).dtype)[()]
