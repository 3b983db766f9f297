"""The step on a cluster, and the loop over the steps of an epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fastact.dask.training.tasks import Share, State, added, gradient, same
from fastact.mlp.eager import Eager
from fastact.mlp.normalisation import Normalised
from fastact.mlp.training import History, diverged, standing

__all__ = ["ClusterTrainer", "Group"]

#: How many gradients a task adds. Only their sum comes here: of eight with two million numbers each, taking in all of
#: them costs this process and the scheduler 130 ms a step, and taking in the sum 63 ms.
FAN = 8


class Group:
    """Blocks whose rows make the same batches: each step takes an equal share of each."""

    def __init__(self, rows: list[int], opened: list[Any], batch: int) -> None:
        self.rows, self.opened = rows, opened
        self.steps = -(-sum(rows) // batch)

    def shares(self, step: int) -> Iterator[tuple[Any, int, int]]:
        """The rows of a step: an opened block, the first row, and the one after the last."""
        for block, rows in zip(self.opened, self.rows, strict=True):
            start, stop = (rows * each // self.steps for each in (step, step + 1))
            if start < stop:
                yield block, start, stop


class ClusterTrainer:
    """Sends the parameters out for each step, and takes the sum of the gradients in.

    Its `run` is that of mlp/training.py's trainers.
    """

    most = 1

    def __init__(self, source: Any, callback: Callable[[int, Any], object] | None = None) -> None:
        self._source, self._model, self._callback = source, source.model, callback

    def run(self, epochs: int) -> History:
        """After an error or Ctrl-C the model may be anything."""
        model, optimizer, source = self._model, self._model.optimizer, self._source
        optimizer.progress = standing(model, source)
        seconds, samples, loss, right = -time.perf_counter(), 0, 0.0, 0
        with np.errstate(all="ignore"):
            for group in source.groups():
                for number in range(group.steps):
                    share, of_step = self._step(group, number)
                    samples += share.rows
                    loss += of_step * share.rows
                    right += share.right
                    if self._callback is not None:
                        self._callback(optimizer.steps, model)
                del group  # from the workers' memory, before another one is opened
        seconds += time.perf_counter()
        loss /= samples
        changed = model.parameters, model.statistics, optimizer.state
        if not (math.isfinite(loss) and all(np.isfinite(array).all() for array in changed)):
            raise diverged(model, loss)
        model.epochs += 1
        model.samples += samples
        score = {"accuracy": [right / samples]} if model.loss.classifies else {}
        return {"loss": [loss], **score, "seconds": [seconds]}

    def _step(self, group: Group, number: int) -> tuple[Share, float]:
        """One update by the shares of a step, and its loss with the penalties."""
        model, scheduler, step = self._model, self._source.scheduler, self._model.optimizer.steps + 1
        state = scheduler.task("parameters of step", same, State.of(model, self._source.network))
        tasks = [
            scheduler.task("gradient of step", gradient, state, step, place, *rows)
            for place, rows in enumerate(group.shares(number))
        ]
        while len(tasks) > 1:
            parts = [tasks[start : start + FAN] for start in range(0, len(tasks), FAN)]
            tasks = [scheduler.task("sum of gradients", added, part) for part in parts]
        (share,) = scheduler.compute(tasks)
        run = Eager(share.rows, step=step, key=model._key)
        model.gradients[...] = share.gradient
        run.loss = share.loss
        if model.l2:
            weighs = 1 / share.weight if share.weight else 0.0
            for layer in model.layers:
                layer.penalise(run, model.l2, weighs if model.l2_shared else 1.0)
        self._learn(run, share)
        model.optimizer.update(run)
        model.optimizer.steps += 1
        return share, float(run.loss)

    def _learn(self, run: Any, share: Share) -> None:
        """Move the running averages of batch normalisation."""
        start = 0
        for layer in self._model.layers:
            if layer.normalisation is not None:
                part = slice(start, start + layer.plan.shape[1])
                start = part.stop
                mean, variance = (each[part].astype(self._model.dtype) for each in (share.means, share.variances))
                layer.normalisation.learn(run, Normalised(mean, mean, variance, variance))
