"""The genuine NumPy ufuncs behind fastact's elementwise functions, by name; pickles find them here.

    from fastact.ufuncs import gelu, gelu_backward

A name is a function's, perhaps with one of its parts: ``gelu``, ``gelu_derivative``, ``leaky_relu_alpha_derivative``,
``swiglu_backward``, ``mse_value``. Each takes its arrays and then every parameter, all of one dtype.

Modules beside this one have the ufuncs that calls take in other cases, under the same names: ``serial``, ``own``,
``numba`` and ``python`` say which threads compute, and ``weak`` after that, as in ``fastact.ufuncs.serial_weak``, that
parameters are Python numbers, which leave the arrays' dtype alone.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from fastact._core import registry
from fastact._kernels.native.ufunc import Threads

__all__: list[str] = []
__path__: list[str] = []  # a package, so that the modules below can be imported


def _found(module: str, name: str, threads: int, numbers: bool) -> Any:
    operation = registry.find_part(name)
    if operation is None:
        raise AttributeError(f"{module} has no {name!r}")
    return operation._ufunc_for(threads, numbers)


def __getattr__(name: str) -> Any:
    return _found(__name__, name, Threads.AUTO, False)


class _Ufuncs(ModuleType):
    """A module of the ufuncs of one case."""

    def __init__(self, name: str, threads: Threads, numbers: bool) -> None:
        super().__init__(name, f"Ufuncs for the threads {threads.name}; see fastact.ufuncs.")
        self._case = threads, numbers

    def __getattr__(self, name: str) -> Any:
        return _found(self.__name__, name, *self._case)


for _threads in Threads:
    for _numbers in (False, True):
        if _threads != Threads.AUTO or _numbers:
            _words = [*([] if _threads == Threads.AUTO else [_threads.name.lower()]), *(["weak"] if _numbers else [])]
            _name = f"{__name__}.{'_'.join(_words)}"
            sys.modules[_name] = _Ufuncs(_name, _threads, _numbers)
