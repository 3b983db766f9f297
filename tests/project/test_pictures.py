"""Pages show pictures that tools/pictures.py draws, in their language, and quote figures that it has written."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import ModuleType

import pytest

from helpers import ROOT, tools
from helpers.documents import DOCS

pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra: demo)")

PAGES = [*ROOT.glob("README*.md"), *DOCS]
CATALOGUES = list((ROOT / "docs" / "locale").rglob("*.po"))
SHOWN = re.compile(r"pictures/([\w.-]+)\.png")
#: Also where a catalogue breaks the line.
QUOTED = re.compile(r"\{measured\}`([^`.]+)\.([^`]+)`")


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    return tools.tool("pictures")


def text_of(path: Path) -> str:
    """A page; a catalogue without the breaks in its lines."""
    text = path.read_text(encoding="utf-8")
    return text.replace('"\n"', "") if path.suffix == ".po" else text


def test_pages_show_pictures_of_the_table(tool: ModuleType) -> None:
    drawn = {name for subject in tool.subjects().values() for name in subject.PICTURES}
    shown = {name.removesuffix(".ja") for page in PAGES for name in SHOWN.findall(text_of(page))}
    assert shown <= drawn
    files = {path.name for path in tool.FOLDER.glob("*.png")}
    assert files == {tool.file_of(name, code).name for name in drawn for code in tool.language.LANGUAGES}
    assert all(path.stat().st_size <= tool.LARGEST for path in tool.FOLDER.glob("*.png"))


def test_the_japanese_readme_shows_japanese_pictures() -> None:
    readme = ROOT / "README.ja.md"
    if readme.exists():
        assert all(name.endswith(".ja") for name in SHOWN.findall(text_of(readme)))


def test_quoted_figures_are_on_file(tool: ModuleType) -> None:
    quoted = {found for page in (*PAGES, *CATALOGUES) for found in QUOTED.findall(text_of(page))}
    assert quoted
    noted = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in tool.FOLDER.glob("*.json")}
    assert noted.keys() == tool.subjects().keys()
    assert [
        (subject, key) for subject, key in quoted if key not in {**noted[subject], **noted[subject]["figures"]}
    ] == []
