"""Which backend takes a call: asked for by name it works or raises; chosen automatically it may fall back.

A call goes public object -> here -> backend. The common case never arrives: `Operation` (_ufunc.pyx) sends plain NumPy
operands straight to the ufunc unless a backend was asked for. To add one: its file, and a line in each table below.
"""

from __future__ import annotations

import functools
import importlib
import operator
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import numba
import numpy as np

from fastact._core.cores import usable_cores
from fastact._core.devices import on_gpu
from fastact._native import pool
from fastact._native import ufunc as _ufunc
from fastact.errors import BackendError, UnknownNameError, nearest

__all__ = [
    "backends", "choose", "common_softmax", "elementwise", "explain", "get_num_threads", "offer_to_cuda",
    "set_num_threads", "total", "use_backend", "vectorize",
]  # fmt: skip

#: name -> (module, what it is)
BACKENDS = {
    "serial": ("fastact.backends.cpu.serial", "Numba loops on one core"),
    "threads": ("fastact.backends.cpu.threads", "the same loops on fastact's own threads"),
    "parallel": ("fastact.backends.cpu.parallel", "the same loops on Numba's threads"),
    "cython": ("fastact.backends.cpu.cython", "softmax family on the CPU"),
    "cuda": ("fastact.backends.cuda", "Numba kernels on an NVIDIA GPU"),
    "numpy": ("fastact.backends.numpy", "plain NumPy, the readable reference"),
}
NAMES = ("auto", *BACKENDS)

#: family -> the backends that offer it; host arrays go to the first one
FAMILIES = {
    "elementwise": ("serial", "threads", "parallel", "cuda", "numpy"),
    "softmax": ("cython", "serial", "threads", "parallel", "cuda", "numpy"),
    "sparse": ("threads", "serial", "parallel", "cuda", "numpy"),
    "cross_entropy": ("cython", "cuda", "numpy"),
}

#: The environment is read once, at import.
_FROM_ENVIRONMENT = os.environ.get("FASTACT_BACKEND") or "auto"

_in_force: ContextVar[str | None] = ContextVar("fastact_backend", default=None)


def _check_name(name: str, source: str) -> str:
    if name not in NAMES:
        raise UnknownNameError(f"unknown backend {name!r} in {source}{nearest(name, NAMES)}")
    return name


@functools.cache
def _module(name: str) -> ModuleType:
    return importlib.import_module(BACKENDS[name][0])


def _load(name: str) -> ModuleType:
    """The module of a backend that works here."""
    module = _module(name)
    reason = module.why_not()
    if reason is not None:
        raise BackendError(f"backend {name!r} is not available: {reason}")
    return module


def _requested(backend: str | None) -> str:
    """The backend asked for: by the call, else by `use_backend`, else by FASTACT_BACKEND; "auto" if by none."""
    if backend is not None:
        return _check_name(backend, "backend=")
    name = _in_force.get()
    if name is not None:
        return name
    if _FROM_ENVIRONMENT != "auto":
        _check_name(_FROM_ENVIRONMENT, "the environment variable FASTACT_BACKEND")
    return _FROM_ENVIRONMENT


@functools.cache
def _automatic(family: str) -> ModuleType:
    """The first backend of the family that works here."""
    works = (name for name in FAMILIES[family] if _module(name).why_not() is None)
    return _module(next(works))


def choose(family: str, backend: str | None, *operands: Any) -> ModuleType:
    """The module of the backend for these operands, which offers the functions of the family."""
    name = _requested(backend)
    gpu = any(map(on_gpu, operands))
    if name == "auto":
        if not gpu:
            return _automatic(family)
        name = "cuda"
    elif gpu and name != "cuda":
        raise BackendError(
            f"backend {name!r} takes host arrays, but an operand is on the GPU; copy it to the host first, or let the "
            "backend be 'cuda'"
        )
    module = _load(name)
    if name not in FAMILIES[family]:
        raise BackendError(
            f"backend {name!r} has no {family} functions; those that have: {', '.join(FAMILIES[family])}"
        )
    return module


