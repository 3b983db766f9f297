"""The losses: what they ask of `y`, their value and gradient at the output layer, how they read a prediction.

They are written in the operations of a run (see eager.py), with the formulas of fastact's public losses. Those fused
with the output activation start from its preactivations, where loss and gradient stay exact for saturated units. A new
loss is a subclass of `Loss` and one entry in `LOSSES`.
"""

from __future__ import annotations

import math
import sys
from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fastact._core import registry
from fastact.functions.losses import binary_cross_entropy, poisson_loss
from fastact.mlp.choices import Choice, chosen
from fastact.mlp.data import as_floats, as_rate
from fastact.mlp.layers import Dense, Kept
from fastact.mlp.namespaces import moved, namespace_of

__all__ = ["Loss", "Target", "loss_for", "r2_score"]


class Target(NamedTuple):
    """What the network should give, in arrays with a row for each sample; None is what a loss does not need."""

    labels: NDArray[np.intp] | None = None
    table: NDArray[Any] | None = None  # of floats, a column for each unit
    weights: NDArray[Any] | None = None  # of floats, of the same shape; the first column weighs the sample

    @property
    def samples(self) -> int:
        return next(len(each) for each in self if each is not None)

    @property
    def certain(self) -> bool:
        """Whether each sample has one label, and nothing else."""
        alone = self.table is None or self.table.shape[1] == 1
        return self.labels is not None and self.labels.ndim == 1 and alone

    def rows(self, rows: Any) -> Target:
        """Those of some samples."""
        return Target(*(None if each is None else each[rows] for each in self))

    def moved(self, xp: Any) -> Target:
        """The same in arrays of another namespace."""
        return Target(*(None if each is None else moved(each, xp) for each in self))


class Loss(Choice, ABC):
    """One loss. `output` is the only output activation that it allows, and is fused with; None allows any."""

    output: ClassVar[str | None]
    classifies = True
    units = range(1, sys.maxsize)  # the numbers of output units that it allows

    @property
    def fused(self) -> bool:
        """Whether it needs the preactivations of the output layer only."""
        return self.output is not None

    @abstractmethod
    def targets(self, y: ArrayLike, name: str, units: int, dtype: DTypeLike) -> Target:
        """Check `y` and return what the loss needs of it."""

    def weighted(self, target: Target, weights: NDArray[Any], units: int) -> Target:
        """The target with a weight for each sample."""
        return target._replace(weights=weights[:, np.newaxis] * namespace_of(weights).ones(units, weights.dtype))

    @abstractmethod
    def gradient(self, run: Any, layer: Dense, kept: Kept, target: Target) -> NDArray[Any]:
        """Add loss and score of the batch to `run`, and return the gradient by the output layer's preactivation."""

    @abstractmethod
    def predict(self, kept: Kept) -> NDArray[Any]:
        """Turn what the output layer gave into labels or numbers as in `y`."""


class Regression(Loss):
    """A mean over samples and units of a function of output and target; its score is R^2, averaged over the units.

    The loss and its gradient are multiplied by `scale`.
    """

    output: ClassVar[str | None] = None
    classifies = False
    function: ClassVar[str]  # of fastact

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = as_rate(scale, "loss's scale", math.inf)

    @property
    def parameters(self) -> dict[str, float]:
        """Of the function, other than its defaults."""
        return {}

    def targets(self, y: ArrayLike, name: str, units: int, dtype: DTypeLike) -> Target:
        floats = as_floats(y, name, dtype)
        table = floats[:, np.newaxis] if floats.ndim == 1 else floats
        if table.ndim != 2 or table.shape[1] != units:
            raise ValueError(f"{name} has shape {floats.shape}; {units} output units want (samples, {units})")
        return Target(table=table)

    def gradient(self, run: Any, layer: Dense, kept: Kept, target: Target) -> NDArray[Any]:
        gradient = _elementwise(run, registry.get(self.function), self.parameters, self.scale, kept.output, target)
        return layer.backward_activation(run, kept, gradient)

    def predict(self, kept: Kept) -> NDArray[Any]:
        return kept.output[:, 0] if kept.output.shape[1] == 1 else kept.output


