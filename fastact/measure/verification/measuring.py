"""Measure one part of a function in one format: run it block by block on several threads, and count what is wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastact.measure.verification.formats import FORMATS, Format, Patterns
from fastact.measure.verification.inputs import BLOCK
from fastact.measure.verification.intervals import Bins, Interval, intervals
from fastact.measure.verification.libraries import Call
from fastact.measure.verification.reference import Reference

__all__ = ["Counts", "Measurement", "evaluated", "measure"]

#: Wrong results of a block, and of a measurement, that mpmath looks at again.
SUSPECTS, RECHECKED = 4, 64
#: Inputs at which mpmath checks the reference besides.
CHECKED = 64

Floats = NDArray[np.float64]


@dataclass
class Counts:
    """How many results there are of each kind.

    Attributes
    ----------
    inputs, wrong, rounded : int
        All; those above the limit; those above half an ULP.
    nan, infinite, flushed, signs, reversed : int
        NaN where a number is right, or the other way round; the same of infinity; 0 where the exact result is
        subnormal; a zero of the wrong sign; neighbours between which results move against the exact function.
    subnormal : int
        Results that should be subnormal.
    total : float
        The sum of all finite errors.
    """

    inputs: int = 0
    wrong: int = 0
    rounded: int = 0
    nan: int = 0
    infinite: int = 0
    flushed: int = 0
    subnormal: int = 0
    signs: int = 0
    reversed: int = 0
    total: float = 0.0

    def add(self, other: Counts) -> None:
        for name in vars(other):
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass
class Measurement:
    """What was found of one part in one format.

    Attributes
    ----------
    kind : Format
    part : str
    limit : float
        The error above which a result is wrong.
    exhaustive : bool
        Whether all finite numbers were measured.
    counts : Counts
    ulp, worst : float, int
        The largest error and the pattern of its input.
    result, exact : float
        What the function gives there, and what is right.
    where : list of Interval
        Where results are wrong.
    curve : tuple of arrays
        Sorted inputs and the largest error around each.
    dtype : str
        Of the results.
    first : dict
        Kind of finding -> the pattern of the first input.
    checked, off : int, float
        Inputs at which mpmath checked the reference, and by how many ULP of float64 that was wrong at most.
    """

    kind: Format
    part: str
    limit: float
    exhaustive: bool
    counts: Counts = field(default_factory=Counts)
    ulp: float = 0.0
    worst: int = 0
    result: float = 0.0
    exact: float = 0.0
    where: list[Interval] = field(default_factory=list)
    curve: tuple[Floats, Floats] = (np.empty(0), np.empty(0))
    dtype: str = ""
    first: dict[str, int] = field(default_factory=dict)
    checked: int = 0
    off: float = 0.0

    @property
    def passed(self) -> bool:
        return self.ulp <= self.limit

    @property
    def mean(self) -> float:
        return self.counts.total / max(self.counts.inputs, 1)

    @property
    def at(self) -> float:
        return float(self.kind.of([self.worst]).astype(np.float64)[0])


def evaluated(call: Call, x: NDArray[Any], name: str, few_shapes: bool = False) -> NDArray[Any]:
    """What the function makes of a copy of x.

    Raises
    ------
    ValueError
        If it raises an error, or does not give an element for each one.
    """
    given = np.resize(x, -(-x.size // BLOCK) * BLOCK) if few_shapes else x.copy()
    try:
        with np.errstate(all="ignore"):
            result = call(given)
    except Exception as error:
        text = " ".join(str(error).split())[:160]
        ends = f"{x[0]!s} to {x[-1]!s}" if x.size else "no numbers"
        raise ValueError(f"{name}: raises {type(error).__name__} for {x.dtype} numbers ({ends}): {text}") from error
    if result.shape != given.shape:
        raise ValueError(
            f"{name}: makes the shape {result.shape} of {given.shape}; verify takes functions of each element"
        )
    return result[: x.size]


class Tally:
    """Gathers what blocks report, by bins of neighbouring patterns, none of which is in two blocks."""

    def __init__(self, kind: Format) -> None:
        self.kind = kind
        size = 1 << (kind.bits - kind.bin)
        self.bins = Bins.empty(size)
        self.worst = np.full(size, -1.0)
        self.counts = Counts()
        self.found: dict[str, int] = {}
        self.suspects: list[tuple[float, int, float]] = []
        self.dtype = ""

    def add(
        self, patterns: Patterns, result: NDArray[Any], error: Floats, limit: float, counts: Counts,
        found: dict[str, int],
    ) -> None:  # fmt: skip
        """A block's; the patterns are sorted."""
        bins = (patterns >> np.uint64(self.kind.bin)).astype(np.int64)
        starts = np.flatnonzero(np.diff(bins, prepend=-1)) if bins[0] != bins[-1] else np.zeros(1, np.int64)
        ends, place = np.append(starts[1:], bins.size), bins[starts]
        self.bins.inputs[place] = ends - starts
        self.worst[place] = np.maximum.reduceat(error, starts)
        wrong = np.flatnonzero(error > limit)
        if wrong.size:
            at, begin, many = np.unique(bins[wrong], return_index=True, return_counts=True)
            first, last, having = wrong[begin], wrong[begin + many - 1], np.searchsorted(place, at)
            self.bins.wrong[at] = many
            self.bins.before[at], self.bins.after[at] = first - starts[having], ends[having] - 1 - last
            self.bins.first[at], self.bins.last[at] = patterns[first], patterns[last]
        self.counts.add(counts)
        for name, pattern in found.items():
            self.found[name] = min(pattern, self.found.get(name, pattern))
        worst = [int(error.argmax())] if not wrong.size else wrong[np.argsort(-error[wrong])[:SUSPECTS]].tolist()
        self.suspects += [(float(error[i]), int(patterns[i]), float(result[i])) for i in worst]
        if len(self.suspects) > 4096:
            self.suspects = self.worst_of()

    def worst_of(self) -> list[tuple[float, int, float]]:
        """Error, input and result of the worst suspects; of equals, those with the smallest patterns."""
        return sorted(self.suspects, key=lambda each: (-each[0], each[1]))[:RECHECKED]


