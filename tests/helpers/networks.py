"""Small networks and data for tests of the trainer, and what two of them must have in common."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastact as fa


def blobs(n: int = 90, classes: int = 3, features: int = 4) -> tuple[NDArray[Any], NDArray[Any]]:
    """Easily separated classes."""
    rng = np.random.default_rng(5)
    y = np.arange(n) % classes
    return rng.normal(size=(classes, features))[y] * 4 + rng.normal(size=(n, features)), y


def classifier(**settings: Any) -> fa.MLP:
    return fa.MLP((4, 8, 3), output="softmax", **{"seed": 1, "learning_rate": 0.01, **settings})


def assert_gradients(model: fa.MLP, *data: Any, h: float = 1e-6) -> None:
    """Every parameter's gradient against the central difference of the loss."""
    found = model.loss_and_gradients(*data)[1].copy()
    expected = np.empty_like(found)
    for i, p in enumerate(model.parameters.copy()):
        model.parameters[i] = p + h
        above = model.loss_and_gradients(*data)[0]
        model.parameters[i] = p - h
        expected[i] = (above - model.loss_and_gradients(*data)[0]) / (2 * h)
        model.parameters[i] = p
    assert np.linalg.norm(found) > 1e-4
    # The difference of two losses keeps the rounding of their sizes; exponential networks have large ones.
    rounding = 3e-9 * max(1, model.loss_and_gradients(*data)[0])
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=rounding)


def state_of(model: fa.MLP) -> tuple[Any, ...]:
    """Everything that training changes and later epochs depend on."""
    history = {name: values for name, values in model.history.items() if name != "seconds"}
    counts = {len(values) for values in model.history.values()}
    random_state = str(model._random_state)
    optimizer = model.optimizer
    arrays = [array.tobytes() for array in (model.parameters, model.statistics, optimizer.state)]
    numbers = optimizer.steps, optimizer.learning_rate, model.epochs, model.samples
    return *arrays, *numbers, random_state, str(history), counts
