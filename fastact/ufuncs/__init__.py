"""The genuine NumPy ufuncs behind fastact's elementwise functions, by name; pickles find them here.

    from fastact.ufuncs import gelu, gelu_backward

A name is a function's, perhaps with one of its parts: ``gelu``, ``gelu_derivative``, ``leaky_relu_alpha_derivative``,
``swiglu_backward``, ``mse_value``. Each takes its arrays and then every parameter, all of one dtype. The endings
``__serial``, ``__own``, ``__numba`` and ``__python`` name the threads that compute; without one the work of a call
decides. weak.py has the same ufuncs for parameters that are Python numbers.
"""

from __future__ import annotations

from typing import Any

from fastact._core import registry
from fastact._native.ufunc import Threads

__all__ = ["find"]


def find(module: str, name: str, numbers: bool) -> Any:
    """The ufunc of this name, for parameters that are Python numbers or arrays; AttributeError if there is none."""
    operation, _, threads = name.partition("__")
    words = operation.split("_")
    for length in range(len(words), 0, -1):
        owner = "_".join(words[:length])
        if owner in registry.names():
            try:
                part = registry.get(owner).part("_".join(words[length:]) or "forward")
                return part.ufunc_for(Threads[threads.upper() or "AUTO"], numbers)
            except (KeyError, TypeError, ValueError):
                break
    raise AttributeError(f"{module} has no {name!r}")


def __getattr__(name: str) -> Any:
    return find(__name__, name, numbers=False)


from fastact.ufuncs import weak as weak  # noqa: E402 - a pickle may name it without an import
