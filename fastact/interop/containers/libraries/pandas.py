"""pandas: Series, data frames and their arrays, of NumPy's numbers, of nullable ones and of Arrow's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionArray
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from fastact.interop.containers.frames import Frames, check_numbers, column_stack

__all__ = ["adapter"]

CONTAINERS = pd.Series, pd.DataFrame, pd.Index, ExtensionArray

#: NumPy's dtype -> the nullable array of it; others are widened to float32.
NULLABLE = {
    **dict.fromkeys(("int8", "int16", "int32", "int64"), pd.arrays.IntegerArray),
    **{f"u{kind}": pd.arrays.IntegerArray for kind in ("int8", "int16", "int32", "int64")},
    **dict.fromkeys(("float32", "float64"), pd.arrays.FloatingArray),
    "bool": pd.arrays.BooleanArray,
}


class _Pandas(Frames):
    library = "pandas"
    missing = pd.NA
    realign = "; make them equal, as by reindex_like(x)"

    def holds(self, value: Any) -> bool:
        return isinstance(value, CONTAINERS)

    def check(self, function: str, value: Any) -> None:
        if isinstance(value, pd.DataFrame):
            for name, dtype in value.dtypes.items():
                _check_dtype(function, f"column {name!r}", dtype)
        else:
            named = "" if getattr(value, "name", None) is None else f" {value.name!r}"
            _check_dtype(function, f"the {type(value).__name__}{named}", value.dtype)

    def labels(self, container: Any) -> tuple[Any, ...]:
        if isinstance(container, pd.DataFrame):
            return container.index, container.columns
        return (container.index if isinstance(container, pd.Series) else range(len(container)),)

    def same(self, labels: Any, others: Any) -> bool:
        return bool(labels.equals(others)) if isinstance(labels, pd.Index) else True

    def values(self, function: str, container: Any) -> Any:
        if not isinstance(container, pd.DataFrame):
            return _numbers(function, container)
        dtypes = set(container.dtypes)
        if len(dtypes) == 1 and isinstance(next(iter(dtypes)), np.dtype):
            return container.to_numpy()
        return column_stack(
            [_numbers(function, container.iloc[:, i]) for i in range(container.shape[1])], len(container)
        )

    def made(self, values: Any, labels: tuple[Any, ...], like: Any, renamed: bool) -> Any:
        if len(labels) == 2:
            kinds = list(like.dtypes)[: len(labels[1])]
            if all(isinstance(dtype, np.dtype) for dtype in kinds) and not np.ma.is_masked(values):
                made = pd.DataFrame(np.ma.getdata(values), labels[0], labels[1], copy=False)
            else:
                columns = {i: _column(values[:, i], kind) for i, kind in enumerate(kinds)}
                made = pd.DataFrame(columns, index=labels[0])
                made.columns = labels[1]
            made.attrs = dict(like.attrs)
            return made
        kinds = list(like.dtypes) if isinstance(like, pd.DataFrame) else [like.dtype]
        column = _column(values, max(kinds, key=_rank, default=np.dtype(float)))
        if isinstance(like, pd.DataFrame | pd.Series):
            name = None if renamed else like.name
            made = pd.Series(column, labels[0], name=name, copy=False)
            made.attrs = dict(like.attrs)
            return made
        if isinstance(like, pd.Index):
            return pd.Index(column, name=None if renamed else like.name)
        return column

    def by_itself(self, function: Any, containers: Sequence[Any]) -> bool:
        kinds = [each.dtypes if isinstance(each, pd.DataFrame) else [each.dtype] for each in containers]
        if any(isinstance(dtype, pd.ArrowDtype) and dtype.kind == "b" for each in kinds for dtype in each):
            return False  # pandas would make arrays of objects of them
        one_operand = function._inputs + len(function.parameters) == 1
        if function._outputs == 1 and one_operand:
            return True
        frames = [each for each in containers if isinstance(each, pd.DataFrame)]
        if any(not isinstance(dtype, np.dtype) for each in frames for dtype in each.dtypes):
            return False  # pandas would make arrays of objects of them
        dtypes = [each.dtype for each in containers if not isinstance(each, pd.DataFrame)]
        return function._outputs == 1 or not any(isinstance(dtype, pd.ArrowDtype) for dtype in dtypes)


def _check_dtype(function: str, what: str, dtype: Any) -> None:
    numeric = (is_numeric_dtype(dtype) or is_bool_dtype(dtype)) and getattr(dtype, "kind", "f") in "biuf"
    check_numbers(function, what, numeric, dtype, 'convert it, as by astype("float64"), or leave it out')


def _numbers(function: str, column: Any) -> Any:
    """The numbers of a Series, an Index or an array, masked where they are missing."""
    if isinstance(column.dtype, np.dtype):
        return column.to_numpy()
    if isinstance(column.dtype, pd.SparseDtype):
        raise TypeError(f"{function} does not take sparse columns like this; convert them by x.sparse.to_dense()")
    missing = np.asarray(column.isna())
    dtype = column.dtype.numpy_dtype
    values = column.to_numpy(dtype=dtype, na_value=dtype.type(0)) if missing.any() else column.to_numpy(dtype=dtype)
    return np.ma.MaskedArray(values, missing) if missing.any() else values


def _rank(dtype: Any) -> int:
    """Which of several kinds of columns a result of all of them has: the one that knows most of missing values."""
    return 0 if isinstance(dtype, np.dtype) else 2 if isinstance(dtype, pd.ArrowDtype) else 1


def _column(values: Any, like: Any) -> Any:
    """A column of these numbers, of the kind of the column with this dtype."""
    numbers, mask = np.ma.getdata(values), np.ma.getmaskarray(values)
    if isinstance(like, pd.ArrowDtype):
        import pyarrow as pa

        return pd.arrays.ArrowExtensionArray(pa.array(np.ascontiguousarray(numbers), mask=mask))
    if isinstance(like, np.dtype) and not mask.any():
        return numbers
    if numbers.dtype.name not in NULLABLE:
        numbers = numbers.astype(np.float32)
    return NULLABLE[numbers.dtype.name](np.ascontiguousarray(numbers), mask.copy())


adapter = _Pandas()
