"""What backends for host arrays have in common: halves of arrays, and losses on top of a few kernels."""

from __future__ import annotations

import functools
import math
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastact._core.arguments import ClassLossArguments, ElementwiseLossArguments, share
from fastact._core.arrays import halves, rounded, wide_dtype
from fastact._core.backends import Backend
from fastact._kernels.native.arithmetic import standard_arithmetic, standard_mode
from fastact.errors import wrong_type

__all__ = ["ClassLosses", "Elementwise"]


def total_of(values: NDArray[Any]) -> float:
    """The sum of a contiguous float32 or float64 array, in float64; the same for all backends."""
    return float(_kernels().total(values))


@functools.cache
def _kernels() -> Any:
    """Loaded late: most processes add up no losses."""
    from fastact.backends.cpu import instruction_sets

    return instruction_sets.kernels


class Elementwise(Backend):
    """A backend that has `elementwise`, and with it all of the family."""

    def apply(self, operation: Any, operands: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """`elementwise`, or a faster way to the same."""
        return self.elementwise(operation, operands, keywords)

    def of_halves(self, operation: Any, x: Any, axis: int | str, out: Any) -> Any:
        if out is not None:
            _check_array(out)
        return self.apply(operation, halves(x, axis), {} if out is None else {"out": out})

    def backward_of_halves(self, operation: Any, grad_output: Any, x: Any, axis: int | str, out: Any) -> Any:
        value, gate = halves(x, axis)
        if np.shape(grad_output) != value.shape:
            raise ValueError(f"grad_output has shape {np.shape(grad_output)}, glu(x) {value.shape}; they must be equal")
        if out is None:
            out = np.empty(np.shape(x), operation._result_dtype((grad_output, value, gate)))
        else:
            _check_array(out)
            if out.shape != np.shape(x):
                raise ValueError(f"out has shape {out.shape}, x {np.shape(x)}; they must be equal")
        self.apply(operation, (grad_output, value, gate), {"out": halves(out, axis)})
        return out

    def elementwise_loss(self, operation: Any, record: ElementwiseLossArguments) -> tuple[Any, Any]:
        dtype, out, wide = record.dtype, record.out, wide_dtype(record.dtype)
        operands = [each if isinstance(each, float) else rounded(each, wide) for each in record.operands]
        if not record.gradient:
            return self._reduced(self.apply(operation, tuple(operands), {}), record), None
        with standard_mode():
            operands.insert(2, record.scale)
        direct = out is not None and out.dtype == wide
        keywords = {"out": (np.empty(record.shape, wide), out)} if direct else {}
        values, gradient = self.apply(operation, tuple(operands), keywords)
        if not direct:
            gradient = rounded(gradient, dtype)[()] if out is None else rounded(gradient, dtype, out)
        return self._reduced(values, record), gradient

    def _reduced(self, values: Any, record: ElementwiseLossArguments) -> Any:
        if record.reduction != "none":
            total, count = total_of(np.ascontiguousarray(values)), math.prod(record.shape)
            with standard_mode():
                values = total if record.reduction == "sum" else total / count if count else math.nan
        return rounded(values, record.dtype)[()]


class ClassLosses(Backend):
    """A backend with kernels for cross-entropy.

    Attributes
    ----------
    kernels : module
        With `total`, `count_targets` and `write_losses`, as in backends/numpy/cross_entropy.py. x is float32 or
        float64, and so are `dense`, a weight for each class or for each element of x, and `values`; labels and weight
        are contiguous and checked. A label weighs hit * weight of its class.
    """

    kernels: ModuleType

    def cross_entropy(self, record: ClassLossArguments) -> tuple[Any, Any]:
        with standard_mode():
            return self._cross_entropy(record)

    def _cross_entropy(self, record: ClassLossArguments) -> tuple[Any, Any]:
        n, dtype, weights, smoothing = record.classes, record.dtype, record.weight, record.label_smoothing
        wide, labels, dense = wide_dtype(dtype), None, None
        if record.dense:
            count: float = record.size
            dense = rounded(_smoothed(record, wide), wide)
        else:
            labels, count = self._labels(record)
            even = smoothing / n
            if even:
                dense = np.full(n, even, wide) if weights is None else rounded(_product(even, weights), wide)
        scale = share(record.reduction, count)
        values: Any = np.empty(record.shape, wide)
        grad: Any = None
        if record.size:
            grad = self.kernels.write_losses(
                rounded(record.x, wide), record.axis, labels, record.ignore_index, 1 - smoothing, weights, dense, scale,
                values, record.gradient, record.out,
            )  # fmt: skip
        elif record.gradient:
            grad = np.empty(record.x.shape, wide)
        if grad is not None and grad is not record.out:
            grad = rounded(grad, dtype, record.out)
        if record.reduction != "none":
            values = self.kernels.total(values) * scale
        return rounded(values, dtype)[()], grad

    def nll_loss(self, record: ClassLossArguments) -> Any:
        labels, count = self._labels(record)
        counts = labels != record.ignore_index
        place = np.where(counts, labels, 0)
        picked = np.take_along_axis(record.x, np.expand_dims(place, record.axis), record.axis).squeeze(record.axis)
        picked = rounded(picked, wide_dtype(record.dtype))
        with standard_arithmetic():
            values = np.where(counts, picked * (-1 if record.weight is None else -record.weight[place]), 0)
            if record.reduction != "none":
                total = self.kernels.total(np.ascontiguousarray(values))
                values = np.asarray(np.float64(total) / (count if record.reduction == "mean" else 1))
        return rounded(values, record.dtype)[()]

    def _labels(self, record: ClassLossArguments) -> tuple[NDArray[np.intp], float]:
        """Targets that are classes, and how many count or what they weigh; ValueError if one is no class."""
        y, n, ignore = record.targets, record.classes, record.ignore_index
        if y.dtype == np.uint64:
            y = np.minimum(y, np.uint64(np.iinfo(np.intp).max))  # which is no class, and must not wrap to one
        labels = y if y.dtype == np.intp and y.flags.carray else np.require(y, np.intp, ["C", "A"])
        count = self.kernels.count_targets(labels, n, ignore, record.weight)
        if count is None:
            place = tuple(np.argwhere((labels != ignore) & ((labels < 0) | (labels >= n)))[0].tolist())
            index = f"[{', '.join(map(str, place))}]" if place else ""
            raise ValueError(f"targets{index} is {y[place]}; {n} classes are 0 to {n - 1}, and ignore_index={ignore}")
        return labels, count


def _check_array(out: Any) -> None:
    """Raise TypeError if `out` is no array."""
    if not isinstance(out, np.ndarray):
        raise wrong_type("out", out, "pass a numpy array")


def _product(a: Any, b: NDArray[Any]) -> NDArray[Any]:
    with standard_arithmetic():
        product: NDArray[Any] = a * b
    return product


def _smoothed(record: ClassLossArguments, wide: np.dtype[Any]) -> NDArray[Any]:
    """Targets that are probabilities, smoothed and weighted, at least as wide as this."""
    y: NDArray[Any] = record.targets
    smoothing, axis = record.label_smoothing, record.axis
    if smoothing:
        y = _product(1 - smoothing, rounded(y, np.promote_types(y.dtype, wide))) + smoothing / record.classes
    if record.weight is not None:
        y = _product(y, record.weight.reshape(-1, *[1] * (y.ndim - 1 - axis)))
    return y
