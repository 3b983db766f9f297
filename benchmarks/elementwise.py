"""The speed of the elementwise functions beside NumPy and PyTorch, side by side in one run.

One element and 1,000 elements against np.tanh (the cost of a call); 1,000,000 elements against PyTorch with the same
number of threads. Every figure is a minimum over interleaved repetitions.
    python benchmarks/elementwise.py             # print the tables
    python benchmarks/elementwise.py --readme    # and put them into README.md
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

# An old kernel choice for OpenBLAS, where one is set, would not be a fair one for the peers.
for variable in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(variable, None)

import numpy as np  # noqa: E402
from peers import TORCH  # noqa: E402
from report import provenance  # noqa: E402

import fastact as fa  # noqa: E402

Call = Callable[[], object]

#: What the README compares with PyTorch.
AGAINST_TORCH = ("sigmoid", "tanh", "silu", "gelu", "mish", "softplus", "elu", "leaky_relu", "relu")


def interleaved(calls: dict[str, Call], rounds: int, inner: int = 1) -> dict[str, float]:
    """The least time of each call in seconds.

    The calls take turns of ten, so that a slow moment of the machine hits all of them, while none is measured with the
    threads of the one before still spinning.
    """
    best = dict.fromkeys(calls, float("inf"))
    for call in calls.values():
        call()
    for _ in range(rounds):
        for name, call in calls.items():
            for _ in range(10):
                start = time.perf_counter()
                for _ in range(inner):
                    call()
                best[name] = min(best[name], (time.perf_counter() - start) / inner)
    return best


def call_cost() -> list[str]:
    """The cost of a call as a multiple of np.tanh's, in a Markdown table."""
    lines = ["| as a multiple of `np.tanh` | 1 element | 1, `out=` | 1,000 | 1,000, `out=` |", "|---|---|---|---|---|"]
    ratios: dict[str, list[float]] = {}
    for n, with_out in [(n, out) for n in (1, 1000) for out in (False, True)]:
        x = np.random.default_rng(0).standard_normal(n).astype(np.float32)
        keywords = {"out": np.empty_like(x)} if with_out else {}
        calls: dict[str, Call] = {"np.tanh": lambda x=x, k=keywords: np.tanh(x, **k)}
        for name in ("sigmoid", "tanh", "silu", "gelu", "relu"):
            function = fa.get(name)
            calls[name] = lambda f=function, x=x, k=keywords: f(x, **k)
        best = interleaved(calls, rounds=30, inner=100)
        for name, seconds in best.items():
            ratios.setdefault(name, []).append(seconds / best["np.tanh"])
    for name, row in ratios.items():
        if name != "np.tanh":
            lines.append(f"| `{name}` | " + " | ".join(f"{ratio:.2f}" for ratio in row) + " |")
    return lines


def against_torch() -> list[str]:
    """Nanoseconds per element beside PyTorch's, in a Markdown table."""
    try:
        import torch
    except ImportError:
        return ["PyTorch is not installed; the comparison with it is left out."]
    threads = fa.get_num_threads()
    torch.set_num_threads(threads)
    n = 1_000_000
    x = np.random.default_rng(0).standard_normal(n).astype(np.float32) * 2
    tensor = torch.from_numpy(x)
    lines = [
        f"| {n:,} float32, {threads} threads, ns per element | fastact | torch {torch.__version__} | torch / fastact |",
        "|---|---|---|---|",
    ]
    for name in AGAINST_TORCH:
        f, peer = fa.get(name), TORCH[name](torch, torch.nn.functional)
        best = interleaved({"fastact": lambda f=f: f(x), "torch": lambda p=peer: p(tensor)}, rounds=40)
        ours, theirs = best["fastact"] / n * 1e9, best["torch"] / n * 1e9
        lines.append(f"| `{name}` | {ours:.3f} | {theirs:.3f} | {theirs / ours:.2f} |")
    return lines


def main() -> None:
    heading = f"{provenance()}, by `python benchmarks/elementwise.py --readme`; minima of interleaved repetitions."
    report = "\n".join([heading, "", *call_cost(), "", *against_torch()])
    print(report)
    if "--readme" in sys.argv[1:]:
        readme = Path(__file__).parents[1] / "README.md"
        before, _, rest = readme.read_text(encoding="utf-8").partition("<!-- speed:begin -->\n")
        _, _, after = rest.partition("<!-- speed:end -->")
        text = f"{before}<!-- speed:begin -->\n{report}\n<!-- speed:end -->{after}"
        readme.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
