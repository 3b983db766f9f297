"""cross_entropy and nll_loss: checked and prepared as backends/host.py does it, then computed by the same kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import from_dtype, njit
from numba.core import cgutils, errors, types
from numba.core.extending import intrinsic
from numba.cpython.unsafe.tuple import tuple_setitem

from fastact._core.arrays import float_dtype
from fastact._numba.emitting import BYTES, DOUBLE, INT, SIZE, Emitter
from fastact._numba.linking import LOSS_COLUMN_LIMIT
from fastact._numba.losses import reduction_of
from fastact._numba.named import Method
from fastact._numba.planning import Plan, dtype_of, is_array, is_given, refuse
from fastact._scalar.primitives import INNER_OPTIONS

__all__ = ["plan"]


def plan(context: Any, function: Any, arguments: dict[str, Any]) -> Plan:
    x_name = next(iter(arguments))
    gradient = isinstance(function, Method)
    x, targets, weight, out = (arguments.get(name) for name in (x_name, "targets", "weight", "out"))
    reduction = reduction_of(function, arguments["reduction"])
    if not (is_array(x) and x.ndim and is_array(targets)):
        raise refuse(function, f"takes arrays as {x_name} and targets, not {x} and {targets}")
    try:
        dtype = float_dtype(function.name, dtype_of(function, x_name, x), x_name)
    except TypeError as error:
        raise errors.TypingError(str(error)) from None
    if dtype.itemsize == 2:
        raise refuse(function, "would return float16, which Numba does not have on the CPU; convert x to float32")
    dense = dtype_of(function, "targets", targets).kind == "f"
    if dense and x_name != "logits":
        raise refuse(function, f"takes classes, which are integers, as targets, not {targets}")
    if targets.ndim != x.ndim - (not dense):
        raise refuse(function, f"takes classes of {x.ndim - 1} dimensions, or probabilities of {x.ndim}, not {targets}")
    if is_given(weight) and not (is_array(weight) and weight.ndim == 1 and dtype_of(function, "weight", weight)):
        raise refuse(function, f"takes as weight= an array of a number for each class, not {weight}")
    for name, wanted in ("axis", types.Integer), ("ignore_index", types.Integer), ("label_smoothing", types.Number):
        if not isinstance(types.unliteral(arguments.get(name, types.intp)), types.Omitted | wanted):
            raise refuse(function, f"takes a number as {name}=, not {arguments[name]}")
    item = from_dtype(dtype)
    array = types.Array(item, x.ndim, "C")
    if is_given(out) and not (is_array(out) and out.dtype == item and out.ndim == x.ndim and out.mutable):
        raise refuse(function, f"takes as out= a writeable array like the gradient, {array}, not {out}")
    value = types.Array(item, x.ndim - 1, "C") if reduction == "none" and x.ndim > 1 else item
    target = out if is_given(out) else array
    result = types.Tuple([value, target]) if gradient else value
    if x_name == "logits":
        compute = _cross_entropy(item, x.ndim, dense, is_given(weight), reduction, gradient, is_given(out))
    else:
        compute = _nll_loss(item, x.ndim, is_given(weight), reduction)

    def build(context: Any, builder: Any, values: dict[str, Any]) -> Any:
        emitter = Emitter(context, builder, function)
        kind, logits = x, values[x_name]
        if kind.dtype != item:
            kind, logits = emitter.converted(kind, logits, dtype)
        given = [(kind, logits), (targets, values["targets"])]
        for name, wanted in ("axis", types.intp), ("ignore_index", types.intp), ("label_smoothing", types.float64):
            if name in arguments:
                own = arguments[name]
                if isinstance(own, types.Omitted):
                    given.append((wanted, context.get_constant(wanted, own.value)))
                else:
                    given.append((wanted, emitter.cast(values[name], own, wanted)))
        for name in ("weight", "out"):
            own = arguments.get(name)
            given.append((own, values[name]) if is_given(own) else (types.none, context.get_dummy_value()))
        kinds, operands = zip(*given, strict=True)
        found = context.compile_internal(builder, compute, result(*kinds), list(operands))
        emitter.drop([found])
        return emitter.returned(result, found, True)

    return Plan(result, build)


# --- C functions ------------------------------------------------------------------------------------------------------


@intrinsic
def _sum_of(_context: Any, values: Any) -> Any:
    """The sum of a contiguous array, in float64."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data, count, is_double = _contiguous(context, builder, values, arguments[0])
        return _call(builder, "sum_of", DOUBLE, [data, count, is_double])

    return types.float64(values), build


