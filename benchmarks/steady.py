"""Times calls with new results as a program meets them: the median and the 90th percentile, beside PyTorch's.

The other benchmarks take the least of many times, which hides what happens now and then. Here the libraries take turns
of fifty calls, and all of them count. Before each round, two threads compute apart, on one core each: where they take
much longer than one alone, another program has a core, or the machine runs both cores on one real core (two virtual
cores are often two threads of one), and no library can be fast. docs/speed.md gets the results, as a part that
benchmarks/grid.py writes.

    python benchmarks/steady.py [--rounds 40]
"""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from grid import ROOT, write_documents

import fastact as fa
from fastact.measure.bench import libraries
from fastact.measure.bench.cases import Case
from fastact.measure.bench.families import elementwise
from fastact.measure.bench.report import provenance
from fastact.measure.bench.results import load, save
from fastact.measure.bench.timing import REST

NAMES, SIZES = ("relu", "sigmoid", "silu", "gelu"), (97_001, 300_000, 1_300_000)
#: Calls in a turn, and those before it that are not counted.
CALLS, FIRST = 50, 5
#: How many times as fast as one core two are at least while none is shared.
APART = 1.6


def scaling(pool: ThreadPoolExecutor, x: np.ndarray, outs: list[np.ndarray]) -> float:
    """How many times as fast as one core two are, now."""
    both_there = threading.Barrier(2)

    def alone(out: np.ndarray) -> float:
        start = time.perf_counter()
        for _ in range(20):
            fa.sigmoid(x, out=out, backend="serial")
        return time.perf_counter() - start

    def beside(out: np.ndarray) -> float:
        both_there.wait()
        return alone(out)

    time.sleep(REST)
    one = alone(outs[0])
    return 2 * one / max(pool.map(beside, outs))


def turn(call: Callable[[], Any]) -> list[float]:
    """Nanoseconds of each call of a turn."""
    times = []
    time.sleep(REST)
    for _ in range(FIRST + CALLS):
        start = time.perf_counter_ns()
        call()
        times.append(time.perf_counter_ns() - start)
    return times[FIRST:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    libraries.set_threads(fa.get_num_threads())
    x, pool = np.linspace(-5, 5, 200_000, dtype=np.float32), ThreadPoolExecutor(2)
    outs = [np.empty_like(x), np.empty_like(x)]
    contenders = {}
    for name in NAMES:
        for size in SIZES:
            made = elementwise(Case(name, size=size), ["torch"])
            contenders[name, size] = {"fastact": made.own, "torch": made.peers["torch"]}
    times: dict[tuple[str, int], dict[str, list[float]]] = {
        key: {library: [] for library in both} for key, both in contenders.items()
    }
    apart = 0
    for _ in range(options.rounds):
        apart += scaling(pool, x, outs) >= APART
        for key, both in contenders.items():
            for library, contender in both.items():
                with contender.around():
                    times[key][library] += turn(contender.call)
    rows = [
        [name, size, *(np.percentile(times[name, size][library], (50, 90)) / size).round(4).tolist()]
        for name, size in contenders for library in ("fastact", "torch")
    ]  # fmt: skip
    stored = ROOT / "docs" / "speed.json"
    results, about = load(stored)
    about["steady"] = {
        "provenance": provenance(), "libraries": libraries.versions(["torch"]),
        "command": f"python benchmarks/steady.py --rounds {options.rounds}", "apart": round(apart / options.rounds, 3),
        "rows": [[*ours, *theirs[2:]] for ours, theirs in zip(rows[::2], rows[1::2], strict=True)],
    }  # fmt: skip
    save(stored, results, about)
    write_documents(stored.parent)


if __name__ == "__main__":
    main()
