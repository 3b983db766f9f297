"""What is checked: groups of cases, in `groups/`. A new group is a generator of cases under `@group`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple
from zlib import crc32


class Case(NamedTuple):
    """A check, and what it is about: a function, a dtype, a shape, an option."""

    labels: tuple[Any, ...]
    check: Callable[[], None]
    #: Whether the emulator needs so long for it that a sample leaves it out.
    long: bool = False

    @property
    def name(self) -> str:
        return " ".join(map(str, self.labels))


GROUPS: dict[str, Callable[[], Iterator[Case]]] = {}


def group(function: Callable[[], Iterator[Case]]) -> Callable[[], Iterator[Case]]:
    return GROUPS.setdefault(function.__name__, function)


def some(cases: Iterable[Case], most: int) -> list[Case]:
    """Choose at most so many cases, the same ones every time, each for the labels that those before it do not have."""
    left, chosen, seen = [case for case in cases if not case.long], list[Case](), set[Any]()
    while left and len(chosen) < most:
        best = max(left, key=lambda case: (len({*case.labels} - seen), crc32(case.name.encode())))
        if seen.issuperset(best.labels):
            break
        left.remove(best)
        chosen.append(best)
        seen.update(best.labels)
    return chosen
