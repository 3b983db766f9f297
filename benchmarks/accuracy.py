"""Measures the errors of fastact and of its peers, in units in the last place (ULP), over all float32 numbers.

The exact results come from the definitions in fastact/measure/verification/definitions.py, computed in float64 for the
2**32 inputs, and by mpmath where float64 is not exact enough: for the worst inputs, those above the bound, and those
beside interior zeros. In float64 a search by mpmath looks for the worst inputs; float16 and bfloat16 are measured on
all of their 65,536 numbers. docs/accuracy.json keeps the results, so that functions and dtypes can be measured one at a
time, and docs/accuracy.md is made of it.

    python benchmarks/accuracy.py                            # every function, 2**32 inputs each: an hour or two
    python benchmarks/accuracy.py gelu mish                  # these two, and the tables again
    python benchmarks/accuracy.py --dtypes float64           # the rest stays as it was measured before
    python benchmarks/accuracy.py gelu --dtypes float64 --rounds 400    # a longer search
    python benchmarks/accuracy.py gelu --step 1001           # every 1001st bit pattern; only prints
    python benchmarks/accuracy.py --peers --step 61          # torch, jax, scipy and onnxruntime beside fastact
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from fastact.measure.bench.families import activations, function  # noqa: E402
from fastact.measure.bench.libraries import installed, library, versions  # noqa: E402
from fastact.measure.bench.report import provenance  # noqa: E402
from helpers.subject import BLOCK, LANDMARKS, PARTS, Subject, bound  # noqa: E402
from helpers.ulp import around, stratified  # noqa: E402

#: What is measured besides float32.
KINDS = ("float64", "float16", "bfloat16")
RESULTS, DOCUMENT = ROOT / "docs" / "accuracy.json", ROOT / "docs" / "accuracy.md"
#: The libraries whose own functions are measured; what one writes in NumPy is one's own affair.
MEASURED = ("torch", "jax", "scipy", "onnxruntime")
#: Blocks of inputs that a process takes at a time.
TASK = 64
#: Floats on each side of an interior zero that mpmath measures, and inputs at most that it measures elsewhere.
BESIDE_ZERO, RECHECKED = 2000, 3000
#: The search in float64: inputs to begin with, inputs from which each round goes on, and neighbours of each of them.
BEGIN, KEPT, NEIGHBOURS = 8192, 50, 20

Array = np.ndarray[Any, np.dtype[Any]]


class Measured(Subject):
    """A function of fastact or of another library, in float32 unless its inputs say otherwise."""

    def __init__(self, name: str, part: str, parameters: tuple[float, ...] = (), library: str = "fastact") -> None:
        super().__init__(name, part, parameters)
        self.bound = bound(name, part, np.float32)
        if library != "fastact":
            self.compute = function(library, name, part)  # type: ignore[method-assign]

    def quickly(self, x: Array) -> Array:
        """The errors at float32 numbers x by float64; 0 beside the interior zeros, where that is not exact enough."""
        error = self.near_error(x)
        for zero in self.zeros:
            error[np.abs(x - np.float32(zero)) < BESIDE_ZERO * np.spacing(np.float32(abs(zero))) / 2] = 0
        return error


def blocks(first: int, step: int) -> Iterator[Array]:
    """The finite float32 numbers of a task's share of the bit patterns."""
    for block in range(first, first + TASK):
        start = block * BLOCK * step
        patterns = np.arange(start, min(start + BLOCK * step, 1 << 32), step, dtype=np.int64)
        x = patterns.astype(np.uint32).view(np.float32)
        x = x[np.isfinite(x)]
        if x.size:
            yield x


#: A process makes each subject once.
subject_of = cache(Measured)


def measure_task(key: tuple[Any, ...], step: int, first: int) -> tuple[int, float, int, list[tuple[float, float]]]:
    """Number of inputs, sum of errors, errors over 0.5, and (error, input) of those for mpmath to decide."""
    subject = subject_of(*key)
    count, total, over, worst = 0, 0.0, 0, []
    with np.errstate(all="ignore"):
        for x in blocks(first, step):
            error = subject.quickly(x)
            count, over = count + x.size, over + int(np.count_nonzero(error > 0.5))
            total += float(error[np.isfinite(error)].sum())
            suspects = [int(error.argmax()), *np.flatnonzero(error > subject.bound)[:RECHECKED]]
            worst += [(float(error[i]), float(x[i])) for i in suspects]
    return count, total, over, sorted(worst, reverse=True)[:RECHECKED]


