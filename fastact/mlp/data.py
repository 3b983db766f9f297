"""Checks of what the user hands to the trainer: arrays and single settings.

Every error is one line: the argument, its value and the remedy.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fastact.errors import UnknownNameError, nearest
from fastact.mlp.namespaces import namespace_of

__all__ = ["as_choice", "as_floats", "as_integer", "as_rate", "as_table"]


def as_floats(values: ArrayLike, name: str, dtype: DTypeLike) -> NDArray[Any]:
    """`values` as a contiguous array of `dtype` without nan and inf; not copied where that already holds.

    Arrays on the GPU are checked there and stay there.
    """
    xp = namespace_of(values)
    array = xp.asarray(values)
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"{name} has dtype {array.dtype}, not real numbers; convert it with {name}.astype(float), "
            f"or labels with np.unique({name}, return_inverse=True)[1]"
        )
    with np.errstate(over="ignore"):
        floats = xp.ascontiguousarray(array, dtype)
    finite = xp.isfinite(floats)
    if not finite.all():
        where = tuple(int(i) for i in xp.argwhere(~finite)[0])
        raise ValueError(
            f"{name}[{', '.join(map(str, where))}] is {array[where]}, not a finite {floats.dtype.name}; "
            "remove, fill or scale such values first"
        )
    return floats


def as_table(values: ArrayLike, name: str, columns: int, dtype: DTypeLike) -> NDArray[Any]:
    """`values` as (samples, columns) floats, at least one sample."""
    floats = as_floats(values, name, dtype)
    if floats.ndim != 2:
        raise ValueError(f"{name} must be 2-D (samples, features), got shape {floats.shape}; reshape it")
    if floats.shape[1] != columns:
        raise ValueError(
            f"{name} has {floats.shape[1]} features, the network wants {columns}; change {name} or layer_sizes"
        )
    if not len(floats):
        raise ValueError(f"{name} is empty (shape {floats.shape}); give at least one sample")
    return floats


def as_integer(value: Any, name: str, least: int) -> int:
    """`value` as an int that is at least `least`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
    return int(value)


def as_rate(value: Any, name: str, below: float, zero: bool = False) -> float:
    """`value` as a float above 0 (or at 0, with `zero`) and below `below`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, got {value!r}")
    try:
        rate = float(value)
    except OverflowError:  # an int beyond all floats
        rate = -math.inf if value < 0 else math.inf
    if not (0 < rate < below or (zero and rate == 0)):
        raise ValueError(f"{name} must be {'at least' if zero else 'above'} 0 and below {below}, got {rate}")
    return rate


def as_choice(value: str, name: str, choices: Collection[str]) -> str:
    """`value` if it is one of `choices`."""
    if value not in choices:
        raise UnknownNameError(f"unknown {name} {value!r}{nearest(value, choices)}")
    return value
