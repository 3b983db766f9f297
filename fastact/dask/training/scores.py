"""How good predictions for dask's collections are: sums over the blocks, added in their order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastact.dask.training.schedulers import Scheduler
from fastact.dask.training.source import blocks_of, watched
from fastact.dask.training.tasks import Network, Rows, State, View, opened, same

__all__ = ["Fit", "mean", "r2_score", "score"]


class Fit(NamedTuple):
    """Of each column of a block's targets: weight, mean, sum of squares about it, of the residuals; least and most."""

    weight: float
    mean: NDArray[np.float64]
    squares: NDArray[np.float64]
    residual: NDArray[np.float64]
    least: NDArray[Any]
    most: NDArray[Any]

    @classmethod
    def of(cls, table: NDArray[Any], predicted: NDArray[Any], weights: NDArray[Any] | None = None) -> Fit:
        """That of a block's targets and predictions, (samples, columns)."""
        each = np.ones(len(table)) if weights is None else weights.astype(np.float64)
        weight = float(each.sum())
        mean = (each @ table.astype(np.float64)) / weight if weight else np.zeros(table.shape[1])
        squares = each @ np.square(table - mean)
        residual = each @ np.square(predicted.reshape(table.shape) - table, dtype=np.float64)
        return cls(weight, mean, squares, residual, table.min(axis=0), table.max(axis=0))

    def __add__(self, other: Any) -> Fit:
        """That of both together (Chan, Golub and LeVeque 1983)."""
        weight = self.weight + other.weight
        if not weight:
            return self
        step, share = other.mean - self.mean, other.weight / weight
        return Fit(
            weight,
            self.mean + step * share,
            self.squares + other.squares + np.square(step) * (self.weight * share),
            self.residual + other.residual,
            np.minimum(self.least, other.least),
            np.maximum(self.most, other.most),
        )


def r2_score(fits: Sequence[Fit]) -> float:
    """R^2 of all blocks, averaged over the columns."""
    whole = fits[0]
    for each in fits[1:]:
        whole = whole + each
    constant = whole.least == whole.most  # nothing to explain: 1 if met exactly, else 0
    r2 = np.where(constant, whole.residual == 0, 1 - whole.residual / np.where(constant, 1, whole.squares))
    return float(r2.mean())


def mean(values: Sequence[tuple[float, float]]) -> float:
    """The mean of numbers with weights: pairs of both."""
    weight, total = math.fsum(weight for _, weight in values), 0.0
    for value, each in values:
        total += value * each / weight if each else 0.0
    return total


def score(model: Any, X: Any, y: Any) -> float:
    """The share of right samples, or R^2."""
    scheduler, network = Scheduler(X, y), Network(model)
    if model.loss.classifies:
        return float(watched(model, scheduler, network, (X, y), None)()["val_accuracy"][0])
    state = scheduler.task("parameters", same, State.of(model, network))
    tasks = []
    for block in blocks_of(model, X, y, None, ""):
        rows = scheduler.task("rows of block", _opened, network, block.number, block.X, block.y)
        tasks.append(scheduler.task("score of block", _fit, state, rows))
    fits = [each for each in scheduler.compute(tasks) if each is not None]
    if not fits:
        raise ValueError("X is empty in all its blocks; give at least one sample")
    return r2_score(fits)


def _opened(network: Network, number: int, X: Any, y: Any) -> Rows | None:
    return opened(network, View(number), X, y, None) if len(X) or len(y) else None


def _fit(state: State, rows: Rows | None) -> Fit | None:
    if rows is None:
        return None
    assert rows.target.table is not None
    return Fit.of(rows.target.table, state.predict(rows.x))
