"""At which numbers a function is verified: all of a format, or a sample of every exponent and of all that is special.

Numbers are bit patterns here, sorted; see formats.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from fastact.measure.verification.formats import FORMATS, Format, Patterns
from fastact.measure.verification.reference import Reference

__all__ = ["Blocks", "kinks", "sample", "specials", "thinned"]

#: Numbers in a call: so few that NumPy's temporaries stay in the cache, and that no library starts threads.
BLOCK = 1 << 15
#: The same where mpmath makes the exact results, in some 0.1 s.
WIDE = 1024
#: Neighbours that a sample takes at a time, so that it sees where a function does not rise as it should.
RUN = 8
#: Neighbours on each side of where the function changes its kind of result.
AROUND = 64
#: Landmarks of all functions, besides powers of two.
SPECIAL = (0.5, 1.0, 2.0, 3.0, 6.0, 9.0, 17.0, 20.0, 44.0, 88.0, 88.722839, 89.0, 103.972076, 709.78, 745.13)

Ordinals = NDArray[np.int64]


class Blocks:
    """All finite numbers of a format, or a sample of them, block by block. No bin is in two blocks."""

    def __init__(self, kind: Format, patterns: Patterns | None = None) -> None:
        self.kind, self.patterns = kind, patterns
        if patterns is not None:
            size = BLOCK if kind.bits < 64 else WIDE
            starts = np.flatnonzero(np.diff(patterns >> np.uint64(kind.bin), prepend=-1))
            chosen = starts[np.searchsorted(starts, np.arange(0, starts[-1] + 1, size))]
            self._edges = [*np.unique(chosen).tolist(), patterns.size]

    def __len__(self) -> int:
        if self.patterns is not None:
            return len(self._edges) - 1
        return 2 * -(-self.kind.infinity // BLOCK)

    def __iter__(self) -> Iterator[Patterns]:
        if self.patterns is not None:
            for first, end in pairwise(self._edges):
                yield self.patterns[first:end]
            return
        for start in (0, self.kind.sign):
            for first in range(start, start + self.kind.infinity, BLOCK):
                yield np.arange(first, min(first + BLOCK, start + self.kind.infinity), dtype=np.uint64)


def ordinals(patterns: Patterns, kind: Format) -> Ordinals:
    """The places of numbers in the order of their values, 0 for both zeros."""
    size = (patterns & np.uint64(kind.sign - 1)).astype(np.int64)
    return np.where(patterns >= kind.sign, -size, size)


def at(places: Ordinals, kind: Format) -> Patterns:
    """The numbers at these places."""
    size = np.abs(places).astype(np.uint64)
    return size | np.where(places < 0, np.uint64(kind.sign), np.uint64(0))


def values(places: Ordinals, kind: Format) -> NDArray[np.float64]:
    found: NDArray[np.float64] = kind.of(at(places, kind)).astype(np.float64)
    return found


def sample(kind: Format, count: int, reference: Reference, seed: int = 0) -> Patterns:
    """About `count` finite numbers in runs of neighbours, as many of each exponent, and all landmarks' neighbours.

    Landmarks are zeros, kinks, powers of two, the least and largest numbers, and where results become subnormal, 0 or
    infinite, change their sign or stop changing at all.
    """
    random = np.random.default_rng(seed)
    runs = max(count // RUN // 2, 1)
    edges = np.linspace(0, kind.infinity - RUN, runs + 1)
    found = []
    for start in (0, kind.sign):
        first = (edges[:-1] + random.random(runs) * np.diff(edges)).astype(np.uint64) + np.uint64(start)
        found.append((first[:, np.newaxis] + np.arange(RUN, dtype=np.uint64)).ravel())
    marks = landmarks(kind, reference)
    near = (marks[:, np.newaxis] + np.arange(-AROUND, AROUND + 1)).ravel() if kind.bits == 32 else around(marks)
    near = near[np.abs(near) < kind.infinity]
    return distinct(np.concatenate([*found, at(near, kind), [np.uint64(kind.sign)]]))


def thinned(patterns: Patterns, kind: Format) -> Patterns:
    """Fewer of them, for formulas that mpmath takes long for: 0.1 ms, and 10 ms beyond 2**60."""
    huge = np.abs(kind.of(patterns).astype(np.float64)) > 2.0**60
    place = np.arange(patterns.size)
    return patterns[np.where(huge, place % 64 == 0, place % 4 == 0)]


def distinct(patterns: Patterns) -> Patterns:
    """The same, sorted and without repetitions; NumPy 2.4's `unique` takes 0.6 s for a million."""
    ordered = np.sort(patterns)
    return ordered[np.append(True, np.diff(ordered) > 0)]


