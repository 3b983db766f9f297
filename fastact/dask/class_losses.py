"""cross_entropy and nll_loss on dask arrays.

Where the axis of classes is not cut, each block gives its losses by a call of its own. Where it is, a row's sums (see
statistics.py) are taken together with two more: what the targets weigh, and what they weigh times their distance from
the maximum. The loss needs one pass, its gradient a second one.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from fastact._core.arguments import class_loss_arguments
from fastact._core.arrays import wide_dtype
from fastact._kernels.native.arithmetic import standard_arithmetic
from fastact.dask import statistics
from fastact.dask.blocks import (
    aligned,
    as_lazy,
    by_block,
    converted,
    fake,
    is_chunked,
    is_lazy,
    is_unknown,
    positions,
    several,
    total,
    tree,
)
from fastact.dask.over_axes import softmax_of_block
from fastact.dask.rereading import read_again
from fastact.dask.statistics import SUMS

__all__ = ["class_loss"]


class Call(NamedTuple):
    """A call, checked.

    Attributes
    ----------
    x, targets : dask arrays with the same chunks; if targets are classes, x's axis has size 1 in them
    weight : a dask array with as many axes as x, or None
    axis : where classes lie, counted from 0
    dtype, wide : of the result, and what blocks compute in
    known : what functions of blocks know of the targets
    backend : as for the function
    """

    function: Any
    x: Any
    targets: Any
    weight: Any
    axis: int
    dtype: np.dtype[Any]
    wide: np.dtype[Any]
    known: dict[str, Any]
    backend: str | None

    @property
    def whole_weight(self) -> Any:
        """All weights in one block."""
        return None if self.weight is None else self.weight.rechunk(-1)

    def blocks(self, compute: Any, *operands: Any, dtype: Any = np.float64, **options: Any) -> Any:
        """`by_block` with tasks of the function's name."""
        main, *others = operands
        return by_block(compute, self.function.name, main, *others, dtype=dtype, axis=self.axis, **options)


def class_loss(
    function: Any,
    method: str,
    operands: tuple[Any, Any],
    *,
    axis: int = -1,
    weight: Any = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
    backend: str | None = None,
) -> Any:
    """The loss, and for "value_and_grad" its gradient, lazily."""
    call = _checked(function, operands, axis, weight, ignore_index, label_smoothing, reduction, backend)
    gradient = method == "value_and_grad"
    count = _count(call) if reduction == "mean" else None
    if not is_chunked(call.x, [call.axis]):
        losses, grad = _of_whole_rows(call, gradient, count)
    elif function.name == "nll_loss":
        losses, grad = _picked(call), None
    else:
        losses, grad = _of_cut_rows(call, gradient, count)
    if reduction == "none":
        kept = tuple(0 if each == call.axis else slice(None) for each in range(call.x.ndim))
        value = by_block(converted, function.name, losses[kept], call.dtype, dtype=call.dtype)
    else:
        value = summed(function.name, losses, count, call.dtype)
    return (value, grad) if gradient else value


def summed(name: str, losses: Any, count: Any, dtype: Any) -> Any:
    """The sum of losses, taken in float64, or their mean where there is a count; a dask array without axes."""
    axes = tuple(range(losses.ndim))
    parts = by_block(_total, name, losses, dtype=np.float64, sizes=dict.fromkeys(axes, 1))
    whole = tree(parts, total, axes)[(0,) * losses.ndim] if axes else parts
    return by_block(_quotient, name, whole, count, dtype=dtype, to=np.dtype(dtype))


@standard_arithmetic()
def _total(block: Any) -> Any:
    return np.sum(block, dtype=np.float64, keepdims=True)


@standard_arithmetic()
def _quotient(whole: Any, count: Any, *, to: Any) -> Any:
    return converted(whole if count is None else np.divide(whole, count), to)


# --- what users wrote -------------------------------------------------------------------------------------------------


