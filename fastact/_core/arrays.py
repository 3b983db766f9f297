"""Arrays as arguments: their dtypes, axes and shapes, and `out`; what is wrong with one is an error of one line.

What these functions check has a dtype and a shape: an ndarray, or what a backend makes of an array of its device.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple
from numpy.typing import DTypeLike, NDArray

from fastact._core.devices import DeviceArray
from fastact._kernels.native.arithmetic import standard_arithmetic, standard_mode
from fastact.errors import wrong_type

__all__ = [
    "DOUBLE", "PYTHON_NUMBERS", "Axis", "Shape", "as_array", "as_dtype", "as_float", "as_int", "as_numbers",
    "broadcasts", "check_out", "check_writeable", "float_dtype", "halved", "halves", "is_float", "loss_dtype",
    "normalize_axes", "normalize_axis", "overlaps", "reduced", "rounded", "wide_dtype",
]  # fmt: skip

#: Names are of dimensions, which containers have.
Axis = int | str | Sequence[int] | Sequence[str] | None
Shape = tuple[int, ...]

DOUBLE = np.dtype(np.float64)
PYTHON_NUMBERS = frozenset({bool, int, float})

#: The names of the dtypes that results can have.
FLOATS = ("float16", "bfloat16", "float32", "float64")


def normalize_axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    """The axes counted from 0, in order; TypeError for what is no axis, and else errors as NumPy's."""
    if type(axis) is int and -ndim <= axis < ndim:
        return (axis % ndim,)
    try:
        given: Any = range(ndim) if axis is None else axis
        return tuple(sorted(normalize_axis_tuple(given, ndim)))
    except TypeError:
        raise wrong_type("axis", axis, "pass an int, a tuple of ints, or None for all axes") from None


def normalize_axis(axis: Any, ndim: int) -> int:
    """The axis counted from 0; TypeError for what is no single axis, and else NumPy's AxisError."""
    if type(axis) is int and -ndim <= axis < ndim:
        return axis % ndim
    try:
        return normalize_axis_index(axis, ndim)
    except TypeError:
        raise wrong_type("axis", axis, "pass an int") from None


def halved(shape: Shape, axis: int | str) -> tuple[int, int]:
    """The axis counted from 0, and half the length of `shape` along it."""
    axis = normalize_axis(axis, len(shape))
    if shape[axis] % 2:
        raise ValueError(f"x has shape {shape}: its length along axis {axis}, {shape[axis]}, cannot be halved")
    return axis, shape[axis] // 2


def halves(x: Any, axis: int | str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Views of the first and the second half of an array in host memory."""
    array = np.asanyarray(x)
    axis, half = halved(array.shape, axis)
    before = (slice(None),) * axis
    return array[(*before, slice(half))], array[(*before, slice(half, None))]


def reduced(shape: Shape, axes: tuple[int, ...]) -> Shape:
    """`shape` with 1 for every one of `axes`."""
    return tuple(1 if i in axes else size for i, size in enumerate(shape))


def as_array(name: str, operand: Any) -> Any:
    """An operand of the function of this name as an array; TypeError for a masked array."""
    if type(operand) is np.ndarray or isinstance(operand, DeviceArray):
        return operand
    if isinstance(operand, np.ma.MaskedArray):
        raise TypeError(f"{name} does not take masked arrays; pass x.data and where=~x.mask")
    return np.asarray(operand)


def as_int(argument: str, value: Any) -> int:
    """The value of an argument as an int; TypeError if it is none."""
    try:
        return operator.index(value)
    except TypeError:
        raise wrong_type(argument, value, "pass an int") from None


def as_float(argument: str, value: Any) -> float:
    """The value of an argument as a float; TypeError if it is no real number."""
    if not isinstance(value, str | bytes):
        try:
            return float(value)
        except (TypeError, ValueError):
            pass
    raise wrong_type(argument, value, "pass a number")


def as_numbers(argument: str, value: Any) -> Any:
    """The value of an argument as an array; TypeError unless it holds real numbers."""
    array = value if isinstance(value, DeviceArray) else np.asarray(value)
    if array.dtype.kind not in "biuf" and not is_float(array.dtype):
        raise wrong_type(argument, value, "pass real numbers")
    return array


def is_float(dtype: np.dtype[Any]) -> bool:
    """Whether results can have this dtype."""
    return dtype.name in FLOATS


@functools.cache
def float_dtype(name: str, dtype: np.dtype[Any], operand: str = "x") -> np.dtype[Any]:
    """The dtype of the result for an operand of `dtype`, as np.exp has it, in native byte order."""
    if is_float(dtype):
        return dtype.newbyteorder("=")
    if dtype.kind not in "biu":
        raise TypeError(
            f"ufunc '{name}' not supported for the input types, and the inputs could not be safely coerced to any "
            f"supported types according to the casting rule ''safe'' ({operand} is {dtype}; convert it to float64)"
        )
    return np.exp.resolve_dtypes((dtype, None))[1]


def as_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """The argument `dtype`; TypeError unless results can have it."""
    try:
        wanted = np.dtype(dtype).newbyteorder("=")
    except TypeError:
        raise wrong_type("dtype", dtype, f"it must be one of {', '.join(FLOATS)}") from None
    if not is_float(wanted):
        raise TypeError(f"dtype is {wanted}; it must be one of {', '.join(FLOATS)}")
    return wanted


def rounded(values: Any, dtype: np.dtype[Any], out: NDArray[Any] | None = None) -> Any:
    """Values as an array of this dtype, or written to `out`: the one way to convert numbers, of which none may warn.

    A float may become a scalar.
    """
    if out is None and isinstance(values, np.ndarray) and values.dtype == dtype:
        return values
    if type(values) is float and out is None and dtype.itemsize >= 4 and (values == 0 or 1e-37 < abs(values) < 1e38):
        with standard_mode():  # a tenth of the time: far from the ends of the range there is nothing to warn of
            return dtype.type(values)
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
    dtypes = float_dtype(name, x), float_dtype(name, target, "target")
    return dtypes[0] if target.kind in "biu" else np.result_type(*dtypes)


def broadcasts(given: Shape, wanted: Shape) -> bool:
    """Whether every axis, counted from the first, has the size wanted or 1."""
    return len(given) <= len(wanted) and all(a in (1, b) for a, b in zip(given, wanted, strict=False))


def check_out(out: Any, shape: Shape, dtype: np.dtype[Any]) -> None:
    """Raise TypeError or ValueError unless `out` can take a result of this shape and dtype."""
    if not isinstance(out, np.ndarray | DeviceArray):
        raise TypeError(f"out is a {type(out).__name__}; pass a numpy array of shape {shape} and dtype {dtype}")
    if out.dtype.newbyteorder("=") != dtype:
        raise TypeError(f"out has dtype {out.dtype}, the result {dtype}; pass an array of dtype {dtype}")
    if out.shape != shape:
        raise ValueError(f"out has shape {out.shape}, the result {shape}; pass an array of shape {shape}")
    check_writeable(out)


def check_writeable(out: Any) -> None:
    """Raise ValueError if `out` is read-only."""
    if isinstance(out, DeviceArray) and out.read_only:
        raise ValueError("out is read-only; pass a writeable array, or none where there are none, as in JAX")
    if isinstance(out, np.ndarray) and not out.flags.writeable:
        raise ValueError("out is read-only; pass a writeable array")


def overlaps(a: NDArray[Any], b: NDArray[Any]) -> bool:
    """Whether two arrays share memory other than element by element."""
    return np.may_share_memory(a, b) and (a.ctypes.data, a.shape, a.strides) != (b.ctypes.data, b.shape, b.strides)
