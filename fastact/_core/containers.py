"""Containers of arrays that are not NumPy's own, such as data frames and lazy arrays: which adapter takes a call.

A public function asks `adapter` before it chooses a backend, and hands a call that has one over as it was written. The
adapter calls the function again with plain arrays, and gives the result the container's form. To add a library, write
its module below fastact/interop/containers, with an object `adapter`, and a line in `ADAPTERS`.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from fastact._core.devices import on_gpu

__all__ = ["ADAPTERS", "Adapter", "adapter"]

#: The library of a type -> the module whose `adapter` takes calls with it; loaded by the first such call.
ADAPTERS = {
    "dask": "fastact.dask.calls",
    "jax": "fastact.interop.containers.jax",
    "jaxlib": "fastact.interop.containers.jax",
    "numpy.ma": "fastact.interop.containers.masked",
    "pandas": "fastact.interop.containers.pandas",
    "polars": "fastact.interop.containers.polars",
    "pyarrow": "fastact.interop.containers.arrow",
    "scipy": "fastact.interop.containers.scipy",
    "sparse": "fastact.interop.containers.sparse",
    "torch": "fastact.interop.containers.torch",
    "xarray": "fastact.interop.containers.xarray",
    # Any other type that exports its memory by DLPack.
    "DLPack": "fastact.interop.containers.dlpack",
    # What np.asarray would read or compute whole, without a word.
    **dict.fromkeys(("cubed", "h5py", "netCDF4", "tensorstore", "zarr"), "fastact.interop.containers.stored"),
}

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
        kind = next(each for each in kinds if _library(each) is not None)
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
        library = _library(kind)
        if library is not None:
            if on_gpu(each):
                return None
            found.setdefault(ADAPTERS[library], library)
    if not found:
        return None
    chosen = _foremost(tuple(found.values()))
    return chosen if chosen.elementwise or not elementwise else None


def _foremost(libraries: tuple[str, ...]) -> Adapter:
    """The adapter beside which all others may stand; TypeError if there is none."""
    for each in libraries:
        if _adapter(each).beside.issuperset(set(libraries) - {each}):
            return _adapter(each)
    raise TypeError(f"arguments of {libraries[0]} and of {libraries[1]} are mixed; convert them to one of both")


@functools.cache
def _library(kind: type) -> str | None:
    """The library of this type, or of the type that it is derived from, if there is an adapter for it."""
    for base in kind.__mro__:
        name = "numpy.ma" if base is np.ma.MaskedArray else base.__module__.partition(".")[0]
        if name in ADAPTERS and name != "DLPack":
            return name
    return "DLPack" if hasattr(kind, "__dlpack__") and not issubclass(kind, np.ndarray) else None


@functools.cache
def _adapter(library: str) -> Adapter:
    found: Adapter = importlib.import_module(ADAPTERS[library]).adapter
    return found
