"""Networks for files, and ONNX Runtime to run them."""

from __future__ import annotations

from os import PathLike
from typing import Any

import numpy as np
import pytest

import fastact as fa


def run(source: str | PathLike[str] | bytes, x: Any) -> list[Any]:
    """What ONNX Runtime gives for a file, or its bytes, of one input."""
    runtime = pytest.importorskip("onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, 1
    session = runtime.InferenceSession(source if isinstance(source, bytes) else str(source), options)
    return list(session.run(None, {session.get_inputs()[0].name: x}))


def network(activation: Any, dtype: Any = np.float32, **settings: Any) -> tuple[fa.MLP, Any]:
    """A small classifier, none of whose arrays are as they were drawn, and samples."""
    rng = np.random.default_rng(0)
    model = fa.MLP((6, 6, 6, 3), activation, "softmax", dtype=dtype, seed=1, **settings)
    for layer in model.layers:
        for name, array in {**layer.parameters, **layer.statistics}.items():
            if name in ("gamma", "variance"):
                array[...] = rng.uniform(0.5, 1.5, array.shape)
            elif name in ("bias", "beta", "mean"):
                array[...] = rng.normal(0, 0.3, array.shape)
            elif name.startswith("activation"):
                array += rng.uniform(0, 0.1, array.shape)
    return model, rng.normal(size=(40, 6)).astype(dtype)


#: For the normal suite in single precision.
DTYPES = pytest.mark.parametrize("dtype", [np.float32, pytest.param(np.float64, marks=pytest.mark.slow)])
