"""Tables from files: .csv and .tsv (also .gz), .npz and .parquet, block by block or as a whole.

A new format is a generator of DataFrames, named in `_READERS`.
"""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import os
import re
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from fastact._core.files import npy_header, open_regular
from fastact.errors import require
from fastact.learn.data.frames import Mixed, joined

__all__ = ["blocks", "read", "size"]

#: Called with the number of bytes of the file that were read since the last call.
Progress = Callable[[int], object]

#: Values of a block: 16 MB of numbers.
_BLOCK = 2**21

#: How many lines are searched for the decimal mark, and the numbers that have one.
_LOOKED_AT = 100
_FRACTION = re.compile(r"[+-]?\d+([.,])\d+(?:[eE][+-]?\d+)?")

#: The longest first line of a text file, in characters.
_LONGEST_HEADER = 2**22


def read(path: str | PathLike[str], progress: Progress | None = None) -> Any:
    """Read a table from a file, as a DataFrame with rows numbered from 0.

    Columns hold numbers, booleans, dates or texts. What pandas reads as missing is missing, and so is a "?". Fields of
    a text file are separated by commas, semicolons or tabs; beside the latter two, numbers may have decimal commas.

    Parameters
    ----------
    path : path-like
        .csv, .tsv, .csv.gz or .tsv.gz: UTF-8 with the columns' names in the first line, separated by commas, semicolons
        or tabs. .npz: a one-dimensional array is a column, and a two-dimensional X is the columns X0, X1, ...
        .parquet: needs the extra "parquet".
    progress : callable, optional
        Called with the number of bytes read since the last call; `size` tells their sum.

    Returns
    -------
    pandas.DataFrame
        A text column is a categorical. Besides it, reading takes the memory of one block: 2**21 values.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        It holds no table, or none with rows: says where and why.

    Examples
    --------
    >>> from fastact.learn.data.reading import read
    >>> np.savez("points.npz", X=np.eye(3), label=["a", "b", "a"])
    >>> list(read("points.npz"))
    ['X0', 'X1', 'X2', 'label']
    """
    name = os.fspath(path)
    mixed: list[str] = []
    try:
        frame = joined(blocks(path, progress))
    except Mixed as error:  # of a text file: a block has only numbers in a column, and another has texts
        mixed = error.columns
    if mixed:  # here, where the error holds no block any more
        frame = joined(blocks(path, text=mixed))
    if not len(frame):
        raise ValueError(f"{name}: has columns and no rows")
    return frame


def size(path: str | PathLike[str]) -> int:
    """Bytes of the file, for a progress bar."""
    return Path(path).stat().st_size


def blocks(path: str | PathLike[str], progress: Progress | None = None, text: Collection[str] = ()) -> Iterator[Any]:
    """Read a table as `read` does, block by block, each a DataFrame of its own; memory stays bounded.

    Where the file has no types, the columns named in `text` are read as they are written, and each block finds out by
    itself what its other columns hold.
    """
    name = os.fspath(path)
    ending = next((each for each in _READERS if name.lower().endswith(each)), None)
    if ending is None:
        raise ValueError(f"{name}: unknown ending; tables are read from {', '.join(_READERS)}")
    with _wording(name), open_regular(path) as file:
        furthest = 0
        for block in _READERS[ending](file, frozenset(text)):
            if progress and file.tell() > furthest:
                progress(file.tell() - furthest)
                furthest = file.tell()
            yield block


