"""Calls of losses for arrays on the GPU; those over an axis also for host arrays, which are copied there and back.

The arguments are those of the public functions in fastact/losses, which have checked the numbers among them. No call
waits for the GPU, so that none can refuse targets: one that is no class makes its loss and gradient NaN.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from fastact._core.arguments import DOUBLE, PYTHON_NUMBERS, float_dtype, loss_dtype, wide_dtype
from fastact._core.devices import on_gpu
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
from fastact.backends.cuda.libraries import Library, common_library, put, view_of, views_of
from fastact.backends.cuda.views import View, check_out

__all__ = ["cross_entropy", "elementwise_loss", "nll_loss"]

LONG = np.dtype(np.int64)

#: Threads of a block that adds up alone.
ALONE = 1024
#: Threads of other blocks, and how many blocks there are at most.
THREADS = 256
BLOCKS = 1024
#: If there are more losses than this, several blocks add them first.
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
    rows = _classes("cross_entropy", x, axis)
    dense = y.dtype.kind not in "biu"
    if dense and y.shape != x.shape:
        raise _wrong_shape(y, rows, f", and probabilities {x.shape}")
    if not dense:
        _check_classes(y, rows, f", and probabilities {x.shape}")
    goal = None if out is None else views[2]
    if goal is not None:
        check_out(goal, x.shape, rows.dtype)
    weights = None if weight is None else _weights(weight, rows.n, x)
    value, grad = _cross_entropy(library, x, y, goal, rows, weights, ignore, smoothing, reduction, gradient)
    return library.finished(value), (out if out is not None else library.finished(grad)) if gradient else None


def _cross_entropy(
    library: Library, x: View, y: View, goal: View | None, rows: Rows, weights: View | None, ignore: int,
    smoothing: float, reduction: str, gradient: bool,
) -> tuple[View, View]:  # fmt: skip
    """The loss of checked arrays and, if wanted, its gradient, in `goal` if that is an array."""
    dense = y.dtype.kind not in "biu"
    dtype, wide = rows.dtype, wide_dtype(rows.dtype)
    with call_on(library, [x, y, *_some(goal), *_some(weights)]) as call:
        x = contiguous(call, x, dtype)
        y = contiguous(call, y, LONG if not dense else dtype if y.dtype == dtype else wide)
        weights = None if weights is None else contiguous(call, weights, DOUBLE)
        values = call.new(rows.shape, wide)
        direct = goal is not None and goal.contiguous() and not (goal.hides(x) or goal.hides(y))
        grad = goal if direct else call.new(x.shape, dtype) if gradient else x
        assert grad is not None
        scale = _share(reduction, rows.losses) if dense else _scale(call, reduction, y, rows, ignore, weights)
        if rows.losses:
            layout = layout_of(rows.n, rows.inner, wide.itemsize)
            probabilities = name_of(y.dtype) if dense else ""
            kind = TargetTraits(gradient, weights is not None, smoothing > 0, isinstance(scale, View), probabilities)
            call.launch(
                loss_kernel, (layout, RowTraits(name_of(dtype), name_of(dtype)), kind),
                [x, y, values, grad, *_some(weights), *_some(scale)], -(-rows.losses // layout.rows), layout.block,
                [
                    x.pointer, grad.pointer, values.pointer, rows.losses, rows.n, rows.inner, y.pointer, ignore,
                    wide.type(1 - smoothing), wide.type(smoothing / rows.n), *_pointers(weights), _argument(scale),
                ],
            )  # fmt: skip
        value = _reduced(call, values, reduction, scale, dtype)
        if goal is not None and not direct:
            copy_to(call, grad, goal)
    return value, grad


def nll_loss(log_probabilities: Any, targets: Any, axis: int, weight: Any, ignore: int, reduction: str) -> Any:
    """The loss."""
    if not (on_gpu(log_probabilities) or on_gpu(targets)):
        moved = put(np.asarray(log_probabilities)), put(np.asarray(targets))
        return nll_loss(*moved, axis, weight, ignore, reduction).copy_to_host()[()]
    views = views_of([log_probabilities, targets])
    library = common_library("nll_loss", views)
    x, y = views
    rows = _classes("nll_loss", x, axis)
    if y.dtype.kind not in "biu":
        raise TypeError(f"targets has dtype {y.dtype}; classes are integers")
    _check_classes(y, rows)
    weights = None if weight is None else _weights(weight, rows.n, x)
    return library.finished(_nll_loss(library, x, y, rows, weights, ignore, reduction))


def _nll_loss(
    library: Library, x: View, y: View, rows: Rows, weights: View | None, ignore: int, reduction: str
) -> View:  # fmt: skip
    """The loss of checked arrays."""
    with call_on(library, [x, y, *_some(weights)]) as call:
        x, y = contiguous(call, x, rows.dtype), contiguous(call, y, LONG)
        weights = None if weights is None else contiguous(call, weights, DOUBLE)
        values = call.new(rows.shape, wide_dtype(rows.dtype))
        scale = _scale(call, reduction, y, rows, ignore, weights)
        if rows.losses:
            parameters = name_of(rows.dtype), weights is not None, each_alone(THREADS, rows.inner)
            call.launch(
                nll_kernel, parameters, [x, y, values, *_some(weights)], -(-rows.losses // THREADS), THREADS,
                [x.pointer, values.pointer, rows.losses, rows.n, rows.inner, y.pointer, ignore, *_pointers(weights)],
            )  # fmt: skip
        return _reduced(call, values, reduction, scale, rows.dtype)


def elementwise_loss(
    operation: Any, x: Any, target: Any, parameters: list[Any], reduction: str, gradient: bool, out: Any
) -> tuple[Any, Any]:
    """The loss of arrays on the GPU and, if `operation` gives a gradient beside the values, that of their mean or sum.

    Values are stored for reduction="none" alone; for others each block adds those of its elements.
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
    share = _share(reduction, size)
    if gradient:  # an operand is its factor
        given.insert(2, share)
    if reduction == "none":
        operands = tuple(each.array if isinstance(each, View) else each for each in given)
        found = elementwise(operation, operands, {"dtype": dtype, "out": None if out is None else (None, out)})
        return found if gradient else (found, None)
    value, grad = _elementwise_loss(library, operation, given, goal, shape, dtype, reduction, gradient)
    return library.finished(value), out if out is not None else library.finished(grad) if grad is not None else None


