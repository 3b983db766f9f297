"""From the formula of an activation, a Python function, to its expression in SymPy.

The function is run with `Value`s. A copy of it is made for that, in which every function and number that it names is
replaced by what vocabulary.py says of it; the user's own functions are copied in the same way.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np
import sympy

from fastact.errors import FormulaError
from fastact.functions.derivation.values import Value, exact, explored
from fastact.functions.derivation.vocabulary import WORDS

__all__ = ["read", "symbol"]

#: Packages whose functions are known by name.
_KNOWN = "builtins", "math", "numpy", "scipy", "fastact"
_NUMBERS = {math.pi: sympy.pi, math.e: sympy.E, math.tau: 2 * sympy.pi}


def symbol(name: str) -> Any:
    """The symbol of an argument: a real number."""
    return sympy.Symbol(name, real=True)


def read(operation: Any) -> Any:
    """The expression of an operation's formula, in the symbols of its arrays and parameters.

    Raises
    ------
    FormulaError
        If it does something that has no expression.
    """
    if not hasattr(operation, "_plain"):
        raise FormulaError(f"{operation!r} has no formula of single numbers; pass an activation")
    arguments = [Value(symbol(name)) for name in (*operation._input_names, *operation.parameters)]
    try:
        formula = _Copies().of(operation._plain, operation.name)
        return explored(lambda: formula(*arguments))
    except Exception as error:
        reason = str(error) if isinstance(error, FormulaError) else f"{type(error).__name__}: {error}"
        raise FormulaError(f"the formula of {operation.name} cannot be read as an expression: {reason}") from error


class _Copies:
    """Copies of functions for `Value`s; each function is copied once, so that it may call itself."""

    def __init__(self) -> None:
        self._made: dict[int, Any] = {}
        self._kept: list[Any] = []  # ids stay those of these objects

    def of(self, value: Any, name: str) -> Any:
        """What stands for a value that a formula has under this name."""
        if isinstance(value, bool | int | str | None):
            return value
        if isinstance(value, float | np.floating):
            return Value(_NUMBERS.get(float(value)) or exact(float(value)))
        if isinstance(value, np.integer):
            return int(value)
        if isinstance(value, tuple | list):
            return tuple(self.of(each, name) for each in value)
        if isinstance(value, np.ndarray):
            return self.of(value.tolist(), name)
        if id(value) not in self._made:
            self._kept.append(value)
            self._made[id(value)] = self._copy(value, name)
        return self._made[id(value)]

    def _copy(self, value: Any, name: str) -> Any:
        if isinstance(value, ModuleType):
            return _Module(value, self)
        if _known(value) and value.__name__ in WORDS:
            return WORDS[value.__name__]
        if hasattr(value, "_plain"):  # an activation
            formula, parameters = self.of(value._plain, name), list(value.parameters.values())
            arrays = len(value._input_names)
            return lambda *given: formula(*given, *map(exact, parameters[len(given) - arrays :]))
        if hasattr(value, "py_func"):  # what Numba compiles
            return self.of(value.py_func, name)
        if isinstance(value, FunctionType):
            return self._function(value)
        return _Unknown(name)

    def _function(self, function: FunctionType) -> FunctionType:
        names = set(_names(function.__code__))
        surroundings: dict[str, Any] = {"__builtins__": builtins}
        code = function.__code__
        cells = tuple(type(cell)() for cell in function.__closure__ or ())
        copy = FunctionType(code, surroundings, function.__name__, None, cells)
        self._made[id(function)] = copy
        for name in names & function.__globals__.keys():
            surroundings[name] = self.of(function.__globals__[name], name)
        for name in (names - function.__globals__.keys()) & WORDS.keys() & vars(builtins).keys():
            surroundings[name] = WORDS[name]
        for name, cell, made in zip(code.co_freevars, function.__closure__ or (), cells, strict=True):
            made.cell_contents = self.of(cell.cell_contents, name)
        copy.__defaults__ = self.of(function.__defaults__, function.__name__)
        copy.__kwdefaults__ = {
            name: self.of(each, name) for name, each in (function.__kwdefaults__ or {}).items()
        } or None
        return copy


def _known(value: Any) -> bool:
    """Whether it is a function of a package whose functions go by name."""
    module = getattr(value, "__module__", None) or ""
    return isinstance(value, np.ufunc) or (hasattr(value, "__name__") and module.partition(".")[0] in _KNOWN)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


class _Module:
    """A module, whose functions and numbers are replaced when they are asked for."""

    def __init__(self, module: ModuleType, copies: _Copies) -> None:
        self._module, self._copies = module, copies

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._module, name)
        return self._copies.of(value, f"{self._module.__name__}.{name}")


class _Unknown:
    """Something without an expression; an error only where the formula uses it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        raise FormulaError(f"it calls {self._name}, which is not known; use functions of fastact.math, math or numpy")

    def __getattr__(self, name: str) -> Any:
        raise FormulaError(f"it uses {self._name}.{name}, which is no number")
