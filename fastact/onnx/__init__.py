"""ONNX both ways: networks and functions as ONNX files, networks out of them, and an `onnx.backend`.

nodes.py writes functions, with graph.py and tracing.py, and saving.py networks of them. reading.py
makes networks of files, with files.py, pieces.py, identification.py and chain.py. backend.py runs files. All need the
extra "onnx" and are loaded by the first call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

from numpy.typing import DTypeLike

from fastact.errors import require

__all__ = ["save"]


def save(
    model: Any,
    path: str | PathLike[str],
    *,
    opset: int = 20,
    dtype: DTypeLike | None = None,
    labels: bool | None = None,
    input_name: str = "X",
    parameters: Mapping[str, Any] | None = None,
    shape: Sequence[int | str] | None = None,
) -> None:
    """Write a network, an estimator or a function as an ONNX file, all or nothing.

    Parameters
    ----------
    model : fastact.MLP, estimator of fastact.sklearn, or fastact activation or softmax
        Activations of one's own are written out, where their formula is made of functions of NumPy and `fastact.math`.
    path : path-like
    opset : int
        The operator set, from 13 on. The file asks for the oldest format that has it.
    dtype : dtype, optional
        Of weights, inputs and results: float32, float64, float16 or bfloat16; the model's unless given, and float32
        for a function.
    labels : bool, optional
        Whether to give out labels too, as `predict` does. By default an estimator does, and an MLP does not.
    input_name : str
    parameters : mapping, optional
        Of a single function: its parameters, such as {"alpha": 0.2} of leaky_relu, or {"axis": 1} of softmax.
    shape : sequence of int and str, optional
        Of a single function's input; a name stands for a length that is free. ("samples", "features") unless given.

    Raises
    ------
    TypeError
        The model is none of these, or an activation of one's own has a formula that ONNX cannot express.
    ValueError
        The operator set is unknown or lacks an operator in this dtype, weights are not finite, or labels are wanted of
        a network that has none. Whatever is at `path` stays as it was.
    MissingDependencyError
        onnx is not installed.

    Notes
    -----
    The input is (samples, inputs), for any number of samples. Outputs are "probabilities", as `predict_proba` gives
    them, or "predictions" (samples, outputs) of a network for real numbers; before it "label", if wanted. A function
    gives "Y".

    Equal models give equal bytes. Dropout has no effect on predictions, and is left out. In float64 the error function,
    which is in erf, ndtr, gelu and serf, is computed in single precision, since ONNX Runtime has no other.

    Examples
    --------
    >>> import fastact as fa
    >>> from fastact.onnx import save
    >>> save(fa.MLP((4, 8, 3), "gelu", "softmax", seed=0), "net.onnx")  # doctest: +SKIP
    """
    require("onnx", "onnx", "fastact.onnx.save")
    from fastact.onnx import saving

    saving.save(model, path, opset, dtype, labels, input_name, parameters, shape)
