"""Public functions by name inside users' compiled code: `@njit`, `@vectorize`, `@guvectorize`, `@cuda.jit`.

A function is a value of a type of its own there (types.py), which Numba asks it for. Calls are planned (a file for each
kind of function) and become calls of the C functions that the public functions end in, or, for scalars, the formula
itself (emitting.py). What cached machine code depends on is in stamps.py.
"""

from __future__ import annotations

from typing import Any

__all__ = ["register", "type_of"]


def type_of(function: Any) -> Any:
    """Numba's type of a public function, or of an operation that it is made of."""
    from fastact._numba import types

    return types.type_of(function)


def register() -> None:
    """Teach Numba the types of public functions, as the first use of one does."""
    from fastact._numba import types  # noqa: F401
