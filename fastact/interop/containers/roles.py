"""What the arguments and results of each kind of call are, so that containers know which of their labels belong there.

To add a kind of function, say here what it takes and gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

__all__ = ["Role", "Roles", "is_elementwise", "operand_names", "roles"]

#: "whole": of x's shape, or broadcasts to it; "rows": without the axes of the call; "classes": along its axis alone;
#: "half": halved along its axis; "number": of no axes.
Role = Literal["whole", "rows", "classes", "half", "number"]


class Roles(NamedTuple):
    """Of one call: of its operands, its options that may be arrays, and its results."""

    operands: tuple[Role, ...]
    options: dict[str, Role]
    results: tuple[Role, ...]


#: Options of the softmax family that may be arrays.
_OVER_AXES: dict[str, Role] = {"where": "whole", "temperature": "whole", "b": "whole", "lengths": "rows"}


def is_elementwise(function: Any) -> bool:
    """Whether it is called like a ufunc: an activation, a gated unit of two arrays, or a part of them."""
    return hasattr(function, "_input_names")


def operand_names(function: Any, method: str) -> tuple[str, ...]:
    """The names of the operands of a call."""
    if is_elementwise(function):
        return (*function._input_names, *function.parameters)
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
