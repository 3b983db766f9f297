"""Polynomials of least largest error, by Remez's exchange algorithm in 200-bit arithmetic, and their rounding."""

from __future__ import annotations

from collections.abc import Callable

import mpmath
from mpmath import mpf

__all__ = ["Function", "almost_exact", "remez", "rounded_in_turn"]

mpmath.mp.prec = 200

Function = Callable[[mpf], mpf]


def remez(
    f: Function, low: mpf, high: mpf, degree: int, weight: Function = lambda x: mpf(1), steps: int = 0,
    above: str = "1e-3",
) -> tuple[list[mpf], mpf]:  # fmt: skip
    """The polynomial of this degree with the least maximum of |weight * (f - p)| on [low, high], and that maximum.

    It is looked for on a Chebyshev grid, or in so many equal `steps`, until it is less than `above` over the least.
    """
    n = degree + 2
    middle, half = (low + high) / 2, (high - low) / 2
    nodes = [middle - half * mpmath.cos(mpmath.pi * i / (n - 1)) for i in range(n)]
    grid = [middle - half * mpmath.cos(mpmath.pi * i / (40 * n)) for i in range(40 * n + 1)]
    if steps:
        grid = [low + (high - low) * i / steps for i in range(steps + 1)]
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
        if worst < abs(solution[degree + 1]) * (1 + mpf(above)):
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
