"""Dtypes by name, bfloat16 among them, and what kernels compute in."""

from __future__ import annotations

import functools
import importlib
from importlib.util import find_spec
from typing import Any

import numpy as np

from fastact.errors import BackendError

__all__ = ["computes_in", "dtype_of", "name_of"]


def dtype_of(name: str) -> np.dtype[Any]:
    """The dtype of this name; bfloat16 is ml_dtypes', and a BackendError says so where that is missing."""
    if name != "bfloat16":
        return np.dtype(name)
    if find_spec("ml_dtypes") is None:
        raise BackendError('bfloat16 needs ml_dtypes; pip install "fastact[cuda]"')
    return np.dtype(importlib.import_module("ml_dtypes").bfloat16)


@functools.cache
def name_of(dtype: np.dtype[Any]) -> str:
    """The name of a dtype; remembered, because NumPy takes microseconds to find it."""
    return dtype.name


def computes_in(dtype: np.dtype[Any]) -> Any:
    """The scalar type in which a loop of this dtype computes: float32 for half types, which kernels convert."""
    return np.float32 if dtype.itemsize == 2 else dtype.type
