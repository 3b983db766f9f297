"""Training steps beside PyTorch, scikit-learn and JAX: the same network, batches, data and Adam, and the loss of each
epoch.

Every peer lives in a process of its own, and they take turns: one trains for some epochs, again and again for a moment,
while the others wait. JAX gets all epochs in one jitted `lax.scan`, whose compilation is not counted. PyTorch takes the
faster of its fused and its foreach Adam. Ratios are a peer's time over fastact's, of least times and of medians over
rounds.

    python benchmarks/trainer.py [xor digits mnist wide] [--rounds 7] [--dtype float32] [--threads 2]
    python benchmarks/trainer.py --cpu haswell     AVX2 code for fastact's kernels; generic: the platform's baseline
    python benchmarks/trainer.py --busy 1          beside a process that does nothing but compute
    python benchmarks/trainer.py --first           how long a first `fit` takes before its first batch
    python benchmarks/trainer.py --accuracy        what all of them learn of handwritten digits
    python benchmarks/trainer.py --write           all of these, to docs/trainer.md and docs/trainer.json
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastact.measure.bench.report import provenance

DOCS = Path(__file__).parents[1] / "docs"


class Task(NamedTuple):
    """A network, its data, and how many epochs a turn takes."""

    sizes: tuple[int, ...]
    samples: int
    batch: int
    epochs: int

    @property
    def steps(self) -> int:
        return self.epochs * self.samples // self.batch

    def data(self, dtype: str) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(0)
        X = rng.standard_normal((self.samples, self.sizes[0])).astype(dtype)
        if self.sizes[0] == 2:
            X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype)
            return X, np.array([0, 1, 1, 0])
        teacher = rng.standard_normal((self.sizes[0], self.sizes[-1]))
        return X, (X @ teacher).argmax(axis=1)


TASKS = {
    "xor": Task((2, 4, 1), 4, 4, 1000),
    "digits": Task((64, 128, 64, 10), 1408, 32, 30),
    "mnist": Task((784, 128, 64, 10), 8192, 128, 4),
    "wide": Task((784, 1024, 1024, 10), 2560, 256, 2),
}


class Peer(NamedTuple):
    """One way to train, or several of which the fastest counts: each call goes on for the task's epochs."""

    turns: list[Callable[[], object]]
    predict: Callable[[np.ndarray], np.ndarray]  # the labels, after the last turn


def fastact(task: Task, X: np.ndarray, y: np.ndarray, threads: int, seed: int = 0) -> Peer:
    import fastact as fa

    fa.set_num_threads(threads)
    output = "softmax" if task.sizes[-1] > 1 else "sigmoid"
    model = fa.MLP(task.sizes, output=output, batch_size=task.batch, seed=seed, dtype=X.dtype)
    return Peer([lambda: model.fit(X, y, epochs=task.epochs)], model.predict)


def torch(task: Task, X: np.ndarray, y: np.ndarray, threads: int, seed: int = 0) -> Peer:
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    table, labels = torch.from_numpy(X), torch.from_numpy(y)
    criterion: Any = nn.CrossEntropyLoss()
    if task.sizes[-1] == 1:
        criterion, labels = nn.BCEWithLogitsLoss(), labels[:, None].to(table.dtype)

    def made(**options: bool) -> tuple[Callable[[], object], nn.Module]:
        layers: list[nn.Module] = []
        for inputs, outputs in zip(task.sizes, task.sizes[1:], strict=False):
            layers += [nn.Linear(inputs, outputs, dtype=table.dtype), nn.ReLU()]
        network = nn.Sequential(*layers[:-1])
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, **options)

        def train() -> None:
            for _ in range(task.epochs):
                order, total = torch.randperm(task.samples), torch.zeros(())
                for x, target in zip(table[order].split(task.batch), labels[order].split(task.batch), strict=True):
                    optimizer.zero_grad()
                    loss = criterion(network(x), target)
                    loss.backward()
                    optimizer.step()
                    total += loss.detach()

        return train, network

    turns, networks = zip(made(foreach=True), made(fused=True), strict=True)
    return Peer([*turns], lambda x: networks[-1](torch.from_numpy(x)).argmax(1).numpy())


def sklearn(task: Task, X: np.ndarray, y: np.ndarray, threads: int, seed: int = 0) -> Peer:
    from sklearn.neural_network import MLPClassifier

    warnings.simplefilter("ignore")  # that it did not converge
    options: dict[str, Any] = {"tol": 0.0, "n_iter_no_change": 10**6, "alpha": 0.0, "random_state": seed}
    network = MLPClassifier(task.sizes[1:-1], batch_size=task.batch, max_iter=task.epochs, **options)
    return Peer([lambda: network.fit(X, y)], network.predict)


