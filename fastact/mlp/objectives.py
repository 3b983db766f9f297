"""The losses: what they ask of `y`, their value and gradient at the output layer, how they read a prediction.

fastact's own losses compute values and gradients. Cross-entropies start from the preactivations of the output layer,
where both stay exact for saturated units. On a GPU, values and scores are arrays without dimensions, so that nobody
waits for them. A new loss is a subclass of `Loss` and one entry in `LOSSES`.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

import fastact as fa
from fastact.mlp.data import as_choice, as_floats
from fastact.mlp.layers import Dense
from fastact.mlp.namespaces import namespace_of

__all__ = ["Loss", "loss_for"]


class Loss(ABC):
    """One loss. `output` is the only output activation that it allows, and is fused with; None allows any."""

    name: str
    output: str | None
    classifies = True
    units = range(1, sys.maxsize)  # the numbers of output units that it allows

    @abstractmethod
    def targets(self, y: ArrayLike, name: str, units: int, dtype: DTypeLike) -> NDArray[Any]:
        """Check `y` and return it as a float array (samples, units)."""

    @property
    @abstractmethod
    def function(self) -> Any:
        """The public function that computes this loss."""

    def value(self, layer: Dense, target: NDArray[Any]) -> Any:
        """Return the mean loss of the batch that went through the output `layer` last."""
        return self.function(layer.preactivation, target)

    def value_and_gradient(self, layer: Dense, target: NDArray[Any]) -> tuple[Any, NDArray[Any]]:
        """Return `value`, and its gradient by `layer.preactivation`."""
        return self.function.value_and_grad(layer.preactivation, target)

    @abstractmethod
    def predict(self, output: NDArray[Any]) -> NDArray[Any]:
        """Turn the network's output into labels or numbers as in `y`."""

    def score(self, output: NDArray[Any], target: NDArray[Any]) -> Any:
        """Return the share of right predictions."""
        right = self.predict(output) == self.predict(target)
        return namespace_of(right).count_nonzero(right) / len(target)


class Regression(Loss):
    """A mean over samples and units of a function of output and target; its score is R^2, averaged over the units."""

    output = None
    classifies = False

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def function(self) -> Any:
        return getattr(fa, self.name)

    def targets(self, y: ArrayLike, name: str, units: int, dtype: DTypeLike) -> NDArray[Any]:
        floats = as_floats(y, name, dtype)
        table = floats[:, np.newaxis] if floats.ndim == 1 else floats
        if table.ndim != 2 or table.shape[1] != units:
            raise ValueError(f"{name} has shape {floats.shape}; {units} output units want (samples, {units})")
        return table

    def value(self, layer: Dense, target: NDArray[Any]) -> Any:
        return self.function(layer.output, target)

    def value_and_gradient(self, layer: Dense, target: NDArray[Any]) -> tuple[Any, NDArray[Any]]:
        value, gradient = self.function.value_and_grad(layer.output, target)
        return value, layer.backward_activation(gradient)

    def predict(self, output: NDArray[Any]) -> NDArray[Any]:
        return output[:, 0] if output.shape[1] == 1 else output

    def score(self, output: NDArray[Any], target: NDArray[Any]) -> Any:
        xp = namespace_of(target)
        residual = xp.square(output - target, dtype=np.float64).sum(axis=0)
        total = xp.square(target - target.mean(axis=0, dtype=np.float64)).sum(axis=0)
        constant = (target == target[0]).all(axis=0)  # nothing to explain: 1 if met exactly, else 0
        r2 = xp.where(constant, residual == 0, 1 - residual / xp.where(constant, 1, total))
        return r2.mean()


class BinaryCrossEntropy(Loss):
    """-log p(y) of one sigmoid unit."""

    name = "bce"
    output = "sigmoid"
    units = range(1, 2)

    def targets(self, y: ArrayLike, name: str, units: int, dtype: DTypeLike) -> NDArray[Any]:
        labels = as_floats(y, name, dtype)
        if labels.ndim != 1 and labels.shape[1:] != (1,):
            raise ValueError(f"{name} has shape {labels.shape}; bce wants (samples,) or (samples, 1)")
        labels = labels.reshape(-1, 1)
        wrong = _first((labels != 0) & (labels != 1))
        if wrong is not None:
            raise ValueError(f"{name}[{wrong}] is {float(labels[wrong, 0]):g}; bce takes the labels 0 and 1")
        return labels

    @property
    def function(self) -> Any:
        return fa.binary_cross_entropy

    def predict(self, output: NDArray[Any]) -> NDArray[Any]:
        return (output[:, 0] > 0.5).astype(np.intp)


class CrossEntropy(Loss):
    """-sum(target * log_softmax(x)) per sample; `y` holds labels from 0, or a distribution per row."""

    name = "cross_entropy"
    output = "softmax"
    units = range(2, sys.maxsize)

    def targets(self, y: ArrayLike, name: str, units: int, dtype: DTypeLike) -> NDArray[Any]:
        floats = as_floats(y, name, dtype)
        if floats.ndim == 2 and floats.shape[1] == units:
            wrong = _first((floats < 0).any(axis=1) | (abs(floats.sum(axis=1) - 1) > 1e-3))
            if wrong is not None:
                raise ValueError(f"{name}[{wrong}] is no distribution; it must be non-negative with sum 1")
            return floats
        if floats.ndim != 1 and floats.shape[1:] != (1,):
            raise ValueError(f"{name} has shape {floats.shape}; give (samples,) labels or (samples, {units})")
        xp, labels = namespace_of(floats), floats.reshape(-1)
        wrong = _first((labels < 0) | (labels >= units) | (labels != xp.floor(labels)))
        if wrong is not None:
            found = f"{name}[{wrong}] is {float(labels[wrong]):g}"
            raise ValueError(f"{found}; {units} output units take the labels 0 to {units - 1}")
        return xp.eye(units, dtype=dtype)[labels.astype(np.intp)]

    @property
    def function(self) -> Any:
        return fa.cross_entropy

    def predict(self, output: NDArray[Any]) -> NDArray[Any]:
        return output.argmax(axis=1)


def _first(wrong: NDArray[np.bool]) -> int | None:
    """Return the index of the first wrong sample, if there is one."""
    return int(wrong.argmax()) if wrong.any() else None


LOSSES: dict[str, Loss] = {
    loss.name: loss for loss in (Regression("mse"), Regression("huber"), BinaryCrossEntropy(), CrossEntropy())
}


def loss_for(output: str, units: int, name: str) -> Loss:
    """Return the loss called `name`, or for "auto" the one that belongs to the output activation."""
    if name == "auto":
        name = next((loss.name for loss in LOSSES.values() if loss.output == output), "mse")
    loss = LOSSES[as_choice(name, "loss", ["auto", *LOSSES])]
    if loss.output not in (None, output):
        raise ValueError(f"loss={name!r} wants output={loss.output!r}, got {output!r}; change one, or take 'mse'")
    if units not in loss.units:
        raise ValueError(
            f"loss={name!r} cannot have {units} output units; "
            "take one for sigmoid with bce, one per class for softmax with cross_entropy"
        )
    return loss
