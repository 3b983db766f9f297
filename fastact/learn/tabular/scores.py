"""Measure predictions, and the simplest ones beside them, block by block, without keeping the rows."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastact.learn.data.target import Target

__all__ = ["ClassScores", "NumberScores", "scores_for"]

#: Probabilities are at least this, the rounding error of float32, before a logarithm is taken.
_LEAST = float(np.finfo(np.float32).eps)


def scores_for(target: Target) -> ClassScores | NumberScores:
    """Return empty scores, which no row was added to yet."""
    return ClassScores(target.classes, target.shares) if target.classes else NumberScores(target.mean)


@dataclass
class ClassScores:
    """The scores of predicted classes.

    Attributes
    ----------
    classes : tuple of str
    shares : tuple of float
        How frequent each class is in the training part.
    confusion : ndarray of int (classes, classes)
        Rows by their true class, then by the predicted one.
    """

    classes: tuple[str, ...]
    shares: tuple[float, ...]
    confusion: NDArray[np.int64] = field(init=False)
    _log_loss: float = 0.0

    def __post_init__(self) -> None:
        self.confusion = np.zeros((len(self.classes),) * 2, np.int64)

    def add(self, outputs: NDArray[np.float64], labels: NDArray[Any]) -> None:
        """Add rows with these probabilities and true labels."""
        np.add.at(self.confusion, (labels, outputs.argmax(axis=1)), 1)
        chosen = outputs[np.arange(len(labels)), labels]
        self._log_loss -= float(np.log(np.clip(chosen, _LEAST, 1 - _LEAST)).sum())

    @property
    def rows(self) -> int:
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        """The share of rows whose class is right."""
        return float(self.confusion.trace()) / self.rows

    @property
    def balanced_accuracy(self) -> float:
        """The mean over the classes of the share of their rows that are right."""
        counts = self.confusion.sum(axis=1)
        there = counts > 0
        return float((self.confusion.diagonal()[there] / counts[there]).mean())

    @property
    def log_loss(self) -> float:
        """The mean of -log(probability of the true class)."""
        return self._log_loss / self.rows

    @property
    def usual(self) -> int:
        """The label that was most frequent in the training part."""
        return int(np.argmax(self.shares))

    @property
    def baseline(self) -> ClassScores:
        """The scores of always predicting the training part's most frequent class, with the shares as probabilities."""
        counts = self.confusion.sum(axis=1)
        scores = ClassScores(self.classes, self.shares)
        scores.confusion[:, self.usual] = counts
        scores._log_loss = -float(counts @ np.log(np.clip(self.shares, _LEAST, 1 - _LEAST)))
        return scores

    @property
    def certain(self) -> bool:
        """Whether the network is right more often than the baseline by more than chance: a sign test, p < 0.05."""
        right = self.confusion.diagonal()
        better = int(right.sum() - right[self.usual])
        worse = int(self.confusion[self.usual].sum() - right[self.usual])
        differ = better + worse
        if differ > 1000:
            return (better - worse) / math.sqrt(differ) > 1.96
        tail = sum(math.comb(differ, count) for count in range(better, differ + 1))
        return 2 * tail < 0.05 * 2**differ

    def as_dict(self) -> dict[str, Any]:
        names, compared = ("rows", "accuracy", "balanced_accuracy", "log_loss"), ("accuracy", "log_loss")
        return {**_figures(self, names, compared), "classes": list(self.classes), "confusion": self.confusion.tolist()}


@dataclass
class NumberScores:
    """The scores of predicted numbers, in the target's units.

    Attributes
    ----------
    guess : float
        The mean of the training part, which is the baseline's prediction.
    """

    guess: float
    rows: int = 0
    _mean: float = 0.0
    _around_mean: float = 0.0
    _squares: float = 0.0
    _sizes: float = 0.0
    _guess_sizes: float = 0.0
    _gain: float = 0.0
    _gain_squares: float = 0.0

    def add(self, outputs: NDArray[np.float64], values: NDArray[np.float64]) -> None:
        """Add rows with these predicted and true values."""
        if not len(values):
            return
        rows, mean = self.rows + len(values), float(values.mean())
        step = mean - self._mean
        self._around_mean += float(((values - mean) ** 2).sum()) + step**2 * self.rows * len(values) / rows
        self._mean += step * len(values) / rows
        self.rows = rows
        wrong, guessed = outputs - values, self.guess - values
        gain = guessed**2 - wrong**2
        self._squares += float((wrong**2).sum())
        self._sizes += float(np.abs(wrong).sum())
        self._guess_sizes += float(np.abs(guessed).sum())
        self._gain += float(gain.sum())
        self._gain_squares += float((gain**2).sum())

    @property
    def r2(self) -> float | None:
        """The share of the variance that is explained; None where the true values do not vary."""
        return 1 - self._squares / self._around_mean if self._around_mean else None

    @property
    def rmse(self) -> float:
        """The root of the mean squared error."""
        return math.sqrt(self._squares / self.rows)

    @property
    def mae(self) -> float:
        """The mean size of the error."""
        return self._sizes / self.rows

    @property
    def baseline(self) -> NumberScores:
        """The scores of always predicting the mean of the training part."""
        scores = NumberScores(self.guess, self.rows, self._mean, self._around_mean)
        scores._squares = self._around_mean + self.rows * (self._mean - self.guess) ** 2
        scores._sizes = self._guess_sizes
        return scores

    @property
    def certain(self) -> bool:
        """Whether the squared error is below the baseline's by more than chance: two standard errors of its mean."""
        mean = self._gain / self.rows
        spread = max(self._gain_squares / self.rows - mean**2, 0.0)
        return mean > 1.96 * math.sqrt(spread / self.rows)

    def as_dict(self) -> dict[str, Any]:
        return _figures(self, ("rows", "r2", "rmse", "mae"), ("rmse", "mae"))


def _figures(scores: Any, names: Iterable[str], compared: Iterable[str]) -> dict[str, Any]:
    """These figures, and those of the baseline that they are compared with."""
    baseline = scores.baseline
    own = {name: getattr(scores, name) for name in names}
    return own | {f"baseline_{name}": getattr(baseline, name) for name in compared}
