"""Public functions by name inside users' compiled code: `@njit`, `@vectorize`, `@guvectorize`, `@cuda.jit`.

There, every function is a value of its own type (types.py). Numba asks the function for that type, `_numba_type_`:
nothing is registered before, and a process that uses Numba alone never imports fastact. calls.py hands a call to its
planner, a file for each kind of function. Planners check types by planning.py, and emit calls of the C functions in
which the public functions end or, for numbers, of the formula itself (emitting.py). stamps.py says what cached machine
code depends on. To add a kind of function, write its planner, and add a line to the table in calls.py.
"""

from __future__ import annotations

import sys
from typing import Any

from numba.core.target_extension import current_target, resolve_dispatcher_from_str

__all__ = ["type_of"]


def type_of(function: Any) -> Any:
    """Numba's type of a public function, or of an operation that it is made of."""
    first = "fastact.interop.numba.types" not in sys.modules
    from fastact.interop.numba import types

    if first:  # Numba is compiling, and took up what was registered when it began.
        resolve_dispatcher_from_str(current_target()).targetdescr.target_context.refresh()
    return types.type_of(function)
