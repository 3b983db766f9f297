"""How the networks of a comparison are trained, and one of these trainings.

`USUAL` has the settings of each named data set; a table from a file gets settings by its size.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import fastact as fa
from fastact.learn.data.problem import Problem, Split
from fastact.learn.experiments.comparing.records import Run, Setting

__all__ = ["Hyperparameters", "Plane", "PlannedRun", "Usual", "train", "usual"]


@dataclass(frozen=True)
class Hyperparameters:
    """What all networks of a comparison have in common.

    Attributes
    ----------
    hidden : int
        Units in each hidden layer.
    epochs, batch_size : int
    learning_rate : float
    asked_for : bool
        Whether the user asked for this learning rate. If not, sgd and nesterov take ten times as much: they move a
        weight by the rate times its slope, and Adam and its kin by about the rate.
    """

    hidden: int
    epochs: int
    batch_size: int
    learning_rate: float
    asked_for: bool = False

    def rate(self, optimizer: str) -> float:
        """The learning rate of an optimizer."""
        return self.learning_rate * (10 if optimizer in ("sgd", "nesterov") and not self.asked_for else 1)


class Usual(NamedTuple):
    """What a comparison does with a problem unless told otherwise; `level` is the score to reach, None to find one."""

    depth: int
    level: float | None
    training: Hyperparameters


USUAL = {
    # A beginner's settings. Adam moves a weight by about the learning rate per step, so that 1,000 steps move it by 1
    # at most, and many seeds do not arrive.
    "xor": Usual(1, 1.0, Hyperparameters(hidden=4, epochs=1000, batch_size=4, learning_rate=0.001)),
    "moons": Usual(2, 0.95, Hyperparameters(hidden=16, epochs=60, batch_size=32, learning_rate=0.005)),
    "circles": Usual(2, 0.95, Hyperparameters(hidden=16, epochs=60, batch_size=32, learning_rate=0.005)),
    "spirals": Usual(2, 0.95, Hyperparameters(hidden=32, epochs=150, batch_size=32, learning_rate=0.005)),
    "digits": Usual(2, 0.95, Hyperparameters(hidden=64, epochs=15, batch_size=32, learning_rate=0.002)),
    "breast-cancer": Usual(2, 0.95, Hyperparameters(hidden=16, epochs=30, batch_size=32, learning_rate=0.002)),
    "regression": Usual(2, 0.8, Hyperparameters(hidden=32, epochs=60, batch_size=32, learning_rate=0.002)),
}


def usual(problem: Problem, samples: int) -> Usual:
    """The settings of a named data set, or else some that suit so many samples to learn from.

    About 3,000 steps, in 5 to 100 epochs.
    """
    if problem.name in USUAL:
        return USUAL[problem.name]
    batch_size = 32 if samples < 10_000 else 256
    epochs = min(max(round(3000 * batch_size / samples), 5), 100)
    return Usual(2, None, Hyperparameters(hidden=64, epochs=epochs, batch_size=batch_size, learning_rate=0.002))


@dataclass(frozen=True)
class Plane:
    """A grid over the two inputs of a network, which looks at it after some epochs."""

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    epochs: tuple[int, ...]

    def seen_by(self, model: fa.MLP) -> NDArray[np.uint8]:
        """What the network says of each point: the second class's probability times 255, or the likeliest of many."""
        x, y = np.meshgrid(self.x, self.y)
        found = model.predict_proba(np.column_stack([x.ravel(), y.ravel()])).reshape(*x.shape, -1)
        found = np.nan_to_num(found, nan=0.5)  # of an activation that is nan somewhere
        if found.shape[-1] == 2:
            return np.round(255 * found[..., 1]).astype(np.uint8)
        return found.argmax(axis=-1).astype(np.uint8)


@dataclass(frozen=True)
class PlannedRun:
    """One training: all that another process needs for it."""

    features: int
    outputs: int
    output: str
    setting: Setting
    training: Hyperparameters
    seed: int
    part: Split
    plane: Plane | None = None

    @classmethod
    def of(cls, problem: Problem, *rest: Any) -> PlannedRun:
        """A training for a problem, of whose samples another process needs no more than one split."""
        return cls(problem.features, problem.outputs, problem.output, *rest)

    def network(self) -> fa.MLP:
        """The untrained network."""
        return fa.MLP(
            [self.features, *[self.training.hidden] * self.setting.depth, self.outputs],
            activation=self.setting.activation,
            output=self.output,
            optimizer=self.setting.optimizer,
            learning_rate=self.training.rate(self.setting.optimizer),
            init=self.setting.init,
            batch_size=self.training.batch_size,
            seed=self.seed,
        )


def train(planned: PlannedRun) -> tuple[Run, list[NDArray[np.uint8]]]:
    """Train one network, and record how it does after each epoch, and what it sees on the plane.

    What has to be compiled is compiled when the step is recorded, before the first epoch.
    """
    part, plane, epochs = planned.part, planned.plane, planned.training.epochs
    model = planned.network()
    frames: list[NDArray[np.uint8]] = [] if plane is None else [plane.seen_by(model)]

    def look(epoch: int, model: fa.MLP) -> None:
        if plane is not None and epoch in plane.epochs:
            frames.append(plane.seen_by(model))

    with suppress(FloatingPointError):  # the history then ends with the last whole epoch
        model.fit(part.train_x, part.train_y, epochs=epochs, validation=(part.test_x, part.test_y), callback=look)
    history = {name: model.history.get(name, []) for name in ("loss", "seconds", "val_loss", "val_accuracy")}
    loss = [*takewhile(math.isfinite, history["val_loss"])]
    whole = len(loss)
    regression = planned.output == "identity"
    score = [r2(value, part) for value in loss] if regression else history["val_accuracy"][:whole]
    if whole < epochs:
        guessed_score, guessed_loss = guessing(planned.output, part)
        score += [guessed_score] * (epochs - whole)
        loss += [guessed_loss] * (epochs - whole)
    if plane is not None:
        frames += frames[-1:] * (len(plane.epochs) - len(frames))
    diverged = whole + 1 if whole < epochs else None
    run = Run(planned.setting, planned.seed, score, loss, history["loss"][:whole], history["seconds"][:whole], diverged)
    return run, frames


def r2(loss: float, part: Split) -> float:
    """The share of the held-out targets' variance that is explained; they have some, unless all are equal."""
    return 1 - loss / (float(part.test_y.var()) or 1.0)


def guessing(output: str, part: Split) -> tuple[float, float]:
    """Score and loss on the held-out samples of the best guess that looks at no input.

    It is the mean of the targets, or the classes' frequencies, in the part to learn from.
    """
    if output == "identity":
        loss = float(np.square(part.test_y - part.train_y.mean(), dtype=np.float64).mean())
        return r2(loss, part), loss
    frequencies = np.bincount(part.train_y, minlength=int(part.test_y.max()) + 1) / len(part.train_y)
    probabilities = np.maximum(frequencies[part.test_y], 1 / len(part.train_y))
    return float(np.mean(part.test_y == frequencies.argmax())), float(-np.log(probabilities).mean())
