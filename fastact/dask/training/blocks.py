"""What users give as samples, targets and weights, as blocks that belong together."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from fastact.mlp.namespaces import is_lazy

__all__ = ["Block", "Table", "aligned", "as_array"]


class Block(NamedTuple):
    """Samples, targets and weights of some rows, each a task; None is what was not given."""

    number: int
    X: Any
    y: Any = None
    weights: Any = None


class Table:
    """A collection of dask's in blocks of rows: an array, or a dataframe or series.

    Attributes
    ----------
    collection : with all its columns in one block
    columns : int, or None if it has one dimension
    rows : the sizes of the blocks, or None where they are not known
    """

    def __init__(self, collection: Any, name: str) -> None:
        self.name = name
        self.is_frame = hasattr(collection, "npartitions") and not hasattr(collection, "chunks")
        if self.is_frame and hasattr(collection, "to_delayed") and hasattr(collection, "dtypes"):
            self.columns = len(collection.columns) if collection.ndim == 2 else None
            self.rows = None
        elif isinstance(collection, da.Array):
            if collection.ndim not in (1, 2):
                raise ValueError(f"{name} must be 2-D (samples, features), got shape {collection.shape}; reshape it")
            if collection.ndim == 2:
                if math.isnan(collection.shape[1]):
                    raise ValueError(f"the columns of {name} are not counted; call {name}.compute_chunk_sizes() first")
                collection = collection.rechunk({1: -1}) if collection.numblocks[1] > 1 else collection
            self.columns = collection.shape[1] if collection.ndim == 2 else None
            known = not any(map(math.isnan, collection.chunks[0]))
            self.rows = collection.chunks[0] if known else None
        else:
            raise TypeError(f"{name} must be an array or a dataframe of dask, got {type(collection).__name__}")
        self.collection = collection

    @property
    def blocks(self) -> int:
        return int(self.collection.npartitions)

    def check_numbers(self) -> None:
        """Raise TypeError for columns that are not of real numbers."""
        if not self.is_frame:
            _check_kind(self.collection.dtype, self.name)
        else:
            dtypes = self.collection.dtypes
            pairs = dtypes.items() if self.columns is not None else [(self.collection.name, dtypes)]
            for column, dtype in pairs:
                _check_kind(dtype, f"{self.name}'s column {column!r}")

    def tasks(self) -> list[Any]:
        found = self.collection.to_delayed()
        return list(found.ravel() if isinstance(found, np.ndarray) else found)


def _check_kind(dtype: Any, name: str) -> None:
    if not isinstance(dtype, np.dtype):  # of pandas
        kind = getattr(dtype, "kind", "O")
        text = str(dtype)
        real = kind in "biuf" and not text.startswith(("string", "category", "datetime", "timedelta"))
    else:
        real = dtype.kind in "biuf"
    if not real:
        raise TypeError(
            f"{name} has dtype {dtype}, not real numbers; convert it with astype(float), encode it (categorize and "
            "codes, or dask_ml's encoders) or drop it"
        )


def aligned(X: Any, y: Any, sample_weight: Any = None, prefix: str = "") -> tuple[Table, list[Block]]:
    """The table of samples, and its blocks with their targets and weights.

    Raises
    ------
    TypeError, ValueError
        Something is no collection, or its rows cannot be paired up with those of the samples.
    """
    if not is_lazy(X):
        raise TypeError(
            f"{prefix}y is a {type(y).__name__} of dask and {prefix}X a {type(X).__name__}; give X as a dask array "
            "too, by dask.array.from_array(X, chunks=...), or compute() y"
        )
    samples = Table(X, f"{prefix}X")
    if samples.columns is None:
        raise ValueError(f"{prefix}X must be 2-D (samples, features), got 1-D; give the columns as a list")
    others = []
    for values, name in ((y, f"{prefix}y"), (sample_weight, f"{prefix}sample_weight")):
        others.append([None] * samples.blocks if values is None else _paired(samples, values, name).tasks())
    tasks = zip(samples.tasks(), *others, strict=True)
    return samples, [Block(number, *each) for number, each in enumerate(tasks)]


def _paired(samples: Table, values: Any, name: str) -> Table:
    """The table of values that belong to the rows of the samples, in the same blocks."""
    if not is_lazy(values):
        if samples.rows is None:
            raise TypeError(
                f"{name} is a {type(values).__name__}, but how many samples a block of {samples.name} has is not "
                f"known; give {name} as a dask collection in the same blocks, or {samples.name} with known sizes "
                "(compute_chunk_sizes() of an array, to_dask_array(lengths=True) of a dataframe)"
            )
        array = np.asarray(values)
        if array.ndim not in (1, 2) or len(array) != sum(samples.rows):
            raise ValueError(
                f"{samples.name} has {sum(samples.rows)} samples and {name} the shape {array.shape}; they must pair up"
            )
        return Table(da.from_array(array, chunks=(samples.rows, *array.shape[1:])), name)
    table = Table(values, name)
    if samples.rows is not None and table.rows is not None:
        if sum(samples.rows) != sum(table.rows):
            raise ValueError(
                f"{samples.name} has {sum(samples.rows)} samples and {name} {sum(table.rows)}; they must pair up"
            )
        same = samples.rows == table.rows
        return table if same else Table(table.collection.rechunk({0: samples.rows}), name)
    if samples.blocks != table.blocks:
        raise ValueError(
            f"{samples.name} has {samples.blocks} blocks and {name} {table.blocks}, and the sizes of some are not "
            "known, so that they cannot be paired up; take both from one dataframe, or make the sizes known "
            "(compute_chunk_sizes() of an array, to_dask_array(lengths=True) of a dataframe)"
        )
    if samples.is_frame and table.is_frame:
        divisions = samples.collection.divisions, table.collection.divisions
        if samples.collection.known_divisions and table.collection.known_divisions and divisions[0] != divisions[1]:
            raise ValueError(
                f"{samples.name} and {name} have different divisions, so that their rows do not pair up; call "
                f"{name}.repartition(divisions={samples.name}.divisions)"
            )
    return table


def as_array(block: Any) -> NDArray[Any]:
    """A block as a NumPy array; what is missing in it is nan."""
    if hasattr(block, "to_numpy"):  # of a dataframe: its nullable columns would make objects
        dtypes = list(block.dtypes) if getattr(block, "ndim", 1) == 2 else [block.dtype]
        if all(isinstance(each, np.dtype) for each in dtypes):
            return np.asarray(block.to_numpy())
        numbers = all(getattr(each, "kind", "O") in "biuf" for each in dtypes)
        return np.asarray(block.to_numpy(dtype=np.float64, na_value=np.nan) if numbers else block.to_numpy())
    if isinstance(block, np.ma.MaskedArray):
        masked: Any = block.astype(np.result_type(block.dtype, np.float32))
        return np.asarray(masked.filled(np.nan))
    for method in ("toarray", "todense"):  # of sparse ones
        if hasattr(block, method):
            return np.asarray(getattr(block, method)())
    return np.asarray(block)
