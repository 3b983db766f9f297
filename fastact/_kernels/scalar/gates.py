"""Gates, x times a factor between 0 and 1 made of exponentials (silu and its kin, mish, telu), and their slopes.

In all of them b is |x|, or the magnitude of the gate's argument, bounded where the result becomes 0 or x. Values are
max(x, 0) less a tail, which in silu's kin has one form for both signs. So has the tail of their slope; for x > 0 the
slope is 1 less it. Each slope has a root, an x < 0 at which it is 0. There the exponentials are numbers of the dtype,
but for a very small part, times e**r with r = 0. So silu's kin know to twice the dtype's precision what cancels at the
root; mish and telu write it in d, the distance of b from the root, as terms of one sign that are 0 there.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastact._kernels.scalar.exponential import EXP_LOWEST, EXP_QUADRATIC, LN2_HIGH, LN2_LOW, LOG2_E, over_r, tiny_power
from fastact._kernels.scalar.pairs import (
    LARGEST,
    SHIFT,
    SHIFT_TINY,
    bounded,
    clamp,
    exact_product,
    exact_sum,
    less_tail,
    nearer,
    ordered_sum,
    quotient,
    scalar,
)
from fastact._kernels.scalar.primitives import (
    compiled,
    constant,
    copysign,
    fma,
    ldexp,
    like,
    magnitude,
    polynomial,
    power_of_two,
    reciprocal_power,
    times_power,
    where,
)

#: Where e**-b * b is 0 even after multiplication by the largest number, and where the square of e**-b times that is.
_SLOPE_END = constant(200.0, 1470.0)
_HALF_END = constant(142.0, 1090.0)
_INFINITY = constant(math.inf, math.inf)
#: The root of silu's slope, where 1 + e**-b = b. e**-b = decay * (1 + low) * 2**k * e**r with r = -b - k * log(2) -
#: offset; at the root k is -2 and r all but 0. Of the offsets near there, this one has a decay with a small low part.
_SILU_ROOT = constant(1.2784645557403564, 1.2784645427610737)
_SHIFT_ROOT = constant(1.5 * 2**23 - 2, 1.5 * 2**52 - 2)
_SILU_OFFSET = constant(0.10782986879348755, 0.10782981835881722)
_SILU_DECAY = constant(1.1138582229614258, 1.1138581710442956)
_SILU_DECAY_LOW = constant(3.824490946158221e-09, -8.113377424390594e-18)
#: quick_gelu's factor, log2(e**factor), log(2) / factor; where e**(factor * -b) is 0 even after multiplication by b.
_QUICK = constant(1.7020000219345093, 1.702)
_QUICK_LOW = constant(-2.1934509319976314e-08, 4.263256414560601e-17)
_QUICK_LOG2_E = constant(2.4554669595930156, 2.4554669595930156)
_QUICK_LN2_HIGH = constant(0.40725451707839966, 0.4072545126674179)
_QUICK_LN2_LOW = constant(-4.410981802038805e-09, 1.3951574412911617e-17)
_QUICK_END = constant(66.0, 447.0)
_QUICK_SLOPE_END = constant(117.0, 863.0)
#: gelu_tanh's argument is cube * b * (b**2 + square). Then log2(e**cube), log(2) / cube, and where values and slopes
#: are 0.
_CUBE = constant(0.07135481387376785, 0.07135481627260025)
_CUBE_LOW = constant(2.3988324659995897e-09, -6.175149918155315e-19)
_CUBE_LOG2_E = constant(0.1029432395800235, 0.1029432395800235)
_CUBE_LN2_HIGH = constant(9.714091300964355, 9.714091028023697)
_CUBE_LN2_LOW = constant(-2.7294066740068956e-07, -8.542374041797814e-16)
_SQUARE = constant(22.363861083984375, 22.363860002236834)  # of so few bits that its difference from a sum is exact
_SQUARE_LOW = constant(-1.081747996067861e-06, -4.476792661527933e-13)
_SQUARE_LOW_AT_ROOT = constant(-8.139736564771738e-07, -3.368613772410398e-13)  # _SQUARE_LOW times the slope's root
_GELU_END = constant(11.0, 22.0)
_GELU_SLOPE_END = constant(13.7, 27.3)
#: b times the argument's slope is steep_itself * b * (b**2 + third). With t = b**2 + _SQUARE - _LESS_SQUARE that is
#: b * (steep * t + (steep_low * t + third_low)), whose second term is all but 0 at the root. As for silu, with the
#: argument / cube.
_STEEP_ITSELF = constant(0.21406444907188416, 0.21406444881780073)
_LESS_SQUARE = constant(14.90924072265625, 14.909240001491412)  # with few bits, too
_STEEP = constant(0.21406443417072296, 0.21406444881780182)
_STEEP_LOW = constant(1.4648529500504992e-08, -1.0704422061771415e-15)
_THIRD_LOW = constant(-7.719957295648783e-08, 8.61644530580894e-15)
_GELU_ROOT = constant(17.253984451293945, 17.253984196784398)
_GELU_OFFSET = constant(2.174196243286133, 2.174197859262648)
_GELU_DECAY = constant(1.1678208112716675, 1.1678208476590677)
_GELU_DECAY_LOW = constant(-2.6068414982205468e-08, -4.1269601109052695e-17)
#: The root of mish's slope, the scale, scale**2, and the coefficients of the numerator.
_MISH_ROOT = constant(1.1924312114715576, 1.1924312145154952)
_MISH_ROOT_LOW = constant(3.0439375464652585e-09, 4.8484829848031044e-17)
_MISH_SCALE = constant(3.2950825691223145, 3.2950825294521113)
_MISH_SCALE_LOW = constant(-3.967020134609811e-08, 1.2314101293720822e-16)
_MISH_SQUARE = constant(10.857574462890625, 10.85756887590054)  # with few bits, too
_MISH_SQUARE_LOW = constant(-5.586990027950378e-06, -1.52597713520852e-14)
_MISH_LINEAR = constant(7.590165138244629, 7.590165058904223)
_MISH_OFFSET = constant(8.329662322998047, 8.329661949444903)
_MISH_STEEPNESS = constant(43.430274963378906, 43.4302755036021)
#: The x from which telu is x; the root of its slope; and s = 2 * e**-root with its square.
_TELU_TOP = constant(2.5, 3.2)
_TELU_ROOT = constant(1.0788600444793701, 1.078860058464624)
_TELU_ROOT_LOW = constant(1.3985253843884493e-08, 9.55786742622646e-17)
_TELU_S = constant(0.6799657344818115, 0.6799657308405083)
_TELU_S_LOW = constant(-3.6413032589166505e-09, 1.9232657046799742e-17)
_TELU_SQUARE = constant(0.4623534083366394, 0.46235339511746654)
#: (sinh(s) / s - root) / (s**2 - square) in s**2, for s up to 2; off by 2**-29 and 2**-53.
_TELU = polynomial(
    (0.17056229710578918, 0.008425657637417316, 0.00019970031280536205, 2.761601308520767e-06, 2.6771656891355633e-08),
    (
        0.1705622999579979, 0.008425661696161534, 0.00019969219173350587, 2.7673492605080242e-06,
        2.512651620937096e-08, 1.609475441502456e-10, 7.651471763526619e-13, 2.9491584177395967e-15,
    ),
)  # fmt: skip


@scalar
def _argument(x, beta):
    """beta * x as high and low part; 0 where beta is 0, even for an infinite x."""
    undefined = (magnitude(x) > LARGEST(x)) & (beta == like(0.0, beta))
    return exact_product(beta, where(undefined, like(0.0, x), x))


@scalar
def _decay_terms(b):
    """r, t, k: e**-b = (1 + r + t) * 2**k, |r| <= log(2) / 2, with k biased as `SHIFT_TINY` is."""
    k = fma(b, -LOG2_E(b), SHIFT_TINY(b))
    whole = k - SHIFT_TINY(b)
    r = fma(-whole, LN2_LOW(b), fma(-whole, LN2_HIGH(b), -b))
    return r, r * r * EXP_QUADRATIC(r), k


@scalar
def _pair_decay_terms(b, b_low, shift):
    """The same of b + b_low, with k biased as `shift` is."""
    k = fma(b, -LOG2_E(b), shift)
    whole = k - shift
    r = fma(-whole, LN2_HIGH(b), -b) - fma(whole, LN2_LOW(b), b_low)  # what is subtracted from is exact
    return r, r * r * EXP_QUADRATIC(r), k


@scalar
def _from_root(b, b_low, root, root_low):
    """d, d_low, u, power, e, k: d + d_low = b + b_low - root, and e**-(d + d_low) = (1 + u) * 2**k = 1 + e.

    power is 2**k, or a tiny power of two where k is low.
    """
    d, d_low = exact_sum(b, -root)
    d_low = (d_low - root_low) + b_low
    r, t, k = _pair_decay_terms(d, d_low, SHIFT(b))
    u, power = r + t, power_of_two(nearer(k))
    d, d_low = ordered_sum(d, d_low)  # beside the root d_low may be all there is
    return d, d_low, u, power, fma(power, u, power - like(1.0, b)), k


@scalar
def _fine_decay_terms(b, b_low):
    """r, rest, t, k: the same, with t = r * rest plus what rounding took from r."""
    k = fma(b, -LOG2_E(b), SHIFT_TINY(b))
    whole = k - SHIFT_TINY(b)
    high, low = fma(-whole, LN2_HIGH(b), -b), fma(whole, LN2_LOW(b), b_low)
    r = high - low
    rest = over_r(r)
    return r, rest, fma(r, rest, (high - r) - low), k


@scalar
def _product_terms(y, factor, factor_low):
    """r, t: e**(y * (factor + factor_low)) = 1 + r + t."""
    r = y * factor
    low = fma(y, factor_low, fma(y, factor, -r))
    return r, fma(r * r, EXP_QUADRATIC(r), fma(low, r, low))


@scalar
def _sigmoid_terms(r, t, power):
    """q, error: 1 / (1 + (1 + r + t) / power) = (q + q * error) * power."""
    one = like(1.0, r) + power
    d = one + (r + t)
    d_low = ((one - d) + r) + (((like(1.0, r) - one) + power) + t)
    q = like(1.0, r) / d
    return q, fma(-q, d_low, fma(-q, d, like(1.0, r)))


@scalar
def _short_sigmoid_terms(r, t, power):
    """The same with two operations fewer, for r and t so exact that there is room for what this sum loses."""
    d = (like(1.0, r) + power) + (r + t)
    d_low = (((like(1.0, r) - d) + power) + r) + t
    q = like(1.0, r) / d
    return q, fma(-q, d_low, fma(-q, d, like(1.0, r)))


@scalar
def _less_gated(x, b, q, error, k):
    """max(x, 0) - b * (q + q * error) * 2**k, rounded about once."""
    q = times_power(q, k)
    return less_tail(x, fma(b, q, b * (error * q)))


@scalar
def _times_scaled(g, y, k):
    """g * y * 2**k, rounded about once, for |y| * 2**k <= 1 and any g."""
    j = nearer(k)
    return ldexp(g * (y * power_of_two(j)), k, j)


@scalar
def _over_square(n, n_low, s, s_low):
    """(n + n_low) / (s + s_low)**2."""
    square, square_low = exact_product(s, s)
    value, value_low = quotient(n, n_low, square, fma(s + s, s_low, square_low))
    return value + value_low


def _silu_scalar(x):
    # max(x, 0) - b / (1 + e**b)
    b = bounded(x, -EXP_LOWEST(x))
    k = fma(b, -LOG2_E(x), SHIFT_TINY(x))
    whole = k - SHIFT_TINY(x)
    r = fma(whole, LN2_LOW(x), fma(whole, LN2_HIGH(x), b))
    q, error = _short_sigmoid_terms(r, r * r * EXP_QUADRATIC(r), tiny_power(k))
    return _less_gated(x, b, q, error, k)


@compiled(_silu_scalar)
def silu(x: Any) -> Any:
    """x / (1 + e**-x)."""
    return x / (1 + np.exp(-x))


@scalar
def _swish_factors(x, beta):
    """|beta| and |x|, whose product is 0 where beta is 0, even for an infinite x."""
    return magnitude(beta), bounded(x, where(beta == like(0.0, beta), LARGEST(x), _INFINITY(x)))


def _swish_scalar(x, beta):
    if beta == like(1.0, beta):  # where beta is a number, LLVM takes this test out of the loop
        return silu(x)
    # With b = |beta * x|, the result is x - x / (1 + e**b), or where beta * x < 0 the term that is subtracted here. An
    # undefined product counts as large, and so does NaN, which comes back with k or with x: a test for either before
    # would delay all the rest. The low part is less than 1 where b is not bounded.
    steepness, b = _swish_factors(x, beta)
    h, one = steepness * b, like(1.0, x)
    h = where(h < _SLOPE_END(x), h, _SLOPE_END(x))
    h_low = fma(steepness, b, -h)
    h_low = where(h_low < one, h_low, one)
    k = fma(h, -LOG2_E(x), where(beta == beta, SHIFT(x), beta))
    whole = k - SHIFT(x)
    r = fma(whole, LN2_HIGH(x), h) + fma(whole, LN2_LOW(x), h_low)
    j = nearer(k)
    q, error = _short_sigmoid_terms(r, r * r * EXP_QUADRATIC(r), power_of_two(j))
    b, q = bounded(x, LARGEST(x)), times_power(q, j)
    tail = ldexp(fma(b, q, b * (error * q)), k, j)
    return copysign(where(beta * x < like(0.0, x), tail, magnitude(x) - tail), x)


@compiled(_swish_scalar)
def swish(x: Any, beta: Any) -> Any:
    """x / (1 + e**(-beta * x))."""
    return x / (1 + np.exp(-beta * x))


@scalar
def _gate(u, p):
    """q, error: 1 / (1 + p * (1 + u)) = q + q * error; the error of error falls with u."""
    one = like(1.0, u)
    q = one / (one + fma(p, u, p))
    return q, fma(-(q * p), u, fma(-q, p, one - q))


@scalar
def _gate_slope(g, negative, w, w_low, q, error, f, k):
    """g * T if negative, else g * (1 - T): T = (1 + f) * 2**k * q * (1 + error) * (1 - (w + w_low) * (1 + error)).

    T is the slope at -b in silu's kin: e**-b * (1 + e**-b - a) / (1 + e**-b)**2, where a is b times the derivative of
    the gate's argument, and w + w_low = a * q. Where w > 1 / 2, v is exact. T / 2**k may be far above 1, and 2**k
    may be out of range. So g is multiplied by T without a part of 2**k first, and by that part last.
    """
    one = like(1.0, w)
    v = one - w
    v_low = fma(error, v - w, -w_low)
    j = nearer(k)
    q = times_power(q, j)
    tail = fma(q, v, q * fma(v, f, fma(v_low, f, v_low)))
    tail = ldexp(where(negative, g * tail, tail), k, j)
    return where(negative, tail, g * (one - tail))


@scalar
def _silu_decay_terms(b, b_low):
    """u, f, p, k: e**-(b + b_low) = (1 + u) * p = (1 + f) * 2**k, u = 0 at the root; p is tiny where k is low."""
    k = fma(_SILU_ROOT(b) - b, LOG2_E(b), _SHIFT_ROOT(b))
    whole = k - SHIFT(b)
    r = fma(-whole, LN2_LOW(b), (fma(-whole, LN2_HIGH(b), -b) - _SILU_OFFSET(b)) - b_low)
    u = r + fma(r * r, EXP_QUADRATIC(r), _SILU_DECAY_LOW(b))
    p = times_power(_SILU_DECAY(b), nearer(k))
    return u, fma(_SILU_DECAY(b), u, _SILU_DECAY(b) - like(1.0, b)), p, k


def _silu_slope_times_scalar(g, x):
    b = bounded(x, _SLOPE_END(x))
    u, f, p, k = _silu_decay_terms(b, like(0.0, x))
    q, error = _gate(u, p)
    w = b * q
    return _gate_slope(g, x < like(0.0, x), w, fma(b, q, -w), q, error, f, k)


@compiled(_silu_slope_times_scalar)
def silu_slope_times(g: Any, x: Any) -> Any:
    """g * the derivative of `silu`."""
    return swish_slope_times(g, x, 1)


@scalar
def _pair_slope(g, negative, b, b_low):
    """The slope of silu at b + b_low, or at -(b + b_low) if negative, times g."""
    u, f, p, k = _silu_decay_terms(b, b_low)
    q, error = _gate(u, p)
    w = b * q
    return _gate_slope(g, negative, w, fma(b_low, q, fma(b, q, -w)), q, error, f, k)


def _swish_slope_times_scalar(g, x, beta):
    # As in `_swish_scalar`, but NaN stays
    if beta == like(1.0, beta):
        return silu_slope_times(g, x)
    steepness, b = _swish_factors(x, beta)
    h, one = steepness * b, like(1.0, x)
    h = where(h > _SLOPE_END(x), _SLOPE_END(x), h)
    h_low = fma(steepness, b, -h)
    return _pair_slope(g, beta * x < like(0.0, x), h, where(h_low > one, one, h_low))


@compiled(_swish_slope_times_scalar)
def swish_slope_times(g: Any, x: Any, beta: Any) -> Any:
    """g * (s + beta * x * s * (1 - s)) with s = 1 / (1 + e**(-beta * x))."""
    h = np.clip(beta * x, -1e4, 1e4)
    s = 1 / (1 + np.exp(-h))
    return g * (s + h * (s * (1 - s)))


def _swish_slope_by_beta_scalar(x, beta):
    # The square of x / (e**b + e**-b) with b = |beta * x| / 2, which is a normal number where its square is not 0.
    h, h_low = _argument(x, beta)
    b, b_low = like(0.5, x) * magnitude(h), like(0.5, x) * where(h < like(0.0, h), -h_low, h_low)
    inside = b < _HALF_END(x)
    r, t, k = _pair_decay_terms(bounded(b, _HALF_END(x)), where(inside, b_low, like(0.0, x)), SHIFT_TINY(x))
    u, power = r + t, tiny_power(k)
    p, p_low = ordered_sum(like(1.0, x), u)
    z = p * power
    d = fma(z, z, like(1.0, x))
    q, q_low = quotient(p, p_low, d, fma(z, z, like(1.0, x) - d))
    root = ldexp(where(b > _HALF_END(x), like(0.0, x), x), k, SHIFT_TINY(k)) * (q + q_low)
    return root * root


@compiled(_swish_slope_by_beta_scalar)
def swish_slope_by_beta(x: Any, beta: Any) -> Any:
    """x**2 * s * (1 - s) with s = 1 / (1 + e**(-beta * x)): the derivative of `swish` with respect to beta."""
    s = 1 / (1 + np.exp(-beta * x))
    return x * x * (s * (1 - s))


def _quick_gelu_scalar(x):
    b = bounded(x, _QUICK_END(x))
    k = fma(b, -_QUICK_LOG2_E(x), SHIFT_TINY(x))
    whole = k - SHIFT_TINY(x)
    y = fma(whole, _QUICK_LN2_LOW(x), fma(whole, _QUICK_LN2_HIGH(x), b))
    q, error = _sigmoid_terms(*_product_terms(y, _QUICK(x), _QUICK_LOW(x)), tiny_power(k))
    return _less_gated(x, b, q, error, k)


@compiled(_quick_gelu_scalar)
def quick_gelu(x: Any) -> Any:
    """x / (1 + e**(-1.702 * x))."""
    return x / (1 + np.exp(-1.702 * x))


def _quick_gelu_slope_times_scalar(g, x):
    b = bounded(x, _QUICK_SLOPE_END(x))
    h = _QUICK(x) * b
    return _pair_slope(g, x < like(0.0, x), h, fma(_QUICK_LOW(x), b, fma(_QUICK(x), b, -h)))


@compiled(_quick_gelu_slope_times_scalar)
def quick_gelu_slope_times(g: Any, x: Any) -> Any:
    """g * the derivative of `quick_gelu`."""
    return swish_slope_times(g, x, 1.702)


@scalar
def _gelu_square(b):
    """square, error, whose sum is b**2 + _SQUARE."""
    square = fma(b, b, _SQUARE(b))
    return square, fma(b, b, _SQUARE(b) - square)


def _gelu_tanh_scalar(x):
    b = bounded(x, _GELU_END(x))
    square, error = _gelu_square(b)
    h = b * square
    h_low = fma(b, error + _SQUARE_LOW(x), fma(b, square, -h))
    k = fma(h, -_CUBE_LOG2_E(x), SHIFT_TINY(x))
    whole = k - SHIFT_TINY(x)
    y = fma(whole, _CUBE_LN2_HIGH(x), h) + fma(whole, _CUBE_LN2_LOW(x), h_low)
    q, error = _sigmoid_terms(*_product_terms(y, _CUBE(x), _CUBE_LOW(x)), tiny_power(k))
    return _less_gated(x, b, q, error, k)


@compiled(_gelu_tanh_scalar)
def gelu_tanh(x: Any) -> Any:
    """x / (1 + e**-2u), u = sqrt(2 / pi) * (x + 0.044715 * x**3)."""
    return x / (1 + np.exp(-2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def _gelu_tanh_slope_times_scalar(g, x):
    # At the root, low parts must be so small that their sums are all but exact. Hence b * _SQUARE_LOW is taken less its
    # value at the root, which the offset makes good.
    b = bounded(x, _GELU_SLOPE_END(x))
    square, square_low = _gelu_square(b)
    h = b * square
    h_low = fma(b, square_low, fma(b, square, -h))
    k = fma(_GELU_ROOT(x) - h, _CUBE_LOG2_E(x), _SHIFT_ROOT(x))
    whole = k - SHIFT(x)
    h_low = h_low + fma(whole, _CUBE_LN2_LOW(x), fma(b, _SQUARE_LOW(x), -_SQUARE_LOW_AT_ROOT(x)))
    y = (fma(-whole, _CUBE_LN2_HIGH(x), -h) - _GELU_OFFSET(x)) - h_low
    r, r_low = _product_terms(y, _CUBE(x), _CUBE_LOW(x))
    u = r + (r_low + _GELU_DECAY_LOW(x))
    q, error = _gate(u, times_power(_GELU_DECAY(x), nearer(k)))
    t, steep = square - _LESS_SQUARE(x), b * _STEEP(x)
    a, steep_low = steep * t, fma(b, _STEEP(x), -steep)
    low = fma(_STEEP_ITSELF(x), square_low, fma(_STEEP_LOW(x), t, _THIRD_LOW(x)))
    a_low = fma(b, low, fma(steep_low, t, fma(steep, t, -a)))
    w = a * q
    f = fma(_GELU_DECAY(x), u, _GELU_DECAY(x) - like(1.0, x))
    return _gate_slope(g, x < like(0.0, x), w, fma(a_low, q, fma(a, q, -w)), q, error, f, k)


@compiled(_gelu_tanh_slope_times_scalar)
def gelu_tanh_slope_times(g: Any, x: Any) -> Any:
    """g * the derivative of `gelu_tanh`."""
    x = np.clip(x, -1e3, 1e3)
    s = 1 / (1 + np.exp(-2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return g * (s + 2 * math.sqrt(2 / math.pi) * (x + 3 * 0.044715 * x**3) * (s * (1 - s)))


def _mish_scalar(x):
    # For x < 0, -b * y * (2 + y) / (2 + y * (2 + y)) with y = e**-b. For others, x - b * y**2 / (2 + y * (2 + y)) with
    # twice that y. In the code m is y * (2 + y) / 2**k.
    negative = x < like(0.0, x)
    b = bounded(x, -EXP_LOWEST(x))
    r, t, k = _decay_terms(b)
    k = where(negative, k, k + like(1.0, x))
    power = tiny_power(k)
    p = like(1.0, x) + (r + t)
    p_low = ((like(1.0, x) - p) + r) + t
    y, two = p * power, like(2.0, x)
    m = fma(p, y, p + p)
    m_low = fma(p_low, two + (y + y), fma(p, y, (p + p) - m))
    d = fma(m, power, two)
    d_low = fma(m_low, power, fma(m, power, two - d))
    n = where(negative, m, m - (p + p))
    n_low = where(negative, m_low, m_low - (p_low + p_low))
    q, q_low = quotient(n, n_low, d, d_low)
    power = power_of_two(k)
    return less_tail(x, fma(b, q * power, b * (q_low * power)))


@compiled(_mish_scalar)
def mish(x: Any) -> Any:
    """x * tanh(log(1 + e**x))."""
    return x * np.tanh(np.logaddexp(0, x))


def _mish_slope_times_scalar(g, x):
    # y is that of `_mish_scalar`, and c = 1 + y. For x < 0, y * n / (1 + c**2)**2 with n = (1 + c) * (1 + c**2) -
    # 4 * b * c, which is -4 * c * d plus, of the same sign, e times a polynomial in c. For others, 1 + y * n /
    # (1 + c**2)**2 with n = y * (2 * b * (1 + c) - (1 + c**2)). In the code y and c are times scale, n times scale**3.
    negative = x < like(0.0, x)
    b = bounded(x, _SLOPE_END(x))
    d, d_low, u, power, e, k = _from_root(b, like(-0.0, x), _MISH_ROOT(x), _MISH_ROOT_LOW(x))
    power = where(negative, power, power + power)
    y = fma(power, u, power)
    y_low = fma(power, u, power - y)
    scale = _MISH_SCALE(x)
    c = scale + y
    c_low = ((scale - c) + y) + (_MISH_SCALE_LOW(x) + y_low)
    s = fma(c, c, _MISH_SQUARE(x))
    s_low = fma(c + c, c_low, fma(c, c, _MISH_SQUARE(x) - s) + _MISH_SQUARE_LOW(x))
    a, a_low = exact_product(d, -_MISH_STEEPNESS(x))
    a_low = fma(d_low, -_MISH_STEEPNESS(x), a_low)
    rest, rest_low = exact_product(a, c)
    rest_low = fma(a_low, c, fma(a, c_low, rest_low))
    bend = fma(c, c + _MISH_LINEAR(x), -_MISH_OFFSET(x))
    n = fma(e, bend, rest)
    n_low = fma(e, bend, rest - n) + rest_low
    a = fma(b * (scale + scale), c + scale, -s)
    v = a * y
    n, n_low = where(negative, n, v), where(negative, n_low, fma(-s_low, y, fma(a, y_low, fma(a, y, -v))))
    m = fma(n, u, n)
    m_low = fma(n, u, n - m) + fma(n_low, u, n_low)
    tail = _over_square(m, m_low, s, s_low)
    return where(negative, _times_scaled(g, tail, k), g * fma(tail, power, like(1.0, g)))


@compiled(_mish_slope_times_scalar)
def mish_slope_times(g: Any, x: Any) -> Any:
    """g * the derivative of `mish`."""
    t = np.tanh(np.logaddexp(0, x))
    return g * (t + np.clip(x, -1e4, 1e4) * (1 - t * t) / (1 + np.exp(-x)))


def _telu_scalar(x):
    # With s = 2 * e**x and e = e**-s - 1: for x < 0, -b * -e / (2 + e); for others, x - b * 2 * (1 + e) / (2 + e).
    negative = x < like(0.0, x)
    r, _, t, k = _fine_decay_terms(clamp(-x, -_TELU_TOP(x), -EXP_LOWEST(x)), like(-0.0, x))
    p = like(1.0, x) + (r + t)
    p_low = ((like(1.0, x) - p) + r) + t
    p, p_low, power = p + p, p_low + p_low, tiny_power(k)
    s, s_low = p * power, p_low * power
    r, rest, t, j = _fine_decay_terms(s, s_low)
    u, inner = r + t, tiny_power(j)
    start = inner - like(1.0, x)
    e = fma(inner, u, start)
    e_low = fma(inner, (r - u) + t, fma(inner, u, start - e))
    d = like(2.0, x) + e
    d_low = ((like(2.0, x) - d) + e) + e_low
    # -e / 2**k, which is p * (1 + rest) where s is small
    n = fma(p, rest, p)
    n_low = fma(p_low, like(1.0, x) + u, fma(p, rest, p - n))
    large, back = inner < like(1.0, x), reciprocal_power(power)
    n, n_low = where(large, -e * back, n), where(large, -e_low * back, n_low)
    one = like(1.0, x) + e
    n, n_low = where(negative, n, one + one), where(negative, n_low, e_low + e_low)
    q, q_low = quotient(n, n_low, d, d_low)
    b, power = bounded(x, -EXP_LOWEST(x)), power_of_two(where(negative, k, SHIFT_TINY(x)))
    return less_tail(x, fma(b, q * power, b * (q_low * power)))


@compiled(_telu_scalar)
def telu(x: Any) -> Any:
    """x * tanh(e**x)."""
    return x * np.tanh(np.exp(x))


def _telu_slope_times_scalar(g, x):
    # With s = 2 * e**x and a = e**-s: for x < 0, 2 * a * n / (1 + a)**2 with n = s * (sinh(s) / s - b), where
    # sinh(s) / s - root has the sign of -d. For others, 1 + 2 * a * n / (1 + a)**2 with n = x * s - (1 + a).
    negative = x < like(0.0, x)
    b = clamp(-x, -_TELU_TOP(x), _SLOPE_END(x))
    d, d_low, u, power, e, k = _from_root(b, like(-0.0, x), _TELU_ROOT(x), _TELU_ROOT_LOW(x))
    p = fma(_TELU_S(x), u, _TELU_S(x))
    p_low = fma(_TELU_S(x), u, _TELU_S(x) - p) + fma(_TELU_S_LOW(x), u, _TELU_S_LOW(x))
    s = p * power
    r, t, j = _pair_decay_terms(s, p_low * power, SHIFT_TINY(x))
    u, inner = r + t, tiny_power(j)
    a = fma(inner, u, inner)
    a_low = fma(inner, u, inner - a)
    c = like(1.0, x) + a
    c_low = ((like(1.0, x) - c) + a) + a_low
    # s**2 - square = square * e * (2 + e)
    f, bend = e * (e + like(2.0, x)), _TELU_SQUARE(x) * _TELU(s * s)
    n = fma(f, bend, -d)
    n_low = fma(f, bend, -d - n) - d_low
    v = n * p
    v_low = fma(n, p_low, fma(n_low, p, fma(n, p, -v)))
    n, n_low = where(negative, v, fma(s, -b, -c)), where(negative, v_low, like(0.0, x))
    a, a_low = a + a, a_low + a_low
    m, m_low = exact_product(n, a)
    tail = _over_square(m, fma(n, a_low, fma(n_low, a, m_low)), c, c_low)
    return where(negative, _times_scaled(g, tail, k), g * (like(1.0, g) + tail))


@compiled(_telu_slope_times_scalar)
def telu_slope_times(g: Any, x: Any) -> Any:
    """g * the derivative of `telu`."""
    x = np.clip(x, -1e4, 10)
    w = np.exp(x)
    t = np.tanh(w)
    return g * (t + x * (w * (1 - t * t)))
