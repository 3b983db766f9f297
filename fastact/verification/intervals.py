"""Where results are wrong: a few intervals of x, each with the share of wrong results in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastact.verification.formats import Format

__all__ = ["Interval", "intervals"]

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


def intervals(
    first: NDArray[np.uint64],
    last: NDArray[np.uint64],
    inputs: NDArray[np.int64],
    wrong: NDArray[np.int64],
    kind: Format,
) -> list[Interval]:
    """Merge bins of neighbouring patterns, of which these are the first and the last wrong ones, to intervals.

    Each interval stands for a share of wrong results that is the same all over it. Neighbours are joined whose union
    says the least less about where results are wrong: whose entropy is the least more than both of theirs.
    """
    half = inputs.size // 2
    order = np.concatenate([np.arange(inputs.size - 1, half - 1, -1), np.arange(half)])  # of values
    order = order[inputs[order] > 0]
    negative, inputs, wrong = order >= half, inputs[order], wrong[order]
    low = kind.of(np.where(negative, last[order], first[order])).astype(np.float64)
    high = kind.of(np.where(negative, first[order], last[order])).astype(np.float64)
    level = (wrong > 0) * (1 + (wrong == inputs))
    starts = np.flatnonzero(np.diff(level, prepend=-1))
    starts, ends = starts[level[starts] > 0], np.append(starts[1:], level.size)[level[starts] > 0]
    if not starts.size:
        return []
    inputs, wrong = (np.concatenate([[0], np.cumsum(each)]) for each in (inputs, wrong))
    runs, limit = np.stack([starts, ends]), ALIKE * wrong[-1]
    while True:
        runs, joined = _joined(runs, inputs, wrong, limit)
        if not joined:
            if runs.shape[1] <= MOST:
                break
            limit *= 1.5
    return [
        Interval(float(low[a]), float(high[b - 1]), int(inputs[b] - inputs[a]), int(wrong[b] - wrong[a]))
        for a, b in runs.T
    ]


def _joined(runs: Counts, inputs: Counts, wrong: Counts, limit: float) -> tuple[Counts, bool]:
    """Join pairs of neighbours that lose less than the limit, the least first; and whether there were some.

    `inputs` and `wrong` are cumulated.
    """
    if runs.shape[1] < 2:
        return runs, False
    starts, ends = runs
    alone = _entropy(inputs[ends] - inputs[starts], wrong[ends] - wrong[starts])
    union = _entropy(inputs[ends[1:]] - inputs[starts[:-1]], wrong[ends[1:]] - wrong[starts[:-1]])
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
