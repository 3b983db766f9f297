"""Elementwise calls on arrays of the GPU, and on host arrays, which are copied there and back."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numba import njit

from fastact._errors import BackendError

from .arrays import (
    Library,
    View,
    check_out,
    collapse,
    common_library,
    current_device,
    launch,
    new,
    views_of,
)
from .compiling import elementwise_kernel, register
from .device import computes_in
from .elementwise_kernels import HALVES_PER_THREAD, PER_THREAD, THREADS
from .host import from_host, loop_dtype

__all__ = ["contiguous", "copy_to", "elementwise"]


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
    views = views[: len(operands)]
    targets = [None if out is None else View.of(out) for out in outs]
    arrays = [o for o in views if isinstance(o, View)]
    kinds = tuple(o.dtype if isinstance(o, (View, np.generic)) else type(o) for o in views)
    dtype = loop_dtype(*operation.loop_for(operands, None if wanted is None else np.dtype(wanted)), kinds)
    shape = arrays[0].shape if len(arrays) == 1 else np.broadcast_shapes(*(view.shape for view in arrays))
    given = [target for target in targets if target is not None]
    if given:
        shape = np.broadcast_shapes(shape, given[0].shape)
    for each in given:
        check_out(each, shape, dtype)
    with current_device([*arrays, *given]) as capability:
        results = []
        for target in targets:
            fits = target is not None and not any(map(target.hides, arrays))
            results.append(target if target is not None and fits else new(library, shape, dtype, arrays[0]))
        _run(capability, library, operation.scalar, dtype, views, results)
        for out_view, result in zip(targets, results, strict=True):
            if out_view is not None and result is not out_view:
                copy_to(capability, library, result, out_view)
    finished = tuple(result.array if out is None else out for out, result in zip(outs, results, strict=True))
    return finished if operation.outputs > 1 else finished[0]


def _outputs(operation: Any, out: Any) -> tuple[Any, ...]:
    """The argument `out`, one for each result."""
    if out is None:
        return (None,) * operation.outputs
    outs = out if isinstance(out, tuple) else (out,)
    if len(outs) != operation.outputs:
        raise ValueError(f"out has {len(outs)} arrays; {operation.name} has {operation.outputs} results")
    return outs


def _run(
    capability: tuple[int, int], library: Library, formula: Callable[..., Any], dtype: np.dtype[Any],
    operands: Sequence[Any], results: Sequence[View],
) -> None:  # fmt: skip
    """The formula's results, of operands that are views and numbers, to arrays of one shape."""
    views = [operand for operand in operands if isinstance(operand, View)]
    whole = results[0].shape
    places = [o.broadcast(whole) if isinstance(o, View) else (0,) * len(whole) for o in operands]
    shape, strides = collapse(whole, (*places, *(result.strides for result in results)))
    size = math.prod(shape)
    if size == 0:
        return
    array_strides = [each for o, each in zip((*operands, *results), strides, strict=True) if isinstance(o, View)]
    axes = 0 if all(each == (1,) for each in array_strides) else len(shape)
    halves = not axes and all(view.dtype.itemsize == 2 and view.pointer % 16 == 0 for view in (*views, *results))
    items = tuple(o.dtype if isinstance(o, View) else None for o in operands)
    kernel = elementwise_kernel(formula, dtype, items, len(results), axes, halves, capability)
    number_type = computes_in(dtype)
    arguments = [o.pointer if isinstance(o, View) else number_type(o) for o in operands]
    if axes:
        arguments += [step for each in strides[: len(operands)] for step in each]
    arguments += [result.pointer for result in results]
    if axes:
        arguments += [step for each in strides[len(operands) :] for step in each]
        arguments += shape
    per_block = THREADS * (1 if axes else HALVES_PER_THREAD if halves else PER_THREAD)
    launch(kernel, library, [*views, *results], -(-size // per_block), THREADS, [*arguments, size])


@njit
def _same(x):  # type: ignore[no-untyped-def]
    return x


def copy_to(capability: tuple[int, int], library: Library, source: View | float, target: View) -> None:
    """An array, converted, or a number for every element."""
    _run(capability, library, _same, target.dtype, [source], [target])


def contiguous(capability: tuple[int, int], library: Library, view: View, dtype: np.dtype[Any]) -> View:
    """The array itself if it is contiguous and of this dtype, else a copy that is."""
    if view.dtype == dtype and view.contiguous():
        return view
    copied = new(library, view.shape, dtype, view)
    copy_to(capability, library, view, copied)
    return copied
