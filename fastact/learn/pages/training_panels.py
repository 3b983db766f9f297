"""Panels of a training on a table: learning curves, and the predictions for rows that it did not learn from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from fastact.language import translated as _
from fastact.learn.pages import plots
from fastact.learn.pages.document import library, said
from fastact.learn.pages.panels import Line, Measure, Panel, Plot, View, over_epochs, thinned
from fastact.learn.pictures.style import COLOURS, INK
from fastact.learn.result import Table
from fastact.learn.tabular import ClassScores, Training

__all__ = ["panels"]

#: Pairs of numbers in a table.
MOST_PAIRS = 20


def panels(found: Training, name: str) -> Iterator[Panel]:
    """The panels; `name` begins the ids of their elements."""
    yield learning(found, f"{name}-curves")
    if isinstance(found.scores, ClassScores):
        yield confusion(found.scores, f"{name}-classes")
    elif found.pairs is not None:
        yield predictions(found.pairs, f"{name}-values")


def learning(found: Training, name: str) -> Panel:
    """The losses by epoch, and a line at the epoch whose weights the model has."""
    models = library("bokeh.models")
    history = found.history
    series = [Line(said("training"), history["loss"]), Line(said("validation"), history["val_loss"])]
    caption = said("Loss; dotted: epoch {epoch}, whose weights the model has", epoch=found.best_epoch)
    measure = Measure("loss", said("loss"), caption, series)
    epochs = range(1, len(history["loss"]) + 1)
    panel = over_epochs(name, said("Learning curves"), epochs, [measure])
    best = models.Span(location=found.best_epoch, dimension="height", line_color=INK, line_dash=[2, 3], line_width=1.5)
    panel.views[0].plots[0].figure.add_layout(best)
    return panel


def confusion(scores: ClassScores, name: str) -> Panel:
    """How many rows of each class are taken for which class; colours are shares of the true class."""
    models = library("bokeh.models")
    counts = scores.confusion
    size = len(counts)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    drawn = plots.figure(
        f"{name}-matrix", max(240, min(640, 46 * size + 90)), left=100, max_width=620, align="start",
        x_range=(-0.5, size - 0.5), y_range=(size - 0.5, -0.5),
    )  # fmt: skip
    true, predicted = np.indices(counts.shape).reshape(2, -1)
    source = models.ColumnDataSource(
        {
            "true": true,
            "predicted": predicted,
            "share": shares.ravel(),
            "text": [f"{count:,}" for count in counts.ravel()],
            "ink": ["white" if share > 0.5 else INK for share in shares.ravel()],
        }
    )
    drawn.rect(
        "predicted", "true", 1, 1, source=source, fill_color=COLOURS[0], fill_alpha="share", line_color="#dddddd",
    )  # fmt: skip
    if size <= 12:
        drawn.text(
            "predicted", "true", text="text", source=source, text_color="ink", text_align="center",
            text_baseline="middle", text_font={"value": plots.FONT}, text_font_size="13px",
        )  # fmt: skip
    drawn.grid.visible = False
    names = [plots.shortened(name) for name in scores.classes]
    for axis in drawn.axis:
        axis.ticker = models.FixedTicker(ticks=thinned(size, 12))
        axis.major_label_overrides = dict(enumerate(names))
    drawn.xaxis.major_label_orientation = 0.7 if len("".join(names)) > 40 else "horizontal"

    def table() -> Table:
        rows = [[own, *(f"{count:,}" for count in row)] for own, row in zip(scores.classes, counts, strict=True)]
        return Table([_("true class"), *scores.classes], rows)

    caption = said("Rows by their true and predicted class; the darker, the larger the share of the true class")
    plot = Plot(drawn, caption, said("predicted class"), said("true class"))
    return Panel(name, said("Right and wrong answers"), [View([plot], table)])


def predictions(pairs: Any, name: str) -> Panel:
    """A point for each row: true value, predicted value."""
    models = library("bokeh.models")
    true, predicted = np.asarray(pairs, float)
    drawn = plots.figure(f"{name}-pairs", 420, left=60, max_width=620, align="start")
    ends = [float(np.min(pairs)), float(np.max(pairs))]
    drawn.line(ends, ends, line_color=INK, line_dash="dashed")
    source = models.ColumnDataSource({"x": true, "y": predicted})
    dots = drawn.scatter("x", "y", source=source, color=COLOURS[0], alpha=0.5, size=7, line_color=None)
    drawn.add_tools(plots.hover([dots], "@x{%.4g} → @y{%.4g}", "@x", "@y"))
    order = np.argsort(true)
    places = [int(order[at]) for at in thinned(len(true), MOST_PAIRS)]

    def table() -> Table:
        rows = [[f"{true[at]:.4g}", f"{predicted[at]:.4g}"] for at in places]
        return Table([_("true value"), _("predicted value")], rows, words=0)

    caption = said("True and predicted values; on the dashed line they are equal")
    plot = Plot(drawn, caption, said("true value"), said("predicted value"))
    return Panel(name, said("Predictions"), [View([plot], table)])
