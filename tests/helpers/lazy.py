"""dask arrays as tests need them: cut in several ways, and computed only where a test asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


@contextmanager
def no_computing() -> Iterator[None]:
    """Let any computation of dask's fail, whatever asks for it."""
    import dask

    def refused(tasks: Any, keys: Any, **options: Any) -> Any:
        raise AssertionError("something was computed")

    with dask.config.set(scheduler=refused):
        yield


def cut(array: Any, chunks: Any) -> Any:
    """The array as a dask array, with chunks like these of its last axes."""
    import dask.array as da

    array = np.asarray(array)
    return da.from_array(array, chunks=tuple(chunks[len(chunks) - array.ndim :]) if array.ndim else ())


def computed(*lazy: Any) -> Any:
    """What they hold, checked against what was said of them before: dtype, shape and kind of blocks."""
    import dask

    with dask.config.set(scheduler="synchronous"):
        found = dask.compute(*lazy)
    for result, said in zip(found, lazy, strict=True):
        assert np.asarray(result).dtype == said.dtype == said._meta.dtype
        assert isinstance(said._meta, np.ndarray | np.generic)
        assert all(np.isnan(size) or size == n for size, n in zip(said.shape, np.shape(result), strict=True))
    return found[0] if len(found) == 1 else found
