"""Computes the polynomial coefficients of fastact/_scalar_math/: Remez's exchange algorithm in 200-bit arithmetic.

Run it to print every table with its error; the tables are pasted, so that the package needs neither mpmath nor time.
    python benchmarks/coefficients.py
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
from mpmath import mpf

mpmath.mp.prec = 200

Function = Callable[[mpf], mpf]


def remez(f: Function, low: mpf, high: mpf, degree: int, weight: Function = lambda x: mpf(1)) -> tuple[list[mpf], mpf]:
    """The polynomial of this degree with the least maximum of |weight * (f - p)| on [low, high], and that maximum."""
    n = degree + 2
    middle, half = (low + high) / 2, (high - low) / 2
    nodes = [middle - half * mpmath.cos(mpmath.pi * i / (n - 1)) for i in range(n)]
    grid = [middle - half * mpmath.cos(mpmath.pi * i / (40 * n)) for i in range(40 * n + 1)]
    values = [(x, f(x), weight(x)) for x in grid]
    for _ in range(40):
        system, right = mpmath.matrix(n, n), mpmath.matrix(n, 1)
        for i, x in enumerate(nodes):
            for j in range(degree + 1):
                system[i, j] = x**j
            system[i, degree + 1] = (-1) ** i / weight(x)
            right[i] = f(x)
        solution = mpmath.lu_solve(system, right)
        coefficients = list(solution)[: degree + 1]
        errors = [w * (y - mpmath.polyval(coefficients[::-1], x)) for x, y, w in values]
        # One extremum for each stretch of equal sign.
        nodes, best = [], 0
        for i in range(1, len(grid) + 1):
            if i == len(grid) or errors[i] * errors[best] < 0:
                nodes.append(grid[best])
                best = i
            elif abs(errors[i]) > abs(errors[best]):
                best = i
        nodes = alternating(nodes, n, {x: abs(e) for (x, _, _), e in zip(values, errors, strict=True)})
        if len(nodes) != n:
            break
        worst = max(abs(e) for e in errors)
        if worst < abs(solution[degree + 1]) * mpf("1.001"):
            break
    return coefficients, max(abs(e) for e in errors)


def alternating(nodes: list[mpf], n: int, size: dict[mpf, mpf]) -> list[mpf]:
    """At most n of these extrema, without the least ones, still of alternating sign."""
    while len(nodes) > n:
        i = min(range(len(nodes)), key=lambda i: size[nodes[i]])
        if i in (0, len(nodes) - 1):
            del nodes[i]
        elif len(nodes) == n + 1:
            del nodes[0 if size[nodes[0]] < size[nodes[-1]] else -1]
        else:  # with the lesser of its neighbours
            i -= size[nodes[i - 1]] < size[nodes[i + 1]]
            del nodes[i : i + 2]
    return nodes


def almost_exact(f: Function, near: float, dtype: type, bits: int, reach: int = 400) -> tuple[mpf, mpf]:
    """A multiple of 2**-bits near `near` at which f is all but a number of the dtype, and that number."""
    points = [mpf(round(near * 2**bits) + i) / 2**bits for i in range(-reach, reach + 1)]
    values = [f(x) for x in points]
    rounded = [mpf(float(dtype(float(y)))) for y in values]
    best = min(range(len(points)), key=lambda i: abs(values[i] - rounded[i]))
    return points[best], rounded[best]


def rounded_in_turn(
    f: Function, low: mpf, high: mpf, degree: int, dtype: type, weight: Function, first: tuple[mpf, ...] = (),
    turns: int = 99, integral: bool = False,
) -> tuple[list[mpf], mpf]:  # fmt: skip
    """The minimax polynomial, the first coefficients as given, the next ones rounded one by one, each time with a new
    fit of those above it, and its error. With integral=True f is fitted, but what is rounded is the integral's
    coefficients from the first power on.
    """
    part = [k + 1 if integral else 1 for k in range(degree + 1)]
    done, tiny = list(first), mpf(10) ** -20

    def value(x: mpf) -> mpf:
        return mpmath.polyval([p * c for p, c in zip(part, done, strict=False)][::-1] or [0], x)

    while len(done) <= degree:
        k = len(done)

        def rest(x: mpf, k: int = k) -> mpf:
            x = x if abs(x) > tiny else tiny
            return (f(x) - value(x)) / x**k

        coefficients, _ = remez(rest, low, high, degree - k, lambda x, k=k: weight(x) * max(abs(x), tiny) ** k)
        several = coefficients[:1] if k < turns else coefficients
        done += [mpf(float(dtype(float(c / p)))) for c, p in zip(several, part[k:], strict=False)]
    grid = [low + (high - low) * i / 1000 for i in range(1001)]
    return done, max(abs(weight(x) * (f(x) - value(x))) for x in grid)


def exponential(r: mpf) -> mpf:
    """(e**r - 1 - r) / r**2."""
    return (mpmath.exp(r) - 1 - r) / r**2 if abs(r) > mpf(2) ** -60 else mpf(1) / 2 + r / 6


def exponential_cubic(r: mpf) -> mpf:
    """(e**r - 1 - r - r**2 / 2) / r**3."""
    return (mpmath.exp(r) - 1 - r - r * r / 2) / r**3 if abs(r) > mpf(2) ** -50 else mpf(1) / 6 + r / 24


def tanh_cubic(w: mpf) -> mpf:
    """(b**3 / (b - tanh(b)) - 3) / b**2 with w = b**2."""
    b = mpmath.sqrt(w)
    return (w / (1 - mpmath.tanh(b) / b) - 3) / w if w > mpf(2) ** -60 else mpf(6) / 5


def softplus_even(w: mpf) -> mpf:
    """(log(1 + e**-b) - log(2) + b / 2) / b**2 with w = b**2."""
    b = mpmath.sqrt(w)
    return (softplus(-b) - mpmath.log(2) + b / 2) / w if w > mpf(2) ** -60 else mpf(1) / 8 - w / 192


def log1p_ratio(z: mpf) -> mpf:
    """log(1 + z) / z."""
    return mpmath.log1p(z) / z if z > mpf(2) ** -60 else 1 - z / 2


def logarithm(w: mpf) -> mpf:
    """(log((1 + s) / (1 - s)) / s - 2) / s**2 with w = s**2."""
    s = mpmath.sqrt(w)
    return (mpmath.log((1 + s) / (1 - s)) / s - 2) / w if w > mpf(2) ** -60 else mpf(2) / 3


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
) -> None:  # fmt: skip
    """Print the table of f less its anchor in (b - centre) / (b + pole), by it, for b from near to end."""
    point, anchor = almost_exact(f, centre, dtype, bits)

    def variable(b: mpf) -> mpf:
        return (b - point) / (b + pole)

    g, weight = divided(f, anchor, lambda y: (point + pole * y) / (1 - y), lambda b: 1 / abs(size(b)))
    print(f"{name}, {dtype.__name__}: centre {float(point)!r}, anchor {float(anchor)!r}")
    show(name, rounded_in_turn(g, variable(near), variable(end), degree, dtype, weight, (), turns), dtype)


def normal_tables() -> None:
    edge, slope_edge = mpf("0.90625"), mpf(1)
    zero = mpmath.findroot(gelu_slope, mpf("0.75"))
    parts("_ZERO", zero)
    # dtype, 2 * log(2) as used, turns, bits; degree of _EXP; of the near row of _TAIL and its centre; pole, degree,
    # centre and end of the far one; degree of _NDTR; of the near row of _SLOPE; pole, degree and end of the far one
    for dtype, places, turns, bits, exp, near, far, ndtr, near_slope, far_slope in (
        (np.float32, 20, 99, 20, 4, (7, 0.46), ("2.96875", 7, 1.78, "14.45"), 4, 7, ("3.5", 7, "19.8")),
        (np.float64, 51, 6, 40, 9, (13, 0.46), ("4", 19, 2.3, "39.3"), 10, 15, ("6", 17, "54.1")),
    ):
        twice_ln2 = mpmath.nint(2 * mpmath.log(2) * 2**places) / 2**places
        ratio = 2 * mpmath.log(2) / twice_ln2
        print(f"_TWICE_LN2, _HALF_LOST, {dtype.__name__}: {float(twice_ln2)!r}, {float(dtype(float(ratio - 1))) / 2!r}")

        def exponential_doubled(r: mpf, ratio: mpf = ratio) -> mpf:
            return (2 * mpmath.expm1(ratio * r / 2) - r) / r**2 if abs(r) > mpf(10) ** -25 else mpf(1) / 4

        reach = twice_ln2 / 2 * mpf("1.001")
        relative = lambda r: r * r / (2 * mpmath.exp(r / 2))  # noqa: E731
        table = rounded_in_turn(
            exponential_doubled, -reach, reach * mpf("1.01"), exp, dtype, relative, (mpf(1) / 4,), turns
        )
        show("_EXP of normal.py", table, dtype)

        point, anchor = almost_exact(normal_tail, near[1], dtype, bits)
        print(f"_NEAR_CENTRE, {dtype.__name__}: {float(point)!r}, anchor {float(anchor)!r}")
        g, weight = divided(normal_tail, anchor, lambda y, c=point: c - y, lambda b: 1 / normal_tail(b))
        table = rounded_in_turn(g, point - edge, point, near[0], dtype, weight, (), turns)
        show("_TAIL, near row", table, dtype)

        without = lambda b, ratio=ratio: mpmath.exp(ratio * b * b / 2)  # noqa: E731
        tail = lambda b, without=without: b * normal_tail(b) * without(b)  # noqa: E731
        pole, degree, centre, end = far
        normal_far("_FAR", tail, tail, edge, mpf(end), centre, mpf(pole), degree, dtype, bits, turns)

        weight = lambda w: w ** mpf("1.5") / normal_tail(mpmath.sqrt(w))  # noqa: E731
        table = rounded_in_turn(ndtr_excess, edge**2 / 2**10, edge**2, ndtr, dtype, weight, (), turns)
        show("_NDTR_SECOND, _NDTR", table, dtype)

        from_zero = lambda b: (1 + 3 * abs(b - zero)) / abs(gelu_slope(b))  # noqa: E731
        g, weight = divided(gelu_slope, mpf(0), lambda d: zero + d, from_zero)
        table = rounded_in_turn(g, -zero, slope_edge - zero, near_slope, dtype, weight, (), turns)
        show("_SLOPE, near row", table, dtype)

        steep = lambda b, without=without: gelu_slope(b) * without(b)  # noqa: E731
        line = mpf(float(dtype(float(NORMAL_DENSITY))))
        rest = lambda b, steep=steep, line=line: steep(b) + line * b  # noqa: E731
        pole, degree, end = far_slope
        normal_far("_SLOPE, far row", rest, steep, slope_edge, mpf(end), 1.5, mpf(pole), degree, dtype, bits, turns)


TWO_OVER_ROOT_PI = 2 / mpmath.sqrt(mpmath.pi)


def error_excess(w: mpf) -> mpf:
    """erf(b) / b - 1 with w = b**2."""
    b = mpmath.sqrt(w)
    return mpmath.erf(b) / b - 1 if w > mpf(2) ** -100 else TWO_OVER_ROOT_PI - 1


def error_root(k: int) -> Function:
    """erfc(b) ** (1 / k)."""
    return lambda b: mpmath.erfc(b) ** (mpf(1) / k)


def softplus(x: mpf) -> mpf:
    return mpmath.log1p(mpmath.exp(x))


def serf_gate_slope(x: mpf) -> mpf:
    """The derivative of erf(log(1 + e**x))."""
    return TWO_OVER_ROOT_PI * mpmath.exp(-(softplus(x) ** 2)) / (1 + mpmath.exp(-x))


def serf_slope(x: mpf) -> mpf:
    return mpmath.erf(softplus(x)) + x * serf_gate_slope(x)


def serf_ratio(z: mpf) -> mpf:
    """erf(log(1 + z)) / z."""
    return mpmath.erf(mpmath.log1p(z)) / z if z > mpf(2) ** -100 else TWO_OVER_ROOT_PI


def serf_ratio_slope(z: mpf) -> mpf:
    h = mpmath.log1p(z)
    if z < mpf(2) ** -60:
        return -TWO_OVER_ROOT_PI / 2
    return (TWO_OVER_ROOT_PI * mpmath.exp(-h * h) / (1 + z) - mpmath.erf(h) / z) / z


def serf_root(x: mpf) -> mpf:
    """The square root of erfc(log(1 + e**x))."""
    return mpmath.sqrt(mpmath.erfc(softplus(x)))


def serf_root_slope(x: mpf) -> mpf:
    return -serf_gate_slope(x) / (2 * serf_root(x))


def exponential_tables() -> None:
    """`_EXP_CUBIC`, `_TANH` and `_LOG1P_EXP`; intervals are not quite symmetric, so that no node is 0."""
    low, high, small = -mpmath.log(2) / 2 * mpf("1.01101"), mpmath.log(2) / 2 * mpf("1.001"), mpf(10) ** -15
    cube = lambda r: abs(r) ** 3 + small**2  # noqa: E731
    show("_EXP_CUBIC", rounded_in_turn(exponential_cubic, low, high, 4, np.float32, cube), np.float32)
    show("_EXP_CUBIC", remez(exponential_cubic, low, high, 9, cube), np.float64)
    for degree, dtype in ((3, np.float32), (7, np.float64)):
        show("_TANH below", remez(tanh_cubic, mpf(0), mpf("0.946") ** 2, degree, lambda w: (w + small) / 3), dtype)
    square = lambda r: r * r + mpf(10) ** -20  # noqa: E731
    show("_TANH above", remez(exponential, -high, high, 9, square), np.float64)
    cut, anchor = mpf("0.8"), mpf("0.90625")
    even = lambda w: (w + small) / softplus(-mpmath.sqrt(w))  # noqa: E731
    ratio = lambda z: log1p_ratio(z) - anchor  # noqa: E731
    inverse = lambda z: 1 / log1p_ratio(z)  # noqa: E731
    start = mpf("0.003")
    rows: Any = (("below", softplus_even, cut**2, 3, 8, even), ("above", ratio, mpmath.exp(-cut), 7, 15, inverse))
    for row, f, end, degree, degree64, weight in rows:
        name = f"_LOG1P_EXP {row}"
        show(name, rounded_in_turn(f, start, end, degree, np.float32, weight), np.float32)
        show(name, remez(f, mpf(0), end, degree64, weight), np.float64)


def error_tables() -> None:
    """`_ERF_CENTRE` and `_ERF`: erf(b) / b - 1 by b**2, then square and eighth root of erfc(b) by b."""
    pieces: Any = (  # dtype, bits of a centre, coefficients rounded in turn; for each row: to where, degree, centre
        (np.float32, 15, 99, (1, 6, 0.495), (mpf("1.5625"), 6, 1.1), (mpf("3.95"), 6, 1.8)),
        (np.float64, 20, 4, (1, 12, 0.5), (mpf("1.75"), 14, 1.3), (mpf("5.95"), 14, 3.0)),
    )
    for dtype, bits, turns, *rows in pieces:
        low = mpf(0)
        for k, (high, degree, near) in zip((1, 2, 8), rows, strict=True):
            f = error_excess if k == 1 else error_root(k)
            centre, first = almost_exact(f, near, dtype, bits)

            def weight(y: mpf, k: int = k, f: Function = f, centre: mpf = centre) -> mpf:
                return 1 / (1 + f(y + centre)) if k == 1 else k * f(y + centre) ** (k - 1)

            print(f"_ERF_CENTRE, {dtype.__name__}: {float(centre)!r}")
            table = rounded_in_turn(
                lambda y, f=f, c=centre: f(y + c), low - centre, high - centre, degree, dtype, weight, (first,), turns
            )
            show("_ERF", table, dtype)
            low = mpf(high)


def serf_tables() -> None:
    """`_SERF_CENTRE`, `_SERF_ANCHOR`, `_SERF_ROWS`: `serf_ratio` for x < 0 and `serf_root`, fitted by their slopes."""
    pieces: Any = (  # dtype, bits of a centre, coefficients rounded in turn, degree; for each row: from, to, centre
        (np.float32, 15, 99, 10, (0, 1, 0.4), (0, mpf("1.6"), 0.1), (mpf("1.6"), mpf("4.4"), 2.0)),
        (np.float64, 20, 3, 23, (0, 1, 0.4), (0, mpf("2.15"), 0.2), (mpf("2.15"), mpf("6.4"), 3.3)),
    )
    for dtype, bits, turns, degree, *rows in pieces:
        for i, (low, high, near) in enumerate(rows):
            f, slope = (serf_root, serf_root_slope) if i else (serf_ratio, serf_ratio_slope)
            centre, anchor = almost_exact(f, near, dtype, bits)

            def weight(y: mpf, i: int = i, centre: mpf = centre) -> mpf:
                x = y + centre
                return 2 * max(x, mpf("0.5")) * serf_root(x) / serf_slope(x) if i else mpf(1)

            print(f"_SERF_CENTRE, _SERF_ANCHOR, {dtype.__name__}: {float(centre)!r}, {float(anchor)!r}")
            table = rounded_in_turn(
                lambda y, f=slope, c=centre: f(y + c), low - centre, high - centre, degree - 1, dtype, weight,
                turns=turns, integral=True,
            )  # fmt: skip
            show("_SERF_ROWS", table, dtype)
    zero = mpmath.findroot(serf_slope, mpf("-1.19306"))
    steepness = mpmath.diff(serf_slope, zero)

    def beside(d: mpf) -> mpf:
        return serf_slope(zero + d) / d if abs(d) > mpf(2) ** -80 else steepness

    for dtype, degree, turns in ((np.float32, 7, 99), (np.float64, 15, 2)):
        for name, number in (("_SERF_BOTTOM", zero), ("_SERF_BEND", steepness)):
            high = float(dtype(float(number)))
            print(f"{name}, {name}_LOW, {dtype.__name__}: {high!r}, {float(dtype(float(number - mpf(high))))!r}")
        table = rounded_in_turn(
            beside, mpf("-0.45"), mpf("0.46"), degree, dtype, lambda d: 1 / beside(d), (steepness,), turns
        )
        show("_SERF_BESIDE, after its first", table, dtype)


def sine_squared(z: mpf) -> mpf:
    """(sin(r)**2 - z) / z**2 with z = r**2."""
    return (mpmath.sin(mpmath.sqrt(z)) ** 2 - z) / z**2 if z > mpf(2) ** -40 else 2 * z / 45 - mpf(1) / 3


def doubled_sine(z: mpf) -> mpf:
    """(sin(2 r) / (2 r) - 1) / z with z = r**2."""
    return (mpmath.sinc(2 * mpmath.sqrt(z)) - 1) / z if z > mpf(2) ** -40 else 2 * z / 15 - mpf(2) / 3


def parts(name: str, number: mpf, *bits: int) -> None:
    """Prints a number and its low part in both dtypes, the former with only so many bits after the point."""
    for dtype, kept in zip((np.float32, np.float64), bits or (None, None), strict=True):
        high = mpf(float(dtype(float(number)))) if kept is None else mpf(round(number * 2**kept)) / 2**kept
        print(f"{name}, {name}_LOW, {dtype.__name__}: {float(high)!r}, {float(dtype(float(number - high)))!r}")


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
) -> None:  # fmt: skip
    """Prints what makes e**-argument at the root of a slope: 1 / 4 of the decay, e**(factor * (offset - less)).

    The offset is so many steps from the nearest one, of those in reach from there the one with the least low part.
    """
    near = (2 * mpmath.log(2) - argument) / factor
    for dtype, places, taken, step in zip((np.float32, np.float64), bits, less, steps, strict=True):
        f = lambda y, taken=taken: mpmath.exp(factor * (y - taken))  # noqa: E731
        offset, decay = almost_exact(f, float(near + taken) + step / 2**places, dtype, places, reach)
        low = float(dtype(float(f(offset) / decay - 1)))
        print(f"{name}_OFFSET, _DECAY, _DECAY_LOW, {dtype.__name__}: {float(offset)!r}, {float(decay)!r}, {low!r}")


def gelu_steepness(dtype: type, steep: mpf, third: mpf, square: mpf, places: int, root: mpf) -> None:
    """Prints _LESS_SQUARE, so that t = b**2 + square - less is b**2 + third but for a low part, and what makes
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
    print(f"_STEEP_ITSELF, {dtype.__name__}: {float(dtype(float(steep)))!r}")
    print(f"_LESS_SQUARE, _STEEP, {dtype.__name__}: {float(less)!r}, {float(high)!r}")
    print(f"_STEEP_LOW, _THIRD_LOW, {dtype.__name__}: {float(slope)!r}, {float(constant)!r}")