def _checked(
    function: Any, operands: tuple[Any, Any], axis: int, weight: Any, ignore_index: int, label_smoothing: float,
    reduction: str, backend: str | None,
) -> Call:  # fmt: skip
    """The call; what is wrong is found by the checks of calls in memory, made of arrays without memory."""
    x = operands[0] if is_lazy(operands[0]) else np.asarray(operands[0])
    targets = operands[1] if is_lazy(operands[1]) else np.asarray(operands[1])
    x = as_lazy(x, targets) if x.ndim == targets.ndim else as_lazy(x)
    probabilities = function.name == "cross_entropy"
    record = class_loss_arguments(
        function.name, fake(x), fake(targets, _without(x.shape, axis, x.ndim - targets.ndim)), axis, fake(weight),
        ignore_index, reduction, label_smoothing, probabilities=probabilities,
    )  # fmt: skip
    axis = record.axis
    known: dict[str, Any] = {"dense": record.dense, "classes": record.classes, "ignore": record.ignore_index}
    known["smoothing"] = record.label_smoothing
    if not record.dense:
        if not is_lazy(targets):
            check_classes(targets, record.classes, record.ignore_index)
        targets = as_lazy(targets)[(*[slice(None)] * axis, None)]
    if weight is not None:
        weight = as_lazy(weight)[(*[None] * axis, slice(None), *[None] * (x.ndim - 1 - axis))]
    targets, dtype = aligned("targets", targets, x), record.dtype
    return Call(function, x, targets, weight, axis, dtype, wide_dtype(dtype), known, backend)


def _without(shape: tuple[float, ...], axis: Any, fewer: int) -> tuple[float, ...]:
    """The shape without an axis, if targets have one axis fewer and this one is there."""
    there = fewer == 1 and isinstance(axis, int) and -len(shape) <= axis < len(shape)
    return tuple(size for each, size in enumerate(shape) if not there or each != axis % len(shape))


def check_classes(targets: Any, classes: int, ignore: int, where: str = "") -> None:
    """Raise ValueError if a target is no class."""
    wrong = (targets != ignore) & ((targets < 0) | (targets >= classes))
    if wrong.any():
        place = np.argwhere(wrong)[0].tolist()
        index = f"[{', '.join(map(str, place))}]" if place else ""
        raise ValueError(
            f"targets{index} is {targets[tuple(place)]}{where}; {classes} classes are 0 to {classes - 1}, and "
            f"ignore_index={ignore}"
        )


def _count(call: Call) -> Any:
    """How many targets count, or what they weigh: a number, or a dask array without axes."""
    size = math.prod(size for axis, size in enumerate(call.x.shape) if axis != call.axis)
    if call.known["dense"] and not is_unknown(size):
        return float(size)
    axes = tuple(range(call.x.ndim))
    parts = call.blocks(_count_of_block, call.targets, call.whole_weight, sizes=dict.fromkeys(axes, 1), **call.known)
    return tree(parts, total, axes)[(0,) * call.x.ndim]


# --- functions of blocks ----------------------------------------------------------------------------------------------


def _classes(targets: Any, classes: int, ignore: int) -> tuple[Any, Any]:
    """Targets that are classes, with 0 for those that do not count; and which count."""
    check_classes(targets, classes, ignore, " in a chunk")
    counts = targets != ignore
    return np.where(counts, targets, 0).astype(np.intp), counts


@standard_arithmetic()
def _count_of_block(
    targets: Any, weight: Any, *, axis: int, dense: bool, classes: int, ignore: int, smoothing: float
) -> Any:
    if dense:
        return np.full((1,) * targets.ndim, targets.size / classes)
    labels, counts = _classes(targets, classes, ignore)
    each = counts if weight is None else np.where(counts, weight.reshape(-1)[labels], 0)
    return each.sum(dtype=np.float64, keepdims=True)


def _factor(count: Any) -> Any:
    """What gradients are multiplied with."""
    return np.where(count == 0, np.nan, np.divide(1.0, count))


