"""What the pictures of the experiments on deep networks share: lines and dots of several seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastact.language import translated as _
from fastact.learn.pictures import style

__all__ = ["draw_accuracies", "draw_lines", "layers_axes", "legend"]


def draw_lines(axes: Any, x: Sequence[float], seeds: Sequence[Sequence[float]], position: int, label: str) -> None:
    """The median over the seeds as the line number `position`, least to largest as a band; a seed may end early."""
    table = np.full((len(seeds), len(x)), np.nan)
    for row, values in zip(table, seeds, strict=True):
        row[: len(values)] = values
    table[~np.isfinite(table)] = np.nan
    known = ~np.isnan(table).all(axis=0)
    if not known.any():
        return
    table, at = table[:, known], np.asarray(x)[known]
    look = style.line(position)
    marker = {"marker": "o", "markersize": 4} if len(at) == 1 else {}
    axes.plot(at, np.nanmedian(table, axis=0), linewidth=2, label=label, **look, **marker)
    axes.fill_between(
        at, np.nanmin(table, axis=0), np.nanmax(table, axis=0), color=look["color"], alpha=0.13, linewidth=0
    )


def draw_accuracies(
    axes: Any, rows: Sequence[tuple[str, Sequence[float], int, str]], epochs: int, chance: float
) -> None:
    """A row of dots for each (label, accuracy of each seed, position of its line, remark), and their median."""
    for height, (_label, seeds, position, remark) in enumerate(rows):
        values = [value for value in seeds if math.isfinite(value)]
        colour = style.line(position)["color"]
        # Dots of equal values stand above each other.
        lift = np.linspace(-0.2, 0.2, len(values)) if len(values) > 1 else np.zeros(len(values))
        axes.plot(values, height + lift, "o", color=colour, alpha=0.55, markersize=5, markeredgewidth=0)
        if len(values):
            axes.plot([np.median(values)] * 2, [height - 0.36, height + 0.36], color=colour, linewidth=2.5)
        if remark:
            axes.annotate(
                remark, (1, height), xycoords=("axes fraction", "data"), xytext=(6, 0), textcoords="offset points",
                va="center", color=style.INK, fontsize=9, annotation_clip=False,
            )  # fmt: skip
    axes.set_yticks(range(len(rows)), [label for label, *_rest in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.axvline(chance, color=style.INK, linewidth=1, linestyle=":")
    axes.set_xlim(0, 1.01)
    axes.set_xlabel(
        _("accuracy after epoch {epochs} (dots: seeds; bar: their median; dotted: guessing)").format(epochs=epochs)
    )
    style.tidy(axes)


def layers_axes(axes: Any) -> None:
    """Axes for the norm of the gradient of each hidden layer."""
    axes.set_yscale("log")
    axes.set_xlabel(_("hidden layer (1: next to the inputs)"))
    axes.xaxis.get_major_locator().set_params(integer=True)
    style.tidy(axes)


def legend(axes: Any, columns: int) -> None:
    """Name the lines below the axes, where they hide nothing."""
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=columns, frameon=False, fontsize=9)
