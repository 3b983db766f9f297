"""What every activation must compute, written without looking at fastact.

`REFERENCES` holds, by name, the value and the slope twice: in mpmath (exact) and in float64 with SciPy (fast, for
millions of finite float32 points; test_accuracy.py checks it against mpmath). Only tests and benchmarks/accuracy.py
import this file. To add an activation, add its entry; a function without one fails test_accuracy.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import mpmath
import numpy as np
from scipy.special import erf, ndtr

mp = mpmath.mp.clone()
mp.prec = 160

Array = np.ndarray[Any, np.dtype[Any]]
Function = Callable[..., Any]


class Reference(NamedTuple):
    """Functions of (x, *parameters), and what else a test of the activation needs to know."""

    value: Function
    slope: Function
    #: The same of float64 arrays that hold float32 numbers: wrong by 0.001 ULP of float32 at most. Four times as fast
    #: on 2**13 numbers as on 2**16, whose temporaries are fresh memory each.
    fast_value: Function
    fast_slope: Function
    #: tuples of parameter values to test besides the defaults
    parameters: tuple[tuple[float, ...], ...] = ()
    #: Where the slope, or the value, is 0 between other values, for the default parameters: to 40 digits.
    slope_zeros: tuple[Any, ...] = ()
    value_zeros: tuple[Any, ...] = ()
    #: The derivative with respect to each parameter, in mpmath.
    parameter_slopes: Mapping[str, Function] = MappingProxyType({})


#: Zero, negative, tiny and large.
SLOPES = ((0.0,), (-0.5,), (1e-30,), (3.0,))

#: mpmath has no -0.0; this rounds to it.
NEGATIVE_ZERO = -mp.ldexp(1, -(10**6))

# Exact, in mpmath


def _steep(x: Any) -> Any:
    """The slope of max(x, 0)."""
    return mp.one if x > 0 else mp.zero


def _positive(x: Any) -> Any:
    return x if x > 0 else mp.zero


def _zero_like(x: Any) -> Any:
    return NEGATIVE_ZERO if x < 0 else mp.zero


def _inside(x: Any, low: Any, high: Any) -> bool:
    return bool(low < x < high)


def _clip(x: Any, low: Any, high: Any) -> Any:
    return low if x < low else high if x > high else x


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + mp.exp(-x))


def _gated_slope(x: Any, h: Any, dh: Any) -> Any:
    """The slope of x * sigmoid(h)."""
    return _sigmoid(h) * (1 + x * dh * _sigmoid(-h))


def _softplus(x: Any) -> Any:
    return mp.log1p(mp.exp(x))


def _normal(x: Any) -> Any:
    """The normal distribution function; where mpmath would need numbers of 2**60 digits, one below all floats."""
    return mp.ncdf(x) if x > -(10**9) else mp.ldexp(1, -(10**6))


def _erf_slope(x: Any) -> Any:
    return 2 / mp.sqrt(mp.pi) * mp.exp(-x * x)


def _gelu_u(x: Any) -> Any:
    """Twice the argument of the tanh in gelu's tanh form."""
    return 2 * mp.sqrt(2 / mp.pi) * (x + mp.mpf("0.044715") * x**3)


def _gelu_du(x: Any) -> Any:
    return 2 * mp.sqrt(2 / mp.pi) * (1 + 3 * mp.mpf("0.044715") * x**2)


def _telu_e(x: Any) -> Any:
    """e**x where the tanh of it is not yet 1."""
    return mp.exp(min(x, mp.mpf(20)))


def _no_cancellation(function: Function) -> Function:
    """The function of a small argument x whose terms cancel to x**3 or x**2."""

    def precise(x: Any) -> Any:
        with mp.extraprec(3 * max(0, -mp.mag(x)) if x else 0):
            result = function(x)
        return +result

    return precise


_tanhshrink = _no_cancellation(lambda x: x - mp.tanh(x))
_celu_alpha = _no_cancellation(lambda t: mp.exp(t) * (1 - t) - 1)


