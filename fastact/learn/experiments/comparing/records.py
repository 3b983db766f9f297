"""What a comparison records: one Run for each training, summed up by setting.

A new thing to record is a field of Run, filled in training.py. A new figure of merit is a property of Summary.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import mean, median, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Boundaries", "Run", "Setting", "Summary"]


@dataclass(frozen=True)
class Setting:
    """What the networks of a comparison differ in.

    Attributes
    ----------
    activation : str
        Of all hidden layers.
    depth : int
        Hidden layers.
    init, optimizer : str
        As `fa.MLP` names them.
    """

    activation: str
    depth: int
    init: str
    optimizer: str


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes
    ----------
    setting : Setting
    seed : int
    score, loss : list of float
        On the held-out samples, after each epoch. Those of a diverged run are what guessing gives, from the epoch on
        in which it diverged.
    train_loss : list of float
        Mean over each epoch's batches; ends where the run diverged.
    seconds : list of float
        Each epoch's, without measuring and compiling; ends where the run diverged.
    diverged : int or None
        The epoch, counted from 1, in which the loss or a weight became infinite or nan.
    """

    setting: Setting
    seed: int
    score: list[float]
    loss: list[float]
    train_loss: list[float]
    seconds: list[float]
    diverged: int | None = None

    def epochs_to(self, level: float) -> int | None:
        """The first epoch, counted from 1, whose score is at least `level`; None if there is none."""
        return next((epoch for epoch, value in enumerate(self.score, 1) if value >= level), None)


@dataclass(frozen=True)
class Boundaries:
    """How networks with two inputs part the plane, after some of the epochs of seed 0.

    Attributes
    ----------
    x_range, y_range : tuple of float
        The part of the plane, in the inputs' scaled units.
    epochs : list of int
        When; 0 is before training.
    values : dict of ndarray of uint8 (epochs, n, n)
        By the setting's label. Rows are y, columns are x, both upwards. Of two classes, the probability of the second
        one times 255; of more, the most probable class. A diverged network shows its last whole epoch to the end.
    points : ndarray of float32 (samples, 2)
        What was learnt from.
    labels : ndarray of int (samples,)
    """

    x_range: tuple[float, float]
    y_range: tuple[float, float]
    epochs: list[int]
    values: dict[str, NDArray[Any]]
    points: NDArray[Any]
    labels: NDArray[Any]


@dataclass(frozen=True)
class Summary:
    """All runs of one setting."""

    setting: Setting
    runs: list[Run]

    @property
    def ends(self) -> list[float]:
        """The score at the end of each run."""
        return [run.score[-1] for run in self.runs]

    @property
    def score(self) -> float:
        """The mean score at the end."""
        return mean(self.ends)

    @property
    def spread(self) -> float:
        """The standard deviation of the score over the seeds; 0 for a single seed."""
        return stdev(self.ends) if len(self.runs) > 1 else 0.0

    @property
    def loss(self) -> float:
        """The mean loss at the end."""
        return mean(run.loss[-1] for run in self.runs)

    @property
    def diverged(self) -> list[Run]:
        """The runs that diverged."""
        return [run for run in self.runs if run.diverged is not None]

    @property
    def seconds_per_epoch(self) -> float:
        """The median over all epochs, which one epoch disturbed by another process does not move."""
        return median([each for run in self.runs for each in run.seconds] or [float("nan")])

    @property
    def perfect(self) -> list[Run]:
        """The runs that end without a mistake."""
        return [run for run in self.runs if run.score[-1] == 1.0]

    def course(self, field: str = "score") -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and standard deviation over the seeds of a field of `Run`, by epoch; nan once one of them has ended."""
        values = np.full((len(self.runs), len(self.runs[0].score)), np.nan)
        for row, run in zip(values, self.runs, strict=True):
            recorded = getattr(run, field)
            row[: len(recorded)] = recorded
        return values.mean(axis=0), values.std(axis=0, ddof=min(1, len(self.runs) - 1))

    def epochs_to(self, level: float) -> list[int]:
        """The first epoch with a score of at least `level`, of each run that reaches it."""
        first = (run.epochs_to(level) for run in self.runs)
        return [epoch for epoch in first if epoch is not None]
