"""The step of training, and the trainers that take it batch by batch: by a record of it, or computing it each time.

A trainer's `run(epochs)` trains for so many epochs, at most `most`, and returns what the history gets of them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastact.mlp.eager import Eager
from fastact.mlp.layers import Kept, backward, forward
from fastact.mlp.namespaces import moved, namespace_of
from fastact.mlp.objectives import Target
from fastact.mlp.recorder import Recorder, Unrecordable
from fastact.mlp.schedules import Progress
from fastact.mlp.sources import Arrays, Batches, Remote

__all__ = ["EagerTrainer", "History", "RecordedTrainer", "diverged", "gradients", "standing", "step"]

History = dict[str, list[float]]


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


class RecordedTrainer:
    """Records the step; many epochs then run without Python. Raises Unrecordable where that cannot be.

    It records the step anew where a callback has changed a setting that the record holds.
    """

    def __init__(self, model: Any, source: Arrays) -> None:
        x = source.x
        if not isinstance(x, np.ndarray) or x.dtype != model.dtype or not x.flags.c_contiguous:
            raise Unrecordable("samples on a GPU, or to be converted batch by batch")
        self._model, self._source = model, source
        self._kept = model.parameters, model.statistics, model.optimizer.state
        self._generator = model._bit_generator if source.shuffle else None
        self._ordered = source.shuffle and self._generator is None  # by the model, epoch by epoch
        self._error: BaseException | None = None
        self._record()

    def _record(self) -> None:
        model, source, target = self._model, self._source, self._source.target
        self._recorded = self._settings()
        recorder = self._recorder = Recorder(model.dtype, min(model._rows, source.rows), source.rows, model._key)
        with _enough_memory(recorder.rows), np.errstate(all="ignore"):
            batch = Target(*(None if each is None else recorder.batch(each) for each in target))
            recorder.weights = batch.weights
            step(recorder, model, recorder.batch(source.x), batch)
        self.most = 1 if self._ordered else recorder.most_epochs

    def _settings(self) -> tuple[Any, ...]:
        """What the record holds for all steps."""
        model = self._model
        return model._rows, model.l2, model.l2_shared, *model.optimizer.recorded

    def run(self, epochs: int) -> History:
        """After an error or Ctrl-C the model is at the end of the last whole epoch.

        If some epochs came before it in this call, what the history gets of them is returned, and the next call raises.
        """
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        if self._recorded != self._settings():
            self._record()
        model, source, recorder, optimizer = self._model, self._source, self._recorder, self._model.optimizer
        optimizer.progress = standing(model, source)
        random_state, steps = model._random_state, optimizer.steps
        try:
            chosen = np.ascontiguousarray(source.order(), np.intp) if self._ordered else source.chosen
            with np.errstate(all="ignore"):  # 0.9**steps underflows
                recorder.run(self._generator, chosen, epochs, steps, self._kept)
        except BaseException as error:  # a formula's, or what Ctrl-C raised
            if len(recorder.ended) in (0, epochs):
                raise
            self._error = error
        done = len(recorder.ended)
        if done < epochs:
            if self._error is None:
                self._error = diverged(model, recorder.last_loss, done)
            model._random_state = random_state
            for _ in range(0 if self._generator is None else done):
                model._permutation(source.rows)
        if not done:
            return self.run(epochs)
        optimizer.steps += done * recorder.steps_per_epoch
        model.epochs += done
        model.samples += done * source.rows
        loss, accuracy, seconds = recorder.ended.T.tolist()
        return {"loss": loss, **({"accuracy": accuracy} if model.loss.classifies else {}), "seconds": seconds}


class EagerTrainer:
    """Computes each operation when it is asked for."""

    most = 1

    def __init__(
        self, model: Any, source: Arrays | Batches, batch_callback: Callable[[int, Any], object] | None = None
    ) -> None:
        self._model, self._source, self._callback = model, source, batch_callback

    def run(self, epochs: int) -> History:
        """After an error or Ctrl-C the model may be anything."""
        model, optimizer, source = self._model, self._model.optimizer, self._source
        xp = namespace_of(model.parameters)
        optimizer.progress = standing(model, source)
        seconds, samples, losses, right = -time.perf_counter(), 0, [], []
        with np.errstate(all="ignore"):  # divergence is looked for once, below
            for x, target in source.epoch():
                run = Eager(len(x), target.weights, optimizer.steps + 1, model._key)
                with _enough_memory(len(x)):
                    step(run, model, x, target)
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
        return {"loss": [loss], **({"accuracy": [score]} if model.loss.classifies else {}), "seconds": [seconds]}


@contextmanager
def _enough_memory(rows: int) -> Iterator[None]:
    """Say what to do where a batch is too large."""
    try:
        yield
    except MemoryError as error:
        fewer = max(1, rows // 2)
        raise MemoryError(f"a batch of {rows} samples does not fit into memory; try batch_size={fewer}") from error


def diverged(model: Any, loss: float, ended: int = 0) -> FloatingPointError:
    """The error of an epoch whose loss, or a weight, is no finite number; `ended` epochs are not in the history yet."""
    return FloatingPointError(
        f"diverged in epoch {len(model.history.get('loss', ())) + ended + 1} (loss {loss:g}); "
        f"the weights before it are kept; try a learning_rate below {model.optimizer.learning_rate:g}"
    )


def standing(model: Any, source: Arrays | Batches | Remote) -> Progress:
    """Where training stands, for the learning-rate schedule."""
    return Progress(model.optimizer.steps, model.epochs, model.samples, source.batches, source.rows)


def _total(xp: Any, of_batches: list[Any]) -> float:
    """The sum over the batches, in order, as a recorded epoch adds. On a GPU, this waits for the epoch."""
    total = 0.0  # not `sum`, which compensates for rounding from Python 3.12 on
    for value in moved(xp.asarray(of_batches), np).tolist():
        total += value
    return total
