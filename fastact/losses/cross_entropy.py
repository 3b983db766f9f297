"""Losses from logits or outputs, with their gradients: cross_entropy, nll_loss, binary_cross_entropy, mse and huber.

Imported by the package's __init__. `value_and_grad` gives a loss and its gradient in one pass over the logits. An
elementwise loss is two formulas and an object at the end of the file; cross_entropy is a kernel in _losses_kernels.pxi
and a reference in backends/_losses_numpy.py.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index
from numpy.typing import ArrayLike, NDArray

from fastact import _scalar as m
from fastact._core import dispatch
from fastact._core.activation import ElementwiseOperation, Formula, jitted
from fastact._core.arguments import (
    DOUBLE,
    PYTHON_NUMBERS,
    as_array,
    check_out,
    float_dtype,
    loss_dtype,
    rounded,
    wide_dtype,
)
from fastact._core.devices import on_gpu
from fastact._native.arithmetic import standard_arithmetic, standard_mode
from fastact._scalar import like, where
from fastact.errors import UnknownNameError, nearest

__all__ = ["CrossEntropy", "ElementwiseLoss", "binary_cross_entropy", "cross_entropy", "huber", "mse", "nll_loss"]

REDUCTIONS = ("mean", "sum", "none")


def _check_reduction(reduction: str) -> None:
    if reduction not in REDUCTIONS:
        raise UnknownNameError(f"reduction={reduction!r}{nearest(reduction, REDUCTIONS)}")


class CrossEntropy:
    """Cross-entropy of the softmax of logits with classes, or with probabilities of all classes.

    loss = -sum_c q_c log(softmax(logits)_c), q_c = weight_c ((1 - label_smoothing) p_c + label_smoothing / classes),
    where p_c are the target's probabilities: 1 for the class itself if targets are classes.

    Parameters
    ----------
    logits : array_like
        Classes lie along `axis`. float16, bfloat16 (of ml_dtypes), float32 and float64 are kept; half types are
        computed in float32, and other real dtypes converted as by `numpy.exp`.
    targets : array_like
        Classes: integers from 0, of the shape of logits without `axis`. Or probabilities: floats of logits' shape.
    axis : int, default -1
    weight : array_like, optional
        The weight of each class.
    ignore_index : int, default -100
        Targets of this number do not count: their loss and gradient are 0, and their logits may be NaN. For classes.
    label_smoothing : float, default 0
        From 0 to 1: how much of the target is spread evenly over all classes.
    reduction : {"mean", "sum", "none"}
        The mean over the targets that count, weighted by the weights of their classes; with probabilities, over all.
    out : ndarray, optional
        Where `value_and_grad` writes the gradient: of the shape and dtype of logits, which it may be.
    backend : str, optional
        "cython", "numpy", "cuda" or "auto".

    Returns
    -------
    scalar or ndarray
        In the dtype of logits; for reduction="none" of the shape of logits without `axis`. Arrays on a GPU give arrays
        there, and their targets are not checked: one that is no class makes loss and gradient NaN.

    Raises
    ------
    numpy.exceptions.AxisError
        If there is no such axis.
    TypeError
        For logits that are no real numbers, or `out` of another dtype.
    ValueError
        If a target is no class (the message names the first), or shapes do not fit.

    Notes
    -----
    Names and meanings are PyTorch's, but for `axis` (there the second). The mean of no targets is NaN. Sums over rows
    are accumulated in float64. A class of probability 0 may have a logit of -inf: its loss is 0, not NaN. Largest error
    of a loss: 4 units of its dtype's epsilon, however small it is; of the gradient 5, of the larger of its two terms.

    References
    ----------
    Szegedy, Vanhoucke, Ioffe, Shlens, Wojna. Rethinking the Inception architecture for computer vision. CVPR 2016
    (label smoothing).
    """

    name = "cross_entropy"
    formula = "-sum_c q_c log(softmax(logits)_c)"

    def __call__(
        self,
        logits: ArrayLike,
        targets: ArrayLike,
        axis: int = -1,
        *,
        weight: ArrayLike | None = None,
        ignore_index: int = -100,
        label_smoothing: float = 0.0,
        reduction: str = "mean",
        backend: str | None = None,
    ) -> Any:
        options = weight, ignore_index, label_smoothing, reduction, backend
        with standard_mode():
            return self._compute(logits, targets, axis, *options)[0]

    def value_and_grad(
        self,
        logits: ArrayLike,
        targets: ArrayLike,
        axis: int = -1,
        *,
        weight: ArrayLike | None = None,
        ignore_index: int = -100,
        label_smoothing: float = 0.0,
        reduction: str = "mean",
        out: np.ndarray | None = None,
        backend: str | None = None,
    ) -> tuple[Any, np.ndarray]:
        """The loss, and its gradient with respect to the logits; of their sum, where reduction="none"."""
        options = weight, ignore_index, label_smoothing, reduction, backend
        with standard_mode():
            value, gradient = self._compute(logits, targets, axis, *options, gradient=True, out=out)
        assert gradient is not None
        return value, gradient

    def _compute(
        self,
        logits: ArrayLike,
        targets: ArrayLike,
        axis: int,
        weight: ArrayLike | None,
        ignore_index: int,
        label_smoothing: float,
        reduction: str,
        backend: str | None,
        gradient: bool = False,
        out: np.ndarray | None = None,
    ) -> tuple[Any, np.ndarray | None]:
        kernels = dispatch.choose("cross_entropy", backend, logits, targets)
        _check_reduction(reduction)
        if not 0 <= label_smoothing <= 1:
            raise ValueError(f"label_smoothing={label_smoothing!r}; it must be from 0 to 1")
        label_smoothing = float(label_smoothing)  # a float16 would be one in arithmetic
        if not hasattr(kernels, "count_targets"):  # of the GPU, which does it all
            ignore = operator.index(ignore_index)
            found: tuple[Any, Any] = kernels.cross_entropy(
                logits, targets, axis, weight, ignore, label_smoothing, reduction, gradient, out
            )
            return found
        x, y = as_array(self.name, logits), as_array(self.name, targets)
        dtype = float_dtype(self.name, x.dtype)
        wide = wide_dtype(dtype)
        axis = normalize_axis_index(axis, x.ndim)
        n, shape = x.shape[axis], x.shape[:axis] + x.shape[axis + 1 :]
        if n == 0:
            raise ValueError(f"logits has shape {x.shape}: there are no classes along axis {axis}")
        if out is not None:
            check_out(out, x.shape, dtype)
        weights = None if weight is None else _class_weights(weight, n)

        labels = dense = None
        even = label_smoothing / n
        if y.dtype.kind in "biu":
            labels, count = _labels(kernels, y, shape, n, operator.index(ignore_index), weights)
            if even:
                dense = np.full(n, even, wide) if weights is None else rounded(_product(even, weights), wide)
        else:
            count = math.prod(shape)
            dense = rounded(_probabilities(y, x.shape, axis, label_smoothing, weights, wide), wide)
        scale = 1.0 if reduction != "mean" else 1 / count if count else math.nan
        values = np.empty(shape, wide)
        grad = kernels.cross_entropy(
            rounded(x, wide), axis, labels, ignore_index, 1 - label_smoothing, weights, dense, scale, values,
            gradient, out,
        )  # fmt: skip
        if grad is not None and grad is not out:
            grad = rounded(grad, dtype, out)
        if reduction != "none":
            values = kernels.total(values) * scale
        return rounded(values, dtype)[()], grad

    def __repr__(self) -> str:
        return f"<fastact.{self.name}: {self.formula}>"

    def __reduce__(self) -> str:
        return self.name


def _class_weights(weight: ArrayLike, n: int) -> NDArray[np.float64]:
    weights = np.ascontiguousarray(rounded(weight, DOUBLE))
    if weights.shape != (n,):
        raise ValueError(f"weight has shape {np.shape(weight)}; {n} classes have ({n},)")
    return weights


def _product(a: Any, b: NDArray[Any]) -> NDArray[Any]:
    with standard_arithmetic():
        product: NDArray[Any] = a * b
    return product


def _labels(
    kernels: Any, y: NDArray[Any], shape: tuple[int, ...], n: int, ignore: int, weights: NDArray[Any] | None
) -> tuple[NDArray[np.intp], float]:
    """Targets that are classes, and how many count or what they weigh."""
    if y.dtype.kind not in "biu":
        raise TypeError(f"targets has dtype {y.dtype}; classes are integers")
    if y.shape != shape:
        raise ValueError(
            f"targets has shape {y.shape}; classes have {shape}, the shape of logits without their axis, and "
            "probabilities are floats"
        )
    if y.dtype == np.uint64:
        y = np.minimum(y, np.uint64(np.iinfo(np.intp).max))  # which is no class, and must not wrap to one
    labels = y if y.dtype == np.intp and y.flags.carray else np.require(y, np.intp, ["C", "A"])
    count = kernels.count_targets(labels, n, ignore, weights)
    if count is None:
        place = tuple(np.argwhere((labels != ignore) & ((labels < 0) | (labels >= n)))[0].tolist())
        index = f"[{', '.join(map(str, place))}]" if place else ""
        raise ValueError(f"targets{index} is {y[place]}; {n} classes are 0 to {n - 1}, and ignore_index={ignore}")
    return labels, count


def _probabilities(
    y: NDArray[Any], shape: tuple[int, ...], axis: int, smoothing: float, weights: NDArray[Any] | None,
    wide: np.dtype[Any],
) -> NDArray[Any]:  # fmt: skip
    """Targets that are probabilities, smoothed and weighted, at least as wide as this."""
    float_dtype("cross_entropy", y.dtype)
    if y.shape != shape:
        raise ValueError(
            f"targets has shape {y.shape}; probabilities have that of logits, {shape}, classes are integers"
        )
    if smoothing:
        y = _product(1 - smoothing, rounded(y, np.promote_types(y.dtype, wide))) + smoothing / shape[axis]
    if weights is not None:
        y = _product(y, weights.reshape(-1, *[1] * (len(shape) - 1 - axis)))
    return y


def nll_loss(
    log_probabilities: ArrayLike,
    targets: ArrayLike,
    axis: int = -1,
    *,
    weight: ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Any:
    """Negative log-likelihood of classes, from log-probabilities such as those of `log_softmax`.

    loss = -weight_t log_probabilities_t, t the target

    Parameters
    ----------
    log_probabilities : array_like
        Classes lie along `axis`.
    targets, axis, weight, ignore_index, reduction
        As for `cross_entropy`, with classes; that is faster and more exact than this of `log_softmax`.

    Returns
    -------
    scalar or ndarray
        In the dtype of log_probabilities; for reduction="none" of their shape without `axis`.

    Raises
    ------
    AxisError, TypeError, ValueError
        As `cross_entropy`.
    """
    name = "nll_loss"
    _check_reduction(reduction)
    kernels = dispatch.choose("cross_entropy", None, log_probabilities, targets)
    if not hasattr(kernels, "count_targets"):  # of the GPU, which does it all
        ignore = operator.index(ignore_index)
        return kernels.nll_loss(log_probabilities, targets, axis, weight, ignore, reduction)
    x, y = as_array(name, log_probabilities), as_array(name, targets)
    dtype = float_dtype(name, x.dtype)
    axis = normalize_axis_index(axis, x.ndim)
    n = x.shape[axis]
    weights = np.ones(n) if weight is None else _class_weights(weight, n)
    ignore = operator.index(ignore_index)
    labels, count = _labels(kernels, y, x.shape[:axis] + x.shape[axis + 1 :], n, ignore, weights)
    counts = labels != ignore
    place = np.where(counts, labels, 0)
    picked = rounded(np.take_along_axis(x, np.expand_dims(place, axis), axis).squeeze(axis), wide_dtype(dtype))
    with standard_arithmetic():
        values = np.where(counts, -weights[place] * picked, 0)
        if reduction != "none":
            values = values.sum(dtype=np.float64) / (count if reduction == "mean" else 1)
    return rounded(values, dtype)[()]


class ElementwiseLoss:
    """A loss of single elements, reduced to their mean or sum: called as the documentation of each one says."""

    def __init__(self, value: Formula, slope: Formula, parameters: dict[str, float], documentation: str) -> None:
        self.name = value.__name__.strip("_")
        self.parameters = parameters
        self.__doc__ = documentation
        self._value = ElementwiseOperation(self.name, value, _INPUTS, parameters)
        self._both = ElementwiseOperation(
            f"{self.name}.value_and_grad",
            _value_and_gradient(jitted(value), jitted(slope)),
            _INPUTS,
            {"scale": 1.0, **parameters},
            outputs=2,
        )
        self._both.plain = _value_and_gradient(value, slope)

    def __call__(
        self, x: ArrayLike, target: ArrayLike, *, reduction: str = "mean", backend: str | None = None, **parameters: Any
    ) -> Any:
        _check_reduction(reduction)
        if on_gpu(x) or on_gpu(target):
            kernels = dispatch.choose("elementwise", backend, x, target)
            given = self._given(parameters)
            return kernels.elementwise_loss(self._value, x, target, given, reduction, False, None)[0]
        operands, dtype = self._operands(x, target, parameters)
        keywords = {} if backend is None else {"backend": backend}
        return self._reduced(self._value(*operands, **keywords), reduction, dtype)

    def value_and_grad(
        self,
        x: ArrayLike,
        target: ArrayLike,
        *,
        reduction: str = "mean",
        out: np.ndarray | None = None,
        backend: str | None = None,
        **parameters: Any,
    ) -> tuple[Any, np.ndarray]:
        """The loss, and its gradient with respect to x; of the losses' sum, where reduction="none".

        `out` is where to write the gradient, of the result's shape and dtype; it may be x.
        """
        _check_reduction(reduction)
        if on_gpu(x) or on_gpu(target):
            kernels = dispatch.choose("elementwise", backend, x, target)
            given = self._given(parameters)
            found: tuple[Any, Any] = kernels.elementwise_loss(self._both, x, target, given, reduction, True, out)
            return found
        operands, dtype = self._operands(x, target, parameters)
        shape = np.broadcast_shapes(*map(np.shape, operands))
        size = math.prod(shape)
        with standard_mode():
            scale = 1.0 if reduction != "mean" else 1 / size if size else math.nan
        if out is not None:
            check_out(out, shape, dtype)
        keywords: dict[str, Any] = {} if backend is None else {"backend": backend}
        if out is not None and out.dtype == wide_dtype(dtype):
            keywords["out"] = np.empty(shape, out.dtype), out
        values, gradient = self._both(*operands[:2], scale, *operands[2:], **keywords)
        if gradient is not out:
            gradient = rounded(gradient, dtype)[()] if out is None else rounded(gradient, dtype, out)
        return self._reduced(values, reduction, dtype), gradient

    def _operands(self, x: Any, target: Any, parameters: dict[str, Any]) -> tuple[tuple[Any, ...], np.dtype[Any]]:
        """What the formulas take, in the dtype they are computed in, and the dtype of the result."""
        arrays = as_array(self.name, x), as_array(self.name, target)
        x_kind: Any = type(x) if type(x) in PYTHON_NUMBERS else arrays[0].dtype
        target_kind: Any = type(target) if type(target) in PYTHON_NUMBERS else arrays[1].dtype
        dtype = loss_dtype(self.name, x_kind, target_kind)
        wide, given = wide_dtype(dtype), self._given(parameters)
        numbers = [float(each) if isinstance(each, int | float) else rounded(each, wide) for each in given]
        return (*(rounded(each, wide) for each in arrays), *numbers), dtype

    def _given(self, parameters: dict[str, Any]) -> list[Any]:
        """The values of all parameters."""
        unknown = parameters.keys() - self.parameters.keys()
        if unknown:
            name = min(unknown)
            raise TypeError(
                f"{self.name}() got an unexpected keyword argument {name!r}{nearest(name, self.parameters)}"
            )
        return [value if parameters.get(name) is None else parameters[name] for name, value in self.parameters.items()]

    def _reduced(self, values: Any, reduction: str, dtype: np.dtype[Any]) -> Any:
        if reduction != "none":
            sum = dispatch.total(np.ascontiguousarray(values))
            size = np.size(values)
            with standard_mode():
                values = sum if reduction == "sum" else sum / size if size else math.nan
        return rounded(values, dtype)[()]

    def __repr__(self) -> str:
        return f"<fastact.{self.name}{tuple(self.parameters)}>"

    def __reduce__(self) -> str:
        return self.name


_INPUTS = "x", "target"


def _value_and_gradient(value: Formula, slope: Formula) -> Formula:
    def both(x, target, scale, *parameters):  # type: ignore[no-untyped-def]
        return value(x, target, *parameters), scale * slope(x, target, *parameters)

    return both


def _binary_cross_entropy(x: Any, target: Any, pos_weight: Any, weight: Any) -> Any:
    # Both are sums of positive numbers: softplus(x) = max(x, 0) + log(1 + e**-|x|). What has no share is not read.
    zero, other = like(0.0, x), like(1.0, target) - target
    rest = -m.log_sigmoid(where(x < zero, -x, x))
    hit = where(target == zero, zero, target * (where(x > zero, zero, -x) + rest))
    miss = where(other == zero, zero, other * (where(x < zero, zero, x) + rest))
    return weight * (pos_weight * hit + miss)


def _binary_cross_entropy_slope(x: Any, target: Any, pos_weight: Any, weight: Any) -> Any:
    return weight * ((like(1.0, target) - target) * m.sigmoid(x) - pos_weight * target * m.sigmoid(-x))


def _mse(x: Any, target: Any, weight: Any) -> Any:
    return weight * ((x - target) * (x - target))


def _mse_slope(x: Any, target: Any, weight: Any) -> Any:
    return weight * (like(2.0, x) * (x - target))


def _huber(x: Any, target: Any, delta: Any, weight: Any) -> Any:
    distance = where(x < target, target - x, x - target)
    linear = delta * (distance - like(0.5, x) * delta)
    return weight * where(distance < delta, like(0.5, x) * (distance * distance), linear)


def _huber_slope(x: Any, target: Any, delta: Any, weight: Any) -> Any:
    difference = x - target
    return weight * where(difference < -delta, -delta, where(difference > delta, delta, difference))


_COMMON = """reduction : {{"mean", "sum", "none"}}
    The mean is over all elements, whatever they weigh.
