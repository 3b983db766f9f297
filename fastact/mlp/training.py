"""The step of training, and the trainers that take it batch by batch: by a record of it, or computing it each time."""

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
from fastact.mlp.recorder import Recorder, Unrecordable

__all__ = ["gradients", "step", "trainer_for"]


def trainer_for(model: Any, x: NDArray[Any], target: Target) -> RecordedTrainer | EagerTrainer:
    """The trainer for a model and its samples: one that records the step, where all of it is machine code."""
    try:
        return RecordedTrainer(model, x, target)
    except Unrecordable:
        return EagerTrainer(model, x, target)


def gradients(run: Any, model: Any, x: NDArray[Any], target: Target, output: bool = False) -> list[Kept]:
    """The forward and backward pass of a batch: the loss in `run`, the gradients in the layers."""
    passes = forward(run, model.layers, x, output or not model.loss.fused)
    backward(run, model.layers, passes, model.loss.gradient(run, model.layers[-1], passes[-1], target))
    return passes


def step(run: Any, model: Any, x: NDArray[Any], target: Target) -> None:
    """One update of the model by a batch."""
    gradients(run, model, x, target)
    model.optimizer.update(run)


class RecordedTrainer:
    """Records the step once; many epochs then run without Python."""

    def __init__(self, model: Any, x: NDArray[Any], target: Target) -> None:
        if namespace_of(x) is not np:
            raise Unrecordable("arrays on a GPU")
        self._model, self._samples = model, len(x)
        recorder = self._recorder = Recorder(model.dtype, min(model.batch_size, len(x)), len(x))
        batch = Target(*(None if each is None else recorder.batch(each) for each in target))
        recorder.weights = batch.weights
        step(recorder, model, recorder.batch(x), batch)
        self._kept = model.parameters, model.optimizer.state
        self.most = recorder.most_epochs
        self._error: BaseException | None = None

    def run(self, epochs: int) -> dict[str, list[float]]:
        """Train for `epochs` epochs, at most `most`; return what the history gets of them.

        After an error or Ctrl-C the model is at the end of the last whole epoch. If some came before it in this call,
        what the history gets of them is returned, and the next call raises.
        """
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        model, rng = self._model, self._model.rng
        before = rng.bit_generator.state
        try:
            history = self._recorder.run(rng, epochs, model.optimizer.steps, self._kept)
        except BaseException as error:  # a formula's, or what Ctrl-C raised
            history, self._error = self._recorder.ended, error
        else:
            if len(history) < epochs:
                number = len(model.history.get("loss", ())) + len(history) + 1
                self._error = diverged(number, self._recorder.last_loss, model.optimizer.learning_rate)
        model.optimizer.steps += len(history) * self._recorder.steps_per_epoch
        if self._error is not None:
            rng.bit_generator.state = before
            for _ in history:
                model.permutation(self._samples)
            if not len(history):
                return self.run(epochs)
        loss, accuracy, seconds = history.T.tolist()
        return {"loss": loss, **({"accuracy": accuracy} if model.loss.classifies else {}), "seconds": seconds}


class EagerTrainer:
    """Computes each operation when it is asked for."""

    #: The most epochs of one call of `run`.
    most = 1

    def __init__(self, model: Any, x: NDArray[Any], target: Target) -> None:
        self._model, self._x, self._target = model, x, target

    def run(self, epochs: int) -> dict[str, list[float]]:
        """Train for one epoch; return what the history gets of it.

        After an error or Ctrl-C the model may be anything.
        """
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
            raise diverged(len(model.history.get("loss", ())) + 1, loss, model.optimizer.learning_rate)
        scores = {"accuracy": [score]} if model.loss.classifies else {}
        return {"loss": [loss], **scores, "seconds": [time.perf_counter() - started]}


def _total(xp: Any, of_batches: list[Any]) -> float:
    """The sum over the batches. On a GPU, this waits for the epoch."""
    return float(sum(moved(xp.asarray(of_batches), np).tolist()))


def diverged(epoch: int, loss: float, learning_rate: float) -> FloatingPointError:
    """The error of an epoch after which a number is infinite or NaN."""
    return FloatingPointError(
        f"diverged in epoch {epoch} (loss {loss:g}); "
        f"the weights before it are kept; try a learning_rate below {learning_rate:g}"
    )
