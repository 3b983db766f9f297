"""What users give as data, checked; and where an epoch's batches come from: arrays, or what iterates over batches."""

from __future__ import annotations

import math
import numbers
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastact.mlp.data import (
    as_flag,
    as_integer,
    as_rate,
    as_rows,
    as_table,
    as_weights,
    class_weights,
    held_out,
    worth_learning,
)
from fastact.mlp.namespaces import moved, namespace_of
from fastact.mlp.objectives import Target

__all__ = ["Arrays", "Batches", "Remote", "checked", "source_of"]

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
        return -(-self.rows // self._model._rows)

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
        self.chosen, held = held_out(np.random.default_rng(self._model._key), fraction, self.rows, groups)
        self.rows = len(self.chosen)
        return self._batch(held, moved(held, xp))

    def order(self) -> NDArray[Any]:
        """The order in which the next epoch takes the samples, from the model's random state."""
        order = self._model._permutation(self.rows) if self.shuffle else np.arange(self.rows)
        return order if self.chosen is None else self.chosen[order]

    def epoch(self) -> Iterator[Batch]:
        order = self.order()
        here = moved(order, namespace_of(self._model.parameters))
        for start in range(0, self.rows, self._model._rows):
            part = slice(start, start + self._model._rows)
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
            yield checked(self._model, *item, prefix=f"batch {taken}'s ")
            taken += 1
            if taken == self._count:
                return
        if self._count is not None or not taken:
            wanted = f"{self._count} batches" if self._count else "any batch"
            raise ValueError(
                f"X ended after {taken} batches of an epoch that wants {wanted}; give one that goes on, "
                "such as a list or an object with __iter__, or fewer epochs or batches"
            )


class Remote(ABC):
    """Samples that are elsewhere, where the gradients of a step are computed too."""

    batches = math.inf  # of an epoch: unknown, as epochs differ
    rows: int

    @abstractmethod
    def check(self) -> None:
        """Raise ValueError where there is nothing to learn."""

    @abstractmethod
    def trainer(self, callback: Callable[[int, Any], object] | None) -> Any:
        """What trains with them, see training.py; calls `callback` with step and model after each step."""


def source_of(
    model: Any,
    X: Any,
    y: Any,
    sample_weight: Any,
    class_weight: Any,
    validation: Any,
    shuffle: bool,
    batches: int | None,
) -> tuple[Arrays | Batches, Batch | None]:
    """Where batches come from, and what is held out; the arguments are those of `MLP.fit`."""
    share = as_rate(validation, "validation", 1) if isinstance(validation, numbers.Real) else None
    held = None if validation is None or share is not None else _pair(model, validation)
    if y is None:
        for name, value in (("sample_weight", sample_weight), ("class_weight", class_weight), ("validation", share)):
            if value is not None:
                raise ValueError(f"{name} of this kind goes with arrays X and y; X without y gives batches (X, y)")
        return Batches(model, X, None if batches is None else as_integer(batches, "batches", 1)), held
    if batches is not None:
        raise ValueError(f"batches={batches} goes with batches from X, without y; here batch_size decides")
    x, target = checked(model, X, y, sample_weight, class_weight=class_weight, lazy=True)
    source = Arrays(model, x, target, as_flag(shuffle, "shuffle"))
    return source, held if share is None else source.hold_out(share)


def _pair(model: Any, validation: Any) -> Batch:
    if not isinstance(validation, list | tuple) or len(validation) not in (2, 3):
        raise TypeError(
            "validation must be a pair (X, y), with weights (X, y, sample_weight), or a share such as 0.1; "
            f"got {type(validation).__name__}"
        )
    return checked(model, *validation, prefix="validation ")


def checked(
    model: Any,
    X: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    *,
    class_weight: Any = None,
    prefix: str = "",
    lazy: bool = False,
) -> Batch:
    """Samples and target as training takes them, on the model's device; errors put `prefix` before names.

    With `lazy` a memmap of samples stays one.
    """
    inputs, units = model.layer_sizes[0], model.layer_sizes[-1]
    dtype, xp = model.dtype, namespace_of(model.parameters)
    x = (as_rows if lazy else as_table)(X, f"{prefix}X", inputs, dtype)
    target = model.loss.targets(y, f"{prefix}y", units, dtype)
    if len(x) != target.samples:
        raise ValueError(f"{prefix}X has {len(x)} samples and {prefix}y {target.samples}; they must pair up")
    weights = None if sample_weight is None else as_weights(sample_weight, f"{prefix}sample_weight", len(x), dtype)
    if class_weight is not None:
        if not target.certain:
            raise ValueError(f"class_weight={class_weight!r:.99} goes with one label per sample; use sample_weight")
        labels = moved(target.labels, np)
        counts = np.bincount(labels, minlength=max(units, 2))
        of_classes = class_weights(class_weight, counts)[labels].astype(dtype)
        weights = of_classes if weights is None else moved(weights, np) * of_classes
        if not weights.any():
            raise ValueError(
                f"class_weight={class_weight!r:.99} leaves all samples without weight; give a class in {prefix}y, of "
                "samples that have one, a positive weight"
            )
    target = target.moved(xp)
    if weights is not None:
        target = model.loss.weighted(target, moved(weights, xp), units)
    return (x if isinstance(x, np.memmap) else moved(x, xp)), target
