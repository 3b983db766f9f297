"""Sum, product and multiple of arrays, as operations of a run (see eager.py) that a record can hold."""

from __future__ import annotations

from fastact._core.operation import Operation

__all__ = ["PLUS", "SCALE", "TIMES"]

PLUS = Operation("plus", lambda a, b: a + b, ("a", "b"), {})
TIMES = Operation("times", lambda a, b: a * b, ("a", "b"), {})
SCALE = Operation("scale", lambda a, factor: a * factor, ("a",), {"factor": 1.0})