def jax(task: Task, X: np.ndarray, y: np.ndarray, threads: int, seed: int = 0) -> Peer:
    import jax
    import jax.numpy as jnp

    dtype = X.dtype
    jax.config.update("jax_enable_x64", dtype == np.float64)
    table, labels = jnp.asarray(X), jnp.asarray(y)
    rng = np.random.default_rng(seed)
    parameters = [
        (jnp.asarray(rng.standard_normal((a, b)).astype(dtype) * np.sqrt(2 / a).astype(dtype)), jnp.zeros(b, dtype))
        for a, b in zip(task.sizes, task.sizes[1:], strict=False)
    ]

    def logits(parameters: Any, x: Any) -> Any:
        for weights, bias in parameters[:-1]:
            x = jnp.maximum(x @ weights + bias, 0)
        return x @ parameters[-1][0] + parameters[-1][1]

    def loss(parameters: Any, x: Any, y: Any) -> Any:
        z = logits(parameters, x)
        if task.sizes[-1] == 1:
            return jnp.mean(jnp.logaddexp(0, z[:, 0]) - z[:, 0] * y)
        return -jnp.mean(jax.nn.log_softmax(z)[jnp.arange(len(y)), y])

    def step(state: Any, rows: Any) -> Any:
        parameters, mean, square, count = state
        value, gradients = jax.value_and_grad(loss)(parameters, table[rows], labels[rows])
        count = count + 1
        tree = jax.tree_util.tree_map
        mean = tree(lambda m, g: 0.9 * m + 0.1 * g, mean, gradients)
        square = tree(lambda v, g: 0.999 * v + 0.001 * g * g, square, gradients)
        scale, root = 1e-3 / (1 - 0.9**count), 1 / (1 - 0.999**count)
        parameters = tree(lambda p, m, v: p - scale * m / (jnp.sqrt(v * root) + 1e-8), parameters, mean, square)
        return (parameters, mean, square, count), value

    def epoch(state: Any, key: Any) -> Any:
        order = jax.random.permutation(key, task.samples)
        return jax.lax.scan(step, state, order[: task.samples // task.batch * task.batch].reshape(-1, task.batch))

    @jax.jit
    def train(state: Any, keys: Any) -> Any:
        return jax.lax.scan(epoch, state, keys)

    zeros = jax.tree_util.tree_map(jnp.zeros_like, parameters)
    held = [(parameters, zeros, zeros, jnp.zeros((), dtype))]
    keys = jax.random.split(jax.random.key(seed), task.epochs)

    def turn() -> None:
        held[0], _ = jax.block_until_ready(train(held[0], keys))

    return Peer([turn], lambda x: np.asarray(logits(held[0][0], jnp.asarray(x)).argmax(1)))


PEERS = {"fastact": fastact, "torch": torch, "sklearn": sklearn, "jax": jax}


def serve(peer: str, dtype: str, threads: int, line: Connection) -> None:
    """Begin with the task that the line names, or take turns at it for a moment and send back the least seconds."""
    turns: list[Callable[[], object]] = []
    while message := line.recv():
        if message != "turn":
            task = TASKS[message]
            turns = PEERS[peer](task, *task.data(dtype), threads).turns
            for turn in turns:
                turn()
            line.send(None)
            continue
        times = []
        for turn in turns:
            end = time.perf_counter() + 0.1
            while not times or time.perf_counter() < end:
                start = time.perf_counter()
                turn()
                times.append(time.perf_counter() - start)
        line.send(min(times))


@contextmanager
def served(options: argparse.Namespace) -> Iterator[dict[str, Connection]]:
    """The lines to a process for each installed peer, beside as many busy ones as are asked for."""
    context = multiprocessing.get_context("spawn")
    lines = {}
    processes = [context.Process(target=spin, daemon=True) for _ in range(options.busy)]
    for peer in filter(find_spec, PEERS):
        lines[peer], other = context.Pipe()
        arguments = peer, options.dtype, options.threads, other
        processes.append(context.Process(target=serve, args=arguments, daemon=True))
    for process in processes:
        process.start()
    yield lines
    for process in processes:
        process.terminate()


def measured(task: str, rounds: int, lines: dict[str, Connection]) -> dict[str, list[float]]:
    """The microseconds of a step in each round, by peer."""
    for line in lines.values():
        line.send(task)
        line.recv()
    found: dict[str, list[float]] = {peer: [] for peer in lines}
    for _ in range(rounds):
        for peer, line in lines.items():
            time.sleep(0.05)  # threads of the one before stop spinning
            line.send("turn")
            found[peer].append(1e6 * line.recv() / TASKS[task].steps)
    return found


def spin() -> None:
    while True:
        pass


FIRST = """
import time, numpy as np, fastact as fa
X, y = np.random.default_rng(0).standard_normal((1000, 64)).astype("f"), np.arange(1000) % 10
start = time.perf_counter()
model = fa.MLP((64, 128, 64, 10), output="softmax").fit(X, y, epochs=1)
print(time.perf_counter() - start - model.history["seconds"][0])
"""


def first_fits() -> list[str]:
    """How long a first `fit` takes before its first batch, its model's construction included."""
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for name, cache, runs in [("without a cache", "off", 5), ("filling it", folder, 1), ("with it", folder, 5)]:
            environment = {**os.environ, "FASTACT_CACHE": cache}
            command = [sys.executable, "-c", FIRST]
            times = [float(subprocess.check_output(command, env=environment)) for _ in range(runs)]
            lines.append(f"A first fit of 64-128-64-10, {name}: {1e3 * min(times):.0f} ms before the first batch.")
    return lines


def accuracies(threads: int) -> list[str]:
    """The accuracy of each peer on a fifth of scikit-learn's digits that it has not seen, of ten splits."""
    if not find_spec("sklearn"):
        return []
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    X, y = load_digits(return_X_y=True)
    found: dict[str, list[float]] = {}
    for seed in range(10):
        parts = train_test_split((X / 16).astype(np.float32), y, test_size=0.2, stratify=y, random_state=seed)
        task = Task((64, 128, 64, 10), len(parts[0]), 32, 40)
        for name in filter(find_spec, PEERS):
            peer = PEERS[name](task, parts[0], parts[2], threads, seed)
            for turn in peer.turns:
                turn()
            found.setdefault(name, []).append(float((peer.predict(parts[1]) == parts[3]).mean()))
    texts = [f"{name} {np.mean(each):.4f} ± {np.std(each, ddof=1):.4f}" for name, each in found.items()]
    return [f"Accuracy on digits, 40 epochs, mean and standard deviation of ten splits: {', '.join(texts)}."]


def table(options: argparse.Namespace, results: dict[str, Any]) -> list[str]:
    """The lines of a table of all tasks under these conditions; adds the microseconds of each round to `results`."""
    conditions = [options.dtype, f"{options.threads} threads"]
    conditions += [f"fastact's kernels for {options.cpu}"] * bool(options.cpu)
    conditions += [f"{options.busy} busy process"] * bool(options.busy)
    title = ", ".join(conditions)
    lines = [f"## {title}", "", "| task | peer | us a step, least | median | ratio of least | of medians |"]
    lines.append("| --- | --- | ---: | ---: | ---: | ---: |")
    os.environ.pop("NUMBA_CPU_NAME", None)
    if options.cpu:
        os.environ["NUMBA_CPU_NAME"] = options.cpu
    with served(options) as peers:
        timed = {task: measured(task, options.rounds, peers) for task in options.tasks or TASKS}
    results[title] = timed
    for task, found in timed.items():
        least = {peer: min(times) for peer, times in found.items()}
        median = {peer: float(np.median(times)) for peer, times in found.items()}
        sizes = "-".join(map(str, TASKS[task].sizes))
        for peer in found:
            ratios = f"{least[peer] / least['fastact']:.2f} | {median[peer] / median['fastact']:.2f}"
            name = f"{sizes}, batch {TASKS[task].batch}" if peer == "fastact" else ""
            lines.append(f"| {name} | {peer} | {least[peer]:.2f} | {median[peer]:.2f} | {ratios} |")
    return [*lines, ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", metavar="|".join(TASKS))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cpu", default="", metavar="NAME")
    parser.add_argument("--busy", type=int, default=0, metavar="PROCESSES")
    parser.add_argument("--first", action="store_true")
    parser.add_argument("--accuracy", action="store_true")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(options.threads)
    packages = {"torch": "torch", "sklearn": "scikit-learn", "jax": "jax"}
    versions = [f"{package} {version(package)}" for peer, package in packages.items() if find_spec(peer)]
    measured_on = f"{provenance()}; beside {', '.join(versions)}."
    results: dict[str, Any] = {"provenance": measured_on}
    cases: list[dict[str, Any]] = [{}]
    if options.write:
        cases += [
            {"rounds": 3, **case}
            for case in ({"dtype": "float64"}, {"cpu": "haswell"}, {"cpu": "generic"}, {"busy": 1})
        ]
    lines = first_fits() if options.first or options.write else []
    if options.accuracy or options.write:
        lines += ["", *accuracies(options.threads)]
    for case in [] if options.first or options.accuracy else cases:
        lines += ["", *table(argparse.Namespace(**{**vars(options), **case}), results)]
    if options.write:
        command = "Generated by `python benchmarks/trainer.py --write`; do not edit."
        introduction = " ".join((__doc__ or "").partition("\n\n    python")[0].split())
        head = ["# Speed of the trainer", "", command, introduction, "", measured_on, ""]
        (DOCS / "trainer.md").write_text("\n".join([*head, *lines]).replace("\n\n\n", "\n\n").rstrip() + "\n")
        (DOCS / "trainer.json").write_text(json.dumps(results, indent=1) + "\n")
    else:
        sys.stdout.write("\n".join([measured_on, *lines]) + "\n")


if __name__ == "__main__":
    main()
