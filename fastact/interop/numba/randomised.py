"""rrelu as it is in evaluation: leaky_relu with the mean slope. Its random slopes are drawn outside compiled code."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from fastact._core import registry
from fastact.interop.numba import elementwise
from fastact.interop.numba.emitting import DOUBLE, Emitter
from fastact.interop.numba.named import Method
from fastact.interop.numba.planning import Plan, is_cuda, refuse

__all__ = ["plan"]


def plan(context: Any, function: Any, arguments: dict[str, Any]) -> Plan:
    """Plan a call of rrelu."""
    if isinstance(function, Method):
        raise refuse(function, "cannot be called in compiled code; call leaky_relu's, with the slopes")
    kinds = {"x": arguments["x"], "alpha": types.float64, "out": arguments["out"]}
    found = elementwise.plan(context, registry.get("leaky_relu"), kinds)

    def build(context: Any, builder: Any, values: dict[str, Any]) -> Any:
        emitter = Emitter(context, builder, function)
        lower, upper = (emitter.as_double(values[name], arguments[name]) for name in ("lower", "upper"))
        if not is_cuda(context):
            difference = builder.fsub(lower, upper)  # NaN where one of them is not finite
            wrong = builder.fcmp_unordered(">", difference, ir.Constant(DOUBLE, 0))
            emitter.raise_if(wrong, ValueError, "lower is larger than upper, or one of them is not finite")
        alpha = builder.fmul(builder.fadd(lower, upper), ir.Constant(DOUBLE, 0.5))
        return found.build(context, builder, {"x": values["x"], "alpha": alpha, "out": values["out"]})

    return Plan(found.result, build)
