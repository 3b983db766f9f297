"""Rows for sparsemax and entmax15, and their exact results.

The reference proves itself: the support that a result has gives the threshold, in 100 digits, and this is the right
one if all elements of the support are above it and no others are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np

import fastact as fa

POWERS = {"sparsemax": 1, "entmax15": 2}


def numbers(shape: Any, dtype: Any = np.float64, scale: float = 1, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).normal(size=shape) * scale).astype(dtype)


def exact(x: np.ndarray, y: np.ndarray, power: int) -> list[Any]:
    """max(x / power - threshold, 0)**power with the threshold that the support of y gives, proved to be right."""
    c = [mpmath.mpf(float(value)) / power for value in x]
    support = [value for value, result in zip(c, y, strict=True) if result > 0]
    k, total = len(support), mpmath.fsum(support)
    threshold = (total - 1) / k
    if power == 2:
        squares = mpmath.fsum(value * value for value in support)
        threshold = (total - mpmath.sqrt(total * total - k * (squares - 1))) / k
    for value, result in zip(c, y, strict=True):
        assert (value > threshold) == (result > 0) or abs(value - threshold) < 1e-40
    return [max(value - threshold, 0) ** power for value in c]


def largest_error(y: np.ndarray, wanted: list[Any]) -> float:
    """The largest error in units in the last place."""
    quanta = np.spacing(np.abs(np.array([float(value) for value in wanted]).astype(y.dtype))).astype(float)
    return max(
        float(abs(mpmath.mpf(float(value)) - true) / quantum)
        for value, true, quantum in zip(y, wanted, quanta, strict=True)
    )


def near_the_threshold(power: int, dtype: Any) -> np.ndarray:
    """A row with elements at the threshold as float64 computes it, and next to it."""
    x = numbers(40, dtype)
    y = fa.get({1: "sparsemax", 2: "entmax15"}[power])(x.astype(float))
    threshold = dtype.type(x.astype(float).max() - power * y.max() ** (1 / power))
    x[:3] = threshold, np.nextafter(threshold, dtype.type(9)), np.nextafter(threshold, dtype.type(-9))
    return x


ROWS: dict[str, Callable[[int, Any], np.ndarray]] = {
    "one": lambda power, dtype: np.array([0.3], dtype),
    "normal": lambda power, dtype: numbers(50, dtype),
    "all in the support": lambda power, dtype: numbers(3000, dtype, 1e-5),
    "two blocks of candidates": lambda power, dtype: numbers(2100, dtype, 0.3),
    "few of many": lambda power, dtype: numbers(20_000, dtype, 3),
    "equal": lambda power, dtype: np.full(1999, 0.3, dtype),
    "equal but one": lambda power, dtype: np.append(np.full(1000, 0.3, dtype), dtype.type(0.3005)),
    "ties": lambda power, dtype: np.round(numbers(300, dtype) * 4) / 4,
    "at the threshold": lambda power, dtype: np.array([0, -1, 1, -2, -1], dtype),
    "near the threshold": near_the_threshold,
    "far from 0": lambda power, dtype: numbers(500, dtype, 1) + dtype.type(1e4),
    "farther": lambda power, dtype: np.array([1e30, 1e30, 9e29, -1e30, 0], dtype),
    "near 0": lambda power, dtype: numbers(30, dtype, 1e-30),
    "subnormal": lambda power, dtype: np.array([1, 2, 3], dtype) * np.finfo(dtype).smallest_subnormal,
    "falling by halves": lambda power, dtype: -(2.0 ** -np.arange(30)).astype(dtype),
    "with -inf": lambda power, dtype: np.array([-np.inf, 0.5, 0.25, -np.inf, 0.4], dtype),
    "largest": lambda power, dtype: np.array([1, -1, 0.5], dtype) * np.finfo(dtype).max,
}
