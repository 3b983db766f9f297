"""Weights as safetensors: arrays by name, without what training needs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastact._core.files import replacing
from fastact.errors import require

__all__ = ["read", "write"]


def write(path: str | PathLike[str], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write the arrays, all or nothing."""
    save = require("safetensors.numpy", "safetensors", "MLP.save_weights").save_file
    with replacing(path) as temporary:
        save(dict(arrays), os.fspath(temporary))


def read(path: str | PathLike[str], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, NDArray[Any]]:
    """Read the arrays of these names; raise ValueError unless they have these shapes and are finite."""
    error = require("safetensors", "safetensors", "MLP.load_weights").SafetensorError
    load = require("safetensors.numpy", "safetensors", "MLP.load_weights").load_file
    try:
        found = load(os.fspath(path))
    except error as reason:
        raise ValueError(f"{os.fspath(path)}: no safetensors file, or damaged: {reason!s:.200}") from reason
    for name, shape in shapes.items():
        if name not in found or found[name].shape != shape or not np.isfinite(found[name]).all():
            raise ValueError(
                f"{os.fspath(path)}: lacks {name!r} with finite numbers of shape {shape}; build the model that saved it"
            )
    return {name: found[name] for name in shapes}
