"""softmax and log_softmax in plain NumPy: the readable reference, and the `numpy` backend's part for them.

Imported by backends/numpy.py. An operation is one function of (x, axes) or (grad_output, output, axes) and one line
in the table at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Axes = tuple[int, ...]


def _softmax(x: np.ndarray, axes: Axes) -> np.ndarray:
    e = np.exp(x - x.max(axes, keepdims=True))
    return e / e.sum(axes, keepdims=True)


def _softmax_backward(grad_output: np.ndarray, output: np.ndarray, axes: Axes) -> np.ndarray:
    return output * (grad_output - (grad_output * output).sum(axes, keepdims=True))


def _log_softmax(x: np.ndarray, axes: Axes) -> np.ndarray:
    """log(1 + what all but one maximum add) keeps its digits where one element dominates."""
    top = x.max(axes, keepdims=True)
    others = np.exp(x - top).sum(axes, keepdims=True, where=x != top)
    return (x - top) - np.log1p(others + ((x == top).sum(axes, keepdims=True) - 1))


def _log_softmax_backward(grad_output: np.ndarray, output: np.ndarray, axes: Axes) -> np.ndarray:
    return grad_output - np.exp(output) * grad_output.sum(axes, keepdims=True)


OPERATIONS: dict[tuple[str, int], Callable[..., Any]] = {
    ("softmax", 1): _softmax,
    ("softmax", 2): _softmax_backward,
    ("log_softmax", 1): _log_softmax,
    ("log_softmax", 2): _log_softmax_backward,
}


def softmax(kind: str, arrays: tuple[np.ndarray, ...], axes: Axes, out: np.ndarray | None) -> np.ndarray:
    """Forward for arrays (x,), backward for (grad_output, output); float16, float32 or float64, checked before."""
    dtype = arrays[-1].dtype.newbyteorder("=")
    wide = np.float32 if dtype == np.float16 else dtype
    if arrays[-1].size == 0:
        result = np.empty(arrays[-1].shape, dtype)
    else:
        with np.errstate(all="ignore"):
            result = OPERATIONS[kind, len(arrays)](*(a.astype(wide, copy=False) for a in arrays), axes).astype(dtype)
    if out is None:
        return result
    out[...] = result
    return out
