"""The data sets that need no file: points in a plane, a made regression, and two real ones that scikit-learn ships.

To add one, write a function that gives a `Problem`, and put it into `_PROBLEMS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastact.errors import UnknownNameError, nearest, require
from fastact.language import Message, marked
from fastact.learn.data.problem import Problem, Split, Task

__all__ = ["NAMES", "problem"]

Array = NDArray[Any]
#: Draws so many samples: the inputs, and their targets.
Draw = Callable[[np.random.Generator, int], tuple[Array, Array]]

#: Samples of a made data set, to learn from and to measure on.
TRAINING, HELD_OUT = 400, 1000
#: Share of a real data set that is held out.
SHARE = 0.2


def problem(name: str) -> Problem:
    """The data set of this name.

    Parameters
    ----------
    name : {"xor", "moons", "circles", "spirals", "digits", "breast-cancer", "regression"}
        digits and breast-cancer are real and split anew by each seed, 80 % to learn from and 20 % held out, of each
        class alike. The others are made: each seed draws samples of its own. xor is its four points.

    Returns
    -------
    Problem
        Its inputs are scaled to mean 0 and standard deviation 1, with figures of the part to learn from alone, so that
        nothing of the held-out part leaks into the training; those of xor stay 0 and 1.

    Raises
    ------
    UnknownNameError
        For another name.
    MissingDependencyError
        scikit-learn, which has the real ones, is not installed.

    Examples
    --------
    >>> from fastact.learn.data.named import problem
    >>> problem("moons").split(0).train_x.shape
    (400, 2)
    """
    if name not in _PROBLEMS:
        raise UnknownNameError(f"data set {name!r}{nearest(name, NAMES)}")
    return _PROBLEMS[name]()


class XorPoints(Problem):
    """The four points of XOR, to learn from and to measure on, for every seed."""

    name, task, features, classes = "xor", "binary", 2, ("0", "1")

    def split(self, seed: int) -> Split:
        x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
        y = np.array([0, 1, 1, 0])
        return Split(x, y, x, y)


class Made(Problem):
    """Samples that each seed draws for itself."""

    def __init__(self, name: str, draw: Draw, task: Task, features: int, classes: tuple[str, ...] = ()) -> None:
        self.name, self.task, self.features, self.classes, self._draw = name, task, features, classes, draw
        self.notes = (
            Message(
                marked("Each seed draws {train:,} samples to learn from, and {test:,} to measure on."),
                train=TRAINING,
                test=HELD_OUT,
            ),
        )

    def split(self, seed: int) -> Split:
        rng = np.random.default_rng([*self.name.encode(), seed])
        x, y = self._draw(rng, TRAINING + HELD_OUT)
        order = rng.permutation(len(x))
        x, y = x[order], y[order]
        return standardised(x[:TRAINING], y[:TRAINING], x[TRAINING:], y[TRAINING:], self.task)


class Real(Problem):
    """Samples that each seed splits anew, every class in the same proportion."""

    resampled = True

    def __init__(self, name: str, bunch: Any) -> None:
        self.name, self.classes = name, tuple(map(str, bunch.target_names))
        self.task = "binary" if len(self.classes) == 2 else "multi-class"
        self.features = bunch.data.shape[1]
        self._x, self._y = bunch.data.astype(np.float32), bunch.target
        self.notes = (
            Message(
                marked("Each seed splits the {samples:,} samples anew: 80% to learn from, 20% to measure on."),
                samples=len(self._y),
            ),
        )

    def split(self, seed: int) -> Split:
        parted = require("sklearn.model_selection", "demo", f"the data set {self.name}").train_test_split
        train_x, test_x, train_y, test_y = parted(
            self._x, self._y, test_size=SHARE, stratify=self._y, random_state=seed
        )
        return standardised(train_x, train_y, test_x, test_y, self.task)


def standardised(train_x: Array, train_y: Array, test_x: Array, test_y: Array, task: Task) -> Split:
    """Scale the inputs, and the targets of a regression, by mean and standard deviation of the training part.

    A column that never changes is only shifted.
    """
    scale = _scale_of(train_x)
    parts = [scale(train_x), train_y, scale(test_x), test_y]
    if task == "regression":
        scale = _scale_of(train_y)
        parts[1], parts[3] = scale(train_y), scale(test_y)
    return Split(*parts)


def _scale_of(values: Array) -> Callable[[Array], NDArray[np.float32]]:
    wide = values.astype(np.float64)
    centre, width = wide.mean(axis=0), wide.std(axis=0)
    width = np.where(width == 0, 1, width)
    return lambda other: ((other - centre) / width).astype(np.float32)


# ---- what is drawn


def _moons(rng: np.random.Generator, samples: int) -> tuple[Array, Array]:
    """Two half circles that hold each other, as in scikit-learn's make_moons."""
    label = np.arange(samples) % 2
    angle = rng.uniform(0, np.pi, samples)
    x = np.where(label, 1 - np.cos(angle), np.cos(angle))
    y = np.where(label, 0.5 - np.sin(angle), np.sin(angle))
    return np.column_stack([x, y]) + rng.normal(0, 0.2, (samples, 2)), label


def _circles(rng: np.random.Generator, samples: int) -> tuple[Array, Array]:
    """A ring around a smaller one."""
    label = np.arange(samples) % 2
    angle = rng.uniform(0, 2 * np.pi, samples)
    radius = np.where(label, 0.5, 1.0)
    points = radius[:, np.newaxis] * np.column_stack([np.cos(angle), np.sin(angle)])
    return points + rng.normal(0, 0.12, (samples, 2)), label


def _spirals(rng: np.random.Generator, samples: int) -> tuple[Array, Array]:
    """Two spirals of one and a half turns, one inside the other."""
    label = np.arange(samples) % 2
    way = np.sqrt(rng.uniform(0.02, 1, samples))  # evenly along the curve, whose turns get longer
    angle = 3 * np.pi * way + np.pi * label
    points = way[:, np.newaxis] * np.column_stack([np.cos(angle), np.sin(angle)])
    return points + rng.normal(0, 0.03, (samples, 2)), label


def _friedman(rng: np.random.Generator, samples: int) -> tuple[Array, Array]:
    """The smooth function of ten inputs, five of them without effect, of Friedman (Annals of Statistics 19, 1991)."""
    x = rng.uniform(0, 1, (samples, 10))
    y = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]
    return x, y + rng.normal(0, 1, samples)


def _loaded(name: str, loader: str) -> Problem:
    return Real(name, getattr(require("sklearn.datasets", "demo", f"the data set {name}"), loader)())


_PROBLEMS: dict[str, Callable[[], Problem]] = {
    "xor": XorPoints,
    "moons": lambda: Made("moons", _moons, "binary", 2, ("0", "1")),
    "circles": lambda: Made("circles", _circles, "binary", 2, ("0", "1")),
    "spirals": lambda: Made("spirals", _spirals, "binary", 2, ("0", "1")),
    "digits": lambda: _loaded("digits", "load_digits"),
    "breast-cancer": lambda: _loaded("breast-cancer", "load_breast_cancer"),
    "regression": lambda: Made("regression", _friedman, "regression", 10),
}

NAMES = tuple(_PROBLEMS)
