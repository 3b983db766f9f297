"""Cuts what leads from input to output into the pieces of a network: products, scalings, activations, sums.

A cut is a tensor that all paths pass through. What lies between two cuts is a product with weights, a scaling of units,
a sum with the input of a branch, or a part of an activation. Parts in a row are joined to as few functions as possible.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from fastact.onnx.files import File, unsupported
from fastact.onnx.identification import ELEMENTWISE, ROWWISE, Found, identified

__all__ = ["Normalised", "Product", "Scaled", "Sum", "pieces"]

_PRODUCTS = {"Gemm", "MatMul"}
_CHAIN = "a network here is a chain of Gemm or MatMul, activations, BatchNormalization and residual Add"


class Product(NamedTuple):
    """x @ weights + bias."""

    weights: NDArray[Any]
    bias: NDArray[Any]
    node: Any


class Scaled(NamedTuple):
    """scale * x + shift, unit by unit."""

    scale: NDArray[Any]
    shift: NDArray[Any]
    node: Any


class Normalised(NamedTuple):
    """Batch normalisation."""

    gamma: NDArray[Any]
    beta: NDArray[Any]
    mean: NDArray[Any]
    variance: NDArray[Any]
    epsilon: float
    node: Any


class Sum(NamedTuple):
    """x + branch(x)."""

    branch: list[Any]
    node: Any


class _Part(NamedTuple):
    """Nodes between two cuts that may be an activation, or a part of one."""

    nodes: list[Any]
    start: str
    end: str
    scaled: Scaled | None = None  # what it is otherwise


def pieces(file: File, start: str, end: str, width: int | None) -> list[Any]:
    """The pieces from one tensor to another, activations as `Found`; ValueError names a node that is none."""
    found: list[Any] = []
    parts: list[_Part] = []
    for nodes, first, last in _blocks(file.leading_to(file.nodes, end, start), start, end):
        piece = _piece(file, nodes, first, last, width)
        if isinstance(piece, _Part):
            parts.append(piece)
            continue
        found += [*_joined(file, parts, width), piece]
        parts = []
        if isinstance(piece, Product):
            width = piece.weights.shape[1]
    return [*found, *_joined(file, parts, width)]


def _blocks(nodes: Sequence[Any], start: str, end: str) -> list[tuple[list[Any], str, str]]:
    """Nodes between one cut and the next, with both cuts."""
    made = {start, *(name for node in nodes for name in node.output)}
    uses = {name: sum(name in node.input for node in nodes) for name in made}
    uses[end] += 1
    live = {start}
    blocks: list[tuple[list[Any], str, str]] = []
    block: list[Any] = []
    for node in nodes:
        block.append(node)
        for name in made.intersection(node.input):
            uses[name] -= 1
            if not uses[name]:
                live.discard(name)
        live.update(name for name in node.output if name and uses[name])
        if len(live) == 1 and (cut := next(iter(live))) in node.output:
            blocks.append((block, start, cut))
            start, block = cut, []
    return blocks


def _piece(file: File, nodes: list[Any], start: str, end: str, width: int | None) -> Any:
    node = nodes[-1]
    attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    if len(nodes) == 1 and node.op_type in _PRODUCTS:
        return _product(file, node, start, attributes)
    if len(nodes) == 1 and node.op_type == "BatchNormalization":
        if attributes.get("training_mode"):
            raise unsupported(node, "it is in training mode; export the network for inference, after model.eval()")
        gamma, beta, mean, variance = (np.asarray(_constant(file, node, name), np.float64) for name in node.input[1:5])
        return Normalised(gamma, beta, mean, variance, attributes.get("epsilon", 1e-5), node)
    if any(each.op_type in _PRODUCTS or each.op_type == "BatchNormalization" for each in nodes):
        return _sum(file, nodes, start, width)
    if len(nodes) == 1 and node.op_type == "Scaler":
        offset, scale = (np.asarray(attributes.get(name, [default])) for name, default in (("offset", 0), ("scale", 1)))
        return _Part(nodes, start, end, Scaled(scale, -offset * scale, node))
    for each in nodes:
        if each.op_type not in ELEMENTWISE | ROWWISE or each.domain not in ("", "ai.onnx"):
            raise unsupported(each, _remedy(each))
    return _Part(nodes, start, end, _scaled(file, nodes, start))


def _remedy(node: Any) -> str:
    if "Quant" in node.op_type or node.op_type.startswith("QLinear") or node.op_type.endswith("Integer"):
        return "quantised networks are not read; export the network before it is quantised"
    return f"{_CHAIN}; export that part of the model alone"


def _constant(file: File, node: Any, name: str) -> NDArray[Any]:
    if name not in file.constants:
        raise unsupported(node, f"its operand {name!r} depends on the input, where weights are wanted; {_CHAIN}")
    return file.constants[name]


def _product(file: File, node: Any, start: str, attributes: dict[str, Any]) -> Product:
    if node.input[0] != start or attributes.get("transA"):
        raise unsupported(node, f"its samples are columns; {_CHAIN}, of samples in rows")
    weights = np.asarray(_constant(file, node, node.input[1]), np.float64)
    if weights.ndim != 2:
        raise unsupported(node, f"its weights have {weights.ndim} dimensions; {_CHAIN}, with weights (inputs, outputs)")
    weights = (weights.T if attributes.get("transB") else weights) * attributes.get("alpha", 1.0)
    bias = np.zeros(weights.shape[1])
    if len(node.input) > 2 and node.input[2]:
        bias = bias + attributes.get("beta", 1.0) * _per_unit(_constant(file, node, node.input[2]), node)
    if bias.shape != weights.shape[1:]:
        raise unsupported(node, f"its bias has {bias.size} entries for {weights.shape[1]} units; the file is damaged")
    return Product(weights, bias, node)


def _per_unit(array: NDArray[Any], node: Any) -> NDArray[Any]:
    """An operand as one number, or one for each unit."""
    if array.size != (array.shape[-1] if array.ndim else 1):
        raise unsupported(node, f"its operand has the shape {array.shape}, where one number for each unit is wanted")
    return np.asarray(array, np.float64).reshape(-1)


def _scaled(file: File, nodes: list[Any], start: str) -> Scaled | None:
    """The scaling that a single node does, if it does one."""
    node = nodes[0]
    if len(nodes) > 1 or node.op_type not in ("Add", "Sub", "Mul", "Div", "Neg"):
        return None
    one, zero = np.ones(1), np.zeros(1)
    if node.op_type == "Neg":
        return Scaled(-one, zero, node)
    other = next((name for name in node.input if name in file.constants), None)
    if other is None:
        return Scaled(2 * one, zero, node) if node.op_type == "Add" else None
    value, reversed_ = _per_unit(file.constants[other], node), node.input[0] == other
    if node.op_type == "Add":
        return Scaled(one, value, node)
    if node.op_type == "Sub":
        return Scaled(-one, value, node) if reversed_ else Scaled(one, -value, node)
    if node.op_type == "Mul":
        return Scaled(value, zero, node)
    return None if reversed_ or not value.all() else Scaled(1 / value, zero, node)


def _sum(file: File, nodes: list[Any], start: str, width: int | None) -> Sum:
    node = nodes[-1]
    others = [name for name in node.input if name != start]
    if node.op_type not in ("Add", "Sum") or len(node.input) != 2 or len(others) != 1:
        odd = next((each for each in nodes if each.op_type not in ELEMENTWISE | ROWWISE | _PRODUCTS), node)
        raise unsupported(odd, f"{_CHAIN}, which adds the input of a layer to its output")
    return Sum(pieces(file, start, others[0], width), node)


def _joined(file: File, parts: list[_Part], width: int | None) -> list[Any]:
    """The parts as the fewest scalings and functions."""
    best: list[list[Any] | None] = [[]]  # of the first parts, by their number
    for end in range(1, len(parts) + 1):
        shortest: list[Any] | None = None
        for begin, before in enumerate(best):
            if before is not None and (shortest is None or len(before) + 1 < len(shortest)):
                piece = _as_one(file, parts[begin:end], width)
                shortest = shortest if piece is None else [*before, piece]
        best.append(shortest)
    result = best[-1]
    if result is not None:
        return result
    unknown = next(part for count, part in enumerate(parts) if best[count + 1] is None)
    operators = ", ".join(dict.fromkeys(each.op_type for each in unknown.nodes))
    remedy = "define it with @fastact.activation, and it is found"
    raise unsupported(unknown.nodes[-1], f"no activation known here has the values of {operators}; {remedy}")


def _as_one(file: File, parts: list[_Part], width: int | None) -> Scaled | Found | None:
    if len(parts) == 1 and parts[0].scaled is not None:
        return parts[0].scaled
    if all(part.scaled is not None for part in parts):
        return None
    nodes = [node for part in parts for node in part.nodes]
    return identified(file, nodes, parts[0].start, parts[-1].end, width)
