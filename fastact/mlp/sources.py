"""Where an epoch's batches come from: arrays, which are shuffled, or whatever iterates over batches."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastact.mlp.data import held_out, worth_learning
from fastact.mlp.namespaces import moved, namespace_of
from fastact.mlp.objectives import Target

__all__ = ["Arrays", "Batches"]

Batch = tuple[NDArray[Any], Target]


class Arrays:
    """Samples in arrays, which the model has checked. Those of a memmap are converted batch by batch.

    Attributes
    ----------
    rows, batches : number
        Of an epoch.
    """

    def __init__(self, model: Any, x: NDArray[Any], target: Target, shuffle: bool) -> None:
        self._model, self.x, self.target, self.shuffle = model, x, target, shuffle
        self.chosen: NDArray[np.intp] | None = None  # the numbers of the samples to train with, if not all
        self.rows = len(x)

    @property
    def batches(self) -> int:
        return -(-self.rows // self._model.rows)

    def check(self) -> None:
        """Raise ValueError where there is nothing to learn; warn where a batch would be larger than the data."""
        size, target = self._model.batch_size, self.target
        if self.chosen is not None:
            target = target.rows(moved(self.chosen, namespace_of(self._model.parameters)))
        worth_learning(self.rows, target.labels, target.table)
        if size is not None and size > self.rows:
            warnings.warn(f"batch_size={size} is more than the {self.rows} samples; a batch takes these", stacklevel=3)

    def whole(self) -> Batch:
        """All samples as one batch."""
        rows = np.arange(len(self.x)) if self.chosen is None else self.chosen
        return self._batch(rows, moved(rows, namespace_of(self._model.parameters)))

    def hold_out(self, fraction: float) -> Batch:
        """Take a share of the samples out of training, and return them."""
        labels, xp = self.target.labels, namespace_of(self._model.parameters)
        groups = None if labels is None or labels.ndim > 1 else moved(labels, np)
        self.chosen, held = held_out(np.random.default_rng(self._model.key), fraction, self.rows, groups)
        self.rows = len(self.chosen)
        return self._batch(held, moved(held, xp))

    def order(self) -> NDArray[Any]:
        """The order in which the next epoch takes the samples, from the model's random state."""
        order = self._model.permutation(self.rows) if self.shuffle else np.arange(self.rows)
        return order if self.chosen is None else self.chosen[order]

    def epoch(self) -> Iterator[Batch]:
        order = self.order()
        here = moved(order, namespace_of(self._model.parameters))
        for start in range(0, self.rows, self._model.rows):
            part = slice(start, start + self._model.rows)
            yield self._batch(order[part], here[part])

    def _batch(self, rows: NDArray[Any], here: NDArray[Any]) -> Batch:
        """Samples by their numbers, which are given on the host and on the device; a memmap stays on the host."""
        x = self.x[rows if isinstance(self.x, np.memmap) else here]
        if isinstance(x, np.memmap) or x.dtype != self._model.dtype:
            x = np.array(x, self._model.dtype, subok=False)
        return moved(x, namespace_of(self._model.parameters)), self.target.rows(here)


class Batches:
    """Batches (X, y) or (X, y, sample_weight) from an iterable, which is iterated once for each epoch.

    A generator can be iterated but once; with `batches` an epoch takes so many of it, and the next one goes on.
    """

    def __init__(self, model: Any, values: Iterable[Any], batches: int | None) -> None:
        if not isinstance(values, Iterable):
            raise TypeError(
                f"X must be arrays with y, or without y iterate over batches (X, y); got {type(values).__name__}"
            )
        self._model, self._values = model, values
        self._endless = None if batches is None else iter(values)
        self._count = batches
        self.batches = math.inf if batches is None else batches
        self.rows = 0  # unknown

    def check(self) -> None:
        """Batches are checked one by one."""

    def epoch(self) -> Iterator[Batch]:
        taken = 0
        for item in iter(self._values) if self._endless is None else self._endless:
            if not isinstance(item, list | tuple) or len(item) not in (2, 3):
                raise TypeError(
                    f"batch {taken} of X must be (X, y) or (X, y, sample_weight), got {type(item).__name__}"
                )
            yield self._model.checked(*item, prefix=f"batch {taken}'s ")
            taken += 1
            if taken == self._count:
                return
        if self._count is not None or not taken:
            wanted = f"{self._count} batches" if self._count else "any batch"
            raise ValueError(
                f"X ended after {taken} batches of an epoch that wants {wanted}; give one that goes on, "
                "such as a list or an object with __iter__, or fewer epochs or batches"
            )
