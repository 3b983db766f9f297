"""Cross-entropy in plain NumPy: the readable reference. `ClassLosses` in backends/host.py says what arguments are."""

from __future__ import annotations

import numpy as np

from fastact._core.arrays import rounded
from fastact._kernels.native.arithmetic import standard_arithmetic
from fastact.backends.numpy.softmax import log_softmax


@standard_arithmetic()
def total(values: np.ndarray) -> float:
    """The sum, in float64."""
    return float(values.sum(dtype=np.float64))


@standard_arithmetic()
def count_targets(labels: np.ndarray, n: int, ignore: int, weight: np.ndarray | None) -> float | None:
    """How many labels count, or what their classes weigh; None if one is neither a class nor `ignore`."""
    counted = labels[labels != ignore]
    if ((counted < 0) | (counted >= n)).any():
        return None
    return float(counted.size if weight is None else weight[counted].sum())


@standard_arithmetic()
def write_losses(
    x: np.ndarray, axis: int, labels: np.ndarray | None, ignore: int, hit: float, weight: np.ndarray | None,
    dense: np.ndarray | None, scale: float, values: np.ndarray, gradient: bool, out: np.ndarray | None,
) -> np.ndarray | None:  # fmt: skip
    """The losses to `values` and, if wanted, the gradient of scale times their sum: in `out`, or else a new array."""
    x = np.moveaxis(x, axis, -1)
    n = x.shape[-1]
    q = np.zeros_like(x)  # what -log(softmax) weighs
    if dense is not None:
        q += dense if dense.ndim == 1 else np.moveaxis(dense, axis, -1)
    if labels is not None:
        counts = (labels != ignore)[..., np.newaxis]
        place = np.where(labels != ignore, labels, 0)[..., np.newaxis]
        one = hit * (np.ones(n) if weight is None else weight)[place]
        np.put_along_axis(q, place, (np.take_along_axis(q, place, -1) + one).astype(q.dtype), -1)
        x, q = np.where(counts, x, 0), np.where(counts, q, 0)
    log = log_softmax(x, (x.ndim - 1,))
    terms = np.multiply(q, log, out=np.zeros_like(q), where=q != 0)
    np.subtract(0, terms.sum(-1), out=values)
    values[np.isnan(log).any(-1)] = np.nan
    if not gradient:
        return None
    result = np.moveaxis(scale * (q.sum(-1, keepdims=True) * np.exp(log) - q), -1, axis)
    if labels is not None:
        result = np.where(np.expand_dims(labels != ignore, axis), result, 0)
    return rounded(result, x.dtype, out)
