"""Public functions by name inside users' compiled code: `@njit`, `@vectorize`, `@guvectorize`, `@cuda.jit`.

A function is there a value of a type of its own (types.py). Numba asks the function for it, `_numba_type_`: nothing is
registered before, and a process that uses Numba alone never imports fastact. Calls are planned, by a file for each kind
of function. They become calls of the C functions that the public functions end in or, for numbers, the formula itself
(emitting.py). What cached machine code depends on is in stamps.py.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from numba.core.target_extension import current_target, resolve_dispatcher_from_str

__all__ = ["type_of"]


def type_of(function: Any) -> Any:
    """Numba's type of a public function, or of an operation that it is made of."""
    first = "fastact.interop.numba.types" not in sys.modules
    types = importlib.import_module("fastact.interop.numba.types")
    if first:  # Numba is compiling, and took up what was registered when it began.
        resolve_dispatcher_from_str(current_target()).targetdescr.target_context.refresh()
    return types.type_of(function)
