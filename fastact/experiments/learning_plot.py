"""The picture of comparisons: how each setting learns, where each of its runs ends, and how it parts the plane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastact.experiments.findings import best_first, score_word
from fastact.experiments.records import Boundaries, Summary
from fastact.language import translated as _
from fastact.pictures import style

if TYPE_CHECKING:
    from fastact.experiments.comparison import Comparison

__all__ = ["figure"]

#: Pictures of the plane side by side, and inches.
ACROSS, WIDTH = 6, 12.0


@style.lettering()
def figure(comparisons: Sequence[Comparison]) -> Any:
    """A block for each comparison: curves on the left, ends on the right, boundaries below."""
    heights = [height(each) for each in comparisons]
    drawn = style.figure(WIDTH, sum(heights))
    blocks = np.atleast_1d(drawn.subfigures(len(comparisons), 1, height_ratios=heights))
    for block, comparison in zip(blocks, comparisons, strict=True):
        draw(block, comparison)
    return drawn


def height(found: Comparison) -> float:
    """Inches of a block."""
    return 2.2 + curves_height(found) + planes_height(found)


def curves_height(found: Comparison) -> float:
    return max(3.0, 0.22 * len(found.settings))


def planes_height(found: Comparison) -> float:
    return 0.0 if found.boundaries is None else 2.2 * -(-len(found.boundaries.values) // ACROSS)


def draw(block: Any, found: Comparison) -> None:
    """Draw one comparison into its part of the picture."""
    ranked = best_first(found)
    styles = {summary.setting: style.line(position) for position, summary in enumerate(found.summaries())}
    upper, lower = block, None
    if found.boundaries is not None:
        upper, lower = block.subfigures(2, 1, height_ratios=[curves_height(found) + 2.0, planes_height(found) + 0.2])
    upper.suptitle(found.title, fontsize=11, fontweight="bold", x=0.01, ha="left")
    left, right = upper.subplots(1, 2, gridspec_kw={"width_ratios": [2, 1]})
    draw_curves(left, found, ranked, styles)
    draw_ends(right, found, ranked, styles)
    handles, labels = left.get_legend_handles_labels()
    longest = max(map(len, labels))
    upper.legend(
        handles, labels, loc="outside lower center", ncols=max(1, min(len(labels), 110 // (longest + 9))), frameon=False,
        fontsize=9, handlelength=3,
    )  # fmt: skip
    if lower is not None and found.boundaries is not None:
        draw_planes(lower, found.boundaries)


def draw_curves(axes: Any, found: Comparison, ranked: Sequence[Summary], styles: dict[Any, Any]) -> None:
    """The mean over the seeds as a line, the standard deviation as a band around it."""
    lowest = []
    for summary in ranked:
        curves = np.array([run.score for run in summary.runs])
        centre, spread = curves.mean(axis=0), curves.std(axis=0)
        epochs = np.arange(1, len(centre) + 1)
        marker = {"marker": "o", "markersize": 4} if len(epochs) == 1 else {}
        axes.plot(
            epochs, centre, linewidth=1.8, label=found.label(summary.setting), **styles[summary.setting], **marker
        )
        colour = styles[summary.setting]["color"]
        axes.fill_between(epochs, centre - spread, np.minimum(centre + spread, 1), color=colour, alpha=0.1, linewidth=0)
        lowest.append(centre[-1])
    # The first epochs, near guessing, would press the rest into a thin strip.
    bottom = max(0.0, min(0.9, min(lowest) - 0.05))
    axes.set_ylim(bottom, 1 + 0.02 * (1 - bottom))
    axes.set_xlabel(_("epoch"))
    axes.set_ylabel(
        _("{score}\nmean and standard deviation of {seeds} seeds").format(score=score_word(found), seeds=found.seeds)
        if found.seeds > 1
        else _("{score} of one seed").format(score=score_word(found))
    )
    style.tidy(axes)


def draw_ends(axes: Any, found: Comparison, ranked: Sequence[Summary], styles: dict[Any, Any]) -> None:
    """One row of dots for each setting, the best on top; seeds are spread over the row so that equal ones show."""
    for row, summary in enumerate(ranked):
        colour, ends = styles[summary.setting]["color"], np.array(summary.ends)
        height = row + (np.linspace(-0.3, 0.3, len(ends)) if len(ends) > 1 else np.zeros(1))
        axes.plot(ends, height, "o", color=colour, alpha=0.5, markersize=4, markeredgewidth=0)
        axes.plot([ends.mean()] * 2, [row - 0.4, row + 0.4], color=colour, linewidth=2.5)
    axes.set_yticks(range(len(ranked)), [found.label(summary.setting) for summary in ranked], fontsize=9)
    axes.invert_yaxis()
    axes.set_xlabel(_("{score} after the last epoch\n(dots: seeds, line: their mean)").format(score=score_word(found)))
    style.tidy(axes)


def draw_planes(block: Any, seen: Boundaries) -> None:
    """How each of the best settings parts the plane at the end, with the samples that it learnt from."""
    block.suptitle(
        _("decision boundaries after the last epoch of seed 0, best settings first"), fontsize=10, x=0.01, ha="left"
    )
    rows = -(-len(seen.values) // ACROSS)
    grid = block.subplots(rows, min(ACROSS, len(seen.values)), squeeze=False)
    classes = int(seen.labels.max()) + 1
    colours = [style.COLOURS[each % len(style.COLOURS)] for each in range(classes)]
    for axes in grid.flat[len(seen.values) :]:
        axes.set_visible(False)
    for axes, (label, values) in zip(grid.flat, seen.values.items(), strict=False):
        extent = (*seen.x_range, *seen.y_range)
        axes.imshow(
            coloured(values[-1], classes), extent=extent, origin="lower", aspect="auto", interpolation="bilinear"
        )
        for each, colour in enumerate(colours):
            points = seen.points[seen.labels == each]
            axes.plot(
                *points.T, "os^D"[each % 4], color=colour, markersize=3, markeredgewidth=0.4, markeredgecolor="white"
            )
        axes.set_title(label, fontsize=9)
        axes.set_xticks([])
        axes.set_yticks([])


def coloured(values: Any, classes: int) -> Any:
    """The plane as a picture: from one class's colour over white to the other's, or the classes' pale colours."""
    from matplotlib.colors import to_rgb

    colours = np.array([to_rgb(style.COLOURS[each % len(style.COLOURS)]) for each in range(classes)])
    pale = 0.45 * colours + 0.55
    if classes > 2:
        return pale[values]
    share = (values / 255.0)[..., np.newaxis]
    towards = np.where(share > 0.5, pale[1], pale[0])
    return 1 - np.abs(2 * share - 1) * (1 - towards)
