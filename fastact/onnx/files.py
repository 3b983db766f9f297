"""An ONNX file as it is read: its nodes without what changes nothing, its constants, and a way to run parts of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np
import onnx
import onnx.inliner
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnx.reference.op_run import OpRun

from fastact.onnx import backend

__all__ = ["File", "opened", "unsupported"]

_HALF = onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16
_FLOATS = onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, *_HALF

#: Operators whose results are truth values.
_TRUTHS = {
    "And", "Equal", "Greater", "GreaterOrEqual", "IsInf", "IsNaN", "Less", "LessOrEqual", "Not", "Or", "Xor",
}  # fmt: skip

#: Operators that hand their first input on, as rows of the same numbers. What `Reshape` does is checked at the end.
_PASSING = {"Identity", "Dropout", "Flatten", "Reshape", "Squeeze", "Unsqueeze", "CastLike"}

#: Those whose results differ each time.
_RANDOM = {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}


def opened(source: Any) -> tuple[Any, str]:
    """The model that a path, bytes or a model stand for, checked, and what errors call it."""
    name = "the model"
    try:
        if isinstance(source, str | PathLike):
            name = os.fspath(source)
            with open(source, "rb"):  # the errors of the system say most
                pass
            model = onnx.load(source)
            onnx.checker.check_model(name)  # by path, which files beyond 2 GiB need
        elif isinstance(source, bytes | bytearray | memoryview | onnx.ModelProto):
            model = source if isinstance(source, onnx.ModelProto) else onnx.load_from_string(bytes(source))
            onnx.checker.check_model(model)
        else:
            raise TypeError(f"source is a {type(source).__name__}; give a path, bytes or an onnx.ModelProto")
        return onnx.inliner.inline_local_functions(model), name
    except (OSError, TypeError):
        raise
    except Exception as error:  # protobuf's, the checker's and others
        reason = " ".join(str(error).split())
        raise ValueError(f"{name}: no ONNX model, or damaged: {reason:.300}") from error


def unsupported(node: Any, remedy: str) -> ValueError:
    """The error for a node that no network of fastact has."""
    operator = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
    return ValueError(f"node {node.name or node.output[0]!r} is {operator}: {remedy}")


class BatchNormalization(OpRun):
    """In inference, whatever the operator set: before 14, onnx's evaluator computes it as in training."""

    def _run(self, x: Any, *arrays: Any, epsilon: float = 1e-5, **others: Any) -> tuple[NDArray[Any]]:
        gamma, beta, mean, variance = (each.reshape(-1, *(1,) * (x.ndim - 2)) for each in arrays)
        return ((x - mean) / np.sqrt(variance + x.dtype.type(epsilon)) * gamma + beta,)


