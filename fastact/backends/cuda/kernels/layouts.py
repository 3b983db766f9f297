"""How the threads of a GPU share rows: arithmetic that each call does on the host.

A row is the n numbers that a function reduces. They are `inner` items apart, and row q begins at item
(q // inner) * n * inner + q % inner.

    inner == 1   Neighbouring threads take neighbouring numbers. A row has up to all threads of a block.
    inner > 1    Neighbouring threads take neighbouring rows ("columns"). A block has 32 rows.
    whole        A row fits into the registers of its threads, which read it once.
    staged       Rows are so short that they pass through shared memory (staging.py).
    parts        Rows are long or few, so that several blocks share each: they find the sums of its parts, and as many
                 blocks then compute its results.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

from fastact._core.arrays import wide_dtype
from fastact.backends.cuda.dtypes import dtype_of

__all__ = ["Layout", "Parts", "RowTraits", "alone", "each_alone", "in_warps", "layout_of", "parts_of"]

WARP = 32
#: The most bytes of a row that a thread takes at a time.
BYTES = 64
#: The most threads of a row: if there were more, each would have too few registers for what it holds.
MOST_THREADS = 512
#: The least threads of a block that takes several rows.
BLOCK = 128
#: Blocks that fill a GPU; longer rows are cut into parts until there are so many.
FILLED = 256
#: The least numbers of a part of a row.
PART = 1024
#: Fewer threads of a row than this touch too many places of memory at a time. With 8, an access takes 32 bytes of each
#: row, the least that memory gives.
COALESCED = 8
#: The most bytes that one block reads twice, and that all blocks together do, so that they are still in the cache.
BLOCK_BYTES = 3 << 15
CACHED = 1 << 24


class Layout(NamedTuple):
    """How the threads of a block share its rows."""

    threads: int  # of a row
    rows: int  # of a block
    columns: bool  # neighbouring threads take neighbouring rows
    numbers: int  # of a row that a thread takes at a time, a power of two
    whole: bool  # the threads take all numbers of a row at once
    staged: bool = False  # rows pass through shared memory

    @property
    def tile(self) -> int:
        """Numbers of a row that its threads take at a time."""
        return self.threads * self.numbers

    @property
    def block(self) -> int:
        """Threads of a block."""
        return self.threads * self.rows

    @property
    def lanes(self) -> int:
        """Threads of a row that are in one warp, where neighbouring threads share a row."""
        return min(self.threads, WARP)

    @property
    def warps(self) -> int:
        """Warps of a row, where neighbouring threads share a row."""
        return self.threads // self.lanes


class Parts(NamedTuple):
    """How rows are cut. These are arguments of kernels, because they depend on the number of rows."""

    parts: int  # of a row; each has a block
    size: int  # numbers of a part
    together: int  # blocks for the same part of rows that are finished before others begin


class RowTraits(NamedTuple):
    """What a kernel over rows is compiled for, besides the function and the layout."""

    stored: str  # dtype of x and of the gradient
    result: str  # dtype
    mask: int = 0  # axes of the mask without the row's; 0 without a mask
    counts: int = 0  # axes of the counts; 0 without counts
    causal: bool = False
    divided: bool = False  # by a temperature

    @property
    def number(self) -> Any:
        """The scalar type that the kernel computes with."""
        return wide_dtype(dtype_of(self.stored), dtype_of(self.result)).type

    @property
    def coarse(self) -> bool:
        """Does rounding to the result hide the rounding before?"""
        return dtype_of(self.result).itemsize == 2


@functools.lru_cache(maxsize=4096)
def layout_of(n: int, inner: int, itemsize: int) -> Layout:
    """The layout for rows of n numbers. It is remembered: that takes 1 us off a call of 23.

    A row gets as many threads as hold its numbers, up to the limit, and a block at least BLOCK threads.
    """
    most, held = MOST_THREADS, BYTES // itemsize
    if inner > 1:  # with more threads, float64 reductions would need more shared memory than a block has
        most = 4 * MOST_THREADS // (itemsize * WARP)
    threads = min(most, _power_of_two(-(-n // held)))
    numbers = min(held, _power_of_two(-(-n // threads)))
    in_block = WARP if inner > 1 else max(1, BLOCK // threads)
    whole = n <= threads * numbers
    if inner > 1 and not whole:  # the addresses of all would not fit into a thread's registers
        numbers //= 2
    staged = inner == 1 and 0 < n <= threads * numbers and threads < COALESCED
    return Layout(threads, in_block, inner > 1, numbers, whole, staged)


def parts_of(layout: Layout, rows: int, n: int, itemsize: int, twice: bool = True) -> Parts | None:
    """The parts of rows that are too few, or too long to be read twice, for a block each; None for other rows."""
    blocks, size = -(-rows // layout.rows), n * itemsize * (layout.rows if layout.columns else 1)
    if layout.whole or (blocks >= FILLED and (size <= BLOCK_BYTES or not twice)):
        return None
    together = min(blocks, max(1, CACHED // size))
    tiles = -(-n // layout.tile)
    most = min(tiles, -(-n // PART), -(-FILLED // together))
    part = layout.tile * -(-tiles // most)
    return Parts(-(-n // part), part, together)


def alone(threads: int) -> Layout:
    """One row for the threads of a block."""
    return Layout(threads, 1, False, 1, False)


def in_warps(threads: int) -> Layout:
    """A row for each warp of a block."""
    return Layout(WARP, threads // WARP, False, 1, False)


def each_alone(threads: int, inner: int) -> Layout:
    """A row for each thread of a block."""
    return Layout(1, threads, inner > 1, 1, False)


def _power_of_two(n: int) -> int:
    """The least power of two that is at least n."""
    return 1 << max(0, n - 1).bit_length()
