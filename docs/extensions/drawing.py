"""Pictures of functions as SVG inside of a page, whose colours they take, light or dark; and small ones for tables."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from html import escape
from typing import Any

import matplotlib as mpl
import numpy as np

from extensions.curves import Bars, Line, Panel, panels
from fastact.learn.pictures import style

__all__ = ["picture", "spark"]

#: The smallest range of y that is shown, so that a small wiggle does not look large; and the largest.
LEAST, MOST = (-0.2, 1.2), (-8.0, 8.0)
#: Texts are of the page's font; the salt makes names inside of a picture the same in every build.
SETTINGS: Any = {"svg.fonttype": "none", "svg.hashsalt": "fastact", "text.color": "black", "font.size": 9}
#: What an SVG has that a page does not want: rules for all of its own pictures, and a fixed size.
FOREIGN = re.compile(r'<style.*?</style>|<metadata>.*?</metadata>| (?:width|height)="[\d.]+pt"(?=[^<]* viewBox)', re.S)


def picture(function: Any) -> str:
    """A figure with the panels of a function, side by side where there is room."""
    shown: Sequence[Panel | Bars] = panels(function)
    drawn = "".join(bars(panel) if isinstance(panel, Bars) else plot(panel, not at) for at, panel in enumerate(shown))
    return f'<figure class="curves">{drawn}</figure>'


def plot(panel: Panel, labelled: bool) -> str:
    """A panel of lines; their labels stand in the first one alone."""
    with mpl.rc_context(SETTINGS):
        figure = style.figure(3.4, 2.4)
        axes = figure.subplots()
        axes.grid(alpha=0.12, color="black")
        axes.axhline(0, color="black", alpha=0.5, linewidth=0.8)
        if panel.lines[0].x[0] < 0:
            axes.axvline(0, color="black", alpha=0.5, linewidth=0.8)
        for position, line in enumerate(panel.lines):
            label = line.label if labelled else ""
            axes.plot(line.x, line.y, label=label, linewidth=1.8, zorder=3, **style.line(position))
        axes.set_ylim(*limits(panel.lines))
        axes.margins(x=0)
        axes.set_xlabel(panel.across)
        if labelled and panel.lines[0].label:
            axes.legend(frameon=False)
        return svg(figure, axes, panel.title)


def bars(panel: Bars) -> str:
    """A panel of draws, each a bar."""
    with mpl.rc_context(SETTINGS):
        figure = style.figure(3.4, 2.4)
        axes = figure.subplots()
        below = np.zeros(len(panel.shares))
        for position, shares in enumerate(panel.shares.T):
            axes.bar(np.arange(len(shares)), shares, bottom=below, color=style.COLOURS[position])
            below += shares
        axes.set(xticks=[], yticks=[0, 0.5, 1], ylim=(0, 1))
        return svg(figure, axes, panel.title)


def svg(figure: Any, axes: Any, title: str) -> str:
    """The picture as an element of a page, in whose ink everything black is drawn."""
    axes.set_title(title.replace("'", "′"), loc="left", fontsize=10)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return element(figure, f'role="img" aria-label="{escape(title)}"')


def element(figure: Any, attributes: str) -> str:
    """A Figure as an SVG element with these attributes."""
    written = io.StringIO()
    figure.savefig(written, format="svg", transparent=True, metadata={"Date": None})
    text = FOREIGN.sub("", written.getvalue().partition("<svg ")[2])
    return f"<svg {attributes} {text}".replace("#000000", "currentColor").replace("\n", " ")


def limits(lines: Sequence[Line]) -> tuple[float, float]:
    """The range of y that is shown, with a little room."""
    low = min(float(np.nanmin(line.y)) for line in lines)
    high = max(float(np.nanmax(line.y)) for line in lines)
    low, high = max(min(low, LEAST[0]), MOST[0]), min(max(high, LEAST[1]), MOST[1])
    room = 0.03 * (high - low)
    return low - room, high + room


def spark(function: Any) -> str:
    """The line of a function's default parameters, small; empty where the picture has no lines."""
    first = panels(function)[0]
    if isinstance(first, Bars):
        return ""
    line = first.lines[len(first.lines) // 2]
    with mpl.rc_context(SETTINGS):
        figure = style.figure(0.9, 0.35)
        axes = figure.subplots()
        axes.set_axis_off()
        axes.set_ylim(*limits([line]))
        axes.plot(line.x, line.y, color="black", linewidth=1.4)
        return element(figure, 'class="spark" aria-hidden="true"')
