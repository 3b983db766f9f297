"""Learning-rate schedules: by how much the learning rate is multiplied in each step.

A new schedule is a subclass of `Schedule` and one entry in `SCHEDULES`. Its parameters are the arguments of its
constructor, which checks them.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastact.mlp.choices import Choice, chosen
from fastact.mlp.data import as_integer, as_rate

__all__ = ["LEAST_RATE", "Adaptive", "Progress", "Schedule", "schedule_for"]

Array = NDArray[Any]

#: The schedule "adaptive" ends training where the learning rate is no higher, as scikit-learn's does.
LEAST_RATE = 1e-6


class Progress(NamedTuple):
    """Where training stands at the beginning of an epoch: what came before, and what an epoch has."""

    steps: int = 0
    epochs: int = 0
    samples: int = 0
    batches: float = math.inf  # unknown
    rows: int = 0

    def at(self, steps: NDArray[np.int64]) -> tuple[Array, Array]:
        """The whole epochs, and the samples in them, before each of these steps, which are counted from 1."""
        since = (steps - 1 - self.steps) // self.batches
        return self.epochs + since, self.samples + since * self.rows


class Schedule(Choice, ABC):
    """A factor of the learning rate for each step.

    `ahead` says whether the factors of later epochs are known before those epochs.
    """

    ahead: ClassVar[bool] = True

    @abstractmethod
    def factors(self, steps: NDArray[np.int64], progress: Progress) -> Any:
        """The factors of these steps, which are counted from 1: an array, or a number for all."""


class Constant(Schedule):
    """1."""

    name = "constant"

    def factors(self, steps: NDArray[np.int64], progress: Progress) -> Any:
        return 1.0


class InverseScaling(Schedule):
    """1 / (1 + samples in all epochs before)**power, as scikit-learn's "invscaling"."""

    name = "inverse_scaling"

    def __init__(self, power: float = 0.5) -> None:
        self.power = as_rate(power, "schedule's power", math.inf)

    def factors(self, steps: NDArray[np.int64], progress: Progress) -> Any:
        return (1.0 + progress.at(steps)[1]) ** -self.power


class Step(Schedule):
    """factor**n after n times `every` epochs."""

    name = "step"

    def __init__(self, every: int, factor: float = 0.1) -> None:
        self.every = as_integer(every, "schedule's every", 1)
        self.factor = as_rate(factor, "schedule's factor", math.inf)

    def factors(self, steps: NDArray[np.int64], progress: Progress) -> Any:
        return self.factor ** (progress.at(steps)[0] // self.every)


class Cosine(Schedule):
    """Up to 1 in a line during `warm_up` steps, then down to `least` along a cosine, at step `steps`."""

    name = "cosine"

    def __init__(self, steps: int, warm_up: int = 0, least: float = 0.0) -> None:
        self.steps = as_integer(steps, "schedule's steps", 1)
        self.warm_up = as_integer(warm_up, "schedule's warm_up", 0)
        self.least = as_rate(least, "schedule's least", 1, zero=True)
        if self.warm_up >= self.steps:
            raise ValueError(f"schedule's warm_up must be below its steps, {self.steps}; got {self.warm_up}")

    def factors(self, steps: NDArray[np.int64], progress: Progress) -> Any:
        after = np.clip((steps - self.warm_up) / (self.steps - self.warm_up), 0, 1)
        down = self.least + (1 - self.least) * (1 + np.cos(np.pi * after)) / 2
        return np.minimum(steps / self.warm_up, down) if self.warm_up else down


class Adaptive(Schedule):
    """1; but the learning rate itself is divided by 5 where the loss no longer falls, as scikit-learn's "adaptive".

    That is after more than `patience` epochs in a row in which the training loss fell by less than `tolerance`. Where
    the learning rate is at most `LEAST_RATE` already, training ends.
    """

    name = "adaptive"
    ahead = False

    def __init__(self, patience: int = 10, tolerance: float = 1e-4) -> None:
        self.patience = as_integer(patience, "schedule's patience", 0)
        self.tolerance = as_rate(tolerance, "schedule's tolerance", math.inf, zero=True)

    def factors(self, steps: NDArray[np.int64], progress: Progress) -> Any:
        return 1.0


class Own(Schedule):
    """A function of step and epoch, the number of whole epochs before. A model file only says that there was one."""

    name = "function"
    setting = name
    ahead = False  # it may raise, or look at the model

    def __init__(self, function: Callable[[int, int], float] | None = None) -> None:
        self._function = function

    def factors(self, steps: NDArray[np.int64], progress: Progress) -> Any:
        if self._function is None:
            raise ValueError("the model file could not hold the schedule, a function; assign it to optimizer.schedule")
        epochs = progress.at(steps)[0]
        values = [self._function(int(step), int(epoch)) for step, epoch in zip(steps, epochs, strict=True)]
        return np.array([as_rate(value, "what schedule returns", math.inf, zero=True) for value in values])


SCHEDULES: dict[str, type[Any]] = {each.name: each for each in (Constant, InverseScaling, Adaptive, Cosine, Step, Own)}


def schedule_for(value: Any) -> Schedule:
    """The schedule of a name, of a mapping with name and parameters, or of a function of step and epoch."""
    if isinstance(value, Schedule):
        return value
    return Own(value) if callable(value) else chosen(value, "schedule", SCHEDULES)
