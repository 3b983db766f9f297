"""The softmax family on dask arrays.

Where no axis is cut, each block is a call of its own. Where one is, a first pass takes of each block what the whole row
must know, such as maximum and sum; that is joined in a tree, and a second pass computes the elements. The second pass
reads x again, for which nothing is held in memory; a function of single passes is a line of `CHUNKED`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import dask.array as da
import numpy as np

import fastact as fa
from fastact._core.arguments import softmax_arguments
from fastact._core.arrays import float_dtype, wide_dtype
from fastact._kernels.native.arithmetic import standard_arithmetic
from fastact.dask import statistics
from fastact.dask.blocks import (
    aligned,
    as_lazy,
    by_block,
    converted,
    fake,
    is_chunked,
    is_lazy,
    is_unknown,
    positions,
    total,
    tree,
)
from fastact.dask.rereading import read_again
from fastact.dask.statistics import SIGNED, SUMS

__all__ = ["over_axes", "softmax_of_block"]


class Call(NamedTuple):
    """A call of the family, checked: operands are dask arrays that have the chunks of the last one, x.

    Attributes
    ----------
    function : of the family
    operands : (x,), or (grad_output, output or x)
    axes : counted from 0
    where, lengths : dask arrays with as many axes as x, or None; `where` may be "causal" where no block needs a part
    temperature : a number, or a dask array with as many axes
    dtype, wide : of the result, and what blocks compute in
    backend : as for the function
    """

    function: Any
    operands: tuple[Any, ...]
    axes: tuple[int, ...]
    where: Any
    lengths: Any
    temperature: Any
    dtype: np.dtype[Any]
    wide: np.dtype[Any]
    backend: str | None

    @property
    def x(self) -> Any:
        return self.operands[-1]

    @property
    def row(self) -> dict[int, int]:
        """Sizes of blocks of which a row is one element."""
        return dict.fromkeys(self.axes, 1)

    def mask(self) -> Any:
        """`where` and `lengths` as one dask array; None where all elements count."""
        parts = [] if self.where is None else [self.where]
        if self.lengths is not None:
            size = self.x.shape[self.axes[0]]
            lengths = self.lengths.map_blocks(_checked_lengths, size=size, dtype=self.lengths.dtype)
            parts.append(positions(self.x, self.axes[0]) < lengths)
        return aligned("where", functools.reduce(np.logical_and, parts), self.x) if parts else None

    def again(self, *more: Any) -> list[Any]:
        """Operands, mask and temperature for a second pass, and `more` that is aligned with them."""
        return read_again(*self.operands, self.mask(), self.temperature, *more)

    def blocks(self, compute: Callable[..., Any], *operands: Any, dtype: Any = None, **options: Any) -> Any:
        """`by_block` with tasks of the function's name."""
        main, *others = operands
        return by_block(compute, self.function.name, main, *others, dtype=dtype or self.dtype, **options)


def over_axes(
    function: Any,
    operands: tuple[Any, ...],
    *,
    axis: Any = -1,
    b: Any = None,
    keepdims: bool = False,
    return_sign: bool = False,
    where: Any = None,
    lengths: Any = None,
    temperature: Any = 1.0,
    dtype: Any = None,
    backend: str | None = None,
) -> Any:
    """The result of a call of the family, lazily."""
    if b is not None:
        if dtype is not None:
            raise TypeError("logsumexp takes no dtype together with b; convert x, or the result")
        operands, b = _broadcast(function, operands[0], b)
    call = _checked(function, operands, axis, b, where, lengths, temperature, dtype, backend)
    chunked = call.x.ndim > 0 and is_chunked(call.x, call.axes)
    reduces = function.reduces and len(operands) == 1
    if not chunked:
        result = _whole(call, b, return_sign)
    elif reduces:
        result = _logsumexp(call, b, return_sign)
    elif (function.computation, len(operands)) in CHUNKED:
        result = CHUNKED[function.computation, len(operands)](call)
    else:
        axes = [each for each in call.axes if call.x.numblocks[each] > 1]
        named = ", ".join(map(str, axes))
        raise ValueError(
            f"{function.name} needs whole rows, but x has several chunks along axis {named}; rechunk x along axis "
            f"{named}, as by x.rechunk({dict.fromkeys(axes, -1)})"
        )
    if not reduces:
        return result
    if not keepdims:
        kept = tuple(0 if each in call.axes else slice(None) for each in range(call.x.ndim))
        result = result[(Ellipsis, *kept)] if kept else result
    return (result[0], result[1]) if return_sign else result


# --- what users wrote -------------------------------------------------------------------------------------------------


