"""The normal distribution: its distribution function ndtr, gelu, and their slopes.

All are made of a tail in b = |x|. Near 0 the tail is a polynomial in b. Farther out it is e**(-b**2 / 2) times a
polynomial in (b - centre) / (b + pole), a variable in which such functions are nearly straight up to the largest b. The
coefficients are selected, so that Horner's rule runs once. Polynomials have the form anchor + y * p(y), in which the
roundings of y and p count little, and the sum keeps its low part.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastact._kernels.scalar.pairs import bounded, exact_product, nearer, ordered_sum, pair_product, scalar
from fastact._kernels.scalar.primitives import (
    Rows,
    biased_power,
    compiled,
    constant,
    fma,
    ldexp,
    like,
    piecewise,
    polynomial,
    positive_part,
    power_of_two,
    where,
)

_HALF_LOG2_E = constant(0.7213475204444817, 0.7213475204444817)
#: 2 * log(2) as a multiple of 2**-20 and 2**-51, so that sums with it are exact, and (2 * log(2) / that - 1) / 2. With
#: this log(2), taking out powers of two leaves e**(-b**2 / 2) wrong by a factor of e**(_HALF_LOST * b**2).
_TWICE_LN2 = constant(2 * 0.6931471824645996, 1.3862943611198908)
_HALF_LOST = constant(-1.3739176463190006e-09, -6.33572759057459e-17)
#: (2 * e**(r / 2) - 2 - r) / r**2 for |r| <= that log(2), off by 2**-28 and 2**-57.3.
_EXP = polynomial(
    (0.25, 0.04166630282998085, 0.0052083758637309074, 0.0005230344249866903, 4.339420047472231e-05),
    (
        0.25, 0.0416666666666629, 0.005208333333324276, 0.0005208333333687227, 4.340277790470898e-05,
        3.1001982701606435e-06, 1.937617625846544e-07, 1.0764827679613507e-08, 5.39577789532554e-10,
        2.432789245991178e-11,
    ),
)  # fmt: skip
_DENSITY = constant(0.3989422917366028, 0.3989422804014327)  # 1 / sqrt(2 * pi)
_DENSITY_LOW = constant(-1.1335170034886228e-08, -2.4923272022777373e-17)

#: Where b * Phi(-b) is 0 in the dtype.
_TAIL_END = constant(14.42, 39.2)
#: The shifts with which `biased_power` gives 2**(k - 1), with the scale of the tables, and `power_of_two` without it.
_SHIFT_SCALED = constant(1.5 * 2**23 + 127 - 1 + 26, 1.5 * 2**52 + 1023 - 1 + 100)
_SHIFT_HALF = constant(1.5 * 2**23 - 1, 1.5 * 2**52 - 1)


def _rows(edge: float, scale: float, near: tuple[float, ...], far: tuple[float, ...]) -> Rows:
    """Make two rows of `piecewise`, the far one times `scale`, so small that the near row may end in it."""
    far = tuple(scale * coefficient for coefficient in far)
    return (edge, (*near, *far[len(near) :])), (math.inf, far)


#: The anchors, and the coefficients from the first power on. For small b they give Phi(-b) in y = centre - b. For
#: others up to b = 14.45 and 39.3 they give b * e**(b**2 / 2) * Phi(-b) in y = (b - centre) / (b + pole), but for
#: _HALF_LOST. The centres are chosen to make the anchors all but exact. Off by 2**-27.9 and 2**-56.4 of the whole.
_EDGE32, _EDGE64, _SCALE32, _SCALE64 = 0.90625, 0.90625, 2.0**-26, 2.0**-100
_EDGE = constant(_EDGE32, _EDGE64)
_NEAR_CENTRE = constant(0.4597358703613281, 0.4599999999272768)
_FAR_CENTRE = constant(1.7797346115112305, 2.2999999997455234)
_POLE = constant(2.96875, 4.0)
_FAR_ANCHOR = 0.32574784755706787, 0.3473745534697554
_TAIL_ANCHOR = piecewise(
    _rows(_EDGE32, _SCALE32, (0.3228529095649719,), _FAR_ANCHOR[:1]),
    _rows(_EDGE64, _SCALE64, (0.32275811027644735,), _FAR_ANCHOR[1:]),
)
_FAR32 = (
    0.2505539357662201, -0.3411209285259247, 0.22520893812179565, -0.050923798233270645, -0.023576335981488228,
    0.010526411235332489, 0.005892319139093161, -0.0033858062233775854,
)  # fmt: skip
_FAR64 = (
    0.2042878486177209, -0.36236977012334987, 0.3881086685207317, -0.2698317636315063, 0.10887835291232031,
    -0.008464435113367108, -0.0142358605313457, 0.004146397240783087, 0.002178385978639144, -0.0008884780031212025,
    -0.00048222475032362605, 0.00015291362877236866, 0.00013187729953075567, -1.2805573698879552e-05,
    -3.355786239913582e-05, -6.618106985721706e-06, 1.250769000664228e-06, 1.6524419057797343e-05,
    -1.1250920644200109e-05, 2.272165623572797e-06,
)  # fmt: skip
_TAIL = piecewise(
    _rows(_EDGE32, _SCALE32, (
        0.3589338958263397, 0.08250740170478821, -0.047178760170936584, -0.01917392387986183,
        0.005315958056598902, 0.002964985091239214, -0.00043709922465495765, -0.00033714735764078796,
    ), _FAR32),
    _rows(_EDGE64, _SCALE64, (
        0.3588902910455505, 0.08254476692742595, -0.04715818424739956, -0.019180652342077012,
        0.005309107622628543, 0.0029644518934570548, -0.0004372298007017762, -0.0003427605043382581,
        2.4989803019027413e-05, 3.1616611557969464e-05, -7.239279881275e-07, -2.4201992429399187e-06,
        -2.9724670052450954e-08, 1.5093158051533162e-07,
    ), _FAR64),
)  # fmt: skip
#: The same for ndtr, but for small b (Phi(b) - 1 / 2) / b in y = b**2, off by 2**-32.1 and 2**-66.1. The first two
#: coefficients are apart.
_NDTR_ANCHOR = piecewise(
    _rows(_EDGE32, _SCALE32, (0.5,), _FAR_ANCHOR[:1]),
    _rows(_EDGE64, _SCALE64, (0.5,), _FAR_ANCHOR[1:]),
)
_NDTR_FIRST = piecewise(
    _rows(_EDGE32, _SCALE32, (0.3989422917366028,), _FAR32[:1]),
    _rows(_EDGE64, _SCALE64, (0.3989422804014327,), _FAR64[:1]),
)
_NDTR_SECOND = piecewise(
    _rows(_EDGE32, _SCALE32, (-0.06649036705493927,), _FAR32[1:2]),
    _rows(_EDGE64, _SCALE64, (-0.06649038006690544,), _FAR64[1:2]),
)
_NDTR = piecewise(
    _rows(_EDGE32, _SCALE32, (
        0.009973390027880669, -0.0011865649139508605, 0.00011382182856323197, -7.819222446414642e-06,
    ), _FAR32[2:]),
    _rows(_EDGE64, _SCALE64, (
        0.009973557010035598, -0.0011873282154768912, 0.00011543468758577494, -9.444656105107035e-06,
        6.65968853186792e-07, -4.1225623471198496e-08, 2.2720840292974133e-09, -1.1175259323362838e-10,
        4.472567269378791e-12, -5.734274719468689e-14,
    ), _FAR64[2:]),
)  # fmt: skip

#: The same for gelu's slope at -b, which is Phi(-b) - b * phi(b), and 0 at _ZERO. For small b they give the slope
#: divided by y = b - _ZERO, off by 2**-25.1 and 2**-53.8, mostly by the rounding of the first coefficient. For others
#: up to b = 19.8 and 54.1 they give e**(b**2 / 2) times the slope, plus b * _DENSITY, in y = (b - centre) / (b + pole),
#: off by 2**-28 and 2**-55.1 of the slope.
_SLOPE_EDGE = constant(1.0, 1.0)
_ZERO = constant(0.7517915368080139, 0.7517915246935645)
_ZERO_LOW = constant(-1.211444988769017e-08, -1.4956759177009883e-17)
_SLOPE_CENTRE = constant(1.499948501586914, 1.5000000002200977)
_SLOPE_POLE = constant(3.5, 6.0)
_SLOPE_ANCHOR = constant(0.20578533411026, 0.20578066695752628)
_SLOPE = piecewise(
    (
        (1.0, (
            -0.43149399757385254, 0.38828498125076294, 0.018199201673269272, -0.11400756984949112,
            0.014796063303947449, 0.019455265253782272, -0.0047618024982512, -0.0029646207112818956,
        )),
        (math.inf, (
            -0.4513698220252991, 0.4283318817615509, -0.25414374470710754, 0.07027750462293625,
            0.013109615072607994, -0.012438456527888775, -0.0021480454597622156, 0.0026866209227591753,
        )),
    ),
    (
        (1.0, (
            -0.4314939923140469, 0.388284982990552, 0.018199676398661737, -0.1140082332972504,
            0.014771522148874422, 0.019421679842266483, -0.004539228389538996, -0.002239538223361049,
            0.0007448265996758847, 0.00018634161374217681, -8.615151900655287e-05, -1.1210596212417472e-05,
            7.703968082644832e-06, 3.002643527717035e-07, -7.470337001581261e-07, -1.2294684200301129e-07,
        )),
        (math.inf, (
            -0.6770345994187538, 1.302227036700328, -1.9906789302739478, 2.449642872889958,
            -2.42115812377268, 1.885129546822252, -1.0994476168516527, 0.4169403034693713,
            -0.04208780209524337, -0.05506622651932061, 0.028122357413190427, 0.0022286475809832665,
            -0.005196062588488305, -0.001672101978232541, 0.004003464878782418, -0.0022839433553578136,
            0.0006192843873126124, -6.877394953116612e-05,
        )),
    ),
)  # fmt: skip
#: From _DEEP on gelu's slope is 1; up to there no power of two is beyond the reach of `nearer`. At _DEEPEST
#: b * e**(-b**2 / 2) is 0 even after multiplication by the largest number.
_DEEP = constant(7.0, 10.0)
_DEEPEST = constant(19.75, 54.0)


@scalar
def _half_square_exp(b, shift):
    """e, e_low, k: e**(-b**2 / 2) = (e + e_low) * 2**(k - 1), but for _HALF_LOST; k counts from shift."""
    two = like(2.0, b)
    minus_square = two - fma(b, b, two)  # so coarse that e is exact
    low = fma(b, b, minus_square)
    k = fma(minus_square, _HALF_LOG2_E(b), shift)
    r = fma(k - shift, -_TWICE_LN2(b), minus_square)
    rest = r - low
    return two + r, fma(rest * rest, _EXP(rest), -low), k


def _gelu_scalar(x):
    # max(x, 0) - b * Phi(-b) with b = |x|
    b = bounded(x, _TAIL_END(x))
    near = b < _EDGE(x)
    e, e_low, k = _half_square_exp(b, _SHIFT_SCALED(b))
    y = where(near, _NEAR_CENTRE(x) - b, (b - _FAR_CENTRE(x)) / (b + _POLE(x)))
    p, anchor = _TAIL(b, y), _TAIL_ANCHOR(b, y)
    w = fma(y, p, anchor)
    w_low = fma(y, p, anchor - w)
    factor, factor_low = where(near, b, e), where(near, like(0.0, x), e_low)
    tail = fma(w, factor, fma(w_low, factor, w * factor_low))
    return fma(tail, -where(near, like(1.0, x), biased_power(k)), positive_part(x))


@compiled(_gelu_scalar)
def gelu(x: Any) -> Any:
    """x * Phi(x), Phi the standard normal distribution function."""
    return x * ndtr(x)


def _gelu_slope_times_scalar(g, x):
    # Phi(-b) - b * phi(b) with b = |x|, or 1 less that
    negative = x < like(0.0, x)
    b = bounded(x, where(negative, _DEEPEST(x), _DEEP(x)))
    near = b < _SLOPE_EDGE(x)
    e, e_low, k = _half_square_exp(b, _SHIFT_HALF(b))
    d = b - _ZERO(x)
    d_low = (b - (d + _ZERO(x))) - _ZERO_LOW(x)
    y = where(near, d, (b - _SLOPE_CENTRE(x)) / (b + _SLOPE_POLE(x)))
    p = _SLOPE(b, y)
    base = fma(b, -_DENSITY(x), _SLOPE_ANCHOR(x))
    w = fma(y, p, where(near, d_low * p, base))
    w_low = fma(y, p, base - w)
    tail = where(near, w, fma(w, e, fma(w_low, e, w * e_low)))
    j = nearer(k)
    power = where(near, like(1.0, x), power_of_two(j))
    return ldexp(g * where(negative, tail * power, fma(tail, -power, like(1.0, x))), k, j)


@compiled(_gelu_slope_times_scalar)
def gelu_slope_times(g: Any, x: Any) -> Any:
    """g * (Phi(x) + x * phi(x)), g times the derivative of gelu, phi the normal density."""
    return g * (ndtr(x) + x * np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi))


def _ndtr_scalar(x):
    # 1 / 2 + x * p(x**2), or from b * Phi(-b) with b = |x| either Phi(-b) or 1 less that
    b = bounded(x, _TAIL_END(x))
    near = b < _EDGE(x)
    e, e_low, k = _half_square_exp(b, _SHIFT_SCALED(b))
    power = biased_power(k)
    y = where(near, b * b, (b - _FAR_CENTRE(x)) / (b + _POLE(x)))
    p, second, first, anchor = _NDTR(b, y), _NDTR_SECOND(b, y), _NDTR_FIRST(b, y), _NDTR_ANCHOR(b, y)
    r = fma(y, p, second)
    r_low = fma(y, p, second - r)
    q = fma(y, r, first)
    q_low = fma(y, r, first - q) + fma(y, r_low, where(near, _DENSITY_LOW(x), like(0.0, x)))
    y = where(near, x, y)
    more, more_low = exact_product(y, q)
    w, w_low = ordered_sum(anchor, more)
    w_low = fma(y, q_low, w_low + more_low)
    e, e_low = ordered_sum(e, e_low)
    tail, tail_low = pair_product(w, w_low, e, e_low)
    inverse = like(1.0, x) / b
    t = tail * inverse
    t = fma(fma(-t, b, tail) + tail_low, inverse, t)
    far = where(x < like(0.0, x), t * power, fma(t, -power, like(1.0, x)))
    return where(near, w + w_low, far)


@compiled(_ndtr_scalar)
def ndtr(x: Any) -> Any:
    """Phi(x), the standard normal distribution function."""
    return np.asarray(_math_ndtr(x), dtype=np.asarray(x).dtype)[()]


_math_ndtr = np.frompyfunc(lambda x: 0.5 * math.erfc(-x / math.sqrt(2)), 1, 1)


def _normal_density_times_scalar(g, x):
    b = bounded(x, _DEEPEST(x))
    e, e_low, k = _half_square_exp(b, _SHIFT_HALF(b))
    e_low = fma((e + e_low) * _HALF_LOST(x), b * b, e_low)
    density = fma(e, _DENSITY(x), fma(e, _DENSITY_LOW(x), e_low * _DENSITY(x)))
    j = nearer(k)
    return ldexp(g * (density * power_of_two(j)), k, j)


@compiled(_normal_density_times_scalar)
def normal_density_times(g: Any, x: Any) -> Any:
    """g * phi(x), g times the derivative of ndtr, phi the standard normal density."""
    return g * np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
