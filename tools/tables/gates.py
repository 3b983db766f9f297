"""The constants of silu, quick_gelu, gelu_tanh, mish and telu: fastact/_kernels/scalar/gates.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import mpmath
import numpy as np
from entries import Entry, constants, high_and_low, polynomial
from mpmath import mpf
from remez import Function, almost_exact, remez


def telu_bend(root: mpf, square: mpf) -> Function:
    """(sinh(s) / s - root) / (s**2 - square) in s**2, where sinh(s) / s is root at s**2 = square."""
    ratio = lambda v: mpmath.sinh(mpmath.sqrt(v)) / mpmath.sqrt(v) if v > mpf(2) ** -100 else 1 + v / 6  # noqa: E731
    tiny = mpf(10) ** -15

    def f(v: mpf) -> mpf:
        if abs(v - square) < tiny:
            return (ratio(square + tiny) - ratio(square - tiny)) / (2 * tiny)
        return (ratio(v) - root) / (v - square)

    return f


def decay_tables(
    name: str, factor: mpf, argument: mpf, bits: tuple[int, int], reach: int = 4,
    less: tuple[Any, Any] = (0, 0), steps: tuple[int, int] = (0, 0),
) -> Iterator[Entry]:  # fmt: skip
    """What makes e**-argument at the root of a slope: 1 / 4 of the decay, e**(factor * (offset - less)).

    The offset is so many steps from the nearest one, of those in reach from there the one with the least low part.
    """
    near = (2 * mpmath.log(2) - argument) / factor
    for dtype, places, taken, step in zip((np.float32, np.float64), bits, less, steps, strict=True):
        f = lambda y, taken=taken: mpmath.exp(factor * (y - taken))  # noqa: E731
        offset, decay = almost_exact(f, float(near + taken) + step / 2**places, dtype, places, reach)
        names = f"{name}_OFFSET {name}_DECAY {name}_DECAY_LOW"
        yield constants(names, dtype, offset, decay, f(offset) / decay - 1)


def gelu_steepness(dtype: type, steep: mpf, third: mpf, square: mpf, places: int, root: mpf) -> Iterator[Entry]:
    """_LESS_SQUARE, so that t = b**2 + square - less is b**2 + third but for a low part, and what makes
    steep * (b**2 + third) of it: _STEEP * t + (_STEEP_LOW * t + _THIRD_LOW), the second term all but 0 at the root.
    _STEEP_ITSELF is for the low part of t.
    """
    less = mpmath.nint((square - third) * 2**places) / 2**places
    low, t = third - (square - less), root * root + square - less
    high = mpf(float(dtype(float(steep * (1 + low / t)))))
    first = dtype(float(steep - high))
    best = None
    for step in range(-2000, 2001):
        slope = mpf(float(first + dtype(step) * np.spacing(first)))
        exact = steep * low + (steep - high - slope) * t
        constant = mpf(float(dtype(float(exact))))
        best = min(best or (mpf(1), slope, constant), (abs(constant - exact), slope, constant))
    _, slope, constant = best
    yield constants("_STEEP_ITSELF", dtype, steep)
    yield constants("_LESS_SQUARE _STEEP", dtype, less, high)
    yield constants("_STEEP_LOW _THIRD_LOW", dtype, slope, constant)


def tables() -> Iterator[Entry]:
    """The roots of slopes, and what is taken there."""
    root = mpmath.findroot(lambda b: 1 + mpmath.exp(-b) - b, mpf("1.28"))
    yield from high_and_low("_SILU_ROOT", root)
    yield from decay_tables("_SILU", mpf(1), root, (24, 53))
    quick = mpf("1.702")
    yield from high_and_low("_QUICK", quick)
    yield from high_and_low("_QUICK_LOG2_E", quick / mpmath.log(2))
    yield from high_and_low("_QUICK_LN2", mpmath.log(2) / quick)
    square = 1 / mpf("0.044715")
    cube = 2 * mpmath.sqrt(2 / mpmath.pi) / square
    argument, steepness = lambda b: cube * b * (b * b + square), lambda b: cube * b * (3 * b * b + square)
    yield from high_and_low("_CUBE", cube)
    yield from high_and_low("_CUBE_LOG2_E", cube / mpmath.log(2))
    yield from high_and_low("_CUBE_LN2", mpmath.log(2) / cube)
    yield from high_and_low("_SQUARE", square, 16, 40)
    root = mpmath.findroot(lambda b: 1 + mpmath.exp(-argument(b)) - steepness(b), mpf("0.75"))
    yield from high_and_low("_GELU_ROOT", argument(root) / cube)
    less = []
    for dtype, places, more in ((np.float32, 16, 16), (np.float64, 40, 43)):
        high = mpf(round(square * 2**places)) / 2**places
        low = mpf(float(dtype(float(square - high))))
        at_root = mpf(float(dtype(float(root * low))))
        less.append(at_root + root * (square - high - low))
        yield constants("_SQUARE_LOW_AT_ROOT", dtype, at_root)
        yield from gelu_steepness(dtype, 3 * cube, square / 3, high, more, root)
    # by trial: with these offsets the numbers beside the root come out best
    yield from decay_tables("_GELU", cube, argument(root), (19, 48), 0, (less[0], less[1]), (0, -3))
    # slope * (1 + c**2)**2 / y with c = 1 + y, y = e**-b
    root = mpmath.findroot(lambda b: (lambda c: (1 + c) * (1 + c * c) - 4 * b * c)(1 + mpmath.exp(-b)), mpf("1.19"))
    scale = mpmath.exp(root)
    yield from high_and_low("_MISH_ROOT", root)
    yield from high_and_low("_MISH_SCALE", scale)
    yield from high_and_low("_MISH_SQUARE", scale**2, 16, 44)
    yield from high_and_low("_MISH_LINEAR", (2 + 1 / scale) * scale)
    yield from high_and_low("_MISH_OFFSET", scale**2 / (1 + 1 / scale))
    yield from high_and_low("_MISH_STEEPNESS", 4 * scale**2)
    root = mpmath.findroot(lambda b: mpmath.sinh(2 * mpmath.exp(-b)) / (2 * mpmath.exp(-b)) - b, mpf("1.08"))
    s = 2 * mpmath.exp(-root)
    yield from high_and_low("_TELU_ROOT", root)
    yield from high_and_low("_TELU_S", s)
    yield from high_and_low("_TELU_SQUARE", s * s)
    bend = telu_bend(root, s * s)
    for degree, dtype in ((4, np.float32), (7, np.float64)):
        yield polynomial("_TELU", remez(bend, mpf(0), mpf("4.0001"), degree, lambda v: 1 / bend(v)), dtype)
