"""Accuracy and speed of a function as Markdown, from the JSON files that benchmarks/ writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from extensions.markdown import directive, table
from extensions.words import translated as _

__all__ = ["accuracy", "speed"]

DOCS = Path(__file__).parents[1]
#: What each measured part of a function is called.
PARTS = ("forward", "derivative", "backward")
#: The sizes of arrays whose times are shown.
SIZES = (1_000, 1_000_000)
#: What is timed beside fastact, and is no implementation of the function.
NO_PEER = ("fastact", "copy")


@cache
def read(name: str) -> dict[str, Any]:
    """The JSON file of this name."""
    found: dict[str, Any] = json.loads((DOCS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def accuracy(name: str) -> str:
    """The largest errors of an elementwise function; empty for one that has not been measured."""
    found = read("accuracy")
    rows = [
        [
            _(part),
            f"{errors['ulp']:.3f}",
            number(errors["at"]),
            f"{errors['mean']:.3f}",
            *(f"{errors[dtype]:.3f}" for dtype in ("float64", "float16", "bfloat16")),
        ]
        for part in PARTS
        if (errors := found["fastact"].get(f"{name} {part}"))
    ]
    if not rows:
        return ""
    head = [_("in ULP"), "float32", _("at x ="), _("mean"), "float64", "float16", "bfloat16"]
    lead = _(
        "The largest error over every float32, float16 and bfloat16 number, and over a sample of float64 numbers. "
        "1 ULP is the step from one number of the format to the next. [How it is measured](../../accuracy.md)."
    )
    return f"{lead}\n\n{table(head, rows)}\n\n{provenance(found['provenance'])}\n"


def speed(name: str) -> str:
    """Times of an elementwise function, and of its fastest peer; empty for one that has not been timed."""
    found = read("speed")
    rows = [
        [_(part), *times(cell, found["sizes"])]
        for part in PARTS
        if (cell := found["ns_per_element"].get(f"{name} {part} float32 new"))
    ]
    if not rows:
        return ""
    head = [_("float32")]
    for size in SIZES:
        head += [_("{size} elements").format(size=f"{size:,}"), _("fastest peer")]
    lead = _(
        "Nanoseconds per element, and how many times as long the fastest of the other libraries takes: above 1 fastact "
        "is faster. [All sizes, formats and layouts](../../speed.md)."
    )
    return f"{lead}\n\n{table(head, rows)}\n\n{provenance(found['provenance'], found['libraries'])}\n"


def times(cell: dict[str, list[float | None]], sizes: list[int]) -> Iterator[str]:
    """For each size fastact's time, and its fastest peer's as a multiple of it."""
    for size in SIZES:
        at = sizes.index(size)
        own = cell["fastact"][at]
        peers = [(times[at], peer) for peer, times in cell.items() if peer not in NO_PEER and times[at]]
        fastest, peer = min(peers, default=(None, ""))
        yield f"{own:.3g} ns"
        yield f"{fastest / own:.2f} ({peer})" if fastest and own else "–"


def provenance(*texts: str) -> str:
    """When and with what it was measured."""
    return directive("div", "provenance", f"{'; '.join(texts)}.")


def number(value: float) -> str:
    """A float32 number, short, with a minus sign."""
    return f"{value:.4g}".replace("-", "−")
