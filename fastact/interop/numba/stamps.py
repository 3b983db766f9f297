"""What cached machine code depends on, so that Numba never serves code of another formula or version.

Numba's cache looks at a function's own source alone. But it keeps constants beside machine code, and unpickles them
before it loads the code. A `Dependency` among them looks then whether all is as it was. If not, it raises an OSError,
which Numba takes for a lost file: it compiles anew.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any, NamedTuple

from fastact.interop.numba import linking
from fastact.interop.numba.named import find, stamp_of

__all__ = ["Dependency"]


class _Stale(OSError):
    pass


class Dependency(NamedTuple):
    """One function that machine code contains or calls.

    Attributes
    ----------
    owner, part : of the function; see `named.find`
    stamp : see `named.stamp_of`
    need : a symbol that the code calls, or None; see `linking.provide`
    """

    owner: str
    part: str
    stamp: str
    need: linking.Need | None

    def __reduce__(self) -> Any:
        return _restored, tuple(self)


def _restored(owner: str, part: str, stamp: str, need: linking.Need | None) -> Dependency:
    try:
        function = find(owner, part)
    except Exception:  # a user's function that this process has not defined, or another that is gone
        function = None
    if function is None or stamp_of(function) != stamp:
        _forget_wrapper(sys._getframe(1))
        raise _Stale(f"fastact.{owner} has changed since this was compiled")
    if need is not None:
        linking.provide(function, need)
    return Dependency(owner, part, stamp, need)


def _forget_wrapper(frame: Any) -> None:
    """Delete what Numba keeps beside a `@guvectorize` function: its loop, which holds the same code once more."""
    cache = frame.f_locals.get("self")
    with suppress(AttributeError, OSError):
        os.remove(os.path.join(cache._cache_path, f"guf-{cache._index_name}"))
