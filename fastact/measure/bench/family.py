"""What a family of functions tells the benchmarks, and the calls of one of its cases."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from fastact.measure.bench.cases import DTYPES, Case, Size, dtype, label
from fastact.measure.bench.timing import Contender

__all__ = ["Contest", "Family"]

#: Columns of the rows that a mere number of elements is arranged in, at most.
COLUMNS = 1000


class Contest(NamedTuple):
    """The calls of a case: fastact's, its peers', and what undoes a call where that is needed."""

    own: Contender
    peers: dict[str, Contender]
    restore: Callable[[], None] | None = None


class Family(NamedTuple):
    """Functions that are called alike.

    functions : gives the functions' names and the parts of each
    contest : makes the calls of a case; the libraries are those that may take part
    arrays : how many arrays as large as the case a call reads and writes
    layouts, dtypes : what all functions can be timed with
    sizes : what is timed if nobody says
    rows : whether a size is the shape of an array of rows
    """

    functions: Callable[[], Mapping[str, tuple[str, ...]]]
    contest: Callable[[Case, Sequence[str]], Contest]
    arrays: Callable[[Case], int]
    layouts: tuple[str, ...] = ("new",)
    dtypes: tuple[str, ...] = DTYPES
    sizes: tuple[Size, ...] = ((128, 10), (4096, 1000))
    rows: bool = True

    def moved(self, case: Case) -> int:
        """The bytes that a call reads and writes."""
        return self.arrays(case) * case.elements * dtype(case.dtype).itemsize

    def fitted(self, name: str, size: Size) -> Size:
        """A size as this family's cases have it: a number of elements becomes rows of at most COLUMNS.

        Raises
        ------
        ValueError
            For a shape, if the family has no rows.
        """
        if isinstance(size, tuple):
            if not self.rows:
                raise ValueError(f"{name} acts on single elements; give their number, not the shape {label(size)}")
            return size
        if not self.rows:
            return size
        columns = next(n for n in range(min(size, COLUMNS), 0, -1) if size % n == 0)
        return size // columns, columns
