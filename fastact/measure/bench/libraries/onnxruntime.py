"""onnxruntime: functions as its operators, forward alone; it masks by -inf."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastact.measure.bench.cases import Array, Case
from fastact.measure.bench.libraries import threads
from fastact.measure.bench.libraries.peer import Peer, keep
from fastact.measure.bench.timing import Contender

NEEDS = ("onnxruntime", "onnx")

#: Operators of ONNX, and their attributes where the defaults differ from fastact's.
TABLE: dict[str, tuple[str, dict[str, Any]]] = {
    **{name.lower(): (name, {}) for name in (
        "Identity", "Relu", "Elu", "Celu", "Selu", "Softplus", "Sigmoid", "Tanh", "Softsign", "Erf", "Gelu", "Mish",
    )},
    "leaky_relu": ("LeakyRelu", {}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 1 / 6}),
    "hard_silu": ("HardSwish", {}),
    "thresholded_relu": ("ThresholdedRelu", {}),
    "exponential": ("Exp", {}),
    "silu": ("Swish", {}),
    "swish": ("Swish", {}),
    "gelu_tanh": ("Gelu", {"approximate": "tanh"}),
}  # fmt: skip


def _run(
    nodes: Sequence[Any],
    inputs: Mapping[str, tuple[Any, Sequence[int | None]]],
    constants: Sequence[Any] = (),
    opset: int = 20,
) -> Any:
    """A session in which `nodes` make "y" of the inputs, which have these dtypes and shapes.

    None where onnxruntime lacks an operator for the dtype of "x".
    """
    helper, runtime = importlib.import_module("onnx.helper"), importlib.import_module("onnxruntime")
    element = {name: helper.np_dtype_to_tensor_dtype(np.dtype(dtype)) for name, (dtype, _) in inputs.items()}
    given = [helper.make_tensor_value_info(name, element[name], shape) for name, (_, shape) in inputs.items()]
    result = helper.make_tensor_value_info("y", element["x"], None)
    graph = helper.make_graph(nodes, "peer", given, [result], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads()
    options.log_severity_level = 4
    states = runtime.capi.onnxruntime_pybind11_state
    try:
        return runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except (states.Fail, states.InvalidGraph, states.NotImplemented):
        return None


@functools.cache
def _session(name: str, dtype: str, threads: int) -> Any:
    """A session that runs one operator; None where onnxruntime lacks it for this dtype."""
    operator, attributes = TABLE[name]
    node = importlib.import_module("onnx.helper").make_node(operator, ["x"], ["y"], **attributes)
    return _run([node], {"x": (dtype, [None])}, opset=24 if operator == "Swish" else 20)


def _make(name: str, part: str, arrays: tuple[Array, ...], out: Array | None) -> Contender | None:
    """Bind a given output as it is, but never in place: the operators do not promise to bear that."""
    (x,) = arrays
    session = _session(name, x.dtype.name, threads())
    if session is None:
        return None
    if out is None:
        return Contender(lambda: session.run(None, {"x": x})[0])
    binding, result = session.io_binding(), np.empty_like(x) if out is x else out
    binding.bind_input("x", "cpu", 0, x.dtype.type, x.shape, x.ctypes.data)
    binding.bind_output("y", "cpu", 0, x.dtype.type, x.shape, result.ctypes.data)

    def call(x: Array = x) -> Array:  # which keeps x alive: the binding has only its address
        session.run_with_iobinding(binding)
        return result

    return Contender(call)


ELEMENTWISE = Peer(TABLE, _make, parts=("forward",), any_layout=False)


#: Operators of the softmax family.
OF_ROWS = {"softmax": "Softmax", "softmin": "Softmax", "log_softmax": "LogSoftmax", "logsumexp": "ReduceLogSumExp"}


def softmax(case: Case, arrays: tuple[Array, ...], out: Array | None) -> Contender | None:
    """The softmax family, which gives a new array; arrays that are not contiguous are made so within its time."""
    x = arrays[-1]
    if case.part == "backward" or case.dtype == "bfloat16":
        return None
    onnx = importlib.import_module("onnx")
    node, constant = onnx.helper.make_node, onnx.numpy_helper.from_array
    inputs, feed = {"x": (x.dtype, x.shape)}, {"x": np.ascontiguousarray(x)}
    nodes, constants, given = [], [], ["x"]
    if case.name == "softmin":
        nodes.append(node("Neg", given, ["negative"]))
        given = ["negative"]
    if case.data:
        feed["mask"] = keep(case)
        inputs["mask"] = feed["mask"].dtype, feed["mask"].shape
        constants.append(constant(np.array(-np.inf, x.dtype), "low"))
        nodes.append(node("Where", ["mask", *given, "low"], ["masked"]))
        given = ["masked"]
    settings: dict[str, int] = {"axis": case.axis}
    if case.name == "logsumexp":
        constants.append(constant(np.array([case.axis]), "axes"))
        given, settings = [*given, "axes"], {"keepdims": 0}
    session = _run([*nodes, node(OF_ROWS[case.name], given, ["y"], **settings)], inputs, constants)
    if session is None:
        return None
    if case.layout in ("strided", "transposed"):
        return Contender(lambda: session.run(None, {"x": np.ascontiguousarray(x)})[0])
    return Contender(lambda: session.run(None, feed)[0])
