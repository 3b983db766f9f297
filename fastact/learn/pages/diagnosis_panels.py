"""Panels of a diagnosis: every layer at one epoch, every layer over all epochs, and the loss."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from fastact.language import translated as _
from fastact.learn.diagnostics import Diagnosis
from fastact.learn.pages import document, plots
from fastact.learn.pages.document import Texts, all_languages, library, said
from fastact.learn.pages.panels import (
    MOST_STEPS,
    Line,
    Measure,
    Panel,
    Plot,
    View,
    decades,
    number,
    numbers,
    over_epochs,
    thinned,
)
from fastact.learn.pictures.style import COLOURS, INK
from fastact.learn.result import Table

__all__ = ["panels"]

#: Layers that are numbered on an axis.
MOST_TICKS = 14
#: log10 of update / weight of a network that learns well.
USUAL_UPDATE = -3.0


def panels(found: Diagnosis, name: str) -> Iterator[Panel]:
    """The panels; `name` begins the ids of their elements."""
    yield layers(found, f"{name}-layers")
    yield epochs(found, f"{name}-epochs")
    if found.history.get("loss"):
        yield loss(found, f"{name}-loss")


def layers(found: Diagnosis, name: str) -> Panel:
    """The norm of the gradient and the histogram of outputs in each layer, at the epoch of a slider."""
    models = library("bokeh.models")
    places = thinned(len(found.epochs), MOST_STEPS)
    norms = np.asarray(found.gradient_norm, float)
    count = norms.shape[1]
    flow = plots.figure(f"{name}-flow", y_axis_type="log", y_range=decades(norms), x_range=(0.5, count + 0.5))
    first = models.ColumnDataSource({"x": np.arange(1, count + 1), "y": _positive(norms[0])})
    flow.line("x", "y", source=first, line_color=INK, line_alpha=0.5, line_dash="dotted", line_width=2)
    source = models.ColumnDataSource({"x": np.arange(1, count + 1), "y": _positive(norms[places[-1]])})
    line = flow.line("x", "y", source=source, line_color=COLOURS[0], line_width=2.5)
    flow.scatter("x", "y", source=source, color=COLOURS[0], size=8)
    flow.add_tools(plots.hover([line], "@x: @y{%.3g}", "@y", mode="vline"))

    bars = plots.figure(f"{name}-outputs", max(320, 44 * count + 60), y_range=(count + 0.2, -0.1))
    left, right = found.edges[:-1], found.edges[1:]
    shape = (count, len(left))
    bottom = np.broadcast_to(np.arange(1.0, count + 1)[:, np.newaxis], shape)
    heights = np.asarray(found.histograms, float)
    tallest = heights.max(axis=2, keepdims=True)
    tops = bottom - 0.88 * np.divide(heights, tallest, out=np.zeros_like(heights), where=tallest > 0)
    columns = {
        "left": np.broadcast_to(left, shape).ravel(),
        "right": np.broadcast_to(right, shape).ravel(),
        "bottom": bottom.ravel(),
    }
    outputs = models.ColumnDataSource({**columns, "top": tops[places[-1]].ravel()})
    bars.quad(
        "left", "right", "top", "bottom", source=outputs, fill_color=COLOURS[5], line_color=COLOURS[0], line_width=0.5
    )
    for drawn, axis in ((flow, flow.xaxis[0]), (bars, bars.yaxis[0])):
        axis.ticker = models.FixedTicker(ticks=list(range(1, count + 1, -(-count // MOST_TICKS))))
        drawn.grid.grid_line_color = "#eeeeee"

    def table(at: int) -> Table:
        columns = [_("layer"), _("gradient norm"), _("log10 of update / weight"), _("saturated"), _("dead")]
        figures = [
            (found.gradient_norm, ".3g"), (found.update_ratio, ".2f"), (found.saturated, ".1%"), (found.dead, ".1%"),
        ]  # fmt: skip
        rows = [
            [layer, *(number(values[at][row], form) for values, form in figures)]
            for row, layer in enumerate(found.layers)
        ]
        return Table(columns, rows, title=_("Each layer at this epoch"))

    above = said("Norm of the gradient in each layer, the output last; dotted: the first epoch looked at")
    below = said("Outputs of each layer: how often each value occurs, every layer to its own scale")
    shown = [Plot(flow, above, said("layer"), said("gradient norm")), Plot(bars, below, said("outputs"), said("layer"))]
    frames: list[tuple[Any, str, list[Any]]] = [
        (source, "y", [numbers(_positive(norms[at])) for at in places]),
        (outputs, "top", [[round(float(top), 3) for top in tops[at].ravel()] for at in places]),
    ]
    return Panel(
        name,
        said("Layer by layer"),
        [View(shown, lambda: table(places[-1]))],
        steps=[found.epochs[at] for at in places],
        frames=frames,
        by_step=[table(at) for at in places],
    )


def epochs(found: Diagnosis, name: str) -> Panel:
    """Each measure over the epochs, a line for each layer."""
    labels = document.paired(all_languages(lambda: found.layers))

    update = said("log10 of update / weight: near −3, the dotted line, in a network that learns well")
    flat = said("Share of outputs where the activation is nearly flat")
    dead = said("Share of units that pass no gradient for any sample")
    kinds: dict[str, tuple[Texts, Texts, dict[str, Any]]] = {
        "gradient_norm": (said("gradient norm"), said("Norm of the gradient"), {"log": True}),
        "update_ratio": (said("update / weight"), update, {"level": USUAL_UPDATE, "digits": 2}),
        "saturated": (said("saturated"), flat, {"limits": (-0.02, 1.02)}),
        "dead": (said("dead"), dead, {"limits": (-0.02, 1.02)}),
    }
    measures = [
        Measure(kind, short, caption, list(map(Line, labels, np.transpose(getattr(found, kind)).tolist())), **look)
        for kind, (short, caption, look) in kinds.items()
    ]
    return over_epochs(name, said("Over the epochs"), found.epochs, measures)


def loss(found: Diagnosis, name: str) -> Panel:
    """The loss that training saw, beside that of guessing."""
    caption = said("Training loss; dotted: {chance:.3f}, the best constant answer", chance=found.chance_loss)
    values = [float(each) for each in found.history["loss"]]
    line = Line(said("training"), values)
    level = found.chance_loss if np.isfinite(found.chance_loss) else None
    measure = Measure("history", said("loss"), caption, [line], level=level)
    return over_epochs(name, said("Loss"), range(1, len(values) + 1), [measure])


def _positive(values: Any) -> Any:
    """For a logarithmic axis."""
    values = np.array(values, float)
    values[~((values > 0) & np.isfinite(values))] = np.nan
    return values
