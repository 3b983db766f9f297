"""What acts on single elements of dask arrays and is no ufunc: losses, glu, functions with several results."""

from __future__ import annotations

import math
from typing import Any

import dask.array as da
import numpy as np

import fastact as fa
from fastact._core.arguments import elementwise_loss_arguments, share
from fastact._core.arrays import halved, normalize_axis, wide_dtype
from fastact._kernels.native.arithmetic import standard_arithmetic
from fastact.dask.blocks import (
    UNKNOWN,
    aligned,
    by_block,
    converted,
    fake,
    is_chunked,
    is_lazy,
    is_unknown,
    several,
    total,
    tree,
)
from fastact.dask.class_losses import summed

__all__ = ["elementwise_loss", "glu", "with_several_results"]


def _together(*operands: Any) -> list[Any]:
    """Arrays that broadcast together as dask arrays of one shape, with the same chunks; numbers are left alone."""
    arrays = {number: da.asarray(each) for number, each in enumerate(operands) if not isinstance(each, int | float)}
    try:
        found = dict(zip(arrays, da.broadcast_arrays(*arrays.values()), strict=True))
    except ValueError as error:
        if not any(is_unknown(size) for each in arrays.values() for size in each.shape):
            raise
        raise ValueError(f"chunks of unknown size do not fit ({error}); call compute_chunk_sizes() first") from None
    return [found.get(number, each) for number, each in enumerate(operands)]


# --- losses -----------------------------------------------------------------------------------------------------------


def elementwise_loss(
    function: Any,
    method: str,
    operands: tuple[Any, Any],
    *,
    reduction: str = "mean",
    backend: str | None = None,
    **parameters: Any,
) -> Any:
    """The loss, and for "value_and_grad" its gradient, lazily."""
    given = [*operands, *function._given(parameters)]
    record = elementwise_loss_arguments(function, [fake(each) for each in given], reduction)
    dtype, wide = record.dtype, wide_dtype(record.dtype)
    arrays = _together(*given)
    place = next(number for number, each in enumerate(arrays) if is_lazy(each))
    main = arrays[place]
    count = _size(function.name, main) if reduction == "mean" else None
    options = {"function": function, "place": place, "wide": wide, "backend": backend}
    others = *arrays[:place], *arrays[place + 1 :]
    if method == "__call__":
        losses, grad = by_block(_losses, function.name, main, *others, dtype=wide, **options), None
    else:
        losses, grad = several(
            _losses_and_gradients, function.name, main, *others, count, dtypes=(wide, dtype), sizes=(None, None),
            reduction=reduction, to=dtype, **options,
        )  # fmt: skip
    if reduction == "none":
        value = by_block(converted, function.name, losses, dtype, dtype=dtype)
    else:
        value = summed(function.name, losses, count, dtype)
    return value if method == "__call__" else (value, grad)


def _size(name: str, array: Any) -> Any:
    """How many elements there are: a number, or a dask array where sizes of chunks are not known."""
    if not is_unknown(math.prod(array.shape)):
        return float(math.prod(array.shape))
    axes = tuple(range(array.ndim))
    parts = by_block(_size_of_block, name, array, dtype=np.float64, sizes=dict.fromkeys(axes, 1))
    return tree(parts, total, axes)[(0,) * array.ndim]


def _size_of_block(block: Any) -> Any:
    return np.full((1,) * block.ndim, float(block.size))


def _operands(place: int, blocks: tuple[Any, ...], wide: Any) -> list[Any]:
    """Blocks in the order of the call; numbers stay numbers."""
    first, *others = blocks
    ordered = *others[:place], first, *others[place:]
    return [each if isinstance(each, int | float) else converted(each, wide) for each in ordered]


def _losses(*blocks: Any, function: Any, place: int, wide: Any, backend: str | None) -> Any:
    x, target, *parameters = _operands(place, blocks, wide)
    named = dict(zip(function.parameters, parameters, strict=True))
    return function(x, target, reduction="none", backend=backend, **named)


