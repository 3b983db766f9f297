"""The error function and what is made of it: erf, serf, and their slopes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastact._kernels.scalar.exponential import (
    EXP_LOWEST,
    EXP_QUADRATIC,
    LN2_HIGH,
    LN2_LOW,
    LOG2_E,
    exp_parts,
    tiny_power,
)
from fastact._kernels.scalar.pairs import (
    LARGEST,
    SHIFT_TINY,
    TINY,
    bounded,
    exact_product,
    exact_sum,
    less_tail,
    ordered_sum,
    pair_product,
    scalar,
    scale_tiny,
)
from fastact._kernels.scalar.primitives import (
    Rows,
    compiled,
    constant,
    copysign,
    fma,
    like,
    magnitude,
    piecewise,
    polynomial,
    power_of_two,
    where,
)

_TWO_OVER_ROOT_PI = constant(1.128379225730896, 1.1283791670955126)
_TWO_OVER_ROOT_PI_LOW = constant(-5.8635382771399236e-08, 1.533545961316588e-17)
#: Where the last row of a table ends.
_REST = math.inf
#: Where rows of `_ERF` end, the last one where erf is 1 in the dtype.
_ERF_SMALL = constant(1.0, 1.0)
_ERF_MIDDLE = constant(1.5625, 1.75)
_ERF_END = constant(3.95, 5.95)
#: Where e**(-x**2) is 0 even after multiplication by the largest number.
_ERF_DEEPEST = constant(14.0, 38.25)
#: The rows give erf(b) / b - 1 in b**2; the square root of erfc(b) in b; and its eighth root in b, where each variable
#: is less the centre. A root is nearly a straight line, and no rounding of it or of its powers makes erf fall. The
#: centres are chosen to make the constant terms all but exact. Off by 2**-28.5 and 2**-58.2 of erf.
_ERF_CENTRE = piecewise(
    ((1.0, (0.487548828125,)), (1.5625, (1.10626220703125,)), (_REST, (1.811798095703125,))),
    ((1.0, (0.5001974105834961,)), (1.75, (1.2998695373535156,)), (_REST, (3.0001659393310547,))),
)
_ERF = piecewise(
    (
        (1.0, (
            -0.031019236892461777, -0.283058226108551, 0.08009620755910873, -0.018457436934113503,
            0.0035152651835232973, -0.000571796961594373, 7.987161370692775e-05,
        )),
        (1.5625, (
            0.343077689409256, -0.4836553633213043, 0.19413304328918457, 0.040285874158144, -0.047458067536354065,
            0.002970870351418853, 0.0049184043891727924,
        )),
        (_REST, (
            0.5650986433029175, -0.28765687346458435, 0.008676963858306408, 0.01905607432126999,
            -0.0020930031314492226, -0.0008557034307159483, 0.00018127042858395725,
        )),
    ),
    (
        (1.0, (
            -0.03458674485826411, -0.28104082743930575, 0.0793991592727523, -0.01828113653576471,
            0.003479720618775756, -0.0005610966906529914, 7.82832099538739e-05, -9.613144745425187e-06,
            1.0534597920954572e-06, -1.0418547601030227e-07, 9.386084582817691e-09, -7.792772348118419e-10,
            5.938163455099595e-11,
        )),
        (1.75, (
            0.2569420616240883, -0.4053026948233407, 0.20717658737783828, 0.005353703563809657, -0.04177294868590913,
            0.008906841270531181, 0.00451386120360457, -0.0019983270408375857, -0.0002117196832322488,
            0.00024196107166382836, -1.179035014353665e-05, -1.9521322562555854e-05, 3.0758075830101813e-06,
            1.115822271053568e-06, -3.331054782238676e-07,
        )),
        (_REST, (
            0.26179955150545664, -0.20630038407438123, 0.04995247942838833, 0.00309577207016463,
            -0.003411285107663792, 0.00032571203384565856, 0.00010419135651592752, -2.3493085391397787e-05,
            -8.669979001007559e-07, 6.988505346033657e-07, -2.978226482691446e-08, -1.3532159061487575e-08,
            1.3413714085193177e-09, 2.084534350728304e-10, -3.489664827219673e-11,
        )),
    ),
)  # fmt: skip
#: Where 1 - erf(log(1 + e**x)) and x times its derivative are negligible beside 1.
_SERF_END = constant(4.4, 6.4)
#: Where e**x * x is 0 even after multiplication by the largest number.
_SERF_DEEPEST = constant(205.0, 1475.0)
#: The rows give erf(log(1 + z)) / z in z = e**x for x < 0; and the square root of erfc(log(1 + e**x)) in x, twice,
#: where each variable is less the centre. The anchors are the constant terms; `_SERF_ROWS` goes on from the first
#: power. The fit minds derivatives too: serf is off by 2**-28 and 2**-55, its derivative by 2**-25.2 and 2**-53.3.
_SERF_CENTRE = piecewise(
    ((0.0, (0.40899658203125,)), (1.6, (0.0924072265625,)), (_REST, (1.99072265625,))),
    ((0.0, (0.4001455307006836,)), (2.15, (0.19980716705322266,)), (_REST, (3.2996644973754883,))),
)
_SERF_ANCHOR = piecewise(
    ((0.0, (0.9101651906967163,)), (1.6, (0.5431844592094421,)), (_REST, (0.05226903036236763,))),
    ((0.0, (0.9144646082161435,)), (2.15, (0.5089904765267117,)), (_REST, (0.001544546181688948,))),
)
_SERF_ROWS: tuple[Rows, Rows] = (
    (
        (0.0, (
            -0.4844866096973419, 0.14316250383853912, 0.019362591207027435, -0.062191441655159, 0.054166533052921295,
            -0.03449141979217529, 0.018067551776766777, -0.007498748600482941, 0.0018221456557512283,
            -2.867207513190806e-06,
        )),
        (1.6, (
            -0.3140234351158142, -0.04403040185570717, 0.030940474942326546, 0.012697205878794193,
            -0.0016070815036073327, -0.0018214724259451032, -0.0006292402977123857, 0.0005379971116781235,
            -5.521787898032926e-05, -8.209453881136142e-06,
        )),
        (_REST, (
            -0.10665012151002884, 0.08359560370445251, -0.0234701968729496, -0.0064938804134726524,
            0.005788957700133324, -0.00035340976319275796, -0.0008144924067892134, 0.0003103898779954761,
            -3.925254350178875e-05, 6.778053602829459e-07,
        )),
    ),
    (
        (0.0, (
            -0.4870161609596557, 0.14261887367897483, 0.021607219310654034, -0.06463365468859383,
            0.056033198697436004, -0.0355782001835141, 0.018526230532644874, -0.00786490950075504,
            0.002308099638352453, 0.0001107123824633881, -0.0008966821193611956, 0.0009594044797180757,
            -0.0007707507452640331, 0.0005423028161400079, -0.0003509518385033557, 0.00021327090118017852,
            -0.00012382232266554055, 6.939990807702894e-05, -3.5123079190853835e-05, 1.3812647610909393e-05,
            -5.144149753215503e-06, 3.392453761349313e-06, -1.443159334550207e-06,
        )),
        (2.15, (
            -0.32234880407260547, -0.033206571882513386, 0.03616226182283883, 0.011502566826484832,
            -0.0029055821990059175, -0.002170705478254311, -3.336679798832997e-05, 0.0002748619329889768,
            5.425732438464491e-05, -2.38547779933502e-05, -1.0347016830523258e-05, 1.0968122041627466e-06,
            1.2845610460938772e-06, 1.3263269546744098e-07, -2.185563680239047e-07, 6.336174464277235e-08,
            -5.23098609708365e-08, 3.6005929392505875e-08, -1.1992135043638534e-08, 1.8403438309951727e-09,
            -3.5450720326478623e-11, -2.5819584541374466e-11, 2.485708149224168e-12,
        )),
        (_REST, (
            -0.005175749790654526, 0.00788738764610738, -0.007057691623633513, 0.003911597588949326,
            -0.0011935247527014134, 1.268790159938392e-05, 0.0001595442190023116, -6.374628016034877e-05,
            3.764111502341215e-06, 5.688228803113342e-06, -2.075219676155297e-06, 4.3191012931989865e-08,
            1.7206564497846486e-07, -4.65994322359816e-08, -2.3920599349715234e-09, 3.9877486261391315e-09,
            -6.999339695133197e-10, -1.1029849537132625e-10, 6.174306003976522e-11, -5.931845316239493e-12,
            -1.435249130425266e-12, 3.978332491967429e-13, -2.8775181538672175e-14,
        )),
    ),
)  # fmt: skip
_SERF = piecewise(*_SERF_ROWS)
_SERF_STEEPNESS = piecewise(*_SERF_ROWS, slope=True)
#: The x at which serf is least, and the slope of its derivative there.
_SERF_BOTTOM = constant(-1.1930599212646484, -1.193059968928188)
_SERF_BOTTOM_LOW = constant(-4.766354066987333e-08, 3.096701676302884e-17)
_SERF_BEND = constant(0.30150488018989563, 0.30150488936299114)
_SERF_BEND_LOW = constant(9.173095172343437e-09, -5.271592503177913e-18)
#: (s / d - _SERF_BEND) / d for the derivative s of serf at _SERF_BOTTOM + d, |d| < 0.45; off by 2**-25.8 and 2**-55.7.
_SERF_BESIDE = polynomial(
    (
        0.2316122204065323, 0.047546181827783585, -0.023334916681051254, -0.018727881833910942,
        -0.0045179883018136024, 0.0009979895548895001, 0.0010303640738129616,
    ),
    (
        0.23161220121136647, 0.047545691042725956, -0.02333420603138306, -0.018713084036638412,
        -0.004524531630616877, 0.0008716960554090142, 0.0010481488562302458, 0.00033210307825388204,
        -1.2013471068701278e-06, -4.460658921819388e-05, -1.8355908248951366e-05, -1.8783313564796567e-06,
        1.4968801917488864e-06, 7.778516320311955e-07, 1.1415968826634328e-07,
    ),
)  # fmt: skip


@scalar
def _product(g, high, low, k):
    """g * (high + low) * 2**k, rounded once, for |high| < 2**12, with k biased as `SHIFT_TINY` is.

    An infinite g and the sign of zero stay.
    """
    large = magnitude(g) > like(1.0, g)  # g * high must not overflow where 2**k brings it back
    g, k = where(large, like(2.0**-12, g) * g, g), where(large, k + like(12.0, g), k)
    roughly, product = g * (high + low), fma(g, high, g * low)
    product = where(product == like(0.0, g), roughly, product)
    return scale_tiny(where(magnitude(g) > LARGEST(g), roughly, product), k)


def _erf_scalar(x):
    # b + b * p with b = |x|; 1 - p**2; 1 - p**8
    b = bounded(x, _ERF_END(x))
    small = b < _ERF_SMALL(x)
    p = _ERF(b, fma(where(small, b, like(1.0, x)), b, -_ERF_CENTRE(b, b)))
    square = p * p
    fourth = square * square
    tail = where(b < _ERF_MIDDLE(x), square, fourth * fourth)
    return copysign(where(small, fma(b, p, b), like(1.0, x) - tail), x)


@compiled(_erf_scalar)
def erf(x: Any) -> Any:
    """2 / sqrt(pi) times the integral of e**(-t**2) over t from 0 to x."""
    return np.asarray(_math_erf(x), dtype=np.asarray(x).dtype)[()]


_math_erf = np.frompyfunc(math.erf, 1, 1)


def _erf_slope_times_scalar(g, x):
    b = bounded(x, _ERF_DEEPEST(x))
    square, square_low = exact_product(b, b)
    u, k = exp_parts(-square, -square_low, SHIFT_TINY(x))
    high = fma(_TWO_OVER_ROOT_PI(x), u, _TWO_OVER_ROOT_PI(x))
    low = fma(_TWO_OVER_ROOT_PI(x), u, _TWO_OVER_ROOT_PI(x) - high) + _TWO_OVER_ROOT_PI_LOW(x)
    return _product(g, high, low, k)


@compiled(_erf_slope_times_scalar)
def erf_slope_times(g: Any, x: Any) -> Any:
    """g * 2 / sqrt(pi) * e**(-x**2)."""
    return g * (2 / math.sqrt(math.pi) * np.exp(-x * x))


@scalar
def _decay(b):
    """e, e_low, k: e**-b = (e + e_low) * 2**k to 2**-27 and 2**-56, with k biased as `SHIFT_TINY` is."""
    k = fma(b, -LOG2_E(b), SHIFT_TINY(b))
    whole = k - SHIFT_TINY(b)
    r, r_low = ordered_sum(fma(whole, -LN2_HIGH(b), -b), whole * -LN2_LOW(b))
    e, e_low = ordered_sum(like(1.0, b), r)
    e, more = ordered_sum(e, fma(r * r, EXP_QUADRATIC(r), r_low))
    return e, e_low + more, k


@scalar
def _serf_parts(x, b):
    """e, e_low, k, p, p_low, z, steepness: what serf and its derivative share; b is |x|, or less where serf is 0.

    For x < 0, z = e**-b = (e + e_low) * 2**k and p = erf(log(1 + z)) / z. For others, z is x, or less where serf is x,
    and p = sqrt(erfc(log(1 + e**z))). The steepness is the derivative of p with respect to z.
    """
    negative = x < like(0.0, x)
    e, e_low, k = _decay(b)
    power, near = tiny_power(k), where(b > _SERF_END(x), _SERF_END(x), b)
    z = where(negative, e * power, near)
    y, y_low = exact_sum(z, -_SERF_CENTRE(x, x))
    y_low = y_low + where(negative, e_low * power, like(0.0, x))
    anchor, rest = _SERF_ANCHOR(x, x), _SERF(x, y)
    p = fma(y, rest, anchor)
    p_low = fma(y_low, rest, fma(y, rest, anchor - p))
    return e, e_low, k, p, p_low, z, fma(y, _SERF_STEEPNESS(x, y), rest)


def _serf_scalar(x):
    # x < 0: -b * z * p; else x - x * p**2
    negative = x < like(0.0, x)
    b = bounded(x, -EXP_LOWEST(x))
    e, e_low, k, p, p_low, _, _ = _serf_parts(x, b)
    tail, tail_low = pair_product(p, p_low, where(negative, e, p), where(negative, e_low, p_low))
    tail = fma(b, tail, b * tail_low)
    return less_tail(x, tail * where(negative, power_of_two(k), like(1.0, x) / TINY(x)))


@compiled(_serf_scalar)
def serf(x: Any) -> Any:
    """x * erf(log(1 + e**x))."""
    return np.maximum(x, -1e4) * erf(np.logaddexp(0, x))


def _serf_slope_times_scalar(g, x):
    # x < 0: z * (p * (1 - b) - b * z * steepness), or a polynomial where that is near 0;
    # else 1 - p * (p + 2 * x * steepness)
    negative, d = x < like(0.0, x), x - _SERF_BOTTOM(x)
    b, beside = bounded(x, _SERF_DEEPEST(x)), magnitude(d) < like(0.4375, x)
    e, e_low, k, p, p_low, z, steepness = _serf_parts(x, b)
    t, t_low = ordered_sum(like(1.0, x), -b)
    below, below_low = pair_product(p, p_low, t, t_low)
    below, more = exact_sum(below, -steepness * (b * z))
    below, below_low = pair_product(below, below_low + more, e, e_low)
    other = where(x > _SERF_END(x), like(0.0, x), fma(z + z, steepness, p))
    w = p * other
    above, above_low = ordered_sum(like(1.0, x), -w)
    above_low = above_low - fma(p + other, p_low, fma(p, other, -w))
    rest = _SERF_BESIDE(d)
    bend = fma(d, rest, _SERF_BEND(x))
    bend_low = fma(d, rest, _SERF_BEND(x) - bend) + _SERF_BEND_LOW(x)
    high, low = pair_product(bend, bend_low, d, -_SERF_BOTTOM_LOW(x))
    high = where(beside, high, where(negative, below, above))
    low = where(beside, low, where(negative, below_low, above_low))
    k = where(negative, where(beside, SHIFT_TINY(x), k), SHIFT_TINY(x))
    return _product(g, high, low, k)


@compiled(_serf_slope_times_scalar)
def serf_slope_times(g: Any, x: Any) -> Any:
    """g times the derivative of x * erf(log(1 + e**x))."""
    h = np.logaddexp(0, x)
    return g * (erf(h) + np.clip(x, -1e4, 1e4) * erf_slope_times(1, h) * np.exp(-np.logaddexp(0, -x)))
