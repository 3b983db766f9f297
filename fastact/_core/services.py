"""What rooms above do for those below: `fastact/__init__.py` says which function does it, the first call loads it.

So a lower room never imports an upper one. To add a service, add its line there, and call `service(NAME)` below.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

__all__ = ["SERVICES", "service"]

#: name -> "module:function"
SERVICES: dict[str, str] = {}


@functools.cache
def service(name: str) -> Callable[..., Any]:
    """The function that does this."""
    module, _, function = SERVICES[name].partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found