def _squareplus(x: Any, b: Any) -> Any:
    root = mp.sqrt(x * x + b)
    return (x + root) / 2 if x >= 0 else b / (root - x) / 2


def _squareplus_slope(x: Any, b: Any) -> Any:
    """At the kink that it has for b = 0, 1/2."""
    root = mp.sqrt(x * x + b)
    return mp.mpf(0.5) if root == 0 else (1 + x / root) / 2 if x >= 0 else b / (root - x) / root / 2


def _snake(x: Any, a: Any) -> Any:
    """For alpha 0 its limit. The slopes have no limit, hence are NaN, beyond all floats."""
    return x + mp.sin(a * x) ** 2 / a if a else x


def _snake_slope(x: Any, a: Any) -> Any:
    with mp.extraprec(200):  # at the nearest number to a zero, the sine is -1 but for 2**-120
        return 1 + mp.sin(2 * a * x) if mp.mag(x) < 1100 else mp.nan


def _snake_alpha(x: Any, a: Any) -> Any:
    y = a * x
    if mp.mag(x) > 1100:
        return mp.nan
    return (y * mp.sin(2 * y) - mp.sin(y) ** 2) / a**2 if a else x * x


# Fast, in float64. An exponential is bounded so that its products with any float32 are finite, and those below all
# float32 count as 0.


def _fast_exp(x: Array) -> Array:
    return np.exp(np.clip(x, -700, 700))


def _fast_sigmoid(x: Array) -> Array:
    return 1 / (1 + _fast_exp(-x))


def _fast_sigmoid_slope(x: Array) -> Array:
    e = _fast_exp(-np.abs(x))
    return e / (1 + e) ** 2


def _fast_gated_slope(x: Array, h: Array, dh: Array | float) -> Array:
    e = _fast_exp(-h)
    s = 1 / (1 + e)
    return s * (1 + x * dh * (e * s))


def _fast_softplus(x: Array) -> Array:
    return np.maximum(x, 0) + np.log1p(_fast_exp(-np.abs(x)))


def _fast_density(x: Array) -> Array:
    return _fast_exp(-x * x / 2) / np.sqrt(2 * np.pi)


def _fast_erf_slope(x: Array) -> Array:
    return _fast_exp(-x * x) * (2 / np.sqrt(np.pi))


def _fast_gelu_u(x: Array) -> Array:
    return 2 * np.sqrt(2 / np.pi) * (x + 0.044715 * (x * x * x))


def _fast_gelu_du(x: Array) -> Array:
    return 2 * np.sqrt(2 / np.pi) * (1 + 0.134145 * (x * x))


def _fast_mish_e(x: Array) -> tuple[Array, Array]:
    """e = e**x, and n for which the tanh of log(1 + e) is n / (n + 2)."""
    e = np.exp(np.clip(x, -700, 100))
    return e, e * (e + 2)


def _fast_mish(x: Array) -> Array:
    _, n = _fast_mish_e(x)
    return x * (n / (n + 2))


def _fast_mish_slope(x: Array) -> Array:
    e, n = _fast_mish_e(x)
    return (n + 4 * x * (e * (e + 1) / (n + 2))) / (n + 2)


def _fast_telu_e(x: Array) -> Array:
    return np.exp(np.clip(x, -700, 10))


def _fast_telu_slope(x: Array) -> Array:
    e = _fast_telu_e(x)
    return np.tanh(e) + x * e * (4 * _fast_sigmoid_slope(2 * e))


def _fast_serf_slope(x: Array) -> Array:
    h = _fast_softplus(x)
    return erf(h) + x * _fast_erf_slope(h) * _fast_sigmoid(x)


def _fast_tanhshrink(x: Array) -> Array:
    s = np.square(np.clip(x, -0.04, 0.04))
    series = x * s * (1 / 3 - s * (2 / 15 - s * (17 / 315 - s * (62 / 2835))))
    return np.where(np.abs(x) < 0.04, series, x - np.tanh(x))


def _fast_squareplus(x: Array, b: float) -> Array:
    """For x < 0 the root minus |x|, without cancellation."""
    root = np.sqrt(x * x + b)
    return np.where(x >= 0, x + root, b / (root + np.abs(x))) / 2


