"""The model file: one .npz without pickle, holding arrays and a JSON header, written all or nothing.

Imported by `model.py`. A change of the format raises `VERSION`; `read` then says so for every other version.
"""

from __future__ import annotations

import json
import math
import os
import secrets
import zipfile
from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastact.mlp.data import as_choice
from fastact.mlp.optimisers import OPTIMISERS

__all__ = ["read", "write"]

FORMAT = "fastact.mlp"
VERSION = 1


def write(path: str | PathLike[str], header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
    """Write beside `path` and move into place; an error leaves `path` as it was and nothing beside it."""
    target = Path(path).resolve()  # through a symbolic link, not over it
    text = json.dumps({"format": FORMAT, "version": VERSION, **header})
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with open(partial, "xb") as file:
            np.savez(file, allow_pickle=False, header=np.frombuffer(text.encode(), np.uint8), **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def read(path: str | PathLike[str]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Header and arrays of `path`: complete, chained and finite, or a ValueError that says what is wrong."""
    with open(path, "rb") as file:
        if not zipfile.is_zipfile(file):
            raise ValueError(f"{path}: not a fastact model (no .npz archive), or cut short")
        file.seek(0)
        try:
            with np.load(file, allow_pickle=False) as archive:
                arrays = dict(archive)
            header = json.loads(arrays.pop("header").tobytes())
            found = header.get("format"), header.get("version")
        except Exception as error:  # zip, npy and JSON raise errors of their own
            raise ValueError(f"{path}: not a fastact model, or damaged ({error!r})".split("\n")[0]) from error
    if found != (FORMAT, VERSION):
        raise ValueError(f"{path}: has format {found}, this fastact reads {(FORMAT, VERSION)}")
    for name, kind in {"settings": dict, "history": dict, "steps": int, "random_state": dict}.items():
        if not isinstance(header.get(name), kind):
            raise ValueError(f"{path}: header lacks {name} of type {kind.__name__}")
    try:
        _check(header["settings"], arrays)
    except KeyError as error:
        raise ValueError(f"{path}: lacks {error}") from error
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error
    return header, arrays


def _check(settings: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
    """Every array that the settings ask for is there, with their shapes and dtype, and finite."""
    shapes: dict[str, tuple[int, ...]] = {}
    for i, (rows, columns) in enumerate(pairwise(settings["layer_sizes"])):
        shapes |= {f"weights_{i}": (rows, columns), f"bias_{i}": (columns,)}
    count = sum(math.prod(shape) for shape in shapes.values())
    optimizer = OPTIMISERS[as_choice(settings["optimizer"], "optimizer", OPTIMISERS)]
    shapes["optimizer_state"] = (optimizer.rows, count)
    for name, shape in shapes.items():
        array = arrays[name]
        if array.shape != shape:
            raise ValueError(f"{name} has shape {array.shape}, its settings want {shape}")
        if array.dtype != settings["dtype"]:
            raise ValueError(f"{name} has dtype {array.dtype}, its settings want {settings['dtype']}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} holds nan or inf")
