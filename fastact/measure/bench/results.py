"""What a benchmark gave: nanoseconds per element of each case and library, the ratios made of them, and their JSON.

A new figure made of the times is a function here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fastact.measure.bench.cases import Case

__all__ = ["Times", "best_peer", "copy_share", "geometric_mean", "load", "peers_of", "ratio", "save", "slower"]

#: Of one case: library -> nanoseconds per element; "copy" is a copy of as many bytes.
Times = Mapping[str, float]
#: What is not a peer.
NO_PEERS = ("fastact", "copy")


def peers_of(times: Times) -> dict[str, float]:
    """The peers' times alone."""
    return {library: time for library, time in times.items() if library not in NO_PEERS}


def best_peer(times: Times) -> str | None:
    """The fastest peer."""
    peers = peers_of(times)
    return min(peers, key=peers.__getitem__) if peers else None


def ratio(times: Times) -> float:
    """The fastest peer's time over fastact's: above 1 fastact is faster; NaN without a peer."""
    best = best_peer(times)
    return times[best] / times["fastact"] if best else float("nan")


def copy_share(times: Times) -> float:
    """The time of a copy over fastact's: the share of the copy's bandwidth that fastact reaches."""
    return times["copy"] / times["fastact"]


def geometric_mean(ratios: Iterable[float]) -> float:
    """Of those that are numbers; NaN if there is none."""
    known = [r for r in ratios if r == r]
    return float(np.exp(np.mean(np.log(known)))) if known else float("nan")


def save(path: Path, results: Mapping[Case, Times], about: Mapping[str, Any]) -> None:
    """Write a row for each name, part, dtype and layout, and in it the times at each of `sizes`, to four digits."""
    sizes = list(dict.fromkeys(case.size for case in sorted(results, key=lambda case: case.elements)))
    rows: dict[str, dict[str, list[float | None]]] = {}
    for case, times in results.items():
        row = rows.setdefault(f"{case.name} {case.part} {case.dtype} {case.layout}", {})
        for library, time in times.items():
            row.setdefault(library, [None] * len(sizes))[sizes.index(case.size)] = float(f"{time:.4g}")
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(row, separators=(',', ':'))}" for key, row in rows.items())
    head = json.dumps({**about, "sizes": sizes}, indent=1)[:-2]
    path.write_text(f'{head},\n "ns_per_element": {{\n{lines}\n}}}}\n', encoding="utf-8")


def load(path: Path) -> tuple[dict[Case, dict[str, float]], dict[str, Any]]:
    """The results that `save` wrote, and what was said about them."""
    about = json.loads(path.read_text(encoding="utf-8"))
    sizes, rows = about.pop("sizes"), about.pop("ns_per_element")
    results: dict[Case, dict[str, float]] = {}
    for key, row in rows.items():
        name, part, dtype, layout = key.split()
        for i, size in enumerate(sizes):
            times = {library: column[i] for library, column in row.items() if column[i] is not None}
            if times:
                results[Case(name, part, dtype, tuple(size) if isinstance(size, list) else size, layout)] = times
    return results, about


def slower(results: Mapping[Case, Times]) -> Iterator[tuple[Case, Times]]:
    """The cases in which a peer is faster, the worst first."""
    below = [(case, times) for case, times in results.items() if ratio(times) < 1]
    return iter(sorted(below, key=lambda each: ratio(each[1])))
