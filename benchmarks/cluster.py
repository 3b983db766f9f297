"""Training on dask's arrays beside training in one process: samples per second of a small and a large network.

The same data, network and batches go through `MLP.fit` on arrays in memory, and on dask arrays with clusters of one
thread per worker, all on this machine. An epoch is trained first and not counted; then the median over epochs is taken.
`latency` is the time of a step whose gradients cost nothing: a network of one unit.

    env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE python -P benchmarks/cluster.py [small large latency] [--workers 1 2]
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
from typing import Any, NamedTuple

import dask.array as da
import numpy as np
from distributed import Client, LocalCluster

import fastact as fa


class Task(NamedTuple):
    """A network, and how many samples an epoch and a batch have."""

    sizes: tuple[int, ...]
    samples: int
    batch: int
    epochs: int


TASKS = {
    "small": Task((64, 128, 64, 10), 131_072, 4096, 5),
    "large": Task((784, 1024, 1024, 10), 16_384, 2048, 4),
    "latency": Task((1, 1), 131_072, 2048, 5),
}


def rate(task: Task, X: Any, y: Any) -> tuple[float, float]:
    """Samples per second, and milliseconds of a step."""
    output = "softmax" if task.sizes[-1] > 1 else "identity"
    model = fa.MLP(task.sizes, output=output, batch_size=task.batch, seed=0)
    model.fit(X, y, epochs=1 + task.epochs)
    seconds = statistics.median(model.history["seconds"][1:])
    return task.samples / seconds, 1e3 * seconds * (1 + task.epochs) / model.optimizer.steps


def main() -> None:
    """Print a line for each network and each way to train it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("tasks", nargs="*", default=list(TASKS), help=", ".join(TASKS))
    parser.add_argument("--workers", nargs="*", type=int, default=[1, 2])
    parser.add_argument("--blocks", type=int, default=8)
    arguments = parser.parse_args()
    for name in arguments.tasks:
        task = TASKS[name]
        rng = np.random.default_rng(0)
        X = rng.standard_normal((task.samples, task.sizes[0])).astype(np.float32)
        y = rng.integers(0, 10, task.samples) if task.sizes[-1] > 1 else X[:, 0]
        print(f"{name}: {'-'.join(map(str, task.sizes))}, batches of {task.batch}, {arguments.blocks} blocks")
        print(f"  in memory     {'{:12,.0f} samples/s {:8.1f} ms a step'.format(*rate(task, X, y))}", flush=True)
        rows = -(-task.samples // arguments.blocks)
        for workers in arguments.workers:
            options: Any = {"threads_per_worker": 1, "dashboard_address": ":0", "silence_logs": logging.ERROR}
            with LocalCluster(n_workers=workers, **options) as cluster, Client(cluster):
                lazy, labels = (da.from_array(each, chunks=(rows, *each.shape[1:])).persist() for each in (X, y))
                found = rate(task, lazy, labels)
            text = "{:12,.0f} samples/s {:8.1f} ms a step".format(*found)
            print(f"  {workers} worker{'s' if workers > 1 else ' '}     {text}", flush=True)


if __name__ == "__main__":
    print(f"{os.cpu_count()} cores")
    main()
