"""The softmax family in plain NumPy: the readable reference.

An operation is one function of (x, axes), or of (grad_output, output or x, axes), and a line of `FUNCTIONS`. What it
takes and gives for elements under a mask stands in _core/masking.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastact._core.arguments import Options, SoftmaxArguments
from fastact._core.arrays import reduced, rounded, wide_dtype
from fastact._core.masking import MASKED
from fastact._kernels.native.arithmetic import standard_arithmetic

__all__ = ["log_softmax", "over_axes", "signed_logsumexp"]

Axes = tuple[int, ...]


def _softmax(x: np.ndarray, axes: Axes) -> np.ndarray:
    e = np.exp(x - x.max(axes, keepdims=True))
    return e / e.sum(axes, keepdims=True)


def _softmax_backward(grad_output: np.ndarray, output: np.ndarray, axes: Axes) -> np.ndarray:
    return output * (grad_output - (grad_output * output).sum(axes, keepdims=True))


def _log_sum(x: np.ndarray, axes: Axes) -> tuple[np.ndarray, np.ndarray]:
    """The maximum and log(sum(exp(x - maximum))): log(1 + what all but one maximum add) keeps its digits where one
    element dominates. NaN for an infinite maximum.
    """
    top = x.max(axes, keepdims=True)
    others = np.exp(x - top).sum(axes, keepdims=True, where=x != top)
    return top, np.log1p(others + ((x == top).sum(axes, keepdims=True) - 1)) + (top - top)


def log_softmax(x: np.ndarray, axes: Axes) -> np.ndarray:
    """The logarithm of softmax(x), not of rounded results."""
    top, rest = _log_sum(x, axes)
    return (x - top) - rest


def _log_softmax_backward(grad_output: np.ndarray, output: np.ndarray, axes: Axes) -> np.ndarray:
    return grad_output - np.exp(output) * grad_output.sum(axes, keepdims=True)


def _logsumexp(x: np.ndarray, axes: Axes) -> np.ndarray:
    top, rest = _log_sum(x, axes)
    return np.where(np.isinf(top), top, top + rest)


def _logsumexp_backward(grad_output: np.ndarray, x: np.ndarray, axes: Axes) -> np.ndarray:
    return grad_output * _softmax(x, axes)


def _along_last(function: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """A function of rows along the last axis as one of arrays and axes."""

    def over_axes(*arguments: Any) -> np.ndarray:
        *operands, axes = arguments
        last = tuple(range(-len(axes), 0))
        moved = [np.moveaxis(operand, axes, last) for operand in operands]
        shape = moved[0].shape
        result = function(*(m.reshape(*shape[: len(shape) - len(axes)], -1) for m in moved))
        return np.moveaxis(result.reshape(shape), last, axes)

    return over_axes


def _sparsemax(x: np.ndarray) -> np.ndarray:
    """The threshold is (the sum of the k largest - 1) / k; k is the largest for which the k-th is above it."""
    x = x - x.max(-1, keepdims=True)
    falling = -np.sort(-x)
    counts = np.arange(1, x.shape[-1] + 1)
    thresholds = (falling.cumsum(-1) - 1) / counts
    last = (falling > thresholds).sum(-1, keepdims=True) - 1
    return np.maximum(x - np.take_along_axis(thresholds, last, -1), 0)


def _entmax15(x: np.ndarray) -> np.ndarray:
    """Of the k largest, the threshold is the mean, less the root that makes the squares' sum 1."""
    half = (x - x.max(-1, keepdims=True)) / 2
    falling = -np.sort(-half)
    counts = np.arange(1, x.shape[-1] + 1)
    mean = falling.cumsum(-1) / counts
    spread = (falling**2).cumsum(-1) / counts - mean**2
    thresholds = mean - np.sqrt(np.maximum(1 / counts - spread, 0))
    last = (falling > thresholds).sum(-1, keepdims=True) - 1
    return np.maximum(half - np.take_along_axis(thresholds, last, -1), 0) ** 2


def _support_gradient(grad_output: np.ndarray, weight: np.ndarray, axes: Axes) -> np.ndarray:
    """w * (g - sum(w * g) / sum(w)); where w is 0, g is not read."""
    product = np.where(weight == 0, 0, weight * grad_output)
    mean = product.sum(axes, keepdims=True) / weight.sum(axes, keepdims=True)
    return np.where(weight == 0, 0, weight * (grad_output - mean))


def _sparsemax_backward(grad_output: np.ndarray, output: np.ndarray, axes: Axes) -> np.ndarray:
    return _support_gradient(grad_output, np.sign(output), axes)


def _entmax15_backward(grad_output: np.ndarray, output: np.ndarray, axes: Axes) -> np.ndarray:
    return _support_gradient(grad_output, np.sqrt(output), axes)


