"""How good predictions for dask's collections are: sums over the blocks, added in their order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastact.dask.training.tasks import Rows, State

__all__ = ["Fit", "accuracy", "fitted", "hits", "hits_of", "mean", "r2_score"]


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


def hits(state: State, rows: Rows) -> tuple[float, float]:
    """The sums of the weights of a block's right rows, and of all."""
    weights = rows.target.weights
    return hits_of(state.predict(rows.x), rows.target.labels, None if weights is None else weights[:, 0])


def hits_of(predicted: NDArray[Any], labels: Any, weights: NDArray[Any] | None) -> tuple[float, float]:
    """Those of predictions; a row of several labels is right where all are."""
    right = predicted == np.reshape(labels, predicted.shape)
    right = right.all(axis=1) if right.ndim == 2 else right
    each = np.ones(len(right)) if weights is None else weights.astype(np.float64)
    return float((right * each).sum()), float(each.sum())


def accuracy(found: Sequence[tuple[float, float]]) -> float:
    """The share of right rows, by their weights, of what `hits` gave for all blocks."""
    weight = math.fsum(weight for _, weight in found)
    return math.fsum(right for right, _ in found) / weight if weight else math.nan


def fitted(state: State, rows: Rows) -> Fit:
    """How well a block's numbers are met."""
    table, weights = rows.target.table, rows.target.weights
    assert table is not None
    return Fit.of(table, state.predict(rows.x), None if weights is None else weights[:, 0])
