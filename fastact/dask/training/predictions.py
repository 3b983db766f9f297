"""Predictions for dask's collections, computed block by block when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import dask
import numpy as np
from numpy.typing import NDArray

from fastact.dask.training.blocks import Table, as_array
from fastact.dask.training.tasks import State
from fastact.errors import require
from fastact.mlp.data import as_table

__all__ = ["by_block", "predicted"]


def predicted(model: Any, method: str, X: Any) -> Any:
    """What `forward`, `predict` or `predict_proba` of a model gives for a collection, of the same kind and lazily.

    The weights are those of now.
    """
    table = Table(X, "X")
    table.check_numbers()
    inputs = model.layer_sizes[0]
    if table.columns != inputs:
        found = "one dimension" if table.columns is None else f"{table.columns} features"
        raise ValueError(f"X has {found}, the network wants {inputs} features; change X or layer_sizes")
    empty = getattr(State.of(model), method)(np.zeros((1, inputs), model.dtype))[:0]
    return by_block(_Method(State.of(model), method), table, empty)


class _Method:
    """A method of a network for the samples of a block."""

    def __init__(self, state: State, method: str) -> None:
        self._state, self._method = state, method

    def __call__(self, block: Any) -> NDArray[Any]:
        x = as_table(as_array(block), "X", self._state.network.inputs, self._state.network.dtype)
        return np.asarray(getattr(self._state, self._method)(x))


def by_block(
    function: Callable[[Any], Any], table: Table, empty: NDArray[Any], columns: Sequence[Any] | None = None
) -> Any:
    """The collection of function(block) for all blocks of samples.

    Parameters
    ----------
    function : callable
        Never called with a block that has no rows.
    empty : ndarray
        What it gives for no rows.
    columns : sequence, optional
        Names of its columns, for a dataframe; their numbers unless given.
    """
    collection = table.collection
    task = dask.delayed(function, pure=True, traverse=False)
    if table.is_frame:
        pandas = require("pandas", "dask", "predictions for a dataframe")
        index = collection._meta.index[:0]
        meta = _frame(pandas, empty, index, columns)
        return collection.map_partitions(
            _of_partition, task, empty, columns, meta=meta, enforce_metadata=False, align_dataframes=False
        )
    chunks = (collection.chunks[0], *((size,) for size in empty.shape[1:]))
    drop = [1] if empty.ndim == 1 else None
    return collection.map_blocks(
        _of_block, task, empty, dtype=empty.dtype, chunks=chunks, drop_axis=drop, meta=empty, enforce_ndim=False
    )


def _of_block(block: Any, function: Callable[[Any], Any], empty: NDArray[Any]) -> Any:
    return function(block) if len(block) else empty


def _of_partition(frame: Any, function: Callable[[Any], Any], empty: NDArray[Any], columns: Any) -> Any:
    import pandas

    return _frame(pandas, function(frame) if len(frame) else empty, frame.index, columns)


def _frame(pandas: Any, values: NDArray[Any], index: Any, columns: Sequence[Any] | None) -> Any:
    if values.ndim == 1:
        return pandas.Series(values, index=index)
    return pandas.DataFrame(values, index=index, columns=columns)
