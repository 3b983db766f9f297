"""The two sides that arrays can be on, each with its module: NumPy on the host, CuPy on a GPU.

The other files of this folder ask here for the module, and are otherwise the same for both.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from fastact._core.dispatch import backends
from fastact.errors import BackendError, require

__all__ = ["DEVICES", "is_lazy", "moved", "namespace_for", "namespace_of"]

DEVICES = ("cpu", "cuda")


def namespace_for(device: str) -> Any:
    """Return numpy, or cupy where it is installed and fastact's own kernels can use a GPU."""
    if device == "cpu":
        return np
    cupy = require("cupy", "cupy", 'MLP(device="cuda")')
    found = backends()["cuda"]
    if found != "available":
        raise BackendError(f'MLP(device="cuda") cannot use a GPU: {found}')
    return cupy


def namespace_of(values: Any) -> Any:
    """Return cupy for its arrays, numpy for everything else."""
    cupy = sys.modules.get("cupy")
    return cupy if cupy is not None and isinstance(values, cupy.ndarray) else np


def is_lazy(values: Any) -> bool:
    """Whether it is a collection of dask's, which is on neither side before it is computed."""
    return "dask" in sys.modules and type(values).__module__.partition(".")[0] in ("dask", "dask_expr")


def moved(values: Any, xp: Any) -> Any:
    """Return `values` as an array of the namespace `xp`; unchanged if they are one."""
    if xp is np and namespace_of(values) is not np:
        return namespace_of(values).asnumpy(values)
    return xp.asarray(values)
