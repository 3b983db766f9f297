"""Elementwise calls on arrays of the GPU, and on host arrays, which are copied there and back."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from fastact._errors import BackendError

from .compiling import Template, register
from .device import computes_in
from .elementwise_kernels import (
    HALVES_PER_THREAD,
    PER_THREAD,
    THREADS,
    Items,
    contiguous_kernel,
    half_kernel,
    strided_kernel,
)
from .host import from_host, loop_dtype
from .launching import Call, call_on
from .libraries import common_library, views_of
from .views import View, check_out, collapse

__all__ = ["addresses", "contiguous", "copy_to", "elementwise", "items_of", "placed"]


def elementwise(operation: Any, operands: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    """Apply an operation to device arrays of one library, or to host arrays, which are copied to the GPU and back."""
    register()
    keywords = dict(keywords)
    outs, wanted = _outputs(operation, keywords.pop("out", None)), keywords.pop("dtype", None)
    for keyword, default in {"where": True, "casting": "same_kind", "order": "K", "subok": True}.items():
        value = keywords.pop(keyword, default)
        if type(value) is not type(default) or value != default:
            raise BackendError(f"backend 'cuda' takes out= and dtype=, not {keyword}=; the CPU backends take it")
    if keywords:
        raise TypeError(f"{operation.name}() got an unexpected keyword argument {next(iter(keywords))!r}")
    views = views_of((*operands, *(out for out in outs if out is not None)))
    if not any(isinstance(view, View) for view in views):
        return from_host(elementwise, operation, operands, outs, wanted)

    library = common_library(operation.name, views)
    given_outs = iter(views[len(operands) :])
    views = views[: len(operands)]
    targets = [None if out is None else next(given_outs) for out in outs]
    arrays = [o for o in views if isinstance(o, View)]
    kinds = tuple(o.dtype if isinstance(o, (View, np.generic)) else type(o) for o in views)
    dtype = loop_dtype(*operation.loop_for(operands, None if wanted is None else np.dtype(wanted)), kinds)
    shape = arrays[0].shape if len(arrays) == 1 else np.broadcast_shapes(*(view.shape for view in arrays))
    given = [target for target in targets if target is not None]
    if given:
        shape = np.broadcast_shapes(shape, given[0].shape)
    for each in given:
        check_out(each, shape, dtype)
    with call_on(library, [*arrays, *given]) as call:
        results = []
        for target in targets:
            fits = target is not None and not any(map(target.hides, arrays))
            results.append(target if target is not None and fits else call.new(shape, dtype))
        _run(call, operation.scalar, dtype, views, results)
        for out_view, result in zip(targets, results, strict=True):
            if out_view is not None and result is not out_view:
                copy_to(call, result, out_view)
    finished = tuple(
        library.finished(result) if out is None else out for out, result in zip(outs, results, strict=True)
    )
    return finished if operation.outputs > 1 else finished[0]


def _outputs(operation: Any, out: Any) -> tuple[Any, ...]:
    """The argument `out`, one for each result."""
    if out is None:
        return (None,) * operation.outputs
    outs = out if isinstance(out, tuple) else (out,)
    if len(outs) != operation.outputs:
        raise ValueError(f"out has {len(outs)} arrays; {operation.name} has {operation.outputs} results")
    return outs


class Places(NamedTuple):
    """Where the elements of operands and results are, with as few axes as possible."""

    shape: tuple[int, ...]
    steps: list[int]  # of each operand, one after the other; 0 for numbers
    result_steps: list[int]
    contiguous: bool  # whether element i of each array is its item i


def placed(shape: tuple[int, ...], operands: Sequence[Any], results: Sequence[View]) -> Places:
    """Places for operands that broadcast to `shape`, the shape of the results."""
    strides = [o.broadcast(shape) if isinstance(o, View) else (0,) * len(shape) for o in operands]
    shape, steps = collapse(shape, (*strides, *(result.strides for result in results)))
    of_arrays = [each for o, each in zip((*operands, *results), steps, strict=True) if isinstance(o, View)]
    of_operands, of_results = steps[: len(operands)], steps[len(operands) :]
    unit = all(each == (1,) for each in of_arrays)
    return Places(shape, list(chain(*of_operands)), list(chain(*of_results)), unit)


def _run(
    call: Call, formula: Callable[..., Any], dtype: np.dtype[Any], operands: Sequence[Any], results: Sequence[View]
) -> None:
    """The formula's results, of operands that are views and numbers, to arrays of one shape."""
    shape, steps, result_steps, unit = placed(results[0].shape, operands, results)
    size = math.prod(shape)
    if size == 0:
        return
    views = [each for each in (*operands, *results) if isinstance(each, View)]
    parameters: tuple[Any, ...] = formula, items_of(operands), len(results), dtype
    pointers, outputs = addresses(operands, dtype), [result.pointer for result in results]
    template: Template
    if not unit:
        template, per_block, parameters = strided_kernel, THREADS, (*parameters, len(shape))
        arguments = [*pointers, *steps, *outputs, *result_steps, *shape]
    elif all(view.dtype.itemsize == 2 and view.pointer % 16 == 0 for view in views):
        template, per_block, arguments = half_kernel, THREADS * HALVES_PER_THREAD, [*pointers, *outputs]
    else:
        template, per_block, arguments = contiguous_kernel, THREADS * PER_THREAD, [*pointers, *outputs]
    call.launch(template, parameters, views, -(-size // per_block), THREADS, [*arguments, size])


def items_of(operands: Sequence[Any]) -> Items:
    return tuple(each.dtype if isinstance(each, View) else None for each in operands)


def addresses(operands: Sequence[Any], dtype: np.dtype[Any]) -> list[Any]:
    """What a kernel whose results have this dtype takes for operands: pointers, and numbers as it computes."""
    number = computes_in(dtype)
    return [each.pointer if isinstance(each, View) else number(each) for each in operands]


@njit
def _same(x):  # type: ignore[no-untyped-def]
    return x


def copy_to(call: Call, source: View | float, target: View) -> None:
    """An array, converted, or a number for every element."""
    _run(call, _same, target.dtype, [source], [target])


def contiguous(call: Call, view: View, dtype: np.dtype[Any]) -> View:
    """The array itself if it is contiguous and of this dtype, else a copy that is."""
    if view.dtype == dtype and view.contiguous():
        return view
    copied = call.new(view.shape, dtype)
    copy_to(call, view, copied)
    return copied