def _of_whole_rows(call: Call, gradient: bool, count: Any) -> tuple[Any, Any]:
    """A call for each block: losses, in which x's axis is kept, and the gradient."""
    operands = call.x, call.targets, call.whole_weight, count
    options = {"function": call.function, "wide": call.wide, "backend": call.backend, **call.known}
    if not gradient:
        return call.blocks(_losses, *operands, dtype=call.wide, sizes={call.axis: 1}, **options), None
    losses, grad = several(
        _losses_and_gradients, call.function.name, *operands, dtypes=(call.wide, call.dtype),
        sizes=({call.axis: 1}, None), axis=call.axis, to=call.dtype, **options,
    )  # fmt: skip
    return losses, grad


def _arguments(
    targets: Any, weight: Any, axis: int, dense: bool, classes: int, ignore: int, smoothing: float
) -> tuple[Any, dict[str, Any]]:
    """Targets and options of a call."""
    options = {"axis": axis, "reduction": "none", "ignore_index": ignore}
    if weight is not None:
        options["weight"] = weight.reshape(-1)
    if smoothing:
        options["label_smoothing"] = smoothing
    if dense:
        return targets, options
    check_classes(targets, classes, ignore, " in a chunk")
    return targets.reshape(targets.shape[:axis] + targets.shape[axis + 1 :]), options


def _losses(
    x: Any, targets: Any, weight: Any, count: Any, *, function: Any, axis: int, wide: Any, backend: Any, **known: Any
) -> Any:
    targets, options = _arguments(targets, weight, axis, **known)
    return np.expand_dims(function(converted(x, wide), targets, backend=backend, **options), axis)


@standard_arithmetic()
def _losses_and_gradients(
    x: Any, targets: Any, weight: Any, count: Any, *, function: Any, axis: int, wide: Any, backend: Any, to: Any,
    **known: Any,
) -> tuple[Any, Any]:  # fmt: skip
    targets, options = _arguments(targets, weight, axis, **known)
    losses, grad = function.value_and_grad(converted(x, wide), targets, backend=backend, **options)
    if count is not None:
        factor = _factor(count)
        grad = grad * factor
        if not known["dense"]:
            grad = np.where(np.expand_dims(targets != known["ignore"], axis), grad, 0)
    return np.expand_dims(losses, axis), converted(grad, to)


def _inside(x: Any, labels: Any, places: Any, axis: int) -> tuple[Any, Any]:
    """The elements of a block that labels name, and which labels do so."""
    local = labels - places.reshape(-1)[:1].reshape((1,) * x.ndim) if x.shape[axis] else labels
    inside = (local >= 0) & (local < x.shape[axis])
    if not x.shape[axis]:
        return np.zeros(labels.shape), inside
    return np.take_along_axis(x, np.where(inside, local, 0), axis), inside


def _picked(call: Call) -> Any:
    """nll_loss of rows that are cut: one of their blocks has the target."""
    operands = call.x, call.targets, call.whole_weight, positions(call.x, call.axis)
    parts = call.blocks(_picked_of_block, *operands, sizes={call.axis: 1}, **call.known)
    return tree(parts, total, [call.axis])


@standard_arithmetic()
def _picked_of_block(
    x: Any, targets: Any, weight: Any, places: Any, *, axis: int, dense: bool, classes: int, ignore: int,
    smoothing: float,
) -> Any:  # fmt: skip
    labels, counts = _classes(targets, classes, ignore)
    picked, inside = _inside(x, labels, places, axis)
    weights = -1.0 if weight is None else -converted(weight.reshape(-1)[labels], np.float64)
    return np.where(inside & counts, converted(picked, np.float64) * weights, 0)


