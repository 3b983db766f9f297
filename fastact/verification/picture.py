"""The picture of a verification: the largest error around each x, a small picture for each dtype."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastact.language import translated as _
from fastact.pictures import style
from fastact.verification.measuring import Measurement

if TYPE_CHECKING:
    from fastact.verification.verification import Verification

__all__ = ["draw"]

#: Below it, x is drawn linearly; columns of a picture; the least error that is drawn.
LINEAR, COLUMNS, FLOOR = 1e-3, 480, 1e-3
#: x is drawn at least from minus to plus this.
REACH = 1e3


@style.lettering()
def draw(verification: Verification) -> Any:
    """A new Figure."""
    from fastact.verification.verification import PARTS

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


def position(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where matplotlib's symlog axis draws x, but for a factor."""
    size = np.minimum(np.abs(x), 1e300) / LINEAR
    found: NDArray[np.float64] = np.sign(x) * np.where(size < 1, size, 1 + np.log10(np.maximum(size, 1)))
    return found


def curve(axes: Any, found: Measurement, label: str, place: int) -> None:
    """The largest error of each column, and marks on the upper edge for NaN and infinity."""
    x, error = found.curve
    edges = position(np.array([reach([found])]))[0] * np.linspace(-1, 1, COLUMNS + 1)
    column = np.clip(np.digitize(position(x), edges) - 1, 0, COLUMNS - 1)
    inside = np.abs(position(x)) <= edges[-1]
    most = np.full(COLUMNS, -1.0)
    np.maximum.at(most, column[inside], error[inside])
    middle = (edges[1:] + edges[:-1]) / 2
    size = np.abs(middle)
    at = np.sign(middle) * np.where(size < 1, size, 10.0 ** (size - 1)) * LINEAR
    drawn = most >= 0
    colour = style.line(place)["color"]
    finite = drawn & np.isfinite(most)
    axes.plot(at[finite], np.maximum(most[finite], FLOOR), label=label, linewidth=1.3, **style.line(place))
    if (drawn & ~finite).any():
        lost = at[drawn & ~finite]
        axes.plot(
            lost, np.full(lost.size, 0.97 - 0.04 * place), "v", color=colour, markersize=5, clip_on=False,
            transform=axes.get_xaxis_transform(), label=_("{part}: NaN or inf").format(part=label),
        )  # fmt: skip


def reach(parts: list[Measurement]) -> float:
    """How far the x axis goes: to all wrong results, and `REACH` at least."""
    most = max((max(abs(where.low), abs(where.high)) for each in parts for where in each.where), default=0.0)
    return max(REACH, 2 * min(most, 1e300))


def finish(axes: Any, dtype: str, parts: list[Measurement]) -> None:
    axes.set_xscale("symlog", linthresh=LINEAR, linscale=1)
    axes.set_yscale("log")
    for place, limit in enumerate(dict.fromkeys(each.limit for each in parts)):
        axes.axhline(
            limit, color=style.INK, linewidth=1, linestyle=style.DASHES[place],
            label=_("limit {limit} ULP").format(limit=f"{limit:g}"), zorder=0,
        )  # fmt: skip
    end = reach(parts)
    axes.set_xlim(-end, end)
    axes.set_ylim(FLOOR / 1.5, None)
    low, high = axes.get_ylim()
    axes.set_ylim(low, max(high, 20))
    several = 10 ** (np.ceil((np.log10(end / LINEAR) + 1) / 4))
    ticks = [LINEAR]
    while ticks[-1] * several <= end:
        ticks.append(ticks[-1] * several)
    axes.set_xticks([-each for each in reversed(ticks)] + [0] + ticks)
    inputs = (
        _("all numbers") if parts[0].exhaustive else _("{count} numbers").format(count=f"{parts[0].counts.inputs:,}")
    )
    axes.set_title(f"{dtype} ({inputs})", fontsize=11, loc="left")
    axes.set_xlabel("x")
    axes.set_ylabel(_("largest error (ULP)"))
    style.tidy(axes)
