"""Times one case: fastact, the libraries that can do it, and a copy of the same bytes, in turns."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cache, lru_cache
from queue import SimpleQueue

import numpy as np

import fastact as fa
from fastact.measure.bench.cases import Array, Case
from fastact.measure.bench.families import family_of
from fastact.measure.bench.timing import Contender, interleaved

__all__ = ["measure"]

#: Elements of a copy from which a second thread may help.
SPLIT_FROM = 1 << 16


class _Helper:
    """A thread that copies its half while the caller copies the other."""

    def __init__(self) -> None:
        self.tasks: SimpleQueue[tuple[Array, Array]] = SimpleQueue()
        self.done: SimpleQueue[None] = SimpleQueue()
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        while True:
            np.copyto(*self.tasks.get())
            self.done.put(None)

    def copy(self, target: Array, source: Array) -> None:
        half = source.size // 2
        self.tasks.put((target[half:], source[half:]))
        np.copyto(target[:half], source[:half])
        self.done.get()


_helper = cache(_Helper)


@lru_cache(maxsize=2)
def _buffers(size: int) -> tuple[Array, Array]:
    return np.zeros(size, np.uint8), np.ones(size, np.uint8)


def _copies(moved: int) -> dict[str, Contender]:
    """Copies that read and write this many bytes in all: by np.copyto, and by two threads that take half each."""
    target, source = _buffers(moved // 2)
    copies = {"copy": Contender(lambda: np.copyto(target, source))}
    if moved // 2 >= SPLIT_FROM and fa.get_num_threads() > 1:
        copies["copy, 2 threads"] = Contender(lambda: _helper().copy(target, source))
    return copies


def measure(case: Case, libraries: Sequence[str], budget: float) -> dict[str, float]:
    """Nanoseconds per element of fastact, of the libraries that have the case, and of the faster copy.

    Parameters
    ----------
    case : Case
    libraries : sequence of str
        Names of peers; those that lack the function in this form are left out.
    budget : float
        Seconds, roughly.
    """
    family = family_of(case.name)
    contest, copies = family.contest(case, libraries), _copies(family.moved(case))
    contenders = {"fastact": contest.own, **copies, **contest.peers}
    least = interleaved(contenders, budget, always=("fastact", *copies), restore=contest.restore)
    copy = min(least.pop(name) for name in copies)
    return {name: nanoseconds / case.elements for name, nanoseconds in (least | {"copy": copy}).items()}