def _broadcast(function: Any, x: Any, b: Any) -> tuple[tuple[Any], Any]:
    """x and weights, of one shape and a dtype that takes both."""
    x, b = as_lazy(x, b), as_lazy(b, x)
    dtype = float_dtype(function.name, np.result_type(x, b))
    if any(map(is_unknown, (*x.shape, *b.shape))):
        return (x.astype(dtype),), aligned("b", b, x)
    try:
        x, b = da.broadcast_arrays(x, b)
    except ValueError:
        raise ValueError(f"b of shape {b.shape} and x of shape {x.shape} do not broadcast together") from None
    return (x.astype(dtype),), b.rechunk(x.chunks)


def _checked(
    function: Any, operands: tuple[Any, ...], axis: Any, b: Any, where: Any, lengths: Any, temperature: Any,
    dtype: Any, backend: str | None,
) -> Call:  # fmt: skip
    """The call; what is wrong is found by the checks of calls in memory, made of arrays without memory."""
    x = as_lazy(operands[-1], *operands[:-1], where)
    natural = [float_dtype(function.name, each.dtype) for each in (x, *filter(is_lazy, operands[:-1]))]
    shape = x.shape
    shown = [fake(each, shape, np.result_type(*natural)) for each in (*operands[:-1], x)]
    seen = fake(lengths, shape if any(map(is_unknown, shape)) else ())
    if is_lazy(lengths) and lengths.dtype.kind in "iu":  # 1 may be longer than an axis is
        seen = np.broadcast_to(np.zeros((), lengths.dtype), seen.shape)
    record = softmax_arguments(function, shown, axis, None, fake(where, shape), seen, fake(temperature, shape), dtype)
    wide = wide_dtype(*natural, record.dtype)
    axes = record.axes
    if is_lazy(lengths) or lengths is not None:
        lengths = as_lazy(lengths)
        places = [slice(None)] * lengths.ndim + [None] * (max(x.ndim, 1) - 1 - lengths.ndim)
        lengths = aligned("lengths", lengths[(*places[: axes[0]], None, *places[axes[0] :])], x)
    if isinstance(where, str) and (x.numblocks[-1] > 1 or x.numblocks[-2] > 1):
        where = positions(x, x.ndim - 2) >= positions(x, x.ndim - 1)
    if where is not None and not isinstance(where, str):
        where = aligned("where", where, x)
    if np.ndim(temperature):
        temperature = aligned("temperature", as_lazy(temperature), x)
        temperature = temperature[(None,) * (x.ndim - temperature.ndim)]
    elif not is_lazy(temperature):
        temperature = float(temperature)
    first = []
    for grad in operands[:-1]:
        grad = as_lazy(grad, x)
        if function.reduces and grad.ndim < x.ndim:
            grad = grad[tuple(None if each in axes else slice(None) for each in range(x.ndim))]
        first.append(aligned("grad_output", grad, x))
    return Call(function, (*first, x), axes, where, lengths, temperature, record.dtype, wide, backend)


def _checked_lengths(lengths: Any, *, size: int) -> Any:
    """Lengths of a block; ValueError unless all are those of an axis. On a device they are not looked at."""
    if isinstance(lengths, np.ndarray) and ((lengths < 0) | (lengths > size)).any():
        wrong = lengths[(lengths < 0) | (lengths > size)][0]
        raise ValueError(f"lengths has {wrong} in a chunk; the axis has from 0 to {size}")
    return lengths


# --- no axis is cut ---------------------------------------------------------------------------------------------------


def _whole(call: Call, b: Any, return_sign: bool) -> Any:
    """A call for each block."""
    *grads, x = call.operands
    options: dict[str, Any] = {"axes": call.axes if x.ndim else None, "backend": call.backend}
    if b is None:
        options["to"] = call.dtype
    if call.function.reduces and not grads:
        options |= {"sizes": call.row if x.ndim else None, "stacked": 2 if return_sign else None}
        options |= {"keepdims": True, "return_sign": return_sign}
    operands = x, *(grads or [None]), b, call.where, call.lengths, call.temperature
    return call.blocks(_block, *operands, function=call.function, **options)


def _block(
    x: Any, grad: Any, b: Any, where: Any, lengths: Any, temperature: Any, *, function: Any,
    axes: tuple[int, ...] | None, to: Any = None, **options: Any,
) -> Any:  # fmt: skip
    options |= {"axis": axes, "where": where, "temperature": temperature, "dtype": to}
    if lengths is not None and axes is not None:
        options["lengths"] = lengths.reshape(lengths.shape[: axes[0]] + lengths.shape[axes[0] + 1 :])
    if grad is not None:
        return function.backward(grad, x, **options)
    found = function(x, **options) if b is None else function(x, b=b, **options)
    return np.stack(found) if options.get("return_sign") else found


# --- an axis is cut ---------------------------------------------------------------------------------------------------