def elementwise(operation: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    """Call an elementwise operation with anything its users may write."""
    keywords = dict(keywords)
    backend = keywords.pop("backend", None)
    for keyword, choices in operation.variants.items():
        if keyword in keywords:
            value = keywords.pop(keyword)
            if value not in choices:
                raise UnknownNameError(f"{operation.name}() got {keyword}={value!r}{nearest(value, choices)}")
            operation = choices[value]
    operands = operation.bind(arguments, keywords)
    if _requested(backend) == "auto":
        if any(map(on_gpu, operands)):
            return _load("cuda").elementwise(operation, operands, keywords)
        if _NO_LOOPS is not None:
            return _automatic("elementwise").elementwise(operation, operands, keywords)
        return operation.run(_ufunc.Threads.AUTO, operands, keywords)
    return choose("elementwise", backend, *operands).elementwise(operation, operands, keywords)


def common_softmax(kernel: int, grad: Any, x: Any, axis: Any, out: Any) -> Any:
    """The result of a call without options that the cython backend takes as it is, in the least time; else None."""
    if type(x) is np.ndarray and kernel >= 0 and _in_force.get() is None and _FROM_ENVIRONMENT == "auto":
        return _automatic("softmax").common(kernel, grad, x, axis, out)
    return None


def total(values: np.ndarray) -> float:
    """The sum of a contiguous float32 or float64 array, in float64."""
    return float(_automatic("cross_entropy").total(values))


def vectorize(operation: Any, target: str) -> Any:
    """Numba's `@vectorize` ufunc of an operation's formula."""
    if target not in ("cpu", "parallel", "cuda"):
        raise UnknownNameError(f"unknown target {target!r}{nearest(target, ('cpu', 'parallel', 'cuda'))}")
    if operation.outputs > 1:
        raise TypeError(f"{operation.name} has several results; numba.vectorize makes functions of one")
    if target == "cuda":
        return _load("cuda").vectorize(operation)
    arity = operation.inputs + len(operation.parameters)
    signatures = [numba.from_dtype(np.dtype(c))(*[numba.from_dtype(np.dtype(c))] * arity) for c in operation.dtypes]
    return numba.vectorize(signatures, target=target)(operation.scalar.py_func)


def offer_to_cuda() -> None:
    """Let the user's own CUDA kernels call formulas, where numba-cuda is in use."""
    if "numba.cuda" in sys.modules and find_spec("numba_cuda") is not None:
        _module("cuda").register()


@contextmanager
def use_backend(name: str) -> Iterator[None]:
    """Ask for a backend in a `with` block, for this thread and what it starts.

    Parameters
    ----------
    name : {"auto", "serial", "parallel", "cython", "cuda", "numpy"}

    Raises
    ------
    UnknownNameError
        For a name that is none of these.
    BackendError
        If that backend does not work here; the message says why and what to do.
    """
    _check_name(name, "use_backend()")
    if name != "auto":
        _load(name)
    _ufunc.note_override(_in_force)
    token = _in_force.set(name)
    try:
        yield
    finally:
        _in_force.reset(token)


def backends() -> dict[str, str]:
    """The backends and, for each, "available" or the reason why it is not."""
    return {name: _module(name).why_not() or "available" for name in BACKENDS}


def explain(function: Any, *arguments: Any, backend: str | None = None, **keywords: Any) -> str:
    """Which backend and loop a call would take, and why; nothing is computed.

    Parameters
    ----------
    function : a fastact function
    *arguments, backend, **keywords : as for the call

    Returns
    -------
    str
    """
    name = _requested(backend)
    why = "asked for" if name != "auto" else "automatic"
    if hasattr(function, "explain"):
        choice = function.explain(choose(function.family, backend, arguments[0]), *arguments, **keywords)
        return f"{function.name}: {choice} ({why})"
    operands = function.bind(arguments, dict(keywords))
    if name == "auto" and any(map(on_gpu, operands)):
        name = "cuda"
    elif name == "auto" and _NO_LOOPS is not None:
        name, why = "numpy", f"automatic: {_NO_LOOPS}"
    if name not in ("auto", "serial", "threads", "parallel"):
        choose("elementwise", backend, *operands)
        return f"{function.name}: backend {name!r}, {BACKENDS[name][1]} ({why})"
    shape = np.broadcast_shapes(*(np.shape(operand) for operand in operands))
    size = int(np.prod(shape))
    loop = function.result_dtype(operands, keywords.get("dtype"), keywords.get("casting", "same_kind"))
    if name == "auto":
        work = size * function.cost(loop)
        if work < pool.FROM_AWAKE:
            name, why = "serial", f"automatic: {work / 1000:.1f} us of work, less than {pool.FROM_AWAKE / 1000:g}"
        elif get_num_threads() == 1:
            name, why = "serial", "automatic: one thread is set"
        else:
            name, why = "threads", f"automatic: {work / 1000:.1f} us of work"
            if work < pool.FROM_ASLEEP:
                why += f", less than {pool.FROM_ASLEEP / 1000:g}: right after another call, else serial"
    threads = 1 if name == "serial" else get_num_threads()
    return f"{function.name}: backend {name!r}, {loop} loop, {threads} thread{'s' * (threads > 1)} ({why})"


def set_num_threads(n: int) -> None:
    """Use up to n threads for long calls.

    At first they are as many as NUMBA_NUM_THREADS says, or else as the cores that this process may keep busy: a
    container's limit on CPU time counts.

    Raises
    ------
    ValueError
        If n is not between 1 and the number that Numba started with (NUMBA_NUM_THREADS, by default the cores).
    """
    n = operator.index(n)
    most = int(numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]
    if not 1 <= n <= most:
        raise ValueError(
            f"n={n!r} threads; it must be from 1 to {most} (NUMBA_NUM_THREADS, set before import, raises it)"
        )
    pool.set_num_threads(n)


def get_num_threads() -> int:
    """The most threads that a parallel loop uses."""
    return int(pool.get_num_threads())


def _compile_launcher() -> int:
    return importlib.import_module("fastact.backends.cpu.parallel").compile_launcher()


pool.compile_launcher = _compile_launcher
pool.set_num_threads(
    numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    if "NUMBA_NUM_THREADS" in os.environ
    else min(numba.config.NUMBA_NUM_THREADS, usable_cores())  # type: ignore[attr-defined]
)
#: Why elementwise calls cannot take compiled loops, and run as plain NumPy; None where they can.
_NO_LOOPS = _module("serial").why_not()
if _FROM_ENVIRONMENT != "auto" or _NO_LOOPS is not None:
    _ufunc.note_override()
