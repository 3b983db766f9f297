"""What every activation must compute, twice: exactly, by mpmath; and fast, in float64, for millions of numbers.

Both come from the definitions in fastact/measure/verification/definitions.py, which are written without the library's
own formulas. test_accuracy.py checks the fast results against the exact ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from fastact.measure.verification import definitions
from fastact.measure.verification.definitions import DEFINITIONS, Definition

mp = definitions.mp()

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
    #: Tuples of parameter values to test besides the defaults.
    parameters: tuple[tuple[float, ...], ...]
    #: Where the slope, or the value, is 0 between other values, for the default parameters.
    slope_zeros: tuple[Any, ...]
    value_zeros: tuple[Any, ...]
    #: The derivative with respect to each parameter, in mpmath.
    parameter_slopes: Mapping[str, Function]


class Fast:
    """The functions that definitions are made of, for float64 arrays that hold float32 numbers.

    An exponential is bounded so that its products with any float32 are finite, and those below all float32 count as 0.
    """

    one, pi, tiny = 1.0, np.pi, 0.0
    sqrt, tanh, sin, cos, erf, ncdf = map(staticmethod, (np.sqrt, np.tanh, np.sin, np.cos, special.erf, special.ndtr))
    log1p = staticmethod(np.log1p)

    @staticmethod
    def exp(x: Array) -> Array:
        return np.exp(np.clip(x, -700, 700))

    @staticmethod
    def expm1(x: Array) -> Array:
        return np.expm1(np.clip(x, -700, 700))

    @staticmethod
    def tanhshrink(x: Array) -> Array:
        """The series, where the terms cancel."""
        s = np.square(np.clip(x, -0.04, 0.04))
        series = x * s * (1 / 3 - s * (2 / 15 - s * (17 / 315 - s * (62 / 2835))))
        return np.where(np.abs(x) < 0.04, series, x - np.tanh(x))


def fast(definition: Definition, by: str | None, x: Array, *parameters: float) -> Array:
    """The value in float64, or the slope by x."""
    found = definition.at(Fast, by, x, *parameters)
    result = found.value if by is None else found.slope
    return np.broadcast_to(0.0 if result is None else result, x.shape)


def star_relu(x: Array, scale: float, bias: float) -> Array:
    """The square is split so that the sum is exact where it cancels."""
    square = np.square(np.maximum(x, 0))
    high = square * (2.0**27 + 1) - (square * (2.0**27 + 1) - square)
    return (scale * high + bias) + scale * (square - high)


def snake_slope(x: Array, alpha: float) -> Array:
    """1 + sin(2 y) = (sin(y) + cos(y))**2, the latter where the former cancels."""
    slope = 1 + np.sin(2 * alpha * x)
    near = slope < 1e-5
    y = (alpha * x[near]).astype(np.longdouble)
    slope[near] = np.square(np.sin(y) + np.cos(y))
    return slope


#: The fast functions of those whose definition float64 is not exact enough for.
CLOSER: dict[tuple[str, str | None], Function] = {("star_relu", None): star_relu, ("snake", "x"): snake_slope}


def reference(name: str, definition: Definition) -> Reference:
    value, slope = (CLOSER.get((name, by), partial(fast, definition, by)) for by in (None, "x"))
    return Reference(
        partial(definition.exactly, None),
        partial(definition.exactly, "x"),
        value,
        slope,
        definition.parameters,
        tuple(map(mp.mpf, definition.slope_zeros)),
        tuple(map(mp.mpf, definition.value_zeros)),
        {each: partial(definition.exactly, each) for each in definition.names[1:]},
    )


REFERENCES = {name: reference(name, definition) for name, definition in DEFINITIONS.items()}

#: What fastact's introduction prints, to three decimals.
FIGURES = {
    "sigmoid": [0.119, 0.269, 0.5, 0.731, 0.881],
    "tanh": [-0.964, -0.762, 0, 0.762, 0.964],
    "relu": [0, 0, 0, 1, 2],
    "leaky_relu": [-0.02, -0.01, 0, 1, 2],
    "elu": [-0.865, -0.632, 0, 1, 2],
    "swish": [-0.238, -0.269, 0, 0.731, 1.762],
}
