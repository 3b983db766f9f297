"""Which backend takes a call: asked for by name it works or raises; chosen automatically it may fall back.

The common elementwise call never arrives: `QuickCall` (_kernels/native/ufunc.pyx) sends plain NumPy operands straight
to the loop unless a backend was asked for. The table of backends is in backends.py.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastact._core.backends import AUTOMATIC, BACKENDS, FAMILIES, FROM_ENVIRONMENT, Backend, in_force
from fastact._core.devices import REPEATS, on_gpu
from fastact._kernels.native.ufunc import note_override
from fastact._kernels.scalar.primitives import not_compiling
from fastact.errors import BackendError, UnknownNameError, nearest

__all__ = ["automatic", "backends", "choose", "find", "force", "load", "repeated", "requested", "use_backend"]

NAMES = ("auto", *BACKENDS)


def _check_name(name: str, source: str) -> str:
    if name not in NAMES:
        raise UnknownNameError(f"unknown backend {name!r} in {source}{nearest(name, NAMES)}")
    return name


@functools.cache
def find(name: str | None) -> Backend:
    """The backend of this name, whether it works here or not; None stands for the automatic one."""
    module = AUTOMATIC if name is None else BACKENDS[name].module
    backend: Backend = importlib.import_module(module).backend
    return backend


def load(name: str) -> Backend:
    """The backend of this name; BackendError if it does not work here."""
    backend = find(name)
    reason = backend.why_not()
    if reason is not None:
        raise BackendError(f"backend {name!r} is not available: {reason}")
    return backend


def requested(backend: str | None) -> Any:
    """The backend asked for: by the call, else by `use_backend`, else by FASTACT_BACKEND; "auto" if by none."""
    asked = in_force.get()
    if asked is not None and type(asked) is not str:  # an explanation
        return asked if backend is None else asked.asking(_check_name(backend, "backend="))
    if backend is not None:
        return _check_name(backend, "backend=")
    if asked is None:
        return "auto"
    if asked is FROM_ENVIRONMENT:
        _check_name(asked, "the environment variable FASTACT_BACKEND")
    return asked


@functools.cache
def automatic(family: str) -> Backend:
    """The first backend of the family that works here, for host arrays."""
    return next(backend for backend in map(find, FAMILIES[family]) if backend.why_not() is None)


def choose(family: str, backend: str | None, *operands: Any) -> Backend:
    """The backend that takes a call of the family with these operands, or what tells of it in its place."""
    asked = requested(backend)
    if type(asked) is str:
        return _chosen(family, asked, operands)
    stand_in: Backend = asked.of(_chosen(family, asked.backend, operands))
    return stand_in


def _chosen(family: str, asked: str, operands: tuple[Any, ...]) -> Backend:
    gpu = any(map(on_gpu, operands))
    if asked == "auto":
        if not gpu:
            return automatic(family)
        asked = "cuda"
    elif gpu and asked != "cuda":
        raise BackendError(
            f"backend {asked!r} takes host arrays, but an operand is on the GPU; copy it to the host first, or let the "
            "backend be 'cuda'"
        )
    chosen = load(asked)
    if asked not in FAMILIES[family]:
        offering = ", ".join(name for name in FAMILIES[family] if name)
        raise BackendError(f"backend {asked!r} has no {family} functions; those that have: {offering}")
    return chosen


def repeated(
    function: Any, backend: str | None, operands: tuple[Any, ...], out: Any, options: tuple[Any, ...] = ()
) -> Any:
    """The result of a call like one made before, whose first operand is of a class in `REPEATS`; None for any other."""
    if requested(backend) not in ("auto", "cuda"):
        return None
    return REPEATS[type(operands[0])](function, operands, out, options)


@contextmanager
def use_backend(name: str) -> Iterator[None]:
    """Ask for a backend in a `with` block, for this thread and what it starts.

    Parameters
    ----------
    name : {"auto", "serial", "threads", "parallel", "cython", "cuda", "numpy"}

    Raises
    ------
    UnknownNameError
        For a name that is none of these.
    BackendError
        If that backend does not work here; the message says why and what to do.

    Examples
    --------
    >>> import fastact as fa
    >>> with fa.use_backend("numpy"):
    ...     y = fa.gelu([-1.0, 0.0, 1.0])
    """
    _check_name(name, "use_backend()")
    if name != "auto":
        load(name)
    with force(name):
        yield


@contextmanager
def force(asked: Any) -> Iterator[None]:
    """Let every call in the block, the common ones too, ask `requested`, which gives what is asked here."""
    note_override(in_force)
    before = in_force.get()
    explaining = before is not None and type(before) is not str
    token = in_force.set(before.asking(asked) if explaining and type(asked) is str else asked)
    try:
        yield
    finally:
        in_force.reset(token)


def backends() -> dict[str, str]:
    """The backends and, for each, "available" or the reason why it is not.

    Returns
    -------
    dict of str to str

    Examples
    --------
    >>> import fastact as fa
    >>> fa.backends()["serial"]
    'available'
    """
    return {name: find(name).why_not() or "available" for name in BACKENDS}


if FROM_ENVIRONMENT != "auto" or not_compiling() is not None:
    note_override()
