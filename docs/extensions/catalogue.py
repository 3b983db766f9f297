"""Write the pages of reference/functions/, one for each function of the registry, before Sphinx reads the sources."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

import fastact as fa
from fastact import language


def write(app: Sphinx) -> None:
    """Write all pages, in the language of the build."""
    folder = Path(app.srcdir) / "reference" / "functions"
    folder.mkdir(parents=True, exist_ok=True)
    with language.use(app.config.language):
        for name in fa.names():
            (folder / f"{name}.md").write_text(page(fa.get(name)), encoding="utf-8")


def page(function: Any) -> str:
    """The page of a function."""
    return f"# {function.name}\n\n{function.summary}\n"


def setup(app: Sphinx) -> dict[str, Any]:
    """Let Sphinx use it."""
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
