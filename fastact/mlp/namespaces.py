"""The two sides that arrays can be on, each with the module that makes and computes them there: NumPy and CuPy.

Imported by the rest of this folder, which asks here for the module and is otherwise the same on both sides.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

import fastact as fa
from fastact.errors import BackendError, require

__all__ = ["DEVICES", "moved", "namespace_for", "namespace_of"]

DEVICES = ("cpu", "cuda")


def namespace_for(device: str) -> Any:
    """numpy, or cupy if it is installed and there is a GPU that fastact's own kernels run on."""
    if device == "cpu":
        return np
    cupy = require("cupy", "cupy", 'MLP(device="cuda")')
    found = fa.backends()["cuda"]
    if found != "available":
        raise BackendError(f'MLP(device="cuda") cannot use a GPU: {found}')
    return cupy


def namespace_of(values: Any) -> Any:
    """cupy for its arrays, numpy for everything else."""
    cupy = sys.modules.get("cupy")
    return cupy if cupy is not None and isinstance(values, cupy.ndarray) else np


def moved(values: Any, xp: Any) -> Any:
    """An array of the namespace `xp`; `values` themselves if they are one."""
    if xp is np and namespace_of(values) is not np:
        return namespace_of(values).asnumpy(values)
    return xp.asarray(values)