def _sums(call: Call, b: Any = None) -> Any:
    """Maximum and sum of each row; see statistics.py."""
    operands = call.x, call.mask(), call.temperature, b
    options = {"axes": call.axes, "sign": call.function.sign, "wide": call.wide, "backend": call.backend}
    stacked, combine = (SUMS, statistics.combined) if b is None else (SIGNED, statistics.combined_signed)
    parts = call.blocks(
        statistics.sums_of_block, *operands, dtype=np.float64, stacked=stacked, sizes=call.row, **options
    )
    return tree(parts, combine, [axis + 1 for axis in call.axes])


def _logsumexp(call: Call, b: Any, return_sign: bool) -> Any:
    sums = _sums(call, b)
    rows = sums[0]  # of the shape of the result
    options = {"weighted": b is not None, "return_sign": return_sign, "to": call.dtype}
    return call.blocks(_logarithm, rows, sums, stacked=2 if return_sign else None, **options)


@standard_arithmetic()
def _logarithm(rows: Any, sums: Any, *, weighted: bool, return_sign: bool, to: Any) -> Any:
    if weighted:
        value, sign = statistics.signed_logarithm(sums)
    else:
        value = np.where(np.isinf(rows), rows, rows + statistics.log_of_sum(sums))
        sign = np.where(np.isnan(value), value, value > -np.inf)
    if return_sign:
        return converted(np.stack([value, sign]), to)
    return converted(np.where(sign < 0, np.nan, value), to)


def _second_pass(compute: Callable[..., Any]) -> Callable[[Call], Any]:
    """A function of a row's elements and its sums."""

    def lazy(call: Call) -> Any:
        options = {"sign": call.function.sign, "wide": call.wide, "to": call.dtype}
        return call.blocks(compute, *call.again(), _sums(call), **options)

    return lazy


#: Elements that are computed at a time, so that what lies between float64 input and output stays in the cache.
PIECE = 2**15