class MeanSquaredError(Regression):
    name = function = "mse"


class MeanAbsoluteError(Regression):
    name = function = "mae"


class Huber(Regression):
    """Linear beyond differences of `delta`."""

    name = function = "huber"

    def __init__(self, delta: float = 1.0, scale: float = 1.0) -> None:
        super().__init__(scale)
        self.delta = as_rate(delta, "loss's delta", math.inf)

    @property
    def parameters(self) -> dict[str, float]:
        return {"delta": self.delta}


class Quantile(Regression):
    """Its minimum is the quantile `q`."""

    name = "quantile"
    function = "quantile_loss"

    def __init__(self, q: float = 0.5, scale: float = 1.0) -> None:
        super().__init__(scale)
        self.q = as_rate(q, "loss's q", 1)

    @property
    def parameters(self) -> dict[str, float]:
        return {"q": self.q}


class Poisson(Regression):
    """Counts, whose rate is e**output."""

    name = "poisson"
    function = "poisson_loss"
    output = "identity"

    def targets(self, y: ArrayLike, name: str, units: int, dtype: DTypeLike) -> Target:
        target = super().targets(y, name, units, dtype)
        assert target.table is not None
        wrong = _first((target.table < 0).any(axis=1))
        if wrong is not None:
            found = f"{name}[{wrong}] is {float(target.table[wrong].min()):g}"
            raise ValueError(f"{found}; poisson takes counts, from 0; for negative numbers take 'mse'")
        return target

    def gradient(self, run: Any, layer: Dense, kept: Kept, target: Target) -> NDArray[Any]:
        return _elementwise(run, poisson_loss, {}, self.scale, kept.preactivation, target)

    def predict(self, kept: Kept) -> NDArray[Any]:
        rates = namespace_of(kept.preactivation).exp(kept.preactivation)
        return rates[:, 0] if rates.shape[1] == 1 else rates


class BinaryCrossEntropy(Loss):
    """-log p(y) of sigmoid units: one for two classes, more for labels that do not exclude each other.

    The mean over samples and units is multiplied by `scale`. A sample of several labels is right where all are.
    """

    name = "bce"
    output = "sigmoid"

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = as_rate(scale, "loss's scale", math.inf)

    def targets(self, y: ArrayLike, name: str, units: int, dtype: DTypeLike) -> Target:
        table = as_floats(y, name, dtype)
        wanted = "(samples,) or (samples, 1)" if units == 1 else f"(samples, {units}) of 0 and 1"
        if table.ndim == 1 and units == 1:
            table = table.reshape(-1, 1)
        if table.ndim != 2 or table.shape[1] != units:
            raise ValueError(f"{name} has shape {table.shape}; bce wants {wanted}")
        odd = (table != 0) & (table != 1)
        wrong = _first(odd.any(axis=1))
        if wrong is not None:
            value = float(table[wrong, int(odd[wrong].argmax())])
            raise ValueError(f"{name}[{wrong}] is {value:g}; bce takes the labels 0 and 1")
        labels = table.astype(np.intp)
        return Target(labels[:, 0] if units == 1 else labels, table)

    def gradient(self, run: Any, layer: Dense, kept: Kept, target: Target) -> NDArray[Any]:
        run.count_right(kept.preactivation, target.labels)
        return _elementwise(run, binary_cross_entropy, {}, self.scale, kept.preactivation, target)

    def predict(self, kept: Kept) -> NDArray[Any]:
        labels = (kept.preactivation > 0).astype(np.intp)
        return labels[:, 0] if labels.shape[1] == 1 else labels


