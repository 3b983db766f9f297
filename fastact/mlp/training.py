"""The step of training, and the trainer that takes it batch by batch."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastact.mlp.eager import Eager
from fastact.mlp.layers import Kept, backward, forward
from fastact.mlp.namespaces import moved, namespace_of
from fastact.mlp.objectives import Target

__all__ = ["EagerTrainer", "gradients", "step"]


def gradients(run: Any, model: Any, x: NDArray[Any], target: Target, output: bool = False) -> list[Kept]:
    """The forward and backward pass of a batch: the loss in `run`, the gradients in the layers."""
    passes = forward(run, model.layers, x, output or not model.loss.fused)
    backward(run, model.layers, passes, model.loss.gradient(run, model.layers[-1], passes[-1], target))
    return passes


def step(run: Any, model: Any, x: NDArray[Any], target: Target) -> None:
    """One update of the model by a batch."""
    gradients(run, model, x, target)
    model.optimizer.update(run)


class EagerTrainer:
    """Computes each operation when it is asked for."""

    #: The most epochs of one call of `run`.
    most = 1

    def __init__(self, model: Any, x: NDArray[Any], target: Target) -> None:
        self._model, self._x, self._target = model, x, target

    def run(self, epochs: int) -> list[dict[str, float]]:
        """Train for `epochs` epochs, at most `most`; return a record of each.

        After an error or Ctrl-C the model may be anything.
        """
        return [self._epoch() for _ in range(epochs)]

    def _epoch(self) -> dict[str, float]:
        model, samples = self._model, len(self._x)
        xp = namespace_of(model.parameters)
        started = time.perf_counter()
        losses, right = [], []
        order = moved(model.permutation(samples), xp)
        with np.errstate(all="ignore"):  # divergence is looked for once, below
            for start in range(0, samples, model.batch_size):
                rows = order[start : start + model.batch_size]
                target = self._target.rows(rows)
                run = Eager(len(rows), target.weights, model.optimizer.steps + 1)
                step(run, model, self._x[rows], target)
                model.optimizer.steps += 1
                losses.append(run.loss * len(rows))
                right.append(run.right)
        loss, score = (_total(xp, each) / samples for each in (losses, right))
        if not (math.isfinite(loss) and all(xp.isfinite(a).all() for a in (model.parameters, model.optimizer.state))):
            raise FloatingPointError(
                f"diverged in epoch {len(model.history.get('loss', ())) + 1} (loss {loss:g}); "
                f"the weights before it are kept; try a learning_rate below {model.optimizer.learning_rate:g}"
            )
        record = {"loss": loss}
        if model.loss.classifies:
            record["accuracy"] = score
        record["seconds"] = time.perf_counter() - started
        return record


def _total(xp: Any, of_batches: list[Any]) -> float:
    """The sum over the batches. On a GPU, this waits for the epoch."""
    return float(sum(moved(xp.asarray(of_batches), np).tolist()))
