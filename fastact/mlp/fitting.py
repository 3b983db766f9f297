"""The loop over epochs: history, validation, early stopping, callbacks, checkpoints.

After any error, or Ctrl-C, the model is at the end of its last whole epoch.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Any

from fastact.mlp.lbfgs import WholeTrainer
from fastact.mlp.recorder import Unrecordable
from fastact.mlp.schedules import LEAST_RATE, Adaptive
from fastact.mlp.sources import Arrays, Batches, Remote
from fastact.mlp.stopping import Course
from fastact.mlp.training import EagerTrainer, History, RecordedTrainer

__all__ = ["Looks", "fit"]

#: What `fit` adds to the history.
_RECORDED = ("loss", "accuracy", "seconds", "val_loss", "val_accuracy")

#: So few steps are not worth a record, which takes as long as computing three of them.
_FEW_STEPS = 2


@dataclass
class Looks:
    """Those who look at the model between epochs, or between batches; None where nobody does."""

    validation: Callable[[], History] | None = None  # gives loss and score of data that training does not see
    patience: int | None = None
    tolerance: float = 0.0
    callback: Callable[[int, Any], object] | None = None
    batch_callback: Callable[[int, Any], object] | None = None
    checkpoint: Any = None
    checkpoint_every: int = 1
    progress: Callable[[int, str], object] | None = None  # gets how many epochs were trained, and a text

    @property
    def each_epoch(self) -> bool:
        """Whether somebody looks after every epoch, so that they cannot be computed many at a time."""
        wishes = self.validation, self.patience, self.callback, self.checkpoint, self.progress
        return any(each is not None for each in wishes)


def fit(model: Any, source: Arrays | Batches | Remote, epochs: int, looks: Looks, course: Course) -> None:
    """Train until `course` has `epochs` epochs, or ends before."""
    trainer = _trainer(model, source, looks, epochs - course.epochs)
    most = 1 if looks.each_epoch or not model.optimizer.schedule.ahead else trainer.most
    while course.epochs < epochs and not course.ended:
        before = _state(model)
        try:
            wanted = min(epochs - course.epochs, most)
            found = trainer.run(wanted)
            if looks.validation is not None:
                found.update(looks.validation())
            for name, values in found.items():
                model.history.setdefault(name, []).extend(values)
            _observe(model, looks, course, found)
            if isinstance(trainer, WholeTrainer) and len(found["loss"]) < wanted:  # converged
                course.ended = True
        except BaseException:
            _go_back(model, *before)
            raise
        if looks.progress is not None:
            looks.progress(len(found["loss"]), f"loss {found['loss'][-1]:.4f}")
        if looks.callback is not None and looks.callback(len(model.history["loss"]), model):
            course.ended = True
        if looks.checkpoint is not None and (
            course.epochs % looks.checkpoint_every == 0 or course.ended or course.epochs == epochs
        ):
            model._checkpoint(looks.checkpoint, course)
    if course.best is not None:
        model.parameters[...], model.statistics[...] = course.best


def _trainer(model: Any, source: Arrays | Batches | Remote, looks: Looks, epochs: int) -> Any:
    """Choose who runs the epochs; raise ValueError for what that one cannot do."""
    if not model.optimizer.whole:
        if isinstance(source, Remote):
            return source.trainer(looks.batch_callback)
        few = epochs * source.batches <= _FEW_STEPS
        if isinstance(source, Arrays) and looks.batch_callback is None and not few:
            with suppress(Unrecordable):
                return RecordedTrainer(model, source)
        return EagerTrainer(model, source, looks.batch_callback)
    if not isinstance(source, Arrays):
        raise ValueError("optimizer='lbfgs' takes all samples at once; give arrays X and y, or take 'adam'")
    for field in fields(looks):
        if field.name not in ("tolerance", "checkpoint_every", "progress") and getattr(looks, field.name) is not None:
            raise ValueError(f"optimizer='lbfgs' shows no epochs, so that fit takes no {field.name}; take 'adam'")
    return WholeTrainer(model, source)


def _observe(model: Any, looks: Looks, course: Course, found: History) -> None:
    """Let the course learn of whole epochs; only the last can be the best, since who looks gets them one by one."""
    schedule = model.optimizer.schedule
    course.epochs += len(found["loss"])
    if looks.patience is None and not isinstance(schedule, Adaptive):
        return
    for loss, watched in zip(found["loss"], found.get("val_loss", found["loss"]), strict=True):
        if looks.patience is not None:
            if course.stopping.add(watched, looks.tolerance):
                course.best = model.parameters.copy(), model.statistics.copy()
            course.ended |= course.stopping.waited > looks.patience
        if isinstance(schedule, Adaptive):
            course.adaptive.add(loss, schedule.tolerance)
            if course.adaptive.waited > schedule.patience:
                course.adaptive.waited = 0
                if model.optimizer.learning_rate <= LEAST_RATE:
                    course.ended = True
                else:
                    model.optimizer.learning_rate /= 5


def _state(model: Any) -> tuple[Any, ...]:
    """All that training changes, for `_go_back`."""
    optimizer = model.optimizer
    arrays = [(array, array.copy()) for array in (model.parameters, model.statistics, optimizer.state)]
    numbers = optimizer.steps, optimizer.learning_rate, model.epochs, model.samples
    return arrays, numbers, model._random_state, {name: len(model.history.get(name, ())) for name in _RECORDED}


def _go_back(model: Any, arrays: Any, numbers: Any, random_state: Any, lengths: dict[str, int]) -> None:
    for array, before in arrays:
        array[...] = before
    model.optimizer.steps, model.optimizer.learning_rate, model.epochs, model.samples = numbers
    model._random_state = random_state
    for name, length in lengths.items():
        values = model.history.get(name, [])
        del values[length:]
        if not values:
            model.history.pop(name, None)
