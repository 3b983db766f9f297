"""The model file: one .npz without pickle, with arrays and a JSON header, written all or nothing.

`write` refuses what `read` would refuse, before it writes anything: both call `_check`. archive.py reads the .npz. A
change of the format raises `VERSION`; `read` then refuses every other version and says so.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastact._core.files import open_regular, replacing
from fastact.mlp import archive
from fastact.mlp.data import as_choice, as_integer
from fastact.mlp.settings import JSON_TYPES, settled

__all__ = ["read", "write"]

FORMAT = "fastact.mlp"
VERSION = 2

#: Most quotes, brackets and braces in a header, as each may become an object. No model has a tenth of them.
MOST_MARKS = 100_000

#: The state of NumPy's PCG64: each number and its exclusive upper bound.
_RANDOM_STATE = {"state": {"state": 2**128, "inc": 2**128}, "has_uint32": 2, "uinteger": 2**32}

#: Shape and dtype of an array.
Form = tuple[tuple[int, ...], np.dtype[Any]]


def write(path: str | PathLike[str], header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
    """Write header and arrays. If `read` would refuse them, or writing fails, the old file stays as it was."""
    try:
        text = json.dumps({"format": FORMAT, "version": VERSION, **header}, default=_plain).encode()
        _check(_parsed(text), {name: (array.shape, array.dtype) for name, array in arrays.items()})
        for name, array in arrays.items():
            _check_finite(name, array)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{os.fspath(path)}: not saved, since it could not be loaded again: {error}") from error
    with replacing(path) as temporary, open(temporary, "wb") as file:
        members: dict[str, Any] = {"header": np.frombuffer(text, np.uint8), **arrays}  # all of them plain numbers
        np.savez(file, **members)


def read(path: str | PathLike[str]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read header and arrays of `path`; raise ValueError, with the reason, unless they make a whole and finite model.

    The file's size bounds the memory that this takes, whatever is in the file.
    """
    with open_regular(path) as file:
        try:
            members = archive.members(file, os.fstat(file.fileno()).st_size)
            text = members.pop("header", None)
            if text is None or text.header.dtype != np.uint8 or len(text.header.shape) != 1:
                raise ValueError("not a fastact model (it has no header)")
            header = _parsed(archive.read(text).tobytes())
            _check(header, {name: (member.header.shape, member.header.dtype) for name, member in members.items()})
            arrays = {name: archive.read(member) for name, member in members.items()}
            for name, array in arrays.items():
                _check_finite(name, array)
        except ValueError as error:
            raise ValueError(f"{os.fspath(path)}: {error!s:.500}") from error
    return header, arrays


def _plain(value: Any) -> Any:
    """Convert a number of NumPy's or another library's to Python's."""
    try:
        return value.item()
    except (AttributeError, TypeError, ValueError):
        raise TypeError(f"a model file cannot hold a {type(value).__name__}; make it a number or a list") from None


def _parsed(text: bytes) -> dict[str, Any]:
    """Parse the JSON of a header."""
    if sum(map(text.count, (b'"', b"[", b"{"))) > MOST_MARKS:
        raise ValueError(
            f"not a fastact model, or damaged (its header has more than {MOST_MARKS:,} quotes or brackets)"
        )
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:  # RecursionError: brackets within brackets
        raise ValueError(f"not a fastact model, or damaged (its header is no JSON: {error})") from None
    if not isinstance(header, dict):
        raise ValueError("not a fastact model, or damaged (its header is no JSON object)")
    return header


