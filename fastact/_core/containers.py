"""Containers of arrays that are not NumPy's own, such as data frames and lazy arrays: which adapter takes a call.

A public function asks `adapter` before it chooses a backend, and hands a call that has one over as it was written. The
adapter calls the function again with plain arrays, and gives the result the container's form. To add a library, write
fastact/interop/containers/libraries/NAME.py with an object `adapter`; from outside, say `ADAPTERS[NAME] = MODULE`.
"""

from __future__ import annotations

import functools
import importlib
from collections import UserDict
from collections.abc import Iterable
from typing import Any

import numpy as np

from fastact._core.devices import on_gpu
from fastact._core.services import service

__all__ = ["ADAPTERS", "Adapter", "adapter"]


class _Adapters(UserDict[str, str]):
    """A table that makes calls look for their adapters anew when it changes."""

    def __setitem__(self, library: str, module: str) -> None:
        super().__setitem__(library, module)
        self._forget()

    def __delitem__(self, library: str) -> None:
        super().__delitem__(library)
        self._forget()

    def _forget(self) -> None:
        for cached in _found, _load:
            cached.cache_clear()


#: Libraries -> modules whose `adapter` takes calls with their types, before the files of interop/containers are asked.
#: The first such call loads the module.
ADAPTERS = _Adapters()

#: Types that no adapter is looked for, by far the most frequent ones.
_PLAIN = frozenset({np.ndarray, type(None), float, int, bool, str})


class Adapter:
    """What adapts calls to the containers of one library.

    Attributes
    ----------
    elementwise : bool
        Whether calls of single elements need it too: not where the library makes them of ufuncs by itself.
    beside : frozenset of str
        Other libraries whose containers may be arguments of the same call.
    """

    elementwise = False
    beside: frozenset[str] = frozenset()

    def call(self, function: Any, method: str, operands: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """getattr(function, method)(*operands, **options), where some of these are containers of the library.

        `method` is "__call__", "backward", "value_and_grad" or "parameter_backward"; options that the user left out may
        be missing or None. NotImplemented leaves a call of single elements to the library and the ufunc.
        """
        raise NotImplementedError

    def refusal(self, function: Any, arguments: Iterable[Any]) -> TypeError:
        """The error for a call with objects of the library of which none is a container."""
        kinds: list[Any] = [type(each) for each in arguments]
        kind = next(each for each in kinds if _found(each) is not None)
        what = f"{kind.__module__.partition('.')[0]}.{kind.__name__}"
        return TypeError(f"{function.name} does not take a {what}; pass an array")


def adapter(*arguments: Any, elementwise: bool = False) -> Adapter | None:
    """The adapter that takes a call with these arguments, of which None, numbers and ndarrays are none's.

    Calls with an array on a GPU are that backend's.

    Raises
    ------
    TypeError
        If containers of several libraries are mixed.
    """
    found: dict[str, str] = {}
    for each in arguments:
        if type(each) in _PLAIN:
            continue
        kind: Any = type(each)
        library_and_module = _found(kind)
        if library_and_module is not None:
            if on_gpu(each):
                return None
            library, module = library_and_module
            found.setdefault(module, library)
    if not found:
        return None
    chosen = _foremost(found)
    return chosen if chosen.elementwise or not elementwise else None


def _foremost(found: dict[str, str]) -> Adapter:
    """The adapter beside which all others may stand, of modules and their libraries; TypeError if there is none."""
    for module, library in found.items():
        if _load(module).beside.issuperset(set(found.values()) - {library}):
            return _load(module)
    first, second, *_ = found.values()
    raise TypeError(f"arguments of {first} and of {second} are mixed; convert them to one of both")


@functools.cache
def _found(kind: type) -> tuple[str, str] | None:
    """The library of this type, or of the type that it is derived from, and the module of its adapter, if any."""
    names = ["numpy.ma" if base is np.ma.MaskedArray else base.__module__.partition(".")[0] for base in kind.__mro__]
    if hasattr(kind, "__dlpack__") and not issubclass(kind, np.ndarray):
        names.append("DLPack")
    for name in names:
        if name not in ("builtins", "numpy"):
            module = ADAPTERS.get(name) or service("adapter of a library")(name)
            if module is not None:
                return name, module
    return None


@functools.cache
def _load(module: str) -> Adapter:
    found: Adapter = importlib.import_module(module).adapter
    return found
