"""The step of training, and the trainer that takes it batch by batch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastact.mlp.eager import Eager
from fastact.mlp.layers import Kept, backward, forward
from fastact.mlp.namespaces import moved, namespace_of
from fastact.mlp.objectives import Target
from fastact.mlp.schedules import Progress
from fastact.mlp.sources import Arrays, Batches

__all__ = ["EagerTrainer", "diverged", "gradients", "step"]


def gradients(run: Any, model: Any, x: NDArray[Any], target: Target, output: bool = False) -> list[Kept]:
    """The forward and backward pass of a batch in training: the loss in `run`, the gradients in the layers."""
    passes = forward(run, model.layers, x, training=True, output=output or not model.loss.fused)
    backward(run, model.layers, passes, model.loss.gradient(run, model.layers[-1], passes[-1], target))
    if model.l2:
        for layer in model.layers:
            layer.penalise(run, model.l2, run.share() if model.l2_shared else 1.0)
    return passes


def step(run: Any, model: Any, x: NDArray[Any], target: Target) -> None:
    """One update of the model by a batch."""
    passes = gradients(run, model, x, target)
    for layer, kept in zip(model.layers, passes, strict=True):
        layer.learn(run, kept)
    model.optimizer.update(run)


class EagerTrainer:
    """Computes each operation when it is asked for."""

    #: The most epochs of one call of `run`.
    most = 1

    def __init__(
        self, model: Any, source: Arrays | Batches, batch_callback: Callable[[int, Any], object] | None = None
    ) -> None:
        self._model, self._source, self._callback = model, source, batch_callback

    def run(self, epochs: int) -> list[dict[str, float]]:
        """Train for `epochs` epochs, at most `most`; return a record of each.

        After an error or Ctrl-C the model may be anything.
        """
        return [self._epoch() for _ in range(epochs)]

    def _epoch(self) -> dict[str, float]:
        model, optimizer, source = self._model, self._model.optimizer, self._source
        xp = namespace_of(model.parameters)
        optimizer.progress = Progress(optimizer.steps, model.epochs, model.samples, source.batches, source.rows)
        seconds, samples, losses, right = -time.perf_counter(), 0, [], []
        with np.errstate(all="ignore"):  # divergence is looked for once, below
            for x, target in source.epoch():
                run = Eager(len(x), target.weights, optimizer.steps + 1, model.key)
                self._step(run, x, target)
                optimizer.steps += 1
                samples += len(x)
                losses.append(run.loss * len(x))
                right.append(run.right)
                if self._callback is not None:
                    self._callback(optimizer.steps, model)
        loss, score = (_total(xp, each) / samples for each in (losses, right))
        seconds += time.perf_counter()
        changed = model.parameters, model.statistics, optimizer.state
        if not (math.isfinite(loss) and all(xp.isfinite(array).all() for array in changed)):
            raise diverged(model, loss)
        model.epochs += 1
        model.samples += samples
        scores = {"accuracy": score} if model.loss.classifies else {}
        return {"loss": loss, **scores, "seconds": seconds}

    def _step(self, run: Eager, x: NDArray[Any], target: Target) -> None:
        try:
            step(run, self._model, x, target)
        except MemoryError as error:
            fewer = max(1, len(x) // 2)
            raise MemoryError(
                f"a batch of {len(x)} samples does not fit into memory; try batch_size={fewer}"
            ) from error


def diverged(model: Any, loss: float) -> FloatingPointError:
    """The error of an epoch whose loss, or a weight, is no finite number."""
    return FloatingPointError(
        f"diverged in epoch {len(model.history.get('loss', ())) + 1} (loss {loss:g}); "
        f"the weights before it are kept; try a learning_rate below {model.optimizer.learning_rate:g}"
    )


def _total(xp: Any, of_batches: list[Any]) -> float:
    """The sum over the batches. On a GPU, this waits for the epoch."""
    return float(sum(moved(xp.asarray(of_batches), np).tolist()))
