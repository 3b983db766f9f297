"""The dense layer, forward and backward, written in the operations of a run (see eager.py).

Another kind of layer would stand beside `Dense`, with the same attributes and methods.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from numpy.typing import ArrayLike, NDArray

from fastact.mlp.namespaces import moved, namespace_of

__all__ = ["Dense", "Kept", "backward", "forward"]


class Kept(NamedTuple):
    """What a layer's forward pass leaves for its backward pass and for those who look at the layer."""

    input: NDArray[Any]
    preactivation: NDArray[Any]
    output: Any  # None where only the preactivation was asked for


class Dense:
    """`activation(x @ weights + bias)`.

    Weights (inputs, outputs), bias (outputs,) and their gradients are views into the network's two flat
    vectors, so that one optimiser step updates every layer; assigning to `weights` or `bias` copies there.

    Attributes
    ----------
    input, preactivation, output : ndarray
        `x`, `x @ weights + bias` and `activation(preactivation)` of the last pass that was asked for by the model's
        `forward`, `loss_and_gradients`, `predict` or `score`.
    weights_gradient, bias_gradient : ndarray
        Gradients of the loss from the last backward pass.
    """

    def __init__(
        self, shape: tuple[int, int], activation: Any, parameters: NDArray[Any], gradients: NDArray[Any]
    ) -> None:
        self._xp = namespace_of(parameters)
        split = shape[0] * shape[1]
        self.activation = activation
        self._weights, self._bias = parameters[:split].reshape(shape), parameters[split:]
        self.weights_gradient, self.bias_gradient = gradients[:split].reshape(shape), gradients[split:]
        # An elementwise backward pass takes the preactivation; one that mixes a row, as softmax does, the output.
        self._elementwise = activation.kind == "activation"
        self.input = self._xp.empty((0, shape[0]), parameters.dtype)
        self.preactivation = self.output = self._xp.empty((0, shape[1]), parameters.dtype)

    @property
    def weights(self) -> NDArray[Any]:
        return self._weights

    @weights.setter
    def weights(self, value: ArrayLike) -> None:
        self._weights[...] = moved(value, self._xp)

    @property
    def bias(self) -> NDArray[Any]:
        return self._bias

    @bias.setter
    def bias(self, value: ArrayLike) -> None:
        self._bias[...] = moved(value, self._xp)

    @property
    def units(self) -> int:
        return self._bias.size

    def keep(self, kept: Kept) -> None:
        """Show what a pass left as attributes."""
        self.input, self.preactivation = kept.input, kept.preactivation
        if kept.output is not None:
            self.output = kept.output

    def forward(self, run: Any, x: NDArray[Any], output: bool = True) -> Kept:
        """The forward pass, or only its part up to the preactivation."""
        z = run.affine(x, self._weights, self._bias)
        return Kept(x, z, run.loop(self.activation, z) if output else None)

    def backward(self, run: Any, kept: Kept, grad: NDArray[Any]) -> NDArray[Any]:
        """Turn the gradient by the output, which may be overwritten, into that by the preactivation."""
        if self._elementwise:
            return run.loop(self.activation.backward, grad, kept.preactivation, out=grad)
        return run.loop(self.activation.backward, grad, kept.output)

    def backward_parameters(self, run: Any, kept: Kept, grad: NDArray[Any]) -> None:
        """Turn the gradient by the preactivation into those by weights and bias."""
        run.weights_gradient(kept.input, grad, self.weights_gradient)
        run.column_sums(grad, self.bias_gradient)

    def backward_input(self, run: Any, grad: NDArray[Any]) -> NDArray[Any]:
        """Turn the gradient by the preactivation into that by the input."""
        return run.input_gradient(grad, self._weights)


def forward(run: Any, layers: Sequence[Dense], x: NDArray[Any], output: bool = True) -> list[Kept]:
    """Send a batch through all layers, through the last one up to its preactivation unless `output`."""
    passes = []
    for layer in layers[:-1]:
        passes.append(layer.forward(run, x))
        x = passes[-1].output
    return [*passes, layers[-1].forward(run, x, output)]


def backward(run: Any, layers: Sequence[Dense], passes: Sequence[Kept], grad: NDArray[Any]) -> None:
    """Write the gradients of all layers, from the gradient by the last one's preactivation."""
    pairs = list(zip(layers, passes, strict=True))
    for (layer, kept), (below, kept_below) in pairwise(reversed(pairs)):
        layer.backward_parameters(run, kept, grad)
        grad = below.backward(run, kept_below, layer.backward_input(run, grad))
    layers[0].backward_parameters(run, passes[0], grad)
