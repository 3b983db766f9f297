"""Elementwise functions: their formulas on whole arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastact._native.ufunc import Threads

__all__ = ["elementwise"]


def elementwise(operation: Any, operands: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    # NumPy calls the formula for each row of an array that has gaps.
    whole = (np.array(o, order="K") if type(o) is np.ndarray and not o.flags.forc else o for o in operands)
    return operation.run(Threads.PYTHON, tuple(whole), keywords)
