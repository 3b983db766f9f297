"""A picture of comparisons: how each activation learns, and where each of its runs ends.

The result is a new matplotlib Figure; no global state of matplotlib changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from fastact.errors import require
from fastact.experiments.results import BASELINE, Comparison, Summary

Measure = Literal["accuracy", "loss"]
LABELS: dict[Measure, str] = {"accuracy": "test accuracy", "loss": "loss"}
COLOURS = (
    "#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd",
    "#8c564b", "#e377c2", "#17becf", "#bcbd22", "#7f7f7f",
)  # fmt: skip


def learning_curves(comparisons: Sequence[Comparison], measure: Measure) -> Any:
    """One row per comparison: each activation's mean curve with its spread, and the end of every run."""
    label = LABELS[measure]
    figures = require("matplotlib.figure", "demo", "compare")
    figure = figures.Figure(figsize=(12, 4.8 * len(comparisons)), layout="constrained")
    grid = figure.subplots(len(comparisons), 2, squeeze=False, gridspec_kw={"width_ratios": [2, 1]})
    for (left, right), comparison in zip(grid, comparisons, strict=True):
        ranked = best_first(comparison, measure)
        styles = style_of(comparison)
        draw_curves(left, ranked, styles, measure)
        draw_ends(right, ranked, styles, measure)
        seeds = len(ranked[0].runs)
        left.set_title(comparison.title, fontsize=11, fontweight="bold", loc="left")
        left.set_xlabel("epoch")
        left.set_ylabel(f"{label}, mean and standard deviation of {seeds} seed{'s' * (seeds != 1)}")
        right.set_xlabel(f"{label} after the last epoch\n(dots: seeds, line: their mean)")
    return figure


def best_first(comparison: Comparison, measure: Measure) -> list[Summary]:
    """The activations by their mean at the end."""
    if measure == "accuracy":
        return sorted(comparison.summaries(), key=lambda summary: -summary.accuracy)
    return sorted(comparison.summaries(), key=lambda summary: summary.loss)


def style_of(comparison: Comparison) -> dict[str, dict[str, Any]]:
    """Colour and line of each activation; the baseline without an activation stands out in black."""
    names = [summary.activation for summary in comparison.summaries() if summary.activation != BASELINE]
    styles: dict[str, dict[str, Any]] = {
        name: {"color": COLOURS[i % len(COLOURS)], "linestyle": "-" if i < len(COLOURS) else "-."}
        for i, name in enumerate(names)
    }
    return styles | {BASELINE: {"color": "black", "linestyle": "--"}}


def draw_curves(axes: Any, ranked: Sequence[Summary], styles: dict[str, dict[str, Any]], measure: Measure) -> None:
    """The mean over the seeds as a line, the standard deviation as a band around it."""
    highest = 1.0 if measure == "accuracy" else np.inf
    centres = []
    for summary in ranked:
        curves = np.array([getattr(run, measure) for run in summary.runs])
        centre, spread = curves.mean(axis=0), curves.std(axis=0)
        epochs = np.arange(1, len(centre) + 1)
        marker = {"marker": "o", "markersize": 4} if len(epochs) == 1 else {}
        axes.plot(epochs, centre, linewidth=2, label=summary.activation, **styles[summary.activation], **marker)
        band = np.maximum(centre - spread, 0), np.minimum(centre + spread, highest)
        axes.fill_between(epochs, *band, color=styles[summary.activation]["color"], alpha=0.1, linewidth=0)
        centres.append(centre)
    if measure == "accuracy":  # the first epochs, near guessing, would press the rest into a thin strip
        axes.set_ylim(max(0, min(0.9, min(centre[-1] for centre in centres) - 0.05)), 1.002)
    else:
        axes.set_ylim(0, 1.15 * max(centre.max() for centre in centres))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(title="best at the end first", ncols=2, frameon=False)


def draw_ends(axes: Any, ranked: Sequence[Summary], styles: dict[str, dict[str, Any]], measure: Measure) -> None:
    """One line of dots per activation, the best on top."""
    for row, summary in enumerate(ranked):
        ends = summary.accuracies if measure == "accuracy" else summary.losses
        colour = styles[summary.activation]["color"]
        axes.plot(ends, [row] * len(ends), "o", color=colour, alpha=0.5, markersize=6, markeredgewidth=0)
        axes.plot([np.mean(ends)] * 2, [row - 0.35, row + 0.35], color=colour, linewidth=2.5)
    axes.set_yticks(range(len(ranked)), [summary.activation for summary in ranked])
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
