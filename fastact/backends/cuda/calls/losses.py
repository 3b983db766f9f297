"""Calls of losses for arrays on the GPU, and for host arrays, which are copied there and back.

No call waits for the GPU, so that none can refuse targets: one that is no class makes its loss and gradient NaN.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastact._core.arguments import ClassLossArguments, ElementwiseLossArguments, share
from fastact._core.arrays import DOUBLE, wide_dtype
from fastact.backends.cuda.calls.elementwise import addresses, contiguous, copy_to, elementwise, items_of, placed
from fastact.backends.cuda.compiling import Template
from fastact.backends.cuda.dtypes import name_of
from fastact.backends.cuda.kernels.layouts import RowTraits, each_alone, layout_of, parts_of
from fastact.backends.cuda.kernels.losses import TargetTraits, loss_kernel, loss_parts_kernel
from fastact.backends.cuda.kernels.sums import count_kernel, nll_kernel, sums_kernel, total_kernel
from fastact.backends.cuda.launching import Call, call_on
from fastact.backends.cuda.libraries import Library, common_library, put, view_of
from fastact.backends.cuda.views import View

__all__ = ["cross_entropy", "elementwise_loss", "nll_loss"]

LONG = np.dtype(np.int64)

#: Threads of a block that adds float64, of which only the least number of blocks are wanted.
ALONE = 1024
#: How many blocks count what targets weigh, at most; each block of the next kernel adds what they found.
COUNTING = 128
#: Threads of other blocks, and how many of these add an elementwise loss, at most.
THREADS = 256
BLOCKS = 1024


def cross_entropy(record: ClassLossArguments) -> tuple[Any, Any]:
    """The loss and, if wanted, its gradient."""
    if isinstance(record.x, View) or isinstance(record.targets, View):
        return _cross_entropy(record)
    value, grad = _cross_entropy(_moved(record))
    return value.copy_to_host()[()], None if grad is None else _to_host(grad, record.out)


def _cross_entropy(record: ClassLossArguments) -> tuple[Any, Any]:
    x, y, n, inner, dense, goal = record.x, record.targets, record.classes, record.inner, record.dense, record.out
    library, weights = _beside(record, _some(goal))
    dtype, wide, smoothing, rows = record.dtype, wide_dtype(record.dtype), record.label_smoothing, record.size
    reduced = record.reduction != "none"
    with call_on(library, [x, y, *_some(goal), *_some(weights)]) as call:
        x = contiguous(call, x, dtype)
        y = contiguous(call, y, LONG if not dense else dtype if y.dtype == dtype else wide)
        weights = None if weights is None else contiguous(call, weights, DOUBLE)
        direct = goal is not None and goal.contiguous() and not (goal.hides(x) or goal.hides(y))
        grad = goal if direct else call.new(x.shape, dtype) if record.gradient else x
        layout = layout_of(n, inner, wide.itemsize)
        grid = -(-rows // layout.rows)
        parts = parts_of(layout, rows, n, wide.itemsize, twice=record.gradient) if rows else None
        values = call.new((grid if parts is None else rows,), DOUBLE) if reduced else call.new(record.shape, dtype)
        template: Template = loss_kernel
        middle: list[View] = []
        if parts is not None:
            groups = -(-grid // parts.together)
            template, grid = loss_parts_kernel, 2 * groups * parts.together * parts.parts
            middle = [call.new(((6 * parts.parts + 1) * rows,), wide), call.new((1 + groups,), np.dtype(np.int32))]
        scale: View | float = share(record.reduction, rows)
        if record.reduction == "mean" and not dense:
            scale = _counted(call, record, y, weights, middle[1:])
        elif middle:
            copy_to(call, 0, middle[1])
        if rows:
            kind = TargetTraits(
                record.gradient, weights is not None, smoothing > 0, isinstance(scale, View), reduced,
                name_of(y.dtype) if dense else "",
            )  # fmt: skip
            call.launch(
                template, (layout, RowTraits(name_of(dtype), name_of(dtype)), kind),
                [x, y, values, grad, *middle, *_some(weights), *_some(scale)], grid, layout.block,
                [
                    x.pointer, grad.pointer, values.pointer, *(each.pointer for each in middle), *(parts or ()),
                    rows, n, inner, y.pointer, record.ignore_index, wide.type(1 - smoothing), wide.type(smoothing / n),
                    *_pointers(weights), *_factor(scale),
                ],
            )  # fmt: skip
        value = _total(call, values, scale, dtype) if reduced else values
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
        numbers = [record.size, record.classes, inner, y.pointer, record.ignore_index, *_pointers(weights)]
        views = [x, y, *_some(weights)]
        if record.reduction == "none":
            values = call.new(record.shape, dtype)
            if record.size:
                parameters = name_of(dtype), name_of(dtype), weights is not None, each_alone(THREADS, inner)
                pointers = [x.pointer, values.pointer]
                call.launch(
                    nll_kernel, parameters, [*views, values], -(-record.size // THREADS), THREADS, [*pointers, *numbers]
                )
            return library.finished(values)
        blocks = _counting(record)
        sums, counts = call.new((blocks,), DOUBLE), call.new((blocks,), DOUBLE)
        parameters = name_of(dtype), "", weights is not None, each_alone(ALONE, inner)
        pointers = [x.pointer, sums.pointer, counts.pointer]
        call.launch(nll_kernel, parameters, [*views, sums, counts], blocks, ALONE, [*pointers, *numbers])
        return library.finished(_total(call, sums, counts if record.reduction == "mean" else 1.0, dtype))


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
    with call_on(library, [*arrays, *_some(goal)]) as call:
        direct = goal is not None and goal.contiguous() and not any(map(goal.hides, arrays))
        grad = goal if direct else call.new(shape, dtype) if gradient else None
        places = placed(shape, given, _some(grad))
        blocks = min(BLOCKS, -(-size // THREADS))
        sums = call.new((blocks,), DOUBLE)
        if size:
            kind = operation._jitted, items_of(given), dtype, gradient, len(places.shape), THREADS
            call.launch(
                sums_kernel, kind, [*arrays, sums, *_some(grad)], blocks, THREADS,
                [*addresses(given, dtype), *places.steps, *_pointers(grad), sums.pointer, *places.shape, size],
            )  # fmt: skip
        value = _total(call, sums, scale, dtype)
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


def _counting(record: ClassLossArguments) -> int:
    """How many blocks count what the targets weigh."""
    return max(1, min(COUNTING, -(-record.size // ALONE)))


def _counted(
    call: Call, record: ClassLossArguments, targets: View, weights: View | None, counters: list[View]
) -> View:  # fmt: skip
    """What the targets weigh, as sums of blocks; the counters, if there are any, become 0."""
    blocks = _counting(record)
    counts = call.new((blocks,), DOUBLE)
    reset = [counters[0].pointer, math.prod(counters[0].shape)] if counters else [0, 0]
    arguments = [targets.pointer, record.size, record.classes, record.ignore_index, *_pointers(weights)]
    views = [targets, counts, *_some(weights), *counters]
    parameters = weights is not None, ALONE
    call.launch(count_kernel, parameters, views, blocks, ALONE, [*arguments, counts.pointer, *reset])
    return counts


def _factor(scale: View | float) -> list[Any]:
    """The arguments that `scale` of kernels is: a number, or the sums of what targets weigh."""
    return [scale.pointer, math.prod(scale.shape)] if isinstance(scale, View) else [np.float64(scale)]


def _total(call: Call, sums: View, scale: View | float, dtype: np.dtype[Any]) -> View:
    """The sum of sums times `scale`."""
    total = call.new((), dtype)
    arguments = [sums.pointer, math.prod(sums.shape), *_factor(scale), total.pointer]
    parameters = name_of(dtype), isinstance(scale, View), ALONE
    call.launch(total_kernel, parameters, [sums, total, *_some(scale)], 1, ALONE, arguments)
    return total
