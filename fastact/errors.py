"""The errors fastact raises, and the helpers that word them.

Every message names the argument, the value that was given, and the remedy. Anyone in the package may import this
file; it imports nothing of fastact.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from types import ModuleType

__all__ = [
    "BackendError", "FormulaError", "MissingDependencyError", "UnknownNameError", "nearest", "require", "told",
    "wrong_type",
]  # fmt: skip


class UnknownNameError(ValueError):
    """A name (of an activation, backend, loss, ...) that fastact does not know."""


class BackendError(RuntimeError):
    """A backend that was asked for by name cannot do what was asked."""


class FormulaError(TypeError):
    """A formula does something that has no mathematical expression."""


class MissingDependencyError(ImportError):
    """An optional library is needed and not installed."""


def nearest(name: object, candidates: Iterable[str]) -> str:
    """The tail of an error message: the closest candidate, or else all of them."""
    import difflib  # takes a millisecond, which `import fastact` is spared

    candidates = list(candidates)
    lower = {each.lower(): each for each in reversed(candidates)}  # PyTorch's ReLU is near relu
    close = difflib.get_close_matches(str(name).lower(), lower, n=1)
    return f"; did you mean {lower[close[0]]!r}?" if close else f"; known: {', '.join(candidates)}"


def wrong_type(argument: str, value: object, remedy: str) -> TypeError:
    """The error for a value of the wrong type; one that has no short `repr` is named by its type alone."""
    text = repr(value)
    if len(text) > 60 or "\n" in text:
        text = f"<{type(value).__name__}>"
    return TypeError(f"{argument}={text}; {remedy}")


def require(module: str, extra: str, purpose: str) -> ModuleType:
    """Import an optional `module`, or say which extra of fastact brings it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = {"sklearn": "scikit-learn"}.get(module.split(".")[0], module.split(".")[0])
        raise MissingDependencyError(
            f"{purpose} needs {package}, which cannot be imported ({error}); "
            f'install it with: pip install "fastact[{extra}]"'
        ) from error


def told(error: Exception) -> str:
    """What an error says, in one line; of Numba's many lines, the one that tells."""
    *around, inmost = str(error).split("Failed in nopython mode pipeline")
    lines = inmost.splitlines()
    return lines[1].strip().partition(': %"')[0] if around and len(lines) > 1 else str(error).partition("\n")[0]
