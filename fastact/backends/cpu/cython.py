"""The `cython` backend: the softmax family on the CPU for any axes and any memory layout, and cross-entropy.

It brings every array to what the kernels take: C-contiguous, one axis. The kernels are in native/softmax/kernels.pyx.
"""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import Any

import numpy as np

from fastact._core.arguments import Options, SoftmaxArguments
from fastact._core.arrays import reduced, rounded, wide_dtype
from fastact._kernels.native.arithmetic import standard_arithmetic
from fastact.backends.cpu import cross_entropy, instruction_sets
from fastact.backends.host import ClassLosses

__all__ = ["backend"]

#: The numbers of the kernels, the same for all instruction sets.
KERNELS: dict[str, int] = instruction_sets.baseline.KERNELS
SOFTMAX, LOG_SUM = KERNELS["softmax"], KERNELS["logsumexp"]


class Cython(ClassLosses):
    name = "cython"
    kernels = cross_entropy

    def common(self, computation: str, grad: Any, x: Any, axis: Any, out: Any) -> Any:
        return instruction_sets.kernels.common(KERNELS[computation], grad, x, axis, out)

    def over_axes(self, record: SoftmaxArguments) -> Any:
        compute = _logsumexp if record.computation == "logsumexp" else _softmax
        return record.finished(
            compute(KERNELS[record.computation], record.arrays, record.axes, record.target, record.options)
        )

    def detail(self, record: SoftmaxArguments) -> list[str]:
        """The instruction set, the loop and the threads that a forward pass without options would take."""
        x, kernel = record.arrays[-1], KERNELS[record.computation]
        is_double = x.dtype.itemsize == 8
        order, shape = _three_axes(x, record.axes, kernel, False, is_double)
        loop = f"{instruction_sets.name()} kernels, {instruction_sets.kernels.explain(kernel, is_double, *shape)}"
        straight = np.transpose(x, order).flags.c_contiguous and x.dtype.isnative
        return [loop] if straight else [loop, "on a contiguous copy"]


backend = Cython()


def _softmax(
    kind: int,
    arrays: tuple[np.ndarray, ...],
    axes: tuple[int, ...],
    out: np.ndarray | None,
    options: Options | None,
) -> np.ndarray:
    if len(axes) == 1:
        grad, x = arrays if len(arrays) == 2 else (None, arrays[0])
        if options is None:
            result = instruction_sets.kernels.run(kind, grad, x, out, axes[0])
        else:
            result = _with_options(kind, grad, x, axes[0], out, options)
        if result is not None:
            return result
    return _any_layout(kind, arrays, axes, out, options)


def _logsumexp(
    kind: int, arrays: tuple[np.ndarray, ...], axes: tuple[int, ...], out: np.ndarray | None, options: Options | None
) -> np.ndarray:
    """The kernels give the sums as computed, in float32 or float64; backward is softmax times the gradient."""
    x = arrays[-1]
    dtype = x.dtype.newbyteorder("=") if options is None else options.dtype
    if len(arrays) == 2:
        wide = wide_dtype(x.dtype, dtype)
        options = Options(wide) if options is None else options._replace(dtype=wide)
        result = _softmax(SOFTMAX, (x,), axes, None, options)
        with standard_arithmetic():
            grad = arrays[0].astype(wide) / np.asarray(options.divisor, wide)
            mask = options.mask(x.shape, axes)
            np.multiply(result, grad, out=result, where=True if mask is None else mask)
    elif x.size == 0:
        result = np.full(reduced(x.shape, axes), -np.inf)
    else:
        result = _softmax(kind, arrays, axes, None, options)
    return rounded(result, dtype, out)


def _with_options(
    kind: int, grad: np.ndarray | None, x: np.ndarray, axis: int, out: np.ndarray | None, options: Options
) -> np.ndarray | None:
    """The kernels with what they take of the options; None if they do not take all, or the arrays are no plain case."""
    where, lengths, causal, divisor = options.where, options.lengths, options.causal, options.divisor
    if (x.dtype.itemsize == 8) != (options.dtype.itemsize == 8):
        return None
    if axis != x.ndim - 1 and (lengths is not None or causal):
        where, lengths, causal = options.mask(x.shape, (axis,)), None, False
    if isinstance(divisor, np.ndarray):
        if divisor.shape[axis:] != (1,) * (x.ndim - axis):
            return None
        divisor = np.ascontiguousarray(divisor)
    if where is not None:
        where = np.ascontiguousarray(np.broadcast_to(where, where.shape[:axis] + x.shape[axis:]))
    if lengths is not None:
        lengths = np.ascontiguousarray(lengths)
    if out is None and kind != LOG_SUM:
        out = np.empty(x.shape, options.dtype)
    return instruction_sets.kernels.run(kind, grad, x, out, axis, where, lengths, causal, divisor)


