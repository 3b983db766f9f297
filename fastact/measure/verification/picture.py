"""The picture of a verification: the largest error around each x, a small picture for each dtype."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastact.language import listed
from fastact.language import translated as _
from fastact.learn.pictures import style
from fastact.measure.verification.measuring import Measurement
from fastact.measure.verification.verification import Verification
from fastact.measure.verification.wording import PARTS, error

__all__ = ["draw"]

Floats = NDArray[np.float64]

#: Below it, x is drawn linearly; the axis ends here; columns of a picture; the least error that is drawn.
LINEAR, END, COLUMNS, FLOOR = 1e-3, 1e3, 480, 1e-3


@style.lettering()
def draw(verification: Verification) -> Any:
    """Draw what `Verification.figure` returns; it finds this function by SERVICES in measure/__init__.py."""
    groups: dict[str, list[Measurement]] = {}
    for each in verification.measurements:
        groups.setdefault(each.kind.name, []).append(each)
    rows = -(-len(groups) // 2)
    figure = style.figure(13 if len(groups) > 1 else 8, 3.6 * rows + 0.8)
    grid = figure.subplots(rows, min(len(groups), 2), squeeze=False)
    for axes, (dtype, parts) in zip(grid.flat, groups.items(), strict=False):
        for each in parts:
            place = list(PARTS).index(each.part)
            curve(axes, each, _(PARTS[each.part]), place)
        finish(axes, dtype, parts)
    for unused in grid.flat[len(groups) :]:
        unused.set_visible(False)
    handles, names = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names), frameon=False)
    verdict = _("passed") if verification.passed else _("FAILED")
    figure.suptitle(f"{style.literal(verification.title)}: {verdict}", fontsize=12)
    return figure


def position(x: Floats) -> Floats:
    """Where matplotlib's symlog axis draws x, but for a factor."""
    size = np.minimum(np.abs(x), 1e300) / LINEAR
    found: Floats = np.sign(x) * np.where(size < 1, size, 1 + np.log10(np.maximum(size, 1)))
    return found


def curve(axes: Any, found: Measurement, label: str, place: int) -> None:
    """The largest error of each column; marks on the upper edge for NaN and infinity."""
    x, error = found.curve
    end = position(np.array(END))
    edges = np.linspace(-end, end, COLUMNS + 1)
    most = np.full(COLUMNS, -1.0)
    inside = np.abs(x) <= END
    np.maximum.at(most, np.clip(np.digitize(position(x[inside]), edges) - 1, 0, COLUMNS - 1), error[inside])
    middle = (edges[1:] + edges[:-1]) / 2
    size = np.abs(middle)
    at = np.sign(middle) * np.where(size < 1, size, 10.0 ** (size - 1)) * LINEAR
    finite, lost = (most >= 0) & np.isfinite(most), at[np.isinf(most)]
    axes.plot(at[finite], np.maximum(most[finite], FLOOR), label=label, linewidth=1.3, **style.line(place))
    if lost.size:
        axes.plot(
            lost, np.full(lost.size, 0.97 - 0.04 * place), "v", color=style.line(place)["color"], markersize=5,
            transform=axes.get_xaxis_transform(), label=_("{part}: NaN or inf").format(part=label),
        )  # fmt: skip


def finish(axes: Any, dtype: str, parts: list[Measurement]) -> None:
    """Scales, limits, and what is said of x that is not drawn."""
    axes.set_xscale("symlog", linthresh=LINEAR, linscale=1)
    axes.set_yscale("log")
    for place, limit in enumerate(dict.fromkeys(each.limit for each in parts)):
        axes.axhline(
            max(limit, FLOOR), color=style.INK, linewidth=1, linestyle=style.DASHES[place],
            label=_("limit {limit} ULP").format(limit=f"{limit:g}"), zorder=0,
        )  # fmt: skip
    axes.set_xlim(-END, END)
    axes.set_ylim(FLOOR / 1.5, max(20, 1.5 * axes.get_ylim()[1]))
    axes.set_xticks([-1e3, -10, -0.1, 0, 0.1, 10, 1e3])
    beyond(axes, parts)
    count = f"{parts[0].counts.inputs:,}"
    inputs = _("all numbers") if parts[0].exhaustive else _("{count} numbers").format(count=count)
    axes.set_title(f"{dtype} ({inputs})", fontsize=11, loc="left")
    axes.set_xlabel("x")
    axes.set_ylabel(_("largest error (ULP)"))
    style.tidy(axes)


def beyond(axes: Any, parts: list[Measurement]) -> None:
    """Say on each side what errors are farther out, if they are above the limit."""
    for side, place in ((-1, 0.01), (1, 0.99)):
        worst = [
            (PARTS[each.part], float(each.curve[1][side * each.curve[0] > END].max(initial=0)), each.limit)
            for each in parts
        ]
        texts = [
            _("{part} up to {error}").format(part=_(part), error=error(most))
            for part, most, limit in worst
            if most > limit
        ]
        if texts:
            text = _("beyond: {errors}").format(errors=listed(texts))
            axes.text(
                place, 0.93, text, transform=axes.transAxes, ha="left" if side < 0 else "right", va="center",
                fontsize=9, color=style.INK, wrap=True, bbox={"facecolor": "white", "edgecolor": style.PALE},
            )  # fmt: skip