def _fast_squareplus_slope(x: Array, b: float) -> Array:
    root = np.sqrt(x * x + b)
    slope = np.where(x >= 0, 1 + x / root, b / (root + np.abs(x)) / root) / 2
    return np.where(root == 0, 0.5, slope)


def _fast_star_relu(x: Array, scale: float, bias: float) -> Array:
    """The square is split so that the sum is exact where it cancels."""
    square = np.square(np.maximum(x, 0))
    high = square * (2.0**27 + 1) - (square * (2.0**27 + 1) - square)
    return (scale * high + bias) + scale * (square - high)


def _fast_snake_slope(x: Array, a: float) -> Array:
    """1 + sin(2 y) = (sin(y) + cos(y))**2, the latter where the former cancels."""
    slope = 1 + np.sin(2 * a * x)
    near = slope < 1e-5
    y = (a * x[near]).astype(np.longdouble)
    slope[near] = np.square(np.sin(y) + np.cos(y))
    return slope


# Both


#: hard_sigmoid's default slope is the real number 1/6: these stand for it.
SIXTHS = (1 / 6, float(np.float32(1 / 6)))


def _ramp(x: Any, slope: Any, offset: Any) -> Any:
    return (x + 6 * offset) / 6 if slope in SIXTHS else slope * x + offset


def _ramp_slope(slope: Any) -> Any:
    return mp.one / 6 if slope in SIXTHS else slope


#: selu's constants, exactly.
ALPHA, SCALE = 1.6732632423543772, 1.0507009873554805


