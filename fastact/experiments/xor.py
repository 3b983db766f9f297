"""The XOR experiment: the smallest problem that a network without an activation cannot learn.

It holds the four points and two settings; training.py runs it. Runs differ in the activation of the hidden layer.
"""

from __future__ import annotations

import numpy as np

from fastact.experiments.results import Settings
from fastact.experiments.training import Data

ARTICLE = Settings(layers=(2, 4, 1), output="sigmoid", epochs=1000, batch_size=4, learning_rate=0.001)
"""A beginner's usual settings. Adam moves a weight by about the learning rate per step, so 1,000 steps move
it by 1 at most, and many seeds do not arrive."""

FAST = Settings(layers=(2, 4, 1), output="sigmoid", epochs=300, batch_size=4, learning_rate=0.05)
"""Fifty times the learning rate: the network has time to arrive, and what differs is the activation."""

ACTIVATIONS = ("identity", "relu", "leaky_relu", "elu", "silu", "sigmoid", "tanh")


def data(seeds: int) -> list[Data]:
    """The four points for every seed, to learn from and to measure on."""
    inputs = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=np.float32)
    targets = np.array([0, 1, 1, 0])
    return [Data(inputs, targets, inputs, targets)] * seeds
