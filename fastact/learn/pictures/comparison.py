"""The picture of comparisons: how each setting learns, where each of its runs ends, and how it parts the plane."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastact.language import listed
from fastact.language import translated as _
from fastact.learn.experiments.comparing.compared import Compared, best_first
from fastact.learn.experiments.comparing.findings import score_word, title
from fastact.learn.experiments.comparing.records import Boundaries, Setting, Summary
from fastact.learn.pictures import style

__all__ = ["draw_comparison", "draw_ends", "draw_planes", "draw_xor", "limits"]

#: The width in inches, and in letters of the legend.
WIDTH, LETTERS = 12.0, 150
#: The most lines, so that no two look alike, and the most pictures of the plane side by side.
LINES, ACROSS = 24, 6


@style.lettering()
def draw_comparison(found: Compared) -> Any:
    """Draw one comparison."""
    return draw_all([found])


@style.lettering()
def draw_xor(found: Any) -> Any:
    """Draw the comparisons of `xor` one below the other."""
    return draw_all(found.comparisons)


def draw_all(comparisons: Sequence[Compared]) -> Any:
    """A block for each comparison: curves on the left, ends on the right, boundaries below."""
    heights = [curves_height(each) + planes_height(each) for each in comparisons]
    drawn = style.figure(WIDTH, sum(heights))
    blocks = np.atleast_1d(drawn.subfigures(len(comparisons), 1, height_ratios=heights))
    for block, comparison in zip(blocks, comparisons, strict=True):
        draw(block, comparison)
    return drawn


def curves_height(found: Compared) -> float:
    """Inches of the curves with their legend."""
    lines = min(len(found.settings), LINES)
    return 1.2 + max(3.6, 0.22 * lines) + 0.2 * -(-lines // legend_columns(found))


def planes_height(found: Compared) -> float:
    """Inches of the pictures of the plane."""
    return 0.0 if found.boundaries is None else 0.3 + 2.2 * -(-len(found.boundaries.values) // ACROSS)


def legend_columns(found: Compared) -> int:
    longest = max(len(found.label(setting)) for setting in found.settings)
    return max(1, min(len(found.settings), LETTERS // (longest + 9)))


def draw(block: Any, found: Compared) -> None:
    """Draw one comparison into its part of the picture."""
    upper, lower = block, None
    if found.boundaries is not None:
        upper, lower = block.subfigures(2, 1, height_ratios=[curves_height(found), planes_height(found)])
    upper.suptitle(style.literal(textwrap.fill(title(found), LETTERS - 30)), fontsize=12, x=0.01, ha="left")
    left, right = upper.subplots(1, 2, gridspec_kw={"width_ratios": [2, 1]})
    ranked = best_first(found)[:LINES]
    shown = {summary.setting for summary in ranked}
    order = [setting for setting in found.settings if setting in shown]
    styles = {setting: style.line(position) for position, setting in enumerate(order)}
    draw_curves(left, found, ranked, styles)
    draw_ends(right, found, ranked, styles)
    upper.legend(
        *left.get_legend_handles_labels(), loc="outside lower center", ncols=legend_columns(found), frameon=False,
        fontsize=9, handlelength=3,
    )  # fmt: skip
    if lower is not None and found.boundaries is not None:
        draw_planes(lower, found.boundaries)


def draw_curves(axes: Any, found: Compared, ranked: Sequence[Summary], styles: dict[Setting, dict[str, Any]]) -> None:
    """The mean over the seeds as a line, the standard deviation as a band around it."""
    centres, faint = [], min(0.15, 0.35 / len(ranked))
    for summary in ranked:
        look, label = styles[summary.setting], style.literal(found.label(summary.setting))
        centre, spread = summary.course()
        epochs = np.arange(1, len(centre) + 1)
        axes.plot(epochs, centre, linewidth=1.8, label=label, **look, **style.marks(centre, size=4))
        band = centre - spread, np.minimum(centre + spread, 1)
        axes.fill_between(epochs, *band, color=look["color"], alpha=faint, linewidth=0)
        centres.append(centre)
    axes.set_ylim(*limits(found, centres))
    axes.set_xlabel(_("epoch"))
    axes.set_ylabel(score_word(found))
    parts = [_("mean and standard deviation of {seeds} seeds").format(seeds=found.seeds)] if found.seeds > 1 else []
    if len(ranked) < len(found.settings):
        parts.append(_("the best {shown} of {all} settings").format(shown=len(ranked), all=len(found.settings)))
    axes.set_title(listed(parts), fontsize=10, loc="left")
    style.tidy(axes)


def limits(found: Compared, means: Sequence[Any]) -> tuple[float, float]:
    """Which scores to show: the first epochs, near guessing, would press the rest into a thin strip."""
    lowest = min(float(np.percentile(means, 10)), *(float(mean[-1]) for mean in means))
    bottom = max(lowest - max(0.1 * (1 - lowest), 0.01), 0.0 if found.score_name == "accuracy" else -1.0)
    return bottom, 1 + 0.02 * (1 - bottom)


def draw_ends(axes: Any, found: Compared, ranked: Sequence[Summary], styles: dict[Setting, dict[str, Any]]) -> None:
    """One row of dots for each setting, the best on top; seeds are spread over the row so that equal ones show."""
    for row, summary in enumerate(ranked):
        colour, ends = styles[summary.setting]["color"], np.array(summary.ends)
        heights = row + (np.linspace(-0.3, 0.3, len(ends)) if len(ends) > 1 else np.zeros(1))
        axes.plot([ends.mean()] * 2, [row - 0.38, row + 0.38], color=colour, linewidth=2.5)
        axes.plot(ends, heights, "o", color=colour, alpha=0.5, markersize=4, markeredgewidth=0)
    names = [style.literal(found.label(summary.setting)) for summary in ranked]
    axes.set_yticks(range(len(ranked)), names, fontsize=9)
    axes.invert_yaxis()
    axes.locator_params(axis="x", nbins=5)
    axes.set_xlabel(score_word(found))
    axes.set_title(_("after the last epoch; dots: seeds, line: mean"), fontsize=10, loc="left")
    style.tidy(axes)


def draw_planes(block: Any, seen: Boundaries) -> None:
    """How each of the best settings parts the plane at the end, with the samples that it learnt from."""
    title = _("decision boundaries after the last epoch of seed 0, best settings first")
    block.suptitle(title, fontsize=10, x=0.01, ha="left")
    rows = -(-len(seen.values) // ACROSS)
    grid = block.subplots(rows, max(4, -(-len(seen.values) // rows)), squeeze=False)
    classes, size = int(seen.labels.max()) + 1, 3 if len(seen.labels) > 50 else 7
    for axes in grid.flat[len(seen.values) :]:
        axes.set_visible(False)
    for axes, (label, values) in zip(grid.flat, seen.values.items(), strict=False):
        plane, extent = style.shades(classes)[values[-1]], (*seen.x_range, *seen.y_range)
        axes.imshow(plane, extent=extent, origin="lower", aspect="auto", interpolation="bilinear")
        for each in range(classes):
            look = {"color": style.COLOURS[each % len(style.COLOURS)], "marker": "os^D"[each % 4], "linestyle": ""}
            axes.plot(*seen.points[seen.labels == each].T, markersize=size, mew=0.4, mec="white", **look)
        axes.set_box_aspect(1)
        axes.set_title(style.literal(label), fontsize=9)
        axes.set_xticks([])
        axes.set_yticks([])
