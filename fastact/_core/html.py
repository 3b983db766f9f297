"""How a function shows itself in a notebook: a card with its curves, as an inline SVG, and what its metadata says.

The picture needs no library, and no colour: the slope is dashed.
"""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np

from fastact._core.facts import curves
from fastact.language import translated as _

__all__ = ["card"]

WIDTH, HEIGHT = 340, 250
#: Of the plot inside the picture: left, top, width, height.
LEFT, TOP, ACROSS, DOWN = 34, 28, 296, 196
REACH = 5.0
#: The highest and the lowest y that is ever shown, so that what grows fast leaves room for the rest.
MOST = 6.0
#: Okabe and Ito's blue and vermilion, and how each line is drawn.
LINES = {
    "f(x)": 'stroke="#0072B2" stroke-width="2.2"',
    "f'(x)": 'stroke="#D55E00" stroke-width="2" stroke-dasharray="7 4"',
}
INK, PALE = "#222222", "#c8c8c8"

_CARD = (
    "display:flex;flex-wrap:wrap;gap:4px 20px;align-items:flex-start;max-width:900px;padding:12px 16px;"
    f"border:1px solid {PALE};border-radius:8px;background:#fff;color:{INK};font:14px/1.5 sans-serif"
)
_LABEL = "text-align:left;vertical-align:top;padding:2px 14px 2px 0;font-weight:600;white-space:nowrap;background:#fff"
_TEXT = f"text-align:left;vertical-align:top;padding:2px 0;background:#fff;color:{INK}"


def card(function: Any) -> str:
    """The card, in the language in use."""
    picture = _picture(function) if function.kind == "activation" else ""
    name, summary = escape(function.name), escape(function.summary)
    lead = f"<div style='flex-basis:100%'><b style='font-size:16px'>{name}</b>&ensp;{summary}</div>"
    facts = _table(function.facts())
    samples = {} if picture else function._samples()
    values = _table(
        [(label, ", ".join(f"{round(float(value), 3):g}" for value in row)) for label, row in samples.items()]
    )
    return f"<div style='{_CARD}'>{lead}{picture}<div style='flex:1 1 380px'>{facts}{values}</div></div>"


def _table(pairs: list[tuple[str, str]]) -> str:
    rows = "".join(
        f"<tr style='background:#fff'><th scope='row' style='{_LABEL}'>{escape(label)}</th>"
        f"<td style='{_TEXT}'>{escape(text)}</td></tr>"
        for label, text in pairs
    )
    return f"<table style='border-collapse:collapse;margin:0 0 8px;font:inherit'>{rows}</table>" if rows else ""


def _picture(activation: Any) -> str:
    """f and f' for x from -5 to 5."""
    x = np.linspace(-REACH, REACH, 241)
    drawn = curves(activation, x)
    low, high = _limits([y for _x, y in drawn.values()])
    across, down = ACROSS / (2 * REACH), DOWN / (high - low)
    title = _("The curve of {name} and its slope").format(name=activation.name)
    if len(drawn) == 1:
        title = _("The curve of {name}").format(name=activation.name)
    marks = "".join(_mark_across(LEFT + (at + REACH) * across, at) for at in range(-4, 5, 2))
    marks += "".join(_mark_down(TOP + (high - at) * down, at) for at in _ticks(low, high))
    legend = "".join(_legend(LEFT + 90 * position, label) for position, label in enumerate(drawn))
    paths = "".join(
        f'<path d="{_path((x + REACH) * across, (high - y) * down)}" fill="none" {LINES[label]}/>'
        for label, (x, y) in drawn.items()
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" style="flex:none;max-width:100%;background:#fff" '
        f'font-family="sans-serif" font-size="12" fill="{INK}"><title>{escape(title)}</title>{marks}{legend}'
        f'<svg x="{LEFT}" y="{TOP}" width="{ACROSS}" height="{DOWN}" overflow="hidden">{paths}</svg></svg>'
    )


def _limits(curves: list[np.ndarray]) -> tuple[float, float]:
    """The range of y: around the curves, never so narrow that a small wiggle looks large."""
    shown = np.concatenate([each[np.isfinite(each)] for each in curves])
    low, high = max(min(shown.min(initial=0.0), -1.2), -MOST), min(max(shown.max(initial=0.0), 1.2), MOST)
    room = 0.04 * (high - low)
    return low - room, high + room


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers within limits, four to eight of them."""
    step = 0.5 if high - low < 4 else 1.0 if high - low < 6 else 2.0
    return [float(at) for at in np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step + 0.0]


def _mark_across(at: float, value: float) -> str:
    rule = _rule(at, TOP, at, TOP + DOWN, value)
    return f'{rule}<text x="{at:.1f}" y="{TOP + DOWN + 16}" text-anchor="middle">{value:g}</text>'


def _mark_down(at: float, value: float) -> str:
    rule = _rule(LEFT, at, LEFT + ACROSS, at, value)
    return f'{rule}<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{value:g}</text>'


def _rule(left: float, top: float, right: float, bottom: float, value: float) -> str:
    """A line of the grid; that of 0 is an axis."""
    colour = "#777777" if value == 0 else "#e6e6e6"
    return f'<line x1="{left:.1f}" y1="{top:.1f}" x2="{right:.1f}" y2="{bottom:.1f}" stroke="{colour}"/>'


def _legend(at: float, label: str) -> str:
    line = f'<line x1="{at}" y1="14" x2="{at + 30}" y2="14" {LINES[label]}/>'
    return f'{line}<text x="{at + 36}" y="18">{escape(label)}</text>'


def _path(across: np.ndarray, down: np.ndarray) -> str:
    """The points, with a gap where one has no value."""
    known = np.isfinite(across) & np.isfinite(down)
    commands = []
    for point in np.flatnonzero(known):
        begins = point == 0 or not known[point - 1]
        commands.append(f"{'M' if begins else 'L'}{across[point]:.1f} {down[point]:.1f}")
    return "".join(commands)
