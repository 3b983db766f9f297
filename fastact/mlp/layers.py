"""The dense layer, forward and backward, written in the operations of a run (see eager.py).

Another kind of layer would stand beside `Dense`, with the same attributes and methods.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from numpy.typing import ArrayLike, NDArray

from fastact._core.operation import Operation
from fastact.math import like
from fastact.mlp.namespaces import moved, namespace_of
from fastact.mlp.normalisation import BatchNorm, Normalised
from fastact.mlp.operations import PLUS, TIMES

__all__ = ["Dense", "Kept", "Plan", "backward", "forward", "stacked"]


def _penalty(weights, gradient, strength, share):  # type: ignore[no-untyped-def]
    pull = strength * share * weights
    return like(0.5, weights) * pull * weights, gradient + pull


_PENALTY = Operation("penalty", _penalty, ("weights", "gradient"), {"strength": 0.0, "share": 1.0}, outputs=2)


class Plan(NamedTuple):
    """What a layer is made of."""

    shape: tuple[int, int]  # inputs, units
    activation: Any
    batch_norm: bool = False
    residual: bool = False
    dropout: float = 0.0
    trained: tuple[str, ...] = ()  # parameters of the activation
    given: Mapping[str, float] = MappingProxyType({})  # parameters of the activation other than its defaults

    @property
    def arrays(self) -> dict[str, tuple[int, ...]]:
        """The names and shapes of what is trained, in the order in which the flat vector has them."""
        units = self.shape[1:]
        normal = {"gamma": units, "beta": units} if self.batch_norm else {}
        trained = {f"activation_{name}": units for name in self.trained}
        return {"weights": self.shape, "bias": units, **normal, **trained}

    @property
    def statistics_size(self) -> int:
        return 2 * self.shape[1] if self.batch_norm else 0

    @property
    def values(self) -> dict[str, float]:
        """The parameters of the activation, as training starts with them."""
        return {**self.activation.parameters, **self.given}

    @property
    def size(self) -> int:
        return sum(map(math.prod, self.arrays.values()))

    @property
    def parts(self) -> str:
        """What the layer does after the product, in words."""
        return ", ".join([
            *(["batch_norm"] if self.batch_norm else []),
            self.activation.name + "".join(f" ({name} {value:g})" for name, value in self.given.items())
            + "".join(f" (trains {name})" for name in self.trained),
            *(["residual"] if self.residual else []),
            *([f"dropout {self.dropout:g}"] if self.dropout else []),
        ])  # fmt: skip


class Kept(NamedTuple):
    """What a layer's forward pass leaves for its backward pass and for those who look at the layer."""

    input: NDArray[Any]
    normalised: Normalised | None
    preactivation: NDArray[Any]
    activation: Any  # None where only the preactivation was asked for, as output
    mask: NDArray[Any] | None
    output: Any