REFERENCES = {
    "identity": Reference(lambda x: x, lambda x: mp.one, lambda x: x, np.ones_like),
    "relu": Reference(
        _positive, _steep, lambda x: np.maximum(x, 0), lambda x: (x > 0) * 1.0,
    ),
    "leaky_relu": Reference(
        lambda x, a: x if x >= 0 else a * x, lambda x, a: mp.one if x > 0 else a,
        lambda x, a: np.where(x >= 0, x, a * x), lambda x, a: np.where(x > 0, 1.0, a),
        parameters=SLOPES,
        parameter_slopes={"alpha": lambda x, a: min(x, mp.zero)},
    ),
    "relu6": Reference(
        lambda x: _clip(x, 0, 6), lambda x: mp.mpf(_inside(x, 0, 6)),
        lambda x: np.clip(x, 0, 6), lambda x: ((x > 0) & (x < 6)) * 1.0,
    ),
    "hard_tanh": Reference(
        _clip, lambda x, low, high: mp.mpf(_inside(x, low, high)),
        np.clip, lambda x, low, high: ((x > low) & (x < high)) * 1.0,
        parameters=((0.0, 6.0), (-0.5, 3e4), (-1e-30, 1e-30), (1.0, 2.0), (-3.0, -2.0)),
        parameter_slopes={"min": lambda x, low, high: mp.mpf(x <= low), "max": lambda x, low, high: mp.mpf(x >= high)},
    ),
    "hard_sigmoid": Reference(
        lambda x, s, o: _clip(_ramp(x, s, o), 0, 1),
        lambda x, s, o: _ramp_slope(s) * _inside(_ramp(x, s, o), 0, 1),
        lambda x, s, o: np.clip(_ramp(x, s, o), 0, 1),
        lambda x, s, o: float(_ramp_slope(s)) * ((_ramp(x, s, o) > 0) & (_ramp(x, s, o) < 1)),
        parameters=((0.2, 0.5), (-0.25, 0.0), (0.0, 0.3), (1e-30, 0.5), (3.0, -0.7)),
        parameter_slopes={
            "slope": lambda x, s, o: x * _inside(_ramp(x, s, o), 0, 1),
            "offset": lambda x, s, o: mp.mpf(_inside(_ramp(x, s, o), 0, 1)),
        },
    ),
    "hard_silu": Reference(
        lambda x: x * _clip((x + 3) / 6, 0, 1) if x > -3 else NEGATIVE_ZERO,
        lambda x: mp.zero if x <= -3 else mp.one if x >= 3 else (2 * x + 3) / 6,
        lambda x: x * np.clip((x + 3) / 6, 0, 1),
        lambda x: np.where(x <= -3, 0, np.where(x >= 3, 1, (2 * x + 3) / 6)),
        slope_zeros=(mp.mpf(-1.5),),
    ),
    "softshrink": Reference(
        lambda x, c: x - c if x > c else x + c if x < -c else _zero_like(x), lambda x, c: mp.mpf(abs(x) > c),
        lambda x, c: np.where(x > c, x - c, np.where(x < -c, x + c, 0)), lambda x, c: (np.abs(x) > c) * 1.0,
        parameters=((0.0,), (1e-30,), (3.0,), (1e30,)),
        parameter_slopes={"lambd": lambda x, c: -mp.one if x > c else mp.one if x < -c else mp.zero},
    ),
    "hardshrink": Reference(
        lambda x, c: x if abs(x) > c else _zero_like(x), lambda x, c: mp.mpf(abs(x) > c),
        lambda x, c: np.where(np.abs(x) > c, x, 0), lambda x, c: (np.abs(x) > c) * 1.0,
        parameters=((0.0,), (-0.5,), (1e-30,), (3.0,)),
        parameter_slopes={"lambd": lambda x, c: mp.zero},
    ),
    "threshold": Reference(
        lambda x, t, v: x if x > t else v, lambda x, t, v: _steep(x - t),
        lambda x, t, v: np.where(x > t, x, v), lambda x, t, v: (x > t) * 1.0,
        parameters=((0.5, -2.0), (-1.0, 20.0), (1e-30, 1e-30), (3.0, 0.0)),
        parameter_slopes={"threshold": lambda x, t, v: mp.zero, "value": lambda x, t, v: mp.mpf(x <= t)},
    ),
    "thresholded_relu": Reference(
        lambda x, t: x if x > t else mp.zero, lambda x, t: _steep(x - t),
        lambda x, t: np.where(x > t, x, 0), lambda x, t: (x > t) * 1.0,
        parameters=SLOPES,
        parameter_slopes={"theta": lambda x, t: mp.zero},
    ),
    "relu_squared": Reference(
        lambda x: _positive(x) ** 2, lambda x: 2 * _positive(x),
        lambda x: np.square(np.maximum(x, 0)), lambda x: 2 * np.maximum(x, 0),
    ),
    "star_relu": Reference(
        lambda x, s, b: s * _positive(x) ** 2 + b, lambda x, s, b: 2 * s * _positive(x),
        _fast_star_relu, lambda x, s, b: 2 * s * np.maximum(x, 0),
        parameters=((1.0, 0.0), (0.0, 0.5), (-0.5, 2.0), (1e-30, 1.0), (3.0, -1e-3)),
        value_zeros=(mp.sqrt(0.5),),
        parameter_slopes={"scale": lambda x, s, b: _positive(x) ** 2, "bias": lambda x, s, b: mp.one},
    ),
    "step": Reference(
        lambda x: mp.mpf(x >= 0), lambda x: mp.zero, lambda x: (x >= 0) * 1.0, np.zeros_like,
    ),
    "sparse_plus": Reference(
        lambda x: x if x >= 1 else (max(x, -1) + mp.one) ** 2 / 4, lambda x: (_clip(x, -1, 1) + mp.one) / 2,
        lambda x: np.where(x >= 1, x, np.square(np.maximum(x, -1) + 1) / 4), lambda x: (np.clip(x, -1, 1) + 1) / 2,
    ),
    "sparse_sigmoid": Reference(
        lambda x: (_clip(x, -1, 1) + mp.one) / 2, lambda x: _inside(x, -1, 1) * mp.mpf(0.5),
        lambda x: (np.clip(x, -1, 1) + 1) / 2, lambda x: (np.abs(x) < 1) * 0.5,
    ),
    "elu": Reference(
        lambda x, a: x if x > 0 else a * mp.expm1(x), lambda x, a: mp.one if x > 0 else a * mp.exp(x),
        lambda x, a: np.where(x > 0, x, a * np.expm1(np.clip(x, -700, 0))),
        lambda x, a: np.where(x > 0, 1.0, a * np.exp(np.clip(x, -700, 0))),
        parameters=SLOPES,
        parameter_slopes={"alpha": lambda x, a: mp.expm1(min(x, mp.zero))},
    ),
    "celu": Reference(
        lambda x, a: x if x > 0 else a * mp.expm1(x / a), lambda x, a: mp.one if x > 0 else mp.exp(x / a),
        lambda x, a: np.where(x > 0, x, a * np.expm1(np.clip(np.minimum(x, 0) / a, -700, 700))),
        lambda x, a: np.where(x > 0, 1.0, _fast_exp(np.minimum(x, 0) / a)),
        parameters=((0.3,), (-1.5,), (1e-3,), (3.0,), (1e3,)),
        parameter_slopes={"alpha": lambda x, a: _celu_alpha(min(x, mp.zero) / a)},
    ),
    "selu": Reference(
        lambda x: mp.mpf(SCALE) * (x if x > 0 else mp.mpf(ALPHA) * mp.expm1(x)),
        lambda x: mp.mpf(SCALE) * (mp.one if x > 0 else mp.mpf(ALPHA) * mp.exp(x)),
        lambda x: SCALE * np.where(x > 0, x, ALPHA * np.expm1(np.clip(x, -700, 0))),
        lambda x: SCALE * np.where(x > 0, 1, ALPHA * np.exp(np.clip(x, -700, 0))),
    ),
    "squareplus": Reference(
        _squareplus, _squareplus_slope, _fast_squareplus, _fast_squareplus_slope,
        parameters=((0.0,), (1e-30,), (1.0,), (1e6,)),
        parameter_slopes={"b": lambda x, b: 1 / (4 * mp.sqrt(x * x + b)) if x or b else mp.inf},
    ),
    "softplus": Reference(
        lambda x, b: _softplus(b * x) / b, lambda x, b: _sigmoid(b * x),
        lambda x, b: _fast_softplus(b * x) / b, lambda x, b: _fast_sigmoid(b * x),
        parameters=((-1.5,), (1e-3,), (3.0,)),
        parameter_slopes={
            "beta": lambda x, b: -(abs(b * x) * _sigmoid(-abs(b * x)) + _softplus(-abs(b * x))) / b**2
        },
    ),
    "sigmoid": Reference(
        _sigmoid, lambda x: _sigmoid(x) * _sigmoid(-x), _fast_sigmoid, _fast_sigmoid_slope,
    ),
    "log_sigmoid": Reference(
        lambda x: -_softplus(-x), lambda x: _sigmoid(-x), lambda x: -_fast_softplus(-x), lambda x: _fast_sigmoid(-x),
    ),
    "tanh": Reference(
        mp.tanh, lambda x: mp.sech(x) ** 2, np.tanh, lambda x: 4 * _fast_sigmoid_slope(2 * x),
    ),
    "tanhshrink": Reference(
        _tanhshrink, lambda x: mp.tanh(x) ** 2, _fast_tanhshrink, lambda x: np.square(np.tanh(x)),
    ),
    "softsign": Reference(
        lambda x: x / (1 + abs(x)), lambda x: 1 / (1 + abs(x)) ** 2,
        lambda x: x / (1 + np.abs(x)), lambda x: 1 / np.square(1 + np.abs(x)),
    ),
    "erf": Reference(mp.erf, _erf_slope, erf, _fast_erf_slope),
    "ndtr": Reference(_normal, mp.npdf, ndtr, _fast_density),
    "exponential": Reference(mp.exp, mp.exp, _fast_exp, _fast_exp),
    "silu": Reference(
        lambda x: x * _sigmoid(x), lambda x: _gated_slope(x, x, 1),
        lambda x: x * _fast_sigmoid(x), lambda x: _fast_gated_slope(x, x, 1),
        slope_zeros=(mp.mpf("-1.278464542761073795109358739022980155439"),),
    ),
    "swish": Reference(
        lambda x, b: x * _sigmoid(b * x), lambda x, b: _gated_slope(x, b * x, b),
        lambda x, b: x * _fast_sigmoid(b * x), lambda x, b: _fast_gated_slope(x, b * x, b),
        parameters=((0.0,), (-1.5,), (1e-3,), (3.0,)),
        slope_zeros=(mp.mpf("-1.278464542761073795109358739022980155439"),),
        parameter_slopes={"beta": lambda x, b: x * x * _sigmoid(b * x) * _sigmoid(-b * x)},
    ),
    "quick_gelu": Reference(
        lambda x: x * _sigmoid(mp.mpf("1.702") * x),
        lambda x: _gated_slope(x, mp.mpf("1.702") * x, mp.mpf("1.702")),
        lambda x: x * _fast_sigmoid(1.702 * x), lambda x: _fast_gated_slope(x, 1.702 * x, 1.702),
        slope_zeros=(mp.mpf("-0.7511542554412889512980956163472268833369"),),
    ),
    "gelu": Reference(
        lambda x: x * _normal(x), lambda x: _normal(x) + x * mp.npdf(x),
        lambda x: x * ndtr(x), lambda x: ndtr(x) + x * _fast_density(x),
        slope_zeros=(mp.mpf("-0.7517915246935644574579049467795240396645"),),
    ),
    "gelu_tanh": Reference(
        lambda x: x * _sigmoid(_gelu_u(x)), lambda x: _gated_slope(x, _gelu_u(x), _gelu_du(x)),
        lambda x: x * _fast_sigmoid(_fast_gelu_u(x)),
        lambda x: _fast_gated_slope(x, _fast_gelu_u(x), _fast_gelu_du(x)),
        slope_zeros=(mp.mpf("-0.7524614220710162584879544432889160906054"),),
    ),
    "mish": Reference(
        lambda x: x * mp.tanh(_softplus(x)),
        lambda x: mp.tanh(_softplus(x)) + x * mp.sech(_softplus(x)) ** 2 * _sigmoid(x),
        _fast_mish, _fast_mish_slope,
        slope_zeros=(mp.mpf("-1.192431214515495212137588340420739405601"),),
    ),
    "telu": Reference(
        lambda x: x * mp.tanh(_telu_e(x)),
        lambda x: mp.tanh(_telu_e(x)) + x * _telu_e(x) * mp.sech(_telu_e(x)) ** 2,
        lambda x: x * np.tanh(_fast_telu_e(x)), _fast_telu_slope,
        slope_zeros=(mp.mpf("-1.078860058464624056650667370172077476073"),),
    ),
    "serf": Reference(
        lambda x: x * mp.erf(_softplus(x)),
        lambda x: mp.erf(_softplus(x)) + x * _erf_slope(_softplus(x)) * _sigmoid(x),
        lambda x: x * erf(_fast_softplus(x)), _fast_serf_slope,
        slope_zeros=(mp.mpf("-1.193059968928187966183286327136999079397"),),
    ),
    "snake": Reference(
        _snake, _snake_slope,
        lambda x, a: x + np.square(np.sin(a * x)) / a if a else x, _fast_snake_slope,
        parameters=((0.0,), (-1.5,), (1e-3,), (3.0,)),
        slope_zeros=(-5 * mp.pi / 4, -mp.pi / 4, 3 * mp.pi / 4),
        parameter_slopes={"alpha": _snake_alpha},
    ),
}  # fmt: skip

#: What fastact's introduction prints, to three decimals.
FIGURES = {
    "sigmoid": [0.119, 0.269, 0.5, 0.731, 0.881],
    "tanh": [-0.964, -0.762, 0, 0.762, 0.964],
    "relu": [0, 0, 0, 1, 2],
    "leaky_relu": [-0.02, -0.01, 0, 1, 2],
    "elu": [-0.865, -0.632, 0, 1, 2],
    "swish": [-0.238, -0.269, 0, 0.731, 1.762],
}