class Meter:
    """Judges the results of blocks."""

    def __init__(
        self, call: Call, name: str, reference: Reference, part: str, kind: Format, limit: float,
        kinks: Sequence[float], few_shapes: bool,
    ) -> None:  # fmt: skip
        self.call, self.name, self.reference, self.part = call, name, reference, part
        self.kind, self.limit, self.few_shapes = kind, limit, few_shapes
        self.tally = Tally(kind)
        self.lock = threading.Lock()
        self.bends = self._bends(kinks) if part == "derivative" else {}

    def _bends(self, kinks: Sequence[float]) -> dict[int, tuple[float, float]]:
        """The pattern of each kink -> the slopes beside it; any number from one to the other is a convention."""
        bends: dict[int, tuple[float, float]] = {}
        for kink in kinks:
            pattern = int(self.kind.patterns(kink)[0])
            if float(self.kind.of([pattern]).astype(float)[0]) != kink:
                continue
            sides = np.nextafter(kink, [-np.inf, np.inf])
            low, high = sorted(self.reference.compute("derivative", sides, self.kind).tolist())
            if high - low > 1e-3 * max(abs(high), abs(low)):
                bends |= dict.fromkeys({0, self.kind.sign} if kink == 0 else {pattern}, (low, high))
        return dict(sorted(bends.items()))

    def exactly(self, x: NDArray[Any]) -> tuple[Floats, Floats | None]:
        """The exact results, and what they lack."""
        wide = x.astype(np.float64)
        if self.kind.bits == 64 and self.reference.checked:
            exact, low = self.reference.exactly(self.part, wide, self.kind)
            signs = self.reference.compute(self.part, wide[exact == 0], self.kind)  # of zeros, which mpmath has not
            exact[exact == 0] = np.copysign(0.0, signs)
            return exact, low
        with np.errstate(all="ignore"):
            return self.reference.compute(self.part, wide, self.kind), None

    def errors(self, patterns: Patterns, result: NDArray[Any], exact: Floats, low: Floats | None) -> Floats:
        """The errors in ULP; 0 for another convention at a kink."""
        error = self.kind.errors(result, exact, low)
        for bend, (least, most) in self.bends.items():
            place = int(np.searchsorted(patterns, bend))
            if place < patterns.size and patterns[place] == bend and least <= float(result[place]) <= most:
                error[place] = 0
        return error

    def measure(self, patterns: Patterns) -> None:
        """A block of sorted patterns."""
        x = self.kind.of(patterns)
        result = evaluated(self.call, x, self.name, self.few_shapes)
        exact, low = self.exactly(x)
        with np.errstate(all="ignore"):
            error = self.errors(patterns, result, exact, low)
            counts, found = self._counted(patterns, x, result, exact, error)
        with self.lock:
            self.tally.add(patterns, result, error, self.limit, counts, found)
            self.tally.dtype = result.dtype.name

    def _counted(
        self, patterns: Patterns, x: NDArray[Any], result: NDArray[Any], exact: Floats, error: Floats
    ) -> tuple[Counts, dict[str, int]]:
        kind, found = self.kind, {}
        counts = Counts(inputs=x.size, rounded=int(np.count_nonzero(error > 0.5)))
        total = float(error.sum())
        counts.total = total if np.isfinite(total) else float(error[np.isfinite(error)].sum())

        def noted(name: str, places: NDArray[np.intp]) -> int:
            if places.size:
                found[name] = int(patterns[places[0]])
            return int(places.size)

        bad = np.flatnonzero(error > self.limit)
        counts.wrong = int(bad.size)
        if bad.size:
            r, e = result[bad].astype(np.float64), exact[bad]
            counts.nan = noted("nan", bad[np.isnan(r) != np.isnan(e)])
            over = np.abs(e) >= 2.0 ** min(kind.largest + 1, 1023)
            counts.infinite = noted("infinite", bad[~np.isnan(r) & (np.isinf(r) != over)])
        zeros = np.flatnonzero(result == 0)
        if zeros.size:
            e = exact[zeros]
            counts.flushed = noted("flushed", zeros[(np.abs(e) >= kind.smallest) & (np.abs(e) < kind.tiny)])
            lost = np.signbit(result[zeros]) != np.signbit(e)
            if self.part == "derivative":
                lost &= e != 0
            counts.signs = noted("signs", zeros[lost])
        size = np.abs(exact)
        counts.subnormal = int(np.count_nonzero((size >= kind.smallest) & (size < kind.tiny)))
        if self.part == "forward" and kind.bits < 64 and self.reference.monotone:
            counts.reversed = noted("reversed", self._reversed(patterns, result, exact))
        return counts, found

    def _reversed(self, patterns: Patterns, result: NDArray[Any], exact: Floats) -> NDArray[np.intp]:
        """Where the result moves against the exact function from one number to its neighbour."""
        up, down = result[1:] > result[:-1], result[1:] < result[:-1]
        rise = np.diff(exact)
        against = np.flatnonzero((up & (rise < 0)) | (down & (rise > 0)))
        if not against.size:
            return against
        noise = 1e-15 * np.abs(exact[against])
        neighbours = patterns[against + 1] - patterns[against] == 1
        return against[neighbours & (np.abs(rise[against]) > noise)]


