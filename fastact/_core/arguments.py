"""The arguments of functions over axes: dtypes, axes, masks, lengths, temperatures and `out`, checked once for all.

softmax.py and its like call these functions before a backend sees anything; backends read `Options`. A new argument
is a function here that checks it and a field of `Options`.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fastact._native.arithmetic import standard_arithmetic
from fastact.errors import UnknownNameError, nearest

__all__ = [
    "DOUBLE", "PYTHON_NUMBERS", "Axis", "Options", "as_array", "as_dtype", "as_lengths", "as_mask", "as_temperature",
    "check_lengths", "check_mask", "check_out", "check_temperature", "float_dtype", "halved", "is_float", "loss_dtype",
    "normalize_axes", "overlaps", "reduced", "rounded", "wide_dtype",
]  # fmt: skip

Axis = int | Sequence[int] | None
Shape = tuple[int, ...]

DOUBLE = np.dtype(np.float64)
PYTHON_NUMBERS = frozenset({bool, int, float})

#: The names of the dtypes that results can have.
FLOATS = ("float16", "bfloat16", "float32", "float64")


class Options(NamedTuple):
    """What a call asks for beyond arrays and axes; a backend gets None instead if that is nothing.

    `where` and `lengths` have as many dimensions as x and broadcast against it, `lengths` along `axes` too.
    """

    dtype: np.dtype[Any]
    where: NDArray[np.bool_] | None = None
    causal: bool = False
    lengths: NDArray[np.intp] | None = None
    temperature: float | NDArray[np.float64] = 1.0

    def mask(self, shape: Shape, axes: tuple[int, ...]) -> NDArray[np.bool_] | None:
        """The elements that count, as one array of len(shape) dimensions that broadcasts; None for all."""
        parts = [] if self.where is None else [self.where]
        if self.causal:
            parts.append(np.tri(*shape[-2:], dtype=np.bool_)[(np.newaxis,) * (len(shape) - 2)])
        if self.lengths is not None:
            axis = axes[0]
            parts.append(np.arange(shape[axis]).reshape(-1, *[1] * (len(shape) - 1 - axis)) < self.lengths)
        return functools.reduce(np.logical_and, parts) if parts else None


def normalize_axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    """The axes counted from 0, in order; errors as NumPy's."""
    return tuple(sorted(normalize_axis_tuple(range(ndim) if axis is None else axis, ndim)))


def halved(shape: Shape, axis: int) -> tuple[int, int]:
    """The axis counted from 0, and half the length of `shape` along it."""
    axis = normalize_axis_index(axis, len(shape))
    if shape[axis] % 2:
        raise ValueError(f"x has shape {shape}: its length along axis {axis}, {shape[axis]}, cannot be halved")
    return axis, shape[axis] // 2


def reduced(shape: Shape, axes: tuple[int, ...]) -> Shape:
    """`shape` with 1 for every one of `axes`."""
    return tuple(1 if i in axes else size for i, size in enumerate(shape))


def as_array(name: str, operand: Any) -> NDArray[Any]:
    if isinstance(operand, np.ma.MaskedArray):
        raise TypeError(f"{name} does not take masked arrays; pass x.data and where=~x.mask")
    return np.asarray(operand)


def is_float(dtype: np.dtype[Any]) -> bool:
    """Whether results can have this dtype."""
    return dtype.name in FLOATS


