"""polars: Series and data frames; expressions are lazy for elementwise functions, and refused by the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from fastact.interop.containers.frames import Frames, check_numbers, column_stack
from fastact.interop.containers.roles import is_elementwise

__all__ = ["adapter"]

#: The dtypes of Series to which polars applies ufuncs by itself.
FLOATS = pl.Float32, pl.Float64


class _Polars(Frames):
    library = "polars"
    realign = "; select the same columns of both"

    def call(self, function: Any, method: str, operands: tuple[Any, ...], options: dict[str, Any]) -> Any:
        arguments = (*operands, *options.values())
        if any(isinstance(each, pl.LazyFrame) for each in arguments):
            raise TypeError(
                f"{function.name} does not take a LazyFrame; call it in x.map_batches, or collect the frame first"
            )
        if any(isinstance(each, pl.Expr) for each in arguments):
            if method == "__call__" and is_elementwise(function) and function._outputs == 1:
                return NotImplemented
            raise TypeError(
                f"{function.name} of an expression is not lazy by itself; pass the function to x.map_batches"
            )
        return super().call(function, method, operands, options)

    def holds(self, value: Any) -> bool:
        return isinstance(value, pl.Series | pl.DataFrame)

    def check(self, function: str, value: Any) -> None:
        for column in value.get_columns() if isinstance(value, pl.DataFrame) else [value]:
            numeric = (column.dtype.is_numeric() and not column.dtype.is_decimal()) or column.dtype == pl.Boolean
            check_numbers(function, f"column {column.name!r}", numeric, column.dtype, "convert it by cast(pl.Float64)")

    def labels(self, container: Any) -> tuple[Any, ...]:
        rows = range(len(container))
        return (rows, container.columns) if isinstance(container, pl.DataFrame) else (rows,)

    def values(self, function: str, container: Any) -> Any:
        if isinstance(container, pl.DataFrame):
            return column_stack([_numbers(each) for each in container.get_columns()], len(container))
        return _numbers(container)

    def made(self, values: Any, labels: tuple[Any, ...], like: Any, renamed: bool) -> Any:
        if len(labels) == 2:
            return pl.DataFrame([_series(name, values[:, i]) for i, name in enumerate(labels[1])])
        return _series("" if renamed or isinstance(like, pl.DataFrame) else like.name, values)

    def by_itself(self, function: Any, containers: Sequence[Any]) -> bool:
        series = all(isinstance(each, pl.Series) and each.dtype in FLOATS for each in containers)
        return function._outputs == 1 and series


def _numbers(series: Any) -> Any:
    """The numbers of a Series, masked where they are null."""
    if not series.null_count():
        return series.to_numpy()
    filled = series.fill_null(False if series.dtype == pl.Boolean else 0)
    return np.ma.MaskedArray(filled.to_numpy(), series.is_null().to_numpy())


def _series(name: str, values: Any) -> Any:
    numbers = np.ascontiguousarray(np.ma.getdata(values))
    if numbers.dtype == np.float16 and not hasattr(pl, "Float16"):
        numbers = numbers.astype(np.float32)
    made = pl.Series(name, numbers)
    mask = np.ma.getmaskarray(values)
    return made.scatter(np.flatnonzero(mask), None) if mask.any() else made


adapter = _Polars()
