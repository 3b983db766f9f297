"""What a report shows of a result besides its words and tables: panels, each with pictures and the figures in them.

A panel has views, of which a choice shows one; frames, of which a slider shows one; and lines, each of which a box
hides. `over_epochs` makes the usual one: figures by epoch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastact import language
from fastact.language import translated as _
from fastact.learn.pages import plots, typesetting
from fastact.learn.pages.document import Texts, all_languages, library, said
from fastact.learn.pictures.style import INK
from fastact.learn.result import Table

__all__ = ["Line", "Measure", "Panel", "Plot", "View", "decades", "number", "numbers", "over_epochs", "same", "thinned"]

#: Columns of a table by epoch, and steps of a slider.
MOST_COLUMNS, MOST_STEPS = 12, 100
#: Points of a line, which is about 1,000 pixels wide.
MOST_POINTS = 600


@dataclass
class Plot:
    """A Bokeh figure, its caption, and the labels of its axes."""

    figure: Any
    caption: Texts
    x: Texts | None = None
    y: Texts | None = None


@dataclass
class View:
    """One or more pictures, and the table of their figures.

    Attributes
    ----------
    plots : list of Plot
    table : callable
        Called without arguments, it returns the figures in the pictures as a Table, in the language in use.
    """

    plots: list[Plot]
    table: Callable[[], Table]

    def axes(self) -> Iterator[tuple[Any, Texts]]:
        """The axes that have labels, and these."""
        for plot in self.plots:
            labels = ((plot.figure.xaxis[0], plot.x), (plot.figure.yaxis[0], plot.y))
            yield from ((axis, label) for axis, label in labels if label)


@dataclass
class Panel:
    """A part of the report with its own title and controls.

    Attributes
    ----------
    id : str
        Of its element, and of its settings in the address.
    title : Texts
    views : list of View
    choices : list of Texts
        What there is to choose: one of the views, or one of the frames of the only view.
    legend : list of tuple (Texts, list of Bokeh renderers)
        What a box shows or hides, in the order of `plots.styles`.
    steps : list of int
        Epochs, one for each frame.
    frames : list of tuple (Bokeh model, str, list)
        A property of a model, and its value at each step; where frames are chosen, at each step of each choice.
    by_step : list of Table, optional
        The table of the only view at each step, in any language; its words stay.
    smooth : list of Bokeh sources
        Those of images whose values may be mixed, as shares may and numbers of classes may not.
    group : Texts, optional
        A heading above this panel and those that follow.
    """

    id: str
    title: Texts
    views: list[View]
    choices: list[Texts] = field(default_factory=list)
    legend: list[tuple[Texts, list[Any]]] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    frames: list[tuple[Any, str, list[Any]]] = field(default_factory=list)
    by_step: list[Table] = field(default_factory=list)
    smooth: list[Any] = field(default_factory=list)
    group: Texts | None = None

    def as_dict(self) -> dict[str, Any]:
        """What the page's script needs to know."""
        return {
            "id": self.id,
            "steps": self.steps,
            "legend": [[renderer.id for renderer in renderers] for _label, renderers in self.legend],
            "frames": [[model.id, name, values] for model, name, values in self.frames],
            "cells": [
                [list(map(typesetting.numbers, row[table.words :])) for row in table.rows] for table in self.by_step
            ],
        }


@dataclass(frozen=True)
class Line:
    """A line over the epochs: its label, y, and a band around it."""

    label: Texts
    y: Sequence[float]
    band: tuple[Any, Any] | None = None


@dataclass(frozen=True)
class Measure:
    """What a view of `over_epochs` shows.

    Attributes
    ----------
    name : str
        Ends the id of the figure's element.
    short, caption : Texts
        Of the choice and the y axis, and of the figure.
    lines : list of Line
        As many as the other measures have.
    log : bool
        Whether the y axis is logarithmic; what is not positive is left out there.
    level : float, optional
        Where to draw a line across.
    limits : tuple of float, optional
        Of the y axis.
    digits : int
        Of the figures in the table.
    """

    name: str
    short: Texts
    caption: Texts
    lines: list[Line]
    log: bool = False
    level: float | None = None
    limits: tuple[float, float] | None = None
    digits: int = 4


