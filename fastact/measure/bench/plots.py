"""The pictures of a benchmark: a heat map of ratios to the best peer, and time per element over size beside a copy.

Both return a matplotlib Figure of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastact.errors import require
from fastact.language import translated as _
from fastact.measure.bench.cases import DTYPES, LAYOUTS, PARTS, Case, Size, label
from fastact.measure.bench.results import Times, best_peer, peers_of, ratio

__all__ = ["heat_map", "roofline"]

#: Ratios from which the colour is the darkest.
DARKEST = 8.0
#: Of Latin letters and figures; few fonts with Japanese glyphs are bold.
BOLD = {"fontweight": "bold", "fontfamily": "DejaVu Sans"}
OWN, PEER, COPY = "#1f5fa8", "#c8501e", "#707070"


def _in_order(values: set[Any], order: Sequence[Any]) -> list[Any]:
    return [value for value in order if value in values]


def heat_map(results: Mapping[Case, Times]) -> Any:
    """The best peer's time over fastact's: blue where fastact is faster, red where a peer is.

    One panel for each dtype; rows are functions and parts, columns layouts and sizes.
    """
    figures, colors = (require(f"matplotlib.{name}", "demo", "the plot") for name in ("figure", "colors"))
    dtypes = _in_order({case.dtype for case in results}, DTYPES)
    names = list(dict.fromkeys(case.name for case in results))
    parts = _in_order({case.part for case in results}, PARTS)
    layouts = _in_order({case.layout for case in results}, LAYOUTS)
    sizes = list(dict.fromkeys(case.size for case in sorted(results, key=lambda case: case.elements)))
    rows = [(name, part) for name in names for part in parts]
    columns = [(layout, size) for layout in layouts for size in sizes]
    width, height = max(0.42 * len(columns), 3.2), max(0.21 * len(rows), 1.2)
    figure = figures.Figure(figsize=(width * len(dtypes) + 2.6, height + 1.9), layout="constrained")
    panels = figure.subplots(1, len(dtypes), squeeze=False, sharey=True)[0]
    image = None
    for axes, dtype in zip(panels, dtypes, strict=True):
        cells = np.full((len(rows), len(columns)), np.nan)
        for i, (name, part) in enumerate(rows):
            for j, (layout, size) in enumerate(columns):
                times = results.get(Case(name, part, dtype, size, layout))
                cells[i, j] = ratio(times) if times else np.nan
        norm = colors.LogNorm(1 / DARKEST, DARKEST)
        image = axes.imshow(np.clip(cells, 1 / DARKEST, DARKEST), cmap="RdBu", norm=norm, aspect="auto")
        for (i, j), value in np.ndenumerate(cells):
            if value == value:
                dark = abs(np.log(value)) > 0.65 * np.log(DARKEST)
                text = f"{value:.2f}" if value < 9.95 else f"{value:.0f}"
                axes.text(
                    j, i, text, ha="center", va="center", fontsize=5.5, color="white" if dark else "black",
                    **(BOLD if value < 1 else {}),
                )  # fmt: skip
        _label(axes, dtype, parts, names, layouts, sizes)
    bar = figure.colorbar(
        image, ax=list(panels), location="bottom", aspect=50, shrink=0.6, fraction=0.3 / (height + 8), pad=0.01
    )
    ticks = [1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8]
    bar.set_ticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    bar.minorticks_off()
    bar.set_label(_("time of the fastest peer / time of fastact (blue: fastact is faster)"), fontsize=8)
    bar.ax.tick_params(labelsize=8)
    return figure


def _label(
    axes: Any, dtype: str, parts: Sequence[str], names: Sequence[str], layouts: Sequence[str], sizes: Sequence[Size]
) -> None:
    """Sizes below, layouts above, functions and parts at the left; lines between the groups."""
    axes.set_xticks(range(len(layouts) * len(sizes)), [label(size) for size in sizes] * len(layouts), fontsize=7)
    words = [f"{name} {part}" if part == parts[0] else part for name in names for part in parts]
    axes.set_yticks(range(len(words)), words, fontsize=7)
    axes.tick_params(length=0)
    axes.set_xlabel(_("elements"), fontsize=8)
    axes.set_title(dtype, fontsize=11, **BOLD, loc="left", pad=20)
    for k, layout in enumerate(layouts):
        axes.text((k + 0.5) * len(sizes) - 0.5, -0.65, layout, ha="center", va="bottom", fontsize=8)
        if k:
            axes.axvline(k * len(sizes) - 0.5, color="black", linewidth=0.8)
    for k in range(1, len(names)):
        axes.axhline(k * len(parts) - 0.5, color="black", linewidth=0.4)
    axes.spines[:].set_visible(False)


def roofline(results: Mapping[Case, Times]) -> Any:
    """Nanoseconds per element over size, one panel per function: fastact, the fastest peer, and a copy of the bytes.

    The copy's line is what the memory allows: no function that reads and writes every element can pass below it.
    """
    figures = require("matplotlib.figure", "demo", "the plot")
    lines: dict[Case, list[Case]] = {}
    for case in sorted(results, key=lambda case: case.elements):
        lines.setdefault(case._replace(size=0), []).append(case)
    across = min(3, len(lines))
    down = -(-len(lines) // across)
    figure = figures.Figure(figsize=(4.2 * across + 0.3, 3.1 * down + 0.5), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True)
    for axes, (line, cases) in zip(panels.flat, lines.items(), strict=False):
        sizes, times = [case.elements for case in cases], [results[case] for case in cases]
        axes.plot(sizes, [t["copy"] for t in times], color=COPY, linestyle="--", linewidth=1.2, label=_("copy"))
        best = [
            (size, best_peer(t), min(peers_of(t).values())) for size, t in zip(sizes, times, strict=True) if peers_of(t)
        ]
        if best:
            axes.plot(
                [size for size, _, _ in best], [time for _, _, time in best], color=PEER, marker="o", markersize=4,
                label=_("fastest peer"),
            )  # fmt: skip
        for size, library, time in best:
            axes.annotate(
                library, (size, time), (1, 5), textcoords="offset points", fontsize=6.5, color=PEER,
                ha="right" if size == sizes[-1] else "left",
            )  # fmt: skip
        axes.plot(sizes, [t["fastact"] for t in times], color=OWN, marker="o", markersize=4, label="fastact")
        axes.set(xscale="log", yscale="log")
        axes.margins(x=0.14, y=0.12)
        what = " ".join((line.name, *((line.part,) if line.part != "forward" else ())))
        axes.set_title(f"{what}, {line.dtype}, {line.layout}", fontsize=9.5, **BOLD, loc="left")
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    for unused in panels.flat[len(lines) :]:
        unused.set_visible(False)
    panels[0, 0].legend(frameon=False, fontsize=8)
    figure.supxlabel(_("elements"), fontsize=9)
    figure.supylabel(_("ns per element"), fontsize=9)
    return figure
