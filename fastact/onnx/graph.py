"""The graph of an ONNX file that is being written: its nodes, its constants, and the file that they make."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

import fastact as fa
from fastact._core.files import replacing

__all__ = ["NEWEST", "OLDEST", "Graph", "write"]

#: The operator sets that are written: from that with Softmax as it is now to the newest of the installed onnx.
OLDEST, NEWEST = 13, onnx.defs.onnx_opset_version()

#: No file of Protocol Buffers is larger.
_MOST_BYTES = 2**31 - 1


class Graph:
    """Nodes and constants, in the order in which they were added, under names that depend on nothing else.

    A tensor is its name. `dtype` is that of the network's numbers.
    """

    def __init__(self, dtype: np.dtype[Any], opset: int) -> None:
        self.dtype, self.opset = dtype, opset
        self._nodes: list[Any] = []
        self._constants: dict[tuple[Any, ...], Any] = {}
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []

    def supports(self, operator: str) -> bool:
        """Whether the operator set has the operator, for numbers of the graph's dtype."""
        try:
            schema = onnx.defs.get_schema(operator, self.opset)
        except onnx.defs.SchemaError:
            return False
        element = helper.tensor_dtype_to_string(helper.np_dtype_to_tensor_dtype(self.dtype))
        return f"tensor({element.removeprefix('TensorProto.').lower()})" in schema.inputs[0].types

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """Take back what was added, if an error ends the block."""
        nodes, constants = len(self._nodes), dict(self._constants)
        try:
            yield
        except BaseException:
            del self._nodes[nodes:]
            self._constants = constants
            raise

    def node(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """Add a node, and return the name of its output; of several, a tuple."""
        names = [f"{operator.lower()}_{len(self._nodes)}" + (f"_{i}" if i else "") for i in range(outputs)]
        self._nodes.append(helper.make_node(operator, list(inputs), names, f"node_{len(self._nodes)}", **attributes))
        return names[0] if outputs == 1 else tuple(names)

    def constant(self, value: Any, dtype: Any = None, name: str = "") -> str:
        """The name of a constant, of the graph's dtype unless given; equal ones without a name are stored once."""
        dtype = self.dtype if dtype is None else dtype
        with np.errstate(over="ignore"):  # a bound beyond the numbers of a small dtype is infinite there
            array = np.array(value, dtype, order="C")
        key = name, str(array.dtype), array.shape, str(array.tolist()) if dtype is object else array.tobytes()
        if key not in self._constants:
            named = name or f"constant_{len(self._constants)}"
            self._constants[key] = numpy_helper.from_array(array, named)
        return str(self._constants[key].name)

    def input(self, name: str, shape: list[Any] | None) -> str:
        self._inputs.append(helper.make_tensor_value_info(name, _element(self.dtype), shape))
        return name

    def output(self, tensor: str, name: str, shape: list[Any] | None, dtype: Any = None) -> None:
        """Give a tensor out under this name."""
        self._nodes.append(helper.make_node("Identity", [tensor], [name], f"node_{len(self._nodes)}"))
        element = _element(self.dtype if dtype is None else dtype)
        self._outputs.append(helper.make_tensor_value_info(name, element, shape))

    def model(self, name: str, description: str) -> Any:
        """The file, checked, for the oldest readers that know its operators."""
        graph = helper.make_graph(
            self._nodes, name, self._inputs, self._outputs, list(self._constants.values()), description
        )
        opsets = [helper.make_opsetid("", self.opset)]
        model = helper.make_model(
            graph,
            opset_imports=opsets,
            ir_version=helper.find_min_ir_version_for(opsets),
            producer_name="fastact",
            producer_version=fa.__version__,
        )
        try:
            onnx.checker.check_model(model, full_check=True)
        except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
            raise ValueError(
                f"opset={self.opset} has no form of {name} in {self.dtype}; take opset=20, or float32 ({error!s:.300})"
            ) from error
        return model


def write(model: Any, path: str | PathLike[str]) -> None:
    """Write a model, all or nothing."""
    if model.ByteSize() > _MOST_BYTES:
        raise ValueError(
            f"{os.fspath(path)}: not saved, since ONNX files end at 2 GiB; take float32, or a smaller network"
        )
    with replacing(path) as temporary:
        Path(temporary).write_bytes(model.SerializeToString(deterministic=True))


def _element(dtype: Any) -> int:
    return int(onnx.TensorProto.STRING if dtype is object else helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))
