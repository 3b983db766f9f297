"""The picture of a training on a table: learning curves, and true against predicted."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastact.language import translated as _
from fastact.learn.pictures import style
from fastact.learn.tabular.findings import Training
from fastact.learn.tabular.scores import ClassScores

__all__ = ["draw"]

#: The most classes whose names and numbers of rows fit.
_LEGIBLE = 12
_LONGEST_NAME = 16


@style.lettering()
def draw(training: Training) -> Any:
    """Two axes in a new Figure."""
    figure = style.figure(11, 4.8)
    figure.suptitle(style.literal(training.title), fontsize=13, x=0.01, ha="left")
    left, right = figure.subplots(1, 2)
    _losses(left, training)
    if isinstance(training.scores, ClassScores):
        _confusion(right, training.scores)
    else:
        _pairs(right, training.pairs)
    return figure


def _losses(axes: Any, training: Training) -> None:
    history = training.history
    style.losses(axes, history)
    label = _("the model, epoch {epoch}").format(epoch=training.best_epoch)
    axes.axvline(training.best_epoch, color=style.INK, linewidth=1, linestyle=":", label=label)
    axes.set_xlabel(_("epoch"))
    axes.set_ylabel(_("loss"))
    axes.set_ylim(0, 1.05 * max(history["loss"] + history["val_loss"]))
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_title(_("Learning curves"), fontsize=11, loc="left")
    axes.legend(frameon=False)
    style.tidy(axes)


def _confusion(axes: Any, scores: ClassScores) -> None:
    """Each row of the matrix in shares of its true class, so that rare classes are seen too."""
    counts = scores.confusion
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xlabel(_("predicted class"))
    axes.set_ylabel(_("true class"))
    axes.set_title(_("Rows of the test part"), fontsize=11, loc="left")
    if len(counts) > _LEGIBLE:
        return
    names = [name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…" for name in scores.classes]
    turned = len("".join(names)) > 40
    names = [style.literal(name) for name in names]
    axes.set_xticks(range(len(names)), names, rotation=40 if turned else 0, ha="right" if turned else "center")
    axes.set_yticks(range(len(names)), names)
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if shares[row, column] > 0.5 else style.INK
        axes.text(column, row, f"{count:,}", ha="center", va="center", color=colour, fontsize=9)


def _pairs(axes: Any, pairs: Any) -> None:
    true, predicted = pairs
    axes.plot(true, predicted, "o", color=style.COLOURS[0], alpha=0.5, markersize=5, markeredgewidth=0)
    ends = [min(true.min(), predicted.min()), max(true.max(), predicted.max())]
    axes.plot(ends, ends, color=style.INK, linewidth=1, linestyle="--", label=_("predicted = true"))
    axes.set_xlabel(_("true value"))
    axes.set_ylabel(_("predicted value"))
    axes.set_title(_("Rows of the test part"), fontsize=11, loc="left")
    axes.legend(frameon=False)
    style.tidy(axes)
