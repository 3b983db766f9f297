"""The pictures of the checks of a network: its first loss, one batch that it learns by heart, and learning rates."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastact.language import translated as _
from fastact.learn.diagnostics.chance import FirstLoss
from fastact.learn.diagnostics.one_batch import OneBatch
from fastact.learn.diagnostics.rates import LearningRates
from fastact.learn.pictures import style

__all__ = ["draw_first_loss", "draw_learning_rates", "draw_one_batch"]


@style.lettering()
def draw_first_loss(found: FirstLoss) -> Any:
    """A bar for each row of the table."""
    figure = style.figure(6.4, 2.2)
    axes = figure.subplots()
    [table] = found.tables()
    names, losses = zip(*table.rows, strict=True)
    for place, value in enumerate(map(float, losses)):
        axes.barh(place, value, color=style.COLOURS[place])
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel(table.columns[1])
    style.tidy(axes)
    return figure


@style.lettering()
def draw_one_batch(found: OneBatch) -> Any:
    """The loss by step."""
    figure = style.figure(7, 4)
    axes = figure.subplots()
    axes.plot(np.arange(1, len(found.losses) + 1), found.losses, linewidth=2, label=_("loss"), **style.line(0))
    axes.axhline(found.goal, linewidth=2, label=_("nearly 0"), **style.line(1))
    axes.set_yscale("log")
    axes.set_xlabel(_("step"))
    axes.set_title(found.title, fontsize=11, loc="left")
    style.tidy(axes)
    axes.legend(frameon=False)
    return figure


@style.lettering()
def draw_learning_rates(found: LearningRates) -> Any:
    """The loss by the learning rate."""
    figure = style.figure(7, 4)
    axes = figure.subplots()
    axes.plot(found.rates, found.losses, color=style.PALE, linewidth=1, label=_("of each step"))
    axes.plot(found.rates, found.smoothed, linewidth=2, label=_("smoothed"), **style.line(0))
    marks = {_("falls fastest"): found.suggestion, _("diverges"): found.diverges, _("the network's"): found.current}
    for place, (text, rate) in enumerate(marks.items(), 1):
        if rate is not None:
            axes.axvline(rate, label=f"{text} {rate:.2g}", linewidth=2, **style.line(place))
    axes.set_xscale("log")
    axes.set_xlabel(_("learning rate"))
    axes.set_ylabel(_("loss of the batch"))
    if np.isfinite(found.smoothed[0]):
        axes.set_ylim(0, 1.5 * found.smoothed[0])
    axes.set_title(found.title, fontsize=11, loc="left")
    style.tidy(axes)
    axes.legend(frameon=False)
    return figure
