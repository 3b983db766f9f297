"""Tables in memory: blocks of rows joined into one DataFrame whose columns are of four kinds.

A column holds numbers, booleans, dates or texts: NumPy's int and float, pandas' "boolean", datetime64 and categories of
str. Whatever else a library makes of a file becomes one of these. Missing is what pandas calls missing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np

from fastact.errors import require

__all__ = ["Kind", "Mixed", "days_of", "joined", "kind_of", "numbers_of", "texts_of", "tidy"]

Kind = Literal["number", "boolean", "date", "text"]


class Mixed(ValueError):
    """Blocks disagree about the kind of columns, as a file without types lets them; the names are `columns`."""

    def __init__(self, columns: list[str]) -> None:
        super().__init__(f"the columns {', '.join(columns)} hold values of several kinds")
        self.columns = columns


def joined(blocks: Iterable[Any]) -> Any:
    """Join all rows into one DataFrame, numbered from 0. No block is kept once the next one is asked for.

    Raises
    ------
    Mixed
        Blocks disagree about what a column holds.
    ValueError
        A column holds something other than numbers, booleans, dates or texts.
    """
    pandas = require("pandas", "demo", "a table")
    parts: dict[str, list[Any]] = {}
    for block in blocks:
        for name, series in block.items():
            parts.setdefault(str(name), []).append(_part(series))
    mixed = [name for name, each in parts.items() if len({kind for kind, _ in each} - {None}) > 1]
    if mixed:
        raise Mixed(mixed)
    return pandas.DataFrame({name: _column(parts.pop(name)) for name in list(parts)}, copy=False)


def kind_of(series: Any) -> Kind:
    """Return what a column holds, in a table that `joined` made."""
    kinds: dict[str, Kind] = {"b": "boolean", "M": "date", "O": "text"}
    return kinds.get(series.dtype.kind, "number")


def _part(series: Any) -> tuple[Kind | None, Any]:
    """Return the kind of a column and a copy of its values; if all are missing, None and their number."""
    pandas = require("pandas", "demo", "a table")
    if isinstance(series.dtype, pandas.CategoricalDtype):
        series = series.astype(series.cat.categories.dtype)
    missing = series.isna()
    if missing.all():
        return None, len(series)
    kind = series.dtype.kind
    if kind in "iuf":
        if series.dtype.name[0].isupper():  # pandas' own integers, which know missing
            return "number", series.to_numpy(np.float64, na_value=np.nan)
        return "number", series.to_numpy(copy=True)
    if kind == "M":
        zoned = getattr(series.dt, "tz", None) is not None
        plain = series.dt.tz_convert("UTC").dt.tz_localize(None) if zoned else series
        return "date", plain.to_numpy("datetime64[us]", copy=True)
    holds = pandas.api.types.infer_dtype(series, skipna=True)
    if holds == "boolean":
        return "boolean", pandas.array(series, "boolean", copy=True)
    if holds in ("decimal", "integer", "floating", "mixed-integer-float"):
        return "number", series.astype(np.float64).to_numpy(copy=True)
    if holds in ("date", "datetime", "datetime64"):
        return "date", pandas.to_datetime(series).to_numpy("datetime64[us]", copy=True)
    if holds != "string":
        raise ValueError(f"the column {series.name!r} holds {holds} values; take numbers, booleans, dates or texts")
    codes, texts = pandas.factorize(series)
    return "text", (codes.astype(np.int32), np.array([str(text).strip() for text in texts], object))


def _column(parts: list[tuple[Kind | None, Any]]) -> Any:
    """Join the arrays of one column; a part without a kind is the number of its missing values."""
    pandas = require("pandas", "demo", "a table")
    kind = next((kind for kind, _ in parts if kind), "number")
    if kind == "text":
        texts = pandas.Index(np.concatenate([part[1] for own, part in parts if own]), dtype=object).unique()
        codes = [
            np.append(texts.get_indexer(part[1]), -1)[part[0]] if own else np.full(part, -1) for own, part in parts
        ]
        return pandas.Categorical.from_codes(np.concatenate(codes).astype(np.int32), texts)
    if kind == "boolean":
        arrays = [part if own else pandas.array([None] * part, "boolean") for own, part in parts]
        return pandas.concat(map(pandas.Series, arrays), ignore_index=True).array
    missing: Any = np.datetime64("NaT", "us") if kind == "date" else np.nan
    return np.concatenate([part if own else np.full(part, missing) for own, part in parts])


def numbers_of(series: Any) -> Any:
    """The column as float64, nan where it is missing, infinite or no number; booleans are 0 and 1."""
    pandas = require("pandas", "demo", "a table")
    kind = kind_of(series)
    if kind == "text":
        found = pandas.to_numeric(pandas.Series(series.cat.categories, dtype=object), errors="coerce")
        numbers = np.append(found.to_numpy(np.float64), np.nan)[series.cat.codes.to_numpy()]
    elif kind == "date":
        numbers = _days(series.to_numpy())
    else:
        numbers = series.to_numpy(np.float64, na_value=np.nan, copy=True)
    numbers[np.isinf(numbers)] = np.nan
    return numbers


def days_of(series: Any) -> Any:
    """The column as days since 1970, nan where it is missing or no date; a text begins with year, month and day."""
    pandas = require("pandas", "demo", "a table")
    if kind_of(series) != "text":
        return numbers_of(series)
    texts = pandas.Series(series.cat.categories, dtype=object)
    written = texts.where(texts.str.match(r"\d{4}([-/])\d{1,2}\1\d{1,2}(?!\d)")).str.replace("/", "-")
    dates = pandas.to_datetime(written, format="ISO8601", errors="coerce", utc=True).dt.tz_localize(None)
    return np.append(_days(dates.to_numpy()), np.nan)[series.cat.codes.to_numpy()]


def texts_of(series: Any) -> tuple[Any, list[str]]:
    """The column as codes and the different texts that they stand for, in order; -1 where it is missing.

    A whole number is written without a point.
    """
    pandas = require("pandas", "demo", "a table")
    kind = kind_of(series)
    if kind == "text":
        codes, values = series.cat.codes.to_numpy(), np.asarray(series.cat.categories, object)
        used = np.flatnonzero(np.bincount(codes[codes >= 0], minlength=len(values)))
        order = used[np.argsort(values[used].astype(str), kind="stable")] if len(used) else used
        place = np.full(len(values) + 1, -1)
        place[order] = np.arange(len(order))
        return place[codes], [str(text) for text in values[order]]
    codes, found = pandas.factorize(series, sort=True)
    if kind == "number":
        return codes, [str(int(value)) if float(value).is_integer() else str(float(value)) for value in found]
    return codes, [str(value) for value in found]


def _days(dates: Any) -> Any:
    numbers = dates.astype("datetime64[us]").astype(np.int64) / 86_400e6
    numbers[np.isnat(dates)] = np.nan
    return numbers


def tidy(frame: Any) -> Any:
    """Return the table as `joined` makes it: the same object if it already is."""
    pandas = require("pandas", "demo", "a table")
    counted = isinstance(frame.index, pandas.RangeIndex) and frame.index.start == 0 and frame.index.step == 1
    if counted and all(isinstance(name, str) and _is_tidy(frame[name].dtype) for name in frame.columns):
        return frame
    return joined([frame])


def _is_tidy(dtype: Any) -> bool:
    if isinstance(dtype, np.dtype):
        return dtype.kind in "iuf" or dtype == "datetime64[us]"
    categories = getattr(dtype, "categories", None)
    return dtype == "boolean" or (categories is not None and all(type(each) is str for each in categories))
