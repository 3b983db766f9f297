"""The names of everything fastact can compute; each public function adds itself.

`get` and `names` are public. Everything above the functions (command line, trainer, tests, docs) loops over them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastact.errors import UnknownNameError, nearest

__all__ = ["add", "all_or_nothing", "find", "find_part", "forget", "get", "names"]

#: In the order in which a beginner should meet them; within a kind functions come in the order of their definitions.
KINDS = ("activation", "softmax", "reduction", "sampling", "gated unit", "loss")

_functions: dict[str, Any] = {}
_aliases: dict[str, str] = {}


def add(function: Any) -> None:
    """Register a function under its name and aliases; raise ValueError if another one has such a name."""
    for name in (function.name, *function.aliases):
        if name in _functions or name in _aliases or find_part(name) is not None:
            raise ValueError(f"a function named {name!r} exists already; choose another name")
    _functions[function.name] = function
    _aliases.update(dict.fromkeys(function.aliases, function.name))


def find(name: str) -> Any:
    """The function of this name or alias; None if there is none."""
    return _functions.get(_aliases.get(name, name))


def forget(function: Any) -> None:
    """Take a function out."""
    del _functions[function.name]
    for alias in function.aliases:
        del _aliases[alias]


@contextmanager
def all_or_nothing() -> Iterator[None]:
    """Forget what a `with` block registers if it raises an error."""
    before = dict(_functions), dict(_aliases)
    try:
        yield
    except BaseException:
        for known, earlier in zip((_functions, _aliases), before, strict=True):
            known.clear()
            known.update(earlier)
        raise


def find_part(name: str) -> Any:
    """The operation of this name, a function's followed by a part's as in "gelu_backward"; None if there is none."""
    words = name.split("_")
    for length in range(len(words), 0, -1):
        owner = _functions.get("_".join(words[:length]))
        if owner is not None:
            try:
                return owner._part("_".join(words[length:]) or "forward")
            except (TypeError, ValueError):  # it has no such part, or was defined without it
                return None
    return None


def names(kind: str | None = None) -> list[str]:
    """The names of all functions, without aliases, in the order in which a beginner should meet them.

    Parameters
    ----------
    kind : {"activation", "softmax", "reduction", "sampling", "gated unit", "loss"}, optional
        Only functions of this kind.

    Returns
    -------
    list of str

    Raises
    ------
    UnknownNameError
        If there is no such kind.

    Examples
    --------
    >>> import fastact as fa
    >>> fa.names("reduction")
    ['logsumexp']
    """
    if kind is not None and kind not in KINDS:
        raise UnknownNameError(f"kind={kind!r}{nearest(kind, KINDS)}")
    kinds = KINDS if kind is None else (kind,)
    return [name for each in kinds for name, function in _functions.items() if function.kind == each]


def get(name: str) -> Any:
    """The function of this name or alias.

    Parameters
    ----------
    name : str

    Returns
    -------
    Function

    Raises
    ------
    UnknownNameError
        If there is none; the message names the nearest.

    Examples
    --------
    >>> import fastact as fa
    >>> fa.get("relu") is fa.relu
    True
    """
    try:
        return _functions[_aliases.get(name, name)]
    except (KeyError, TypeError):
        raise UnknownNameError(f"unknown function {name!r}{nearest(name, [*_functions, *_aliases])}") from None


get.__module__ = "fastact"  # pickles of every function name it