def _elementwise_loss(
    library: Library, operation: Any, given: list[Any], goal: View | None, shape: tuple[int, ...],
    dtype: np.dtype[Any], reduction: str, gradient: bool,
) -> tuple[View, View | None]:  # fmt: skip
    """The mean or sum of the loss of checked operands and, if wanted, its gradient, in `goal` if that is an array."""
    arrays, size, wide = [each for each in given if isinstance(each, View)], math.prod(shape), wide_dtype(dtype)
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
        value = _reduced(call, sums, reduction, _share(reduction, size), dtype)
        if goal is not None and not direct:
            assert grad is not None
            copy_to(call, grad, goal)
    return value, grad


# --- arguments --------------------------------------------------------------------------------------------------------


class Rows(NamedTuple):
    """The rows of logits, each with the numbers of n classes."""

    dtype: np.dtype[Any]  # of the result
    shape: tuple[int, ...]  # of the losses
    losses: int  # how many
    n: int
    inner: int  # the classes of a row are so many items apart


def _classes(name: str, x: View, axis: int) -> Rows:
    """The rows of x along an axis; raises ValueError if there are no classes, and TypeError for a wrong dtype."""
    axis = normalize_axis_index(axis, len(x.shape))
    n, shape = x.shape[axis], x.shape[:axis] + x.shape[axis + 1 :]
    if n == 0:
        raise ValueError(f"logits has shape {x.shape}: there are no classes along axis {axis}")
    return Rows(float_dtype(name, x.dtype), shape, math.prod(shape), n, math.prod(x.shape[axis + 1 :]))


def _check_classes(targets: View, rows: Rows, more: str = "") -> None:
    """Raise TypeError for uint64, some of whose numbers would turn into classes, or the one to ignore, as int64; raise
    ValueError for another shape than that of the losses."""
    if targets.dtype == np.uint64:
        raise TypeError("targets on the GPU has dtype uint64; convert it to int64")
    if targets.shape != rows.shape:
        raise _wrong_shape(targets, rows, more)


def _wrong_shape(targets: View, rows: Rows, more: str) -> ValueError:
    wanted = f"classes have {rows.shape}, the shape of logits without their axis{more}"
    return ValueError(f"targets has shape {targets.shape}; {wanted}")


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


# --- parts ------------------------------------------------------------------------------------------------------------


def _some(view: Any) -> list[View]:
    """The view in a list, which is empty for None and for a number."""
    return [view] if isinstance(view, View) else []


def _pointers(view: View | None) -> list[int]:
    """The argument that a view is, if there is one."""
    return [each.pointer for each in _some(view)]


def _share(reduction: str, count: int) -> float:
    """The factor of the sum of so many losses."""
    return 1.0 if reduction != "mean" else 1 / count if count else math.nan


def _scale(call: Call, reduction: str, targets: View, rows: Rows, ignore: int, weights: View | None) -> View | float:
    """The factor of the sum of losses: a number, or an array of one, the reciprocal of what the targets weigh."""
    if reduction != "mean":
        return 1.0
    scale = call.new((1,), DOUBLE)
    blocks = max(1, min(BLOCKS, -(-rows.losses // THREADS)))
    sums = call.new((2 * blocks,), DOUBLE)
    arguments = [targets.pointer, rows.losses, rows.n, ignore, *_pointers(weights), sums.pointer]
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
