"""Every text for readers is translated, and the catalogues are what tools/translations.py makes of the sources."""

from __future__ import annotations

import gettext
import re
from pathlib import Path
from types import ModuleType

import pytest

from helpers import ROOT, tools

pytest.importorskip("babel")

CATALOGUES = sorted((ROOT / "fastact" / "language").rglob("*.po"))
UPDATE = "run: python tools/translations.py"
JAPANESE = r"[\u3041-\u30ff\u4e00-\u9fff]"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    return tools.tool("translations")


@pytest.fixture(scope="module", params=CATALOGUES, ids=lambda path: path.parts[-3])
def catalogue(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_nothing_is_missing_stale_or_without_its_placeholders(catalogue: Path, tool: ModuleType) -> None:
    assert tool.faults(catalogue) == []


def test_the_catalogue_is_what_the_tool_writes(catalogue: Path, tool: ModuleType) -> None:
    assert catalogue.read_text(encoding="utf-8") == tool.updated(catalogue), UPDATE


def test_the_catalogue_is_compiled(catalogue: Path, tool: ModuleType) -> None:
    compiled = catalogue.with_suffix(".mo")
    assert compiled.exists(), UPDATE
    with compiled.open("rb") as file:
        read = gettext.GNUTranslations(file)
    known = tool.translations(catalogue)
    assert {text: read.gettext(text) for text in known} == {text: done or text for text, done in known.items()}, UPDATE


def test_the_tool_finds_texts_wherever_they_are(tool: ModuleType) -> None:
    found = tool.texts()
    assert found["very cheap, eases the vanishing gradient, sparse, the most used"] == ["relu.for"]
    assert found["dying ReLU"] == ["fastact/learn/recommending/problems.py"]  # marked
    assert "fastact/_core/facts.py" in found["against it"]
    assert "smooth" in found


def test_a_fuzzy_or_changed_text_has_no_translation(tool: ModuleType, tmp_path: Path) -> None:
    damaged = tmp_path / "ja.po"
    text = next(path for path in CATALOGUES if "ja" in path.parts).read_text(encoding="utf-8")
    damaged.write_text(
        text.replace("#: relu.for\n", "#: relu.for\n#, fuzzy\n")
        .replace('msgid "{choice}, with the loss {loss}"', 'msgid "{choice}, with a loss {loss}"')
        .replace('msgid "sigmoid', 'msgid "Sigmoid'),
        encoding="utf-8",
    )
    found = tool.faults(damaged)
    assert "no translation: 'very cheap, eases the vanishing gradient, sparse, the most used'" in found
    assert "no translation: '{choice}, with the loss {loss}'" in found
    assert "not in the sources any more: '{choice}, with a loss {loss}'" in found


def test_texts_have_no_values_in_them() -> None:
    """An f-string inside of `_` is no constant, so that the tool cannot find it."""
    for path in (ROOT / "fastact").rglob("*.py"):
        assert not re.search(r"\b(?:_|marked)\(\s*f[\"']", path.read_text(encoding="utf-8")), path


def test_japanese_keeps_to_one_style(tool: ModuleType) -> None:
    """A space between Latin and Japanese letters, none beside full-width punctuation; no full-width Latin."""
    path = next(path for path in CATALOGUES if "ja" in path.parts)
    wrong = re.compile(
        rf"[A-Za-z0-9)\]]{JAPANESE}|{JAPANESE}[A-Za-z0-9(\[]"
        r"| [、。「」（）：]|[、。「（）：] |[\uff10-\uff19\uff21-\uff5a，．]"
    )
    found = {text for text in tool.translations(path).values() if wrong.search(text)}
    assert not found
