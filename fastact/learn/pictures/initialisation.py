"""The picture of initial weights: a histogram of the outputs of each layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastact.language import translated as _
from fastact.learn.experiments.initialisation import Cell, Initialisation
from fastact.learn.experiments.spread import share, short
from fastact.learn.pictures import style

__all__ = ["draw"]

#: The share of outputs at which a bar has its full length.
FULL = 0.15


@style.lettering()
def draw(found: Initialisation) -> Any:
    """The grid of scales and activations: in each cell, a histogram of the outputs of each layer."""
    figure = style.figure(4.4 * len(found.activations) + 0.6, 2.5 * len(found.scales) + 1)
    figure.suptitle(found.title, fontsize=14)
    grid = figure.subplots(len(found.scales), len(found.activations), squeeze=False, sharey="col")
    for axes_row, row in zip(grid, found.scales, strict=True):
        for position, (axes, name) in enumerate(zip(axes_row, found.activations, strict=True)):
            draw_cell(axes, found.cell(row, name), style.COLOURS[position % len(style.COLOURS)])
        axes_row[0].set_ylabel(
            _("weights: {label}\noutput").format(label=found.label(row)), fontsize=9, linespacing=1.4
        )
    for axes, name in zip(grid[0], found.activations, strict=True):
        axes.annotate(
            name, (0.5, 1), xycoords="axes fraction", xytext=(0, 8), textcoords="offset points", ha="center",
            fontsize=13,
        )  # fmt: skip
    figure.supxlabel(
        _(
            "hidden layer, standard deviation of its outputs, share of flat slopes; bars: shares of outputs, at "
            "full length {full} or more; the outermost bars have all beyond"
        ).format(full=share(FULL)),
        fontsize=9,
    )
    return figure


def draw_cell(axes: Any, cell: Cell, colour: str) -> None:
    """Bars of each layer, and its figures below."""
    for layer, shares in enumerate(cell.counts):
        ends = layer + 0.85 * np.minimum(shares / FULL, 1)
        axes.stairs(ends, cell.edges, orientation="horizontal", baseline=layer, fill=True, color=colour)
        axes.axvline(layer, color=style.PALE, linewidth=0.8)
    figures = zip(cell.spreads("deviations"), cell.spreads("flat"), strict=True)
    labels = [
        _("{number}\nstd {deviation}\nflat {flat}").format(
            number=number, deviation=short(deviation.centre), flat=share(flat.centre)
        )
        for number, (deviation, flat) in enumerate(figures, 1)
    ]
    axes.set_xticks(np.arange(len(cell.counts)) + 0.42, labels, fontsize=8, linespacing=1.3)
    axes.tick_params(axis="x", length=0)
    axes.tick_params(axis="y", labelsize=8)
    axes.locator_params(axis="y", nbins=6)
    axes.set_xlim(-0.05, len(cell.counts))
    axes.spines[["top", "right"]].set_visible(False)
