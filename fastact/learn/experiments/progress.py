"""How experiments tell how far they are: `progress(done, total)`, called after each training or epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

__all__ = ["Progress", "counted", "silent"]

Job = TypeVar("Job")
Progress = Callable[[int, int], object]


def silent(done: int, total: int) -> None:
    """No progress is shown."""


def counted(jobs: Sequence[Job], progress: Progress) -> Iterator[Job]:
    """Each job; when the next one is asked for, `progress` hears of the one before."""
    for done, job in enumerate(jobs, 1):
        yield job
        progress(done, len(jobs))
