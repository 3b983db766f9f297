"""Makes layers of pieces: what scales units goes into the weights, the rest becomes settings of layers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastact.mlp.normalisation import EPSILON
from fastact.onnx.files import unsupported
from fastact.onnx.identification import Found
from fastact.onnx.pieces import Normalised, Product, Scaled, Sum

__all__ = ["Chain", "Layer"]


@dataclass
class Layer:
    """A dense layer: its arrays, in float64, and its settings."""

    weights: NDArray[Any]
    bias: NDArray[Any]
    norm: dict[str, NDArray[Any]] | None = None
    activation: Any = "identity"  # a setting of MLP
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)  # parameters of the activation, one for each unit
    residual: bool = False

    @property
    def square(self) -> bool:
        """Whether it has as many units as inputs."""
        return self.weights.shape[0] == self.weights.shape[1]

    def fold(self) -> None:
        """Put batch normalisation into the weights."""
        if self.norm is not None:
            factor = self.norm["gamma"] / np.sqrt(self.norm["variance"] + EPSILON)
            self.weights = self.weights * factor
            self.bias = (self.bias - self.norm["mean"]) * factor + self.norm["beta"]
            self.norm = None


class Chain:
    """The layers so far, and what the next one begins with."""

    def __init__(self, width: int | None) -> None:
        self.layers: list[Layer] = []
        self.width = width
        self._open: Layer | None = None  # without its activation yet
        self._scale, self._shift = np.ones(1), np.zeros(1)  # of what goes into the next layer

    def add(self, pieces: list[Any]) -> Chain:
        for piece in pieces:
            if isinstance(piece, Product):
                self._product(piece)
            elif isinstance(piece, Scaled):
                self._scaled(piece.scale, piece.shift)
            elif isinstance(piece, Normalised):
                self._normalised(piece)
            elif isinstance(piece, Sum):
                self._sum(piece)
            else:
                self._activation(piece)
        return self

    def end(self) -> list[Layer]:
        """The layers, the last of which has neither batch normalisation nor a residual sum, as output layers do."""
        if self._open is not None or not self._plain:
            self._close()
        if not self.layers:
            raise ValueError("the file has no Gemm or MatMul with weights, so there is no network to read")
        if self.layers[-1].residual or self.layers[-1].arrays:
            self._close()
        self.layers[-1].fold()
        return self.layers

    @property
    def _plain(self) -> bool:
        return bool((self._scale == 1).all() and (self._shift == 0).all())

    def _product(self, piece: Product) -> None:
        if self._open is not None:
            self._close()
        weights, inputs = piece.weights, len(piece.weights)
        if self.width not in (None, inputs):
            raise unsupported(piece.node, f"its weights want {inputs} inputs and get {self.width}; the file is damaged")
        scale, shift = (np.broadcast_to(each, inputs) for each in (self._scale, self._shift))
        self._open = Layer(scale[:, np.newaxis] * weights, shift @ weights + piece.bias)
        self._scale, self._shift, self.width = np.ones(1), np.zeros(1), weights.shape[1]

    def _scaled(self, scale: NDArray[Any], shift: NDArray[Any]) -> None:
        layer = self._open
        if layer is None:
            self._scale, self._shift = self._scale * scale, self._shift * scale + shift
        elif layer.norm is None:
            layer.weights, layer.bias = layer.weights * scale, layer.bias * scale + shift
        else:
            layer.norm["gamma"], layer.norm["beta"] = layer.norm["gamma"] * scale, layer.norm["beta"] * scale + shift

    def _normalised(self, piece: Normalised) -> None:
        variance = piece.variance + piece.epsilon - EPSILON  # with the epsilon that layers have
        if self._open is None or self._open.norm is not None or (variance < 0).any():
            factor = piece.gamma / np.sqrt(piece.variance + piece.epsilon)
            self._scaled(factor, piece.beta - piece.mean * factor)
        else:
            self._open.norm = {"gamma": piece.gamma, "beta": piece.beta, "mean": piece.mean, "variance": variance}

    def _activation(self, found: Found) -> None:
        name = found.function.name
        if name != "identity":
            self._close({"name": name, **found.numbers} if found.numbers else name, found.arrays)

    def _close(self, activation: Any = "identity", arrays: dict[str, NDArray[Any]] | None = None) -> None:
        """Finish the open layer; without one, one that hands its input on, scaled."""
        layer = self._open
        if layer is None:
            if self.width is None:
                raise ValueError("the file does not say how many inputs it has; export it with a shape of its input")
            scale, shift = (np.broadcast_to(each, self.width) for each in (self._scale, self._shift))
            layer = Layer(np.diag(scale), np.array(shift))
            self._scale, self._shift = np.ones(1), np.zeros(1)
        layer.activation, layer.arrays = activation, arrays or {}
        self.layers.append(layer)
        self._open = None

    def _sum(self, piece: Sum) -> None:
        if self._open is not None or not self._plain:
            self._close()
        inner = Chain(self.width).add(piece.branch)
        linear = inner._open
        if not inner.layers and linear is not None and linear.square:
            linear.fold()  # x + (x @ weights + bias)
            linear.weights = linear.weights + np.eye(len(linear.weights))
            self._open, self.width = linear, inner.width
            return
        alone = len(inner.layers) == 1 and linear is None and inner._plain and not inner.layers[0].residual
        if not alone or not inner.layers[0].square:
            what = "it adds the input of several layers to their output; a layer here adds its own input"
            raise unsupported(piece.node, f"{what}, after its activation")
        inner.layers[0].residual = True
        self.layers.append(inner.layers[0])
        self.width = inner.width
