"""A figure over several seeds, and how readers see it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median

__all__ = ["Spread", "share", "short", "times"]


@dataclass(frozen=True)
class Spread:
    """The median over the seeds, and the least and largest value; nan without a value."""

    centre: float
    low: float
    high: float
    count: int

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        known = [float(value) for value in values if math.isfinite(value)]
        return cls(median(known), min(known), max(known), len(known)) if known else cls(math.nan, math.nan, math.nan, 0)

    def text(self, form: Callable[[float], str]) -> str:
        """The median, and the range in brackets where seeds differ: 0.87 (0.68\u20134.8), 93% (83\u201395)."""
        if not self.count:
            return "-"
        low, centre, high = map(form, (self.low, self.centre, self.high))
        return centre if low == high else f"{centre} ({low.removesuffix('%')}\u2013{high.removesuffix('%')})"


def short(value: float) -> str:
    """Two digits that count: 0.23, 1.8e-12, 3,400."""
    if not math.isfinite(value):
        return "-"
    if value == 0:
        return "0"
    if not 1e-3 <= abs(value) < 1e7:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa}e{int(exponent)}"
    rounded = float(f"{value:.2g}")
    return f"{rounded:,.{max(0, 1 - math.floor(math.log10(abs(rounded))))}f}"


def times(value: float) -> str:
    """A factor, written out if it is large: 590,000,000,000."""
    return f"{float(f'{value:.2g}'):,.0f}" if 1e7 <= value < 1e15 else short(value)


def share(value: float) -> str:
    """A share in per cent: 97%; below one, 0.4%."""
    return f"{100 * value:.1f}%" if 0.0005 <= value < 0.0095 else f"{100 * value:.0f}%"