class Dense:
    """`activation(x @ weights + bias)`.

    Between the two there may be batch normalisation; then the layer's input may be added (residual), and units dropped.
    Weights (inputs, outputs), bias (outputs,), all else that is trained and their gradients are views into the
    network's two flat vectors, so that one optimiser step updates every layer; assigning to `weights` or `bias` copies
    there.

    Attributes
    ----------
    input, preactivation, output : ndarray
        `x`, what goes into the activation, and what the layer gave, in the last pass that was asked for by the model's
        `forward`, `loss_and_gradients`, `predict` or `score`.
    weights_gradient, bias_gradient : ndarray
        Gradients of the loss from the last backward pass.
    parameters, gradients : dict of ndarrays
        All that is trained, and its gradients: weights, bias, gamma and beta of batch normalisation, and the
        activation's parameters, as activation_alpha.
    statistics : dict of ndarrays
        Running mean and variance of batch normalisation.
    """

    def __init__(
        self, plan: Plan, number: int, parameters: NDArray[Any], gradients: NDArray[Any], statistics: NDArray[Any]
    ) -> None:
        self._xp = namespace_of(parameters)
        self.plan = plan
        self.activation = plan.activation
        self._number = number
        self.parameters, self.gradients = _views(plan, parameters), _views(plan, gradients)
        self.weights_gradient, self.bias_gradient = self.gradients["weights"], self.gradients["bias"]
        self._flat = self.weights.reshape(-1), self.weights_gradient.reshape(-1)
        self._trained = [self.parameters[f"activation_{name}"] for name in plan.trained]
        for name, values in zip(plan.trained, self._trained, strict=True):
            values[...] = plan.values[name]
        self.normalisation = BatchNorm(self.parameters, self.gradients, statistics) if plan.batch_norm else None
        # An elementwise backward pass takes the preactivation; one that mixes a row, as softmax does, the output.
        self._elementwise = plan.activation.kind == "activation"
        self.input = self._xp.empty((0, plan.shape[0]), parameters.dtype)
        self.preactivation = self.output = self._xp.empty((0, plan.shape[1]), parameters.dtype)

    @property
    def weights(self) -> NDArray[Any]:
        return self.parameters["weights"]

    @weights.setter
    def weights(self, value: ArrayLike) -> None:
        self.weights[...] = moved(value, self._xp)

    @property
    def bias(self) -> NDArray[Any]:
        return self.parameters["bias"]

    @bias.setter
    def bias(self, value: ArrayLike) -> None:
        self.bias[...] = moved(value, self._xp)

    @property
    def setting(self) -> Any:
        """The activation as the model's settings have it: its name, or a mapping with its parameters besides."""
        return {"name": self.activation.name, **self.plan.given} if self.plan.given else self.activation.name

    @property
    def flat_weights(self) -> NDArray[Any]:
        return self._flat[0]

    @property
    def statistics(self) -> dict[str, NDArray[Any]]:
        normal = self.normalisation
        return {} if normal is None else {"mean": normal.mean, "variance": normal.variance}

    def keep(self, kept: Kept) -> None:
        """Show what a pass left as attributes."""
        self.input, self.preactivation = kept.input, kept.preactivation
        if kept.output is not None:
            self.output = kept.output

    # ---- forward

    def forward(self, run: Any, x: NDArray[Any], training: bool, output: bool = True) -> Kept:
        """The forward pass, or only its part up to the preactivation."""
        z, normalised, mask = run.affine(x, self.weights, self.bias), None, None
        if self.normalisation is not None:
            z, normalised = self.normalisation.forward(run, z, training)
        if not output:
            return Kept(x, normalised, z, None, None, None)
        activation = result = run.loop(self.activation, z, *self.operands)
        if self.plan.residual:
            result = run.loop(PLUS, result, x)
        if self.plan.dropout and training:
            mask = run.dropout(result, self.plan.dropout, self._number)
            result = run.loop(TIMES, result, mask)
        return Kept(x, normalised, z, activation, mask, result)

    @property
    def operands(self) -> list[Any]:
        """The parameters of the activation: none, where all are its defaults."""
        return list(self.activation_parameters.values()) if self._trained or self.plan.given else []

    @property
    def activation_parameters(self) -> dict[str, Any]:
        """The parameters of the activation: numbers, and an array with one for each unit of those that are trained."""
        return {**self.plan.values, **dict(zip(self.plan.trained, self._trained, strict=True))}

    def learn(self, run: Any, kept: Kept) -> None:
        """Let a batch change the statistics for predictions."""
        if self.normalisation is not None:
            assert kept.normalised is not None
            self.normalisation.learn(run, kept.normalised)

    # ---- backward

    def backward(self, run: Any, kept: Kept, grad: NDArray[Any], below: bool) -> NDArray[Any] | None:
        """Turn the gradient by the output into those by parameters and, if `below`, by the input; overwrite it."""
        if kept.mask is not None:
            grad = run.loop(TIMES, grad, kept.mask, out=grad)
        inner = self.backward_activation(run, kept, grad, overwrite=not self.plan.residual)
        by_input = self.backward_preactivation(run, kept, inner, below)
        return run.loop(PLUS, by_input, grad, out=grad) if self.plan.residual and below else by_input

    def backward_activation(self, run: Any, kept: Kept, grad: NDArray[Any], overwrite: bool = True) -> NDArray[Any]:
        """Turn the gradient by the activation into that by the preactivation, and those by what it trains."""
        if not self._elementwise:
            return run.loop(self.activation.backward, grad, kept.activation)
        operands = kept.preactivation, *self.operands
        for name in self.plan.trained:
            slopes = run.loop(self.activation._part(f"{name}_backward"), grad, *operands)
            run.column_sums(slopes, self.gradients[f"activation_{name}"])
        return run.loop(self.activation.backward, grad, *operands, out=grad if overwrite else None)

    def backward_preactivation(self, run: Any, kept: Kept, grad: NDArray[Any], below: bool) -> NDArray[Any] | None:
        """Turn the gradient by the preactivation into those by parameters and, if `below`, the input."""
        if self.normalisation is None:
            run.column_sums(grad, self.bias_gradient)
        else:  # which takes the bias out again, so that its gradient stays 0
            assert kept.normalised is not None
            grad = self.normalisation.backward(run, kept.normalised, grad)
        run.weights_gradient(kept.input, grad, self.weights_gradient)
        return run.input_gradient(grad, self.weights) if below else None

    def penalise(self, run: Any, strength: float, share: Any) -> None:
        """Add strength * share / 2 * sum(weights**2) to the loss, and its gradient."""
        weights, gradient = self._flat
        values, _ = run.loop(_PENALTY, weights, gradient, strength, share, out=(None, gradient))
        run.add_loss(values, 1.0)


def stacked(
    plans: Sequence[Plan], parameters: NDArray[Any], gradients: NDArray[Any], statistics: NDArray[Any]
) -> list[Dense]:
    """The layers of these plans, which share three flat vectors; what they do not draw gets its first values there."""
    layers: list[Dense] = []
    start = first = 0
    for number, plan in enumerate(plans):
        end, last = start + plan.size, first + plan.statistics_size
        layers.append(Dense(plan, number, parameters[start:end], gradients[start:end], statistics[first:last]))
        start, first = end, last
    return layers


def _views(plan: Plan, flat: NDArray[Any]) -> dict[str, NDArray[Any]]:
    views, start = {}, 0
    for name, shape in plan.arrays.items():
        end = start + math.prod(shape)
        views[name] = flat[start:end].reshape(shape)
        start = end
    return views


def forward(
    run: Any, layers: Sequence[Dense], x: NDArray[Any], training: bool = False, output: bool = True
) -> list[Kept]:
    """Send a batch through all layers, through the last one up to its preactivation unless `output`."""
    passes = []
    for layer in layers[:-1]:
        passes.append(layer.forward(run, x, training))
        x = passes[-1].output
    return [*passes, layers[-1].forward(run, x, training, output)]


def backward(run: Any, layers: Sequence[Dense], passes: Sequence[Kept], grad: Any) -> None:
    """Write the gradients of all layers, from the gradient by the last one's preactivation."""
    grad = layers[-1].backward_preactivation(run, passes[-1], grad, len(layers) > 1)
    for number in reversed(range(len(layers) - 1)):
        grad = layers[number].backward(run, passes[number], grad, number > 0)
