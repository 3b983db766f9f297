"""What users write, checked once: a record of arguments for each family, which is all that a backend gets.

A record is made for host arrays and for those of a device alike: `seen` of the backend that was chosen has made of the
latter what checks can read. A new argument is checked here, and is a field of its record.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastact._core.arrays import (
    DOUBLE,
    PYTHON_NUMBERS,
    Axis,
    Shape,
    as_array,
    as_dtype,
    as_float,
    as_int,
    as_numbers,
    broadcasts,
    check_out,
    float_dtype,
    loss_dtype,
    normalize_axes,
    normalize_axis,
    reduced,
    rounded,
)
from fastact._core.devices import DeviceArray
from fastact.errors import UnknownNameError, nearest

__all__ = [
    "ClassLossArguments", "ElementwiseLossArguments", "Options", "SoftmaxArguments", "class_loss_arguments",
    "elementwise_loss_arguments", "positive", "share", "softmax_arguments",
]  # fmt: skip

# --- the softmax family -----------------------------------------------------------------------------------------------


class Options(NamedTuple):
    """What a call asks for beyond arrays and axes.

    `where` and `lengths` have as many dimensions as x and broadcast against it, `lengths` along `axes` too. x is
    multiplied with `sign` and divided by `temperature`, a number or an array with as many dimensions.
    """

    dtype: np.dtype[Any]
    where: Any = None
    causal: bool = False
    lengths: Any = None
    temperature: Any = 1.0
    sign: int = 1

    @property
    def divisor(self) -> Any:
        """What x is divided by, for temperatures in host memory."""
        return self.temperature if self.sign == 1 else -self.temperature

    def mask(self, shape: Shape, axes: tuple[int, ...]) -> NDArray[np.bool_] | None:
        """The elements that count, as one array of len(shape) dimensions that broadcasts; None for all."""
        parts = [] if self.where is None else [self.where]
        if self.causal:
            parts.append(np.tri(*shape[-2:], dtype=np.bool_)[(np.newaxis,) * (len(shape) - 2)])
        if self.lengths is not None:
            axis = axes[0]
            parts.append(np.arange(shape[axis]).reshape(-1, *[1] * (len(shape) - 1 - axis)) < self.lengths)
        return functools.reduce(np.logical_and, parts) if parts else None


class SoftmaxArguments(NamedTuple):
    """A call of the softmax family.

    Attributes
    ----------
    name : of the function
    computation : the name of what is computed; several functions may share one
    arrays : (x,), or (grad_output, output or x) for a backward pass; host arrays are of one dtype
    axes : counted from 0, in order
    dtype : of the result
    options : None where the call asks for nothing beyond arrays and axes
    target : where to write, with as many axes as x, or None
    shape : of the result; x has one axis at least, and reduced axes are kept until the end
    written : the function and its options as they were passed, by which a backend may know the call again
    """

    name: str
    computation: str
    arrays: tuple[Any, ...]
    axes: tuple[int, ...]
    dtype: np.dtype[Any]
    options: Options | None
    target: Any
    shape: Shape
    out: Any
    written: tuple[Any, tuple[Any, ...]]

    def finished(self, result: Any) -> Any:
        """The result for the user: `out`, or an array of `shape`, a scalar where that is ()."""
        if self.out is not None:
            return self.out
        if result.shape != self.shape:
            result = result.reshape(self.shape)
        return result if self.shape else result[()]


def softmax_arguments(
    function: Any,
    operands: Sequence[Any],
    axis: Axis,
    out: Any,
    where: Any,
    lengths: Any,
    temperature: Any,
    dtype: DTypeLike | None,
    keepdims: bool = True,
) -> SoftmaxArguments:
    """The record of a call; `function` has a name, a computation, a sign, and `reduces`."""
    name = function.name
    x = as_array(name, operands[-1])
    natural, shape = float_dtype(name, x.dtype), x.shape
    whole = shape or (1,)
    axes = normalize_axes(axis, len(whole))  # as np.sum: a scalar has an axis 0
    result_shape, computed = shape, whole
    if function.reduces and len(operands) == 1:
        computed = reduced(whole, axes)
        result_shape = reduced(shape, axes) if keepdims else _without(shape, axes)
    arrays = [x]
    if len(operands) == 2:
        grad = as_array(name, operands[0])
        if type(operands[0]) not in PYTHON_NUMBERS:
            natural = np.result_type(natural, float_dtype(name, grad.dtype, "grad_output"))
        allowed = [_without(shape, axes), reduced(shape, axes)] if function.reduces else [shape]
        if grad.shape not in allowed:
            raise ValueError(f"grad_output has shape {grad.shape}; {name} of this has {allowed[0]}")
        arrays = [grad.reshape(reduced(whole, axes) if function.reduces else whole), x]
    result_dtype = natural if dtype is None else as_dtype(dtype)
    options = None
    plain = where is None and lengths is None and dtype is None and function.sign == 1
    if not (plain and type(temperature) is float and temperature == 1.0):
        mask, causal = (None, False) if where is None else _mask(where, x, whole, axes)
        counts = None if lengths is None else _lengths(lengths, whole, axes)
        options = Options(result_dtype, mask, causal, counts, _temperature(temperature, whole), function.sign)
    target = out
    if out is not None:
        check_out(out, result_shape, result_dtype)
        if len(out.shape) < len(whole):
            target = out.reshape(computed)
    arrays[-1] = x if shape else x.reshape(whole)
    ready = tuple(each if each.dtype == natural else _of_dtype(each, natural) for each in arrays)
    written = function, (axis, where, lengths, temperature, dtype, keepdims)
    return SoftmaxArguments(
        name, function.computation, ready, axes, result_dtype, options, target, result_shape, out, written
    )


def _without(shape: Shape, axes: tuple[int, ...]) -> Shape:
    return tuple(size for i, size in enumerate(shape) if i not in axes)


def _of_dtype(array: Any, dtype: np.dtype[Any]) -> Any:
    """The array rounded to this dtype, unless it is of the device or only of another byte order."""
    same = isinstance(array, DeviceArray) or array.dtype.newbyteorder("=") == dtype
    return array if same else rounded(array, dtype)


def _mask(where: Any, x: Any, shape: Shape, axes: tuple[int, ...]) -> tuple[Any, bool]:
    """The argument `where`, as a mask of len(shape) dimensions and whether it is the causal one."""
    if isinstance(where, str):
        if where != "causal":
            raise UnknownNameError(f"where={where!r}{nearest(where, ['causal'])}")
        if len(shape) < 2 or axes != (len(shape) - 1,):
            raise ValueError(f"where='causal' goes with the last axis of (..., n, n), not axes {axes} of shape {shape}")
        return None, True
    if isinstance(x, DeviceArray) and not isinstance(where, DeviceArray):
        raise TypeError(f"where is a {type(where).__name__} in host memory, and x on the GPU; move it there")
    mask = where if isinstance(where, DeviceArray) else np.asarray(where)
    if mask.dtype != np.bool_:
        raise TypeError(f"where has dtype {mask.dtype}; pass a boolean mask, True where an element counts, or lengths=")
    if not broadcasts(mask.shape[::-1], shape[::-1]):
        raise ValueError(f"where of shape {mask.shape} does not broadcast to x of shape {shape}")
    return mask.reshape((1,) * (len(shape) - len(mask.shape)) + mask.shape), False


def _lengths(lengths: Any, shape: Shape, axes: tuple[int, ...]) -> Any:
    """The argument `lengths`, which begins with x's first axis, unlike NumPy's broadcasting.

    On a device they are not looked at: what is below 0 or beyond the axis counts as 0 or all.
    """
    array = lengths if isinstance(lengths, DeviceArray) else np.asarray(lengths)
    if array.dtype.kind not in "iu":
        raise TypeError(f"lengths has dtype {array.dtype}; pass integers")
    if len(axes) != 1:
        raise ValueError(f"lengths goes with one axis, not {axes}")
    axis = axes[0]
    if not broadcasts(array.shape, shape[:axis] + shape[axis + 1 :]):
        raise ValueError(f"lengths of shape {array.shape} does not fit x of shape {shape} without axis {axis}")
    if isinstance(array, np.ndarray):
        n = shape[axis]
        wrong = np.argwhere((array < 0) | (array > n))
        if len(wrong):
            place = tuple(wrong[0].tolist())
            raise ValueError(f"lengths[{', '.join(map(str, place))}] is {array[place]}; axis {axis} has from 0 to {n}")
        array = array.astype(np.intp)
    whole = array.shape + (1,) * (len(shape) - 1 - len(array.shape))
    return array.reshape((*whole[:axis], 1, *whole[axis:]))


def _temperature(temperature: Any, shape: Shape) -> Any:
    """The argument `temperature`, a number or an array of len(shape) dimensions; on a device it is not looked at."""
    if type(temperature) is float and temperature > 0:
        return temperature
    array = positive("temperature", temperature)
    if not broadcasts(array.shape[::-1], shape[::-1]):
        raise ValueError(f"temperature of shape {array.shape} does not broadcast to x of shape {shape}")
    if isinstance(array, np.ndarray) and array.ndim == 0:
        return float(array)
    return array.reshape((1,) * (len(shape) - len(array.shape)) + array.shape)


def positive(argument: str, value: Any) -> Any:
    """The value of an argument in float64; TypeError or ValueError unless all of it are positive numbers.

    On a device it is not looked at.
    """
    array = as_numbers(argument, value)
    if isinstance(array, DeviceArray):
        return array
    array = rounded(array, DOUBLE)
    if not (array > 0).all():
        raise ValueError(f"{argument} holds {array[~(array > 0)][0]}; it must be positive")
    return array


# --- losses -----------------------------------------------------------------------------------------------------------

_NUMBERS = (int, float)  # `int | float` would be made anew for each
REDUCTIONS = ("mean", "sum", "none")


def _check_reduction(reduction: str) -> None:
    if reduction not in REDUCTIONS:
        raise UnknownNameError(f"reduction={reduction!r}{nearest(reduction, REDUCTIONS)}")


def share(reduction: str, count: float) -> float:
    """The factor of a sum of losses; `count` says how many there are, or what they weigh."""
    return 1.0 if reduction != "mean" else 1 / count if count else math.nan


class ClassLossArguments(NamedTuple):
    """A call of a loss of classes.

    Attributes
    ----------
    name : of the loss
    x : logits or log-probabilities
    targets : classes, of `shape`, or probabilities, of x's shape
    dense : whether targets are probabilities
    axis, classes : where classes lie, counted from 0, and how many there are
    dtype, shape : of the losses of single targets
    weight : of each class, or None; in host memory float64
    ignore_index, label_smoothing, reduction : as the user passed them
    gradient : whether it is wanted
    out : where to write it
    """

    name: str
    x: Any
    targets: Any
    dense: bool
    axis: int
    classes: int
    dtype: np.dtype[Any]
    shape: Shape
    weight: Any
    ignore_index: int
    label_smoothing: float
    reduction: str
    gradient: bool
    out: Any

    @property
    def size(self) -> int:
        """How many losses there are."""
        return math.prod(self.shape)

    @property
    def inner(self) -> int:
        """How many items lie from a class of a target to the next, where x is contiguous."""
        return math.prod(self.x.shape[self.axis + 1 :])


def class_loss_arguments(
    name: str,
    x: Any,
    targets: Any,
    axis: Any,
    weight: Any,
    ignore_index: int,
    reduction: str,
    label_smoothing: float = 0.0,
    gradient: bool = False,
    out: Any = None,
    probabilities: bool = True,
) -> ClassLossArguments:
    """The record of a call; `probabilities` says whether targets may be such."""
    _check_reduction(reduction)
    if type(label_smoothing) is not float:
        label_smoothing = as_float("label_smoothing", label_smoothing)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing={label_smoothing!r}; it must be from 0 to 1")
    if type(ignore_index) is not int:
        ignore_index = as_int("ignore_index", ignore_index)
    array, y = as_array(name, x), as_array(name, targets)
    what = "logits" if probabilities else "log_probabilities"
    dtype = float_dtype(name, array.dtype, what)
    axis = normalize_axis(axis, len(array.shape))
    n, shape = array.shape[axis], array.shape[:axis] + array.shape[axis + 1 :]
    if n == 0:
        raise ValueError(f"{what} has shape {array.shape}: there are no classes along axis {axis}")
    dense = y.dtype.kind not in "biu"
    if dense and not probabilities:
        raise TypeError(f"targets has dtype {y.dtype}; classes are integers")
    if dense:
        float_dtype(name, y.dtype, "targets")
    if y.shape != (array.shape if dense else shape):
        also = f", and probabilities are floats of shape {array.shape}" if probabilities else ""
        raise ValueError(
            f"targets has dtype {y.dtype} and shape {y.shape}; classes are integers of shape {shape}, that of {what} "
            f"without their axis{also}"
        )
    if weight is not None:
        weight = as_numbers("weight", weight)
        if not isinstance(weight, DeviceArray):
            weight = np.asarray(rounded(weight, DOUBLE), order="C")
        if weight.shape != (n,):
            raise ValueError(f"weight has shape {weight.shape}; {n} classes have ({n},)")
    if out is not None:
        check_out(out, array.shape, dtype)
    return ClassLossArguments(
        name, array, y, dense, axis, n, dtype, shape, weight, ignore_index, label_smoothing,
        reduction, gradient, out,
    )  # fmt: skip


class ElementwiseLossArguments(NamedTuple):
    """A call of a loss of single elements.

    Attributes
    ----------
    operands : x, target and the parameters, of which numbers are floats
    dtype : of the result
    shape : to which the operands broadcast
    reduction : "mean", "sum" or "none"
    gradient : whether it is wanted
    out : where to write it
    """

    operands: tuple[Any, ...]
    dtype: np.dtype[Any]
    shape: Shape
    reduction: str
    gradient: bool
    out: Any

    @property
    def scale(self) -> float:
        """What losses are multiplied with, once they are added up where they are."""
        return share(self.reduction, math.prod(self.shape))


def elementwise_loss_arguments(
    function: Any, operands: Sequence[Any], reduction: str, gradient: bool = False, out: Any = None
) -> ElementwiseLossArguments:
    """The record of a call; `function` has a name and parameters, operands are x, target and all those, in order."""
    _check_reduction(reduction)
    name = function.name
    x, target, *parameters = operands
    a, b = as_array(name, x), as_array(name, target)
    x_kind: Any = type(x) if type(x) in PYTHON_NUMBERS else a.dtype
    target_kind: Any = type(target) if type(target) in PYTHON_NUMBERS else b.dtype
    dtype = loss_dtype(name, x_kind, target_kind)
    others = [float(each) if isinstance(each, _NUMBERS) else each for each in parameters]
    shape = a.shape
    if b.shape != shape or not {float}.issuperset(map(type, others)):
        named = zip(function.parameters, others, strict=True)
        others = [each if type(each) is float else as_numbers(parameter, each) for parameter, each in named]
        try:
            shape = np.broadcast_shapes(shape, b.shape, *map(np.shape, others))
        except ValueError:
            shapes = ", ".join(str(np.shape(each)) for each in (a, b, *others))
            raise ValueError(f"{name}: x, target and parameters of shapes {shapes} do not broadcast together") from None
    if out is not None:
        check_out(out, shape, dtype)
    return ElementwiseLossArguments((a, b, *others), dtype, shape, reduction, gradient, out)
