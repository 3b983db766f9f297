"""A picture of activations: each one's curve, and its derivative beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import fastact as fa
from fastact.learn.pictures import style

__all__ = ["curves"]

REACH = 5.0
PAIRS_PER_ROW = 2


@style.lettering()
def curves(names: Sequence[str]) -> Any:
    """f on the left and f' on the right of each pair, for x from -5 to 5."""
    pairs = min(PAIRS_PER_ROW, len(names))
    rows = -(-len(names) // pairs)
    figure = style.figure(5.6 * pairs, 2.3 * rows + 0.3)
    figure.get_layout_engine().set(wspace=0.04, hspace=0.06)
    grid = figure.subplots(rows, 2 * pairs, squeeze=False)
    for position, name in enumerate(names):
        row, pair = divmod(position, pairs)
        draw(grid[row, 2 * pair], grid[row, 2 * pair + 1], fa.get(name))
    for unused in grid.flat[2 * len(names) :]:
        unused.set_visible(False)
    return figure


def draw(left: Any, right: Any, activation: Any) -> None:
    """Draw one activation on its two axes."""
    x = np.linspace(-REACH, REACH, 1001)
    for axes, curve, mark, line in zip((left, right), activation._curves(x).values(), ("", "'"), (0, 1), strict=True):
        axes.plot(*curve, linewidth=2, **style.line(line))
        axes.set_title(f"{activation.name}{mark}", fontsize=11, loc="left")
    left.set_ylim(*limits(left.get_ylim(), at_least=(-1.2, 1.2)))
    right.set_ylim(*limits(right.get_ylim(), at_least=(-0.2, 1.2)))
    for axes in (left, right):
        axes.set_xlim(-REACH, REACH)
        axes.set_xticks([-4, -2, 0, 2, 4])
        axes.tick_params(labelsize=8, length=2)
        axes.axhline(0, color=style.PALE, linewidth=0.8, zorder=0)
        axes.axvline(0, color=style.PALE, linewidth=0.8, zorder=0)
        axes.spines[["top", "right"]].set_visible(False)


def limits(shown: tuple[float, float], at_least: tuple[float, float]) -> tuple[float, float]:
    """Limits around the curve, never so narrow that a small wiggle looks large."""
    return min(shown[0], at_least[0]), max(shown[1], at_least[1])
