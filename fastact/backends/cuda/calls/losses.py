"""Calls of losses for arrays on the GPU, and for host arrays, which are copied there and back.

No call waits for the GPU, so that none can refuse targets: one that is no class makes its loss and gradient NaN.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastact._core.arguments import ClassLossArguments, ElementwiseLossArguments, share
from fastact._core.arrays import DOUBLE, wide_dtype
from fastact.backends.cuda.calls.elementwise import addresses, contiguous, copy_to, elementwise, items_of, placed, same
from fastact.backends.cuda.dtypes import name_of
from fastact.backends.cuda.kernels.layouts import RowTraits, each_alone, layout_of
from fastact.backends.cuda.kernels.losses import (
    TargetTraits,
    count_kernel,
    loss_kernel,
    nll_kernel,
    sums_kernel,
    total_kernel,
)
from fastact.backends.cuda.launching import Call, call_on
from fastact.backends.cuda.libraries import Library, common_library, put, view_of
from fastact.backends.cuda.views import View

__all__ = ["cross_entropy", "elementwise_loss", "nll_loss"]

LONG = np.dtype(np.int64)

#: Threads of a block that adds up alone.
ALONE = 1024
#: Threads of other blocks, and how many blocks there are at most.
THREADS = 256
BLOCKS = 1024
#: If there are more losses than this, several blocks add them first.
MANY = 1 << 16


def cross_entropy(record: ClassLossArguments) -> tuple[Any, Any]:
    """The loss and, if wanted, its gradient."""
    if isinstance(record.x, View) or isinstance(record.targets, View):
        return _cross_entropy(record)
    value, grad = _cross_entropy(_moved(record))
    return value.copy_to_host()[()], None if grad is None else _to_host(grad, record.out)


def _cross_entropy(record: ClassLossArguments) -> tuple[Any, Any]:
    x, y, n, inner, dense, goal = record.x, record.targets, record.classes, record.inner, record.dense, record.out
    library, weights = _beside(record, _some(goal))
    dtype, wide, smoothing = record.dtype, wide_dtype(record.dtype), record.label_smoothing
    with call_on(library, [x, y, *_some(goal), *_some(weights)]) as call:
        x = contiguous(call, x, dtype)
        y = contiguous(call, y, LONG if not dense else dtype if y.dtype == dtype else wide)
        weights = None if weights is None else contiguous(call, weights, DOUBLE)
        values = call.new(record.shape, wide)
        direct = goal is not None and goal.contiguous() and not (goal.hides(x) or goal.hides(y))
        grad = goal if direct else call.new(x.shape, dtype) if record.gradient else x
        scale = share(record.reduction, record.size) if dense else _scale(call, record, y, weights)
        if record.size:
            layout = layout_of(n, inner, wide.itemsize)
            probabilities = name_of(y.dtype) if dense else ""
            kind = TargetTraits(
                record.gradient, weights is not None, smoothing > 0, isinstance(scale, View), probabilities
            )
            call.launch(
                loss_kernel, (layout, RowTraits(name_of(dtype), name_of(dtype)), kind),
                [x, y, values, grad, *_some(weights), *_some(scale)], -(-record.size // layout.rows), layout.block,
                [
                    x.pointer, grad.pointer, values.pointer, record.size, n, inner, y.pointer, record.ignore_index,
                    wide.type(1 - smoothing), wide.type(smoothing / n), *_pointers(weights), _argument(scale),
                ],
            )  # fmt: skip
        value = _reduced(call, values, record.reduction, scale, dtype)
        if goal is not None and not direct:
            copy_to(call, grad, goal)
    gradient = None if not record.gradient else library.finished(grad) if goal is None else goal.array
    return library.finished(value), gradient


def nll_loss(record: ClassLossArguments) -> Any:
    """The loss."""
    if isinstance(record.x, View) or isinstance(record.targets, View):
        return _nll_loss(record)
    return _nll_loss(_moved(record)).copy_to_host()[()]


def _nll_loss(record: ClassLossArguments) -> Any:
    library, weights = _beside(record, [])
    dtype, inner = record.dtype, record.inner
    with call_on(library, [record.x, record.targets, *_some(weights)]) as call:
        x, y = contiguous(call, record.x, dtype), contiguous(call, record.targets, LONG)
        weights = None if weights is None else contiguous(call, weights, DOUBLE)
        values = call.new(record.shape, wide_dtype(dtype))
        scale = _scale(call, record, y, weights)
        if record.size:
            numbers = [record.size, record.classes, inner, y.pointer, record.ignore_index, *_pointers(weights)]
            call.launch(
                nll_kernel, (name_of(dtype), weights is not None, each_alone(THREADS, inner)),
                [x, y, values, *_some(weights)], -(-record.size // THREADS), THREADS,
                [x.pointer, values.pointer, *numbers],
            )  # fmt: skip
        return library.finished(_reduced(call, values, record.reduction, scale, dtype))


def elementwise_loss(operation: Any, record: ElementwiseLossArguments) -> tuple[Any, Any]:
    """The loss and, if `operation` gives a gradient beside the values, that of their mean or sum."""
    if any(isinstance(each, View) for each in record.operands):
        return _elementwise_loss(operation, record)
    hosts = [each if isinstance(each, float) or each.ndim else each.item() for each in record.operands]
    if not record.shape:  # an array has to carry the result
        hosts[0] = np.array([hosts[0]], record.operands[0].dtype)
    moved = tuple(view_of(put(each)) if isinstance(each, np.ndarray) else each for each in hosts)
    value, grad = _elementwise_loss(operation, record._replace(operands=moved, shape=record.shape or (1,), out=None))
    value = value.copy_to_host().reshape(record.shape if record.reduction == "none" else ())[()]
    return value, None if grad is None else _to_host(grad.reshape(record.shape), record.out)


def _elementwise_loss(operation: Any, record: ElementwiseLossArguments) -> tuple[Any, Any]:
    """The same for arrays on the GPU.

    Values are stored for reduction="none" alone; for others each block adds those of its elements.
    """
    shape, dtype, goal, gradient = record.shape, record.dtype, record.out, record.gradient
    given = [each.item() if isinstance(each, np.ndarray) and not each.ndim else each for each in record.operands]
    library = common_library(operation.name, [*given, *_some(goal)])
    arrays = [each for each in given if isinstance(each, View)]
    size, scale = math.prod(shape), record.scale
    if gradient:  # an operand is its factor
        given.insert(2, scale)
    if record.reduction == "none":
        operands = tuple(each.array if isinstance(each, View) else each for each in given)
        out = None if goal is None else (None, goal.array)
        found = elementwise(operation, operands, {"dtype": dtype, "out": out})
        return found if gradient else (found, None)
    wide = wide_dtype(dtype)
    with call_on(library, [*arrays, *_some(goal)]) as call:
        direct = goal is not None and goal.contiguous() and not any(map(goal.hides, arrays))
        grad = goal if direct else call.new(shape, dtype) if gradient else None
        places = placed(shape, given, _some(grad))
        blocks = min(BLOCKS, -(-size // THREADS))
        sums = call.new((2 * blocks,), wide)
        if size:
            kind = operation.jitted, items_of(given), dtype, gradient, len(places.shape), THREADS
            call.launch(
                sums_kernel, kind, [*arrays, sums, *_some(grad)], blocks, THREADS,
                [*addresses(given, dtype), *places.steps, *_pointers(grad), sums.pointer, *places.shape, size],
            )  # fmt: skip
        value = _reduced(call, sums, record.reduction, scale, dtype)
        if goal is not None and not direct:
            assert grad is not None
            copy_to(call, grad, goal)
    found_grad = None if grad is None else library.finished(grad) if goal is None else goal.array
    return library.finished(value), found_grad


# --- arguments --------------------------------------------------------------------------------------------------------


def _moved(record: ClassLossArguments) -> ClassLossArguments:
    """The record with copies on the GPU in the place of host arrays."""
    return record._replace(x=view_of(put(record.x)), targets=view_of(put(record.targets)), out=None)


def _to_host(grad: Any, out: np.ndarray | None) -> Any:
    """A gradient of Numba's as a host array, or in `out`."""
    found = grad.copy_to_host()
    if out is None:
        return found[()]
    out[...] = found
    return out


