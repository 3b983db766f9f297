"""Networks, scikit-learn estimators and single functions as ONNX files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

import fastact as fa
from fastact.mlp.data import as_integer, as_number
from fastact.mlp.namespaces import moved
from fastact.mlp.normalisation import EPSILON
from fastact.onnx import nodes
from fastact.onnx.graph import NEWEST, OLDEST, Graph, write
from fastact.onnx.tracing import Symbol

__all__ = ["save"]

#: The name of the first dimension, which may have any length.
SAMPLES = "samples"


def save(
    model: Any, path: str | PathLike[str], opset: int, dtype: DTypeLike | None, labels: bool | None, input_name: str,
    parameters: Mapping[str, Any] | None, shape: Sequence[int | str] | None,
) -> None:  # fmt: skip
    """Write a network, an estimator or a function as an ONNX file; see `fastact.onnx.save`."""
    if not OLDEST <= as_integer(opset, "opset", 1) <= NEWEST:
        raise ValueError(f"opset={opset}; take one from {OLDEST} to {NEWEST}, the newest of the installed onnx")
    if not isinstance(input_name, str) or not input_name:
        raise TypeError(f"input_name={input_name!r:.99}; give a name, such as 'X'")
    estimator = model
    if type(model).__name__ == "ActivationTransformer":
        model, parameters = model._function, model.parameters
    if isinstance(model, fa.Function):
        if labels:
            raise TypeError(f"labels={labels!r}: {model.name} is a function, which gives none; leave it out")
        write(_function(model, opset, dtype, input_name, parameters or {}, shape), path)
        return
    for name, value in (("parameters", parameters), ("shape", shape)):
        if value is not None:
            raise TypeError(f"{name}={value!r:.99} is for single functions; a network has its own")
    network, classes = _network_of(estimator)
    wanted = hasattr(estimator, "classes_") if labels is None else bool(labels)
    write(_network(network, classes, wanted, opset, dtype, input_name), path)


def _network_of(model: Any) -> tuple[Any, Any]:
    """The network of an estimator, and its classes."""
    if isinstance(model, fa.MLP):
        return model, None
    if not type(model).__module__.startswith("fastact.sklearn"):
        raise TypeError(
            f"model={model!r:.99} is a {type(model).__name__}; give a fastact.MLP, an estimator of fastact.sklearn or "
            "a fastact function"
        )
    classes = getattr(model, "classes_", None)
    if classes is not None and not model._multilabel and len(classes) == 1:
        raise ValueError(f"model has learnt the class {classes[0]!r} alone; train it with two or more")
    return model._current(), None if classes is None or model._multilabel else classes


def _dtype(dtype: DTypeLike | None, default: Any) -> np.dtype[Any]:
    found = np.dtype(default if dtype is None else dtype)
    if found.name not in ("float16", "bfloat16", "float32", "float64"):
        raise TypeError(f"dtype={dtype!r:.99}; take float32, float64, float16 or bfloat16")
    return found


def _function(
    function: Any, opset: int, dtype: DTypeLike | None, input_name: str, parameters: Mapping[str, Any], shape: Any
) -> Any:
    """The model of one function."""
    unknown = parameters.keys() - (function.parameters.keys() | ({"axis"} if function.kind == "softmax" else set()))
    if unknown:
        raise TypeError(f"parameters: {function.name} has no parameter {sorted(unknown)[0]!r:.99}")
    dimensions = [SAMPLES, "features"] if shape is None else _dimensions(shape)
    values = {name: _value(function, name, value, len(dimensions)) for name, value in parameters.items()}
    graph = Graph(_dtype(dtype, np.float32), opset)
    result = nodes.apply(function, Symbol(graph, graph.input(input_name, dimensions)), values)
    graph.output(result.name, "Y", dimensions)
    return graph.model(function.name, function.formula)


def _dimensions(shape: Any) -> list[int | str]:
    """The shape of the input as ONNX keeps it."""
    if isinstance(shape, str) or not isinstance(shape, Sequence):
        raise TypeError(f"shape={shape!r:.99}; give a sequence of numbers, and of names where any number will do")
    for each in shape:
        number = isinstance(each, int | np.integer) and not isinstance(each, bool) and each >= 0
        if not number and not (isinstance(each, str) and each):
            raise ValueError(f"shape={shape!r:.99} has {each!r:.99}; a dimension is a number from 0 on, or a name")
    return [each if isinstance(each, str) else int(each) for each in shape]


def _value(function: Any, name: str, value: Any, dimensions: int) -> Any:
    """A parameter: a number, or of a softmax the axis."""
    if name == "axis":
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise TypeError(f"{function.name}'s axis={value!r:.99}; give one axis, as an int")
        if not -dimensions <= value < dimensions:
            raise ValueError(f"{function.name}'s axis={value}; shape= has {dimensions} dimensions, take one of them")
        return int(value)
    return as_number(value, f"{function.name}'s {name}")


def _network(network: Any, classes: Any, labels: bool, opset: int, dtype: DTypeLike | None, input_name: str) -> Any:
    """The model of a network: one pass, without what only training needs."""
    graph = Graph(_dtype(dtype, network.dtype), opset)
    _check_finite(network)
    x = Symbol(graph, graph.input(input_name, [SAMPLES, network.layer_sizes[0]]))
    for number, layer in enumerate(network.layers):
        z = _preactivation(graph, x, layer, number)
        values = {
            name: value if isinstance(value, float) else moved(value, np)
            for name, value in layer.activation_parameters.items()
        }
        y = nodes.apply(layer.activation, z, values)
        x = y + x if layer.plan.residual else y
    units, kind = network.layer_sizes[-1], network.loss
    if not kind.classifies:
        if labels:
            raise ValueError(
                f"labels={labels!r}: the network's loss is {kind.name}, which knows no labels; leave it out"
            )
        graph.output((np.exp(z) if kind.name == "poisson" else x).name, "predictions", [SAMPLES, units])
        return graph.model("fastact", repr(network.layer_sizes))
    if labels:
        _label(graph, z, units, kind.name == "bce", classes)
    if units == 1:
        x = (1.0 - x).node("Concat", x, axis=1)
    graph.output(x.name, "probabilities", [SAMPLES, max(units, 2)])
    return graph.model("fastact", repr(network.layer_sizes))


def _preactivation(graph: Graph, x: Symbol, layer: Any, number: int) -> Symbol:
    """What goes into the layer's activation."""

    def constant(array: Any, name: str) -> Symbol:
        return Symbol(graph, graph.constant(moved(array, np), name=f"{name}_{number}"))

    z = x.node("Gemm", constant(layer.weights, "weights"), constant(layer.bias, "bias"))
    if not layer.plan.batch_norm:
        return z
    arrays = {**layer.parameters, **layer.statistics}
    given = (constant(arrays[name], name) for name in ("gamma", "beta", "mean", "variance"))
    return z.node("BatchNormalization", *given, epsilon=EPSILON)


def _label(graph: Graph, z: Symbol, units: int, separate: bool, classes: Any) -> None:
    """Give out what `predict` does, which decides by the preactivations."""
    if separate:
        label = (z > 0.0).cast(np.int64)
        if units > 1:
            graph.output(label.name, "label", [SAMPLES, units], np.int64)
            return
        label = label.node("Squeeze", z.index([1]))
    else:
        label = z.node("ArgMax", axis=1, keepdims=0)
    kind: Any = np.int64
    if classes is not None:
        classes = np.asarray(classes)
        kind = classes.dtype if classes.dtype.kind in "biuf" else object
        names = classes if kind is not object else np.array([str(each) for each in classes], object)
        label = Symbol(graph, graph.constant(names, kind, "classes")).node("Gather", label)
    graph.output(label.name, "label", [SAMPLES], kind)


def _check_finite(network: Any) -> None:
    for number, layer in enumerate(network.layers):
        for name, array in {**layer.parameters, **layer.statistics}.items():
            if not np.isfinite(moved(array, np)).all():
                raise ValueError(
                    f"layer {number} has {name} with nan or inf; train the network anew before it is saved"
                )
