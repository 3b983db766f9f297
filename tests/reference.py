"""What every activation must compute, written without looking at fastact, and how far a result is from it.

`REFERENCES` holds, by name, the value and the slope twice: in mpmath (exact) and in float64 with SciPy (fast, for
millions of float32 points; test_accuracy.py checks it against mpmath). Only tests import this file. To add an
activation, add its entry; a function without one fails test_accuracy.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import mpmath
import numpy as np
from scipy.special import expit, ndtr

mp = mpmath.mp.clone()
mp.prec = 160

Array = np.ndarray[Any, np.dtype[Any]]
Function = Callable[..., Any]


class Reference(NamedTuple):
    """Functions of (x, *parameters), and what else a test of the activation needs to know."""

    value: Function
    slope: Function
    fast_value: Function
    fast_slope: Function
    #: parameter values to test besides the defaults
    parameters: tuple[tuple[float], ...] = ()
    #: Where the slope is 0 between larger values, for parameters of 1.
    slope_zeros: tuple[float, ...] = ()


#: Zero, negative, tiny and large.
SLOPES = ((0.0,), (-0.5,), (1e-30,), (3.0,))


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + mp.exp(-x))


def _normal(x: Any) -> Any:
    """The normal distribution function; where mpmath would need numbers of 2**60 digits, one below all floats."""
    return mp.ncdf(x) if x > -(10**9) else mp.ldexp(1, -(10**6))


def _gelu_u(x: Any) -> Any:
    """Twice the argument of the tanh in gelu's tanh form."""
    return 2 * mp.sqrt(2 / mp.pi) * (x + mp.mpf("0.044715") * x**3)


def _gelu_du(x: Any) -> Any:
    return 2 * mp.sqrt(2 / mp.pi) * (1 + 3 * mp.mpf("0.044715") * x**2)


def _fast_gelu_u(x: Array) -> Array:
    return 2 * np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)


def _fast_gelu_du(x: Array) -> Array:
    return 2 * np.sqrt(2 / np.pi) * (1 + 0.134145 * x**2)


def _fast_gated(x: Array, inner: Array, gate: Array) -> Array:
    """x * inner * gate, 0 where the gate is 0, however large the rest."""
    return np.where(gate == 0, 0, x * np.where(gate == 0, 1, inner) * gate)


def _fast_sech2(x: Array) -> Array:
    return 4 * expit(2 * x) * expit(-2 * x)


def _softplus(x: Array) -> Array:
    return np.logaddexp(0, x)


REFERENCES = {
    "identity": Reference(lambda x: x, lambda x: mp.one, lambda x: x, np.ones_like),
    "relu": Reference(
        lambda x: max(x, 0), lambda x: mp.mpf(x > 0),
        lambda x: np.maximum(x, 0), lambda x: np.where(x > 0, 1.0, 0.0),
    ),
    "leaky_relu": Reference(
        lambda x, a: x if x >= 0 else a * x, lambda x, a: mp.one if x > 0 else a,
        lambda x, a: np.where(x >= 0, x, a * x), lambda x, a: np.where(x > 0, 1.0, a),
        parameters=SLOPES,
    ),
    "elu": Reference(
        lambda x, a: x if x > 0 else a * mp.expm1(x), lambda x, a: mp.one if x > 0 else a * mp.exp(x),
        lambda x, a: np.where(x > 0, x, a * np.expm1(np.minimum(x, 0))),
        lambda x, a: np.where(x > 0, 1.0, a * np.exp(np.minimum(x, 0))),
        parameters=SLOPES,
    ),
    "sigmoid": Reference(
        _sigmoid, lambda x: _sigmoid(x) * _sigmoid(-x), expit, lambda x: expit(x) * expit(-x)
    ),
    "tanh": Reference(
        mp.tanh, lambda x: mp.sech(x) ** 2, np.tanh, _fast_sech2
    ),
    "silu": Reference(
        lambda x: x * _sigmoid(x), lambda x: _sigmoid(x) * (1 + x * _sigmoid(-x)),
        lambda x: x * expit(x), lambda x: expit(x) * (1 + x * expit(-x)),
        slope_zeros=(-1.2784645,),
    ),
    "swish": Reference(
        lambda x, b: x * _sigmoid(b * x), lambda x, b: _sigmoid(b * x) * (1 + b * x * _sigmoid(-b * x)),
        lambda x, b: x * expit(b * x), lambda x, b: expit(b * x) * (1 + b * x * expit(-b * x)),
        parameters=((0.0,), (-1.5,), (1e-3,), (3.0,)),
        slope_zeros=(-1.2784645,),
    ),
    "gelu": Reference(
        lambda x: x * _normal(x), lambda x: _normal(x) + x * mp.npdf(x),
        lambda x: x * ndtr(x), lambda x: ndtr(x) + _fast_gated(x, 1 / np.sqrt(2 * np.pi), np.exp(-x * x / 2)),
        slope_zeros=(-0.7517916,),
    ),
    "gelu_tanh": Reference(
        lambda x: x * _sigmoid(_gelu_u(x)),
        lambda x: _sigmoid(_gelu_u(x)) * (1 + x * _gelu_du(x) * _sigmoid(-_gelu_u(x))),
        lambda x: x * expit(_fast_gelu_u(x)),
        lambda x: expit(_fast_gelu_u(x)) * (1 + _fast_gated(x, _fast_gelu_du(x), expit(-_fast_gelu_u(x)))),
        slope_zeros=(-0.7524614,),
    ),
    "mish": Reference(
        lambda x: x * mp.tanh(mp.log1p(mp.exp(x))),
        lambda x: mp.tanh(mp.log1p(mp.exp(x))) + x * mp.sech(mp.log1p(mp.exp(x))) ** 2 * _sigmoid(x),
        lambda x: x * np.tanh(_softplus(x)),
        lambda x: np.tanh(_softplus(x)) + _fast_gated(x, expit(x), _fast_sech2(_softplus(x))),
        slope_zeros=(-1.1924357,),
    ),
    "softplus": Reference(
        lambda x, b: mp.log1p(mp.exp(b * x)) / b, lambda x, b: _sigmoid(b * x),
        lambda x, b: _softplus(b * x) / b, lambda x, b: expit(b * x),
        parameters=((-1.5,), (1e-3,), (3.0,)),
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
