"""Calls of the softmax family for arrays on the GPU, and for host arrays, which are copied there and back.

`softmax` and `softmax_on_device` check what users wrote; `_over_axes` and what it calls take views and checked options.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit

from fastact._core.arguments import (
    PYTHON_NUMBERS,
    Options,
    as_dtype,
    as_lengths,
    as_mask,
    as_temperature,
    check_lengths,
    check_mask,
    check_temperature,
    float_dtype,
    normalize_axes,
    reduced,
    wide_dtype,
)
from fastact.backends.cuda.calls.elementwise import contiguous, copy_to, run
from fastact.backends.cuda.calls.host import CHUNK, in_chunks
from fastact.backends.cuda.compiling import Template
from fastact.backends.cuda.dtypes import name_of
from fastact.backends.cuda.kernels.layouts import RowTraits, layout_of, parts_of
from fastact.backends.cuda.kernels.softmax import parts_kernel, row_kernel
from fastact.backends.cuda.kernels.sparse import STEPS, sparse_kernel
from fastact.backends.cuda.launching import Call, call_on
from fastact.backends.cuda.libraries import LIBRARIES, Library, common_library, put, view_of, views_of
from fastact.backends.cuda.views import View, check_out, merge
from fastact.errors import BackendError

__all__ = ["softmax", "softmax_on_device"]


def softmax(kind: str, arrays: tuple[Any, ...], axes: tuple[int, ...], out: Any, options: Any = None) -> Any:
    """Compute a function for checked host arrays: forward for (x,), backward for two.

    Large ones go in chunks along the first axis, unless rows lie along it or have masks, lengths or temperatures.
    """
    x, options = arrays[-1], options or Options(arrays[-1].dtype)
    if "bfloat16" in (x.dtype.name, options.dtype.name):
        raise BackendError(f"{kind}: backend 'cuda' takes bfloat16 of PyTorch's tensors, not of host arrays")
    tempered = isinstance(options.temperature, np.ndarray)
    divisor, temperatures = (1.0, options.temperature) if tempered else (options.temperature, None)
    beside = options.where, options.lengths, temperatures
    mask, counts, divisors = (None if each is None else view_of(put(each)) for each in beside)

    def compute(operands: list[Any], results: list[Any]) -> View:
        """Compute to a new array, or to the one given."""
        views, target = [view_of(each) for each in operands], view_of(results[0]) if results else None
        rest = options.dtype, mask, counts, options.causal, divisor, divisors
        return _over_axes(kind, LIBRARIES["numba"], views, target, axes, *rest)

    apart = x.ndim > 1 + options.causal and 0 not in axes and beside == (None, None, None)
    if apart and x.nbytes > CHUNK:
        shape = reduced(x.shape, axes) if kind == "logsumexp" and len(arrays) == 1 else x.shape
        result = np.empty(shape, options.dtype) if out is None else out
        in_chunks(compute, list(arrays), [result], options.dtype)
        return result
    result = compute([put(each) for each in arrays], []).array.copy_to_host()
    if out is None:
        return result
    out[...] = result
    return out


def softmax_on_device(
    function: Any, operands: tuple[Any, ...], axis: Any, where: Any, lengths: Any, temperature: Any, out: Any,
    dtype: Any, keepdims: bool,
) -> Any:  # fmt: skip
    """Compute a function whose x is on the GPU, with the arguments as its users write them."""
    kind, name = function.kind, function.name
    given = views_of([*operands, *([] if out is None else [out])])
    where, lengths, temperature = views_of([where, lengths, temperature])
    beside = [each for each in (where, lengths, temperature) if isinstance(each, View)]
    library = common_library(name, [*given, *beside])
    x, target = given[len(operands) - 1], None if out is None else given[-1]
    views = [each if isinstance(each, View) else _filled(name, library, each, x) for each in given[: len(operands)]]
    whole = x.shape or (1,)
    axes = normalize_axes(axis, len(whole))
    natural = np.result_type(*(float_dtype(name, view.dtype) for view in views))
    result_dtype = natural if dtype is None else as_dtype(dtype)
    kept = reduced(x.shape, axes)
    rest = tuple(size for i, size in enumerate(x.shape) if i not in axes)
    if len(views) == 2 and views[0].shape not in ((x.shape,) if kind != "logsumexp" else (rest, kept)):
        raise ValueError(f"grad_output has shape {views[0].shape}; {name} of this has {x.shape}")
    shape = x.shape if kind != "logsumexp" or len(views) == 2 else kept if keepdims else rest
    if target is not None:
        check_out(target, shape, result_dtype)
    mask, causal = _mask_view(name, where, whole, axes)
    counts = _counts_view(library, lengths, whole, axes, x)
    divisor, divisors = _divisors(library, temperature, whole, x)
    operand_views = [view.shaped(whole if view.shape == x.shape else reduced(whole, axes)) for view in views]
    result = _over_axes(
        kind, library, operand_views, target, axes, result_dtype, mask, counts, causal, function.sign * divisor,
        divisors, shape,
    )  # fmt: skip
    return library.finished(result) if out is None else out


def _filled(name: str, library: Library, number: Any, x: View) -> View:
    """An array beside x of a gradient that is a number; a Python number takes x's dtype."""
    dtype = float_dtype(name, x.dtype if type(number) in PYTHON_NUMBERS else number.dtype)
    with call_on(library, [x]) as call:
        array = call.new((), dtype)
        copy_to(call, number, array)
    return array


