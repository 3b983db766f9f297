"""Where results are wrong: a few intervals of x, each with the share of wrong results in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastact.measure.verification.formats import Format

__all__ = ["Bins", "Interval", "intervals"]

#: Intervals at most, and what two neighbours lose, for each wrong result in all, that are joined even so.
MOST, ALIKE = 6, 0.005

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Interval:
    """From the first wrong result to the last one.

    Attributes
    ----------
    low, high : float
    inputs, wrong : int
        How many inputs were measured there, and how many results are wrong.
    """

    low: float
    high: float
    inputs: int
    wrong: int

    @property
    def share(self) -> float:
        return self.wrong / max(self.inputs, 1)


@dataclass(frozen=True)
class Bins:
    """What is known of neighbouring patterns, bin by bin, in the order of patterns.

    Attributes
    ----------
    inputs, wrong : array
        How many inputs were measured, and how many results are wrong.
    before, after : array
        Inputs before the first wrong one, and after the last.
    first, last : array
        The patterns of those two.
    """

    inputs: Counts
    wrong: Counts
    before: Counts
    after: Counts
    first: NDArray[np.uint64]
    last: NDArray[np.uint64]

    @classmethod
    def empty(cls, size: int) -> Bins:
        """So many bins of which nothing is known yet."""
        inputs, wrong, before, after = np.zeros((4, size), np.int64)
        first, last = np.zeros((2, size), np.uint64)
        return cls(inputs, wrong, before, after, first, last)

    def by_value(self) -> Bins:
        """The bins that have inputs, in the order of values, in which negative numbers are turned around."""
        half = self.inputs.size // 2
        order = np.concatenate([np.arange(self.inputs.size - 1, half - 1, -1), np.arange(half)])
        order = order[self.inputs[order] > 0]
        turned = order >= half
        ends = [
            (np.where(turned, last[order], first[order]), np.where(turned, first[order], last[order]))
            for first, last in ((self.before, self.after), (self.first, self.last))
        ]
        (before, after), (first, last) = ends
        return Bins(self.inputs[order], self.wrong[order], before, after, first, last)


def intervals(bins: Bins, kind: Format) -> list[Interval]:
    """Merge bins to intervals, each from a wrong result to another one.

    Each stands for a share of wrong results that is the same all over it. Neighbours are joined whose union says the
    least less about where results are wrong: whose entropy is the least more than both of theirs.
    """
    bins = bins.by_value()
    starts = np.flatnonzero(bins.wrong)
    if not starts.size:
        return []
    runs, limit = np.stack([starts, starts + 1]), ALIKE * int(bins.wrong.sum())
    cumulated = np.stack([np.concatenate([[0], np.cumsum(each)]) for each in (bins.inputs, bins.wrong)])
    while True:
        runs, joined = _joined(runs, bins, cumulated, limit)
        if not joined:
            if runs.shape[1] <= MOST:
                break
            limit *= 1.5
    low, high = (kind.of(each).astype(np.float64) for each in (bins.first[runs[0]], bins.last[runs[1] - 1]))
    inputs, wrong = _counted(runs[0], runs[1], bins, cumulated)
    return [Interval(*each) for each in zip(low.tolist(), high.tolist(), inputs.tolist(), wrong.tolist(), strict=True)]


def _counted(starts: Counts, ends: Counts, bins: Bins, cumulated: Counts) -> Counts:
    """Inputs and wrong ones from the first wrong one to the last, of runs of bins."""
    counts = cumulated[:, ends] - cumulated[:, starts]
    counts[0] -= bins.before[starts] + bins.after[ends - 1]
    return counts


def _joined(runs: Counts, bins: Bins, cumulated: Counts, limit: float) -> tuple[Counts, bool]:
    """Join pairs of neighbours that lose less than the limit, the least first; and whether there were some."""
    if runs.shape[1] < 2:
        return runs, False
    starts, ends = runs
    alone = _entropy(*_counted(starts, ends, bins, cumulated))
    union = _entropy(*_counted(starts[:-1], ends[1:], bins, cumulated))
    loss = np.concatenate([[np.inf], union - alone[1:] - alone[:-1], [np.inf]])
    chosen = (loss[1:-1] <= limit) & (loss[1:-1] <= loss[:-2]) & (loss[1:-1] < loss[2:])
    joined = np.stack([starts[~np.append(False, chosen)], ends[~np.append(chosen, False)]])
    return joined, bool(chosen.any())


def _entropy(inputs: Counts, wrong: Counts) -> NDArray[np.float64]:
    """That of which results are wrong, in all."""
    share = wrong / inputs
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.nan_to_num(wrong * np.log(share)) + np.nan_to_num((inputs - wrong) * np.log1p(-share))
    return -parts
