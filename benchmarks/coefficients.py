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


def normal_tail(pole: float) -> Function:
    """(a + pole) * e**(a**2 / 2) * Phi(-a) with a / (a + pole) = t."""

    def f(t: mpf) -> mpf:
        a = pole * t / (1 - t)
        return (a + pole) * mpmath.erfc(a / mpmath.sqrt(2)) / 2 * mpmath.exp(a * a / 2)

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
    reach = ((mpmath.sqrt(2) - 1) / (mpmath.sqrt(2) + 1)) ** 2 * mpf("1.001")
    show("_LOG", remez(logarithm, mpf(0), reach, 2), np.float32)
    show("_LOG", remez(logarithm, mpf(0), reach, 6), np.float64)
    for pole, end, degree, dtype in ((4, mpf("14.5"), 9, np.float32), (4, mpf(39), 24, np.float64)):
        tail = normal_tail(pole)
        show("_TAIL", remez(tail, mpf(0), end / (end + pole), degree, lambda t, f=tail: 1 / f(t)), dtype)


if __name__ == "__main__":
    main()
