"""Elementwise calls: of numbers by the formula itself, which the loops around it then vectorise; of arrays by the loop
of the ufunc, with its bits, its speed and its threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import from_dtype
from numba.core import cgutils, types

from fastact._core.operation import Operation
from fastact.interop.numba.emitting import Emitter
from fastact.interop.numba.planning import (
    Plan,
    array_of,
    check_computed,
    dtype_of,
    is_array,
    is_cuda,
    is_given,
    items_of,
    literal,
    refuse,
    typing_errors,
    written_to,
)

__all__ = ["apply", "call_formula", "plan", "result_dtype"]

HALF = np.dtype(np.float16)


def plan(context: Any, operation: Operation, arguments: dict[str, Any]) -> Plan:
    """Plan a call of a formula."""
    for keyword, choices in operation._variants.items():
        value = literal(operation, keyword, arguments[keyword])
        if value not in choices:
            raise refuse(operation, f"got {keyword}={value!r}; it must be one of {', '.join(map(repr, choices))}")
        if is_given(arguments[keyword]):
            chosen = choices[value]
            arguments = {**arguments, keyword: types.Omitted(None)}
            if chosen is not operation:
                rest = {k: kind for k, kind in arguments.items() if k != keyword}
                more = {keyword: types.Omitted("none")} if keyword in chosen._variants else {}
                return plan(context, chosen, rest | more)
    names = [*operation._input_names, *operation.parameters]
    kinds = {name: arguments[name] for name in names}
    dtype = result_dtype(operation, kinds)
    out = arguments["out"]
    if not any(map(is_array, kinds.values())):
        return _of_numbers(context, operation, kinds, dtype, out)
    if is_cuda(context):
        raise refuse(operation, "takes numbers in device code, not arrays; call it for an element")
    return _of_arrays(operation, kinds, dtype, out)


def result_dtype(operation: Operation, kinds: dict[str, Any]) -> np.dtype[Any]:
    """The dtype of the result as NumPy finds it: beside arrays, numbers of Numba's widest types are Python's.

    Parameters that are numbers are always Python's.
    """
    arrays = any(is_array(kinds[name]) for name in operation._input_names)
    operands: list[Any] = []
    for name, kind in kinds.items():
        if isinstance(kind, types.Omitted):
            operands.append(kind.value)
            continue
        dtype = dtype_of(operation, name, kind)
        if not is_array(kind) and (name in operation.parameters or (arrays and dtype.itemsize == 8)):
            operands.append(0 if dtype.kind in "iu" else 0.0)
        else:
            operands.append(np.empty((), dtype))
    with typing_errors():
        return operation._result_dtype(tuple(operands))


# --- numbers ----------------------------------------------------------------------------------------------------------


def _of_numbers(context: Any, operation: Operation, kinds: dict[str, Any], dtype: np.dtype[Any], out: Any) -> Plan:
    if is_given(out):
        raise refuse(operation, "takes out= with arrays; of numbers it returns the result")
    if not is_cuda(context):
        check_computed(operation, dtype)
    item = types.float32 if dtype == HALF else from_dtype(dtype)
    _formula(context, operation, item)
    each = from_dtype(dtype)
    result = each if operation._outputs == 1 else types.UniTuple(each, operation._outputs)

    def build(context: Any, builder: Any, values: dict[str, Any]) -> Any:
        emitter = Emitter(context, builder, operation)
        numbers = [emitter.cast(values[name], kind, item) for name, kind in kinds.items()]
        results = call_formula(emitter, operation, item, numbers)
        results = [context.cast(builder, value, item, each) for value in results]
        return emitter.joined(result, results)

    return Plan(result, build)


def _formula(context: Any, operation: Operation, item: Any) -> tuple[Any, Any]:
    """The type of the jitted formula on this target, and the signature of its call."""
    kind = context.resolve_value_type(operation.scalar if is_cuda(context) else operation._jitted)
    call = kind.get_call_type(context, (item,) * (operation._inputs + len(operation.parameters)), {})
    if isinstance(call.return_type, types.Optional):
        raise refuse(operation, "returns None for some x; let its formula return a number on every path")
    return kind, call


def call_formula(emitter: Emitter, operation: Operation, item: Any, numbers: list[Any]) -> list[Any]:
    """The results of the formula for numbers of its type."""
    context, builder = emitter.context, emitter.builder
    kind, call = _formula(context.typing_context, operation, item)
    if call.args and isinstance(call.args[-1], types.BaseTuple):  # the formula has *parameters
        first = len(call.args) - 1
        numbers = [*numbers[:first], context.make_tuple(builder, call.args[-1], numbers[first:])]
    results, kinds = context.get_function(kind, call)(builder, numbers), call.return_type
    if operation._outputs == 1:
        results, kinds = [results], [kinds]
    else:
        results = cgutils.unpack_tuple(builder, results)
    return [context.cast(builder, *each, item) for each in zip(results, kinds, strict=True)]


# --- arrays -----------------------------------------------------------------------------------------------------------


def _of_arrays(operation: Operation, kinds: dict[str, Any], dtype: np.dtype[Any], out: Any) -> Plan:
    check_computed(operation, dtype)
    arrays = [kind for kind in kinds.values() if is_array(kind)]
    result = array_of(dtype, max(each.ndim for each in arrays), arrays)
    given = is_given(out)
    every = _results(operation, out, result)
    scalar = not given and every[0].ndim == 0
    kind = from_dtype(dtype) if scalar else every[0]
    returned = kind if operation._outputs == 1 else types.Tuple([kind if scalar else each for each in every])

    def build(context: Any, builder: Any, values: dict[str, Any]) -> Any:
        emitter = Emitter(context, builder, operation)
        results = None
        if given:
            results = [values["out"]] if operation._outputs == 1 else cgutils.unpack_tuple(builder, values["out"])
        results = apply(emitter, operation, kinds, values, dtype, every, results)
        emitter.drop(results)
        if scalar:
            loaded = [builder.load(emitter.struct(*each).data) for each in zip(every, results, strict=True)]
            for each in zip(every, results, strict=True):
                context.nrt.decref(builder, *each)
            return emitter.joined(returned, loaded)
        return emitter.returned(returned, emitter.joined(returned, results), not given)

    return Plan(returned, build)


def _results(operation: Operation, out: Any, result: Any) -> list[Any]:
    """Return the types of the arrays that results go to."""
    outs = [out] if operation._outputs == 1 else items_of(out) if is_given(out) else [None] * operation._outputs
    if len(outs) != operation._outputs:
        raise refuse(operation, f"takes as out= a tuple of {operation._outputs} arrays")
    what = f"{result.dtype} array of the result's shape, not"
    return [written_to(operation, each, result, f"{what} {each}", wider=True) for each in outs]


def _array_parameters(operation: Operation, kinds: dict[str, Any]) -> bool:
    return any(is_array(kinds[name]) for name in operation.parameters)


def apply(
    emitter: Emitter, operation: Operation, kinds: dict[str, Any], values: dict[str, Any], dtype: np.dtype[Any],
    results: list[Any], given: list[Any] | None,
) -> list[Any]:  # fmt: skip
    """Emit the loop of the ufunc, and return its results: arrays of these types, new ones unless some are given."""
    item = from_dtype(dtype)
    arrays = _array_parameters(operation, kinds)
    descriptors, shapes = [], []
    for name, kind in kinds.items():
        value = values.get(name)
        if is_array(kind):
            kind, value = emitter.of_dtype(kind, value, dtype)
            shapes.append(emitter.shape(kind, value))
            descriptors.append(emitter.descriptor(kind, value))
        else:
            as_number = name in operation.parameters and not arrays
            target = types.float64 if as_number else item
            descriptors.append(emitter.point(emitter.stored(emitter.cast(value, kind, target))))
    if given is None:
        shape = emitter.broadcast(shapes)
        given = [emitter.empty(each, shape) for each in results]
    descriptors += [emitter.descriptor(*each) for each in zip(results, given, strict=True)]
    need = "loop", dtype.name, "arrays" if arrays or dtype.kind in "iu" else "numbers"
    counts = operation._inputs, len(operation.parameters), operation._outputs, dtype.itemsize
    emitter.run(
        "elementwise", emitter.address("run_loop"), emitter.symbol(operation, need),
        emitter.pack(descriptors), *map(emitter.i32, counts),
    )  # fmt: skip
    return given
