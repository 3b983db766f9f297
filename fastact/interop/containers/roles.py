"""What the arguments and results of each kind of call are, so that containers know which of their labels belong there.

To add a kind of function, say here what it takes and gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from fastact.errors import UnknownNameError, nearest

__all__ = ["Call", "Role", "Roles", "is_elementwise", "numbered", "of_each", "operand_names", "roles"]

#: "whole": of x's shape, or broadcasts to it; "rows": without the axes of the call; "classes": along its axis alone;
#: "half": halved along its axis; "number": of no axes.
Role = Literal["whole", "rows", "classes", "half", "number"]


class Roles(NamedTuple):
    """Of one call: of its operands, its options that may be arrays, and its results."""

    operands: tuple[Role, ...]
    options: dict[str, Role]
    results: tuple[Role, ...]

    @property
    def by_key(self) -> dict[Any, Role]:
        """The roles of a call's arguments, by position or name."""
        known: dict[Any, Role] = dict(enumerate(self.operands))
        return known | self.options


#: Options of the softmax family that may be arrays.
_OVER_AXES: dict[str, Role] = {"where": "whole", "temperature": "whole", "b": "whole", "lengths": "rows"}


def is_elementwise(function: Any) -> bool:
    """Whether it is called like a ufunc: an activation, a gated unit of two arrays, or a part of them."""
    return hasattr(function, "_input_names")


def operand_names(function: Any, method: str) -> tuple[str, ...]:
    """The names of the operands of a call."""
    if is_elementwise(function):
        first = ("grad_output", "x") if method == "parameter_backward" else function._input_names
        return (*first, *function.parameters)
    if method == "backward":
        return "grad_output", "x"
    if function._family == "class loss":
        return "logits", "targets"
    return "x", "target"


def roles(function: Any, method: str, operands: Sequence[Any], options: dict[str, Any]) -> Roles:
    """The roles in function.method(*operands, **options)."""
    forward = method == "__call__"
    if is_elementwise(function):
        names = (*function._input_names, *function.parameters, "where")
        return Roles(_whole(len(operands)), dict.fromkeys(names, "whole"), _whole(function._outputs))
    if function.kind == "loss":
        by_class = function._family == "class loss"
        single: Role = "rows" if by_class else "whole"
        losses: Role = single if options.get("reduction") == "none" else "number"
        results: tuple[Role, ...] = (losses,) if forward else (losses, "whole")
        if by_class:
            targets: Role = "whole" if np.ndim(operands[1]) == np.ndim(operands[0]) else "rows"
            return Roles(("whole", targets), {"weight": "classes"}, results)
        return Roles(_whole(2), dict.fromkeys(function.parameters, "whole"), results)
    if function.kind == "gated unit":  # glu
        return Roles(("whole",), {}, ("half",)) if forward else Roles(("half", "whole"), {}, ("whole",))
    if function.kind == "reduction":
        pair: tuple[Role, ...] = ("rows", "rows") if options.get("return_sign") else ("rows",)
        return Roles(("whole",), _OVER_AXES, pair) if forward else Roles(("rows", "whole"), _OVER_AXES, ("whole",))
    two = options.get("return_soft") or options.get("return_slopes")
    return Roles(_whole(len(operands)), _OVER_AXES, _whole(2 if two else 1))


def _whole(count: int) -> tuple[Role, ...]:
    one: tuple[Role, ...] = ("whole",)
    return one * count


class Call:
    """One call of a public function.

    Attributes
    ----------
    arguments : dict
        By position, or by name.
    """

    def __init__(self, function: Any, method: str, operands: Sequence[Any], options: Mapping[str, Any]) -> None:
        self.function, self.method, self._count = function, method, len(operands)
        self.arguments: dict[Any, Any] = {**dict(enumerate(operands)), **options}

    def where(self, kind: Callable[[Any], bool]) -> dict[Any, Any]:
        """Choose the arguments of one kind."""
        return {key: each for key, each in self.arguments.items() if kind(each)}

    def each(self, convert: Callable[[Any], Any]) -> dict[Any, Any]:
        """Convert every argument."""
        return {key: convert(each) for key, each in self.arguments.items()}

    def made(self, replaced: Mapping[Any, Any]) -> Any:
        """Make the call with other arguments in the place of some."""
        arguments = {**self.arguments, **replaced}
        operands = [arguments.pop(place) for place in range(self._count)]
        return getattr(self.function, self.method)(*operands, **arguments)

    def name(self, key: int | str) -> str:
        """Return the name of an argument."""
        names = operand_names(self.function, self.method)
        return names[key] if isinstance(key, int) and key < len(names) else str(key)

    def like(self, keys: Iterable[int | str], role_of: Mapping[Any, Role]) -> Any:
        """Choose the argument whose labels the result has: x if it is among these keys; None if none has x's shape."""
        whole = [key for key in keys if role_of.get(key) == "whole"]
        first = min(whole, key=lambda key: (self.name(key) not in ("x", "logits"), isinstance(key, int)), default=None)
        return None if first is None else self.arguments[first]

    def refuse_out(self, containers: str) -> None:
        """Raise TypeError if out= is given."""
        if self.arguments.get("out") is not None:
            raise TypeError(f"out is not taken with {containers}; assign the result")


def of_each(found: Any, make: Callable[..., Any], *along: Iterable[Any]) -> Any:
    """Return make(result, ...) of a call's result, or a tuple of them where the call has several."""
    if isinstance(found, tuple):
        return tuple(make(*each) for each in zip(found, *along, strict=True))
    return make(found, *(next(iter(each)) for each in along))


def numbered(axis: Any, places: Mapping[Any, int], unknown: str) -> Any:
    """Return axes as numbers, of which some may be names; UnknownNameError, which says `unknown`, for other names."""
    if isinstance(axis, list) or (isinstance(axis, tuple) and axis not in places):
        return tuple(numbered(each, places, unknown) for each in axis)
    if isinstance(axis, str) and axis not in places:
        raise UnknownNameError(f"axis={axis!r} {unknown}{nearest(axis, [str(each) for each in places])}")
    return places.get(axis, axis)
