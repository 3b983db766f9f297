"""Applies a function to a zarr array of any size, block by block; a block is made of whole chunks, or whole shards.

Several blocks are in work at a time, one for each thread.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
from dask.callbacks import Callback

import fastact as fa
from fastact._core.arrays import normalize_axis
from fastact._core.files import replacing_folder
from fastact.errors import require

__all__ = ["apply", "replacing", "size"]

#: Elements of a block, where chunks are not larger.
BLOCK = 2**22
#: What says that numbers are to be multiplied or shifted before they are used.
PACKING = ("scale_factor", "add_offset")


def size(path: Path) -> int:
    """How many elements the array has."""
    return math.prod(_opened(path).shape)


def replacing(source: Path, target: Path) -> AbstractContextManager[Path]:
    """Give a folder that takes the place of `target` when the block ends well; the target may be the source."""
    read, written = Path(os.path.realpath(source)), Path(os.path.realpath(target))
    if read != written and (read in written.parents or written in read.parents):
        raise ValueError(f"{target}: one of {source} and {target} lies in the other; name a folder beside it")
    return replacing_folder(target, _is_array)


def apply(
    function: Callable[..., Any],
    source: Path,
    target: Path,
    *,
    axis: int | None = None,
    chunk: int | None = None,
    advance: Callable[[float], None] = lambda elements: None,
) -> None:
    """Write function(source) to `target`, an empty folder, about `chunk` elements at a time in each thread.

    With `axis` None the function acts on each element by itself. Otherwise it is one of the softmax family, which gets
    `axis`: an axis that is longer than a block is read twice. The result has the chunks, shards, compressors,
    attributes and names of dimensions of the source; filters, which are made for its values, are left out.
    """
    array = _opened(source)
    dtype = _result_dtype(function, array.dtype, source)
    if axis is not None:
        axis = _normalized(axis, array, source)
    whole_rows = axis is not None and not _streams(function)
    x = da.from_array(array, chunks=_blocks(array, axis, chunk, whole_rows, source), inline_array=True)
    if axis is None:
        result = x.map_blocks(function, dtype=dtype, meta=np.empty((0,) * x.ndim, dtype))
    else:
        result = function(x, axis=axis)
    written = da.store(result, _created(array, target, dtype), lock=False, compute=False)
    with _Progress(array.size, advance):
        dask.compute(written, scheduler="threads", num_workers=fa.get_num_threads())


class _Progress(Callback):
    """Tells of each task its share in all the work."""

    def __init__(self, total: int, advance: Callable[[float], None]) -> None:
        self.share = float(total)

        def started(tasks: Any, state: Any) -> None:
            self.share = total / max(len(tasks), 1)

        def done(key: Any, result: Any, tasks: Any, state: Any, worker: Any) -> None:
            advance(self.share)

        super().__init__(start_state=started, posttask=done)


# --- what is there ----------------------------------------------------------------------------------------------------


def _opened(path: Path) -> Any:
    """The array, to read; ValueError if it is none, or if its numbers are not what they stand for."""
    zarr = require("zarr", "dask", "fastact apply on zarr arrays")
    if not _is_array(path):
        try:
            group = zarr.open_group(path, mode="r")
        except (KeyError, TypeError, ValueError, OSError):
            if not path.exists():
                raise
            raise ValueError(f"{path}: holds no zarr array that can be read; name the folder of one") from None
        names = ", ".join(sorted(name for name, _ in group.arrays())) or "it has none"
        raise ValueError(f"{path}: is a group of zarr arrays; name one of them, such as {path}/NAME: {names}")
    try:
        array = zarr.open_array(path, mode="r")
        packed = [name for name in PACKING if name in array.attrs]
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise ValueError(f"{path}: not a zarr array that can be read: {error}") from error
    if packed:
        raise ValueError(f"{path}: holds packed numbers (attribute {packed[0]}); unpack them first, as xarray does")
    return array


def _is_array(path: Path) -> bool:
    """Whether the folder is a zarr array."""
    if (path / ".zarray").is_file():
        return True
    try:
        return bool(json.loads((path / "zarr.json").read_text(encoding="utf-8"))["node_type"] == "array")
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _result_dtype(function: Callable[..., Any], dtype: Any, path: Path) -> np.dtype[Any]:
    """The dtype of the function's result for `dtype`; calls it with a single element."""
    try:
        return np.asarray(function(np.zeros((1,), dtype))).dtype
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} holds {dtype}, which the function does not take: {error}") from error


def _normalized(axis: int, array: Any, path: Path) -> int:
    try:
        return normalize_axis(axis, max(array.ndim, 1))
    except np.exceptions.AxisError:
        raise ValueError(f"axis {axis} is out of range: the array in {path} has {array.ndim} dimensions") from None


def _streams(function: Any) -> bool:
    """Whether a function takes rows that are cut."""
    from fastact.dask.over_axes import CHUNKED

    called: Any = function.func if isinstance(function, partial) else function
    return (called.computation, 1) in CHUNKED


def _blocks(array: Any, axis: int | None, chunk: int | None, whole_rows: bool, path: Path) -> tuple[int, ...]:
    """The shape of blocks: of whole shards, where chunks are written together in such, or of whole chunks."""
    shape, block = array.shape, list(array.shards or array.chunks)
    unit = math.prod(block)
    if whole_rows and axis is not None and shape:
        block[axis] = max(shape[axis], 1)
    least, what = math.prod(block), "shard" if array.shards else "chunk"
    if chunk is not None and chunk < least:
        needed = f"a {what} of {path}" if least == unit else f"a row of {what}s of {path}, which the function needs,"
        raise ValueError(f"--chunk {chunk}: {needed} has {least} elements, and is held as a whole; pass that or more")
    limit = max(chunk or BLOCK, least)
    # First rows are made whole, and then neighbours in memory are taken together.
    axes = [each for each in range(len(shape))[::-1] if each != axis]
    for each in axes if axis is None or not shape else (axis, *axes):
        grown = limit // (math.prod(block) // block[each]) // block[each] * block[each]
        if each != axis or grown >= shape[each]:
            block[each] = max(block[each], min(grown, -(-shape[each] // block[each]) * block[each]))
    return tuple(block)


def _created(array: Any, path: Path, dtype: np.dtype[Any]) -> Any:
    """An array like this one, but for its dtype, in an empty folder."""
    zarr: Any = require("zarr", "dask", "fastact apply on zarr arrays")
    metadata = array.metadata
    options: dict[str, Any] = {"dimension_names": metadata.dimension_names} if metadata.zarr_format == 3 else {}
    if metadata.zarr_format == 3:
        options["chunk_key_encoding"] = metadata.chunk_key_encoding
    else:
        options |= {"order": metadata.order, "filters": None}
        options["chunk_key_encoding"] = {"name": "v2", "separator": metadata.dimension_separator}
    fill = array.fill_value
    return zarr.create_array(
        path, shape=array.shape, dtype=dtype, chunks=array.chunks, shards=array.shards, compressors=array.compressors,
        attributes=dict(array.attrs), zarr_format=metadata.zarr_format, overwrite=True,
        fill_value=fill if fill is None else dtype.type(fill), **options,
    )  # fmt: skip