def measure(key: tuple[Any, ...], step: int, pool: ProcessPoolExecutor) -> dict[str, Any]:
    """The errors of Measured(*key) over every step-th float32."""
    start, subject = time.perf_counter(), subject_of(*key)
    tasks = range(0, -(-(1 << 32) // (BLOCK * step)), TASK)
    parts = list(pool.map(partial(measure_task, key, step), tasks, chunksize=8))
    count, total, over = (sum(part[i] for part in parts) for i in range(3))  # type: ignore[misc]
    worst = sorted((pair for part in parts for pair in part[3]), reverse=True)
    suspects = [x for error, x in worst if error > subject.bound][:RECHECKED] + [x for _, x in worst[:50]]
    beside = [around(np.float32, zero, BESIDE_ZERO) for zero in subject.zeros]
    x = np.concatenate([np.array(suspects, np.float32), *beside])
    error = subject.error(x)
    i = int(error.argmax())
    return {
        "ulp": float(error[i]), "at": float(x[i]), "mean": total / count, "over": over / count, "count": count,
        "seconds": round(time.perf_counter() - start, 1),
    }  # fmt: skip


def search(subject: Subject, rounds: int, known: list[float]) -> tuple[float, float, int]:
    """The largest error in float64 found, its input, and the number of inputs looked at.

    Begins with a sample, zeros, powers of two, where formulas change, and known bad inputs, all with their neighbours.
    Goes on from the worst so far, at distances of one ULP to about their own size, all equally likely on a logarithmic
    scale.
    """
    random, powers = np.random.default_rng(8), np.ldexp(1.0, np.arange(-1074, 1024, 8))
    beside = [around(np.float64, zero, 1000, 1000) for zero in subject.zeros]
    ordinary = np.ldexp(1.0, np.arange(-12, 11))
    x = stratified(np.float64, BEGIN, seed=8, landmarks=[*LANDMARKS, *powers, *ordinary, *known])
    x = np.concatenate([x, *beside])
    error, looked = subject.error(x), x.size
    for _ in range(rounds):
        worst = np.argsort(-error, kind="stable")[:KEPT]
        x, error = x[worst], error[worst]
        steps = np.exp2(random.uniform(0, 52, (NEIGHBOURS, x.size))) * random.choice([-1, 1], (NEIGHBOURS, x.size))
        near = (x.view(np.int64) + steps.astype(np.int64)).ravel().view(float)
        near = np.setdiff1d(near[np.isfinite(near)], x)
        x, error, looked = np.append(x, near), np.append(error, subject.error(near)), looked + near.size
    i = int(error.argmax())
    return float(error[i]), float(x[i]), looked


def other_dtypes(name: str, part: str, dtypes: Iterable[str], rounds: int) -> dict[str, float]:
    """The largest errors in those of these dtypes that are not float32; float16 and bfloat16 of all their numbers."""
    subject, found = Subject(name, part), {}
    if "float64" in dtypes:
        before = stored()["fastact"].get(f"{name} {part}", {})
        known = [before["float64_at"]] if "float64_at" in before else []
        found["float64"], found["float64_at"], found["float64_count"] = search(subject, rounds, known)
    patterns = np.arange(1 << 16, dtype=np.uint16)
    halves = [patterns.view(np.float16)]
    try:
        import ml_dtypes

        halves.append(patterns.view(ml_dtypes.bfloat16))
    except ImportError:
        print("ml_dtypes is not installed; bfloat16 is left out")
    for x in halves:
        if x.dtype.name in dtypes:
            with np.errstate(invalid="ignore"):
                x = x[np.isfinite(x)]
            found[x.dtype.name] = float(subject.near_error(x).max())
    return found


def show(number: float) -> str:
    return f"{number:.3f}" if number < 100 else f"{number:.1e}" if np.isfinite(number) else "NaN or inf"


def document(results: dict[str, Any]) -> str:
    """The tables of docs/accuracy.md."""
    lines = [
        "# Accuracy",
        "",
        "Generated by `python benchmarks/accuracy.py`; do not edit. Errors in units in the last place (ULP) of the",
        "exact result; a subnormal result's unit is the smallest subnormal. Half an ULP is rounding's own. float32:",
        "every finite number, or as many as the column of inputs says; float16 and bfloat16: all numbers. float64 is",
        "sampled: the figure is the worst of 50,000 inputs or more at which a search looked; there may be worse ones.",
        "It begins with numbers of all sizes, beside interior zeros and powers of two, and where formulas change, and",
        "goes on around the worst, also of earlier searches; the exact results are mpmath's.",
        "",
        f"{results['provenance']}.",
        "",
        "| function | part | float32: largest | at x | mean | share over 0.5 | inputs | float64, sampled | float16 | "
        "bfloat16 |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for key, row in sorted(results["fastact"].items()):
        name, part = key.split()
        others = " | ".join(show(row[kind]) if kind in row else "" for kind in KINDS)
        most, share = f"**{show(row['ulp'])}** | {row['at']:.9g}", f"{row['mean']:.3f} | {100 * row['over']:.2f} %"
        lines.append(f"| `{name}` | {part} | {most} | {share} | {row['count']:,} | {others} |")
    if results.get("peers"):
        libraries = sorted({library for row in results["peers"].values() for library in row})
        lines += [
            "",
            "## Beside other libraries",
            "",
            f"Largest float32 errors in ULP over every {results['peers_step']}th bit pattern, the command with",
            f"`--peers`: {results['peers_provenance']}. Derivatives are the libraries' own; SciPy's,",
            "expressions of its functions.",
            "Thousands of ULP and more are mostly tails in which the library gives 0, or NaN at the ends.",
            "",
            "| function | part | " + " | ".join(libraries) + " |",
            "|---" * (2 + len(libraries)) + "|",
        ]
        for key, row in sorted(results["peers"].items()):
            name, part = key.split()
            cells = " | ".join(show(row[library]) if library in row else "" for library in libraries)
            lines.append(f"| `{name}` | {part} | {cells} |")
    return "\n".join(lines) + "\n"


def stored() -> dict[str, Any]:
    """The results on disk."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {"fastact": {}, "peers": {}}


def store(update: Callable[[dict[str, Any]], None]) -> None:
    """Change the results on disk, and make the document of them."""
    results = stored()
    update(results)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    DOCUMENT.write_text(document(results))


def run_fastact(names: list[str], options: argparse.Namespace, pool: ProcessPoolExecutor) -> None:
    for name in names:
        for part in options.part:
            row: dict[str, Any] = {}
            if "float32" in options.dtypes:
                row |= measure((name, part, tuple(options.parameters)), options.step, pool)
            if not options.parameters:
                row |= other_dtypes(name, part, options.dtypes, options.rounds)
            print(f"{name:16s} {part:10s}", json.dumps(row), flush=True)
            if options.step <= 16 and not options.parameters:
                store(
                    lambda results, key=f"{name} {part}", row=row: (
                        results["fastact"].setdefault(key, {}).update(row), results.update(provenance=provenance()),
                    )
                )  # fmt: skip


def run_peers(names: list[str], options: argparse.Namespace, pool: ProcessPoolExecutor) -> None:
    for name in names:
        for part in options.part:
            row = {}
            others = [each for each in MEASURED if each in installed() and library(each).ELEMENTWISE.has(name, part)]
            for each in ("fastact", *others):
                row[each] = measure((name, part, (), each), options.step, pool)["ulp"]
            print(f"{name:16s} {part:10s}", json.dumps(row), flush=True)
            if len(row) > 1:
                store(
                    lambda results, key=f"{name} {part}", row=row: (
                        results["peers"].update({key: row}),
                        results.update(peers_step=options.step, peers_provenance=versions(MEASURED)),
                    )
                )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="functions; all if none is named")
    parser.add_argument("--part", nargs="+", choices=PARTS, default=PARTS)
    dtypes = ("float32", *KINDS)
    parser.add_argument("--dtypes", nargs="+", choices=dtypes, default=dtypes, help="others keep their stored figures")
    parser.add_argument("--rounds", type=int, default=40, help="of the search in float64, each of up to 1,000 inputs")
    parser.add_argument("--step", type=int, default=1, help="every STEP-th bit pattern; up to 16, the result is stored")
    parser.add_argument("--parameters", type=float, nargs="+", default=[], help="instead of the defaults")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--peers", action="store_true", help="measure the other libraries instead, and store")
    options = parser.parse_args()
    names = options.names or activations()
    with ProcessPoolExecutor(options.processes, get_context("spawn")) as pool:
        (run_peers if options.peers else run_fastact)(names, options, pool)


if __name__ == "__main__":
    main()
