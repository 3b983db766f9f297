"""Check the types of a call's arguments, and find the type of its result: what the planners of all functions share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numba import from_dtype
from numba.core import errors, types
from numba.np.numpy_support import as_dtype

__all__ = [
    "Plan", "array_of", "check_computed", "computed_dtype", "dtype_of", "is_array", "is_cuda", "is_given", "items_of",
    "literal", "refuse", "typing_errors", "written_to",
]  # fmt: skip


class Plan(NamedTuple):
    """What becomes of a call: build(context, builder, values by name) emits its code."""

    result: Any
    build: Callable[[Any, Any, dict[str, Any]], Any]


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


@contextmanager
def typing_errors(*others: type[Exception]) -> Iterator[None]:
    """Raise TypeError, and the other errors, as TypingError, which Numba shows with the user's line."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, (TypeError, *others)):
            raise
        raise errors.TypingError(str(error)) from None


def computed_dtype(function: Any, find: Callable[..., Any], *arguments: Any) -> np.dtype[Any]:
    """Return the dtype that `find` says of a result; TypingError if compiled code cannot return it."""
    with typing_errors():
        dtype = np.dtype(find(*arguments))
    check_computed(function, dtype)
    return dtype


def check_computed(function: Any, dtype: np.dtype[Any]) -> None:
    """Raise TypingError for results that Numba cannot hold on the CPU."""
    if dtype.itemsize == 2 and dtype.kind == "f":
        raise refuse(function, "would return float16, which Numba does not have on the CPU; convert x to float32")


def array_of(dtype: np.dtype[Any], ndim: int, arrays: Any = ()) -> Any:
    """The type of a new array; it is in Fortran's order where all `arrays` of its dimension are."""
    layouts = {each.layout for each in arrays if each.ndim == ndim}
    return types.Array(from_dtype(dtype), ndim, "F" if layouts == {"F"} and ndim > 1 else "C")


def written_to(function: Any, out: Any, result: Any, what: str, wider: bool = False) -> Any:
    """Return the type of the array that results go to: `out`, if it is given, else a new one.

    `what` describes a right `out` in the error; `wider` allows more dimensions than the result has, and none.
    """
    if not is_given(out):
        return result
    right = is_array(out) and out.dtype == result.dtype and out.mutable
    if not right or (out.ndim < result.ndim if wider else out.ndim != result.ndim or not out.ndim):
        raise refuse(function, f"takes as out= a writeable {what}")
    return out
