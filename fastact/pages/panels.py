"""What a report shows of a result besides its words and tables: panels, each with pictures and the figures in them.

A panel has views, of which a choice shows one; frames, of which a slider shows one; and lines, each of which a box
hides. `lines` makes the usual view: figures by epoch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastact import language
from fastact.language import translated as _
from fastact.pages import plots, typesetting
from fastact.pages.document import Texts, all_languages, library
from fastact.pictures.style import INK
from fastact.result import Table

__all__ = ["Line", "Panel", "View", "decades", "lines", "numbers", "same", "thinned"]

#: Columns of a table by epoch, and steps of a slider.
MOST_COLUMNS, MOST_STEPS = 12, 100
#: Points of a line, which is about 1,000 pixels wide.
MOST_POINTS = 600


@dataclass
class View:
    """One or more pictures, and the tables of their figures.

    Attributes
    ----------
    figures : list of Bokeh figures
    captions : list of Texts
        One for each figure; it names what the axes show.
    table : dict of str to Table
        The figures in the pictures, by language.
    axes : list of tuple (Bokeh axis, Texts)
        Labels of axes.
    """

    figures: list[Any]
    captions: list[Texts]
    table: Mapping[str, Table]
    axes: list[tuple[Any, Texts]] = field(default_factory=list)


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
    """A line of `lines`: its label, y, and a band around it."""

    label: Texts
    y: Sequence[float]
    band: tuple[Sequence[float], Sequence[float]] | None = None


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


def lines(
    name: str,
    x: Sequence[int],
    series: Sequence[Line],
    caption: Texts,
    label: Texts,
    *,
    log: bool = False,
    level: float | None = None,
    limits: tuple[float, float] | None = None,
    digits: int = 4,
) -> tuple[View, list[list[Any]]]:
    """A view of lines over epochs, and the renderers of each line.

    Parameters
    ----------
    name : str
        Id of the figure's element.
    x : sequence of int
        Epochs.
    series : sequence of Line
    caption, label : Texts
        Of the figure, and of its y axis.
    log : bool
        Whether the y axis is logarithmic; what is not positive is left out there.
    level : float, optional
        Where to draw a line across.
    limits : tuple of float, optional
        Of the y axis.
    digits : int
        Of the figures in the table.
    """
    models = library("bokeh.models")
    options: dict[str, Any] = {"y_range": limits} if limits else {}
    if log:
        options = {"y_axis_type": "log", "y_range": decades([line.y for line in series])}
    drawn = plots.figure(name, **options)
    found: list[list[Any]] = []
    tops = []
    points = thinned(len(x), MOST_POINTS)
    faint = min(0.13, 0.35 / max(1, len(series)))  # many bands on top of each other would hide the lines
    for line, style in zip(series, plots.styles(len(series)), strict=True):
        y = np.array(line.y, float)
        if log:
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
    if level is not None:
        drawn.add_layout(
            models.Span(location=level, dimension="width", line_color=INK, line_dash=[2, 3], line_width=1.5)
        )
    form = "%.3g" if log else f"%.{digits}f"
    drawn.add_tools(plots.hover(tops, f"<b>$name</b> &nbsp; @x{{%d}}: @y{{{form}}}", "@x", "@y"))
    drawn.xaxis.ticker.desired_num_ticks = 6
    places = thinned(len(x), MOST_COLUMNS)

    def table() -> Table:
        rows = []
        for line in series:
            values = [line.y[place] for place in places]
            rows.append([line.label[language.current()], *(f"{v:.3g}" if log else f"{v:.{digits}f}" for v in values)])
        return Table([_("epoch"), *(str(x[place]) for place in places)], rows)

    axes = [(drawn.xaxis[0], all_languages(lambda: _("epoch"))), (drawn.yaxis[0], label)]
    return View([drawn], [caption], all_languages(table), axes), found
