"""SGD, Adam and their kin: one in-place update of the network's flat parameter vector per step.

A new optimiser is a subclass of `Optimiser` and one entry in `OPTIMISERS`. Its parameters are the arguments of its
constructor, which checks them.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fastact._core.operation import Operation
from fastact.math import sqrt, where
from fastact.mlp.choices import Choice
from fastact.mlp.data import as_flag, as_integer, as_rate
from fastact.mlp.namespaces import namespace_of
from fastact.mlp.operations import SCALE
from fastact.mlp.schedules import Progress, Schedule, schedule_for

__all__ = ["OPTIMISERS", "Optimiser"]

_CLIP = Operation(
    "clip", lambda a, limit: where(a > limit, limit, where(a < -limit, -limit, a)), ("a",), {"limit": 1.0}
)


class Optimiser(Choice, ABC):
    """Updates `parameters` from `gradients`, in place and without temporaries.

    Attributes
    ----------
    learning_rate, momentum : float
        May be changed between steps, by a callback for example; kept as Python's float, whatever is assigned.
    schedule : Schedule
        Multiplies the learning rate; a name, a mapping or a function may be assigned.
    weight_decay, clip_norm, clip_value : float
        As in `MLP`; no decay is 0, no limit is infinity.
    state : ndarray of shape (rows, parameters)
        What the optimiser remembers; saved with the model, so that training can go on.
    steps : int
        Updates made so far.
    progress : Progress
        Where training stood at the beginning of the epoch.
    """

    rows: ClassVar[int]
    whole: ClassVar[bool] = False  # whether it takes all samples at once, see lbfgs.py
    decay: ClassVar[float] = 0.0  # of the weights, unless the user says
    formula: ClassVar[Operation]  # of parameters, gradients, state and numbers; gives new parameters and state

    def bind(self, parameters: NDArray[Any], gradients: NDArray[Any], weights: Sequence[NDArray[Any]]) -> None:
        """Take over what to update; the weights, flat, are those of the parameters that decay."""
        self.parameters, self.gradients, self._weights = parameters, gradients, weights
        self.state = namespace_of(parameters).zeros((self.rows, parameters.size), parameters.dtype)
        self.steps = 0
        self.progress = Progress()

    def set(
        self, learning_rate: float, momentum: float, schedule: Any, weight_decay: float | None,
        clip_norm: float | None, clip_value: float | None,
    ) -> None:  # fmt: skip
        """Check and take over the settings that all optimisers have."""
        self.learning_rate, self.momentum, self.schedule = learning_rate, momentum, schedule
        decay = self.decay if weight_decay is None else weight_decay
        self.weight_decay = as_rate(decay, "weight_decay", math.inf, zero=True)
        self.clip_norm, self.clip_value = _limit(clip_norm, "clip_norm"), _limit(clip_value, "clip_value")

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

    @property
    def schedule(self) -> Schedule:
        return self._schedule

    @schedule.setter
    def schedule(self, value: Any) -> None:
        self._schedule = schedule_for(value)

    def rates(self, steps: NDArray[np.int64]) -> Any:
        """The learning rates of these updates, which are counted from 1: an array, or a number for all."""
        return self._learning_rate * self._schedule.factors(steps, self.progress)

    @property
    def recorded(self) -> tuple[Any, ...]:
        """What a record of `update` holds for all steps: where it changes, the record is no longer true."""
        return self.clip_value, self.clip_norm, bool(self.weight_decay)

    def update(self, run: Any) -> None:
        """One update, by the gradients that stand there; the caller counts it in `steps`."""
        if self.clip_value < math.inf:
            run.loop(_CLIP, self.gradients, self.clip_value, out=self.gradients)
        if self.clip_norm < math.inf:
            run.loop(SCALE, self.gradients, run.clip_factor(self.gradients, self.clip_norm), out=self.gradients)
        if self.weight_decay:
            (kept,) = run.per_step(lambda steps: _columns(steps, 1 - self.weight_decay * self.rates(steps)), 1)
            for weights in self._weights:
                run.loop(SCALE, weights, kept, out=weights)
        arrays = self.parameters, *self.state
        parameters, *state = arrays
        numbers = run.per_step(self.numbers, len(self.formula.parameters))
        run.loop(self.formula, parameters, self.gradients, *state, *numbers, out=arrays)

    @abstractmethod
    def numbers(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        """The numbers of the formula, a row for each of these updates, which are counted from 1."""


def _sgd(parameters, gradients, velocity, momentum, rate):  # type: ignore[no-untyped-def]
    velocity = velocity * momentum + gradients
    return parameters - velocity * rate, velocity


def _nesterov(parameters, gradients, velocity, momentum, rate):  # type: ignore[no-untyped-def]
    velocity = velocity * momentum + gradients
    return parameters - (velocity * momentum + gradients) * rate, velocity


_VELOCITY = ("parameters", "gradients", "velocity"), {"momentum": 0.0, "rate": 0.0}


class SGD(Optimiser):
    """velocity = momentum * velocity + gradient; parameters -= learning_rate * velocity."""

    name = "sgd"
    rows = 1
    formula = Operation("sgd", _sgd, *_VELOCITY, outputs=2)

    def numbers(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        return _columns(steps, self._momentum, self.rates(steps))


class Nesterov(SGD):
    """velocity = momentum * velocity + gradient; parameters -= learning_rate * (momentum * velocity + gradient)."""

    name = "nesterov"
    formula = Operation("nesterov", _nesterov, *_VELOCITY, outputs=2)


def _adam(parameters, gradients, mean, square, momentum, beta2, rate, epsilon):  # type: ignore[no-untyped-def]
    mean = mean * momentum + gradients
    square = square * beta2 + gradients * gradients
    return parameters - mean / (sqrt(square) + epsilon) * rate, mean, square


class Adam(Optimiser):
    """Adam (Kingma and Ba 2015, algorithm 1), with beta1 = momentum.

    The two rows are the paper's m / (1 - beta1) and v / (1 - beta2), which saves two products a parameter. The two bias
    corrections are in the rate and in epsilon; with `epsilon_hat` that is the paper's other epsilon, at the end of
    section 2, which has no correction (scikit-learn's and TensorFlow's).
    """

    name = "adam"
    rows = 2
    formula = Operation(
        "adam",
        _adam,
        ("parameters", "gradients", "mean", "square"),
        {"momentum": 0.0, "beta2": 0.0, "rate": 0.0, "epsilon": 0.0},
        outputs=3,
    )

    def __init__(self, beta2: float = 0.999, epsilon: float = 1e-8, epsilon_hat: bool = False) -> None:
        self.beta2 = as_rate(beta2, "optimizer's beta2", 1, zero=True)
        self.epsilon = as_rate(epsilon, "optimizer's epsilon", math.inf)
        self.epsilon_hat = as_flag(epsilon_hat, "optimizer's epsilon_hat")

    def numbers(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        mean_scale = (1 - self._momentum) / (1 - self._momentum**steps)
        root_scale = np.sqrt((1 - self.beta2) / (1 - self.beta2**steps))
        rates = self.rates(steps) * mean_scale / root_scale
        epsilon_scale = math.sqrt(1 - self.beta2) if self.epsilon_hat else root_scale
        return _columns(steps, self._momentum, self.beta2, rates, self.epsilon / epsilon_scale)


class AdamW(Adam):
    """Adam with a weight decay of 0.01 unless said otherwise (Loshchilov and Hutter 2019, algorithm 2)."""

    name = "adamw"
    decay = 0.01


def _rmsprop(parameters, gradients, square, beta2, rest, rate, epsilon):  # type: ignore[no-untyped-def]
    square = square * beta2 + gradients * gradients * rest
    return parameters - gradients / (sqrt(square) + epsilon) * rate, square


class RMSprop(Optimiser):
    """square = beta2 * square + (1 - beta2) * gradient**2; parameters -= learning_rate * gradient / sqrt(square).

    Epsilon is added to the root (Hinton, Neural Networks for Machine Learning, lecture 6e, 2012). It has no momentum.
    """

    name = "rmsprop"
    rows = 1
    formula = Operation(
        "rmsprop",
        _rmsprop,
        ("parameters", "gradients", "square"),
        {"beta2": 0.0, "rest": 0.0, "rate": 0.0, "epsilon": 0.0},
        outputs=2,
    )

    def __init__(self, beta2: float = 0.9, epsilon: float = 1e-8) -> None:
        self.beta2 = as_rate(beta2, "optimizer's beta2", 1, zero=True)
        self.epsilon = as_rate(epsilon, "optimizer's epsilon", math.inf)

    def numbers(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        return _columns(steps, self.beta2, 1 - self.beta2, self.rates(steps), self.epsilon)


class LBFGS(Optimiser):
    """Liu and Nocedal 1989, by SciPy; it ends where no gradient is above `tolerance`, or after so many evaluations."""

    name = "lbfgs"
    rows = 0
    whole = True

    def __init__(self, evaluations: int = 15_000, tolerance: float = 1e-5) -> None:
        self.evaluations = as_integer(evaluations, "optimizer's evaluations", 1)
        self.tolerance = as_rate(tolerance, "optimizer's tolerance", math.inf, zero=True)

    def numbers(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        raise NotImplementedError("SciPy updates")


def _columns(steps: NDArray[np.int64], *numbers: Any) -> NDArray[np.float64]:
    table = np.empty((len(steps), len(numbers)))
    for column, number in enumerate(numbers):
        table[:, column] = number
    return table


def _limit(value: float | None, name: str) -> float:
    return math.inf if value is None else as_rate(value, name, math.inf)


OPTIMISERS: dict[str, type[Optimiser]] = {each.name: each for each in (Adam, AdamW, SGD, Nesterov, RMSprop, LBFGS)}
