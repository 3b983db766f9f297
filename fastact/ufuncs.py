"""The genuine NumPy ufuncs behind fastact's elementwise functions, by name; pickles find them here.

    from fastact.ufuncs import gelu, gelu_backward

Each takes its arrays and then every parameter, all of one dtype. A name is a function's, perhaps with one of its parts:
``gelu``, ``gelu_derivative``, ``leaky_relu_alpha_derivative``, ``swiglu_backward``, ``mse_value``. Two endings select
what calls take in special cases: ``__numbers`` takes parameters that are Python numbers, which leave the arrays' dtype
alone, and ``__serial``, ``__own``, ``__numba`` and ``__python`` name the threads that do it.
"""

from __future__ import annotations

from typing import Any

from fastact._core import registry
from fastact._native.ufunc import Threads

__all__: list[str] = []


def __getattr__(name: str) -> Any:
    operation, *endings = name.split("__")
    words = operation.split("_")
    for length in range(len(words), 0, -1):
        owner = "_".join(words[:length])
        if owner in registry.names():
            try:
                found = registry.get(owner).part("_".join(words[length:]) or "forward")
                return found.ufunc_for(*_kind_of(endings))
            except (KeyError, TypeError, ValueError):
                break
    raise AttributeError(f"fastact.ufuncs has no {name!r}")


def _kind_of(endings: list[str]) -> tuple[int, bool]:
    """The threads, and whether parameters are numbers; KeyError for an unknown ending."""
    numbers = endings[:1] == ["numbers"]
    (threads,) = endings[numbers:] or ["auto"]
    return Threads[threads.upper()], numbers
