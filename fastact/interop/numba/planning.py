"""From the types of a call's arguments to the type of its result and the code that computes it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import from_dtype
from numba.core import errors, types
from numba.np.numpy_support import as_dtype

from fastact._core.operation import Operation
from fastact.errors import UnknownNameError
from fastact.interop.numba.named import Method

__all__ = [
    "Plan", "array_of", "check_computed", "dtype_of", "is_array", "is_cuda", "is_given",
    "items_of", "literal", "plan", "refuse",
]  # fmt: skip


class Plan(NamedTuple):
    """What becomes of a call: build(context, builder, values by name) emits its code."""

    result: Any
    build: Callable[[Any, Any, dict[str, Any]], Any]


def plan(context: Any, function: Any, arguments: dict[str, Any]) -> Plan:
    """The plan for these types of arguments, by name; TypingError if compiled code cannot make the call."""
    for name, remedy in _UNSUPPORTED.items():
        if is_given(arguments.get(name)):
            raise refuse(function, f"takes no {name}= in compiled code; {remedy}")
    owner = function.function if isinstance(function, Method) else function
    if isinstance(function, Method) and function.method == "parameter_derivative":
        return _part(function, arguments)
    planner: Any = importlib.import_module(f"fastact.interop.numba.{_planner(context, function, owner)}")
    found: Plan = planner.plan(context, function, arguments)
    return found


def _planner(context: Any, function: Any, owner: Any) -> str:
    """The module that plans calls of such functions."""
    if isinstance(function, Operation):
        return "elementwise"
    if owner.name == "rrelu":
        return "randomised"
    if is_cuda(context):
        raise refuse(function, "has no device code; call an elementwise function of numbers")
    if owner.name == "glu":
        return "gated"
    if owner.kind in ("softmax", "reduction"):
        return "over_axes"
    if owner.kind == "loss":
        return "losses" if owner._family == "elementwise" else "class_losses"
    raise refuse(function, "cannot be called in compiled code; call it outside")


def _part(function: Method, arguments: dict[str, Any]) -> Plan:
    """The part of an activation that is the derivative by a parameter."""
    try:
        found = function.function.parameter_derivative(literal(function, "name", arguments["name"]))
    except (TypeError, UnknownNameError) as error:
        raise errors.TypingError(str(error)) from None
    return Plan(found._numba_type_, lambda context, builder, values: context.get_dummy_value())


_UNSUPPORTED = {
    "backend": "the automatic one computes, so leave it out",
    "dtype": "convert an argument, or the result with astype",
    "lengths": "make a mask of them, np.arange(n) < lengths, and pass it as where=",
    "b": "add np.log(b) to x, for positive b",
    "return_sign": "without b it is 1, or 0 where the result is -inf",
    "generator": "draw the slopes, and call leaky_relu(x, slopes)",
    "return_slopes": "draw the slopes, and call leaky_relu(x, slopes)",
}


def refuse(function: Any, why: str) -> errors.TypingError:
    """Return the error for a call that compiled code cannot make."""
    return errors.TypingError(f"fastact.{function.name} {why}")


def is_given(kind: Any) -> bool:
    """Whether an argument is there and not the default."""
    if isinstance(kind, types.BooleanLiteral):
        return bool(kind.literal_value)
    return kind is not None and not isinstance(kind, types.Omitted | types.NoneType)


def literal(function: Any, name: str, kind: Any) -> Any:
    """The value of an argument that must be a constant."""
    if isinstance(kind, types.Omitted):
        return kind.value
    if isinstance(kind, types.NoneType):
        return None
    if not isinstance(kind, types.Literal):
        raise refuse(function, f"needs {name}= as a constant in compiled code, not as a variable of type {kind}")
    return kind.literal_value


def is_array(kind: Any) -> bool:
    """Whether values of this type are arrays."""
    return isinstance(kind, types.Array)


def items_of(kind: Any) -> list[Any]:
    """The types of a tuple's items; of anything else none."""
    return list(kind) if isinstance(kind, types.BaseTuple) else []  # type: ignore[call-overload]


def is_cuda(context: Any) -> bool:
    """Whether code for a GPU is compiled."""
    return type(context).__module__.startswith("numba.cuda")


def dtype_of(function: Any, name: str, kind: Any) -> np.dtype[Any]:
    """The dtype of a number or an array."""
    item = kind.dtype if isinstance(kind, types.Array) else types.unliteral(kind)
    real = isinstance(item, types.Number | types.Boolean) and not isinstance(item, types.Complex)
    if real and (not isinstance(kind, types.Array) or kind.aligned):
        return as_dtype(item)
    hint = " (np.asarray makes one of it)" if isinstance(kind, types.Sequence | types.BaseTuple) else ""
    raise refuse(function, f"takes a real number or an aligned array of such as {name}, not {kind}{hint}")


def check_computed(function: Any, dtype: np.dtype[Any]) -> None:
    """Raise TypingError for results that Numba cannot hold on the CPU."""
    if dtype.itemsize == 2 and dtype.kind == "f":
        raise refuse(function, "would return float16, which Numba does not have on the CPU; convert x to float32")


def array_of(dtype: np.dtype[Any], ndim: int, arrays: Any = ()) -> Any:
    """The type of a new array; it is in Fortran's order where all `arrays` of its dimension are."""
    layouts = {each.layout for each in arrays if each.ndim == ndim}
    return types.Array(from_dtype(dtype), ndim, "F" if layouts == {"F"} and ndim > 1 else "C")
