"""What alarms and diagnoses know of a training: the network's settings, and what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastact.language import translated as _
from fastact.learn.diagnostics.chance import chance_loss, even_loss
from fastact.learn.diagnostics.measures import Look, can_saturate, usual_saturation

__all__ = ["Network", "Observations", "label"]


@dataclass(frozen=True)
class Network:
    """What is known of a network before it is trained; advice depends on it.

    Attributes
    ----------
    sizes : tuple of int
    activations : tuple of str
        Of each layer, the output last.
    usual_saturation : tuple of float
        Of each hidden layer, for standard normal preactivations.
    can_saturate : tuple of bool
        Whether the activation of each hidden layer is flat at both ends.
    decays, clipped : bool
        Whether it has a penalty or a decay of the weights, and whether it clips gradients.
    classifies : bool
    chance, even : float
        As in `FirstLoss`.
    """

    sizes: tuple[int, ...]
    activations: tuple[str, ...]
    usual_saturation: tuple[float, ...]
    can_saturate: tuple[bool, ...]
    optimizer: str
    learning_rate: float
    init: str
    batch_norm: bool
    residual: bool
    dropout: bool
    decays: bool
    clipped: bool
    classifies: bool
    chance: float
    even: float

    @classmethod
    def of(cls, model: Any, y: Any) -> Network:
        """Read it off a model that is about to be trained for these targets."""
        layers, optimizer = model.layers, model.optimizer
        plans = [layer.plan for layer in layers]
        return cls(
            sizes=model.layer_sizes,
            activations=tuple(layer.activation.name for layer in layers),
            usual_saturation=tuple(usual_saturation(layer) for layer in layers[:-1]),
            can_saturate=tuple(can_saturate(layer) for layer in layers[:-1]),
            optimizer=optimizer.name,
            learning_rate=optimizer.learning_rate,
            init=model.init,
            batch_norm=any(plan.batch_norm for plan in plans),
            residual=any(plan.residual for plan in plans),
            dropout=any(plan.dropout for plan in plans),
            decays=bool(model.l2 or optimizer.weight_decay),
            clipped=bool(np.isfinite([optimizer.clip_norm, optimizer.clip_value]).any()),
            classifies=bool(model.loss.classifies),
            chance=chance_loss(model, y),
            even=even_loss(model),
        )


@dataclass(frozen=True)
class Observations:
    """What was seen of a training.

    Attributes
    ----------
    network : Network
    looks : list of Look
        One at least.
    history : dict of lists
        That of the model.
    diverged : bool
        Whether the loss or a weight became infinite or nan, in the epoch after the last one of the history.
    """

    network: Network
    looks: list[Look]
    history: dict[str, list[float]]
    diverged: bool = False

    @property
    def epochs(self) -> NDArray[np.int64]:
        """Those looked at."""
        return np.array([look.epoch for look in self.looks])

    def measured(self, name: str) -> NDArray[np.float64]:
        """A measure: an array with a row for each look."""
        return np.array([getattr(look, name) for look in self.looks])


def label(layer: int, layers: int) -> str:
    """What readers call a layer, by its number from 0."""
    return _("output layer") if layer == layers - 1 else _("hidden {number}").format(number=layer + 1)
