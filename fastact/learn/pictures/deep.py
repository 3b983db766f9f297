"""The pictures of the experiments on deep networks: lines by layer and by epoch, and a dot for each seed.

To draw another study, call `framed` for its axes, and `draw_lines` for each kind of network.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastact.language import translated as _
from fastact.learn.experiments.deep import Study, Trained, Trial
from fastact.learn.experiments.dying_relu import DyingRelu
from fastact.learn.experiments.exploding import Exploding
from fastact.learn.experiments.softmax_hidden import SoftmaxHidden
from fastact.learn.experiments.vanishing import Vanishing
from fastact.learn.pictures import style

__all__ = [
    "draw_accuracies", "draw_dying_relu", "draw_exploding", "draw_lines", "draw_softmax_hidden", "draw_vanishing",
    "layers_axes", "legend",
]  # fmt: skip


@style.lettering()
def draw_vanishing(found: Vanishing) -> Any:
    """Gradients by layer, of activations and of remedies; and the accuracy that each reaches."""
    groups = found.labelled()
    plain = [each.label for each in found.variants if not each.remedy]
    remedied = [each.label for each in found.variants if each.remedy]
    rows = {label: at for labels in (enumerate(plain), enumerate(remedied, 1)) for at, label in labels}
    figure, left, right = framed(found, 10, 1.15, rows, sharey=True)
    for axes, title, shown in (
        (left, _("Activations"), plain),
        (right, _("Remedies for {name}").format(name=plain[0]), [plain[0], *remedied]),
    ):
        draw_norms(axes, found, {label: groups[label] for label in shown})
        axes.set_title(title, loc="left", fontsize=11)
        legend(axes, 3 if axes is left else 2)
    left.set_ylabel(_("norm of the gradient, before the first step"))
    return figure


@style.lettering()
def draw_exploding(found: Exploding) -> Any:
    """Gradients by layer, the loss in training, and the accuracy that each remedy reaches."""
    groups = found.labelled()
    remarks = [
        _("{count} of {seeds} diverge").format(count=found.diverged(each.remedy), seeds=found.seeds)
        for each in found.variants
    ]
    figure, left, right = framed(found, 9, 1.5, remarks=remarks)
    draw_norms(left, found, groups)
    left.set_ylabel(_("norm of the gradient, before the first step"))
    for position, (label, trials) in enumerate(groups.items()):
        losses = [[each.first_loss, *each.loss] for each in trials]
        draw_lines(right, range(found.epochs + 1), losses, position, label)
        for each, loss in zip(trials, losses, strict=True):
            if each.diverged is not None:
                colour = style.line(position)["color"]
                right.plot(len(loss) - 1, loss[-1], "x", color=colour, markersize=9, markeredgewidth=2)
    right.set_yscale("log")
    right.set_xlabel(_("epoch (0: before training)"))
    right.set_ylabel(_("training loss (crosses: diverges after this)"))
    style.tidy(right)
    legend(left, 2)
    legend(right, 2)
    return figure


@style.lettering()
def draw_dying_relu(found: DyingRelu) -> Any:
    """The share of units that never fire, and of those without a gradient, over training; and the accuracy."""
    figure, left, right = framed(found, 9, 1.5, sharey=True)
    for axes, field, title in (
        (left, "never_fire", _("Units that never fire")),
        (right, "stuck", _("Units whose slope is 0 for every sample")),
    ):
        for position, (label, trials) in enumerate(found.labelled().items()):
            draw_lines(axes, range(found.epochs + 1), [getattr(each, field) for each in trials], position, label)
        axes.axvspan(0, 1, color=style.PALE, alpha=0.3, linewidth=0)
        axes.set_title(title, loc="left", fontsize=11)
        axes.set_ylim(bottom=-0.015)  # lines at 0 are seen
        rates = {"high": found.first_rate, "low": found.learning_rate}
        axes.set_xlabel(_("epoch (grey: learning rate {high:g}, then {low:g})").format(**rates))
        style.tidy(axes)
        legend(axes, 2)
    left.set_ylabel(_("share of all hidden units"))
    return figure


@style.lettering()
def draw_softmax_hidden(found: SoftmaxHidden) -> Any:
    """Learning curves, and the gradients by layer."""
    figure = style.figure(13, 5.6)
    figure.suptitle(found.title, fontsize=14)
    left, right = figure.subplots(1, 2)
    for position, (label, trials) in enumerate(found.labelled().items()):
        draw_lines(left, range(1, found.epochs + 1), [each.accuracy for each in trials], position, label)
    left.axhline(found.chance, color=style.INK, linewidth=1, linestyle=":")
    left.set_ylim(0, 1.01)
    left.set_xlabel(_("epoch"))
    left.set_ylabel(_("accuracy on held-out digits (dotted: guessing)"))
    style.tidy(left)
    draw_norms(right, found, found.labelled())
    right.set_ylabel(_("norm of the gradient, before the first step"))
    for axes in (left, right):
        legend(axes, 3)
    return figure


# ---- parts


def framed(
    found: Study[Any],
    height: float,
    upper: float,
    positions: Mapping[str, int] | None = None,
    remarks: Sequence[str] | None = None,
    sharey: bool = False,
) -> tuple[Any, Any, Any]:
    """A Figure with the study's title, two empty axes above, and below the accuracy that each variant reaches.

    `upper` is the height of the upper part to the lower one; `positions` has the number of each label's line.
    """
    figure = style.figure(13, height)
    figure.suptitle(found.title, fontsize=14)
    above, below = figure.subfigures(2, 1, height_ratios=[upper, 1])
    left, right = above.subplots(1, 2, sharey=sharey)
    groups: dict[str, list[Trained]] = found.labelled()
    places = positions or {label: at for at, label in enumerate(groups)}
    rows = [
        (label, [each.end for each in trials], places[label], remark)
        for (label, trials), remark in zip(groups.items(), remarks or [""] * len(groups), strict=True)
    ]
    draw_accuracies(below.subplots(), rows, found.epochs, found.chance)
    return figure, left, right


def draw_norms(axes: Any, found: Study[Any], groups: Mapping[str, Sequence[Trial]]) -> None:
    """The norm of the gradient in each hidden layer, by label."""
    for position, (label, trials) in enumerate(groups.items()):
        draw_lines(axes, range(1, found.depth + 1), [each.norms for each in trials], position, label)
    layers_axes(axes)


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
    axes.plot(at, np.nanmedian(table, axis=0), linewidth=2, label=label, **look, **style.marks(at, size=4))
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
