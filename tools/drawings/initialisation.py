"""Initial weights: what becomes of the outputs from layer to layer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from drawings import figure, worded, written
from fastact.learn.experiments import initialisation
from fastact.learn.experiments.initialisation import Initialisation
from fastact.learn.experiments.spread import share, short
from fastact.learn.pictures import style


@cache
def found() -> Initialisation:
    return initialisation()


def histograms(activation: str, rows: Sequence[str], position: int) -> Any:
    """The outputs of each layer; a row for each scale of the weights, with their standard deviation above."""
    drawn = figure(0.7 + 1.15 * len(rows))
    grid = drawn.subplots(len(rows), found().depth, sharex=True, sharey=True)
    for axes_row, row in zip(grid, rows, strict=True):
        cell = found().cell(row, activation)
        axes_row[0].set_ylabel(found().label(row), fontsize=9)
        for axes, counts, deviation in zip(axes_row, cell.counts, cell.spreads("deviations"), strict=True):
            axes.stairs(counts, cell.edges, fill=True, color=style.line(position)["color"])
            axes.set_title(short(deviation.centre), fontsize=9)
            axes.set_ylim(0, 0.2)
            axes.set_yticks([])
            axes.tick_params(labelsize=8)
            axes.spines[["top", "right", "left"]].set_visible(False)
    for number, axes in enumerate(grid[-1], 1):
        axes.set_xlabel(worded(en=f"layer {number}", ja=f"第 {number} 層"), fontsize=9)
    return drawn


def tanh() -> Any:
    """The outputs of tanh with weights that are too small, too large and right."""
    return histograms("tanh", ("0.01", "1", "glorot"), 1)


def relu() -> Any:
    """The outputs of relu with weights that are too small, slightly too small and right."""
    return histograms("relu", ("0.01", "glorot", "he"), 2)


def figures() -> dict[str, str]:
    said = {}
    for cell in found().cells:
        spreads = cell.spreads("deviations")
        for number, spread in ((1, spreads[0]), (found().depth, spreads[-1])):
            said[f"{cell.activation} {cell.row} layer {number}"] = written(spread.centre)
        said[f"{cell.activation} {cell.row} flat"] = share(cell.spreads("flat")[-1].centre)
    return said


PICTURES = {"initialisation-tanh": tanh, "initialisation-relu": relu}