def around(marks: Ordinals) -> Ordinals:
    """The neighbours of marks, fewer of them: for exact results that cost much."""
    return (marks[:, np.newaxis] + np.array([-9, -2, -1, 0, 1, 2, 9])).ravel()


def landmarks(kind: Format, reference: Reference) -> Ordinals:
    """The places where something may change."""
    powers = np.ldexp(1.0, np.arange(-40, 11)) if kind.bits == 32 else np.ldexp(1.0, np.arange(-20, 11, 2))
    plain = [*SPECIAL, *powers, kind.tiny, kind.smallest]
    with np.errstate(over="ignore"):
        known = ordinals(kind.patterns([*plain, *kinks(reference)]), kind)
    extremes = np.array([0, kind.infinity - 1], np.int64)
    found = [known, -known, extremes, -extremes]
    parts = ("forward", "derivative") if reference.differentiable else ("forward",)
    found += [changes(kind, reference, part) for part in parts]
    return np.unique(np.concatenate(found))


def changes(kind: Format, reference: Reference, part: str) -> Ordinals:
    """Where results change their sign, become subnormal, 0 or infinite, or stop changing."""

    def label(places: Ordinals) -> NDArray[np.int64]:
        x = values(places, kind)
        with np.errstate(all="ignore"):
            y = reference.compute(part, x, kind)
            size = np.abs(y)
            level = np.searchsorted([kind.smallest / 2, kind.tiny, 2.0 ** min(kind.largest + 1, 1023)], size)
            constant = np.round(y, 12) if kind.bits == 64 else y.astype(np.float32)
            flat = (constant == 1) * 1 + (constant == -1) * 2 + (constant == x) * 4
        return np.sign(y).astype(np.int64) * 64 + level * 8 + flat

    edges = np.linspace(1 - kind.infinity, kind.infinity - 1, 4001).astype(np.int64)
    low, high = edges[:-1], edges[1:]
    before, after = label(low), label(high)
    place = np.flatnonzero(before != after)
    low, high, before = low[place], high[place], before[place]
    while (high - low > 1).any():
        middle = low + (high - low) // 2
        same = label(middle) == before
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    return np.concatenate([low, high])


def kinks(reference: Reference, step: int = 1 << 17) -> list[float]:
    """The float32 numbers at which the slope, or the function, jumps; 0 always is among them.

    Of each stretch of `step` numbers, the half in which it changes more is parted again; a jump stays as large as it
    was.
    """
    kind = FORMATS["float32"]
    reach = int(kind.patterns(2.0**16)[0])
    found = {0.0}
    for part in ("forward", "derivative") if reference.differentiable else ("forward",):
        edges = np.arange(-reach, reach, step)
        low, high = edges[:-1], edges[1:]
        with np.errstate(all="ignore"):
            y_low, y_high = (reference.compute(part, values(each, kind), kind) for each in (low, high))
            first = np.abs(y_high - y_low)
            while (high - low > 1).any():
                middle = low + (high - low) // 2
                y = reference.compute(part, values(middle, kind), kind)
                left = np.abs(y - y_low) >= np.abs(y_high - y)
                low, high = np.where(left, low, middle), np.where(left, middle, high)
                y_low, y_high = np.where(left, y_low, y), np.where(left, y, y_high)
            jump = np.abs(y_high - y_low)
            least = np.maximum(1e-3 * np.maximum(np.abs(y_low), np.abs(y_high)), kind.tiny)
            jumps = np.flatnonzero((jump > first / 4) & (jump > least))
        for pair in zip(kind.of(at(low[jumps], kind)), kind.of(at(high[jumps], kind)), strict=True):
            found.add(float(min(pair, key=lambda each: len(str(each)))))
    return sorted(found) if len(found) <= 16 else [0.0]


def specials(kind: Format, points: list[float]) -> Patterns:
    """Infinities, NaN, zeros, the least and largest numbers, and kinks, in the order of a table."""
    sizes = [0.0, kind.smallest, kind.tiny, float(kind.of([kind.infinity - 1]).astype(np.float64)[0]), np.inf]
    with np.errstate(all="ignore"):
        bends = [each for each in points if each and float(np.array(each).astype(kind.dtype)) == each]
    row = [-each for each in reversed(sizes)] + sizes + bends
    row = sorted(row[:5]) + row[5:10] + bends
    return kind.patterns([*row, np.nan])
