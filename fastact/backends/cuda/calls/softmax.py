"""Calls of the softmax family for arrays on the GPU, and for host arrays, which are copied there and back.

`over_axes` takes a record; `_over_axes` and what it calls take views and options.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit

from fastact._core.arguments import Options, SoftmaxArguments
from fastact._core.arrays import float_dtype, reduced, wide_dtype
from fastact.backends.cuda.calls.elementwise import contiguous, copy_to, run
from fastact.backends.cuda.calls.host import CHUNK, in_chunks
from fastact.backends.cuda.calls.repeated import Launched, remember
from fastact.backends.cuda.compiling import Template
from fastact.backends.cuda.dtypes import name_of
from fastact.backends.cuda.kernels.layouts import RowTraits, layout_of, parts_of
from fastact.backends.cuda.kernels.softmax import parts_kernel, row_kernel
from fastact.backends.cuda.kernels.sparse import STEPS, sparse_kernel
from fastact.backends.cuda.launching import Call, call_on
from fastact.backends.cuda.libraries import LIBRARIES, Library, common_library, put, view_of
from fastact.backends.cuda.views import View, merge
from fastact.errors import BackendError

__all__ = ["over_axes"]


def over_axes(record: SoftmaxArguments) -> Any:
    """Compute for arrays of the device or of the host."""
    if not isinstance(record.arrays[-1], View):
        return record.finished(_of_hosts(record))
    options = record.options or Options(record.dtype)
    beside = [each for each in (options.where, options.lengths, options.temperature) if isinstance(each, View)]
    given = [
        each.reshape(())[()] if isinstance(each, np.ndarray) and each.size == 1 else each for each in record.arrays
    ]
    target = [] if record.target is None else [record.target]
    library = common_library(record.name, [*given, *beside, *target])
    x = record.arrays[-1]
    views = [each if isinstance(each, View) else _filled(library, each, x) for each in record.arrays]
    counts, temperature, divisor, divisors = options.lengths, options.temperature, float(options.sign), None
    if isinstance(counts, np.ndarray):
        counts = view_of(library.put(counts, x))
    if isinstance(temperature, np.ndarray):
        divisors = view_of(library.put(temperature, x))
    elif isinstance(temperature, View):
        divisors = temperature
    else:
        divisor *= temperature
    result = _over_axes(
        record.computation, library, views, record.target, record.axes, record.dtype, options.where, counts,
        options.causal, divisor, divisors, record.shape, record,
    )  # fmt: skip
    return library.finished(result) if record.out is None else record.out.array


def _of_hosts(record: SoftmaxArguments) -> Any:
    """Compute for host arrays, which are copied to the GPU and back.

    Large ones go in chunks along the first axis, unless rows lie along it or have masks, lengths or temperatures.
    """
    arrays, axes, dtype, x = record.arrays, record.axes, record.dtype, record.arrays[-1]
    options = record.options or Options(dtype)
    if "bfloat16" in (x.dtype.name, dtype.name):
        raise BackendError(f"{record.name}: backend 'cuda' takes bfloat16 of PyTorch's tensors, not of host arrays")
    tempered = isinstance(options.temperature, np.ndarray)
    divisor = options.sign * (1.0 if tempered else options.temperature)
    beside = options.where, options.lengths, options.temperature if tempered else None
    mask, counts, divisors = (None if each is None else view_of(put(each)) for each in beside)

    def compute(operands: list[Any], results: list[Any]) -> View:
        """Compute to a new array, or to the one given."""
        views, target = [view_of(each) for each in operands], view_of(results[0]) if results else None
        limits = mask, counts, options.causal, divisor, divisors
        return _over_axes(record.computation, LIBRARIES["numba"], views, target, axes, dtype, *limits)

    apart = x.ndim > 1 + options.causal and 0 not in axes and beside == (None, None, None)
    if apart and x.nbytes > CHUNK:
        shape = reduced(x.shape, axes) if record.computation == "logsumexp" and len(arrays) == 1 else x.shape
        result = np.empty(shape, dtype) if record.target is None else record.target
        in_chunks(compute, list(arrays), [result], dtype)
        return result
    result = compute([put(each) for each in arrays], []).array.copy_to_host()
    if record.target is not None:
        record.target[...] = result
    return result


def _filled(library: Library, number: Any, x: View) -> View:
    """A gradient that is a number, as an array beside x."""
    with call_on(library, [x]) as call:
        array = call.new((), number.dtype)
        copy_to(call, number.item(), array)
    return array.reshape(number.shape)


@njit
def _quotient(x, divisor):  # type: ignore[no-untyped-def]
    return x / divisor


def _over_axes(
    kind: str, library: Library, views: list[View], target: View | None, axes: tuple[int, ...], dtype: np.dtype[Any],
    mask: View | None, counts: View | None, causal: bool, divisor: float, divisors: View | None = None,
    shape: tuple[int, ...] | None = None, record: SoftmaxArguments | None = None,
) -> View:  # fmt: skip
    """Compute a function over `axes`, to `target` or a new array of the given shape; `record` is remembered."""
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
        mask = mask and mask.broadcast_view(x.shape).permuted(order)
        counts = counts and counts.broadcast_view(reduced(x.shape, axes)).permuted(order)
        launched = _launch(call, kind, ready, result, places, mask, counts, causal, divisor)
        if result is target or (target is None and together and not after):
            if record is not None and launched is not None and all(map(operator.is_, ready, record.arrays)):
                function, options = record.written
                out = None if record.out is None else record.out.array
                remember(call, function, [each.array for each in ready], out, options, launched, result)
            return result
        back = [order.index(axis) for axis in range(len(order))]
        turned = result.reshape(tuple(computed[axis] for axis in order)).permuted(back)
        final = call.new(shape, dtype) if target is None else target
        if after:
            run(call, _quotient, dtype, [turned, divisors], [final.reshape(computed)])
        else:
            copy_to(call, turned, final.reshape(computed))
    return final


def _launch(
    call: Call, kind: str, views: Sequence[View], result: View, axes: Sequence[int], mask: View | None,
    counts: View | None, causal: bool, divisor: float,
) -> Launched | None:  # fmt: skip
    """Launch the kernel for contiguous arrays, over axes that are neighbours.

    Returns the launch; None if it took none, or memory or masks beside the arrays.
    """
    shape = views[-1].shape
    first, last = (axes[0], axes[-1] + 1) if axes else (len(shape), len(shape))
    n, inner = math.prod(shape[first:last]), math.prod(shape[last:])
    rows = math.prod(shape[:first]) * inner
    if rows == 0 or math.prod(result.shape) == 0:
        return None
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
    alone = parts is None and mask is None and counts is None
    return Launched(template, parameters, grid, layout.block, [], rest) if alone else None