def _check(header: dict[str, Any], arrays: Mapping[str, Form]) -> None:
    """Raise ValueError unless the header is a model's and its settings ask for these arrays."""
    found = header.get("format"), header.get("version")
    if found != (FORMAT, VERSION):
        raise ValueError(f"has format {found!r:.99}, this fastact reads {(FORMAT, VERSION)}")
    settings = _entry(header, "settings", dict)
    for name, types in JSON_TYPES.items():
        _entry(settings, name, *types)
    unknown = settings.keys() - JSON_TYPES.keys()
    if unknown:
        raise ValueError(f"has the unknown settings {', '.join(sorted(unknown)):.99}")
    _check_history(_entry(header, "history", dict))
    for name in ("steps", "epochs", "samples"):
        if as_integer(_entry(header, name, int), name, 0) >= 2**63:
            raise ValueError(f"{name} must be below 2**63")
    if as_integer(_entry(header, "key", int), "key", 0) >= 2**64:
        raise ValueError("key must be below 2**64")
    state = _entry(header, "random_state", dict)
    if _entry(state, "bit_generator", str) != "PCG64":
        raise ValueError("random_state is not PCG64's")
    _check_state(state, _RANDOM_STATE)
    as_choice(settings["dtype"], "dtype", ("float32", "float64"))
    try:
        model = settled(**settings)
    except TypeError as error:
        raise ValueError(str(error)) from error
    shapes: dict[str, tuple[int, ...]] = {}
    for i, plan in enumerate(model.plans):
        normal = {"mean": plan.shape[1:], "variance": plan.shape[1:]} if plan.batch_norm else {}
        shapes |= {f"{name}_{i}": shape for name, shape in {**plan.arrays, **normal}.items()}
    shapes["optimizer_state"] = model.optimizer.rows, model.parameters
    if "course" in header and _check_course(_entry(header, "course", dict)):
        shapes |= {"best_parameters": (model.parameters,), "best_statistics": (model.statistics,)}
    for name, shape in shapes.items():
        if name not in arrays:
            raise ValueError(f"lacks {name!r}")
        _check_form(name, arrays[name], (shape, model.dtype))
    unknown = arrays.keys() - shapes.keys()
    if unknown:
        raise ValueError(f"has the unknown arrays {', '.join(sorted(unknown)):.99}")


def _check_history(history: dict[str, Any]) -> None:
    for name, values in history.items():
        for value in _typed(values, f"history[{name!r:.99}]", list):
            if type(value) is not float and not (type(value) is int and abs(value) < 2**63):
                raise ValueError(f"history[{name!r:.99}] must hold numbers, got {value!r:.99}")


def _check_course(course: dict[str, Any]) -> bool:
    """Raise ValueError for what `Course.unpack` cannot take; return whether it has best weights."""
    as_integer(_entry(course, "epochs", int), "epochs", 0)
    _entry(course, "ended", bool)
    for name in ("stopping", "adaptive"):
        count = _entry(course, name, list)
        if len(count) != 2:
            raise ValueError(f"{name} must be a pair, got {count!r:.99}")
        _typed(count[0], name, float, int, type(None))
        as_integer(_typed(count[1], name, int), name, 0)
    return bool(_entry(course, "best", bool))


def _check_state(state: dict[str, Any], below: dict[str, Any]) -> None:
    """Raise ValueError for a state that NumPy's generator would refuse, with errors of many kinds."""
    for name, bound in below.items():
        value = _entry(state, name, type(bound))
        if isinstance(bound, dict):
            _check_state(value, bound)
        elif not 0 <= value < bound:
            raise ValueError(f"random_state has a {name} out of range")


def _check_form(name: str, found: Form, wanted: Form) -> None:
    for what, is_, should_be in zip(("shape", "dtype"), found, wanted, strict=True):
        if is_ != should_be:
            raise ValueError(f"{name} has {what} {is_}, its settings want {should_be}")


def _check_finite(name: str, array: NDArray[Any]) -> None:
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds nan or inf")


def _entry(table: dict[str, Any], name: str, *types: type) -> Any:
    """Return the value of this name; raise ValueError unless it is of one of these types. A bool is no int."""
    if name not in table:
        raise ValueError(f"header lacks {name!r}")
    return _typed(table[name], name, *types)


def _typed(value: Any, name: str, *types: type) -> Any:
    if type(value) not in types:
        wanted = " or ".join(each.__name__ for each in types)
        raise ValueError(f"header lacks {name} of type {wanted}; it has {value!r:.99}")
    return value
