"""Pieces of Markdown that several generators write."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

__all__ = ["directive", "table", "update"]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells are Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def directive(name: str, argument: str, body: str) -> str:
    """A directive with Markdown inside."""
    return f":::{{{name}}} {argument}\n{body.strip()}\n:::\n"


def update(path: Path, text: str) -> None:
    """Write a file unless it says so already: Sphinx reads again what is newer."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
