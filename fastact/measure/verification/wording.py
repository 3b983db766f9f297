"""How figures of a verification are written, in tables, sentences and pictures."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from fastact.language import marked
from fastact.language import translated as _

__all__ = ["PARTS", "error", "grouped", "percent", "ulp"]

#: What readers call the parts.
PARTS = {"forward": marked("forward"), "derivative": marked("derivative")}


def error(size: float) -> str:
    """An error with its unit."""
    return _("NaN or infinity") if np.isinf(size) else _("{ulp} ULP").format(ulp=ulp(size))


def ulp(error: float) -> str:
    """An error in ULP."""
    if np.isinf(error):
        return _("NaN or inf")
    return f"{error:.3f}" if error < 1000 else f"{error:.2e}"


def grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Each second member once, with the first ones that have it."""
    found: dict[str, list[str]] = {}
    for name, text in pairs:
        found.setdefault(text, []).append(name)
    return found


def percent(part: int, whole: int) -> str:
    """A share for readers, that is 0 or 100 % only where it is exactly."""
    if part in (0, whole):
        return "0 %" if not part else "100 %"
    share = 100 * part / whole
    if share < 0.01:
        return f"{share:.1g} %" if share >= 1e-4 else f"{share:.0e} %"
    return f"{min(share, 99.99):.2f} %"