backend : str, optional
    "serial", "threads", "parallel", "cuda", "numpy" or "auto"; see `fastact.backends`.

Returns
-------
scalar or ndarray
    In the dtype of {x}, or of floating-point targets where that is wider; a Python number leaves the other's dtype
    alone. Half types are computed in float32. Arrays on a GPU give arrays there.

Raises
------
TypeError
    For operands that are no real numbers, and unknown keywords.
ValueError
    If the operands do not broadcast together, or `out` of `value_and_grad` does not fit.

Notes
-----
`value_and_grad(...)` takes the same arguments and `out`, and returns the loss and its gradient with respect to {x}.
Sums are accumulated in float64; the mean of nothing is NaN.
"""

_WEIGHT = """weight : array_like, default 1
    Of each element; broadcasts against {x}.
"""

binary_cross_entropy = ElementwiseLoss(
    _binary_cross_entropy,
    _binary_cross_entropy_slope,
    {"pos_weight": 1.0, "weight": 1.0},
    f"""Binary cross-entropy of the sigmoid of logits.

loss = -weight (pos_weight t log(sigmoid(x)) + (1 - t) log(1 - sigmoid(x))), t the target

Parameters
----------
x : array_like
    The logits.
target : array_like
    Probabilities of the positive class, from 0 to 1; integers and bool are labels, 0 and 1.
