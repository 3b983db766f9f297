"""Panels of a comparison: learning curves, where each run ends, and how networks part the plane."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from fastact.language import current
from fastact.language import translated as _
from fastact.learn.experiments.comparing import findings
from fastact.learn.experiments.comparing.compared import best_first
from fastact.learn.experiments.comparison import Comparison
from fastact.learn.experiments.xor import Xor
from fastact.learn.pages import plots
from fastact.learn.pages.document import Texts, all_languages, library, said
from fastact.learn.pages.panels import Line, Measure, Panel, Plot, View, over_epochs, same
from fastact.learn.pictures import comparison as picture
from fastact.learn.pictures.style import COLOURS, shades
from fastact.learn.result import Table

__all__ = ["of_xor", "panels"]

#: Of the classes' points.
MARKERS = ("circle", "square", "triangle", "diamond")
SIGNS = "●■▲◆"


def panels(found: Comparison, name: str) -> Iterator[Panel]:
    """The panels; `name` begins the ids of their elements."""
    yield learning(found, f"{name}-curves")
    yield ends(found, f"{name}-ends")
    if found.boundaries is not None:
        yield planes(found, f"{name}-planes")


def of_xor(found: Xor, name: str) -> Iterator[Panel]:
    """Those of both comparisons, each below its title."""
    for number, comparison in enumerate(found.comparisons):
        first, *rest = panels(comparison, f"{name}-{number}")
        yield replace(first, group=all_languages(partial(findings.title, comparison)))
        yield from rest


def learning(found: Comparison, name: str) -> Panel:
    """The mean over the seeds, and a band of one standard deviation."""
    words = {
        "score": all_languages(partial(findings.score_word, found)),
        "loss": said("test loss"),
        "train_loss": said("training loss"),
    }
    measures = []
    for field, texts in words.items():
        series = []
        for summary in found.summaries():
            mean, spread = summary.course(field)
            top = np.minimum(mean + spread, 1) if field == "score" else mean + spread
            label = all_languages(partial(found.label, summary.setting))
            series.append(Line(label, mean.tolist(), (mean - spread, top) if found.seeds > 1 else None))
        caption = all_languages(partial(summed_up, texts, found.seeds))
        limits = picture.limits(found, [line.y for line in series]) if field == "score" else None
        measures.append(Measure(field, texts, caption, series, limits=limits))
    return over_epochs(name, said("Learning curves"), range(1, len(found.runs[0].score) + 1), measures)


def summed_up(measure: Texts, seeds: int) -> str:
    """What a line shows, in the language in use."""
    if seeds == 1:
        return _("{measure} of one seed").format(measure=measure[current()])
    text = _("{measure}: mean of {seeds} seeds; the band is one standard deviation to each side")
    return text.format(measure=measure[current()], seeds=seeds)


def ends(found: Comparison, name: str) -> Panel:
    """A dot for each run, a bar for the mean; best settings on top."""
    models = library("bokeh.models")
    summaries = best_first(found)
    labels = [all_languages(partial(found.label, each.setting)) for each in summaries]
    places = {each.setting: place for place, each in enumerate(found.summaries())}
    drawn = plots.figure(
        f"{name}-scores", max(180, 34 * len(summaries) + 70), y_range=(len(summaries) - 0.4, -0.6), left=120
    )
    styles = plots.styles(len(summaries))
    rows = [row + 0.5 * ((np.arange(found.seeds) + 0.5) / found.seeds - 0.5) for row in range(len(summaries))]
    for row, (summary, heights) in enumerate(zip(summaries, rows, strict=True)):
        colour = styles[places[summary.setting]]["colour"]
        seeds = [run.seed for run in summary.runs]
        source = models.ColumnDataSource({"x": summary.ends, "y": heights, "seed": seeds})
        dots = drawn.scatter("x", "y", source=source, color=colour, alpha=0.65, size=8, line_color=None)
        drawn.segment([summary.score], [row - 0.36], [summary.score], [row + 0.36], color=colour, line_width=3)
        drawn.add_tools(plots.hover([dots], "@seed: @x{%.4f}", "@x"))
    drawn.yaxis.ticker = models.FixedTicker(ticks=list(range(len(summaries))))
    drawn.yaxis.major_label_overrides = {row: plots.shortened(label[current()], 24) for row, label in enumerate(labels)}
    drawn.ygrid.visible = False
    drawn.xaxis.ticker.desired_num_ticks = 4
    caption = said("After the last epoch: a dot for each seed, a bar at their mean")

    def table() -> Table:
        cells = [[f"{end:.4f}" for end in each.ends] for each in summaries]
        texts = [label[current()] for label in labels]
        seeds = [_("seed {seed}").format(seed=run.seed) for run in summaries[0].runs]
        return Table([_("hidden layers"), *seeds], [[text, *row] for text, row in zip(texts, cells, strict=True)])

    plot = Plot(drawn, caption, all_languages(partial(findings.score_word, found)))
    return Panel(name, said("Every run"), [View([plot], table)])


def planes(found: Comparison, name: str) -> Panel:
    """How the networks of seed 0 part the plane, epoch by epoch."""
    models = library("bokeh.models")
    seen: Any = found.boundaries
    classes = int(seen.labels.max()) + 1
    (left, right), (bottom, top) = seen.x_range, seen.y_range
    drawn = plots.figure(
        f"{name}-plane", 420, x_range=(left, right), y_range=(bottom, top), max_width=520, align="start"
    )
    palette = [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in np.round(255 * shades(classes)).astype(int)]
    images = [image for values in seen.values.values() for image in values]
    source = models.ColumnDataSource({"image": images})
    shown = models.IndexFilter(indices=[len(seen.epochs) - 1])
    drawn.image(
        "image", source=source, view=models.CDSView(filter=shown), x=left, y=bottom, dw=right - left, dh=top - bottom,
        color_mapper=models.LinearColorMapper(palette, low=0, high=255 if classes == 2 else classes - 1),
    )  # fmt: skip
    size = 6 if len(seen.points) > 50 else 13
    for each in range(classes):
        x, y = seen.points[seen.labels == each].T
        marker, colour = MARKERS[each % len(MARKERS)], COLOURS[each % len(COLOURS)]
        drawn.scatter(x, y, marker=marker, size=size, fill_color=colour, line_color="white", line_width=0.6)
    drawn.grid.visible = False
    signs = ", ".join(f"{SIGNS[each % len(SIGNS)]} {each}" for each in range(classes))
    caption = said(
        "Colour: the class that the network of seed 0 answers with; points: training samples ({classes})", classes=signs
    )
    first = [run for run in found.runs if run.seed == 0]
    runs = {label: run for run in first for label in all_languages(partial(found.label, run.setting)).values()}

    def table() -> Table:
        epochs = [epoch for epoch in seen.epochs if epoch]
        rows = [
            [label, *(f"{runs[label].score[min(epoch, len(runs[label].score)) - 1]:.4f}" for epoch in epochs)]
            for label in seen.values
        ]
        title = _("{score} of seed 0 at these epochs").format(score=findings.score_word(found))
        return Table([_("hidden layers"), *map(str, epochs)], rows, title=title)

    frames = [(shown, "indices", [[place] for place in range(len(images))])]
    choices = [same(label) for label in seen.values]
    return Panel(
        name, said("Decision boundary by epoch"), [View([Plot(drawn, caption)], table)], choices, steps=seen.epochs,
        frames=frames, smooth=[source] if classes == 2 else [],
    )  # fmt: skip
