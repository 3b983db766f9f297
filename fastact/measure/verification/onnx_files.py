"""A model in an ONNX file of one input and one output, as a function of NumPy arrays; onnxruntime runs it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastact.errors import require

__all__ = ["OnnxModel"]

#: onnxruntime's names of the dtypes that can be verified.
DTYPES = {"tensor(float16)": "float16", "tensor(float)": "float32", "tensor(double)": "float64"}


class OnnxModel:
    """The model; call it with a flat array of its dtype.

    Attributes
    ----------
    operators : list of str
        Of the nodes of its graph, where onnx is installed.
    dtype : str
        Of its input.
    """

    def __init__(self, path: Path) -> None:
        content = path.read_bytes()
        runtime = require("onnxruntime", "bench", "verifying an ONNX file")
        options = runtime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 4
        try:
            self._session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own classes, which have no common one
            raise ValueError(f"{path}: onnxruntime cannot load it ({' '.join(str(error).split())})") from error
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        for what, found in (("input", inputs), ("output", outputs)):
            if len(found) != 1:
                names = ", ".join(each.name for each in found)
                raise ValueError(f"{path}: has {len(found)} {what}s ({names}); verify takes a model of one {what}")
        self._input = inputs[0].name
        if inputs[0].type not in DTYPES:
            raise ValueError(f"{path}: its input is {inputs[0].type}; verify takes {', '.join(DTYPES)}")
        self.dtype = DTYPES[inputs[0].type]
        self._shape = list(inputs[0].shape)
        self.operators = _operators(content)

    def __call__(self, x: NDArray[Any]) -> NDArray[Any]:
        if not self._shape:  # a number, or a shape that the model leaves open
            return self._run(x)
        fixed = math.prod(each for each in self._shape if isinstance(each, int))
        free = [place for place, each in enumerate(self._shape) if not isinstance(each, int)]
        padded = np.resize(x, -(-x.size // fixed) * fixed) if x.size % fixed or not x.size else x
        shape = [each if isinstance(each, int) else 1 for each in self._shape]
        if free:
            shape[free[0]] = padded.size // fixed
            results = [self._run(padded.reshape(shape))]
        else:
            results = [self._run(each.reshape(shape)) for each in np.split(padded, padded.size // fixed)]
        return np.concatenate([each.ravel() for each in results])[: x.size]

    def _run(self, x: NDArray[Any]) -> NDArray[Any]:
        result: NDArray[Any] = self._session.run(None, {self._input: x})[0]
        if result.shape != x.shape:
            raise ValueError(f"it makes the shape {result.shape} of {x.shape}; verify takes functions of each element")
        return result


def _operators(content: bytes) -> list[str]:
    try:
        import onnx
    except ImportError:
        return []
    return [node.op_type for node in onnx.load_from_string(content).graph.node]
