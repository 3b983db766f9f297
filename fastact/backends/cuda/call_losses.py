"""Calls of cross-entropy on arrays of the GPU, and on host arrays, which are copied there and back."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from fastact._axes import float_dtype, wide_dtype
from fastact._errors import BackendError

from . import loss_kernels
from .arrays import View, check_out, common_library, current_device, launch, new, put, views_of
from .call_elementwise import contiguous, copy_to
from .compiling import loss_kernel, register
from .loss_kernels import Targets
from .rows import MOST_THREADS, Layout, Options, layout_of

__all__ = ["cross_entropy"]

#: The kernels that go over all rows have one block.
ONE_BLOCK = Layout(MOST_THREADS, 1, False)


def cross_entropy(
    logits: Any, targets: Any, axis: int, weight: Any, ignore: int, smoothing: float, reduction: str, gradient: bool,
    out: Any,
) -> tuple[Any, Any]:  # fmt: skip
    """The loss and, if wanted, its gradient, with the arguments of `fastact.cross_entropy`; its numbers are checked.

    Nothing waits for the GPU, so that targets cannot be refused: one that is no class makes its loss and gradient NaN.
    """
    register()
    given = [each for each in (logits, targets, out) if each is not None]
    views = views_of(given)
    if not any(isinstance(view, View) for view in views):
        moved = put(np.asarray(logits)), put(np.asarray(targets))
        value, grad = cross_entropy(*moved, axis, weight, ignore, smoothing, reduction, gradient, None)
        value, grad = value.copy_to_host(), None if grad is None else grad.copy_to_host()
        if out is not None:
            out[...] = grad
        return value[()], grad if out is None else out
    library = common_library("cross_entropy", views)
    x, y = views[:2]
    dtype = float_dtype("cross_entropy", x.dtype)
    axis = normalize_axis_index(axis, len(x.shape))
    n, shape = x.shape[axis], x.shape[:axis] + x.shape[axis + 1 :]
    if n == 0:
        raise ValueError(f"logits has shape {x.shape}: there are no classes along axis {axis}")
    if y.dtype.kind not in "iu":
        raise BackendError("cross_entropy: backend 'cuda' takes targets that are classes, not probabilities")
    if y.shape != shape:
        raise ValueError(f"targets has shape {y.shape}; classes have {shape}, the shape of logits without their axis")
    target = None if out is None else views[2]
    if target is not None:
        check_out(target, x.shape, dtype)
    weights = None
    if weight is not None:
        if not hasattr(weight, "__cuda_array_interface__"):
            weight = library.put(np.ascontiguousarray(weight, np.float64), x.array)
        weights = View.of(weight)
        if weights.shape != (n,):
            raise ValueError(f"weight has shape {weights.shape}; {n} classes have ({n},)")
    rows, inner, wide = math.prod(shape), math.prod(x.shape[axis + 1 :]), wide_dtype(dtype)
    with current_device([view for view in (*views, weights) if view is not None]) as capability:
        x = contiguous(capability, library, x, dtype)
        y = contiguous(capability, library, y, np.dtype(np.int64))
        if weights is not None:
            weights = contiguous(capability, library, weights, np.dtype(np.float64))
        values, scale = new(library, shape, wide, x), new(library, (1,), np.dtype(np.float64), x)
        direct = target is not None and target.contiguous() and not target.hides(x)
        grad = target if direct else new(library, x.shape, dtype, x) if gradient else x
        assert grad is not None
        options = Options(dtype.name, dtype.name)
        kind = Targets(gradient, weights is not None, smoothing > 0)
        used = [x, y, values, scale, grad, *([] if weights is None else [weights])]
        weight_pointers = [] if weights is None else [weights.pointer]

        def run(template: Callable[..., Any], layout: Layout, grid: int, *arguments: Any) -> None:
            kernel = loss_kernel(template, layout, options, kind, capability)
            launch(kernel, library, used, grid, layout.threads * layout.rows, arguments)

        if reduction == "mean":
            run(loss_kernels.count_kernel, ONE_BLOCK, 1, y.pointer, rows, n, ignore, *weight_pointers, scale.pointer)
        else:
            copy_to(capability, library, 1.0, scale)
        if rows:
            layout = layout_of(rows, n, inner)._replace(parts=1)
            run(
                loss_kernels.loss_kernel, layout, -(-rows // layout.rows), x.pointer, grad.pointer, values.pointer,
                rows, n, inner, y.pointer, ignore, wide.type(1 - smoothing), wide.type(smoothing / n),
                *weight_pointers, scale.pointer,
            )  # fmt: skip
        if reduction == "none":
            value = values
            if dtype != wide:
                value = new(library, shape, dtype, x)
                copy_to(capability, library, values, value)
        else:
            value = new(library, (), dtype, x)
            used.append(value)
            run(loss_kernels.total_kernel, ONE_BLOCK, 1, values.pointer, rows, scale.pointer, value.pointer)
        if target is not None and not direct:
            copy_to(capability, library, grad, target)
    return value.array, (out if out is not None else grad.array) if gradient else None
