"""The dense layer: weights, bias and one activation, forward and backward.

Another kind of layer would stand beside `Dense`, with the same attributes and methods.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike, NDArray

from fastact.mlp.namespaces import moved, namespace_of

__all__ = ["Dense"]


class Dense:
    """`activation(x @ weights + bias)`, with the last batch kept for the backward pass and for diagnostics.

    Weights (inputs, outputs), bias (outputs,) and their gradients are views into the network's two flat
    vectors, so that one optimiser step updates every layer; assigning to `weights` or `bias` copies there.

    Attributes
    ----------
    input, preactivation, output : ndarray
        `x`, `x @ weights + bias` and `activation(preactivation)` of the last forward pass.
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

    def forward(self, x: NDArray[Any]) -> NDArray[Any]:
        preactivation = x @ self._weights  # local names: several threads may predict with one model
        preactivation += self._bias
        output = self.activation(preactivation)
        self.input, self.preactivation, self.output = x, preactivation, output
        return output

    def backward_activation(self, grad: NDArray[Any]) -> NDArray[Any]:
        """Turn the gradient by `output` into that by `preactivation`, and perhaps overwrite `grad`."""
        if self._elementwise:
            return self.activation.backward(grad, self.preactivation, out=grad)
        return self.activation.backward(grad, self.output)

    def backward_parameters(self, grad: NDArray[Any]) -> None:
        """Turn the gradient by `preactivation` into those by weights and bias."""
        self._xp.matmul(self.input.T, grad, out=self.weights_gradient)
        self._xp.add.reduce(grad, axis=0, out=self.bias_gradient)

    def backward_input(self, grad: NDArray[Any]) -> NDArray[Any]:
        """Turn the gradient by `preactivation` into that by `input`."""
        return grad @ self._weights.T
