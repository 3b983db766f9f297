"""The Markdown pages of the repository."""

from __future__ import annotations

from pathlib import Path

from helpers import ROOT

__all__ = ["DOCS", "PAGES", "is_generated"]

#: Where docs/extensions/ writes pages, whose links Sphinx checks itself.
GENERATED = [ROOT / line for line in (ROOT / ".gitignore").read_text().splitlines() if line.startswith("docs/")]


def is_generated(path: Path) -> bool:
    """Whether Sphinx writes the page, so that it may be missing."""
    return any(each in (path, *path.parents) for each in GENERATED)


#: The pages of docs/, and all.
DOCS = sorted(path for path in (ROOT / "docs").rglob("*.md") if not is_generated(path))
PAGES = [*ROOT.glob("*.md"), *DOCS, *(path for name in (".github", "tools") for path in (ROOT / name).rglob("*.md"))]
