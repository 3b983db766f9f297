"""Elementwise calls for arrays on the GPU, and for host arrays, which are copied there and back."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from fastact._core.arrays import check_out
from fastact.backends.cuda.calls.host import from_host, loop_dtype
from fastact.backends.cuda.calls.repeated import Launched, remember
from fastact.backends.cuda.compiling import assembly
from fastact.backends.cuda.dtypes import computes_in, dtype_of
from fastact.backends.cuda.kernels.elementwise import (
    HALVES_PER_THREAD,
    PER_THREAD,
    THREADS,
    Items,
    contiguous_kernel,
    half_kernel,
    strided_kernel,
)
from fastact.backends.cuda.launching import Call, call_on
from fastact.backends.cuda.libraries import common_library, view_of, views_of
from fastact.backends.cuda.views import Geometry, View, collapse, kept_strides
from fastact.errors import BackendError

__all__ = [
    "addresses", "backward_of_halves", "contiguous", "copy_to", "elementwise", "items_of", "of_halves", "placed", "ptx",
    "run", "same",
]  # fmt: skip


#: So many outcomes and launches are remembered.
MOST_REMEMBERED = 4096


def elementwise(operation: Any, operands: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    """Apply an operation to device arrays of one library, or to host arrays, which are copied to the GPU and back."""
    outs, wanted = _keywords(operation, keywords) if keywords else ((None,) * operation._outputs, None)
    views = views_of((*operands, *(out for out in outs if out is not None)))
    if not any(isinstance(view, View) for view in views):
        return from_host(elementwise, operation, operands, outs, wanted)

    library = common_library(operation.name, views)
    views, given = views[: len(operands)], views[len(operands) :]
    arrays = [o for o in views if isinstance(o, View)]
    kinds = tuple(o.dtype if isinstance(o, (View, np.generic)) else type(o) for o in views)
    dtype, shape = _outcome(operation, kinds, tuple(o.shape for o in (*arrays, *given[:1])), wanted)
    for view in given:
        check_out(view, shape, dtype)
    with call_on(library, [*arrays, *given]) as call:
        order = kept_strides(shape, tuple(each.broadcast(shape) for each in (*arrays, *given)))
        targets = iter(given)
        wished = [None if out is None else next(targets) for out in outs]
        results = [
            call.new(shape, dtype, order) if target is None or any(map(target.hides, arrays)) else target
            for target in wished
        ]
        launched = run(call, operation._jitted, dtype, views, results)
        for target, result in zip(wished, results, strict=True):
            if target is not None and result is not target:
                copy_to(call, result, target)
        # To be repeated, a call has written to new arrays alone, or to the one that was given.
        if launched is not None and wanted is None and wished in ([None] * len(results), results[:1]):
            remember(call, operation, operands, outs[0], (), launched, results[0], len(results))
    pairs = zip(outs, results, strict=True)
    finished = [library.finished(result) if out is None else out for out, result in pairs]
    return tuple(finished) if operation._outputs > 1 else finished[0]


def of_halves(operation: Any, x: Any, axis: int | str, out: Any) -> Any:
    """Apply an operation to the two halves of a device array."""
    return elementwise(operation, view_of(x).halves(axis), {} if out is None else {"out": out})


def backward_of_halves(operation: Any, grad_output: Any, x: Any, axis: int | str, out: Any) -> Any:
    """Apply an operation to a gradient and the halves of x; its two results are the halves of one array."""
    views = views_of([grad_output, x, *([] if out is None else [out])])
    library = common_library("glu.backward", views)
    grad, whole, *target = views
    halves = whole.halves(axis)
    if grad.shape != halves[0].shape:
        raise ValueError(f"grad_output has shape {grad.shape}, glu(x) {halves[0].shape}; they must be equal")
    if not target:
        dtype = loop_dtype(operation, (grad, *halves), (grad.dtype, whole.dtype, whole.dtype))
        with call_on(library, views) as call:
            target = [call.new(whole.shape, dtype)]
    elif target[0].shape != whole.shape:
        raise ValueError(f"out has shape {target[0].shape}, x {whole.shape}; they must be equal")
    outs = target[0].halves(axis)
    for each in outs:
        each.array = whole.array  # a new array for JAX is Numba's until it is finished
    elementwise(operation, (grad, *halves), {"out": outs})
    return library.finished(target[0]) if out is None else out


def _keywords(operation: Any, keywords: dict[str, Any]) -> tuple[tuple[Any, ...], np.dtype[Any] | None]:
    """The arguments `out`, one for each result, and `dtype`.

    Raises BackendError for other keywords of ufuncs that do not have their defaults, TypeError for unknown ones, and
    ValueError for another number of arrays than of results.
    """
    keywords = dict(keywords)
    out, wanted = keywords.pop("out", None), keywords.pop("dtype", None)
    for keyword, default in {"where": True, "casting": "same_kind", "order": "K", "subok": True}.items():
        value = keywords.pop(keyword, default)
        if type(value) is not type(default) or value != default:
            raise BackendError(f"backend 'cuda' takes out= and dtype=, not {keyword}=; the CPU backends take it")
    if keywords:
        raise TypeError(f"{operation.name}() got an unexpected keyword argument {next(iter(keywords))!r}")
    outs = out if isinstance(out, tuple) else (out,) * (1 if out is not None else operation._outputs)
    if len(outs) != operation._outputs:
        raise ValueError(f"out has {len(outs)} arrays; {operation.name} has {operation._outputs} results")
    return outs, None if wanted is None else np.dtype(wanted)


@functools.lru_cache(maxsize=MOST_REMEMBERED)
def _outcome(
    operation: Any, kinds: tuple[Any, ...], shapes: tuple[tuple[int, ...], ...], wanted: np.dtype[Any] | None
) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """The dtype and the shape of the results, for operands of these dtypes, or types of Python numbers.

    They are remembered, which takes 4 us off a call that is not repeated.
    """
    operands = tuple(np.empty(0, kind) if isinstance(kind, np.dtype) else kind() for kind in kinds)
    return loop_dtype(operation, operands, kinds, wanted), np.broadcast_shapes(*shapes)


class Places(NamedTuple):
    """Where the elements of operands and results are, with as few axes as possible."""

    shape: tuple[int, ...]
    steps: list[int]  # strides of each operand, one after the other; 0 for numbers
    result_steps: list[int]
    contiguous: bool  # element i of each array is its item i


def placed(shape: tuple[int, ...], operands: Sequence[Any], results: Sequence[View]) -> Places:
    """The places for operands that broadcast to `shape`, the shape of the results."""
    strides = [o.broadcast(shape) if isinstance(o, View) else (0,) * len(shape) for o in operands]
    shape, steps = collapse(shape, (*strides, *(result.strides for result in results)))
    of_arrays = [each for o, each in zip((*operands, *results), steps, strict=True) if isinstance(o, View)]
    of_operands, of_results = steps[: len(operands)], steps[len(operands) :]
    unit = all(each == (1,) for each in of_arrays)
    return Places(shape, list(chain(*of_operands)), list(chain(*of_results)), unit)


@functools.lru_cache(maxsize=MOST_REMEMBERED)
def _plan(
    formula: Callable[..., Any], dtype: np.dtype[Any], operands: tuple[Geometry | None, ...],
    results: tuple[Geometry, ...],
) -> Launched | None:  # fmt: skip
    """The launch for operands that are arrays or, where they are None, numbers; None if there is nothing to compute.

    It is remembered, which takes 6 us off a copy, or a call that is not repeated.
    """
    sources = [each and View(None, 0, *each[:3]) for each in operands]
    targets = [View(None, 0, *each[:3]) for each in results]
    shape, steps, result_steps, unit = placed(results[0][1], sources, targets)
    size = math.prod(shape)
    if size == 0:
        return None
    parameters: tuple[Any, ...] = formula, items_of(sources), len(targets), dtype
    arrays = [each for each in (*operands, *results) if each is not None]
    if not unit:
        rest = [*result_steps, *shape, size]
        return Launched(strided_kernel, (*parameters, len(shape)), -(-size // THREADS), THREADS, steps, rest)
    halves = all(each[0].itemsize == 2 and each[3] for each in arrays)
    template, per_thread = (half_kernel, HALVES_PER_THREAD) if halves else (contiguous_kernel, PER_THREAD)
    return Launched(template, parameters, -(-size // (THREADS * per_thread)), THREADS, [], [size])


def run(
    call: Call, formula: Callable[..., Any], dtype: np.dtype[Any], operands: Sequence[Any], results: Sequence[View]
) -> Launched | None:
    """Write the formula's results, of operands that are views and numbers, to arrays of one shape.

    Returns the launch, None where there is nothing to compute.
    """
    of_operands = tuple(o.geometry if isinstance(o, View) else None for o in operands)
    plan = _plan(formula, dtype, of_operands, tuple(result.geometry for result in results))
    if plan is not None:
        pointers = [result.pointer for result in results]
        arguments = [*addresses(operands, dtype), *plan.steps, *pointers, *plan.rest]
        views = [each for each in (*operands, *results) if isinstance(each, View)]
        call.launch(plan.template, plan.parameters, views, plan.grid, plan.block, arguments)
    return plan


# --- parts ------------------------------------------------------------------------------------------------------------


def items_of(operands: Sequence[Any]) -> Items:
    """The dtypes of operands; None for a number."""
    return tuple(each.dtype if isinstance(each, View) else None for each in operands)


def addresses(operands: Sequence[Any], dtype: np.dtype[Any]) -> list[Any]:
    """The arguments that operands are, for a loop of this dtype: pointers, and numbers in the type it computes in."""
    number = computes_in(dtype)
    return [each.pointer if isinstance(each, View) else number(each) for each in operands]


@njit
def same(x):  # type: ignore[no-untyped-def]
    """x, for copies that convert."""
    return x


def copy_to(call: Call, source: View | float, target: View) -> None:
    """Copy an array, converted, or fill the target with a number."""
    run(call, same, target.dtype, [source], [target])


def contiguous(call: Call, view: View, dtype: np.dtype[Any]) -> View:
    """The array itself if it is contiguous and of this dtype, else a copy that is."""
    if view.dtype == dtype and view.contiguous():
        return view
    copied = call.new(view.shape, dtype)
    copy_to(call, view, copied)
    return copied


# --- the code of calls ------------------------------------------------------------------------------------------------


def ptx(operation: Any, dtype: Any, compute_capability: tuple[int, int]) -> str:
    """The PTX of an operation's kernel for contiguous arrays and scalar parameters."""
    dtype = dtype_of(dtype) if isinstance(dtype, str) else np.dtype(dtype)
    items = (dtype,) * operation._inputs + (None,) * len(operation.parameters)
    template = half_kernel if dtype.itemsize == 2 else contiguous_kernel
    return assembly(template, operation.scalar, items, operation._outputs, dtype, capability=compute_capability)
