"""How a user's own activation reaches another process: by its module, by its file, or by its formulas themselves.

An activation that a module has under its name goes as functions do. One of a file that functions/own.py loaded takes
the file's text with it, and one of a script or a notebook its formulas; there it is registered under its name.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from fastact._core import registry
from fastact._kernels.compile.fingerprint import fingerprint
from fastact.errors import MissingDependencyError, UnknownNameError

__all__ = ["reduced"]

#: Modules that another process has under the same name, with other contents.
_MAIN = "__main__", "__mp_main__"


def reduced(activation: Any) -> Any:
    """What pickles write of an activation."""
    module = activation.__module__ or "__main__"  # what exec defined has none
    if module.startswith("fastact."):
        return registry.get, (activation.name,)
    if activation._sent is not None:
        return activation._sent
    found: Any = sys.modules.get(module)
    for name in activation.__qualname__.split("."):
        found = getattr(found, name, None)
    if found is activation and module not in _MAIN:
        return activation.__qualname__
    if activation._identity is None:
        activation._identity = os.urandom(16).hex()
    return arrived, (activation.name, activation._identity, _meaning(activation), _packed(activation))


def _packed(activation: Any) -> bytes | None:
    """Its definition, functions by value; None where something in it cannot be sent."""
    from numba import cloudpickle

    try:
        packed: bytes = cloudpickle.dumps((type(activation), activation._definition()))
    except Exception:  # whatever an object that a formula names raises
        return None
    return packed


def _meaning(activation: Any) -> str | None:
    """Return a text that only equal formulas share; None if that cannot be told."""
    return fingerprint(activation._jitted)


def arrived(name: str, identity: str, meaning: str | None, packed: bytes | None) -> Any:
    """The activation that another process, or this one, sent; it is registered here, unless it is so already.

    Raises
    ------
    UnknownNameError
        If its formulas could not be sent, and no activation of its name is known here.
    ValueError
        If another one of its name was defined here.
    """
    known = registry.find(name)
    if known is not None and known._identity == identity:
        return known
    if known is not None and not known._came:
        if meaning is not None and _meaning(known) not in (None, meaning):
            raise ValueError(
                f"an activation named {name!r} came from another process, and another one of this name is defined "
                "here; rename one of them"
            )
        return known
    if packed is None:
        raise UnknownNameError(
            f"activation {name!r} is not known in this process, and its formulas could not be sent here; define it in "
            "a module that both processes import"
        )
    from numba import cloudpickle

    try:
        kind, definition = cloudpickle.loads(packed)
    except ImportError as error:
        raise MissingDependencyError(f"activation {name!r} needs a module that is not here: {error}") from error
    if known is not None:
        registry.forget(known)  # an earlier one of this name, of a process that has defined it anew
    activation = kind._defined(definition)
    activation._identity, activation._came = identity, True
    return activation
