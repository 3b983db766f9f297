"""The tables of the normal distribution and of gelu: fastact/_kernels/scalar/normal.py."""

from __future__ import annotations

from collections.abc import Iterator

import mpmath
import numpy as np
from entries import Entry, constants, high_and_low, polynomial
from mpmath import mpf
from remez import Function, almost_exact, rounded_in_turn

NORMAL_DENSITY = 1 / mpmath.sqrt(2 * mpmath.pi)


def normal_tail(b: mpf) -> mpf:
    """Phi(-b)."""
    return mpmath.erfc(b / mpmath.sqrt(2)) / 2


def gelu_slope(b: mpf) -> mpf:
    """The derivative of gelu at -b, Phi(-b) - b phi(b)."""
    return normal_tail(b) - b * NORMAL_DENSITY * mpmath.exp(-b * b / 2)


def ndtr_excess(w: mpf) -> mpf:
    """((Phi(b) - 1 / 2) / b - phi(0)) / b**2 with w = b**2."""
    b = mpmath.sqrt(w)
    return ((mpf(1) / 2 - normal_tail(b)) / b - NORMAL_DENSITY) / w if w > mpf(10) ** -25 else -NORMAL_DENSITY / 6


def divided(f: Function, anchor: mpf, step: Function, weight: Function) -> tuple[Function, Function]:
    """(f(b) - anchor) / y in y, where b = step(y) and f(step(0)) is all but the anchor; and the error's weight."""
    tiny = mpf(10) ** -20

    def g(y: mpf) -> mpf:
        y = y if abs(y) > tiny else tiny
        return (f(step(y)) - anchor) / y

    return g, lambda y: max(abs(y), tiny) * weight(step(y))


def normal_far(
    name: str, f: Function, size: Function, near: mpf, end: mpf, centre: float, pole: mpf, degree: int, dtype: type,
    bits: int, turns: int,
) -> Iterator[Entry]:  # fmt: skip
    """The table of f less its anchor in (b - centre) / (b + pole), by it, for b from near to end."""
    point, anchor = almost_exact(f, centre, dtype, bits)

    def variable(b: mpf) -> mpf:
        return (b - point) / (b + pole)

    g, weight = divided(f, anchor, lambda y: (point + pole * y) / (1 - y), lambda b: 1 / abs(size(b)))
    yield constants(f"{name}_CENTRE {name}_ANCHOR", dtype, point, anchor)
    yield polynomial(name, rounded_in_turn(g, variable(near), variable(end), degree, dtype, weight, (), turns), dtype)


def tables() -> Iterator[Entry]:
    edge, slope_edge = mpf("0.90625"), mpf(1)
    zero = mpmath.findroot(gelu_slope, mpf("0.75"))
    yield from high_and_low("_ZERO", zero)
    # dtype, 2 * log(2) as used, turns, bits; degree of _EXP; of the near row of _TAIL and its centre; pole, degree,
    # centre and end of the far one; degree of _NDTR; of the near row of _SLOPE; pole, degree and end of the far one
    for dtype, places, turns, bits, exp, near, far, ndtr, near_slope, far_slope in (
        (np.float32, 20, 99, 20, 4, (7, 0.46), ("2.96875", 7, 1.78, "14.45"), 4, 7, ("3.5", 7, "19.8")),
        (np.float64, 51, 6, 40, 9, (13, 0.46), ("4", 19, 2.3, "39.3"), 10, 15, ("6", 17, "54.1")),
    ):
        twice_ln2 = mpmath.nint(2 * mpmath.log(2) * 2**places) / 2**places
        ratio = 2 * mpmath.log(2) / twice_ln2
        yield constants("_TWICE_LN2 _HALF_LOST", dtype, twice_ln2, (ratio - 1) / 2)

        def exponential_doubled(r: mpf, ratio: mpf = ratio) -> mpf:
            return (2 * mpmath.expm1(ratio * r / 2) - r) / r**2 if abs(r) > mpf(10) ** -25 else mpf(1) / 4

        reach = twice_ln2 / 2 * mpf("1.001")
        relative = lambda r: r * r / (2 * mpmath.exp(r / 2))  # noqa: E731
        table = rounded_in_turn(
            exponential_doubled, -reach, reach * mpf("1.01"), exp, dtype, relative, (mpf(1) / 4,), turns
        )
        yield polynomial("_EXP of normal.py", table, dtype)

        point, anchor = almost_exact(normal_tail, near[1], dtype, bits)
        yield constants("_NEAR_CENTRE _TAIL_ANCHOR", dtype, point, anchor)
        g, weight = divided(normal_tail, anchor, lambda y, c=point: c - y, lambda b: 1 / normal_tail(b))
        table = rounded_in_turn(g, point - edge, point, near[0], dtype, weight, (), turns)
        yield polynomial("_TAIL, near row", table, dtype)

        without = lambda b, ratio=ratio: mpmath.exp(ratio * b * b / 2)  # noqa: E731
        tail = lambda b, without=without: b * normal_tail(b) * without(b)  # noqa: E731
        pole, degree, centre, end = far
        yield from normal_far("_FAR", tail, tail, edge, mpf(end), centre, mpf(pole), degree, dtype, bits, turns)

        weight = lambda w: w ** mpf("1.5") / normal_tail(mpmath.sqrt(w))  # noqa: E731
        table = rounded_in_turn(ndtr_excess, edge**2 / 2**10, edge**2, ndtr, dtype, weight, (), turns)
        yield polynomial("_NDTR_SECOND, _NDTR", table, dtype)

        from_zero = lambda b: (1 + 3 * abs(b - zero)) / abs(gelu_slope(b))  # noqa: E731
        g, weight = divided(gelu_slope, mpf(0), lambda d: zero + d, from_zero)
        table = rounded_in_turn(g, -zero, slope_edge - zero, near_slope, dtype, weight, (), turns)
        yield polynomial("_SLOPE, near row", table, dtype)

        steep = lambda b, without=without: gelu_slope(b) * without(b)  # noqa: E731
        line = mpf(float(dtype(float(NORMAL_DENSITY))))
        rest = lambda b, steep=steep, line=line: steep(b) + line * b  # noqa: E731
        pole, degree, end = far_slope
        yield from normal_far(
            "_SLOPE, far row", rest, steep, slope_edge, mpf(end), 1.5, mpf(pole), degree, dtype, bits, turns
        )
