"""fastact's CUDA kernels in the emulator, against its results on the CPU. python check.py --help"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import NamedTuple

import comparing
import fake_gpu as gpu
import groups  # noqa: F401 - they register themselves
import numpy as np
import results
from cases import GROUPS, Case, some
from emulator import EmulationError

#: So many cases of each group are a sample.
MOST = 8
COLUMNS = ("group", "cases", "failed", "kernels", "launches", "thread instructions", "largest difference")


class Report(NamedTuple):
    """What became of the cases of a group."""

    cases: int
    failed: list[str]
    seconds: float
    kernels: set[str]
    totals: Counter[str]
    worst: dict[str, float]


def passes(name: str, check: Callable[[], None]) -> bool:
    try:
        check()
    except Exception as error:
        print(f"FAILED {name}: {type(error).__name__}: {str(error)[:1500]}", flush=True)
        if not isinstance(error, (AssertionError, EmulationError)):
            traceback.print_exc()
        return False
    return True


def run(name: str, sample: bool, capability: tuple[int, int]) -> Report:
    """Check a group, or some of its cases, in this process."""
    gpu.install(capability)
    comparing.WORST.clear()
    gpu.KERNELS.clear()
    gpu.TOTALS.clear()
    start = time.process_time()
    with np.errstate(all="ignore"):
        cases: list[Case] = some(GROUPS[name](), MOST) if sample else list(GROUPS[name]())
        failed = [case.name for case in cases if not passes(f"{name}: {case.name}", case.check)]
    seconds = time.process_time() - start
    return Report(len(cases), failed, seconds, set(gpu.KERNELS), gpu.TOTALS.copy(), dict(comparing.WORST))


def show(name: str, report: Report) -> None:
    print(f"== {name}: {report.cases} cases, {len(report.failed)} failed, {report.seconds:.0f} s of a core", flush=True)
    if report.worst:
        print("   ", ", ".join(f"{kind} {worst:.2f}" for kind, worst in sorted(report.worst.items())), "ulp")


def row(report: Report) -> tuple[object, ...]:
    """What results.md says of a group."""
    kind, worst = max(report.worst.items(), key=lambda each: each[1], default=("", 0.0))
    difference = f"{worst:.2f} ulp ({kind})" if report.worst else "none"
    launches, instructions = report.totals["launches"], report.totals["thread_instructions"]
    return report.cases, len(report.failed), len(report.kernels), launches, f"{instructions:.1e}", difference


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("python ")[0])
    parser.add_argument("groups", nargs="*", help=f"of {', '.join(GROUPS)}; all without any")
    parser.add_argument("--sample", action="store_true", help=f"at most {MOST} cases of each group")
    parser.add_argument("--record", action="store_true", help="write what was found into results.md")
    parser.add_argument("--cc", default="8.0", help="the compute capability, by default 8.0")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="so many groups at once")
    given = parser.parse_args()
    if unknown := set(given.groups) - set(GROUPS):
        parser.error(f"no groups {', '.join(sorted(unknown))}")
    major, minor = map(int, given.cc.split("."))

    names, start = given.groups or list(GROUPS), time.perf_counter()
    reports: dict[str, Report] = {}
    with ProcessPoolExecutor(given.processes, multiprocessing.get_context("spawn")) as pool:
        futures = {pool.submit(run, name, given.sample, (major, minor)): name for name in names}
        for future in as_completed(futures):
            name = futures[future]
            reports[name] = future.result()
            show(name, reports[name])
            if given.record:
                results.record("Groups of cases", COLUMNS, name, *row(reports[name]))

    kernels = set[str]().union(*(report.kernels for report in reports.values()))
    failed = [f"{name}: {case}" for name, report in reports.items() for case in report.failed]
    cases, seconds = sum(report.cases for report in reports.values()), time.perf_counter() - start
    of = "a sample of " if given.sample else ""
    print(f"{of}{len(names)} groups, {cases} cases, {len(kernels)} kernels of {gpu.sources()}, {seconds:.0f} s")
    if failed:
        sys.exit(f"{len(failed)} cases FAILED:\n" + "\n".join(failed))
    print("all passed")


if __name__ == "__main__":
    main()
