"""The names of everything fastact can compute; each public function adds itself.

`get` and `names` are public. Everything above the functions (command line, trainer, tests, docs) loops over them.
"""

from __future__ import annotations

from typing import Any

from fastact.errors import UnknownNameError, nearest

__all__ = ["add", "get", "names"]

#: In the order in which a beginner should meet them; within a kind functions come in the order of their definitions.
KINDS = ("activation", "softmax", "reduction", "sampling", "gated unit", "loss")

_functions: dict[str, Any] = {}
_aliases: dict[str, str] = {}


def add(function: Any) -> None:
    """Register a function under its name and aliases; raise ValueError if another one has such a name."""
    for name in (function.name, *function.aliases):
        if name in _functions or name in _aliases or _is_part(name):
            raise ValueError(f"a function named {name!r} exists already; choose another name")
    _functions[function.name] = function
    _aliases.update(dict.fromkeys(function.aliases, function.name))


def _is_part(name: str) -> bool:
    """Whether a part of a function has this name in `fastact.ufuncs`."""
    for owner, function in _functions.items():
        if name.startswith(f"{owner}_"):
            try:
                function.part(name.removeprefix(f"{owner}_"))
            except (TypeError, ValueError):
                continue
            return True
    return False


def names(kind: str | None = None) -> list[str]:
    """The names of all functions, without aliases, in the order in which a beginner should meet them.

    Parameters
    ----------
    kind : {"activation", "softmax", "reduction", "sampling", "gated unit", "loss"}, optional
        Only functions of this kind.

    Raises
    ------
    UnknownNameError
        If there is no such kind.
    """
    if kind is not None and kind not in KINDS:
        raise UnknownNameError(f"kind={kind!r}{nearest(kind, KINDS)}")
    kinds = KINDS if kind is None else (kind,)
    return [name for each in kinds for name, function in _functions.items() if function.kind == each]


def get(name: str) -> Any:
    """The function of this name or alias.

    Raises
    ------
    UnknownNameError
        If there is none; the message names the nearest.
    """
    try:
        return _functions[_aliases.get(name, name)]
    except (KeyError, TypeError):
        raise UnknownNameError(f"unknown function {name!r}{nearest(name, [*_functions, *_aliases])}") from None


get.__module__ = "fastact"  # pickles of every function name it
