# ruff: noqa: E402 - the environment is set before NumPy is imported
"""Losses with their gradients against PyTorch's and JAX's, with two threads: python benchmarks/losses.py [NAME ...]

Every library takes the same float32 arrays and gives value and gradient, PyTorch by its forward and backward pass.
Calls are interleaved and the least time of each counts. The last column is the best peer's time over fastact's.
"""

from __future__ import annotations

import os

for variable in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):  # they would change what the peers run
    os.environ.pop(variable, None)

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np

import fastact as fa
from fastact.bench.timing import Contender, interleaved

THREADS = 2

#: Of logits; classes lie along the last axis of those for cross_entropy.
SHAPES: dict[str, list[tuple[int, ...]]] = {
    "cross_entropy": [(128, 10), (60_000, 10), (4096, 1000), (512, 50_257)],
    "binary_cross_entropy": [(1000,), (1_000_000,)],
    "mse": [(1000,), (1_000_000,)],
    "huber": [(1000,), (1_000_000,)],
}
TORCH = {"binary_cross_entropy": "binary_cross_entropy_with_logits", "mse": "mse_loss", "huber": "huber_loss"}


def contenders(name: str, x: np.ndarray, targets: np.ndarray) -> dict[str, Callable[[], Any]]:
    """One call per library that is installed; converting the arrays is not counted."""
    value_and_grad = getattr(fa, name).value_and_grad
    calls: dict[str, Callable[[], Any]] = {"fastact": lambda: value_and_grad(x, targets)}
    try:
        import torch

        torch.set_num_threads(THREADS)
        loss = getattr(torch.nn.functional, TORCH.get(name, name))
        logits, labels = torch.from_numpy(x).requires_grad_(), torch.from_numpy(targets)

        def torch_call() -> None:
            logits.grad = None
            loss(logits, labels).backward()

        calls["torch"] = torch_call
    except ImportError:
        pass
    try:
        import jax

        def jax_loss(logits: Any, labels: Any) -> Any:
            np = jax.numpy
            if name == "cross_entropy":
                picked = np.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1)
                return -picked.mean()
            if name == "binary_cross_entropy":
                return -(labels * jax.nn.log_sigmoid(logits) + (1 - labels) * jax.nn.log_sigmoid(-logits)).mean()
            d = abs(logits - labels)
            return (d * d if name == "mse" else np.where(d < 1, d * d / 2, d - 0.5)).mean()

        jitted, arrays = jax.jit(jax.value_and_grad(jax_loss)), (jax.numpy.asarray(x), jax.numpy.asarray(targets))
        calls["jax"] = lambda: jax.block_until_ready(jitted(*arrays))
    except ImportError:
        pass
    return calls


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"of {', '.join(SHAPES)}; by default all")
    parser.add_argument("--seconds", type=float, default=1.0, help="per shape")
    arguments = parser.parse_args()
    fa.set_num_threads(THREADS)
    random, header = np.random.default_rng(0), None
    for name in arguments.names or SHAPES:
        for shape in SHAPES[name]:
            x = random.normal(size=shape).astype(np.float32)
            classes = name == "cross_entropy"
            targets = random.integers(0, shape[-1], shape[0]) if classes else random.random(shape).astype(np.float32)
            calls = {library: Contender(call) for library, call in contenders(name, x, targets).items()}
            least = interleaved(calls, arguments.seconds, always=("fastact",))
            if header is None:
                header = "".join(f"{library:>11}" for library in least)
                print(f"{'value and gradient, us a call':<36}{header}   peer/fastact")
            peers = [time for library, time in least.items() if library != "fastact"]
            ratio = f"{min(peers) / least['fastact']:.2f}" if peers else "-"
            row = "".join(f"{time / 1000:>11.2f}" for time in least.values())
            print(f"{f'{name} ' + 'x'.join(map(str, shape)):<36}{row}{ratio:>15}", flush=True)


if __name__ == "__main__":
    main()