def _any_layout(
    kind: int,
    arrays: tuple[np.ndarray, ...],
    axes: tuple[int, ...],
    out: np.ndarray | None,
    options: Options | None,
) -> np.ndarray:
    """Reorder and merge axes into (outer, n, inner), as a view wherever memory allows it."""
    x = arrays[-1]
    native = x.dtype.newbyteorder("=")
    options = options or Options(native)
    wide = wide_dtype(native, options.dtype)
    order, shape = _three_axes(x, axes, kind, len(arrays) == 2, wide.itemsize == 8)
    first = min((order.index(axis) for axis in axes), default=x.ndim)
    taken, given = (wide, wide) if wide.itemsize == 8 else (native, options.dtype)  # dtypes in the kernel
    ordered = [np.transpose(each, order) for each in arrays]
    merged = Options(given)
    mask, temperature = options.mask(x.shape, axes), options.divisor
    if mask is not None:
        merged = merged._replace(where=_merged(np.transpose(mask, order), ordered[-1].shape, first, shape))
    if isinstance(temperature, np.ndarray):
        temperature = np.transpose(temperature, order)
        if math.prod(temperature.shape[first:]) != 1:  # not one for each block
            return _divided(kind, arrays, axes, out, options)
        blocks = np.broadcast_to(temperature, ordered[-1].shape[:first] + temperature.shape[first:])
        temperature = blocks.reshape(shape[0], 1, 1)
    merged = merged._replace(temperature=temperature)
    with nullcontext() if taken == native else standard_arithmetic():  # a signalling NaN would warn
        operands = [np.require(each, taken, ["C", "A"]).reshape(shape) for each in ordered]

    target = None
    if out is not None and out.dtype == given and out.dtype.isnative:
        view = np.transpose(out, order)
        if view.flags.c_contiguous and view.flags.aligned:
            target = view.reshape(shape)
            operands = [each.copy() if _overlaps(each, target) else each for each in operands]
    elif taken == given and not np.may_share_memory(operands[-1], x):  # the copy just made can hold the result
        target = operands[-1]
    *grad, source = operands
    result = _with_options(kind, grad[0] if grad else None, source, 1, target, merged)
    assert result is not None
    if kind == LOG_SUM:
        rest = [1 if axis in axes else x.shape[axis] for axis in order]
        return result.reshape(rest).transpose(np.argsort(order))
    result = result.reshape(ordered[0].shape).transpose(np.argsort(order))
    if out is not None and target is not None and np.may_share_memory(target, out):
        return out
    return rounded(result, options.dtype, out)


def _divided(
    kind: int, arrays: tuple[np.ndarray, ...], axes: tuple[int, ...], out: np.ndarray | None, options: Options
) -> np.ndarray:
    """With a temperature that is not the same along the axes: x divided before, or the gradient after."""
    wide = wide_dtype(arrays[0].dtype, options.dtype)
    plain = options._replace(temperature=1.0, sign=1, dtype=wide)
    temperature = rounded(options.divisor, wide)
    with standard_arithmetic():
        if len(arrays) == 1:
            result = _softmax(kind, (arrays[0] / temperature,), axes, None, plain)
        else:
            result = _softmax(kind, arrays, axes, None, plain) / temperature
    return rounded(result, options.dtype, out)


def _merged(mask: np.ndarray, shape: tuple[int, ...], first: int, three: tuple[int, int, int]) -> np.ndarray:
    """A mask for (outer, n, inner); of a single block, if it is the same for all."""
    if math.prod(mask.shape[:first]) == 1:
        return np.broadcast_to(mask, (1,) * first + shape[first:]).reshape(1, *three[1:])
    return np.broadcast_to(mask, shape).reshape(three)


def _three_axes(
    x: np.ndarray, axes: tuple[int, ...], kind: int, backward: bool, is_double: bool
) -> tuple[list[int], tuple[int, int, int]]:
    """An order of x's axes in which `axes` are neighbours, and the shape (outer, n, inner) that then merges them.

    It is the order in memory, largest stride first, unless `axes` are apart there or the kernels do not take that.
    """
    order = sorted(range(x.ndim), key=lambda axis: -abs(x.strides[axis]))
    places = sorted(order.index(axis) for axis in axes)
    n = math.prod(x.shape[axis] for axis in axes)
    neighbours = not places or places[-1] - places[0] < len(places)
    inner = math.prod(x.shape[axis] for axis in order[places[-1] + 1 :]) if places else 1
    if not (neighbours and instruction_sets.kernels.takes(kind, backward, is_double, n, inner)):
        order = [axis for axis in order if axis not in axes] + [axis for axis in order if axis in axes]
    first = min((order.index(axis) for axis in axes), default=x.ndim)
    sizes = [x.shape[axis] for axis in order]
    return order, (math.prod(sizes[:first]), n, math.prod(sizes[first + len(axes) :]))


def _overlaps(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays share memory without being the same."""
    return np.may_share_memory(a, b) and (a.ctypes.data != b.ctypes.data or a.nbytes != b.nbytes)
