"""Gates: x times something between 0 and 1 that an exponential makes (silu, gelu's tanh form, mish), and slopes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastact._primitives import (
    compiled,
    constant,
    fma,
    like,
    magnitude,
    power_of_two,
    times_power,
    where,
)
from fastact._scalar_math.exponential import (
    EXP_LOWEST,
    decay,
    sigmoid_parts,
    tiny_power,
)
from fastact._scalar_math.pairs import (
    bounded,
    clamp,
    exact_product,
    exact_sum,
    less_tail,
    ordered_sum,
    pair_product,
    quotient,
    scalar,
    scale,
    unbiased,
)

#: More than x times the derivative of the argument in any gate, where the gate is not 0; and 0 times e**EXP_LOWEST.
_STEEPEST = constant(400.0, 2400.0)
#: 2 * sqrt(2 / pi), and that times 0.044715, each with its low part.
_GELU_LINEAR = constant(1.5957691669464111, 1.5957691216057308)
_GELU_LINEAR_LOW = constant(-4.534068054340423e-08, -9.96930880911092e-17)
_GELU_CUBIC = constant(0.07135481387376785, 0.07135481627260025)
_GELU_CUBIC_LOW = constant(2.3988324659995897e-09, -6.175149918155315e-19)


def _product_scalar(a, b):
    return exact_product(a, b)


@compiled(_product_scalar)
def product(a: Any, b: Any) -> tuple[Any, Any]:
    """a * b, and what rounding took from it."""
    return a * b, np.zeros_like(a * b)


def _silu_scalar(x):
    # max(x, 0) - b / (1 + e**b) with b = |x|
    b = bounded(x, -EXP_LOWEST(x))
    q, error, _, k = sigmoid_parts(-b, like(0.0, x))
    q = times_power(q, k)
    return less_tail(x, fma(b, q, b * (error * q)))


@compiled(_silu_scalar)
def silu(x: Any) -> Any:
    """x / (1 + e**-x)."""
    return x / (1 + np.exp(-x))


def _gate_slope_scalar(x, x_low, g, g_low):
    small = magnitude(g) < -EXP_LOWEST(x)
    g_low, x_low = where(small, g_low, like(0.0, x)), where(small, x_low, like(0.0, x))
    negative = g < like(0.0, x)
    b, b_low = bounded(g, -EXP_LOWEST(x)), where(negative, -g_low, g_low)
    a, a_low = bounded(x, _STEEPEST(x)), where(negative, -x_low, x_low)
    p, p_low, k = decay(b, b_low)
    power = tiny_power(k)
    z, z_low = p * power, p_low * power
    d, d_low = ordered_sum(like(1.0, x), z)
    d_low = d_low + z_low
    q, q_low = quotient(like(1.0, x), like(0.0, x), d, d_low)
    q, q_low = pair_product(q, q_low, q, q_low)
    # g < 0: z * (1 + z - a) / (1 + z)**2; else (1 + z + a * z) / (1 + z)**2
    n, n_low = exact_sum(like(1.0, x), -a)
    n, more = exact_sum(n, z)
    n_low = n_low + (more + (z_low - a_low))
    m, m_low = pair_product(z, z_low, a, a_low)
    m, more = exact_sum(d, m)
    m_low = m_low + (more + d_low)
    slope, slope_low = pair_product(q, q_low, where(negative, n, m), where(negative, n_low, m_low))
    tail, tail_low = pair_product(slope, slope_low, p, p_low)
    return where(negative, scale(tail + tail_low, unbiased(k)), slope + slope_low)


@compiled(_gate_slope_scalar)
def gate_slope(x: Any, x_low: Any, g: Any, g_low: Any) -> Any:
    """s + x * s * (1 - s) with s = 1 / (1 + e**-g): the derivative of x * s where x is x times the derivative of g."""
    s = 1 / (1 + np.exp(-g))
    return s + np.clip(x, -1e4, 1e4) * (s * (1 - s))


@scalar
def _tanh_gelu_cubic(x, factor):
    """2 * sqrt(2 / pi) * (x + factor * 0.044715 * x**3) as high and low part."""
    square, square_low = exact_product(x, x)
    term, term_low = exact_product(square, _GELU_CUBIC(x))
    term_low = term_low + fma(square_low, _GELU_CUBIC(x), square * _GELU_CUBIC_LOW(x))
    term, more = exact_product(term, factor)
    inner, inner_low = exact_sum(_GELU_LINEAR(x), term)
    inner_low = inner_low + (fma(term_low, factor, more) + _GELU_LINEAR_LOW(x))
    high, low = exact_product(x, inner)
    return high, fma(x, inner_low, low)


def _tanh_gelu_argument_scalar(x):
    return _tanh_gelu_cubic(clamp(x, like(-1e3, x), like(1e3, x)), like(1.0, x))


@compiled(_tanh_gelu_argument_scalar)
def tanh_gelu_argument(x: Any) -> tuple[Any, Any]:
    """2 * sqrt(2 / pi) * (x + 0.044715 * x**3), and its low part; x within 1,000."""
    x = np.clip(x, -1e3, 1e3)
    return 2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3), np.zeros_like(x)


def _tanh_gelu_steepness_scalar(x):
    return _tanh_gelu_cubic(clamp(x, like(-1e3, x), like(1e3, x)), like(3.0, x))


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
    b = bounded(x, -EXP_LOWEST(x))
    p, p_low, k = decay(b, like(0.0, x))
    power = tiny_power(k)
    z, z_low = p * power, p_low * power
    plus, plus_low = ordered_sum(like(2.0, x), where(negative, z, z + z))
    plus_low = plus_low + where(negative, z_low, z_low + z_low)
    m, m_low = pair_product(z, z_low, plus, plus_low)
    d, d_low = exact_sum(where(negative, like(2.0, x), like(1.0, x)), m)
    return b, p, p_low, z, z_low, plus, plus_low, d, d_low + m_low, k


def _mish_scalar(x):
    # x < 0: -b * z * (2 + z) / d; else x - b * z * 2z / d
    negative = x < like(0.0, x)
    b, p, p_low, z, z_low, plus, plus_low, d, d_low, k = _mish_parts(x)
    q, q_low = quotient(where(negative, plus, z + z), where(negative, plus_low, z_low + z_low), d, d_low)
    q, q_low = pair_product(q, q_low, p, p_low)
    return less_tail(x, fma(b, q, b * q_low) * power_of_two(k))


@compiled(_mish_scalar)
def mish(x: Any) -> Any:
    """x * tanh(log(1 + e**x))."""
    return x * np.tanh(np.logaddexp(0, x))


def _mish_slope_scalar(x):
    # x < 0: z * (2 + z - 4b * (1 + z) / d) / d; else (1 + 2z + 4b * z**2 * (1 + z) / d) / d
    negative = x < like(0.0, x)
    b, p, p_low, z, z_low, plus, plus_low, d, d_low, k = _mish_parts(x)
    one, one_low = ordered_sum(like(1.0, x), z)
    term, term_low = pair_product(one, one_low + z_low, like(4.0, x) * b, like(0.0, x))
    square, square_low = pair_product(z, z_low, z, z_low)
    other, other_low = pair_product(term, term_low, square, square_low)
    term, term_low = quotient(where(negative, -term, other), where(negative, -term_low, other_low), d, d_low)
    n, n_low = exact_sum(where(negative, plus, plus - like(1.0, x)), term)
    slope, slope_low = quotient(n, n_low + (plus_low + term_low), d, d_low)
    tail, tail_low = pair_product(slope, slope_low, p, p_low)
    return where(negative, scale(tail + tail_low, unbiased(k)), slope + slope_low)


@compiled(_mish_slope_scalar)
def mish_slope(x: Any) -> Any:
    """The derivative of x * tanh(log(1 + e**x))."""
    t = np.tanh(np.logaddexp(0, x))
    return t + np.clip(x, -1e4, 1e4) * (1 - t * t) / (1 + np.exp(-x))