def _of_cut_rows(call: Call, gradient: bool, count: Any) -> tuple[Any, Any]:
    """cross_entropy of rows that are cut: losses, in which x's axis is kept, and the gradient."""
    places, weight = positions(call.x, call.axis), call.weight
    if weight is not None:
        weight = aligned("weight", weight, call.x)
    options = {"wide": call.wide, "backend": call.backend, **call.known}
    operands = call.x, call.targets, weight, places
    parts = call.blocks(_sums_of_block, *operands, stacked=SUMS + 2, sizes={call.axis: 1}, **options)
    sums = tree(parts, _combined, [call.axis + 1])
    targets = None if call.known["dense"] else call.targets
    losses = call.blocks(_losses_of_sums, sums[0], sums, targets, ignore=call.known["ignore"])
    if not gradient:
        return losses, None
    operands = *read_again(*operands), sums, count
    return losses, call.blocks(_gradients, *operands, dtype=call.dtype, to=call.dtype, **options)


def _weights(
    targets: Any, weight: Any, places: Any, *, dense: bool, classes: int, ignore: int, smoothing: float
) -> Any:
    """What the logarithm of each probability in a block weighs."""
    even = smoothing / classes
    if dense:
        each = (1 - smoothing) * converted(targets, np.float64) + even if smoothing else converted(targets, np.float64)
    else:
        labels, counts = _classes(targets, classes, ignore)
        each = np.where(counts, np.where(places == labels, 1 - smoothing, 0) + even, 0)
    return each if weight is None else each * converted(weight, np.float64)


@standard_arithmetic()
def _sums_of_block(
    x: Any, targets: Any, weight: Any, places: Any, *, axis: int, wide: Any, backend: Any, **known: Any
) -> Any:
    sums = statistics.sums_of_block(x, None, 1.0, None, axes=(axis,), sign=1, wide=wide, backend=backend)
    top = sums[0]
    if known["dense"] or known["smoothing"]:
        weights = _weights(targets, weight, places, **known)
        far = np.where(weights == 0, 0, weights * (top - converted(x, np.float64)))
        weighed, far = (statistics.pairwise(each + 0.0, (axis,)) for each in (weights, far))
    else:
        labels, counts = _classes(targets, known["classes"], known["ignore"])
        picked, inside = _inside(x, labels, places, axis)
        each = 1.0
        if weight is not None:
            each = converted(_inside(np.broadcast_to(weight, x.shape), labels, places, axis)[0], np.float64)
        weighed = np.where(inside & counts, each, 0)
        far = np.where(weighed == 0, 0, weighed * (top - converted(picked, np.float64)))
    return np.concatenate([sums, np.stack([weighed, np.where(np.isneginf(top), 0, far)])])


@standard_arithmetic()
def _combined(parts: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    sums = statistics.combined(parts[:SUMS], axis, keepdims)
    (axes,) = axis
    tops, (weighed, far) = parts[0], parts[SUMS:]
    far = far + np.where(weighed == 0, 0, weighed * np.where(tops == sums[0], 0, sums[0] - tops))
    return np.concatenate([sums, np.stack([each.sum(axis=axes - 1, keepdims=True) for each in (weighed, far)])])


@standard_arithmetic()
def _losses_of_sums(rows: Any, sums: Any, targets: Any, *, axis: int, ignore: int) -> Any:
    weighed, far = sums[SUMS:]
    losses = weighed * statistics.log_of_sum(sums) + far
    return losses if targets is None else np.where(targets != ignore, losses, 0)


@standard_arithmetic()
def _gradients(
    x: Any, targets: Any, weight: Any, places: Any, sums: Any, count: Any, *, axis: int, wide: Any, backend: Any,
    to: Any, **known: Any,
) -> Any:  # fmt: skip
    y = softmax_of_block(x, None, 1.0, sums[:SUMS], sign=1, wide=wide, to=np.dtype(np.float64))
    grad = sums[SUMS] * y - _weights(targets, weight, places, **known)
    if count is not None:
        grad *= _factor(count)
    return converted(grad if known["dense"] else np.where(targets != known["ignore"], grad, 0), to)
