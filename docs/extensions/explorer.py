"""The explorer beside the pages: explorer.html, which explore.md shows, in the language of the build."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from fastact import language
from fastact.learn.pages import explorer

__all__ = ["setup"]


def write(app: Sphinx, error: Exception | None) -> None:
    """Write the page into the output of a build that went well."""
    if error is None and app.builder.format == "html":
        with language.use(app.config.language):
            explorer.write(Path(app.outdir) / "explorer.html")


def setup(app: Sphinx) -> dict[str, Any]:
    """Let Sphinx use it."""
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
