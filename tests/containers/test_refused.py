"""What no adapter takes, and which adapter takes what."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

import fastact as fa
from fastact._core.containers import ADAPTERS, Adapter

A = np.ones((2, 3), np.float32)


@pytest.mark.parametrize("library", [name for name in ADAPTERS if name not in ("DLPack", "numpy.ma")])
def test_every_adapter_loads(library: str) -> None:
    if ADAPTERS[library] != "fastact.interop.containers.stored":
        pytest.importorskip(library)
    assert isinstance(importlib.import_module(ADAPTERS[library]).adapter, Adapter)


@pytest.mark.parametrize("call", [fa.gelu, fa.softmax, lambda x: fa.mse(x, 0.0), fa.glu])
def test_stored_arrays(call: Any) -> None:
    zarr: Any = pytest.importorskip("zarr")
    with pytest.raises(TypeError, match=r"whole zarr\.Array into memory; pass x\[\.\.\.\]"):
        call(zarr.array(A))


def test_mixed_libraries() -> None:
    pd, torch = pytest.importorskip("pandas"), pytest.importorskip("torch")
    for call in (fa.mse, fa.softmax.backward, fa.silu.backward):
        with pytest.raises(TypeError, match="arguments of pandas and of torch are mixed"):
            call(pd.DataFrame(A), torch.from_numpy(A))


def test_subclasses() -> None:
    class Own(np.ndarray):
        """Without any meaning of its own."""

    x = A.view(Own)
    assert type(fa.gelu(x)) is type(fa.swiglu(x, x)) is type(fa.glu(x[:, :2])) is Own
    assert type(fa.softmax(x)) is type(fa.mse(x, x, reduction="none")) is np.ndarray
    with pytest.warns(PendingDeprecationWarning):
        matrix = np.asmatrix(A)
    np.testing.assert_array_equal(fa.softmax(matrix), fa.softmax(A))
    assert fa.mse(matrix, 0.0) == fa.mse(A, 0.0)