@functools.cache
def float_dtype(name: str, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of the result for an input of `dtype`, as np.exp has it, in native byte order."""
    if is_float(dtype):
        return dtype.newbyteorder("=")
    if dtype.kind not in "biu":
        raise TypeError(
            f"ufunc '{name}' not supported for the input types, and the inputs could not be safely coerced to any "
            f"supported types according to the casting rule ''safe'' (x is {dtype}; convert it to float64)"
        )
    return np.exp.resolve_dtypes((dtype, None))[1]


def as_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """The argument `dtype`."""
    wanted = np.dtype(dtype).newbyteorder("=")
    if not is_float(wanted):
        raise TypeError(f"dtype is {wanted}; it must be one of {', '.join(FLOATS)}")
    return wanted


def rounded(values: Any, dtype: np.dtype[Any], out: NDArray[Any] | None = None) -> Any:
    """Values as an array of this dtype, or written to `out`: the one way to convert numbers, of which none may warn."""
    if out is None and isinstance(values, np.ndarray) and values.dtype == dtype:
        return values
    with standard_arithmetic():
        if out is None:
            return np.asarray(values).astype(dtype)
        out[...] = values
    return out


@functools.cache
def wide_dtype(*dtypes: np.dtype[Any]) -> np.dtype[Any]:
    """What to compute in: float64 if one of these is, else float32."""
    return np.dtype(np.float64 if any(dtype.itemsize == 8 for dtype in dtypes) else np.float32)


@functools.cache
def loss_dtype(name: str, x: DTypeLike, target: DTypeLike) -> np.dtype[Any]:
    """The dtype of a loss of x and target, given as dtypes, or as the types of Python numbers.

    Targets that are integers or bool leave x's alone, and Python numbers a floating-point array's.
    """
    numbers = [isinstance(each, type) for each in (x, target)]
    x, target = np.dtype(x), np.dtype(target)
    for number, other in zip(numbers, (target, x), strict=True):
        if number and not all(numbers) and is_float(other):
            return other.newbyteorder("=")
    dtypes = float_dtype(name, x), float_dtype(name, target)
    return dtypes[0] if target.kind in "biu" else np.result_type(*dtypes)


def as_mask(where: ArrayLike | str, shape: Shape, axes: tuple[int, ...]) -> tuple[NDArray[np.bool_] | None, bool]:
    """The argument `where`, as a mask of len(shape) dimensions and whether it is the causal one."""
    if isinstance(where, str):
        if where != "causal":
            raise UnknownNameError(f"where={where!r}{nearest(where, ['causal'])}")
        if len(shape) < 2 or axes != (len(shape) - 1,):
            raise ValueError(f"where='causal' goes with the last axis of (..., n, n), not axes {axes} of shape {shape}")
        return None, True
    mask = np.asarray(where)
    check_mask(mask.dtype, mask.shape, shape)
    return mask.reshape((1,) * (len(shape) - mask.ndim) + mask.shape), False


def check_mask(dtype: np.dtype[Any], mask: Shape, shape: Shape) -> None:
    """Whether an array of this dtype and shape can be `where`."""
    if dtype != np.bool_:
        raise TypeError(f"where has dtype {dtype}; pass a boolean mask, True where an element counts, or lengths=")
    if not _broadcasts(mask[::-1], shape[::-1]):
        raise ValueError(f"where of shape {mask} does not broadcast to x of shape {shape}")


def _broadcasts(given: Shape, wanted: Shape) -> bool:
    """Whether every axis, counted from the first, has the size wanted or 1."""
    return len(given) <= len(wanted) and all(a in (1, b) for a, b in zip(given, wanted, strict=False))


def as_lengths(lengths: ArrayLike, shape: Shape, axes: tuple[int, ...]) -> NDArray[np.intp]:
    """The argument `lengths`, which begins with x's first axis, unlike NumPy's broadcasting."""
    array = np.asarray(lengths)
    check_lengths(array.dtype, array.shape, shape, axes)
    n = shape[axes[0]]
    wrong = np.argwhere((array < 0) | (array > n))
    if len(wrong):
        place = tuple(wrong[0].tolist())
        raise ValueError(f"lengths[{', '.join(map(str, place))}] is {array[place]}; axis {axes[0]} has from 0 to {n}")
    whole = array.reshape(array.shape + (1,) * (len(shape) - 1 - array.ndim))
    return np.expand_dims(whole, axes[0]).astype(np.intp)


def check_lengths(dtype: np.dtype[Any], lengths: Shape, shape: Shape, axes: tuple[int, ...]) -> None:
    """Whether an array of this dtype and shape can be `lengths`."""
    if dtype.kind not in "iu":
        raise TypeError(f"lengths has dtype {dtype}; pass integers")
    if len(axes) != 1:
        raise ValueError(f"lengths goes with one axis, not {axes}")
    if not _broadcasts(lengths, shape[: axes[0]] + shape[axes[0] + 1 :]):
        raise ValueError(f"lengths of shape {lengths} does not fit x of shape {shape} without axis {axes[0]}")


def as_temperature(temperature: ArrayLike, shape: Shape) -> float | NDArray[np.float64]:
    """The argument `temperature`, a number or an array of len(shape) dimensions."""
    if type(temperature) is float and temperature > 0:
        return temperature
    array = rounded(temperature, DOUBLE)
    check_temperature(array.shape, shape)
    if not (array > 0).all():
        raise ValueError(f"temperature holds {array[~(array > 0)][0]}; it must be positive")
    return float(array) if array.ndim == 0 else array.reshape((1,) * (len(shape) - array.ndim) + array.shape)


def check_temperature(temperature: Shape, shape: Shape) -> None:
    """Whether an array of this shape can be `temperature`."""
    if not _broadcasts(temperature[::-1], shape[::-1]):
        raise ValueError(f"temperature of shape {temperature} does not broadcast to x of shape {shape}")


def check_out(out: Any, shape: Shape, dtype: np.dtype[Any]) -> None:
    """Whether `out` can take a result."""
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out is a {type(out).__name__}; pass a numpy array of shape {shape} and dtype {dtype}")
    if out.dtype.newbyteorder("=") != dtype:
        raise TypeError(f"out has dtype {out.dtype}, the result {dtype}; pass an array of dtype {dtype}")
    if out.shape != shape:
        raise ValueError(f"out has shape {out.shape}, the result {shape}; pass an array of shape {shape}")
    if not out.flags.writeable:
        raise ValueError("out is read-only; pass a writeable array")


def overlaps(a: NDArray[Any], b: NDArray[Any]) -> bool:
    """Whether two arrays share memory other than element by element."""
    return np.may_share_memory(a, b) and (a.ctypes.data, a.shape, a.strides) != (b.ctypes.data, b.shape, b.strides)
