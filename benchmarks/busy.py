"""Times a long call while other processes keep every core busy, beside its fair share of the machine.

One process for each core does nothing but compute. A call on all cores then has half of each: its fair share is the
time that it takes on one core of an idle machine. Numba's own threads (backend "parallel") wait for each other at the
end of every call, and so do PyTorch's.
    python benchmarks/busy.py
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np

import fastact as fa
from fastact.measure.bench.report import provenance

N, CALLS = 1_000_000, 400


def spin() -> None:
    while True:
        pass


def quantiles(call: Callable[[], object]) -> np.ndarray:
    """The median, the 90th and the 99th percentile of the milliseconds that a call takes."""
    call()
    times = []
    for _ in range(CALLS):
        start = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - start))
    return np.percentile(times, [50, 90, 99])


def main() -> None:
    x = np.random.default_rng(0).standard_normal(N).astype(np.float32)
    out, cores = np.empty_like(x), fa.get_num_threads()
    calls: dict[str, Callable[[], object]] = {
        "fastact": lambda: fa.gelu(x, out=out),
        "fastact, one thread": lambda: fa.gelu(x, out=out, backend="serial"),
        "fastact, Numba's threads": lambda: fa.gelu(x, out=out, backend="parallel"),
    }
    if find_spec("torch"):
        import torch

        torch.set_num_threads(cores)
        tensor = torch.from_numpy(x)
        calls["torch"] = lambda: torch.nn.functional.gelu(tensor)
    fair = min(quantiles(calls["fastact, one thread"])[0] for _ in range(3))
    print(f"{provenance()}. gelu of {N:,} float32; fair share {fair:.3f} ms.")
    print("| beside as many busy processes as cores | median, ms | 90 % | 99 % | median / fair share |")
    print("|---|---|---|---|---|")
    busy = [multiprocessing.get_context("spawn").Process(target=spin, daemon=True) for _ in range(cores)]
    for process in busy:
        process.start()
    try:
        time.sleep(1)
        for name, call in calls.items():
            median, ninety, most = quantiles(call)
            print(f"| {name} | {median:.3f} | {ninety:.3f} | {most:.3f} | {median / fair:.2f} |", flush=True)
    finally:
        for process in busy:
            process.terminate()


if __name__ == "__main__":
    main()
