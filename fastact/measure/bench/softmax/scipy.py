"""The softmax family of scipy.special, forward and without masks."""

from __future__ import annotations

import importlib

from fastact.measure.bench.cases import Array, Case
from fastact.measure.bench.timing import Contender

__all__ = ["contender"]


def contender(case: Case, arrays: tuple[Array, ...], out: Array | None) -> Contender | None:
    """SciPy's call, which gives a new array; None for backward passes, masks and bfloat16."""
    if case.part == "backward" or case.data or case.dtype == "bfloat16":
        return None
    special, axis, (x,) = importlib.import_module("scipy.special"), case.axis, arrays
    if case.name == "softmin":
        return Contender(lambda: special.softmax(-x, axis=axis))
    function = getattr(special, case.name)
    return Contender(lambda: function(x, axis=axis))
