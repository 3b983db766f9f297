"""Containers of other libraries as arguments. To add a library, write libraries/NAME.py, with an object `adapter`.

What libraries have in common is in roles.py, which says what the arguments and results of a call are, in tensors.py and
in frames.py, for containers with labels or missing values; those hand what is missing on as NumPy's masked arrays.
"""

from __future__ import annotations

import pkgutil

from fastact.interop.containers import libraries, stored

__all__ = ["module_of"]

#: Library -> the file with its adapter: first those that do not have the library's name.
_FILES = {"DLPack": "dlpack", "numpy.ma": "masked", "jaxlib": "libraries.jax"}
_FILES |= dict.fromkeys(stored.LIBRARIES, "stored")
_FILES |= {each.name: f"libraries.{each.name}" for each in pkgutil.iter_modules(libraries.__path__)}


def module_of(library: str) -> str | None:
    """Return the module whose `adapter` takes calls with the containers of a library, None if there is none."""
    return f"{__name__}.{_FILES[library]}" if library in _FILES else None
