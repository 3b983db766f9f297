"""glu, whose value and gate are the halves of one array: both are views, and its unit is an elementwise operation."""

from __future__ import annotations

from typing import Any

from numba.core import cgutils, types

from fastact.interop.numba import elementwise
from fastact.interop.numba.emitting import SIZE, Emitter
from fastact.interop.numba.named import Method
from fastact.interop.numba.planning import Plan, array_of, is_array, is_given, refuse, written_to

__all__ = ["plan"]


def plan(context: Any, function: Any, arguments: dict[str, Any]) -> Plan:
    """Plan a call of a gated unit."""
    x, axis, out = arguments["x"], arguments["axis"], arguments["out"]
    backward = isinstance(function, Method)
    glu = function.function if backward else function
    operation = glu.unit.backward if backward else glu.unit
    if not is_array(x) or x.ndim == 0:
        raise refuse(function, f"takes an array as x, not {x}")
    if not isinstance(types.unliteral(axis), types.Omitted | types.Integer):
        raise refuse(function, f"takes an int as axis=, not {axis}")
    half = x.copy(layout="A")
    kinds = {"value": half, "gate": half}
    if backward:
        if not is_array(arguments["grad_output"]) or arguments["grad_output"].ndim != x.ndim:
            raise refuse(function, f"takes as grad_output an array like its result, not {arguments['grad_output']}")
        kinds = {"grad_output": arguments["grad_output"], **kinds}
    dtype = elementwise.result_dtype(operation, kinds)
    new = array_of(dtype, x.ndim, [x])
    result = written_to(function, out, new, f"array like the result, {new}, not {out}")

    def build(context: Any, builder: Any, values: dict[str, Any]) -> Any:
        emitter = Emitter(context, builder, function)
        place = emitter.axis(axis, values["axis"], x.ndim)
        halves = dict(zip(("value", "gate"), _halves(emitter, x, values["x"], place, "x"), strict=True))
        shape = emitter.shape(half, halves["value"])
        given = is_given(out)
        if backward:
            grad = halves["grad_output"] = values["grad_output"]
            emitter.check_shape(kinds["grad_output"], grad, shape, "grad_output does not have the shape of the result")
            shape = emitter.shape(x, values["x"])
        value = values["out"] if given else emitter.empty(result, shape)
        if backward:
            emitter.check_shape(result, value, shape, "out does not have the shape of x")
            targets, target = _halves(emitter, result, value, place, "out"), result.copy(layout="A")
        else:
            targets, target = [value], result
        operands = {name: halves[name] for name in kinds}
        elementwise.apply(emitter, operation, kinds, operands, dtype, [target] * operation._outputs, targets)
        emitter.drop([value])
        return emitter.returned(result, value, not given)

    return Plan(result, build)


def _halves(emitter: Emitter, kind: Any, value: Any, place: Any, name: str) -> list[Any]:
    """Views of the first and the second half along an axis."""
    builder, array = emitter.builder, emitter.struct(kind, value)
    shape, strides = emitter.stored(array.shape), emitter.stored(array.strides)
    at = cgutils.gep_inbounds(builder, shape, 0, place)
    length = builder.load(at)
    odd = builder.trunc(length, cgutils.bool_t)
    emitter.raise_if(odd, ValueError, f"the length of {name} along this axis cannot be halved")
    half = builder.ashr(length, emitter.size(1))
    builder.store(half, at)
    distance = builder.mul(half, builder.load(cgutils.gep_inbounds(builder, strides, 0, place)))
    views = []
    for offset in (emitter.size(0), distance):
        view = emitter.struct(kind.copy(layout="A"), None)
        cgutils.copy_struct(view, array)
        address = builder.add(builder.ptrtoint(array.data, SIZE), offset)
        view.data, view.shape = builder.inttoptr(address, array.data.type), builder.load(shape)
        views.append(view._getvalue())
    return views