def _hardmax(x: np.ndarray) -> np.ndarray:
    top = x.max(-1, keepdims=True)
    first = np.arange(x.shape[-1]) == x.argmax(-1, keepdims=True)
    return np.where(top > -np.inf, first, np.nan)


def _hardmax_backward(_grad_output: np.ndarray, output: np.ndarray, _axes: Axes) -> np.ndarray:
    return np.where(np.isnan(output), np.nan, 0)


#: (operation, number of arrays) -> a function of the arrays and axes
FUNCTIONS: dict[tuple[str, int], Callable[..., np.ndarray]] = {
    ("softmax", 1): _softmax,
    ("softmax", 2): _softmax_backward,
    ("log_softmax", 1): log_softmax,
    ("log_softmax", 2): _log_softmax_backward,
    ("logsumexp", 1): _logsumexp,
    ("logsumexp", 2): _logsumexp_backward,
    ("sparsemax", 1): _along_last(_sparsemax),
    ("sparsemax", 2): _sparsemax_backward,
    ("entmax15", 1): _along_last(_entmax15),
    ("entmax15", 2): _entmax15_backward,
    ("hardmax", 1): _along_last(_hardmax),
    ("hardmax", 2): _hardmax_backward,
}


def over_axes(record: SoftmaxArguments) -> np.ndarray:
    """The result, in which reduced axes are kept."""
    arrays, axes, x = record.arrays, record.axes, record.arrays[-1]
    masked = MASKED[record.computation, len(arrays)]
    options = record.options or Options(record.dtype)
    wide = wide_dtype(x.dtype, record.dtype)
    operands = [rounded(array, wide) for array in arrays]
    with standard_arithmetic():
        divisor = rounded(options.divisor, wide)
        if masked.takes_x:
            operands[-1] = operands[-1] / divisor
        mask = options.mask(x.shape, axes)
        if mask is not None:
            fills = zip(operands, masked.operands, strict=True)
            operands = [o if fill is None else np.where(mask, o, wide.type(fill)) for o, fill in fills]
        if x.size:
            result = FUNCTIONS[record.computation, len(arrays)](*operands, axes)
        else:
            result = np.full(x.shape if masked.result is not None else reduced(x.shape, axes), -np.inf)
        if len(arrays) == 2:
            result = result / divisor
        if mask is not None and masked.result is not None:
            result = np.where(mask, result, wide.type(masked.result))
    rounded_result: np.ndarray = rounded(result, record.dtype, record.target)
    return rounded_result


def signed_logsumexp(record: SoftmaxArguments, weights: np.ndarray) -> tuple[Any, Any]:
    """The logarithm of |sum(weights * exp(x))|, and the sum's sign: the weights of masked elements are 0."""
    (x,), axes, wide = record.arrays, record.axes, wide_dtype(record.dtype)
    options = record.options or Options(record.dtype)
    weights, mask = rounded(weights, wide).reshape(x.shape), options.mask(x.shape, axes)
    if mask is not None:
        weights = np.where(mask, weights, wide.type(0))
    with standard_arithmetic():
        values = rounded(x, wide) / np.asarray(options.divisor, wide)
    value, sign = (record.finished(rounded(part, record.dtype)) for part in _signed(values, weights, axes))
    return value, sign


def _signed(x: np.ndarray, weights: np.ndarray, axes: Axes) -> tuple[np.ndarray, np.ndarray]:
    """log|s| and the sign of s = sum(weights * exp(x)), of arrays of one shape; where a weight is 0, x is not read."""
    if x.size == 0:
        empty = np.full(reduced(x.shape, axes), -np.inf, x.dtype)
        return empty, np.zeros_like(empty)
    with standard_arithmetic():
        x = np.where(weights == 0, -np.inf, x)
        top = x.max(axes, keepdims=True)
        leading = weights.sum(axes, keepdims=True, where=x == top)
        others = (weights * np.exp(x - top)).sum(axes, keepdims=True, where=x != top)
        total = leading + others
        dominant = np.abs(others) < np.abs(leading) / 2
        size = np.where(dominant, np.log(np.abs(leading)) + np.log1p(others / leading), np.log(np.abs(total)))
        # Beside an infinite element only others count: of both signs, they have no sum.
        signs = [((x == top) & (side > 0)).any(axes, keepdims=True) for side in (weights, -weights)]
        mixed = np.isposinf(top) & signs[0] & signs[1]
        value = np.where(mixed, np.nan, np.where(np.isinf(top), top, top + size))
        sign = np.where(mixed, np.nan, np.where(np.isneginf(top), 0, np.sign(total)))
    return value, sign
