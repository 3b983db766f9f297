"""How many threads long calls use."""

from __future__ import annotations

import importlib
import os

import numba

from fastact._core.arrays import as_int
from fastact._core.cores import usable_cores
from fastact._kernels.native import pool

__all__ = ["get_num_threads", "set_num_threads"]

_MOST = int(numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]


def set_num_threads(n: int) -> None:
    """Use up to n threads for long calls.

    At first they are as many as NUMBA_NUM_THREADS says, or else as the cores that this process may keep busy: a
    container's limit on CPU time counts.

    Parameters
    ----------
    n : int

    Raises
    ------
    ValueError
        If n is not between 1 and the number that Numba started with (NUMBA_NUM_THREADS, by default the cores).

    Examples
    --------
    >>> import fastact as fa
    >>> before = fa.get_num_threads()
    >>> fa.set_num_threads(1)
    >>> fa.get_num_threads()
    1
    >>> fa.set_num_threads(before)
    """
    n = as_int("n", n)
    if not 1 <= n <= _MOST:
        raise ValueError(
            f"n={n!r} threads; it must be from 1 to {_MOST} (NUMBA_NUM_THREADS, set before import, raises it)"
        )
    pool.set_num_threads(n)


def get_num_threads() -> int:
    """The most threads that a parallel loop uses.

    Returns
    -------
    int

    Examples
    --------
    >>> import fastact as fa
    >>> fa.get_num_threads() >= 1
    True
    """
    return int(pool.get_num_threads())


def _compile_launcher() -> int:
    return int(importlib.import_module("fastact._kernels.compile.launcher").compile_launcher())


pool.compile_launcher = _compile_launcher
pool.set_num_threads(_MOST if "NUMBA_NUM_THREADS" in os.environ else min(_MOST, usable_cores()))
