"""The stopwatch: the least time of each of several calls that take turns.

Imported by `measure` and, as a single file, by benchmarks/guard.py, which times other versions of fastact with it:
imports nothing of fastact.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from time import perf_counter_ns
from typing import Any, NamedTuple

__all__ = ["Contender", "interleaved"]

#: Nanoseconds of one call's turn: long enough that the threads of the library before have gone to sleep.
TURN = 10_000_000
#: A contender is asked again only while it is within this factor of the fastest of its kind.
WITHIN = 2.0


class Contender(NamedTuple):
    """A call to be timed, and the context that all calls of a turn are made in."""

    call: Callable[[], Any]
    around: Callable[[], AbstractContextManager[Any]] = nullcontext


def _nothing() -> None:
    pass


@contextmanager
def _no_collection() -> Any:
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@cache
def _overhead() -> int:
    """Nanoseconds that an empty call takes by this stopwatch."""
    return min(_turn(Contender(_nothing), _nothing, 0) for _ in range(20))


def _turn(contender: Contender, restore: Callable[[], None], overhead: int) -> int:
    """The least nanoseconds of a call in one turn, of one call at least."""
    call = contender.call
    least, now = 1 << 62, perf_counter_ns()
    end = now + TURN
    with contender.around():
        while now < end:
            restore()
            start = perf_counter_ns()
            call()
            now = perf_counter_ns()
            least = min(least, now - start)
    return max(least - overhead, 1)


def interleaved(
    contenders: Mapping[str, Contender],
    budget: float,
    always: Collection[str] = (),
    restore: Callable[[], None] = _nothing,
) -> dict[str, float]:
    """The least nanoseconds of each call.

    The contenders take turns, so that a slow moment of the machine hits all of them; the time of an empty call is taken
    off. Each has at least one turn, before which it is called once. After that, those not in `always` go on only while
    they are within WITHIN of the fastest of them: what the time is for is to know that one's minimum.

    Parameters
    ----------
    contenders : mapping of names to what is timed
    budget : float
        Seconds, roughly; the first round is finished whatever it takes.
    always : collection of str
        Those that take every turn.
    restore : callable
        Called before every single call and not timed.
    """
    overhead = _overhead()
    least: dict[str, float] = {}
    with _no_collection():
        for contender in contenders.values():
            restore()
            with contender.around():
                contender.call()
        stop, racing = perf_counter_ns() + int(budget * 1e9), list(contenders)
        while not least or perf_counter_ns() < stop:
            for name in racing:
                least[name] = min(least.get(name, float("inf")), _turn(contenders[name], restore, overhead))
            others = [name for name in racing if name not in always]
            fastest = min((least[name] for name in others), default=0.0)
            racing = [name for name in racing if name in always or least[name] <= WITHIN * fastest]
    return least