def _beside(record: ClassLossArguments, goal: list[View]) -> tuple[Library, View | None]:
    """The library of all arrays, and the weights on their device.

    Raise TypeError where arrays are on both sides, and for targets of uint64, some of whose numbers would turn into
    classes, or the one to ignore, as int64.
    """
    if record.targets.dtype == np.uint64:
        raise TypeError("targets on the GPU has dtype uint64; convert it to int64")
    weight = record.weight
    library = common_library(record.name, [record.x, record.targets, *_some(weight), *goal])
    return library, view_of(library.put(weight, record.x)) if isinstance(weight, np.ndarray) else weight


# --- parts ------------------------------------------------------------------------------------------------------------


def _some(view: Any) -> list[View]:
    """The view in a list, which is empty for None and for a number."""
    return [view] if isinstance(view, View) else []


def _pointers(view: View | None) -> list[int]:
    """The argument that a view is, if there is one."""
    return [each.pointer for each in _some(view)]


def _scale(call: Call, record: ClassLossArguments, targets: View, weights: View | None) -> View | float:
    """The factor of the sum of losses: a number, or an array of one, the reciprocal of what the targets weigh."""
    if record.reduction != "mean":
        return 1.0
    scale = call.new((1,), DOUBLE)
    blocks = max(1, min(BLOCKS, -(-record.size // THREADS)))
    sums = call.new((2 * blocks,), DOUBLE)
    arguments = [targets.pointer, record.size, record.classes, record.ignore_index, *_pointers(weights), sums.pointer]
    views = [targets, sums, *_some(weights)]
    call.launch(count_kernel, (weights is not None, THREADS), views, blocks, THREADS, arguments)
    _total(call, sums, 1.0, scale, True)
    return scale


def _argument(scale: View | float) -> Any:
    """The argument `scale` of kernels."""
    return scale.pointer if isinstance(scale, View) else np.float64(scale)


def _reduced(call: Call, values: View, reduction: str, scale: View | float, dtype: np.dtype[Any]) -> View:
    """The values themselves, or their sum times `scale`, in the dtype of the result."""
    if reduction == "none":
        return contiguous(call, values, dtype)
    count = math.prod(values.shape)
    if count > MANY:  # too many for one block
        sums = call.new((2 * BLOCKS,), values.dtype)
        parameters = same, (values.dtype,), values.dtype, False, 1, THREADS
        call.launch(
            sums_kernel, parameters, [values, sums], BLOCKS, THREADS, [values.pointer, 1, sums.pointer, count, count]
        )  # fmt: skip
        values = sums
    total = call.new((), dtype)
    _total(call, values, scale, total, False)
    return total


def _total(call: Call, values: View, scale: View | float, out: View, inverse: bool) -> None:
    """out[0] = scale * sum(values), or scale / sum(values)."""
    parameters = name_of(values.dtype), name_of(out.dtype), isinstance(scale, View), inverse, ALONE
    arguments = [values.pointer, math.prod(values.shape), _argument(scale), out.pointer]
    call.launch(total_kernel, parameters, [values, out, *_some(scale)], 1, ALONE, arguments)
