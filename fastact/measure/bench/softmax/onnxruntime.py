"""The softmax family as operators of onnxruntime, forward alone; it masks by -inf."""

from __future__ import annotations

import importlib

import numpy as np

from fastact.measure.bench.cases import Array, Case
from fastact.measure.bench.libraries import onnx_session
from fastact.measure.bench.softmax.masks import keep
from fastact.measure.bench.timing import Contender

__all__ = ["contender"]

OPERATORS = {"softmax": "Softmax", "softmin": "Softmax", "log_softmax": "LogSoftmax", "logsumexp": "ReduceLogSumExp"}


def contender(case: Case, arrays: tuple[Array, ...], out: Array | None) -> Contender | None:
    """onnxruntime's call, which gives a new array; None for backward passes and dtypes that it lacks."""
    x = arrays[-1]
    if case.part == "backward" or case.dtype == "bfloat16":
        return None
    onnx = importlib.import_module("onnx")
    node, constant = onnx.helper.make_node, onnx.numpy_helper.from_array
    inputs, feed = {"x": (x.dtype, x.shape)}, {"x": np.ascontiguousarray(x)}
    nodes, constants, name = [], [], "x"
    if case.name == "softmin":
        nodes.append(node("Neg", [name], ["negative"]))
        name = "negative"
    if case.data:
        feed["mask"] = keep(case)
        inputs["mask"] = feed["mask"].dtype, feed["mask"].shape
        constants.append(constant(np.array(-np.inf, x.dtype), "low"))
        nodes.append(node("Where", ["mask", name, "low"], ["masked"]))
        name = "masked"
    if case.name == "logsumexp":
        constants.append(constant(np.array([case.axis]), "axes"))
        nodes.append(node(OPERATORS[case.name], [name, "axes"], ["y"], keepdims=0))
    else:
        nodes.append(node(OPERATORS[case.name], [name], ["y"], axis=case.axis))
    session = onnx_session(nodes, inputs, constants)
    if session is None:
        return None
    if case.layout in ("strided", "transposed"):
        return Contender(lambda: session.run(None, {"x": np.ascontiguousarray(x)})[0])
    return Contender(lambda: session.run(None, feed)[0])
