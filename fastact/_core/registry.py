"""The names of everything fastact can compute; each public object adds itself.

`get` and `names` are public. Everything above the catalogue (command line, trainer, tests, docs) loops over them.
"""

from __future__ import annotations

from typing import Any

from fastact.errors import UnknownNameError, nearest

__all__ = ["add", "get", "names"]

_objects: dict[str, Any] = {}
_aliases: dict[str, str] = {}


def add(public: Any) -> None:
    """Register a public object under its `name` and `aliases`; a name that is taken by another object is an error."""
    for name in (public.name, *public.aliases):
        if name in _objects or name in _aliases:
            raise ValueError(f"an activation named {name!r} exists already; choose another name")
    _objects[public.name] = public
    _aliases.update(dict.fromkeys(public.aliases, public.name))


def names() -> list[str]:
    """The names of all functions, in the catalogue's order, without aliases."""
    return list(_objects)


def get(name: str) -> Any:
    """The function of this name or alias.

    Raises
    ------
    UnknownNameError
        If there is none; the message names the nearest.
    """
    try:
        return _objects[_aliases.get(name, name)]
    except (KeyError, TypeError):
        raise UnknownNameError(f"unknown activation {name!r}{nearest(name, [*_objects, *_aliases])}") from None
