"""Calls of losses on arrays of the GPU, and of those over an axis on host arrays, which are copied there and back.

The arguments are those of the public functions in fastact/losses.py, which has checked the numbers among them. Nothing
waits for the GPU, so that targets cannot be refused: one that is no class makes its loss and gradient NaN.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from fastact._core.arrays import DOUBLE, PYTHON_NUMBERS, float_dtype, loss_dtype, wide_dtype
from fastact._core.devices import on_gpu
from fastact.backends.cuda.calls.elementwise import addresses, contiguous, copy_to, elementwise, items_of, placed, same
from fastact.backends.cuda.kernels.groups import RowTraits, layout_of
from fastact.backends.cuda.kernels.losses import (
    TargetTraits,
    count_kernel,
    loss_kernel,
    nll_kernel,
    sums_kernel,
    total_kernel,
)
from fastact.backends.cuda.launching import Call, call_on
from fastact.backends.cuda.libraries import common_library, put, view_of, views_of
from fastact.backends.cuda.views import View, check_out

__all__ = ["cross_entropy", "elementwise_loss", "nll_loss"]

LONG = np.dtype(np.int64)

#: Threads of a block that adds up alone, of other blocks, and how many of these there are at most.
ALONE = 1024
THREADS = 256
BLOCKS = 1024
#: From how many losses on several blocks add them first.
MANY = 1 << 16


def cross_entropy(
    logits: Any, targets: Any, axis: int, weight: Any, ignore: int, smoothing: float, reduction: str, gradient: bool,
    out: Any,
) -> tuple[Any, Any]:  # fmt: skip
    """The loss and, if wanted, its gradient."""
    if not (on_gpu(logits) or on_gpu(targets)):
        moved = put(np.asarray(logits)), put(np.asarray(targets))
        value, grad = cross_entropy(*moved, axis, weight, ignore, smoothing, reduction, gradient, None)
        value, grad = value.copy_to_host(), None if grad is None else grad.copy_to_host()
        if out is not None:
            out[...] = grad
        return value[()], grad if out is None else out
    views = views_of([logits, targets, *([] if out is None else [out])])
    library = common_library("cross_entropy", views)
    x, y = views[:2]
    dtype, axis, n, shape = _classes("cross_entropy", x, axis)
    dense = y.dtype.kind not in "biu"
    _refuse_uint64(y)
    if y.shape != (x.shape if dense else shape):
        wanted = f"classes have {shape}, the shape of logits without their axis, and probabilities {x.shape}"
        raise ValueError(f"targets has shape {y.shape}; {wanted}")
    target = None if out is None else views[2]
    if target is not None:
        check_out(target, x.shape, dtype)
    weights = None if weight is None else _weights(weight, n, x)
    rows, inner, wide = math.prod(shape), math.prod(x.shape[axis + 1 :]), wide_dtype(dtype)
    with call_on(library, [view for view in (*views, weights) if view is not None]) as call:
        x = contiguous(call, x, dtype)
        y = contiguous(call, y, LONG if not dense else dtype if y.dtype == dtype else wide)
        weights = None if weights is None else contiguous(call, weights, DOUBLE)
        values, scale = call.new(shape, wide), call.new((1,), DOUBLE)
        direct = target is not None and target.contiguous() and not (target.hides(x) or target.hides(y))
        grad = target if direct else call.new(x.shape, dtype) if gradient else x
        assert grad is not None
        if reduction == "mean" and not dense:
            _count(call, y, n, ignore, weights, scale)
        else:
            copy_to(call, _share(reduction, rows), scale)
        if rows:
            layout = layout_of(n, inner, wide.itemsize)
            kind = TargetTraits(gradient, weights is not None, smoothing > 0, y.dtype.name if dense else "")
            call.launch(
                loss_kernel, (layout, RowTraits(dtype.name, dtype.name), kind),
                [x, y, values, scale, grad, *_some(weights)], -(-rows // layout.rows), layout.block,
                [
                    x.pointer, grad.pointer, values.pointer, rows, n, inner, y.pointer, ignore,
                    wide.type(1 - smoothing), wide.type(smoothing / n), *_pointers(weights), scale.pointer,
                ],
            )  # fmt: skip
        value = _reduced(call, values, reduction, scale, dtype)
        if target is not None and not direct:
            copy_to(call, grad, target)
    return library.finished(value), (out if out is not None else library.finished(grad)) if gradient else None


def nll_loss(log_probabilities: Any, targets: Any, axis: int, weight: Any, ignore: int, reduction: str) -> Any:
    """The loss."""
    if not (on_gpu(log_probabilities) or on_gpu(targets)):
        moved = put(np.asarray(log_probabilities)), put(np.asarray(targets))
        return nll_loss(*moved, axis, weight, ignore, reduction).copy_to_host()[()]
    views = views_of([log_probabilities, targets])
    library = common_library("nll_loss", views)
    x, y = views
    dtype, axis, n, shape = _classes("nll_loss", x, axis)
    if y.dtype.kind not in "biu":
        raise TypeError(f"targets has dtype {y.dtype}; classes are integers")
    _refuse_uint64(y)
    if y.shape != shape:
        raise ValueError(f"targets has shape {y.shape}; classes have {shape}, the shape of logits without their axis")
    weights = None if weight is None else _weights(weight, n, x)
    rows, inner, wide = math.prod(shape), math.prod(x.shape[axis + 1 :]), wide_dtype(dtype)
    with call_on(library, [*views, *_some(weights)]) as call:
        x, y = contiguous(call, x, dtype), contiguous(call, y, LONG)
        weights = None if weights is None else contiguous(call, weights, DOUBLE)
        values, scale = call.new(shape, wide), call.new((1,), DOUBLE)
        if reduction == "mean":
            _count(call, y, n, ignore, weights, scale)
        else:
            copy_to(call, 1.0, scale)
        if rows:
            parameters = dtype.name, weights is not None, THREADS
            arguments = [x.pointer, values.pointer, rows, n, inner, y.pointer, ignore, *_pointers(weights)]
            views = [x, y, values, *_some(weights)]
            call.launch(nll_kernel, parameters, views, -(-rows // THREADS), THREADS, arguments)
        return library.finished(_reduced(call, values, reduction, scale, dtype))


def elementwise_loss(
    operation: Any, x: Any, target: Any, parameters: list[Any], reduction: str, gradient: bool, out: Any
) -> tuple[Any, Any]:
    """The loss of arrays on the GPU and, if `operation` gives it beside its values, the gradient of their mean or sum.

    A value is not stored unless it is asked for: each block adds those of its elements.
    """
    views = views_of([x, target, *parameters, *([] if out is None else [out])])
    library = common_library(operation.name, views)
    given, goal = views[: 2 + len(parameters)], None if out is None else views[-1]
    arrays = [each for each in given if isinstance(each, View)]
    shape = np.broadcast_shapes(*(each.shape for each in arrays))
    size = math.prod(shape)
    kinds: list[Any] = [type(each) if type(each) in PYTHON_NUMBERS else each.dtype for each in given[:2]]
    dtype = loss_dtype(operation.name, *kinds)
    if goal is not None:
        check_out(goal, shape, dtype)
    if gradient:  # its factor is an operand
        given.insert(2, _share(reduction, size))
    if reduction == "none":
        operands = tuple(each.array if isinstance(each, View) else each for each in given)
        found = elementwise(operation, operands, {"dtype": dtype, "out": None if out is None else (None, out)})
        return found if gradient else (found, None)
    wide = wide_dtype(dtype)
    with call_on(library, [*arrays, *_some(goal)]) as call:
        direct = goal is not None and goal.contiguous() and not any(map(goal.hides, arrays))
        grad = goal if direct else call.new(shape, dtype) if gradient else None
        places = placed(shape, given, _some(grad))
        blocks = min(BLOCKS, -(-size // THREADS))
        sums, scale = call.new((2 * blocks,), wide), call.new((1,), DOUBLE)
        if size:
            kind = operation.jitted, items_of(given), dtype, gradient, len(places.shape), THREADS
            call.launch(
                sums_kernel, kind, [*arrays, sums, *_some(grad)], blocks, THREADS,
                [*addresses(given, dtype), *places.steps, *_pointers(grad), sums.pointer, *places.shape, size],
            )  # fmt: skip
        copy_to(call, _share(reduction, size), scale)
        value = _reduced(call, sums, reduction, scale, dtype)
        if goal is not None and not direct:
            assert grad is not None
            copy_to(call, grad, goal)
    return library.finished(value), out if out is not None else library.finished(grad) if grad is not None else None


# --- parts ------------------------------------------------------------------------------------------------------------


def _some(view: View | None) -> list[View]:
    return [] if view is None else [view]


def _pointers(view: View | None) -> list[int]:
    return [each.pointer for each in _some(view)]


def _classes(name: str, x: View, axis: int) -> tuple[np.dtype[Any], int, int, tuple[int, ...]]:
    """The dtype of the result, the axis counted from 0, how many classes there are, and the shape of the losses."""
    axis = normalize_axis_index(axis, len(x.shape))
    if x.shape[axis] == 0:
        raise ValueError(f"logits has shape {x.shape}: there are no classes along axis {axis}")
    return float_dtype(name, x.dtype), axis, x.shape[axis], x.shape[:axis] + x.shape[axis + 1 :]


def _weights(weight: Any, n: int, x: View) -> View:
    """The weights of classes, of host memory copied."""
    if on_gpu(weight):
        weights = view_of(weight)
        common_library("weight", [x, weights])
    else:
        weights = view_of(common_library("weight", [x]).put(np.ascontiguousarray(weight, DOUBLE), x))
    if weights.shape != (n,):
        raise ValueError(f"weight has shape {weights.shape}; {n} classes have ({n},)")
    return weights


def _refuse_uint64(targets: View) -> None:
    """Some of these numbers would turn into classes, or the one to ignore, as int64."""
    if targets.dtype == np.uint64:
        raise TypeError("targets on the GPU has dtype uint64; convert it to int64")


def _share(reduction: str, count: int) -> float:
    """What a loss is multiplied with."""
    return 1.0 if reduction != "mean" else 1 / count if count else math.nan


def _count(call: Call, targets: View, n: int, ignore: int, weights: View | None, scale: View) -> None:
    """scale[0] = 1 / what the targets weigh."""
    rows = math.prod(targets.shape)
    blocks = max(1, min(BLOCKS, -(-rows // THREADS)))
    sums = call.new((2 * blocks,), DOUBLE)
    arguments = [targets.pointer, rows, n, ignore, *_pointers(weights), sums.pointer]
    views = [targets, sums, *_some(weights)]
    call.launch(count_kernel, (weights is not None, THREADS), views, blocks, THREADS, arguments)
    _total(call, sums, scale, scale, True)


def _reduced(call: Call, values: View, reduction: str, scale: View, dtype: np.dtype[Any]) -> View:
    """The values themselves, or scale[0] times their sum, in the dtype of the result."""
    if reduction == "none":
        return contiguous(call, values, dtype)
    count = math.prod(values.shape)
    if count > MANY:  # too many for one block
        sums = call.new((2 * BLOCKS,), values.dtype)
        kind = same, (values.dtype,), values.dtype, False, 1, THREADS
        arguments = [values.pointer, 1, sums.pointer, count, count]
        call.launch(sums_kernel, kind, [values, sums], BLOCKS, THREADS, arguments)
        values = sums
    total = call.new((), dtype)
    _total(call, values, scale, total, False)
    return total


def _total(call: Call, values: View, scale: View, out: View, inverse: bool) -> None:
    """out[0] = scale[0] * sum(values), or 1 / sum(values)."""
    arguments = [values.pointer, math.prod(values.shape), scale.pointer, out.pointer]
    parameters = values.dtype.name, out.dtype.name, inverse, ALONE
    call.launch(total_kernel, parameters, [values, scale, out], 1, ALONE, arguments)