@intrinsic
def _write_losses(
    _context: Any, x: Any, labels: Any, ignore: Any, hit: Any, weight: Any, dense: Any, scale: Any, values: Any,
    out: Any,
) -> Any:  # fmt: skip
    """The kernel in _native/softmax/cross_entropy.pxi. Arrays are contiguous; labels, weight, dense, out may be None."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def data(kind: Any, value: Any) -> Any:
            return _contiguous(context, builder, kind, value)[0] if is_array(kind) else BYTES(None)

        x_, labels_, ignore_, hit_, weight_, dense_, scale_, values_, out_ = arguments
        array = context.make_array(x)(context, builder, x_)
        outer, n, inner = cgutils.unpack_tuple(builder, array.shape, 3)
        is_double, rows = (ir.Constant(INT, int(each)) for each in (x.dtype == types.float64, _rows(dense)))
        passed = [
            is_double, data(x, x_), outer, n, inner, data(labels, labels_), ignore_, hit_, data(weight, weight_),
            data(dense, dense_), rows, scale_, data(values, values_), data(out, out_),
        ]  # fmt: skip
        _call(builder, "write_losses", ir.VoidType(), passed)
        return context.get_dummy_value()

    return types.none(x, labels, types.intp, types.float64, weight, dense, types.float64, values, out), build


def _rows(dense: Any) -> bool:
    return is_array(dense) and dense.ndim > 1


def _contiguous(context: Any, builder: Any, kind: Any, value: Any) -> tuple[Any, Any, Any]:
    """The address of an array's numbers, how many they are, and whether they are float64."""
    array = context.make_array(kind)(context, builder, value)
    is_double = ir.Constant(INT, int(kind.dtype == types.float64))
    return builder.bitcast(array.data, BYTES), builder.sext(array.nitems, SIZE), is_double


def _call(builder: Any, name: str, result: Any, arguments: list[Any]) -> Any:
    kind = ir.FunctionType(result, [each.type for each in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, f"fastact_{name}"), arguments)


# --- what compiled code does before and after -------------------------------------------------------------------------
# Compiled for the types of a call, of the parts that it needs.

scalar = njit(**{**INNER_OPTIONS, "forceinline": False})


def _cross_entropy(
    item: Any, ndim: int, dense: bool, weighted: bool, reduction: str, gradient: bool, given: bool
) -> Any:  # fmt: skip
    sizes = _sizes_of_dense if dense else _sizes_of_labels
    write = _write_dense(item, weighted, reduction) if dense else _write_labels(item, weighted, reduction)
    weights_of = _as_weights if weighted else _no_weights
    new = _like if gradient else _nothing
    reduced = _reduced(item, ndim, reduction)
    finish = (_into_given if given else _with_gradient) if gradient else _loss_alone

    def compute(x, targets, axis, ignore, smoothing, weight, out):  # type: ignore[no-untyped-def]
        if not 0 <= smoothing <= 1:
            raise ValueError("label_smoothing must be from 0 to 1")
        axis, outer, n, inner = sizes(x, targets, axis)
        moved = axis != ndim - 1 and n > LOSS_COLUMN_LIMIT
        rows = _rows_of(x, outer, n, inner, moved)
        values, grad = np.empty(outer * inner, item), new(rows)
        weights = weights_of(weight, n)
        scale = write(rows, targets, ignore, smoothing, weights, values, grad, outer, n, inner, moved)
        return finish(reduced(values, scale, x, axis), grad, x, out, outer, n, inner, moved)

    return compute


