"""Functions and their parts by name, as types and cached code keep them, and what each is made of."""

from __future__ import annotations

import functools
import inspect
from typing import Any
from weakref import WeakKeyDictionary

from fastact._core import registry
from fastact._core.operation import Operation
from fastact._kernels.compile import cache

__all__ = ["METHODS", "Method", "find", "method", "place_of", "signature_of", "stamp_of"]

#: Methods of functions that are no operations of their own.
METHODS = "backward", "parameter_derivative", "value_and_grad"

_stamps: WeakKeyDictionary[Any, str | None] = WeakKeyDictionary()


class Method:
    """A method of a public function, such as `softmax.backward`."""

    def __init__(self, function: Any, name: str) -> None:
        self.function, self.method = function, name
        self.name = f"{function.name}.{name}"


@functools.cache
def method(function: Any, name: str) -> Method:
    """Return the one object that stands for this method."""
    return Method(function, name)


def place_of(function: Any) -> tuple[str, str]:
    """The name of a public function, and of a part of it, "" for itself and ".backward" for such a method."""
    if isinstance(function, Method):
        return function.function.name, f".{function.method}"
    owner, part = getattr(function, "_place", (function, ""))
    return owner.name, part


def find(owner: str, part: str) -> Any:
    """The function or part at this place."""
    function = registry.get(owner)
    if part.startswith("."):
        return method(function, part[1:])
    return function._part(part) if part else function


@functools.cache
def signature_of(function: Any) -> inspect.Signature:
    """What a call takes, each argument by its name."""
    if isinstance(function, Method):
        owner, name = function.function, function.method
        definitions = (vars(kind)[name] for kind in type(owner).__mro__ if name in vars(kind))
        every = next(found for found in map(_parameters, definitions) if not _has(found, "VAR_POSITIONAL"))[1:]
    else:
        owner, every = function, _parameters(function)
    if _has(every, "VAR_KEYWORD"):
        *every, last = every
        known = {each.name for each in every}
        more = {name: default for name, default in owner.parameters.items() if name not in known}
        every += [last.replace(name=name, kind=last.KEYWORD_ONLY, default=more[name]) for name in more]
    return inspect.Signature(every)


def _parameters(function: Any) -> list[inspect.Parameter]:
    return list(inspect.signature(function).parameters.values())


def _has(parameters: list[inspect.Parameter], kind: str) -> bool:
    return any(each.kind.name == kind for each in parameters)


def stamp_of(function: Any) -> str | None:
    """A text that changes with what the function computes; None if that cannot be told.

    It is first asked for before the function is compiled, as `fingerprint` demands.
    """
    if isinstance(function, Method):
        return stamp_of(function.function)
    if function not in _stamps:
        formula = function._jitted if isinstance(function, Operation) else None
        definition = [place_of(function), dict(function.parameters)]
        if formula is not None:
            definition += [function._input_names, function._dtypes, function._outputs]
        _stamps[function] = cache.stamp(formula, definition)
    return _stamps[function]