@contextmanager
def _wording(name: str) -> Iterator[None]:
    """Turn every error in a file's content into a ValueError of one line that begins with the file's name."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{name}: is no text in UTF-8 (byte 0x{error.object[error.start]:02x}); save the table as CSV in UTF-8"
        ) from error
    except (ValueError, csv.Error, EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile) as error:
        if isinstance(error, Mixed) or str(error).startswith(f"{name}: "):
            raise
        raise ValueError(f"{name}: {' '.join(str(error).split()):.300}") from error
    except OSError as error:
        if error.filename is None and error.errno is None:  # pyarrow's, of a damaged file
            raise ValueError(f"{name}: {' '.join(str(error).split()):.300}") from error
        raise


# ---- text


def _compressed_text(file: BinaryIO, text: frozenset[str]) -> Iterator[Any]:
    with gzip.GzipFile(fileobj=file) as unpacked:
        yield from _text(unpacked, text)


def _text(file: Any, text: frozenset[str]) -> Iterator[Any]:
    pandas = require("pandas", "demo", "a table from a file")
    with io.TextIOWrapper(file, "utf-8-sig", newline="") as lines:
        names, separator = _header(lines)
        decimal = "." if separator == "," else _decimal(lines, separator)
        lines.seek(0)
        unreadable = pandas.errors.ParserError, pandas.errors.ParserWarning, pandas.errors.EmptyDataError
        short = False
        try:
            reader = pandas.read_csv(
                lines, sep=separator, decimal=decimal, header=0, names=names, index_col=False, skipinitialspace=True,
                na_values=["?"], dtype=dict.fromkeys(text.intersection(names), str), low_memory=False,
                chunksize=max(1, _BLOCK // len(names)),
            )  # fmt: skip
            while True:
                with warnings.catch_warnings():
                    warnings.simplefilter("error", pandas.errors.ParserWarning)
                    block = next(reader, None)
                if block is None:
                    break
                short |= bool(block.iloc[:, -1].isna().any())  # where a line may lack fields, which pandas fills
                yield block
        except unreadable as error:
            if "source failed" in str(error):  # as pandas says after Ctrl-C; other errors of reading pass through it
                raise KeyboardInterrupt from None
            _check_widths(lines, separator, len(names))
            raise ValueError(f"is no table: {error}") from error
        if short:
            _check_widths(lines, separator, len(names))


def _header(lines: io.TextIOWrapper) -> tuple[list[str], str]:
    """Return the names in the first line, and what separates them."""
    line = "\n"
    while line and not line.strip():
        line = lines.readline(_LONGEST_HEADER)
    if not line:
        raise ValueError("is empty")
    if "\0" in line or len(line) == _LONGEST_HEADER:
        raise ValueError("is no text, or has no lines; save the table as CSV in UTF-8")
    separator = max(",;\t", key=line.count)
    found = next(csv.reader(itertools.chain([line], lines), delimiter=separator, skipinitialspace=True))
    names = [name.strip() or f"Unnamed: {position}" for position, name in enumerate(found)]
    _check_names(names)
    return names, separator


def _decimal(lines: io.TextIOWrapper, separator: str) -> str:
    """Return the decimal mark: a comma, if the numbers of the next lines have one and no point."""
    rows = itertools.islice(csv.reader(lines, delimiter=separator, skipinitialspace=True), _LOOKED_AT)
    marks = {found[1] for row in rows for field in row if (found := _FRACTION.fullmatch(field.strip()))}
    return "," if marks == {","} else "."


def _check_names(names: list[str]) -> None:
    [(name, count)] = Counter(names).most_common(1) or [("", 0)]
    if count > 1:
        raise ValueError(f"has several columns named {name!r:.99}; rename all but one")


def _check_widths(lines: io.TextIOWrapper, separator: str, width: int) -> None:
    """Raise ValueError for the first line that has more or fewer fields than the first; slow."""
    lines.seek(0)
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    for fields in reader:
        if fields and len(fields) != width:
            count = f"{len(fields)} field{'s' * (len(fields) != 1)}"
            raise ValueError(f"line {reader.line_num:,} has {count}, the first line has {width}")


# ---- arrays


def _arrays(file: BinaryIO, text: frozenset[str]) -> Iterator[Any]:
    """All of an .npz file; what is pickled there is refused before it is read."""
    pandas = require("pandas", "demo", "a table from a file")
    columns: dict[str, Any] = {}
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            name = info.filename.removesuffix(".npy")
            try:
                array = _array(archive, info)
            except (ValueError, EOFError, zlib.error) as error:
                raise ValueError(f"the array {name!r:.99}: {error}") from error
            several = array.ndim == 2
            found = {f"{name}{i}": array[:, i] for i in range(array.shape[1])} if several else {name: array}
            _check_names([*columns, *found])
            columns |= found
    lengths = {name: len(array) for name, array in columns.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {length:,}" for name, length in itertools.islice(lengths.items(), 8))
        raise ValueError(f"its arrays have different lengths ({told}); a row of the table takes one value of each")
    if not columns:
        raise ValueError("has no arrays")
    yield pandas.DataFrame(columns, copy=False)


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray[Any, Any]:
    with archive.open(info) as member:
        header = npy_header(member)
        if header.file_size != info.file_size:
            raise ValueError(f"has {info.file_size:,} bytes, promises {header.file_size:,}")
        if len(header.shape) not in (1, 2) or header.dtype.kind not in "biufUSM":
            raise ValueError(
                f"has shape {header.shape} and dtype {header.dtype}; take columns of numbers, texts or dates"
            )
        order: Any = "F" if header.fortran_order else "C"
        array = np.ndarray(header.shape, header.dtype, member.read(), order=order)
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8")
    if array.dtype.kind == "U":
        return array.astype(object)
    if array.dtype.kind == "M":
        return array.astype("datetime64[us]")
    native = array.astype(array.dtype.newbyteorder("="))
    return native.astype(np.float32) if native.dtype == np.float16 else native


# ---- parquet


def _parquet(file: BinaryIO, text: frozenset[str]) -> Iterator[Any]:
    parquet = require("pyarrow.parquet", "parquet", "a table from a .parquet file")
    types = require("pyarrow.types", "parquet", "a table from a .parquet file")
    with parquet.ParquetFile(file) as opened:
        schema = opened.schema_arrow
        _check_names(schema.names)
        for field in schema:
            if types.is_nested(field.type):
                raise ValueError(f"the column {field.name!r:.99} holds {field.type}; take numbers, texts or dates")
        if not schema.names:
            raise ValueError("has no columns")
        names = [name for name in schema.names if not name.startswith("__index_level_")]  # what pandas numbers rows by
        rows = max(1, _BLOCK // len(names))
        for batch in opened.iter_batches(rows, columns=names, use_threads=False):
            yield batch.to_pandas(ignore_metadata=True, date_as_object=False)
        if not opened.metadata.num_rows:
            yield schema.empty_table().select(names).to_pandas(ignore_metadata=True)


_READERS: dict[str, Callable[[BinaryIO, frozenset[str]], Iterator[Any]]] = {
    ".csv": _text,
    ".tsv": _text,
    ".csv.gz": _compressed_text,
    ".tsv.gz": _compressed_text,
    ".npz": _arrays,
    ".parquet": _parquet,
}
