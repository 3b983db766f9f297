"""The libraries that fastact is timed beside: which are installed, how many threads they use, and their arrays.

To add a library, add its line to NEEDS, and a file for it to each family that it can take part in.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np

from fastact.errors import UnknownNameError, nearest
from fastact.measure.bench.cases import Array

__all__ = [
    "NEEDS", "as_numpy", "chosen", "installed", "jax", "numexpr", "onnx_session", "set_threads", "tensor", "threads",
    "torch", "versions",
]  # fmt: skip

#: What must be installed for a library to take part.
NEEDS: dict[str, tuple[str, ...]] = {
    "torch": ("torch",),
    "jax": ("jax",),
    "onnxruntime": ("onnxruntime", "onnx"),
    "openvino": ("openvino",),
    "onednn": ("torch",),
    "numpy": ("numpy",),
    "scipy": ("scipy",),
    "numexpr": ("numexpr",),
}

_threads = 1


def set_threads(n: int) -> None:
    """Let every library use n threads from its next contender on; JAX takes all cores that it sees."""
    global _threads
    _threads = n


def threads() -> int:
    """How many threads every library is to use."""
    return _threads


def installed() -> list[str]:
    """The libraries that can take part."""
    return [name for name, needs in NEEDS.items() if all(map(find_spec, needs))]


def chosen(names: Sequence[str]) -> list[str]:
    """These libraries, or all that are installed if none is named.

    Raises
    ------
    UnknownNameError
        For a name that is not in NEEDS, or a library that is not installed.
    """
    for name in names:
        if name not in NEEDS:
            raise UnknownNameError(f"unknown peer {name!r}{nearest(name, NEEDS)}")
        if name not in installed():
            missing = " and ".join(need for need in NEEDS[name] if not find_spec(need))
            remedy = "openvino" if name == "openvino" else '"fastact[bench]"'  # whose package has telemetry
            raise UnknownNameError(
                f"peer {name!r} needs {missing}, which is not installed: leave it out, or install it with: "
                f"pip install {remedy}"
            )
    return list(names) or installed()


def versions(libraries: Sequence[str] = tuple(NEEDS)) -> str:
    """Names and versions of those that are installed; oneDNN comes as a part of PyTorch."""
    packages = dict.fromkeys(NEEDS[name][0] for name in libraries if name in installed())
    return ", ".join(f"{package} {version(package)}" for package in packages)


def as_numpy(result: Any) -> Array:
    """A library's result as an array."""
    if not hasattr(result, "detach"):
        return np.asarray(result)
    if result.is_mkldnn:
        result = result.to_dense()
    if str(result.dtype) == "torch.bfloat16":
        bfloat16 = importlib.import_module("ml_dtypes").bfloat16
        return result.view(torch().int16).numpy().view(bfloat16)
    return result.detach().numpy()


def torch() -> Any:
    """PyTorch, with as many threads as `set_threads` says."""
    module = importlib.import_module("torch")
    module.set_num_threads(_threads)
    return module


def numexpr() -> Any:
    """numexpr, with as many threads as `set_threads` says."""
    module = importlib.import_module("numexpr")
    module.set_num_threads(_threads)
    return module


def tensor(array: Array) -> Any:
    """The array's own memory as a PyTorch tensor."""
    if array.dtype.name == "bfloat16":
        return torch().from_numpy(array.view(np.int16)).view(torch().bfloat16)
    return torch().from_numpy(array)


@functools.cache
def jax() -> Any:
    """JAX, with float64."""
    module = importlib.import_module("jax")
    module.config.update("jax_enable_x64", True)
    return module


def onnx_session(
    nodes: Sequence[Any],
    inputs: Mapping[str, tuple[Any, Sequence[int | None]]],
    constants: Sequence[Any] = (),
    opset: int = 20,
) -> Any:
    """A session of onnxruntime: `nodes` make "y" of the inputs, which have these dtypes and shapes.

    None where onnxruntime lacks an operator for the dtype of "x".
    """
    helper, runtime = importlib.import_module("onnx.helper"), importlib.import_module("onnxruntime")
    element = {name: helper.np_dtype_to_tensor_dtype(np.dtype(dtype)) for name, (dtype, _) in inputs.items()}
    given = [helper.make_tensor_value_info(name, element[name], shape) for name, (_, shape) in inputs.items()]
    result = helper.make_tensor_value_info("y", element["x"], None)
    graph = helper.make_graph(nodes, "peer", given, [result], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = _threads
    options.log_severity_level = 4
    states = runtime.capi.onnxruntime_pybind11_state
    try:
        return runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except (states.Fail, states.InvalidGraph, states.NotImplemented):
        return None
