"""Cross-entropy by the kernels in _kernels/native/softmax/cross_entropy.pxi.

Arguments are those of the reference, backends/numpy/cross_entropy.py.
"""

from __future__ import annotations

import math

import numpy as np

from fastact._core.arrays import overlaps
from fastact.backends.cpu import instruction_sets

__all__ = ["count_targets", "total", "write_losses"]


def total(values: np.ndarray) -> float:
    """The sum of a contiguous float32 or float64 array, in float64."""
    return float(instruction_sets.kernels.total(values))


def count_targets(labels: np.ndarray, n: int, ignore: int, weight: np.ndarray | None) -> float | None:
    """How many labels count, or what their classes weigh; None if one is neither a class nor `ignore`."""
    count: float | None = instruction_sets.kernels.count_targets(labels, n, ignore, weight)
    return count


def write_losses(
    x: np.ndarray, axis: int, labels: np.ndarray | None, ignore: int, hit: float, weight: np.ndarray | None,
    dense: np.ndarray | None, scale: float, values: np.ndarray, gradient: bool, out: np.ndarray | None,
) -> np.ndarray | None:  # fmt: skip
    """The losses to `values` and, if wanted, the gradient of scale times their sum: in `out`, or else a new array."""
    if x.ndim - 1 != axis and x.shape[axis] > instruction_sets.kernels.LOSS_COLUMN_LIMIT:
        if dense is not None and dense.ndim > 1:
            dense = np.moveaxis(dense, axis, -1)
        result = write_losses(
            np.moveaxis(x, axis, -1), x.ndim - 1, labels, ignore, hit, weight, dense, scale, values, gradient, None
        )
        return None if result is None else np.moveaxis(result, -1, axis)
    if not (x.flags.carray and x.dtype.isnative):
        x = np.require(x, x.dtype.newbyteorder("="), ["C", "A"])
    shape = math.prod(x.shape[:axis]), x.shape[axis], math.prod(x.shape[axis + 1 :])
    if dense is not None:
        dense = np.require(dense, x.dtype, ["C", "A"])
        dense = dense if dense.ndim == 1 else dense.reshape(shape)
    if not gradient:
        out = None
    elif (
        out is None or out.dtype != x.dtype or not out.flags.carray or overlaps(out, x)
        or (dense is not None and np.may_share_memory(out, dense))
    ):  # fmt: skip
        out = np.empty_like(x)
    target = None if out is None else out.reshape(shape)
    instruction_sets.kernels.cross_entropy(x.reshape(shape), labels, ignore, hit, weight, dense, scale, values, target)
    return out