class CrossEntropy(Loss):
    """-sum(target * log_softmax(x)) per sample; `y` holds labels from 0, or a distribution per row."""

    name = "cross_entropy"
    output = "softmax"
    units = range(2, sys.maxsize)

    def targets(self, y: ArrayLike, name: str, units: int, dtype: DTypeLike) -> Target:
        floats = as_floats(y, name, dtype)
        if floats.ndim == 2 and floats.shape[1] == units:
            wrong = _first((floats < 0).any(axis=1) | (abs(floats.sum(axis=1) - 1) > 1e-3))
            if wrong is not None:
                raise ValueError(f"{name}[{wrong}] is no distribution; it must be non-negative with sum 1")
            certain = ((floats == 0) | (floats == 1)).all()
            return Target(floats.argmax(axis=1), None if certain else floats)
        if floats.ndim != 1 and floats.shape[1:] != (1,):
            raise ValueError(f"{name} has shape {floats.shape}; give (samples,) labels or (samples, {units})")
        xp, labels = namespace_of(floats), floats.reshape(-1)
        wrong = _first((labels < 0) | (labels >= units) | (labels != xp.floor(labels)))
        if wrong is not None:
            found = f"{name}[{wrong}] is {float(labels[wrong]):g}"
            raise ValueError(f"{found}; {units} output units take the labels 0 to {units - 1}")
        return Target(labels.astype(np.intp))

    def weighted(self, target: Target, weights: NDArray[Any], units: int) -> Target:
        table, column = target.table, weights[:, np.newaxis]
        if table is None:
            assert target.labels is not None
            table = namespace_of(weights).eye(units, dtype=weights.dtype)[target.labels]
        return target._replace(table=table * column, weights=column)

    def gradient(self, run: Any, layer: Dense, kept: Kept, target: Target) -> NDArray[Any]:
        run.count_right(kept.preactivation, target.labels)
        return run.cross_entropy(kept.preactivation, target.labels if target.table is None else target.table)

    def predict(self, kept: Kept) -> NDArray[Any]:
        return kept.preactivation.argmax(axis=1)


def r2_score(output: Any, table: Any) -> float:
    """R^2, averaged over the columns."""
    xp = namespace_of(table)
    residual = xp.square(output - table, dtype=np.float64).sum(axis=0)
    total = xp.square(table - table.mean(axis=0, dtype=np.float64)).sum(axis=0)
    constant = (table == table[0]).all(axis=0)  # nothing to explain: 1 if met exactly, else 0
    r2 = xp.where(constant, residual == 0, 1 - residual / xp.where(constant, 1, total))
    return float(r2.mean())


def _elementwise(
    run: Any, function: Any, parameters: dict[str, float], scale: float, x: Any, target: Target
) -> NDArray[Any]:
    """Add scale * mean over samples and units to `run`, and return its gradient by x."""
    assert target.table is not None
    share = run.share(target.table.shape[1] / scale)
    weight = {} if target.weights is None else {"weight": target.weights}
    operands = {**function.parameters, **parameters, **weight}
    values, gradient = run.loop(function._part("value_and_grad"), x, target.table, share, *operands.values())
    run.add_loss(values, share)
    return gradient


def _first(wrong: Any) -> int | None:
    """Return the index of the first wrong sample, if there is one."""
    return int(wrong.argmax()) if wrong.any() else None


LOSSES: dict[str, type[Loss]] = {
    loss.name: loss
    for loss in (MeanSquaredError, MeanAbsoluteError, Huber, Quantile, Poisson, BinaryCrossEntropy, CrossEntropy)
}


def loss_for(output: str, units: int, setting: Any) -> Loss:
    """The loss of a name, or of a mapping with name and parameters; "auto" is the one for the output activation."""
    if setting == "auto":
        setting = {"sigmoid": "bce", "softmax": "cross_entropy"}.get(output, "mse")
    loss = chosen(setting, "loss", LOSSES)
    if loss.output not in (None, output):
        raise ValueError(f"loss={loss.name!r} wants output={loss.output!r}, got {output!r}; change one, or take 'mse'")
    if units not in loss.units:
        raise ValueError(f"loss={loss.name!r} cannot have {units} output units; take one for each class")
    return loss