def gate_tables() -> None:
    """The constants of silu, quick_gelu, gelu_tanh, mish and telu: roots of their slopes, and what is taken there."""
    root = mpmath.findroot(lambda b: 1 + mpmath.exp(-b) - b, mpf("1.28"))
    parts("_SILU_ROOT", root)
    decay_tables("_SILU", mpf(1), root, (24, 53))
    quick = mpf("1.702")
    parts("_QUICK", quick)
    parts("_QUICK_LOG2_E", quick / mpmath.log(2))
    parts("_QUICK_LN2", mpmath.log(2) / quick)
    square = 1 / mpf("0.044715")
    cube = 2 * mpmath.sqrt(2 / mpmath.pi) / square
    argument, steepness = lambda b: cube * b * (b * b + square), lambda b: cube * b * (3 * b * b + square)
    parts("_CUBE", cube)
    parts("_CUBE_LOG2_E", cube / mpmath.log(2))
    parts("_CUBE_LN2", mpmath.log(2) / cube)
    parts("_SQUARE", square, 16, 40)
    root = mpmath.findroot(lambda b: 1 + mpmath.exp(-argument(b)) - steepness(b), mpf("0.75"))
    parts("_GELU_ROOT", argument(root) / cube)
    less = []
    for dtype, places, more in ((np.float32, 16, 16), (np.float64, 40, 43)):
        high = mpf(round(square * 2**places)) / 2**places
        low = mpf(float(dtype(float(square - high))))
        at_root = mpf(float(dtype(float(root * low))))
        less.append(at_root + root * (square - high - low))
        print(f"_SQUARE_LOW_AT_ROOT, {dtype.__name__}: {float(at_root)!r}")
        gelu_steepness(dtype, 3 * cube, square / 3, high, more, root)
    # by trial: with these offsets the numbers beside the root come out best
    decay_tables("_GELU", cube, argument(root), (19, 48), 0, (less[0], less[1]), (0, -3))
    # slope * (1 + c**2)**2 / y with c = 1 + y, y = e**-b
    root = mpmath.findroot(lambda b: (lambda c: (1 + c) * (1 + c * c) - 4 * b * c)(1 + mpmath.exp(-b)), mpf("1.19"))
    scale = mpmath.exp(root)
    parts("_MISH_ROOT", root)
    parts("_MISH_SCALE", scale)
    parts("_MISH_SQUARE", scale**2, 16, 44)
    parts("_MISH_LINEAR", (2 + 1 / scale) * scale)
    parts("_MISH_OFFSET", scale**2 / (1 + 1 / scale))
    parts("_MISH_STEEPNESS", 4 * scale**2)
    root = mpmath.findroot(lambda b: mpmath.sinh(2 * mpmath.exp(-b)) / (2 * mpmath.exp(-b)) - b, mpf("1.08"))
    s = 2 * mpmath.exp(-root)
    parts("_TELU_ROOT", root)
    parts("_TELU_S", s)
    parts("_TELU_SQUARE", s * s)
    bend = telu_bend(root, s * s)
    for degree, dtype in ((4, np.float32), (7, np.float64)):
        show("_TELU", remez(bend, mpf(0), mpf("4.0001"), degree, lambda v: 1 / bend(v)), dtype)