def _mask_view(name: str, where: Any, shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[View | None, bool]:
    """The mask, if it is an array, and whether it is the causal one; raises TypeError for one in host memory."""
    if where is None or isinstance(where, str):
        return None, False if where is None else as_mask(where, shape, axes)[1]
    if not isinstance(where, View):
        raise TypeError(f"{name}: where is a {type(where).__name__} in host memory, and x on the GPU; move it there")
    check_mask(where.dtype, where.shape, shape)
    return where, False


def _counts_view(
    library: Library, lengths: Any, shape: tuple[int, ...], axes: tuple[int, ...], model: View
) -> View | None:
    """The lengths, with as many axes as `shape`. Those from the host are checked; the GPU takes others for 0 or n."""
    if lengths is None:
        return None
    if not isinstance(lengths, View):
        return view_of(library.put(as_lengths(lengths, shape, axes), model))
    check_lengths(lengths.dtype, lengths.shape, shape, axes)
    new = len(shape) - 1 - len(lengths.shape)
    sizes, strides = [*lengths.shape, *[1] * new], [*lengths.strides, *[0] * new]
    sizes.insert(axes[0], 1)
    strides.insert(axes[0], 0)
    return lengths.with_places(tuple(sizes), tuple(strides))


def _divisors(
    library: Library, temperature: Any, shape: tuple[int, ...], model: View
) -> tuple[float, View | None]:  # fmt: skip
    """The temperature, if it is a number, else 1 and the array, which on the GPU is taken to be positive."""
    if isinstance(temperature, View):
        check_temperature(temperature.shape, shape)
        return 1.0, temperature
    found = as_temperature(temperature, shape)
    return (1.0, view_of(library.put(found, model))) if isinstance(found, np.ndarray) else (found, None)


@njit
def _quotient(x, divisor):  # type: ignore[no-untyped-def]
    return x / divisor


def _over_axes(
    kind: str, library: Library, views: list[View], target: View | None, axes: tuple[int, ...], dtype: np.dtype[Any],
    mask: View | None, counts: View | None, causal: bool, divisor: float, divisors: View | None = None,
    shape: tuple[int, ...] | None = None,
) -> View:  # fmt: skip
    """Compute a function over `axes`, to `target` or a new array of the given shape."""
    x, arrays = views[-1], len(views)
    computed = reduced(x.shape, axes) if kind == "logsumexp" and arrays == 1 else x.shape
    shape = computed if shape is None else shape
    natural = np.result_type(*(float_dtype(kind, view.dtype) for view in views))
    wide = wide_dtype(natural, dtype)
    before, after = divisors is not None and (arrays == 1 or kind == "logsumexp"), divisors is not None and arrays == 2
    others = [axis for axis in range(len(x.shape)) if axis not in axes]
    together = not axes or axes == tuple(range(axes[0], axes[0] + len(axes)))
    order = list(range(len(x.shape))) if together else [*others, *axes]
    beside = [each for each in (mask, counts, divisors, target) if each is not None]
    with call_on(library, [*views, *beside]) as call:
        if counts is not None:
            counts = contiguous(call, counts, np.dtype(np.int64))
        if before:
            divided = call.new(x.shape, wide)
            run(call, _quotient, wide, [x, divisors], [divided])
            views = [*views[:-1], divided]
        ready = [contiguous(call, view.permuted(order), wide if before else natural) for view in views]
        straight = together and target is not None and target.contiguous() and not after
        if target is not None and straight and not any(map(target.hides, ready)):
            result = target
        else:
            placed = shape if together else tuple(computed[axis] for axis in order)
            result = call.new(placed, wide if after else dtype)
        places = [order.index(axis) for axis in axes]
        _launch(call, kind, ready, result, places, mask and mask.broadcast_view(x.shape).permuted(order),
              counts and counts.broadcast_view(reduced(x.shape, axes)).permuted(order), causal, divisor)  # fmt: skip
        if result is target or (target is None and together and not after):
            return result
        back = [order.index(axis) for axis in range(len(order))]
        turned = result.shaped(tuple(computed[axis] for axis in order)).permuted(back)
        final = call.new(shape, dtype) if target is None else target
        if after:
            run(call, _quotient, dtype, [turned, divisors], [final.shaped(computed)])
        else:
            copy_to(call, turned, final.shaped(computed))
    return final


def _launch(
    call: Call, kind: str, views: Sequence[View], result: View, axes: Sequence[int], mask: View | None,
    counts: View | None, causal: bool, divisor: float,
) -> None:  # fmt: skip
    """Launch the kernel for contiguous arrays, over axes that are neighbours."""
    shape = views[-1].shape
    first, last = (axes[0], axes[-1] + 1) if axes else (len(shape), len(shape))
    n, inner = math.prod(shape[first:last]), math.prod(shape[last:])
    rows = math.prod(shape[:first]) * inner
    if rows == 0 or math.prod(result.shape) == 0:
        return
    mask_arguments: list[Any] = []
    count_arguments: list[Any] = []
    if mask is not None:
        step = merge(shape[first:last], mask.strides[first:last])
        if len(step[0]) > 1:
            mask = contiguous(call, mask, mask.dtype)
            step = merge(shape[first:last], mask.strides[first:last])
        sizes, strides = merge(shape[:first] + shape[last:], mask.strides[:first] + mask.strides[last:])
        mask_arguments = [mask.pointer, *sizes, *strides, step[1][0]]
    if counts is not None:
        kept, steps = merge(shape[:first] + shape[last:], counts.strides[:first] + counts.strides[last:])
        count_arguments = [counts.pointer, *kept, *steps]
    wide = wide_dtype(views[-1].dtype, result.dtype)
    traits = RowTraits(
        name_of(views[-1].dtype), name_of(result.dtype), (len(mask_arguments) - 2) // 2 if mask_arguments else 0,
        (len(count_arguments) - 1) // 2 if count_arguments else 0, causal, divisor != 1,
    )  # fmt: skip
    template: Template = row_kernel
    layout = layout_of(n, inner, wide.itemsize)
    parts = parts_of(layout, rows, n, wide.itemsize)
    if (kind, len(views)) in STEPS:
        template, parts = sparse_kernel, None
    queries = shape[first - 1] if causal else 1
    pointers = [view.pointer for view in views]
    rest = [rows, n, inner, wide.type(divisor), *mask_arguments, *count_arguments, queries]
    used = [*views, result, *([] if mask is None else [mask]), *([] if counts is None else [counts])]

    parameters, grid = (kind, len(views), layout, traits), -(-rows // layout.rows)
    middle = [result.pointer]
    if parts is not None:
        groups = -(-grid // parts.together)
        grid = 2 * groups * parts.together * parts.parts
        sums, counters = call.new((4 * rows * parts.parts,), wide), call.new((1 + groups,), np.dtype(np.int32))
        copy_to(call, 0, counters)
        template, used = parts_kernel, [*used, sums, counters]
        middle = [sums.pointer, counters.pointer, result.pointer, *parts]
    call.launch(template, parameters, used, grid, layout.block, [*pointers, *middle, *rest])
