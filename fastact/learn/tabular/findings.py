"""What a training on a table showed: figures, sentences and a picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastact.language import Message
from fastact.language import translated as _
from fastact.learn.result import Result, Table
from fastact.learn.tabular.model import TableModel
from fastact.learn.tabular.scores import ClassScores, NumberScores

__all__ = ["Parts", "Training", "score_tables"]

#: The most classes whose confusion is a table.
_MOST_CLASSES = 12
#: The validation loss must have risen by this factor to speak of overfitting.
_RISE = 1.05
#: Classes are unbalanced if the most frequent one has this many times the rows of the rarest.
_UNBALANCED = 3


@dataclass(frozen=True)
class Parts:
    """How many rows the network learnt from, how many chose its epoch, and how many measured it."""

    train: int
    validation: int
    test: int


@dataclass(frozen=True)
class Training(Result):
    """What `fastact.learn.tabular.train` found.

    Attributes
    ----------
    model : TableModel
        Of the best epoch. It learnt from the training part alone.
    scores : ClassScores or NumberScores
        On the test part.
    best_epoch : int
        The one with the lowest validation loss, from 1.
    parts : Parts
    notes : tuple of Message
        What was done with the table.
    pairs : ndarray (2, n), optional
        True and predicted numbers of some rows of the test part, if it is a regression.
    interrupted : bool
        Whether Ctrl-C ended it.
    seconds : float
    """

    model: TableModel
    scores: ClassScores | NumberScores
    best_epoch: int
    parts: Parts
    notes: tuple[Message, ...]
    pairs: NDArray[np.float64] | None
    interrupted: bool
    seconds: float

    @property
    def history(self) -> dict[str, list[float]]:
        """Losses, accuracies and seconds by epoch, as `fastact.MLP` has them."""
        return self.model.network.history

    @property
    def title(self) -> str:
        sizes = "-".join(map(str, self.model.network.layer_sizes))
        text = _('A {sizes} network predicts "{target}"')
        return text.format(sizes=sizes, target=self.model.target.name)

    def tables(self) -> list[Table]:
        return score_tables(self.scores, _("On {rows} rows that it did not learn from"))

    def sentences(self) -> list[str]:
        return [*map(str, self.notes), *self._on_rows(), *score_sentences(self.scores), *self._on_epochs()]

    def as_dict(self) -> dict[str, Any]:
        network = self.model.network
        return {
            "title": self.title,
            "task": self.model.target.task,
            "target": self.model.target.name,
            "layer_sizes": list(network.layer_sizes),
            "activations": [layer.activation.name for layer in network.layers],
            "optimizer": network.optimizer.name,
            "batch_size": network._rows,
            "seed": network.seed,
            "rows": vars(self.parts),
            "history": self.history,
            "best_epoch": self.best_epoch,
            "interrupted": self.interrupted,
            "seconds": self.seconds,
            "scores": self.scores.as_dict(),
            "notes": list(map(str, self.notes)),
        }

    def _on_rows(self) -> list[str]:
        text = _(
            "The network learnt from {train} rows. {validation} others chose its epoch, and {test} others measured it: "
            "it learnt from none of these."
        )
        return [text.format(**{name: f"{count:,}" for name, count in vars(self.parts).items()})]

    def _on_epochs(self) -> list[str]:
        """What the learning curves show."""
        best, epochs = self.best_epoch, len(self.history["loss"])
        losses, held_out = self.history["loss"], self.history["val_loss"]
        lines = []
        if self.interrupted:
            lines.append(_("Ctrl-C ended training after epoch {epochs}.").format(epochs=epochs))
        if held_out[-1] > _RISE * held_out[best - 1] and losses[-1] < losses[best - 1]:
            text = _(
                "Overfitting: after epoch {best} the validation loss rose from {low} to {high}, while the training "
                "loss fell from {before} to {after}. The model is that of epoch {best}."
            )
            values = {"low": held_out[best - 1], "high": held_out[-1], "before": losses[best - 1], "after": losses[-1]}
            lines.append(text.format(best=best, **{name: f"{value:.3g}" for name, value in values.items()}))
        elif best == epochs:
            text = _("The validation loss was lowest after the last epoch, {epochs}: more epochs may lower it further.")
            lines.append(text.format(epochs=epochs))
        else:
            text = _("The validation loss was lowest after epoch {best} of {epochs}. The model is that of this epoch.")
            lines.append(text.format(best=best, epochs=epochs))
        return lines


def score_tables(scores: ClassScores | NumberScores, title: str) -> list[Table]:
    """The scores beside those of the simplest prediction; for classes, the confusion too. The title has {rows}."""
    measures: list[tuple[str, str, Callable[[Any], str]]]
    if isinstance(scores, NumberScores):
        measures = [("R2", "r2", _figure), ("RMSE", "rmse", _figure), ("MAE", "mae", _figure)]
        simplest = _("always the mean, {mean}").format(mean=_figure(scores.guess))
    else:
        measures = [
            (_("accuracy"), "accuracy", _percent),
            (_("balanced accuracy"), "balanced_accuracy", _percent),
            (_("log loss"), "log_loss", _figure),
        ]
        simplest = _('always "{name}"').format(name=scores.classes[scores.usual])
    pair = scores, scores.baseline
    rows = [[label, *(write(getattr(each, name)) for each in pair)] for label, name, write in measures]
    found = [Table([_("measure"), _("network"), simplest], rows, title=title.format(rows=f"{scores.rows:,}"))]
    if isinstance(scores, ClassScores) and len(scores.classes) <= _MOST_CLASSES:
        named = zip(scores.classes, scores.confusion, strict=True)
        lines = [[name, *(f"{count:,}" for count in counts)] for name, counts in named]
        title = _("Rows by their true and predicted class")
        found.append(Table([_("true class"), *scores.classes], lines, title=title))
    return found


def score_sentences(scores: ClassScores | NumberScores) -> list[str]:
    """Whether the network is better than the simplest prediction, and whether accuracy misleads."""
    base: Any = scores.baseline
    if isinstance(scores, NumberScores):
        better = _("The network's error (RMSE {own}) is smaller than when always answering the mean ({simple}).")
        unclear = _(
            "The network's error (RMSE {own}) is not clearly smaller than when always answering the mean "
            "({simple}): among {rows} rows, chance may make such a difference."
        )
        no_better = _("The network's error (RMSE {own}) is not smaller than when always answering the mean ({simple}).")
        ahead = scores.rmse < base.rmse
        figures = {"own": _figure(scores.rmse), "simple": _figure(base.rmse)}
    else:
        better = _('The network\'s accuracy is {own}; always answering "{name}" gives {simple}.')
        unclear = _(
            'The network\'s accuracy is {own}; always answering "{name}" gives {simple}. The network is not clearly '
            "better: among {rows} rows, chance may make such a difference."
        )
        no_better = _(
            'The network\'s accuracy is {own}; always answering "{name}" gives {simple}. The network is no better.'
        )
        ahead = scores.accuracy > base.accuracy
        figures = {"own": _percent(scores.accuracy), "simple": _percent(base.accuracy)}
        figures["name"] = scores.classes[scores.usual]
    text = better if scores.certain else unclear if ahead else no_better
    lines = [text.format(rows=f"{scores.rows:,}", **figures)]
    if isinstance(scores, ClassScores):
        counts = scores.confusion.sum(axis=1)
        rare, frequent = int(counts.argmin()), int(counts.argmax())
        if counts[frequent] >= _UNBALANCED * counts[rare]:
            text = _(
                "The classes are unbalanced: {frequent} has {most} of these rows, {rare} has {least}. Balanced "
                "accuracy counts all classes alike."
            )
            names = {"frequent": scores.classes[frequent], "rare": scores.classes[rare]}
            lines.append(text.format(most=f"{counts[frequent]:,}", least=f"{counts[rare]:,}", **names))
    return lines


def _percent(value: float) -> str:
    return f"{value:.1%}"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
