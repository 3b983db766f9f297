"""Let NAME.ja.md take the place of NAME.md in the Japanese build: pages that a tool writes in each language."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx


def choose(app: Sphinx, name: str, source: list[str]) -> None:
    """Replace the source of a page by that of its form in the language of the build, if there is one."""
    path = Path(app.srcdir) / f"{name}.{app.config.language}.md"
    if path.exists():
        app.env.note_dependency(str(path))
        source[0] = path.read_text(encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Let Sphinx use it."""
    app.connect("source-read", choose)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
