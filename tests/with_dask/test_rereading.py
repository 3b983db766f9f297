"""Arrays are read a second time whatever they are made of, also where a cluster holds them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fastact as fa

da: Any = pytest.importorskip("dask.array")
dask: Any = pytest.importorskip("dask")

VALUES = np.random.default_rng(0).normal(size=(30, 20))

SOURCES: dict[str, Callable[[], Any]] = {
    "array": lambda: da.from_array(VALUES, chunks=(7, 20)),
    "random": lambda: da.random.default_rng(0).normal(size=(30, 20), chunks=7),
    "delayed": lambda: da.concatenate([da.from_delayed(dask.delayed(VALUES), (30, 20), float)] * 2),
    "reshaped": lambda: da.from_array(VALUES.ravel(), chunks=50).reshape((30, 20)),
    "rechunked": lambda: da.from_array(VALUES, chunks=(7, 20)).rechunk((9, 9)),
    "overlapping": lambda: da.from_array(VALUES, chunks=10).map_overlap(np.negative, depth=1, boundary="reflect"),
    "sliced": lambda: da.from_array(VALUES.T, chunks=9).T[::-1][3:],
    "multiplied": lambda: da.from_array(VALUES, chunks=10) @ da.eye(20, chunks=10),
    "itself": lambda: fa.log_softmax(da.from_array(VALUES, chunks=10), 0),
    "optimised": lambda: dask.optimize(da.from_array(VALUES, chunks=10) + 1)[0],
    "computed": lambda: (da.from_array(VALUES, chunks=10) + 1).persist(scheduler="synchronous"),
}


@pytest.mark.parametrize("source", SOURCES)
def test_local(source: str) -> None:
    with dask.config.set(scheduler="synchronous"):
        x = SOURCES[source]()
        lazy = fa.softmax(x, 0)
        np.testing.assert_allclose(lazy.compute(), fa.softmax(x.compute(), 0), rtol=1e-14)
        np.testing.assert_allclose(fa.softmax(lazy.persist(), 1).compute(), fa.softmax(lazy.compute(), 1), rtol=1e-14)


def test_on_a_cluster() -> None:
    """What workers hold or exchange is taken as it is."""
    distributed: Any = pytest.importorskip("distributed")
    options = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": ":0"}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster):
        x = da.from_array(VALUES, chunks=(7, 20))
        for each in (x, x.persist(), x.persist() + 0, x.rechunk((11, 9), method="p2p") + 0):
            np.testing.assert_allclose(fa.softmax(each, 0).compute(), fa.softmax(VALUES, 0), rtol=1e-14)
