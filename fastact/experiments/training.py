"""Trains the networks of a comparison: one per activation and seed, everything else equal.

The experiments' files give the data and the settings, fastact.MLP trains, and results.Run records.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import fastact as fa
from fastact.experiments.results import Run, Settings

Array = np.ndarray[Any, np.dtype[Any]]

USUAL = ("identity", "relu", "leaky_relu", "elu", "sigmoid", "tanh", "silu", "gelu", "mish", "softplus")
"""One of each kind that a beginner meets in hidden layers, and identity as the baseline."""


@dataclass(frozen=True)
class Data:
    """Samples to learn from, and samples to measure on."""

    train_x: Array
    train_y: Array
    test_x: Array
    test_y: Array


def train(activation: str, seed: int, data: Data, settings: Settings) -> Run:
    """Train one network and record how it does after each epoch.

    What has to be compiled is compiled when the step is recorded, before the first epoch.
    """
    held_out = (data.test_x, data.test_y)
    trained = network(activation, seed, settings)
    try:
        trained.fit(data.train_x, data.train_y, epochs=settings.epochs, validation=held_out)
    except FloatingPointError as error:
        raise FloatingPointError(f"{activation}, seed {seed}: {error}") from error
    history = trained.history
    return Run(activation, seed, history["val_accuracy"], history["val_loss"], history["seconds"])


def network(activation: str, seed: int, settings: Settings) -> fa.MLP:
    """The untrained network."""
    return fa.MLP(
        list(settings.layers),
        activation=activation,
        output=settings.output,
        learning_rate=settings.learning_rate,
        batch_size=settings.batch_size,
        seed=seed,
    )


def runs(activations: Sequence[str], data: Sequence[Data], settings: Settings) -> Iterator[Run]:
    """Train every activation on every element of `data`, whose index is the seed, and yield each finished run.

    All activations meet the same data and the same seeds, so their results compare pair by pair.
    """
    for activation in activations:
        for seed, part in enumerate(data):
            yield train(activation, seed, part, settings)


def hidden_activations() -> list[str]:
    """The activations that a comparison takes if none is named."""
    return list(USUAL)
