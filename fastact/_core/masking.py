"""What the softmax family takes and gives for elements that do not count, where a mask is put in before and after.

A new operation is a line of the table, for its forward and its backward pass.
"""

from __future__ import annotations

import math
from typing import NamedTuple

__all__ = ["MASKED", "Masked"]


class Masked(NamedTuple):
    """One operation, forward (x) or backward (grad_output, and output or x)."""

    operands: tuple[float | None, ...]  # what stands for such elements of each operand; None if it has reduced axes
    result: float | None = None  # and of the result, if it has x's shape
    takes_x: bool = True  # as its last operand: the temperature divides it


INF = math.inf

#: (operation, number of arrays) -> what it is
MASKED = {
    ("softmax", 1): Masked((-INF,), 0),
    ("softmax", 2): Masked((0, 0), 0, takes_x=False),
    ("log_softmax", 1): Masked((-INF,), -INF),
    ("log_softmax", 2): Masked((0, -INF), 0, takes_x=False),
    ("logsumexp", 1): Masked((-INF,)),
    ("logsumexp", 2): Masked((None, -INF), 0),
    ("sparsemax", 1): Masked((-INF,), 0),
    ("sparsemax", 2): Masked((0, 0), 0, takes_x=False),
    ("entmax15", 1): Masked((-INF,), 0),
    ("entmax15", 2): Masked((0, 0), 0, takes_x=False),
    ("hardmax", 1): Masked((-INF,), 0),
    ("hardmax", 2): Masked((0, 0), 0, takes_x=False),
}
