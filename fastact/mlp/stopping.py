"""When training ends early or slows down: how long the loss has not fallen, and the best weights so far."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

__all__ = ["Count", "Course"]


@dataclass
class Count:
    """Counts epochs in a row whose loss was not below the best one before by `tolerance`, as scikit-learn counts."""

    best: float = math.inf
    waited: int = 0

    def add(self, loss: float, tolerance: float) -> bool:
        """Count an epoch; return whether its loss is the best so far."""
        self.waited = self.waited + 1 if loss > self.best - tolerance else 0
        better = loss < self.best
        self.best = min(loss, self.best)
        return better


@dataclass
class Course:
    """How far a fit has come.

    Attributes
    ----------
    epochs : whole ones
    stopping : of early stopping
    adaptive : of the learning-rate schedule "adaptive"
    ended : whether it ended before its last epoch
    best : parameters and statistics of the best epoch, where early stopping wants them
    """

    epochs: int = 0
    stopping: Count = field(default_factory=Count)
    adaptive: Count = field(default_factory=Count)
    ended: bool = False
    best: tuple[NDArray[Any], NDArray[Any]] | None = None

    def pack(self) -> dict[str, Any]:
        """All but the best weights, as JSON can hold it."""
        counts = {name: [getattr(self, name).best, getattr(self, name).waited] for name in _COUNTS}
        counts = {name: [None if best == math.inf else best, waited] for name, (best, waited) in counts.items()}
        return {"epochs": self.epochs, **counts, "ended": self.ended, "best": self.best is not None}

    @classmethod
    def unpack(cls, values: dict[str, Any], weights: tuple[NDArray[Any], NDArray[Any]] | None) -> Course:
        """Make an equal course from what `pack` returned, and the best weights."""
        pairs = {name: values[name] for name in _COUNTS}
        counts = {name: Count(math.inf if best is None else best, waited) for name, (best, waited) in pairs.items()}
        return cls(epochs=values["epochs"], ended=values["ended"], best=weights, **counts)


_COUNTS = "stopping", "adaptive"
