"""Computes the polynomial coefficients of fastact/_scalar_math.py: Remez's exchange algorithm in 200-bit arithmetic.

Run it to print every table with its error; the tables are pasted, so that the package needs neither mpmath nor time.
    python benchmarks/coefficients.py
"""

from __future__ import annotations

from collections.abc import Callable

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
    for _ in range(12):
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
        if len(nodes) != n:
            break
        worst = max(abs(e) for e in errors)
        if worst < abs(solution[degree + 1]) * mpf("1.001"):
            break
    return coefficients, max(abs(e) for e in errors)


def exponential(r: mpf) -> mpf:
    """(e**r - 1 - r) / r**2."""
    return (mpmath.exp(r) - 1 - r) / r**2 if abs(r) > mpf(2) ** -60 else mpf(1) / 2 + r / 6


def logarithm(w: mpf) -> mpf:
    """(log((1 + s) / (1 - s)) / s - 2) / s**2 with w = s**2."""
    s = mpmath.sqrt(w)
    return (mpmath.log((1 + s) / (1 - s)) / s - 2) / w if w > mpf(2) ** -60 else mpf(2) / 3


def normal_tail(pole: mpf, ln2: float) -> Function:
    """2 (b + pole) e**(b**2 / 2) Phi(-b) with b / (b + pole) = t, times what rounding log(2) to ln2 takes from e**."""
    lost = mpmath.log(2) / mpf(ln2) - 1

    def f(t: mpf) -> mpf:
        b = pole * t / (1 - t)
        return (b + pole) * mpmath.erfc(b / mpmath.sqrt(2)) * mpmath.exp((1 + lost) * b * b / 2)

    return f


def anchored(f: Function, anchor: int, dtype: type) -> tuple[mpf, Function]:
    """Where f is `anchor`, and (f - anchor) / (t - centre) in t - centre."""
    root = mpmath.findroot(lambda t: f(t) - anchor, (mpf("0.1"), mpf("0.9")), solver="anderson")
    centre = mpf(float(dtype(float(root))))
    if dtype is np.float64:
        centre += mpf(float(root - centre))  # the table `_TAIL_CENTRE_LOW`
    tiny = mpf(10) ** -25

    def g(y: mpf) -> mpf:
        if abs(y) < mpf(10) ** -12:
            return (f(centre + tiny) - f(centre - tiny)) / (2 * tiny)
        return (f(y + centre) - anchor) / y

    return centre, g


def normal_slope(pole: mpf, centre: mpf, ln2: float) -> Function:
    """2 e**(b**2 / 2) (Phi(-b) - b phi(b)) / (b + pole) in t - centre, times what rounding log(2) takes."""
    tail = normal_tail(pole, ln2)
    lost = mpmath.log(2) / mpf(ln2) - 1

    def f(y: mpf) -> mpf:
        b = pole * (y + centre) / (1 - y - centre)
        density = b * mpmath.sqrt(2 / mpmath.pi) * mpmath.exp(lost * b * b / 2)
        return (tail(y + centre) / (b + pole) - density) / (b + pole)

    return f


def show(name: str, result: tuple[list[mpf], mpf], dtype: type) -> None:
    coefficients, error = result
    print(f"{name}, {dtype.__name__}: error 2**{float(mpmath.log(error, 2)):.1f}")
    print("   ", ", ".join(repr(float(dtype(float(c)))) for c in coefficients))


def main() -> None:
    reach = mpmath.log(2) / 2 * mpf("1.001")
    square = lambda r: r * r  # noqa: E731
    show("_EXP", remez(exponential, -reach, reach, 4, square), np.float32)
    show("_EXP", remez(exponential, -reach, reach, 10, square), np.float64)
    doubled = lambda r: exponential(r / 2) / 2  # noqa: E731
    show("_EXP_DOUBLED", remez(doubled, -2 * reach, 2 * reach, 4, square), np.float32)
    show("_EXP_DOUBLED", remez(doubled, -2 * reach, 2 * reach, 10, square), np.float64)
    reach = ((mpmath.sqrt(2) - 1) / (mpmath.sqrt(2) + 1)) ** 2 * mpf("1.001")
    show("_LOG", remez(logarithm, mpf(0), reach, 2), np.float32)
    show("_LOG", remez(logarithm, mpf(0), reach, 6), np.float64)
    pole = mpf("2.625")
    for anchor, end, degree, dtype in ((2, mpf("14.2"), 8, np.float32), (1, mpf(39), 26, np.float64)):
        tail = normal_tail(pole, float(dtype(np.log(2))))
        centre, table = anchored(tail, anchor, dtype)
        print(f"_TAIL_CENTRE, {dtype.__name__}: {mpmath.nstr(centre, 35)}")
        weight = lambda y, f=tail, c=centre: (abs(y) + mpf(10) ** -12) / f(y + c)  # noqa: E731
        show("_TAIL", remez(table, -centre, end / (end + pole) - centre, degree, weight), dtype)
    pole, centre = mpf(3), mpf("0.203125")
    for end, degree, dtype in ((mpf("14.2"), 9, np.float32), (mpf(39), 26, np.float64)):
        table = normal_slope(pole, centre, float(dtype(np.log(2))))
        weight = lambda y, f=table: 1 / max(abs(f(y)), mpf("0.05"))  # noqa: E731
        show("_TAIL_SLOPE", remez(table, -centre, end / (end + pole) - centre, degree, weight), dtype)


if __name__ == "__main__":
    main()