@standard_arithmetic()
def _losses_and_gradients(
    *blocks: Any, function: Any, place: int, wide: Any, backend: str | None, reduction: str, to: Any
) -> tuple[Any, Any]:
    *blocks, count = blocks  # type: ignore[assignment]
    x, target, *parameters = _operands(place, tuple(blocks), wide)
    scale = 1.0 if count is None else share(reduction, float(count))
    losses, grad = function._part("value_and_grad")(x, target, scale, *parameters, backend=backend)
    return losses, converted(grad, to)


# --- gated units ------------------------------------------------------------------------------------------------------


def glu(function: Any, method: str, operands: tuple[Any, ...], *, axis: int = -1, backend: str | None = None) -> Any:
    """The gated unit of the halves of an array, or its gradient, lazily."""
    *grads, x = (da.asarray(each) for each in operands)
    axis = normalize_axis(axis, x.ndim)
    if is_unknown(x.shape[axis]):
        raise ValueError(f"x {UNKNOWN.format(axis=axis)}")
    axis, half = halved(x.shape, axis)
    before = (slice(None),) * axis
    value, gate = x[(*before, slice(half))], x[(*before, slice(half, None))]
    unit = function.unit
    dtype = unit._result_dtype(tuple(map(_element, (value, gate))))
    if not grads:
        if is_chunked(x, [axis]):
            return by_block(unit, function.name, value, aligned("x", gate, value), dtype=dtype, backend=backend)
        return by_block(_glu, function.name, x, dtype=dtype, sizes={axis: half}, axis=axis, backend=backend)
    grad = grads[0]
    if grad.shape != value.shape and not any(map(is_unknown, (*grad.shape, *value.shape))):
        raise ValueError(f"grad_output has shape {grad.shape}, glu(x) {value.shape}; they must be equal")
    dtype = unit.backward._result_dtype(tuple(map(_element, (grad, value, gate))))
    grad = aligned("grad_output", grad, value)
    if not is_chunked(x, [axis]):
        return by_block(_glu_backward, function.name, x, grad, dtype=dtype, axis=axis, backend=backend)
    operands = value, grad, aligned("x", gate, value)
    gradients = several(_unit_backward, function.name, *operands, dtypes=(dtype, dtype), sizes=(None, None),
                        unit=unit, backend=backend)  # fmt: skip
    return da.concatenate(gradients, axis=axis)


def _element(array: Any) -> Any:
    """What has the dtype of an array."""
    return np.ones((), array.dtype)


def _glu(x: Any, *, axis: int, backend: str | None) -> Any:
    return fa.glu(x, axis, backend=backend)


def _glu_backward(x: Any, grad: Any, *, axis: int, backend: str | None) -> Any:
    return fa.glu.backward(grad, x, axis, backend=backend)


def _unit_backward(value: Any, grad: Any, gate: Any, *, unit: Any, backend: str | None) -> Any:
    return unit.backward(grad, value, gate, backend=backend)


def with_several_results(operation: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[Any, ...]:
    """A function of elements that has several results, such as the gradients of a gated unit; lazily."""
    backend = keywords.pop("backend", None)
    operands = operation._bind(arguments, keywords)
    if keywords:
        raise TypeError(f"{operation.name} of dask arrays takes no {next(iter(keywords))}; apply it to the results")
    arrays = _together(*operands)
    dtype = operation._result_dtype(tuple(_element(each) if is_lazy(each) else each for each in arrays))
    place = next(number for number, each in enumerate(arrays) if is_lazy(each))
    count, others = operation._outputs, (*arrays[:place], *arrays[place + 1 :])
    options = {"operation": operation, "place": place, "backend": backend}
    sizes: tuple[None, ...] = (None,) * count
    return tuple(
        several(_results, operation.name, arrays[place], *others, dtypes=[dtype] * count, sizes=sizes, **options)
    )


def _results(first: Any, *others: Any, operation: Any, place: int, backend: str | None) -> tuple[Any, ...]:
    found: tuple[Any, ...] = operation(*others[:place], first, *others[place:], backend=backend)
    return found