pos_weight : array_like, default 1
    What positive targets weigh; broadcasts against x.
{_WEIGHT.format(x="x")}{_COMMON.format(x="x")}
Exact for saturated logits: no logarithm of a rounded sigmoid is taken. An infinite logit has the loss 0 where it is
right. Gradient: weight ((1 - t) sigmoid(x) - pos_weight t sigmoid(-x)).
""",
)

mse = ElementwiseLoss(
    _mse,
    _mse_slope,
    {"weight": 1.0},
    f"""Squared error: loss = weight (x - target)**2.

Parameters
----------
x, target : array_like
    Broadcast together.
{_WEIGHT.format(x="x")}{_COMMON.format(x="x")}""",
)

huber = ElementwiseLoss(
    _huber,
    _huber_slope,
    {"delta": 1.0, "weight": 1.0},
    f"""Huber loss: squared for small differences, linear for large ones.

loss = weight (d**2 / 2 if d < delta else delta (d - delta / 2)), d = |x - target|

Parameters
----------
x, target : array_like
    Broadcast together.
delta : float, default 1
    Where it becomes linear; positive.
{_WEIGHT.format(x="x")}{_COMMON.format(x="x")}
References
----------
Huber. Robust estimation of a location parameter. Annals of Mathematical Statistics 35, 1964.
""",
)

cross_entropy = CrossEntropy()