class File:
    """What is computed of one input.

    Attributes
    ----------
    nodes : list of NodeProto
        In their order, without constant ones and those that hand their input on.
    constants : dict of str to ndarray
        Tensors that depend on no input. Half precision is float32, as all is in the network.
    inputs, outputs : list of str
    half : bool
        Whether constants were in half precision.
    """

    def __init__(self, model: Any) -> None:
        graph = model.graph
        self.opset = max((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), default=1)
        self._opsets = model.opset_import
        self.constants = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
        self.half = any(array.dtype.name in ("float16", "bfloat16") for array in self.constants.values())
        self._inputs = {each.name: each for each in graph.input if each.name not in self.constants}
        self.inputs, self.outputs = list(self._inputs), [each.name for each in graph.output]
        for sparse in graph.sparse_initializer:
            raise ValueError(f"constant {sparse.values.name!r} is sparse; export the network with dense weights")
        self._same: dict[str, str] = {}
        self._flowing: list[Any] = []  # all nodes that depend on an input
        self.nodes: list[Any] = []
        truths: set[str] = set()
        for node in graph.node:
            self._take(node, truths)
        self.constants = {name: _single(array) for name, array in self.constants.items()}

    def _take(self, node: Any, truths: set[str]) -> None:
        inputs = [name for name in node.input if name]
        if node.op_type == "CastLike" and inputs[0] in self.constants:
            self.constants[node.output[0]] = self.constants[inputs[0]]
            return
        if all(name in self.constants for name in inputs) and node.op_type not in _RANDOM:
            self._fold(node)
            return
        self._flowing.append(node)
        if node.op_type in _TRUTHS:
            truths.update(node.output)
        to = next((each.i for each in node.attribute if each.name == "to"), None)
        cast = node.op_type == "Cast" and to in _FLOATS and node.input[0] not in truths
        if cast or (node.op_type in _PASSING and not node.domain):
            trained = next((self.constants.get(name) for name in node.input[2:3]), None)
            if node.op_type == "Dropout" and trained is not None and trained.any():
                raise unsupported(node, "it is in training mode; export the network for inference, after model.eval()")
            self._same[node.output[0]] = self.same(node.input[0])
            return
        if node.op_type == "Cast" and to in (onnx.TensorProto.BOOL, None):
            truths.update(node.output)
        changed = _copied(node)
        changed.input[:] = [self.same(name) for name in node.input]
        self.nodes.append(changed)

    def _fold(self, node: Any) -> None:
        """Compute a node of constants."""
        given = [self.constants[name] if name else None for name in node.input]
        try:
            results = backend.run_node(node, given, opset_version=self.opset)
        except Exception as error:  # an operator that the evaluator does not have
            raise unsupported(node, f"it cannot be computed ({error!s:.99}); export the network without it") from error
        for name, result in zip([name for name in node.output if name], results, strict=True):
            self.constants[name] = np.asarray(result)
            self.half |= self.constants[name].dtype.name in ("float16", "bfloat16")

    def same(self, name: str) -> str:
        """The tensor of which this one has the numbers."""
        return self._same.get(name, name)

    def shape(self, name: str) -> list[int | None]:
        """The lengths of an input, None where they are free."""
        kind = self._inputs[name].type.tensor_type
        if not kind.HasField("shape"):
            return []
        return [
            each.dim_value if each.HasField("dim_value") and each.dim_value > 0 else None for each in kind.shape.dim
        ]

    def dtype(self, name: str) -> type[np.floating[Any]]:
        """The dtype in which a network computes like the file: float64 or float32."""
        return np.float64 if self._inputs[name].type.tensor_type.elem_type == onnx.TensorProto.DOUBLE else np.float32

    def leading_to(self, nodes: Sequence[Any], name: str, start: str) -> list[Any]:
        """Those of the nodes through which `name` depends on `start`."""
        flowing = {start}
        for node in nodes:
            if flowing & set(node.input):
                flowing.update(node.output)
        wanted, found = {name}, []
        for node in reversed(nodes):
            if wanted & set(node.output) and flowing & set(node.input):
                found.append(node)
                wanted.update(set(node.input) & flowing)
        return found[::-1]

    def run(self, nodes: Iterable[Any], feeds: Mapping[str, NDArray[Any]], name: str) -> NDArray[Any]:
        """Compute one tensor of others by some nodes."""
        used = [_without_half(node) for node in nodes]
        needed = dict.fromkeys(each for node in used for each in node.input if each in self.constants)
        graph = helper.make_graph(
            used,
            "part",
            [helper.make_empty_tensor_value_info(each) for each in feeds],
            [helper.make_empty_tensor_value_info(name)],
            [numpy_helper.from_array(np.asarray(self.constants[each], order="C"), each) for each in needed],
        )
        prepared = backend.evaluator(helper.make_model(graph, opset_imports=self._opsets), BatchNormalization)
        with np.errstate(all="ignore"):
            return np.asarray(prepared.run(None, dict(feeds))[0])

    def run_all(self, start: str, x: NDArray[Any], name: str) -> NDArray[Any]:
        """Compute a tensor of the input by all nodes, also those that hand on."""
        lengths = self.shape(start) or x.shape
        shape = [len(x), *lengths[1:]]
        nodes = self.leading_to(self._flowing, name, start)
        return self.run(nodes, {start: x.reshape([each or -1 for each in shape])}, name)


def _single(array: NDArray[Any]) -> NDArray[Any]:
    return array.astype(np.float32) if array.dtype.name in ("float16", "bfloat16") else array


def _copied(node: Any) -> Any:
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    return copy


def _without_half(node: Any) -> Any:
    """The node, with a cast to half precision turned into one to float32."""
    if node.op_type != "Cast":
        return node
    changed = _copied(node)
    for attribute in changed.attribute:
        if attribute.name == "to" and attribute.i in _HALF:
            attribute.i = onnx.TensorProto.FLOAT
    return changed
