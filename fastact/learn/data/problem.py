"""A task to learn: samples, their targets, and how a seed splits them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fastact.language import Message

__all__ = ["Problem", "Split", "Task", "output_layer"]

Task = Literal["binary", "multi-class", "regression"]


@dataclass(frozen=True)
class Split:
    """Samples to learn from, and samples to measure on, as `fa.MLP` takes them.

    Attributes
    ----------
    train_x, test_x : ndarray of float32 (samples, features)
    train_y, test_y : ndarray
        Labels from 0, or, for a regression, float32 (samples,) with mean 0 and standard deviation 1 of the training
        part.
    """

    train_x: NDArray[np.float32]
    train_y: NDArray[Any]
    test_x: NDArray[np.float32]
    test_y: NDArray[Any]


class Problem:
    """Something to learn.

    Attributes
    ----------
    name : str
    task : {"binary", "multi-class", "regression"}
    features : int
        Inputs of a network.
    classes : tuple of str
        What the labels mean; empty for a regression.
    resampled : bool
        Whether all seeds draw their parts from the same samples, so that runs are not independent; a problem that is
        made anew for each seed is not.
    notes : tuple of Message
        What was done with the data, for readers.
    """

    name: str
    task: Task
    features: int
    classes: tuple[str, ...] = ()
    resampled: bool = False
    notes: tuple[Message, ...] = ()

    def split(self, seed: int) -> Split:
        """The parts that belong to a seed; the same bits each time."""
        raise NotImplementedError

    @property
    def outputs(self) -> int:
        """Units of a network's output layer."""
        return output_layer(self.task, self.classes)[0]

    @property
    def output(self) -> str:
        """The activation of a network's output layer."""
        return output_layer(self.task, self.classes)[1]


def output_layer(task: Task, classes: Sequence[str]) -> tuple[int, str]:
    """The units and the activation of a network's output layer."""
    if task == "multi-class":
        return len(classes), "softmax"
    return 1, "sigmoid" if task == "binary" else "identity"
