"""Losses with their gradients beside PyTorch's and JAX's, on two threads, float32.

Calls take turns, and the least time of each counts. The ratio is the fastest peer's time over fastact's.

    python benchmarks/losses.py [cross_entropy] [binary_cross_entropy] [mse] [huber] [--case WORDS] [--seconds 1]
"""

from __future__ import annotations

from lines import arguments, timed

from fastact.measure.bench.cases import Case

#: Of logits; classes lie along the last axis of those for cross_entropy.
SHAPES: dict[str, list[tuple[int, ...]]] = {
    "cross_entropy": [(128, 10), (60_000, 10), (4096, 1000), (512, 50_257)],
    "binary_cross_entropy": [(1000,), (1_000_000,)],
    "mse": [(1000,), (1_000_000,)],
    "huber": [(1000,), (1_000_000,)],
}


def main() -> None:
    options = arguments(__doc__, list(SHAPES))
    cases = [Case(name, "value_and_grad", size=shape) for name in options.kinds for shape in SHAPES[name]]
    timed(cases, ["torch", "jax"], options)


if __name__ == "__main__":
    main()