def measure(
    meter: Meter, parts: Iterable[Patterns], exhaustive: bool, threads: int, advance: Callable[[], object]
) -> Measurement:
    """Measure all blocks, look at the worst again by mpmath, and say what was found."""
    source, lock, stop = iter(parts), threading.Lock(), threading.Event()

    def work() -> None:
        while not stop.is_set():
            with lock:
                block = next(source, None)
            if block is None:
                return
            meter.measure(block)
            with lock:
                advance()

    with ThreadPoolExecutor(threads, "fastact-verify") as pool:
        try:
            for future in [pool.submit(work) for _ in range(threads)]:
                future.result()
        finally:
            stop.set()
    return summarised(meter, exhaustive)


def summarised(meter: Meter, exhaustive: bool) -> Measurement:
    tally, kind = meter.tally, meter.kind
    found = Measurement(kind, meter.part, meter.limit, exhaustive, tally.counts, dtype=tally.dtype, first=tally.found)
    suspects = tally.worst_of()
    found.ulp, found.worst, found.result = suspects[0]
    if meter.reference.checked and kind.bits < 64:
        _check(meter, found, {pattern: result for _, pattern, result in suspects})
    found.exact = float(meter.exactly(kind.of([found.worst]))[0][0])
    found.where = intervals(tally.bins, kind)
    found.curve = _curve(tally, kind)
    return found


def _check(meter: Meter, found: Measurement, suspects: dict[int, float]) -> None:
    """Let mpmath judge the worst results, and the reference there and at some other inputs."""
    tally, kind = meter.tally, meter.kind
    filled = np.flatnonzero(tally.bins.inputs)
    others = filled[np.linspace(0, filled.size - 1, CHECKED).astype(int)].astype(np.uint64) << np.uint64(kind.bin)
    others = others[(others & np.uint64(kind.sign - 1)) < kind.infinity]
    worst = np.array(sorted(suspects), np.uint64)
    patterns = np.concatenate([worst, others])
    x = kind.of(patterns)
    high, low = meter.reference.exactly(meter.part, x.astype(np.float64), kind)
    found.checked = int(x.size)
    found.off = float(FORMATS["float64"].errors(meter.exactly(x)[0], high, low).max())
    results = np.array([suspects[each] for each in worst.tolist()])
    error = meter.errors(worst, results, high[: worst.size], None)
    place = int(error.argmax())
    found.ulp, found.worst, found.result = float(error[place]), int(worst[place]), float(results[place])


def _curve(tally: Tally, kind: Format) -> tuple[Floats, Floats]:
    """An input of each bin, in the order of values, and the largest error there."""
    filled = np.flatnonzero(tally.worst >= 0)
    middle = (filled.astype(np.uint64) << np.uint64(kind.bin)) + np.uint64(1 << (kind.bin - 1))
    x = kind.of(middle).astype(np.float64)
    order = np.argsort(x)
    return x[order], tally.worst[filled][order]
