"""Measures time per element up to 10**9 elements, and the peak memory of a process beside input and output.

Times are the least of a few calls; the copy beside them is np.copyto's. The arrays take twice the largest one's bytes.
    python benchmarks/large.py                 # float32, up to 10**9: 8 GB
    python benchmarks/large.py --most 1e8
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np

import fastact as fa
from fastact.measure.bench.report import provenance

FUNCTIONS = ("relu", "sigmoid", "gelu", "softplus")
SIZES = (10**6, 10**7, 10**8, 10**9)


def peak() -> int:
    """The most bytes that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def least(call: Callable[[], object], calls: int) -> float:
    """The least nanoseconds of some calls."""
    times = []
    for _ in range(calls):
        start = time.perf_counter_ns()
        call()
        times.append(time.perf_counter_ns() - start)
    return min(times)


def measure(size: int, ordinary: np.ndarray) -> str:
    """A row of the table."""
    x, out = np.empty(size, np.float32), np.empty(size, np.float32)
    for start in range(0, size, ordinary.size):
        x[start : start + ordinary.size] = ordinary
    out.fill(0)  # all pages are there
    both, calls = peak(), max(3, 10**8 // size)
    times = [least(partial(np.copyto, out, x), calls)]
    times += [least(partial(fa.get(name), x, out=out), calls) for name in FUNCTIONS]
    figures = " | ".join(f"{each / size:.3f}" for each in times)
    return f"| {size:,} | {figures} | {(x.nbytes + out.nbytes) / 1e9:.3f} GB | {(peak() - both) / 1e9:.4f} GB |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=float, default=SIZES[-1], help="elements of the largest array")
    most = parser.parse_args().most
    ordinary = (2 * np.random.default_rng(0).standard_normal(SIZES[0])).astype(np.float32)
    for name in FUNCTIONS:
        fa.get(name)(ordinary)
    print(f"{provenance()}, {fa.get_num_threads()} threads; ns per element, float32, out=.")
    print(f"| elements | copy | {' | '.join(FUNCTIONS)} | both arrays | more at the peak |")
    print("|---" * (len(FUNCTIONS) + 4) + "|")
    for size in SIZES:
        if size <= most:
            print(measure(size, ordinary), flush=True)


if __name__ == "__main__":
    main()
