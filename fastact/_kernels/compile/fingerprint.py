"""A text that two formulas share only if Numba makes the same machine code of them, here or in another process.

Functions of fastact stand for themselves by name: the cache's environment holds their sources (cache.py). Of all others
the bytecode counts, with every value it can see. A value that is not understood here keeps the formula out of the
cache; it never makes it wrong. To let formulas use another kind of value, add it to `_described`.
"""

from __future__ import annotations

import dis
import struct
import sys
from collections.abc import Callable, Iterator
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numba.core.compiler import Compiler
from numba.core.registry import CPUDispatcher

__all__ = ["fingerprint"]

#: What belongs to the environment, which the cache's key holds already.
_KNOWN_PACKAGES = ("builtins", "math", "numpy", "fastact")

#: The descriptions under which the dispatchers of users were first met: Numba keeps the values of that time.
_first_met: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()


class _NotUnderstood(Exception):
    pass


def fingerprint(formula: Callable[..., Any]) -> str | None:
    """All that shapes the machine code of a jitted formula; None where that cannot be told."""
    try:
        return repr(_described(formula, ()))
    except _NotUnderstood:
        return None


def _described(value: Any, callers: tuple[Any, ...]) -> Any:
    """Nested tuples of texts: the type of a value and all its bits; `callers` are the functions on the way to it."""
    kind = type(value)
    if value is None or kind in (bool, int, str, bytes):
        return kind.__name__, repr(value)
    if kind is float:  # 0.0 is not -0.0, and NaN is itself
        return "float", struct.pack("<d", value).hex()
    if isinstance(value, np.number | np.bool):
        return value.dtype.str, value.tobytes().hex()
    if kind is tuple:
        return "tuple", *(_described(each, callers) for each in value)
    if kind in (set, frozenset):
        return "set", *sorted(repr(_described(each, callers)) for each in value)
    if kind is dict:
        return "dict", *((key, _described(each, callers)) for key, each in sorted(value.items()))
    if kind is CodeType:
        return _code(value, callers)
    if kind is CPUDispatcher:
        return _dispatcher(value, callers)
    if isinstance(value, ModuleType) and value is _known_module(value.__name__):
        return "module", value.__name__
    if isinstance(value, FunctionType | BuiltinFunctionType | type) and _found_by_name(value):
        return "name", value.__module__, value.__qualname__
    raise _NotUnderstood


def _known_module(name: str | None) -> ModuleType | None:
    """The module of this name, if it belongs to the environment."""
    return sys.modules.get(name) if name and name.partition(".")[0] in _KNOWN_PACKAGES else None


def _found_by_name(value: Any) -> bool:
    """Whether a function or class is the one that a known module has under its name; closures and lambdas are not."""
    found: Any = _known_module(value.__module__)
    for name in value.__qualname__.split("."):
        found = getattr(found, name, None)
    return getattr(found, "py_func", found) is value


def _dispatcher(dispatcher: Any, callers: tuple[Any, ...]) -> Any:
    """A jitted function: its options, and its function."""
    function = dispatcher.py_func
    if function in callers:
        return "caller", str(callers[::-1].index(function))
    # Declared signatures and types convert values, and another compiler may do anything.
    if not dispatcher._can_compile or dispatcher.locals or dispatcher._compiler.pipeline_class is not Compiler:
        raise _NotUnderstood
    options = _described(dispatcher.targetoptions, callers)
    if _found_by_name(function):
        return "jitted", options, function.__module__, function.__qualname__
    description = "jitted", options, _function(function, (*callers, function))
    if not _known_module(function.__module__):
        first = description if not dispatcher.overloads else None
        if _first_met.setdefault(dispatcher, first) != description:
            raise _NotUnderstood
    return description


def _function(function: FunctionType, callers: tuple[Any, ...]) -> Any:
    """A function by all that it does: code, defaults, and the values of its closure and of the globals it names."""
    try:
        cells = tuple(cell.cell_contents for cell in function.__closure__ or ())
    except ValueError:  # a name without a value yet
        raise _NotUnderstood from None
    values = {name: function.__globals__[name] for name in _globals(function.__code__) if name in function.__globals__}
    parts = function.__code__, function.__defaults__, function.__kwdefaults__, cells, values
    return "function", *(_described(part, callers) for part in parts)


def _globals(code: CodeType) -> Iterator[str]:
    """The names that a code looks up in its globals, those of the functions in it too; attributes are none."""
    yield from (step.argval for step in dis.get_instructions(code) if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"))
    for constant in code.co_consts:
        if type(constant) is CodeType:
            yield from _globals(constant)


def _code(code: CodeType, callers: tuple[Any, ...]) -> Any:
    names = code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars
    counts = code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags
    parts = code.co_code, code.co_exceptiontable, code.co_consts, names, counts
    return "code", *(_described(part, callers) for part in parts)
