"""The stopwatch: the least time of each of several calls that take turns.

benchmarks/guard.py times other versions of fastact with this file alone, so it imports nothing of fastact.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from time import perf_counter_ns, sleep
from typing import Any, NamedTuple

__all__ = ["Contender", "calling", "interleaved"]

#: Nanoseconds of a turn, and seconds of rest before the turn of a long call: the threads of the library before it spin
#: for up to 10 ms, and each of OpenMP's calls then takes a time slice of the system, 4 to 8 ms.
TURN, REST = 10_000_000, 0.015
#: A contender is asked again only while it is within this factor of the fastest of its kind: after its first turn, and
#: after more.
WITHIN = (4.0, 2.0)
#: A call that takes less than so many nanoseconds is timed so many times at once.
SHORT, MANY = 20_000, 20


class Contender(NamedTuple):
    """A call to be timed, and the context that all calls of a turn are made in."""

    call: Callable[[], Any]
    around: Callable[[], AbstractContextManager[Any]] = nullcontext


def calling(f: Callable[..., Any], *operands: Any, out: Any = None) -> Callable[[], Any]:
    """The call f(*operands), with out= if it is given, at the same small cost for every library."""
    if len(operands) == 1:
        (x,) = operands
        return (lambda: f(x)) if out is None else lambda: f(x, out=out)
    if len(operands) == 2:
        x, y = operands
        return (lambda: f(x, y)) if out is None else lambda: f(x, y, out=out)
    return (lambda: f(*operands)) if out is None else lambda: f(*operands, out=out)


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


def _turn(contender: Contender, restore: Callable[[], None] | None, calls: int) -> float:
    """The least nanoseconds of a call in one turn; so many calls between two looks at the clock."""
    call = contender.call
    least, now = 1 << 62, perf_counter_ns()
    end = now + TURN
    with contender.around():
        while now < end:
            if restore is not None:
                restore()
            start = perf_counter_ns()
            for _ in range(calls):
                call()
            now = perf_counter_ns()
            least = min(least, now - start)
    return least / calls


@cache
def _overhead(calls: int) -> float:
    """Nanoseconds that an empty call takes by this stopwatch."""
    return min(_turn(Contender(_nothing), None, calls) for _ in range(3))


def _calls(contender: Contender, restore: Callable[[], None] | None) -> int:
    """How many calls to time at once: as many as make the clock's steps small, or one if each must be undone."""
    if restore is not None:
        restore()
    with contender.around():
        start = perf_counter_ns()
        contender.call()
        short = perf_counter_ns() - start < SHORT
    return MANY if short and restore is None else 1


def interleaved(
    contenders: Mapping[str, Contender],
    budget: float,
    always: Collection[str] = (),
    restore: Callable[[], None] | None = None,
) -> dict[str, float]:
    """The least nanoseconds of each call.

    The contenders take turns, so that a slow moment of the machine hits all of them; the time of an empty call is taken
    off. Each has a turn. After that, those not in `always` go on only while they are within WITHIN of the fastest of
    them, whose minimum is what matters.

    Parameters
    ----------
    contenders : mapping of names to what is timed
    budget : float
        Seconds, roughly; the first rounds are finished whatever they take.
    always : collection of str
        Those that take every turn.
    restore : callable, optional
        Called before every single call and not timed.
    """
    least: dict[str, float] = {}
    calls: dict[str, int] = {}
    with _no_collection():
        for name, contender in contenders.items():
            for _ in range(2):  # the first call compiles
                calls[name] = _calls(contender, restore)
        stop, racing = perf_counter_ns() + int(budget * 1e9), list(contenders)
        rounds = 0
        while not rounds or perf_counter_ns() < stop:
            for name in racing:
                if calls[name] == 1:
                    sleep(REST)
                time = _turn(contenders[name], restore, calls[name]) - _overhead(calls[name])
                least[name] = min(least.get(name, float("inf")), max(time, 1.0))
            fastest = min((least[name] for name in racing if name not in always), default=0.0)
            limit = WITHIN[min(rounds, 1)] * fastest
            racing = [name for name in racing if name in always or least[name] <= limit]
            rounds += 1
    return least
