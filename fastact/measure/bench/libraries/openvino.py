"""OpenVINO: elementwise functions as its operations, forward alone."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from fastact.measure.bench.cases import Array
from fastact.measure.bench.libraries import threads
from fastact.measure.bench.libraries.peer import ALPHA, SCALE, Peer
from fastact.measure.bench.timing import Contender

NEEDS = ("openvino",)
#: It is no part of the extra `bench`: its package brings telemetry.
REMEDY = "openvino"


def _named(name: str) -> Callable[[Any, Any], Any]:
    return lambda ops, x: getattr(ops, name)(x)


#: What makes the operation of a parameter, given OpenVINO's newest set of operations.
TABLE: dict[str, Callable[[Any, Any], Any]] = {
    **{name: _named(name) for name in ("relu", "softplus", "sigmoid", "tanh", "softsign", "erf", "mish")},
    "relu6": lambda ops, x: ops.clamp(x, 0, 6),
    "hard_tanh": lambda ops, x: ops.clamp(x, -1, 1),
    "hard_silu": _named("hswish"),
    "elu": lambda ops, x: ops.elu(x, 1.0),
    "selu": lambda ops, x: ops.selu(x, np.array(ALPHA, np.float32), np.array(SCALE, np.float32)),
    "exponential": _named("exp"),
    "silu": _named("swish"),
    "swish": _named("swish"),
    "gelu": lambda ops, x: ops.gelu(x, "ERF"),
    "gelu_tanh": lambda ops, x: ops.gelu(x, "TANH"),
}


@functools.cache
def _openvino() -> Any:
    """OpenVINO without its telemetry, which would report the import over the network, from a forked process."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    return importlib.import_module("openvino")


@functools.cache
def _compiled(name: str, threads: int) -> Any:
    """One operation, compiled for float32 on so many threads."""
    openvino = _openvino()
    ops = importlib.import_module("openvino.opset15")
    x = ops.parameter([-1], np.float32)
    model = openvino.Model([TABLE[name](ops, x)], [x])
    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    return openvino.compile_model(model, "CPU", settings)


def _make(name: str, part: str, arrays: tuple[Array, ...], out: Array | None) -> Contender:
    """Bind a given output as it is, but never in place: the operations do not promise to bear that."""
    (x,) = arrays
    tensor = _openvino().Tensor
    request = _compiled(name, threads()).create_infer_request()
    request.set_input_tensor(tensor(x, shared_memory=True))

    def new() -> Array:
        result = np.empty_like(x)
        request.set_output_tensor(tensor(result, shared_memory=True))
        request.infer(share_outputs=True)
        return result

    if out is None:
        return Contender(new)
    given = np.empty_like(x) if out is x else out
    request.set_output_tensor(tensor(given, shared_memory=True))

    def call() -> Array:
        request.infer(share_outputs=True)
        return given

    return Contender(call)


ELEMENTWISE = Peer(TABLE, _make, parts=("forward",), dtypes=("float32",), any_layout=False)
