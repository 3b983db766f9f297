"""Slopes of a function from its values alone: from the left and from the right, which differ at a kink.

The value at the point itself is never used, so that a function that jumps there has a slope on either side too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Slopes", "kinks", "slopes", "slopes_in_many_digits"]

Floats = NDArray[np.float64]
#: The values of a function, for what is added to each of its arguments.
Shifted = Callable[[Floats], Floats]


class Slopes(NamedTuple):
    """Slopes from both sides."""

    left: Floats
    right: Floats


def _weights(count: int) -> Floats:
    """The derivative at 0 of the polynomial through values at 1 ... count: what it multiplies them with."""
    powers = np.arange(1.0, count + 1) ** np.arange(count)[:, np.newaxis]
    return np.asarray(np.linalg.solve(powers, np.eye(count)[1]))


#: Steps, relative to x, and how many values to use: each goes nearer, with more noise.
_STAGES = ((2.0**-7, 7), (2.0**-12, 5), (2.0**-19, 3))


def slopes(value: Shifted, x: Floats) -> Slopes:
    """Slopes by Richardson's extrapolation of float64 values, with those steps for which both sides agree best."""
    size = np.maximum(1.0, np.abs(x))
    left: list[Floats] = []
    right: list[Floats] = []
    with np.errstate(all="ignore"):
        for step, count in _STAGES:
            h, weights = step * size, _weights(count)
            for sign, side in ((-1, left), (1, right)):
                values = (w * value(sign * k * h) for k, w in enumerate(weights, 1))
                side.append(np.asarray(sum(values) / (sign * h)))
        apart = np.abs(np.subtract(left, right))
    best = np.where(np.isnan(apart), np.inf, apart).argmin(axis=0)[np.newaxis]
    return Slopes(*(np.take_along_axis(np.stack(side), best, axis=0)[0] for side in (left, right)))


def slopes_in_many_digits(value: Callable[..., Any], numbers: list[list[float]], by: int) -> Slopes:
    """Slopes of a function of mpmath numbers, by one of its arguments, at each list of arguments."""
    import mpmath

    weights = (-2.5, 4.0, -1.5)
    found = []
    with mpmath.workprec(400):
        for point in numbers:
            h = mpmath.ldexp(max(1.0, abs(point[by])), -40)
            sides = []
            for sign in (-1, 1):
                values = (value(*point[:by], point[by] + sign * k * h, *point[by + 1 :]) for k in (1, 2, 3))
                sides.append(float(sum(w * v for w, v in zip(weights, values, strict=True)) / (sign * h)))
            found.append(sides)
    left, right = np.array(found).reshape(-1, 2).T
    return Slopes(left, right)


def kinks(function: Callable[[Floats], Floats], grid: Floats) -> Floats:
    """Where the slope of a function jumps, or the function itself, between the numbers of a grid; to 8 digits.

    Each cell is halved: where a function is smooth its slope then changes half as much, at a kink as much as before.
    What is left of a cell is a point where the lines from both sides meet, or where the function jumps.
    """

    def step(x: Floats) -> Floats:
        return np.asarray(2.0**-22 * np.maximum(1.0, np.abs(x)))

    def slope(x: Floats) -> Floats:
        return np.asarray((function(x + step(x)) - function(x - step(x))) / (2 * step(x)))

    low, high = grid[:-1], grid[1:]
    with np.errstate(all="ignore"):
        at_low, at_high = slope(low), slope(high)
        rise, steepest = np.abs(function(high) - function(low)), np.maximum(np.abs(at_low), np.abs(at_high))
        jumping = rise > 3 * (high - low) * steepest + 1e-3
        jumps = _jumps(function, low[jumping], high[jumping])
        first = np.abs(at_high - at_low)
        alive = first > 1e-3 * (1 + np.minimum(np.abs(at_low), np.abs(at_high)))
        for halving in range(1, 17):
            low, high, at_low, at_high, first = (each[alive] for each in (low, high, at_low, at_high, first))
            low, high, at_low, at_high = _halved(slope, low, high, at_low, at_high)
            alive = np.abs(at_high - at_low) > first * 0.75**halving
        low, high = low[alive], high[alive]
        low, high = low - 8 * step(low), high + 8 * step(high)  # where slopes do not see the kink
        at_low, at_high = slope(low), slope(high)
        met = low + (function(high) - function(low) - at_high * (high - low)) / (at_low - at_high)
        found = np.where((met >= low) & (met <= high), met, _jumps(function, low, high))
    return np.unique([float(f"{each:.8g}") for each in (*found, *jumps)])


def _jumps(function: Callable[[Floats], Floats], low: Floats, high: Floats) -> Floats:
    """Where a function jumps in each cell, by halving it."""
    at_low, at_high = function(low), function(high)
    for _ in range(40):
        low, high, at_low, at_high = _halved(function, low, high, at_low, at_high)
    return high


def _halved(
    function: Callable[[Floats], Floats], low: Floats, high: Floats, at_low: Floats, at_high: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """The half of each cell in which the function changes more, and its values at the ends."""
    middle = (low + high) / 2
    at_middle = function(middle)
    lower = np.abs(at_middle - at_low) > np.abs(at_high - at_middle)
    low, at_low = np.where(lower, low, middle), np.where(lower, at_low, at_middle)
    return low, np.where(lower, middle, high), at_low, np.where(lower, at_middle, at_high)