def _nll_loss(item: Any, ndim: int, weighted: bool, reduction: str) -> Any:
    wide = types.float64 if weighted else item
    weights_of = _as_weights if weighted else _no_weights
    count_of, weight_of = (_weighed, _minus_weight) if weighted else (_counted, _minus_one)
    reduced = _reduced(item, ndim, reduction)
    mean = reduction == "mean"

    def compute(x, targets, axis, ignore, weight, out):  # type: ignore[no-untyped-def]
        axis, outer, n, inner = _sizes_of_labels(x, targets, axis)
        rows = _rows_of(x, outer, n, inner, False)
        weights = weights_of(weight, n)
        labels = _labels_of(targets, n, ignore)
        values = np.empty(outer * inner, wide)
        for i in range(values.size):
            values[i] = wide(0)
            if labels[i] != ignore:
                values[i] = wide(rows[i // inner, labels[i], i % inner]) * wide(weight_of(weights, labels[i]))
        if mean:
            return item(np.divide(_sum_of(values), count_of(labels, weights, ignore)))
        return reduced(values, 1.0, x, axis)

    return compute


@scalar
def _axis_of(x, axis):  # type: ignore[no-untyped-def]
    """The axis, counted from 0, and (outer, n, inner)."""
    if not -x.ndim <= axis < x.ndim:
        raise np.exceptions.AxisError("axis is out of bounds")
    axis = axis % x.ndim
    outer, inner = 1, 1
    for i in range(x.ndim):
        if i < axis:
            outer *= x.shape[i]
        elif i > axis:
            inner *= x.shape[i]
    if x.shape[axis] == 0:
        raise ValueError("there are no classes along this axis")
    return axis, outer, x.shape[axis], inner


@scalar
def _sizes_of_dense(x, targets, axis):  # type: ignore[no-untyped-def]
    if x.shape != targets.shape:
        raise ValueError("targets that are probabilities do not have the shape of the logits")
    return _axis_of(x, axis)


@scalar
def _sizes_of_labels(x, targets, axis):  # type: ignore[no-untyped-def]
    sizes = _axis_of(x, axis)
    for i in range(targets.ndim):
        if targets.shape[i] != x.shape[i + (i >= sizes[0])]:
            raise ValueError("targets that are classes do not have the shape of the logits without their axis")
    return sizes


@scalar
def _rows_of(x, outer, n, inner, moved):  # type: ignore[no-untyped-def]
    """x as (outer, n, inner), or with its classes last, where so many columns have no kernel."""
    rows = np.ascontiguousarray(x).reshape((outer, n, inner))
    if moved:
        rows = np.ascontiguousarray(rows.transpose((0, 2, 1))).reshape((outer * inner, n, 1))
    return rows


@scalar
def _as_weights(weight, n):  # type: ignore[no-untyped-def]
    if weight.size != n:
        raise ValueError("weight does not have a number for each class")
    return np.ascontiguousarray(weight).astype(np.float64)


@scalar
def _no_weights(weight, n):  # type: ignore[no-untyped-def]
    return None


@scalar
def _labels_of(targets, n, ignore):  # type: ignore[no-untyped-def]
    flat = np.ascontiguousarray(targets).reshape(-1)
    labels = np.empty(flat.size, np.intp)
    for i in range(flat.size):
        if flat[i] != ignore and not 0 <= flat[i] < n:
            raise ValueError("a target is no class; its place, the target, the number of classes:", i, flat[i], n)
        labels[i] = flat[i]
    return labels


@scalar
def _counted(labels, weights, ignore):  # type: ignore[no-untyped-def]
    count = 0
    for label in labels:
        count += label != ignore
    return np.float64(count)


@scalar
def _weighed(labels, weights, ignore):  # type: ignore[no-untyped-def]
    total, lost = 0.0, 0.0
    for label in labels:
        if label != ignore:
            more = weights[label] - lost  # Kahan's sum
            following = total + more
            lost = (following - total) - more
            total = following
    return total


@scalar
def _minus_one(weights, label):  # type: ignore[no-untyped-def]
    return -1.0


@scalar
def _minus_weight(weights, label):  # type: ignore[no-untyped-def]
    return -weights[label]


@scalar
def _share(count):  # type: ignore[no-untyped-def]
    return 1 / count if count != 0 else np.nan


def _write_labels(item: Any, weighted: bool, reduction: str) -> Any:
    count_of, even_of = (_weighed, _even_weights) if weighted else (_counted, _even)
    mean = reduction == "mean"

    @scalar
    def write(  # type: ignore[no-untyped-def]
        rows, targets, ignore, smoothing, weights, values, grad, outer, n, inner, moved
    ):
        labels = _labels_of(targets, n, ignore)
        scale = _share(count_of(labels, weights, ignore)) if mean else 1.0
        even = smoothing / n
        if even != 0:
            _write_losses(rows, labels, ignore, 1 - smoothing, weights, even_of(rows, even, weights), scale, values, grad)
        else:
            _write_losses(rows, labels, ignore, 1 - smoothing, weights, None, scale, values, grad)
        return scale

    return write


@scalar
def _even(rows, even, weights):  # type: ignore[no-untyped-def]
    return np.full(rows.shape[1], even, rows.dtype)


@scalar
def _even_weights(rows, even, weights):  # type: ignore[no-untyped-def]
    return (even * weights).astype(rows.dtype)


def _write_dense(item: Any, weighted: bool, reduction: str) -> Any:
    mean = reduction == "mean"
    weigh = _times_weight if weighted else _unchanged

    @scalar
    def write(  # type: ignore[no-untyped-def]
        rows, targets, ignore, smoothing, weights, values, grad, outer, n, inner, moved
    ):
        scale = _share(np.float64(values.size)) if mean else 1.0
        given = _rows_of(targets, outer, n, inner, moved)
        dense = np.empty(rows.shape, rows.dtype)
        own, even = _wider(1 - smoothing, given, rows), _wider(smoothing / n, given, rows)
        for i in range(dense.shape[0]):
            for c in range(n):
                for j in range(dense.shape[2]):
                    share = _wider(given[i, c, j], given, rows)
                    if smoothing != 0:
                        share = own * share + even
                    dense[i, c, j] = weigh(share, weights, c)
        _write_losses(rows, None, ignore, 1 - smoothing, None, dense, scale, values, grad)
        return scale

    return write


@intrinsic
def _wider(_context: Any, number: Any, a: Any, b: Any) -> Any:
    """The number in the wider dtype of two arrays."""
    wide = types.float64 if types.float64 in (a.dtype, b.dtype) else types.float32

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.cast(builder, arguments[0], number, wide)

    return wide(number, a, b), build


@scalar
def _unchanged(share, weights, c):  # type: ignore[no-untyped-def]
    return share


@scalar
def _times_weight(share, weights, c):  # type: ignore[no-untyped-def]
    return share * weights[c]


@scalar
def _like(rows):  # type: ignore[no-untyped-def]
    return np.empty(rows.shape, rows.dtype)


@scalar
def _nothing(rows):  # type: ignore[no-untyped-def]
    return None


def _reduced(item: Any, ndim: int, reduction: str) -> Any:
    @scalar
    def total(values, scale, x, axis):  # type: ignore[no-untyped-def]
        return item(_sum_of(values) * scale)

    @scalar
    def each(values, scale, x, axis):  # type: ignore[no-untyped-def]
        shape = x.shape[1:]
        for i in range(ndim - 1):
            shape = tuple_setitem(shape, i, x.shape[i + (i >= axis)])
        return values.astype(item).reshape(shape)

    @scalar
    def one(values, scale, x, axis):  # type: ignore[no-untyped-def]
        return item(values[0])

    return {"none": each if ndim > 1 else one}.get(reduction, total)


@scalar
def _loss_alone(loss, grad, x, out, outer, n, inner, moved):  # type: ignore[no-untyped-def]
    return loss


@scalar
def _with_gradient(loss, grad, x, out, outer, n, inner, moved):  # type: ignore[no-untyped-def]
    if moved:
        grad = np.ascontiguousarray(grad.reshape((outer, inner, n)).transpose((0, 2, 1)))
    return loss, grad.reshape(x.shape)


@scalar
def _into_given(loss, grad, x, out, outer, n, inner, moved):  # type: ignore[no-untyped-def]
    if out.shape != x.shape:
        raise ValueError("out does not have the shape of the logits")
    out[...] = _with_gradient(loss, grad, x, None, outer, n, inner, moved)[1]
    return loss, out
