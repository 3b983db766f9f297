"""SGD with momentum and Adam: one in-place update of the network's flat parameter vector per step.

A new optimiser is a subclass of `Optimiser` and one entry in `OPTIMISERS`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastact._core.operation import Operation
from fastact.mlp.data import as_rate
from fastact.mlp.namespaces import namespace_of

__all__ = ["OPTIMISERS", "Optimiser"]


class Optimiser(ABC):
    """Updates `parameters` from `gradients`, in place and without temporaries.

    Attributes
    ----------
    learning_rate, momentum : float
        May be changed between steps, by a callback for example; kept as Python's float, whatever is assigned.
    state : ndarray of shape (rows, parameters)
        What the optimiser remembers; saved with the model, so that training can go on.
    steps : int
        Updates made so far.
    """

    name: str
    rows: int
    formula: Operation  # of parameters, gradients, the rows of the state, and numbers; gives all but the gradients

    def __init__(
        self, parameters: NDArray[Any], gradients: NDArray[Any], learning_rate: float, momentum: float
    ) -> None:
        self.parameters = parameters
        self.gradients = gradients
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.state = namespace_of(parameters).zeros((self.rows, parameters.size), parameters.dtype)
        self.steps = 0

    @property
    def learning_rate(self) -> float:
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self._learning_rate = as_rate(value, "learning_rate", math.inf, zero=True)

    @property
    def momentum(self) -> float:
        return self._momentum

    @momentum.setter
    def momentum(self, value: float) -> None:
        self._momentum = as_rate(value, "momentum", 1, zero=True)

    def update(self, run: Any) -> None:
        """One update, by the gradients that stand there; the caller counts it in `steps`."""
        arrays = self.parameters, *self.state
        parameters, *state = arrays
        numbers = run.per_step(self.numbers, len(self.formula.parameters))
        run.loop(self.formula, parameters, self.gradients, *state, *numbers, out=arrays)

    @abstractmethod
    def numbers(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        """The numbers of the formula, a row for each of these updates, which are counted from 1."""


def _sgd(parameters, gradients, velocity, momentum, learning_rate):  # type: ignore[no-untyped-def]
    velocity = velocity * momentum + gradients
    return parameters - velocity * learning_rate, velocity


class SGD(Optimiser):
    """velocity = momentum * velocity + gradient; parameters -= learning_rate * velocity."""

    name = "sgd"
    rows = 1
    formula = Operation(
        "sgd", _sgd, ("parameters", "gradients", "velocity"), {"momentum": 0.0, "learning_rate": 0.0}, outputs=2
    )

    def numbers(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        return _columns(steps, self._momentum, self._learning_rate)


def _adam(parameters, gradients, mean, square, momentum, beta2, rate, epsilon):  # type: ignore[no-untyped-def]
    mean = mean * momentum + gradients
    square = square * beta2 + gradients * gradients
    return parameters - mean / (np.sqrt(square) + epsilon) * rate, mean, square


class Adam(Optimiser):
    """Adam (Kingma and Ba 2015, algorithm 1) with beta1 = momentum, beta2 = 0.999, epsilon = 1e-8.

    The two rows are the paper's m / (1 - beta1) and v / (1 - beta2), which saves two products a parameter. The two bias
    corrections are in the rate and in epsilon.
    """

    name = "adam"
    rows = 2
    beta2 = 0.999
    epsilon = 1e-8
    formula = Operation(
        "adam",
        _adam,
        ("parameters", "gradients", "mean", "square"),
        {"momentum": 0.0, "beta2": 0.0, "rate": 0.0, "epsilon": 0.0},
        outputs=3,
    )

    def numbers(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        mean_scale = (1 - self._momentum) / (1 - self._momentum**steps)
        root_scale = np.sqrt((1 - self.beta2) / (1 - self.beta2**steps))
        rates = self._learning_rate * mean_scale / root_scale
        return _columns(steps, self._momentum, self.beta2, rates, self.epsilon / root_scale)


def _columns(steps: NDArray[np.int64], *numbers: Any) -> NDArray[np.float64]:
    return np.stack(np.broadcast_arrays(*numbers, steps)[:-1], axis=1)


OPTIMISERS: dict[str, type[Optimiser]] = {optimiser.name: optimiser for optimiser in (Adam, SGD)}
