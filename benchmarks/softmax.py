# ruff: noqa: E402 - the environment is set before NumPy is imported
"""softmax against torch, JAX and SciPy, with two threads: python benchmarks/softmax.py [--quick] [log_softmax]

Every library takes the same float32 array and returns a new one; calls are interleaved and the least time of each
counts. The last column is the best peer's time over fastact's: above 1 fastact is faster.
"""

from __future__ import annotations

import os

for variable in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):  # they would change what the peers run
    os.environ.pop(variable, None)

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import fastact as fa

THREADS = 2
SHAPES = [
    ((1, 10), -1), ((128, 10), -1), ((60_000, 10), -1), ((4096, 1000), -1), ((64, 50_257), -1), ((8, 1_000_000), -1),
    ((1000, 4096), 0), ((16, 1000, 196), 1),
]  # fmt: skip


def contenders(kind: str, x: np.ndarray, axis: int) -> dict[str, Callable[[], Any]]:
    """One call per library that is installed; converting x is not counted."""
    calls: dict[str, Callable[[], Any]] = {"fastact": lambda: getattr(fa, kind)(x, axis)}
    try:
        import torch

        torch.set_num_threads(THREADS)
        tensor, torch_call = torch.from_numpy(x), getattr(torch, kind)
        calls["torch"] = lambda: torch_call(tensor, axis)
    except ImportError:
        pass
    try:
        import jax

        device_array, jax_call = jax.numpy.asarray(x), jax.jit(lambda a: getattr(jax.nn, kind)(a, axis))
        calls["jax"] = lambda: jax_call(device_array).block_until_ready()
    except ImportError:
        pass
    try:
        import scipy.special

        scipy_call = getattr(scipy.special, kind)
        calls["scipy"] = lambda: scipy_call(x, axis)
    except ImportError:
        pass
    return calls


def least_times(calls: dict[str, Callable[[], Any]], seconds: float) -> dict[str, float]:
    """Least seconds per call, the libraries taking turns; short calls are timed in batches."""
    batch = {}
    for name, call in calls.items():
        call()
        start = time.perf_counter()
        call()
        batch[name] = max(1, int(1e-3 / (time.perf_counter() - start)))
    least = dict.fromkeys(calls, float("inf"))
    stop, rounds = time.perf_counter() + seconds, 0
    while rounds < 5 or time.perf_counter() < stop:
        rounds += 1
        for name, call in calls.items():
            start = time.perf_counter()
            for _ in range(batch[name]):
                call()
            least[name] = min(least[name], (time.perf_counter() - start) / batch[name])
    return least


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", nargs="?", default="softmax", choices=["softmax", "log_softmax"])
    parser.add_argument("--quick", action="store_true", help="half a second per shape instead of four")
    arguments = parser.parse_args()
    fa.set_num_threads(THREADS)
    header = None
    for shape, axis in SHAPES:
        x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        least = least_times(contenders(arguments.kind, x, axis), 0.5 if arguments.quick else 4)
        if header is None:
            header = "".join(f"{name:>11}" for name in least)
            print(f"{arguments.kind + ', us a call':<24}{header}   peer/fastact")
        peers = [seconds for name, seconds in least.items() if name != "fastact"]
        ratio = f"{min(peers) / least['fastact']:.2f}" if peers else "-"
        row = "".join(f"{seconds * 1e6:>11.2f}" for seconds in least.values())
        print(f"{'x'.join(map(str, shape)) + f' axis {axis}':<24}{row}{ratio:>15}", flush=True)


if __name__ == "__main__":
    main()
