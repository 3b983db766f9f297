"""Pictures of functions as SVG inside of a page, whose colours they take, light or dark; and small ones for tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise
from typing import Any

import numpy as np

from extensions.curves import Bars, Line, Panel, panels
from fastact.pictures import style

__all__ = ["picture", "spark"]

#: matplotlib's names of line styles -> SVG's.
DASHES = {"-": "none", "--": "7 4", "-.": "2 3 7 3", ":": "2 3"}
#: A panel: its size, and where its axes begin and end.
WIDTH, HEIGHT = 340, 230
LEFT, RIGHT, TOP, BOTTOM = 34, 330, 26, 196
#: The smallest range of y that is shown, so that a small wiggle does not look large; and the largest.
LEAST, MOST = (-0.2, 1.2), (-8.0, 8.0)
#: The size of a small picture, and its margin.
SMALL_WIDTH, SMALL_HEIGHT, MARGIN = 88, 34, 3


def picture(function: Any) -> str:
    """A figure with the panels of a function side by side, where there is room, and what its lines are."""
    shown: Sequence[Panel | Bars] = panels(function)
    drawn = "".join(bars(panel) if isinstance(panel, Bars) else plot(panel, at) for at, panel in enumerate(shown))
    labels = [line.label for line in shown[0].lines] if isinstance(shown[0], Panel) else []
    caption = (
        f"<figcaption>{''.join(key(at, label) for at, label in enumerate(labels))}</figcaption>" if any(labels) else ""
    )
    return f'<figure class="curves"><div>{drawn}</div>{caption}</figure>'


def key(position: int, label: str) -> str:
    """A line's label behind a piece of it."""
    return (
        f'<span><svg width="34" height="8" aria-hidden="true"><path d="M1 4H33" {stroke(position)}/></svg> '
        f"{escape(label)}</span> "
    )


def stroke(position: int) -> str:
    """Attributes of the i-th line, as in all pictures of fastact."""
    line = style.line(position)
    dashes = DASHES[line["linestyle"]]
    return f'fill="none" stroke="{line["color"]}" stroke-width="2.2" stroke-dasharray="{dashes}"'


def plot(panel: Panel, number: int) -> str:
    """A panel with axes."""
    x_limits = float(panel.lines[0].x[0]), float(panel.lines[0].x[-1])
    y_limits = limits(panel.lines)
    x_scale, y_scale = Scale(x_limits, (LEFT, RIGHT)), Scale(y_limits, (BOTTOM, TOP))
    grid, texts = "", [text(LEFT, 14, panel.title, "start")]
    for tick in ticks(*x_limits):
        at = x_scale(tick)
        grid += f"M{at:.1f} {TOP}V{BOTTOM}"
        texts.append(text(at, BOTTOM + 15, f"{tick:g}", "middle"))
    for tick in ticks(*y_limits):
        at = y_scale(tick)
        grid += f"M{LEFT} {at:.1f}H{RIGHT}"
        texts.append(text(LEFT - 5, at + 4, f"{tick:g}", "end"))
    texts.append(text((LEFT + RIGHT) / 2, HEIGHT - 4, panel.across, "middle"))
    zero = f"M{LEFT} {y_scale(0):.1f}H{RIGHT}" + (f"M{x_scale(0):.1f} {TOP}V{BOTTOM}" if x_limits[0] < 0 else "")
    lines = "".join(
        f'<path d="{path(line, x_scale, y_scale)}" {stroke(position)}/>' for position, line in enumerate(panel.lines)
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(spoken(panel))}">'
        f'<clipPath id="inside-{number}"><path d="M{LEFT} {TOP - 2}H{RIGHT}V{BOTTOM + 2}H{LEFT}Z"/></clipPath>'
        f'<path class="grid" d="{grid}"/><path class="axis" d="{zero}"/>{"".join(texts)}'
        f'<g clip-path="url(#inside-{number})">{lines}</g></svg>'
    )


