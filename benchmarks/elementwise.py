"""The speed of the elementwise functions beside NumPy and PyTorch, side by side in one run.

One element and 1,000 elements against np.tanh (the cost of a call); 1,000,000 elements against PyTorch with the same
number of threads. Every figure is a minimum over interleaved repetitions.
    python benchmarks/elementwise.py
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable

# An old kernel choice for OpenBLAS, where one is set, would not be a fair one for the peers.
for variable in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(variable, None)

import numpy as np  # noqa: E402

import fastact as fa  # noqa: E402

Call = Callable[[], object]


def interleaved(calls: dict[str, Call], rounds: int, inner: int = 1) -> dict[str, float]:
    """The least time of each call in seconds; the calls take turns, so that a slow moment of the machine hits all."""
    best = dict.fromkeys(calls, float("inf"))
    for call in calls.values():
        call()
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            for _ in range(inner):
                call()
            best[name] = min(best[name], (time.perf_counter() - start) / inner)
    return best


def call_cost() -> None:
    print("\nCost of a call, float32, as a multiple of np.tanh's")
    print(f"{'function':12}{'1 element':>12}{'1, out=':>12}{'1,000':>12}{'1,000, out=':>14}")
    cases = [(n, out) for n in (1, 1000) for out in (False, True)]
    ratios: dict[str, list[float]] = {}
    for n, with_out in cases:
        x = np.random.default_rng(0).standard_normal(n).astype(np.float32)
        keywords = {"out": np.empty_like(x)} if with_out else {}
        calls: dict[str, Call] = {"np.tanh": lambda x=x, k=keywords: np.tanh(x, **k)}
        for name in ("sigmoid", "tanh", "silu", "gelu", "relu"):
            calls[name] = lambda f=fa.get(name), x=x, k=keywords: f(x, **k)
        best = interleaved(calls, rounds=300, inner=100)
        for name, seconds in best.items():
            ratios.setdefault(name, []).append(seconds / best["np.tanh"])
    for name, row in ratios.items():
        print(f"{name:12}{row[0]:12.2f}{row[1]:12.2f}{row[2]:12.2f}{row[3]:14.2f}")


def against_torch() -> None:
    try:
        import torch
    except ImportError:
        print("\nPyTorch is not installed; the comparison with it is left out.")
        return
    threads = fa.get_num_threads()
    torch.set_num_threads(threads)
    n = 1_000_000
    x = np.random.default_rng(0).standard_normal(n).astype(np.float32) * 2
    tensor = torch.from_numpy(x)
    peers = {
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "silu": torch.nn.functional.silu,
        "gelu": torch.nn.functional.gelu,
        "mish": torch.nn.functional.mish,
        "softplus": torch.nn.functional.softplus,
        "elu": torch.nn.functional.elu,
        "leaky_relu": torch.nn.functional.leaky_relu,
        "relu": torch.relu,
    }
    print(f"\n{n:,} float32, {threads} threads, ns per element (torch {torch.__version__})")
    print(f"{'function':12}{'fastact':>10}{'torch':>10}{'torch/fastact':>16}")
    for name, peer in peers.items():
        f = fa.get(name)
        best = interleaved({"fastact": lambda f=f: f(x), "torch": lambda p=peer: p(tensor)}, rounds=400)
        ours, theirs = best["fastact"] / n * 1e9, best["torch"] / n * 1e9
        print(f"{name:12}{ours:10.3f}{theirs:10.3f}{theirs / ours:16.2f}")


def main() -> None:
    print(f"Python {platform.python_version()}, NumPy {np.__version__}, {platform.machine()}, {os.cpu_count()} cores")
    call_cost()
    against_torch()


if __name__ == "__main__":
    main()