def show(name: str, result: tuple[list[mpf], mpf], dtype: type) -> None:
    coefficients, error = result
    print(f"{name}, {dtype.__name__}: error 2**{float(mpmath.log(error, 2)):.1f}")
    print("   ", ", ".join(repr(float(dtype(float(c)))) for c in coefficients))


def main() -> None:
    reach = mpmath.log(2) / 2 * mpf("1.001")
    square = lambda r: r * r  # noqa: E731
    show("_EXP", remez(exponential, -reach, reach, 4, square), np.float32)
    show("_EXP", remez(exponential, -reach, reach, 10, square), np.float64)
    low, high = mpmath.log("0.7499"), mpmath.log("1.5002")
    for degree, dtype, turns in ((4, np.float32, 99), (9, np.float64, 4)):
        weight = lambda r: r * r / mpmath.exp(r)  # noqa: E731
        show("_EXP_SKEW", rounded_in_turn(exponential, low, high, degree, dtype, weight, (), turns), dtype)
    reach = ((mpmath.sqrt(2) - 1) / (mpmath.sqrt(2) + 1)) ** 2 * mpf("1.001")
    show("_LOG", remez(logarithm, mpf(0), reach, 2), np.float32)
    show("_LOG", remez(logarithm, mpf(0), reach, 6), np.float64)
    exponential_tables()
    normal_tables()
    error_tables()
    serf_tables()
    gate_tables()
    tiny = mpf(2) ** -60
    show("_SINE_SQUARED", remez(sine_squared, mpf(0), mpf("0.255"), 3, lambda z: z + tiny), np.float32)
    show("_SINE_SQUARED", remez(sine_squared, mpf(0), mpf("0.255"), 6, lambda z: z + tiny), np.float64)
    show("_DOUBLED_SINE", remez(doubled_sine, mpf(0), mpf("0.085"), 2), np.float32)
    show("_DOUBLED_SINE", remez(doubled_sine, mpf(0), mpf("0.085"), 5), np.float64)
    with mpmath.workprec(1300):
        print(f"INVERSE_PI: {int(mpmath.floor(2**1216 / mpmath.pi)):x}")


if __name__ == "__main__":
    main()