def over_epochs(name: str, title: Texts, epochs: Sequence[int], measures: Sequence[Measure]) -> Panel:
    """A panel with a view for each measure, and a box for each line, which hides it in all of them."""
    views: list[View] = []
    legend: list[tuple[Texts, list[Any]]] = [(line.label, []) for line in measures[0].lines]
    for measure in measures:
        view, renderers = _lines(f"{name}-{measure.name}", epochs, measure)
        views.append(view)
        for (_label, shown), drawn in zip(legend, renderers, strict=True):
            shown.extend(drawn)
    choices = [measure.short for measure in measures] if len(measures) > 1 else []
    return Panel(name, title, views, choices, legend)


def same(text: str) -> Texts:
    """A text that is the same in all languages."""
    return all_languages(lambda: text)


def numbers(values: Any) -> list[float | None]:
    """As JSON has them: None for what is not finite."""
    return [round(float(value), 6) if math.isfinite(value) else None for value in np.ravel(values)]


def thinned(count: int, most: int) -> list[int]:
    """At most so many positions out of `count`, evenly, the first and the last among them."""
    return sorted({round(float(place)) for place in np.linspace(0, count - 1, min(count, most))})


def decades(values: Any) -> tuple[float, float]:
    """The powers of ten around all that a logarithmic axis can show."""
    shown = np.asarray(values, float)
    shown = np.log10(shown[np.isfinite(shown) & (shown > 0)])
    low, high = (math.floor(shown.min()), math.ceil(shown.max())) if len(shown) else (-1, 0)
    return 10.0**low, 10.0 ** max(high, low + 1)


def number(value: float, form: str) -> str:
    """For a table: a dash for what is not finite."""
    return f"{value:{form}}" if math.isfinite(value) else "–"


def _lines(name: str, x: Sequence[int], measure: Measure) -> tuple[View, list[list[Any]]]:
    """A view of a measure, and the renderers of each line."""
    models = library("bokeh.models")
    options: dict[str, Any] = {"y_range": measure.limits} if measure.limits else {}
    if measure.log:
        options = {"y_axis_type": "log", "y_range": decades([line.y for line in measure.lines])}
    drawn = plots.figure(name, **options)
    found: list[list[Any]] = []
    tops = []
    points = thinned(len(x), MOST_POINTS)
    faint = min(0.13, 0.35 / max(1, len(measure.lines)))  # many bands on top of each other would hide the lines
    for line, style in zip(measure.lines, plots.styles(len(measure.lines)), strict=True):
        y = np.array(line.y, float)
        if measure.log:
            y[~(y > 0)] = np.nan
        shown = [y, *(np.asarray(side, float) for side in line.band or ())]
        columns = zip(("x", "y", "low", "high"), (np.asarray(x, float), *shown), strict=False)
        source = models.ColumnDataSource({key: values[points].astype(np.float32) for key, values in columns})
        renderers = []
        if line.band:
            renderers.append(
                drawn.varea("x", "low", "high", source=source, fill_color=style["colour"], fill_alpha=faint)
            )
        top = drawn.line("x", "y", source=source, line_color=style["colour"], line_dash=style["dash"], line_width=2.2)
        if len(x) == 1:
            renderers.append(drawn.scatter("x", "y", source=source, color=style["colour"], size=7))
        tops.append(top)
        found.append([*renderers, top])
    if measure.level is not None:
        drawn.add_layout(
            models.Span(location=measure.level, dimension="width", line_color=INK, line_dash=[2, 3], line_width=1.5)
        )
    form = ".3g" if measure.log else f".{measure.digits}f"
    drawn.add_tools(plots.hover(tops, f"<b>$name</b> &nbsp; @x{{%d}}: @y{{%{form}}}", "@x", "@y"))
    drawn.xaxis.ticker.desired_num_ticks = 6
    places = thinned(len(x), MOST_COLUMNS)

    def table() -> Table:
        rows = []
        for line in measure.lines:
            values = [line.y[place] for place in places]
            rows.append([line.label[language.current()], *(number(value, form) for value in values)])
        return Table([_("epoch"), *(str(x[place]) for place in places)], rows)

    return View([Plot(drawn, measure.caption, said("epoch"), measure.short)], table), found
