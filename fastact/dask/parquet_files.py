"""Applies a function to columns of parquet files, one row group at a time; files of a folder are in work side by side.

Row groups, nulls, other columns and what the schema says besides stay as they are.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import dask
import numpy as np

import fastact as fa
from fastact._core import files as _files
from fastact.errors import UnknownNameError, nearest, require
from fastact.interop.containers.schemas import pandas_metadata, with_dtypes

__all__ = ["apply", "is_parquet", "replacing", "size"]

#: Elements that are computed at a time.
BLOCK = 2**20


def is_parquet(path: Path) -> bool:
    """Whether it is a parquet file by name, or a folder of them."""
    if not path.is_dir():
        return path.suffix.lower() == ".parquet"
    return any(path.rglob("*.parquet"))


def size(path: Path) -> int:
    """How many rows there are."""
    return sum(_metadata(file).num_rows for file in _files_of(path))


def replacing(source: Path, target: Path) -> AbstractContextManager[Path]:
    """Give a file or a folder that takes the place of `target` when the block ends well; it may be the source."""
    read, written = Path(os.path.realpath(source)), Path(os.path.realpath(target))
    if read != written and (read in written.parents or written in read.parents):
        raise ValueError(f"{target}: one of {source} and {target} lies in the other; name a path beside it")
    if source.is_dir():
        return _files.replacing_folder(target, lambda path: path.is_dir() and is_parquet(path))
    return _files.replacing(target)


def apply(
    function: Callable[..., Any],
    source: Path,
    target: Path,
    *,
    columns: Sequence[str] = (),
    rowwise: bool = False,
    chunk: int | None = None,
    advance: Callable[[int], None] = lambda rows: None,
) -> None:
    """Write source to `target` with the function applied to columns, by default to all that hold numbers.

    With `rowwise` it is one of the softmax family and goes over those columns of a row, among which nulls do not count.
    """
    tasks = []
    for file in _files_of(source):
        written = target / file.relative_to(source) if source.is_dir() else target
        written.parent.mkdir(parents=True, exist_ok=True)
        arguments = function, file, written, tuple(columns), rowwise, chunk or BLOCK, advance
        tasks.append(dask.delayed(_apply, pure=False)(*map(_opaque, arguments)))
    dask.compute(*tasks, scheduler="threads", num_workers=fa.get_num_threads())


class _opaque:
    """Hands an argument on to a task, unseen by dask."""

    def __init__(self, value: Any) -> None:
        self.value = value


def _files_of(path: Path) -> list[Path]:
    """The parquet files; those whose names begin with "_" or "." are none, as other readers have it.

    Raises
    ------
    ValueError
        If there are other files among them.
    """
    if not path.is_dir():
        return [path]
    seen = [each for each in sorted(path.rglob("*")) if each.is_file()]
    kept = [each for each in seen if not any(part[0] in "_." for part in each.relative_to(path).parts)]
    for each in kept:
        if each.suffix.lower() != ".parquet":
            raise ValueError(f"{each}: is no parquet file, but lies among those of {path}; move it elsewhere")
    return kept


def _metadata(path: Path) -> Any:
    with _opened(path) as file:
        return file.metadata


def _opened(path: Path) -> Any:
    """The file, to read; ValueError if it is no parquet file."""
    parquet: Any = require("pyarrow.parquet", "parquet", "fastact apply on parquet files")
    arrow: Any = require("pyarrow", "parquet", "fastact apply on parquet files")
    with _files.open_regular(path):
        pass
    try:
        return parquet.ParquetFile(path)
    except (arrow.ArrowException, OSError) as error:
        raise ValueError(f"{path}: not a parquet file that can be read: {error}") from error


def _apply(*arguments: Any) -> None:
    """Write one file."""
    function, source, target, columns, rowwise, chunk, advance = (each.value for each in arguments)
    parquet: Any = require("pyarrow.parquet", "parquet", "fastact apply on parquet files")
    with _opened(source) as file:
        schema, metadata = file.schema_arrow, file.metadata
        places = _places(schema, columns, source)
        dtypes = [_dtype(schema.field(place), source) for place in places]
        results = _result_dtypes(function, dtypes, rowwise, source)
        new = with_dtypes(schema, dict(zip(places, results, strict=True)))
        with parquet.ParquetWriter(target, new, **_settings(metadata)) as writer:
            for group in range(metadata.num_row_groups):
                table = file.read_row_group(group)
                compute = _of_rows if rowwise else _of_columns
                arrays = dict(zip(places, compute(function, table, places, dtypes, results, chunk), strict=True))
                whole = [arrays.get(place, table.column(place)) for place in range(len(schema))]
                writer.write_table(table.from_arrays(whole, schema=new), row_group_size=max(table.num_rows, 1))
                advance(table.num_rows)


# --- columns ----------------------------------------------------------------------------------------------------------


def _places(schema: Any, columns: Sequence[str], path: Path) -> list[int]:
    """Which columns the function is applied to."""
    types: Any = require("pyarrow.types", "parquet", "fastact apply on parquet files")
    names = schema.names
    for name in columns:
        if name not in names:
            raise UnknownNameError(f"{path} has no column {name!r}{nearest(name, names)}")
        if names.count(name) > 1:
            raise ValueError(f"{path} has {names.count(name)} columns {name!r}; rename all but one")
    numeric = [
        place for place, kind in enumerate(schema.types) if types.is_integer(kind) or types.is_floating(kind)
    ]  # fmt: skip
    if not columns:
        index = pandas_metadata(schema).get("index_columns", [])
        found = [place for place in numeric if names[place] not in index]
        if not found:
            raise ValueError(f"{path} has no numeric column; its columns: {', '.join(names) or 'none'}")
        return found
    for name in columns:
        if names.index(name) not in numeric:
            kind = schema.field(name).type
            raise ValueError(f"column {name!r} of {path} holds {kind}; convert it to float64, or leave it out")
    return [names.index(name) for name in dict.fromkeys(columns)]


def _dtype(field: Any, path: Path) -> np.dtype[Any]:
    return np.dtype(field.type.to_pandas_dtype())


def _result_dtypes(
    function: Callable[..., Any], dtypes: list[np.dtype[Any]], rowwise: bool, path: Path
) -> list[np.dtype[Any]]:
    """The dtype of each column of the result; calls the function with single elements."""
    try:
        if rowwise:
            common = np.asarray(function(np.zeros((1, 1), np.result_type(*dtypes)), axis=1)).dtype
            return [common] * len(dtypes)
        return [np.asarray(function(np.zeros(1, dtype))).dtype for dtype in dtypes]
    except TypeError as error:
        raise ValueError(f"{path}: {error}") from error


def _of_columns(
    function: Callable[..., Any], table: Any, places: list[int], dtypes: list[Any], results: list[Any], chunk: int
) -> Iterator[Any]:
    """Each column by itself; a null stays null."""
    for place, result in zip(places, results, strict=True):
        values, nulls = _numbers(table.column(place))
        out = np.empty(len(values), result)
        for start in range(0, len(values), chunk):
            part = slice(start, start + chunk)
            out[part] = function(values[part])
        yield _array(out, nulls)


def _of_rows(
    function: Callable[..., Any], table: Any, places: list[int], dtypes: list[Any], results: list[Any], chunk: int
) -> list[Any]:
    """All columns together; nulls do not count."""
    columns = [_numbers(table.column(place)) for place in places]
    outs = [np.empty(table.num_rows, result) for result in results]
    step = max(1, chunk // len(places))
    for start in range(0, table.num_rows, step):
        part = slice(start, start + step)
        x = np.stack([values[part].astype(np.result_type(*dtypes), copy=False) for values, _ in columns], axis=1)
        y = function(x, axis=1, where=~np.stack([nulls[part] for _, nulls in columns], axis=1))
        for out, column in zip(outs, y.T, strict=True):
            out[part] = column
    return [_array(out, nulls) for out, (_, nulls) in zip(outs, columns, strict=True)]


def _numbers(column: Any) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of a column, 0 for nulls, and where those are."""
    nulls = column.is_null().to_numpy()
    return (column.fill_null(0) if column.null_count else column).to_numpy(), nulls


def _array(values: np.ndarray, nulls: np.ndarray) -> Any:
    arrow: Any = require("pyarrow", "parquet", "fastact apply on parquet files")
    return arrow.array(values, mask=nulls if nulls.any() else None)


# --- what a file says besides -----------------------------------------------------------------------------------------


def _settings(metadata: Any) -> dict[str, Any]:
    """How columns are compressed and encoded, as in the first row group."""
    if not metadata.num_row_groups:
        return {"version": metadata.format_version}
    group = metadata.row_group(0)
    columns = [group.column(place) for place in range(group.num_columns)]
    codecs = {each.path_in_schema: each.compression for each in columns}
    return {
        "version": metadata.format_version,
        "compression": {path: "NONE" if codec == "UNCOMPRESSED" else codec for path, codec in codecs.items()},
        "use_dictionary": [each.path_in_schema for each in columns if each.has_dictionary_page],
    }
