"""The `numpy` backend: the same formulas run by plain NumPy on whole arrays, readable and without a compiler.

It is what the compiled backends are compared with; exact to a few units in the last place, except far in the tails.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastact._ufunc import Threads
from fastact.backends._losses_numpy import count_targets, cross_entropy, total
from fastact.backends._softmax_numpy import signed_logsumexp, softmax

__all__ = ["count_targets", "cross_entropy", "elementwise", "signed_logsumexp", "softmax", "total", "why_not"]


def why_not() -> str | None:
    return None


def elementwise(operation: Any, operands: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    # NumPy calls the formula for each row of an array that has gaps.
    whole = (np.array(o, order="K") if type(o) is np.ndarray and not o.flags.forc else o for o in operands)
    return operation.run(Threads.PYTHON, tuple(whole), keywords)
