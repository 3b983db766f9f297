"""Many trainings, here or in several processes; their results are the same to the bit."""

from __future__ import annotations

import math
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cache
from os import PathLike
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

import fastact as fa
from fastact.errors import require
from fastact.functions import own
from fastact.learn.experiments.comparing.records import Run
from fastact.learn.experiments.comparing.training import PlannedRun, train

__all__ = ["check_known_elsewhere", "trained"]

#: A training, and what it saw on the plane.
Found = tuple[Run, list[NDArray[np.uint8]]]
#: Seconds of work from which on processes are faster than one: two take 2 seconds to start and to import fastact.
WORTH = 5.0


def trained(
    planned: Iterator[PlannedRun], count: int, jobs: int | None, sources: Sequence[str | PathLike[str]]
) -> Iterator[Found]:
    """Train all networks, and yield what is found of each as soon as it is there.

    Parameters
    ----------
    planned : iterator of PlannedRun
        Those to come are made when their turn comes, so that few of their samples are in memory.
    count : int
        How many there are.
    jobs : int or None
        Processes. None takes as many as there are cores, once the work turns out to be worth it, and one before.
    sources : sequence of paths
        Files with activations of the user's own, which each process loads.
    """
    least = math.inf
    for done, each in enumerate(planned if jobs is None else (), 1):
        started = perf_counter()
        found = train(each)
        if done > 1:
            least = min(least, perf_counter() - started)
        yield found
        # The first one's time has that of compilation, which its epochs have not.
        if (least if done > 1 else sum(found[0].seconds)) * (count - done) > WORTH:
            jobs = require("joblib", "demo", "compare").cpu_count()
            break
    if jobs is None or jobs == 1:
        yield from map(train, planned)
    else:
        yield from _in_processes(planned, jobs, tuple(str(Path(each).resolve()) for each in sources))


def _in_processes(planned: Iterator[PlannedRun], jobs: int, files: tuple[str, ...]) -> Iterator[Found]:
    joblib = require("joblib", "demo", "compare with several jobs")
    calls = (joblib.delayed(_elsewhere)(each, files) for each in planned)
    with joblib.parallel_config("loky", inner_max_num_threads=1):
        parallel = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")
        with _deaf_children():
            found = parallel(calls)
        with closing(found):
            yield from found


def check_known_elsewhere(activations: Sequence[str], sources: Sequence[str | PathLike[str]]) -> None:
    """Raise ValueError for an activation that another process would not know."""
    files = {str(Path(each).resolve()) for each in sources}
    for name in activations:
        module = fa.get(name).__module__
        file = getattr(sys.modules.get(module), "__file__", None)
        if module.split(".")[0] != "fastact" and file not in files:
            raise ValueError(
                f"activation {name!r} is defined in {file or module}, which other processes do not know; "
                "put it into a file of its own and name that in sources, or take jobs=1"
            )


def _elsewhere(planned: PlannedRun, files: tuple[str, ...]) -> Found:
    _prepare(files)
    return train(planned)


@cache
def _prepare(files: tuple[str, ...]) -> None:
    """Let this process compute with one thread, as it has neighbours, and know the user's own activations."""
    fa.set_num_threads(1)
    for file in files:
        own.load(file)


@contextmanager
def _deaf_children() -> Iterator[None]:
    """Let processes that start in this block ignore Ctrl-C, of which they would each print a traceback.

    Their parent hears it, and ends them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
