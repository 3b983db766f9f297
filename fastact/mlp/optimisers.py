"""SGD with momentum and Adam: one in-place update of the network's flat parameter vector per step.

A new optimiser is a subclass of `Optimiser` and one entry in `OPTIMISERS`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

from numpy.typing import NDArray

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

    def __init__(
        self, parameters: NDArray[Any], gradients: NDArray[Any], learning_rate: float, momentum: float
    ) -> None:
        self.parameters = parameters
        self.gradients = gradients
        self.learning_rate = learning_rate
        self.momentum = momentum
        self._xp = namespace_of(parameters)
        self.state = self._xp.zeros((self.rows, parameters.size), parameters.dtype)
        self.steps = 0
        self._scratch = self._xp.empty_like(parameters)

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

    @abstractmethod
    def step(self) -> None:
        """One update."""


class SGD(Optimiser):
    """velocity = momentum * velocity + gradient; parameters -= learning_rate * velocity."""

    name = "sgd"
    rows = 1

    def step(self) -> None:
        self.steps += 1
        velocity = self.state[0]
        velocity *= self._momentum
        velocity += self.gradients
        self._xp.multiply(velocity, self._learning_rate, out=self._scratch)
        self.parameters -= self._scratch


class Adam(Optimiser):
    """Adam (Kingma and Ba 2015, algorithm 1) with beta1 = momentum, beta2 = 0.999, epsilon = 1e-8.

    The two rows are the paper's m / (1 - beta1) and v / (1 - beta2): two passes over the parameters fewer.
    """

    name = "adam"
    rows = 2
    beta2 = 0.999
    epsilon = 1e-8

    def step(self) -> None:
        self.steps += 1
        mean, square = self.state
        xp, scratch, momentum = self._xp, self._scratch, self._momentum
        mean *= momentum
        mean += self.gradients
        square *= self.beta2
        xp.multiply(self.gradients, self.gradients, out=scratch)
        square += scratch
        # m_hat / (sqrt(v_hat) + epsilon), with the two bias corrections as scalars
        mean_scale = (1 - momentum) / (1 - momentum**self.steps)
        root_scale = math.sqrt((1 - self.beta2) / (1 - self.beta2**self.steps))
        xp.sqrt(square, out=scratch)
        scratch += self.epsilon / root_scale
        xp.divide(mean, scratch, out=scratch)
        scratch *= self._learning_rate * mean_scale / root_scale
        self.parameters -= scratch


OPTIMISERS: dict[str, type[Optimiser]] = {optimiser.name: optimiser for optimiser in (Adam, SGD)}
