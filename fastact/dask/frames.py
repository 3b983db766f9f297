"""Calls with dask's data frames: functions over the columns of a row, one partition at a time."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

__all__ = ["call", "is_frame"]


def is_frame(operand: Any) -> bool:
    """Whether it is a data frame, a series or an index of dask's."""
    dataframe: Any = sys.modules.get("dask.dataframe")
    return dataframe is not None and isinstance(operand, dataframe.DataFrame | dataframe.Series | dataframe.Index)


def call(function: Any, method: str, operands: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """The result for a data frame, lazily: each partition is a call of its own."""
    frame = operands[-1]
    remedy = f"call {function.name} of x.to_dask_array(lengths=True)"
    if method != "__call__" or len(operands) > 1 or not hasattr(function, "computation"):
        raise TypeError(f"{function.name} of dask data frames is not known by row; {remedy}")
    axis = options.pop("axis", -1)
    if getattr(frame, "ndim", 1) != 2 or axis not in (1, -1, "columns", (1,), [1]):
        raise ValueError(f"axis={axis!r} goes along rows that are cut into partitions of unknown size; {remedy}")
    for name, value in options.items():
        if np.ndim(value) or is_frame(value):
            raise TypeError(f"{name} of a dask data frame must be one value for all rows; {remedy}")
    keywords = {"function": function, "options": options}
    return frame.map_partitions(_of_partition, **keywords, meta=_of_partition(frame._meta, **keywords))


def _of_partition(frame: Any, function: Any, options: dict[str, Any]) -> Any:
    """The function of the columns of a partition, a pandas DataFrame; one that reduces gives a Series."""
    found = function(frame.to_numpy(), axis=1, **options)
    if found.ndim == 1:
        return frame.iloc[:, 0].__class__(found, index=frame.index)
    return frame.__class__(found, index=frame.index, columns=frame.columns)
