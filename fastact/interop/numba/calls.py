"""Which planner plans a call of a public function in compiled code: a file for each kind of function."""

from __future__ import annotations

from typing import Any

from fastact._core.operation import Operation
from fastact.errors import UnknownNameError
from fastact.interop.numba import class_losses, elementwise, gated, losses, over_axes, randomised
from fastact.interop.numba.named import Method
from fastact.interop.numba.planning import Plan, is_cuda, is_given, literal, refuse, typing_errors

__all__ = ["plan"]

_UNSUPPORTED = {
    "backend": "the automatic one computes, so leave it out",
    "dtype": "convert an argument, or the result with astype",
    "lengths": "make a mask of them, np.arange(n) < lengths, and pass it as where=",
    "b": "add np.log(b) to x, for positive b",
    "return_sign": "without b it is 1, or 0 where the result is -inf",
    "generator": "draw the slopes, and call leaky_relu(x, slopes)",
    "return_slopes": "draw the slopes, and call leaky_relu(x, slopes)",
}

#: Kinds of functions, or names where a function is like no other -> what plans their calls on the CPU.
_PLANNERS: dict[str, Any] = {
    "glu": gated,
    "softmax": over_axes,
    "reduction": over_axes,
    "elementwise": losses,
    "class loss": class_losses,
}


def plan(context: Any, function: Any, arguments: dict[str, Any]) -> Plan:
    """Plan a call with arguments of these types, by name; TypingError if compiled code cannot make it."""
    for name, remedy in _UNSUPPORTED.items():
        if is_given(arguments.get(name)):
            raise refuse(function, f"takes no {name}= in compiled code; {remedy}")
    if isinstance(function, Operation):
        return elementwise.plan(context, function, arguments)
    owner = function.function if isinstance(function, Method) else function
    if isinstance(function, Method) and function.method == "parameter_derivative":
        return _part(function, arguments)
    if owner.name == "rrelu":
        return randomised.plan(context, function, arguments)
    if is_cuda(context):
        raise refuse(function, "has no device code; call an elementwise function of numbers")
    kind = owner._family if owner.kind == "loss" else owner.name if owner.name == "glu" else owner.kind
    if kind not in _PLANNERS:
        raise refuse(function, "cannot be called in compiled code; call it outside")
    found: Plan = _PLANNERS[kind].plan(context, function, arguments)
    return found


def _part(function: Method, arguments: dict[str, Any]) -> Plan:
    """Plan the call that returns the derivative of an activation by a parameter, a function itself."""
    with typing_errors(UnknownNameError):
        found = function.function.parameter_derivative(literal(function, "name", arguments["name"]))
    return Plan(found._numba_type_, lambda context, builder, values: context.get_dummy_value())
