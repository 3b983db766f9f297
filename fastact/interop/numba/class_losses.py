"""cross_entropy and nll_loss, by native/class_losses.pxi."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import from_dtype
from numba.core import cgutils, types

from fastact._core.arrays import float_dtype
from fastact.interop.numba.emitting import ARRAY, BYTES, DOUBLE, INT, SIZE, Emitter
from fastact.interop.numba.losses import REDUCTIONS, reduction_of
from fastact.interop.numba.named import Method
from fastact.interop.numba.planning import Plan, computed_dtype, dtype_of, is_array, is_given, refuse, written_to

__all__ = ["plan"]

#: `ClassLoss` of native/class_losses.pxi: its fields in their order, and their types.
FIELDS: dict[str, Any] = {
    "x": ARRAY, "targets": ARRAY, "is_double": INT, "targets_kind": INT, "axis": SIZE, "ignore": SIZE,
    "smoothing": DOUBLE, "reduction": INT, "weight": BYTES, "values": BYTES, "gradient": ARRAY.as_pointer(),
    "loss": DOUBLE, "wrong": SIZE,
}  # fmt: skip
CLASS_LOSS = ir.LiteralStructType(list(FIELDS.values()))
#: `TargetsKind`.
KINDS = {"float32": 1, "float64": 2}

#: `Status` of native/strided.pyx, for these functions alone.
ERRORS = {
    5: "targets that are classes have the shape of x without its axis, and probabilities that of x",
    6: "there are no classes along this axis",
}
NO_CLASS = 7


def plan(context: Any, function: Any, arguments: dict[str, Any]) -> Plan:
    """Plan a call of a loss over classes."""
    return _Call(function, arguments).plan()


class _Call:
    """One call of cross_entropy, its value_and_grad, or nll_loss."""

    def __init__(self, function: Any, arguments: dict[str, Any]) -> None:
        self.function, self.kinds = function, arguments
        self.gradient = isinstance(function, Method)
        self.name = next(iter(arguments))
        self.x, self.targets = arguments[self.name], arguments["targets"]
        self.weight: Any = arguments["weight"]
        self.out: Any = arguments.get("out")
        self.reduction = reduction_of(function, arguments["reduction"])
        if not (is_array(self.x) and self.x.ndim and is_array(self.targets)):
            raise refuse(function, f"takes arrays as {self.name} and targets, not {self.x} and {self.targets}")
        given = dtype_of(function, self.name, self.x)
        self.dtype = computed_dtype(function, float_dtype, function.name, given, self.name)
        self.dense = dtype_of(function, "targets", self.targets).kind == "f"
        self._check()

    def _check(self) -> None:
        ndim = self.x.ndim
        if self.dense and self.name != "logits":
            raise refuse(self.function, f"takes classes, which are integers, as targets, not {self.targets}")
        if self.targets.ndim != ndim - (not self.dense):
            raise refuse(
                self.function, f"takes classes of {ndim - 1} dimensions or probabilities of {ndim}, not {self.targets}"
            )
        if is_given(self.weight) and not (is_array(self.weight) and self.weight.ndim == 1):
            raise refuse(self.function, f"takes as weight= an array of a number for each class, not {self.weight}")
        for name, wanted in ("axis", types.Integer), ("ignore_index", types.Integer), ("label_smoothing", types.Number):
            if not isinstance(types.unliteral(self.kinds.get(name, types.intp)), types.Omitted | wanted):
                raise refuse(self.function, f"takes a number as {name}=, not {self.kinds[name]}")

    def plan(self) -> Plan:
        item, ndim = from_dtype(self.dtype), self.x.ndim
        new = types.Array(item, ndim, "C")
        self.grad_kind: Any = written_to(self.function, self.out, new, f"array like the gradient, {new}")
        self.losses = types.Array(item, ndim - 1, "C") if self.reduction == "none" and ndim > 1 else None
        value = self.losses or item
        self.result = types.Tuple([value, self.grad_kind]) if self.gradient else value
        return Plan(self.result, self._build)

    def _build(self, context: Any, builder: Any, values: dict[str, Any]) -> Any:
        emitter, item, size = Emitter(context, builder, self.function), from_dtype(self.dtype), self.dtype.itemsize
        kind, x = emitter.of_dtype(self.x, values[self.name], self.dtype)
        shape = emitter.shape(kind, x)
        axis = emitter.axis(self.kinds["axis"], values["axis"], len(shape))
        fields: dict[str, Any] = {
            "x": emitter.descriptor(kind, x), "is_double": emitter.i32(size == 8), "axis": axis,
            "ignore": emitter.integer(self.kinds["ignore_index"], values["ignore_index"]),
            "reduction": emitter.i32(REDUCTIONS.index(self.reduction)),
        }  # fmt: skip
        kind, targets = self._targets(emitter, values["targets"])
        fields["targets"] = emitter.descriptor(kind, targets)
        fields["targets_kind"] = emitter.i32(KINDS.get(kind.dtype.name, 0))
        smoothing = self._smoothing(emitter, values)
        fields["smoothing"] = smoothing
        if is_given(self.weight):
            fields["weight"] = self._weight(emitter, values["weight"], shape, axis)
        loss = cgutils.alloca_once(builder, context.get_value_type(item))
        if self.losses is not None:
            kept = emitter.without(shape, axis)
            losses = emitter.empty(self.losses, kept)
            fields["values"] = emitter.struct(self.losses, losses).data
        elif self.reduction == "none":
            losses, fields["values"] = None, loss
        grad = None
        if self.gradient:
            grad = values["out"] if is_given(self.out) else emitter.empty(self.grad_kind, shape)
            emitter.check_shape(self.grad_kind, grad, shape, f"out does not have the shape of {self.name}")
            fields["gradient"] = emitter.pointer(emitter.descriptor(self.grad_kind, grad))
        call = self._call(emitter, fields)
        if self.losses is not None:
            value = losses
        elif self.reduction == "none":
            value = builder.load(loss)
        else:
            value = emitter.cast(self._field(emitter, call, "loss"), types.float64, item)
        return emitter.value_and_grad(self.result, value, grad, is_given(self.out))

    def _targets(self, emitter: Emitter, value: Any) -> tuple[Any, Any]:
        """Classes as intp, and probabilities as they are."""
        if self.dense or self.targets.dtype == types.intp:
            return self.targets, value
        return emitter.of_dtype(self.targets, value, np.dtype(np.intp))

    def _smoothing(self, emitter: Emitter, values: dict[str, Any]) -> Any:
        if "label_smoothing" not in values:
            return ir.Constant(DOUBLE, 0)
        builder, value = emitter.builder, emitter.as_double(values["label_smoothing"], self.kinds["label_smoothing"])
        low, high = (
            builder.fcmp_ordered(sign, value, ir.Constant(DOUBLE, end)) for sign, end in ((">=", 0), ("<=", 1))
        )
        emitter.raise_if(builder.not_(builder.and_(low, high)), ValueError, "label_smoothing must be from 0 to 1")
        return value

    def _weight(self, emitter: Emitter, value: Any, shape: list[Any], axis: Any) -> Any:
        """The address of the weights, as float64 without gaps."""
        builder = emitter.builder
        kind, weight = emitter.of_dtype(self.weight, value, np.dtype(np.float64))
        kind, weight = emitter.packed(kind, weight)
        sizes = emitter.stored(cgutils.pack_array(builder, shape, ty=SIZE))
        classes = builder.load(cgutils.gep_inbounds(builder, sizes, 0, axis))
        differs = builder.icmp_signed("!=", emitter.shape(kind, weight)[0], classes)
        emitter.raise_if(differs, ValueError, "weight does not have a number for each class")
        return emitter.struct(kind, weight).data

    def _call(self, emitter: Emitter, fields: dict[str, Any]) -> Any:
        """Call the C function, and raise what it says; return the address of its struct."""
        builder = emitter.builder
        call = cgutils.alloca_once(builder, CLASS_LOSS)
        for i, (name, kind) in enumerate(FIELDS.items()):
            value = fields.get(name, ir.Constant(kind, None if isinstance(kind, ir.PointerType) else 0))
            if isinstance(kind, ir.PointerType) and value.type != kind:
                value = builder.bitcast(value, kind)
            builder.store(value, cgutils.gep_inbounds(builder, call, 0, i))
        functions = [emitter.address("write_losses")] if self.name == "logits" else []
        name = "cross_entropy" if self.name == "logits" else "nll_loss"
        status = emitter.call(name, INT, *functions, emitter.address("sum_of"), builder.bitcast(call, BYTES))
        for number, text in ERRORS.items():
            emitter.raise_if(builder.icmp_signed("==", status, emitter.i32(number)), ValueError, text)
        with builder.if_then(builder.icmp_signed("==", status, emitter.i32(NO_CLASS)), likely=False):
            emitter.raise_with(
                ValueError, "a target is no class, from 0 to their number less 1, and not ignore_index:",
                self._field(emitter, call, "wrong"),
            )  # fmt: skip
        emitter.check(status)
        return call

    def _field(self, emitter: Emitter, call: Any, name: str) -> Any:
        return emitter.builder.load(cgutils.gep_inbounds(emitter.builder, call, 0, list(FIELDS).index(name)))
