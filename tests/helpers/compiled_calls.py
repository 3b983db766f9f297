"""Users' compiled code that calls public functions by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numba
import numpy as np

__all__ = ["compiled", "same"]


def compiled(functions: Mapping[str, Any], arguments: str, call: str, **options: Any) -> Any:
    """A jitted function of `arguments` that returns what `call`, with each function's name for {}, returns."""
    calls = "".join(f"{call.format(name)}, " for name in functions)
    namespace = {"__name__": __name__, "np": np, **functions}
    exec(f"def call({arguments}):\n    return ({calls})", namespace)
    return numba.njit(**options)(namespace["call"])


def same(found: Any, wanted: Any) -> bool:
    """Whether results have the same dtype, shape and bits, NaN for NaN. Numba returns numbers as Python's."""
    if isinstance(wanted, tuple):
        return len(found) == len(wanted) and all(map(same, found, wanted))
    wanted = np.asarray(wanted)
    if isinstance(found, float | int):
        found = wanted.dtype.type(found)
    found = np.asarray(found)
    alike = found.dtype == wanted.dtype and found.shape == wanted.shape
    missing = np.isnan(wanted)
    return bool(
        alike and np.array_equal(found, wanted, equal_nan=True)
        and np.array_equal(np.signbit(found[~missing]), np.signbit(wanted[~missing]))
    )  # fmt: skip
