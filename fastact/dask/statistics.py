"""The sum of exponentials of a row that lies in several blocks: what each block adds to it, and how two are joined.

A sum is kept as three numbers for each row, float64 and stacked along a first axis: the maximum; how often it occurs,
or what it weighs; and what all other elements add, in units of exp(maximum). So nothing is lost where x is large, and
nothing where one element dominates.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import fastact as fa
from fastact._core.arguments import positive
from fastact._kernels.native.arithmetic import standard_arithmetic
from fastact.dask.blocks import converted

__all__ = [
    "SIGNED", "SUMS", "checked", "combined", "combined_signed", "largest", "log_of_sum", "pairwise", "scaling",
    "scores", "signed_logarithm", "sums_of_block",
]  # fmt: skip

#: How many numbers a row has; with weights also whether the maximum has positive ones, and negative ones.
SUMS, SIGNED = 3, 5


def scores(x: Any, temperature: Any, sign: int, wide: np.dtype[Any]) -> Any:
    """What exponentials are taken of, rounded as it is in memory: x / T, or x / -T for softmin."""
    x = converted(x, wide)
    if type(temperature) is float:
        return x if sign * temperature == 1 else x / wide.type(sign * temperature)
    return x / converted(sign * checked(temperature), wide)


def checked(temperature: Any) -> Any:
    """Temperatures of a block; ValueError unless all are positive. On a device they are not looked at."""
    if isinstance(temperature, np.ndarray):
        positive("temperature", temperature)
    return temperature


def largest(values: Any, axes: tuple[int, ...]) -> Any:
    """The maximum along axes, which are kept; -inf for no elements."""
    if all(values.shape[axis] for axis in axes):
        return values.max(axis=axes, keepdims=True)
    shape = [1 if axis in axes else size for axis, size in enumerate(values.shape)]
    return np.full_like(values, -np.inf, shape=shape)


def pairwise(values: Any, axes: tuple[int, ...]) -> Any:
    """The sum of an array, which is lost, along axes, which are kept: the error grows as log(n), along any axis.

    NumPy adds in pairs only along the axis whose elements are neighbours.
    """
    for axis in axes:
        before = (slice(None),) * axis
        while (n := values.shape[axis]) > 1:
            half = n // 2
            values[(*before, slice(half))] += values[(*before, slice(half, 2 * half))]
            if n % 2:
                values[(*before, slice(1))] += values[(*before, slice(n - 1, n))]
            values = values[(*before, slice(half))]
        if not values.shape[axis]:
            values = values.sum(axis=axis, keepdims=True)
    return values


def scaling(values: Any, top: Any) -> Any:
    """exp(values - top), the difference taken exactly, or at 700 it would cost 8 bits; in float64.

    Differences of float32 are exact enough in float64.
    """
    gap = values - top
    if values.dtype != np.float64:
        return fa.exponential(gap)
    part = gap - values
    rest = (values - (gap - part)) - (top + part)
    result = fa.exponential(gap)
    result += result * np.where(np.isfinite(rest), rest, 0)
    return result


@standard_arithmetic()
def sums_of_block(
    x: Any, where: Any, temperature: Any, weights: Any, *, axes: tuple[int, ...], sign: int, wide: Any,
    backend: str | None,
) -> Any:  # fmt: skip
    """The numbers of a block."""
    z = scores(x, temperature, sign, wide)
    if weights is not None:
        weights = converted(weights, np.float64)
        where = weights != 0 if where is None else where & (weights != 0)
    y = fa.softmax(z, axes, where, dtype=np.float64, backend=backend)
    if where is not None:
        z = np.where(where, z, z.dtype.type(-np.inf))
    top = largest(z, axes)
    leading, peak = z == top, largest(y, axes)
    del z
    np.copyto(y, 0.0, where=leading)
    sides = []
    if weights is None:
        lead = leading.sum(axis=axes, keepdims=True, dtype=np.float64)
    else:
        y *= weights
        lead = np.where(leading, weights, 0).sum(axis=axes, keepdims=True)
        sides = [(leading & (side > 0)).any(axis=axes, keepdims=True) for side in (weights, -weights)]
    others = pairwise(y, axes) / peak
    return np.stack([
        converted(top, np.float64), np.where(np.isneginf(top), 0, lead), np.where(np.isfinite(top), others, 0),
        *(converted(side, np.float64) for side in sides),
    ])  # fmt: skip


@standard_arithmetic()
def combined(parts: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    """The numbers of several blocks together."""
    return np.stack(_joined(parts, _rows(axis))[0])


@standard_arithmetic()
def combined_signed(parts: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    """The same with weights."""
    axes = _rows(axis)
    found, leading = _joined(parts, axes)
    return np.stack([*found, *(np.where(leading, side, 0).max(axis=axes, keepdims=True) for side in parts[SUMS:])])


def _rows(axis: tuple[int, ...]) -> tuple[int, ...]:
    """Axes of a stack as those of what is stacked."""
    return tuple(each - 1 for each in axis)


def _joined(parts: Any, axes: tuple[int, ...]) -> tuple[list[Any], Any]:
    """Maximum, what it weighs and what the others add; and which parts have that maximum."""
    tops, leads, others = parts[:SUMS]
    top = largest(tops, axes)
    leading = tops == top
    rest = np.where(leading, others, scaling(tops, top) * (leads + others))
    return [top, np.where(leading, leads, 0).sum(axis=axes, keepdims=True), pairwise(rest, axes)], leading


def log_of_sum(sums: Any) -> Any:
    """log(sum exp(x - maximum)), to the last digits near 0 too; NaN for rows that have no softmax."""
    top, lead, others = sums[:SUMS]
    return np.log1p(others + (lead - 1)) + (top - top)


def signed_logarithm(sums: Any) -> tuple[Any, Any]:
    """The logarithm of the weighted sum's magnitude, and its sign."""
    top, lead, others, positive, negative = sums
    whole = lead + others
    dominant = np.abs(others) < np.abs(lead) / 2
    size = np.where(dominant, np.log(np.abs(lead)) + np.log1p(others / lead), np.log(np.abs(whole)))
    mixed = np.isposinf(top) & (positive > 0) & (negative > 0)  # they have no sum
    value = np.where(mixed, np.nan, np.where(np.isinf(top), top, top + size))
    return value, np.where(mixed, np.nan, np.where(np.isneginf(top), 0, np.sign(whole)))
