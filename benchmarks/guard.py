"""Compares the speed of two versions of fastact, every activation and part: run it before a PERF commit.

Each version runs in processes of its own, which take turns (A B A B ...), on one thread. A kernel's time counts as a
multiple of np.exp's on the same array in the same process, so that a slow moment or another machine matters little.
The exit code is 1 if the median of a kernel is more than 5 % slower and its processes agree. If a run flags a kernel,
look at it again with --names and more --rounds. Build the working tree in place first (pip install -e .).
    python benchmarks/guard.py HEAD~1                    # the working tree against a commit
    python benchmarks/guard.py v0.1 HEAD --names gelu    # two commits, one function
    python benchmarks/guard.py --save speed-base.json    # keep the working tree's ratios
    python benchmarks/guard.py --against speed-base.json # and compare with them later
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
PARTS, DTYPES, SIZES = ("forward", "derivative", "backward"), ("float32", "float64"), (1_000, 100_000)
#: Times the reference kernel's time by which a kernel may be slower.
ALLOWED = 1.05
#: Seconds for a kernel and its reference.
BUDGET = 0.06

#: kernel -> its time over np.exp's, in one process
Ratios = dict[str, float]
Rounds = list[Ratios]


def stopwatch() -> Any:
    """Load the checkout's own fastact/measure/bench/timing.py; the version under test may have another, or none."""
    spec = importlib.util.spec_from_file_location("timing", ROOT / "fastact" / "measure" / "bench" / "timing.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def child(names: Sequence[str]) -> Ratios:
    """Each kernel's time over np.exp's, in a process that imports the version under test."""
    import fastact as fa

    timing, ratios = stopwatch(), {}
    timing.TURN = 3_000_000  # one thread: there are none to wait for
    fa.set_num_threads(1)
    for name in names or [name for name in fa.names() if isinstance(fa.get(name), fa.Activation)]:
        activation = fa.get(name)
        for part in PARTS:
            f = activation if part == "forward" else getattr(activation, part)
            for dtype in DTYPES:
                for size in SIZES:
                    x = (2 * np.random.default_rng(0).standard_normal(size)).astype(dtype)
                    ratios[f"{name} {part} {dtype} {size}"] = against_exp(timing, f, x, part == "backward")
    return ratios


def against_exp(timing: Any, f: Any, x: np.ndarray, backward: bool) -> float:
    out, operands = np.empty_like(x), (x, x) if backward else (x,)
    calls = {"kernel": lambda: f(*operands, out=out), "np.exp": lambda: np.exp(x, out=out)}
    contenders = {name: timing.Contender(call) for name, call in calls.items()}
    least = timing.interleaved(contenders, BUDGET, always=contenders)
    return least["kernel"] / least["np.exp"]


def measure(package: Path, names: Sequence[str]) -> Ratios:
    """Run `child` in a fresh process with the fastact of this folder."""
    command = [sys.executable, __file__, "--child", *names]
    environment = os.environ | {"PYTHONPATH": str(package)}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True, cwd=package)
    return json.loads(done.stdout)


@contextmanager
def built(commit: str) -> Iterator[Path]:
    """A folder with fastact built at a commit; the checkout it is built in goes with it."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "source"), Path(folder, "package")
        subprocess.run(["git", "worktree", "add", "--quiet", "--detach", source, commit], cwd=ROOT, check=True)
        try:
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", target, source]
            subprocess.run(command, check=True)
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", source], cwd=ROOT, check=True)
        yield target


def compare(base: Rounds, head: Rounds) -> int:
    """Print head over base for the kernels that both have, the worst last; the exit code.

    Slower is a kernel whose median is more than allowed, and whose every process was slower than each of the base's.
    """
    kernels = base[0].keys() & head[0].keys()
    before, after = ({key: sorted(each[key] for each in rounds) for key in kernels} for rounds in (base, head))
    changes = sorted((statistics.median(after[key]) / statistics.median(before[key]), key) for key in kernels)
    slower = 0
    for change, key in changes:
        name, part, dtype, size = key.split()
        is_slower = change > ALLOWED and after[key][0] > before[key][-1]
        slower += is_slower
        figures = f"{statistics.median(before[key]):9.3f}{statistics.median(after[key]):9.3f}{change:8.3f}"
        print(f"{name:18}{part:12}{dtype:9}{int(size):>9,}{figures}{'  SLOWER' * is_slower}")
    mean = np.exp(np.mean(np.log([change for change, _ in changes])))
    print(f"{len(changes)} kernels: head / base {mean:.3f} (geometric mean); {slower} more than 5 % slower")
    return int(slower > 0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", nargs="?", help="the commit to compare with")
    parser.add_argument("head", nargs="?", help="the commit to judge; the working tree if none is named")
    parser.add_argument("--names", nargs="+", default=[], help="activations; all if none is named")
    parser.add_argument("--rounds", type=int, default=3, help="processes for each version")
    parser.add_argument("--save", type=Path, metavar="FILE", help="keep the head's ratios")
    parser.add_argument("--against", type=Path, metavar="FILE", help="compare with ratios that were kept")
    options = parser.parse_args()
    if sum(map(bool, (options.base, options.against, options.save))) == 0:
        parser.error("name a commit to compare with, or --save, or --against")
    if options.base and options.against:
        parser.error("name a commit or --against, not both")
    with ExitStack() as stack:
        versions = {"head": stack.enter_context(built(options.head)) if options.head else ROOT}
        if options.base:
            versions["base"] = stack.enter_context(built(options.base))
        found: dict[str, Rounds] = {version: [] for version in versions}
        for _ in range(options.rounds):
            for version, package in versions.items():
                found[version].append(measure(package, options.names))
    if options.save:
        options.save.write_text(json.dumps(found["head"], indent=1) + "\n", encoding="utf-8")
    if options.against:
        found["base"] = json.loads(options.against.read_text(encoding="utf-8"))
    return compare(found["base"], found["head"]) if "base" in found else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(child(sys.argv[2:])))
    else:
        sys.exit(main())
