"""pyarrow: arrays, chunked arrays, record batches and tables; nulls stay nulls."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pyarrow as pa

from fastact.interop.containers.frames import Frames, check_numbers, column_stack
from fastact.interop.containers.schemas import pandas_metadata, with_dtypes

__all__ = ["adapter"]

COLUMNS = pa.Array, pa.ChunkedArray
TABLES = pa.Table, pa.RecordBatch


class _Arrow(Frames):
    library = "pyarrow"
    realign = "; select the same columns of both"

    def holds(self, value: Any) -> bool:
        return isinstance(value, COLUMNS + TABLES)

    def check(self, function: str, value: Any) -> None:
        named = {f"the {type(value).__name__}": value.type} if isinstance(value, COLUMNS) else {}
        if not named:
            _check_index(function, value.schema)
            named = {f"column {field.name!r}": field.type for field in value.schema}
        for what, kind in named.items():
            numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
            check_numbers(function, what, numeric, kind, "convert it by cast(pyarrow.float64())")

    def labels(self, container: Any) -> tuple[Any, ...]:
        if isinstance(container, COLUMNS):
            return (range(len(container)),)
        return range(container.num_rows), container.schema.names

    def values(self, function: str, container: Any) -> Any:
        if isinstance(container, COLUMNS):
            return _numbers(container)
        return column_stack([_numbers(each) for each in container.columns], container.num_rows)

    def made(self, values: Any, labels: tuple[Any, ...], like: Any, renamed: bool) -> Any:
        if len(labels) == 2:
            columns = [_array(values[:, i]) for i in range(len(labels[1]))]
            schema = pa.schema(list(like.schema)[: len(columns)], like.schema.metadata)
            schema = with_dtypes(schema, {i: np.dtype(each.type.to_pandas_dtype()) for i, each in enumerate(columns)})
            return type(like).from_arrays(columns, schema=schema)
        column = _array(values)
        if not isinstance(like, pa.ChunkedArray):
            return column
        ends = np.cumsum([0, *(len(chunk) for chunk in like.chunks)])
        chunks = [column[a:b] for a, b in itertools.pairwise(ends) if a < len(column)]
        return pa.chunked_array(chunks, column.type)


def _check_index(function: str, schema: Any) -> None:
    """Raise TypeError if a column is the index of a pandas data frame, which is no number to compute with."""
    index = pandas_metadata(schema).get("index_columns", [])
    for name in schema.names:
        if name in index:
            raise TypeError(
                f"column {name!r} is the index of a pandas data frame, which {function} would count as numbers; pass "
                f"x.to_pandas(), or leave it out by x.drop_columns([{name!r}])"
            )


def _numbers(column: Any) -> Any:
    """The numbers of a column, masked where they are null."""
    if not column.null_count:
        return column.to_numpy() if isinstance(column, pa.ChunkedArray) else column.to_numpy(zero_copy_only=False)
    filled = _numbers(column.fill_null(False if pa.types.is_boolean(column.type) else 0))
    return np.ma.MaskedArray(filled, _numbers(column.is_null()))


def _array(values: Any) -> Any:
    numbers, mask = np.ascontiguousarray(np.ma.getdata(values)), np.ma.getmask(values)
    return pa.array(numbers, mask=None if mask is np.ma.nomask else np.ascontiguousarray(mask))


adapter = _Arrow()
