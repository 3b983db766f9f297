"""The loops on fastact's own threads, which long calls take of themselves; by name, for calls of any length.

The loops are the serial backend's; _threads.pyx starts the threads and hands out blocks, also in a forked child.
"""

from __future__ import annotations

from typing import Any

from fastact._native.ufunc import Threads
from fastact._scalar.primitives import not_compiling

__all__ = ["elementwise", "softmax", "why_not"]


def why_not() -> str | None:
    return not_compiling()


def elementwise(operation: Any, operands: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    return operation.run(Threads.OWN, operands, keywords)


def softmax(*arguments: Any) -> Any:
    from fastact.backends.cpu import over_rows  # 30 ms, which `import fastact` is spared

    return over_rows.softmax(Threads.OWN, *arguments)
