"""The ufuncs for parameters that are Python numbers: these are float64 and leave the arrays' dtype alone."""

from __future__ import annotations

from typing import Any

from fastact.ufuncs import find

__all__: list[str] = []


def __getattr__(name: str) -> Any:
    return find(__name__, name, numbers=True)
