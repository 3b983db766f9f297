"""Public functions by name inside compiled code of users' own: `register` tells Numba their types."""

from __future__ import annotations

__all__ = ["register"]


def register() -> None:
    """Teach Numba the public functions; it calls this before it first compiles."""
