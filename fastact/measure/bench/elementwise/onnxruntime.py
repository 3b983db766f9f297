"""Elementwise functions as operators of onnxruntime, forward alone."""

from __future__ import annotations

import functools
import importlib
from typing import Any

import numpy as np

from fastact.measure.bench.cases import Array
from fastact.measure.bench.elementwise.peer import Peer
from fastact.measure.bench.libraries import onnx_session, threads
from fastact.measure.bench.timing import Contender

#: Operators of ONNX, and their attributes where the defaults differ from fastact's.
TABLE: dict[str, tuple[str, dict[str, Any]]] = {
    "identity": ("Identity", {}),
    "relu": ("Relu", {}),
    "leaky_relu": ("LeakyRelu", {}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 1 / 6}),
    "hard_silu": ("HardSwish", {}),
    "thresholded_relu": ("ThresholdedRelu", {}),
    "elu": ("Elu", {}),
    "celu": ("Celu", {}),
    "selu": ("Selu", {}),
    "softplus": ("Softplus", {}),
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "softsign": ("Softsign", {}),
    "erf": ("Erf", {}),
    "exponential": ("Exp", {}),
    "silu": ("Swish", {}),
    "swish": ("Swish", {}),
    "gelu": ("Gelu", {}),
    "gelu_tanh": ("Gelu", {"approximate": "tanh"}),
    "mish": ("Mish", {}),
}


@functools.cache
def _session(name: str, dtype: str, threads: int) -> Any:
    """A session that runs one operator; None where onnxruntime lacks it for this dtype."""
    operator, attributes = TABLE[name]
    node = importlib.import_module("onnx.helper").make_node(operator, ["x"], ["y"], **attributes)
    return onnx_session([node], {"x": (dtype, [None])}, opset=24 if operator == "Swish" else 20)


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


PEER = Peer(TABLE, _make, parts=("forward",), any_layout=False)