def bars(panel: Bars) -> str:
    """A panel of draws, each a bar."""
    step = (RIGHT - LEFT) / len(panel.shares)
    y_scale = Scale((0, 1), (BOTTOM, TOP))
    drawn = ""
    for at, shares in enumerate(panel.shares):
        edges = np.r_[0, np.cumsum(shares)]
        for position, (low, high) in enumerate(pairwise(edges)):
            drawn += (
                f'<rect x="{LEFT + at * step:.1f}" width="{0.8 * step:.1f}" y="{y_scale(high):.1f}" '
                f'height="{y_scale(low) - y_scale(high):.1f}" fill="{style.COLOURS[position]}"/>'
            )
    texts = [text(LEFT, 14, panel.title, "start")]
    texts += [text(LEFT - 5, y_scale(tick) + 4, f"{tick:g}", "end") for tick in (0, 0.5, 1)]
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(panel.title)}">'
        f"{''.join(texts)}{drawn}</svg>"
    )


class Scale:
    """From a value to a place of the picture."""

    def __init__(self, values: tuple[float, float], places: tuple[float, float]) -> None:
        self.first, self.factor = values[0], (places[1] - places[0]) / (values[1] - values[0])
        self.start = places[0]

    def __call__(self, value: float) -> float:
        return self.start + (value - self.first) * self.factor


def limits(lines: Sequence[Line]) -> tuple[float, float]:
    """The range of y that is shown, with a little room."""
    low = min(float(np.nanmin(line.y)) for line in lines)
    high = max(float(np.nanmax(line.y)) for line in lines)
    low, high = max(min(low, LEAST[0]), MOST[0]), min(max(high, LEAST[1]), MOST[1])
    room = 0.03 * (high - low)
    return low - room, high + room


def ticks(low: float, high: float) -> Iterator[float]:
    """Round numbers, four to eight of them."""
    step = next(step for step in (0.2, 0.5, 1, 2, 5, 10) if (high - low) / step <= 8)
    for multiple in range(int(np.ceil(low / step)), int(np.floor(high / step)) + 1):
        yield round(multiple * step, 1)


def text(x: float, y: float, words: str, anchor: str) -> str:
    """A text of a picture."""
    shown = escape(words.replace("'", "′").replace("-", "−") if words[:1] == "-" else words.replace("'", "′"))
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{shown}</text>'


def spoken(panel: Panel) -> str:
    """A panel in words: its title and labels."""
    labels = ", ".join(line.label for line in panel.lines if line.label)
    return ": ".join(filter(None, (panel.title, labels)))


def path(line: Line, x_scale: Scale, y_scale: Scale) -> str:
    """A line as SVG's path; it breaks where y is NaN."""
    found, pen = "", "M"
    for x, y in zip(line.x, line.y, strict=True):
        if np.isnan(y):
            pen = "M"
            continue
        found += f"{pen}{x_scale(x):.1f} {y_scale(y):.1f}"
        pen = "L"
    return found


def spark(function: Any) -> str:
    """The line of a function's default parameters, small; empty where the picture has no lines."""
    first = panels(function)[0]
    if isinstance(first, Bars):
        return ""
    line = first.lines[len(first.lines) // 2]
    kept = np.arange(len(line.x)) % 6 == 0
    gaps = np.isnan(line.y)
    kept |= gaps | np.r_[False, gaps[:-1]] | np.r_[gaps[1:], False]
    thin = Line("", line.x[kept], line.y[kept])
    x_scale = Scale((float(line.x[0]), float(line.x[-1])), (MARGIN, SMALL_WIDTH - MARGIN))
    y_scale = Scale(limits([line]), (SMALL_HEIGHT - MARGIN, MARGIN))
    return (
        f'<svg class="spark" viewBox="0 0 {SMALL_WIDTH} {SMALL_HEIGHT}" width="{SMALL_WIDTH}" height="{SMALL_HEIGHT}" '
        f'aria-hidden="true"><path d="{path(thin, x_scale, y_scale)}"/></svg>'
    )