def in_pieces(compute: Callable[..., Any]) -> Callable[..., Any]:
    """A function of single elements of a block, of operands that broadcast to the first one, and of sums of rows."""

    @functools.wraps(compute)
    def whole(x: Any, *others: Any, to: Any, **options: Any) -> Any:
        with standard_arithmetic():
            if x.size <= PIECE:
                return converted(compute(x, *others, **options), to)
            axis = int(np.argmax(x.shape))
            step = max(1, PIECE * x.shape[axis] // x.size)
            result = np.empty_like(x, dtype=to)
            for start in range(0, x.shape[axis], step):
                part: Any = (slice(None),) * axis + (slice(start, start + step),)
                parts = [_part(each, part, x.ndim) for each in others]
                result[part] = compute(x[part], *parts, **options)
            return result

    return whole


def _part(operand: Any, part: tuple[slice, ...], ndim: int) -> Any:
    """The part of an operand that belongs to this part of a block; the operand itself where it has one for all."""
    if getattr(operand, "ndim", 0) < ndim:
        return operand
    place = (slice(None),) * (operand.ndim - ndim) + part
    return operand if operand.shape[len(place) - 1] == 1 else operand[place]


@in_pieces
def softmax_of_block(x: Any, where: Any, temperature: Any, sums: Any, *, sign: int, wide: Any) -> Any:
    """softmax of a block of rows, from the sums of whole rows."""
    top, lead, others = sums
    y = statistics.scaling(statistics.scores(x, temperature, sign, wide), top)
    y /= lead + others
    y += top - top  # NaN for rows that have no softmax
    return y if where is None else np.where(where, y, 0)


@in_pieces
def _log_softmax(x: Any, where: Any, temperature: Any, sums: Any, *, sign: int, wide: Any) -> Any:
    z = converted(statistics.scores(x, temperature, sign, wide), np.float64)
    y = (z - sums[0]) - statistics.log_of_sum(sums)
    return y if where is None else np.where(where, y, -np.inf)


def _softmax_backward(call: Call) -> Any:
    """Two sums of a row, and then what is made of its elements and them."""
    grad, y, mask, temperature = call.again()
    options = {"sizes": call.row, "axes": call.axes, "computation": call.function.computation}
    operands = *reversed(call.operands), call.mask()
    parts = call.blocks(_sums_of_gradients, *operands, dtype=np.float64, stacked=2, **options)
    sums = tree(parts, total, [axis + 1 for axis in call.axes])
    options = {"sign": call.function.sign, "computation": call.function.computation, "to": call.dtype}
    return call.blocks(_gradients, y, grad, mask, temperature, sums, **options)


def _weight(y: Any, computation: str) -> Any:
    """What an element weighs in the mean of a sparse function's gradients, or in the sum of others'."""
    if computation == "softmax":
        return y
    return np.sign(y) if computation == "sparsemax" else np.sqrt(y)


@standard_arithmetic()
def _sums_of_gradients(y: Any, grad: Any, where: Any, *, axes: tuple[int, ...], computation: str) -> Any:
    y, grad = converted(y, np.float64), converted(grad, np.float64)
    if computation == "log_softmax":
        products = weight = grad
    else:
        weight = _weight(y, computation)
        products = weight * grad
        if computation != "softmax":
            products = np.where(weight == 0, 0, products)
    kept = [each + 0.0 if where is None else np.where(where, each, 0) for each in (products, weight)]
    return np.stack([statistics.pairwise(each, axes) for each in kept])


@in_pieces
def _gradients(y: Any, grad: Any, where: Any, temperature: Any, sums: Any, *, sign: int, computation: str) -> Any:
    y, grad = converted(y, np.float64), converted(grad, np.float64)
    total_of_row, weights = sums
    if computation == "softmax":
        result = y * (grad - total_of_row)
    elif computation == "log_softmax":
        result = grad - fa.exponential(y) * total_of_row
    else:
        weight = _weight(y, computation)
        result = np.where(weight == 0, 0, weight * (grad - total_of_row / weights))
    result = result / (sign * statistics.checked(temperature))
    return result if where is None else np.where(where, result, 0)


def _logsumexp_backward(call: Call) -> Any:
    grad, x, mask, temperature = call.again()
    options = {"sign": call.function.sign, "wide": call.wide, "to": call.dtype}
    return call.blocks(_logsumexp_gradients, x, mask, temperature, _sums(call), grad, **options)


@standard_arithmetic()
def _logsumexp_gradients(x: Any, where: Any, temperature: Any, sums: Any, grad: Any, *, to: Any, **options: Any) -> Any:
    y = softmax_of_block(x, where, temperature, sums, to=np.dtype(np.float64), **options)
    result = converted(grad, np.float64) * y / statistics.checked(temperature)
    return converted(result if where is None else np.where(where, result, 0), to)


def _hardmax(call: Call) -> Any:
    """The first pass finds the maximum of each row and the place of the first one, in C order."""
    places: Any = 0
    for axis in call.axes:
        if is_unknown(call.x.shape[axis]):
            positions(call.x, axis)
        places = places * call.x.shape[axis] + positions(call.x, axis)
    places = aligned("x", places, call.x)
    options = {"sign": call.function.sign, "wide": call.wide}
    operands = call.x, call.mask(), call.temperature, places
    parts = call.blocks(
        _first_largest, *operands, dtype=np.float64, stacked=2, sizes=call.row, axes=call.axes, **options
    )
    first = tree(parts, _first_of_all, [axis + 1 for axis in call.axes])
    return call.blocks(_one_hot, *call.again(places), first, to=call.dtype, **options)


@standard_arithmetic()
def _first_largest(
    x: Any, where: Any, temperature: Any, places: Any, *, axes: tuple[int, ...], sign: int, wide: Any
) -> Any:
    z = statistics.scores(x, temperature, sign, wide)
    if where is not None:
        z = np.where(where, z, z.dtype.type(-np.inf))
    top = statistics.largest(z, axes)
    found = np.where(z == top, converted(places, np.float64), np.inf)
    return np.stack([converted(top, np.float64), -statistics.largest(-found, axes)])


@standard_arithmetic()
def _first_of_all(parts: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    axes = tuple(each - 1 for each in axis)
    top = statistics.largest(parts[0], axes)
    return np.stack([top, -statistics.largest(np.where(parts[0] == top, -parts[1], -np.inf), axes)])


@standard_arithmetic()
def _one_hot(x: Any, where: Any, temperature: Any, places: Any, first: Any, *, sign: int, wide: Any, to: Any) -> Any:
    top, place = first
    result = np.where(top > -np.inf, places == place, np.nan)
    result = np.broadcast_to(result, x.shape)
    return converted(result + 0.0 if where is None else np.where(where, result, 0), to)


def _hardmax_backward(call: Call) -> Any:
    """Of each element by itself."""
    grad, y = call.operands
    options = {"function": call.function, "axes": call.axes, "to": call.dtype, "backend": call.backend}
    return call.blocks(_block, y, grad, None, call.mask(), None, call.temperature, **options)


#: (operation, number of operands) -> the result where x is cut along the axes
CHUNKED: dict[tuple[str, int], Callable[[Call], Any]] = {
    ("softmax", 1): _second_pass(softmax_of_block),
    ("softmax", 2): _softmax_backward,
    ("log_softmax", 1): _second_pass(_log_softmax),
    ("log_softmax", 2): _softmax_backward,
    ("logsumexp", 2): _logsumexp_backward,
    ("sparsemax", 2): _softmax_backward,
    ("entmax15", 2): _softmax_backward,
    ("hardmax", 1): _hardmax,
    ("hardmax", 2): _hardmax_backward,
}
