"""Texts of several sentences, in each language."""

from __future__ import annotations

import shutil
import struct
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from fastact import language


@pytest.mark.parametrize(
    ("code", "sentences", "joined"),
    [
        ("en", ["Take relu.", "Compare."], "Take relu. Compare."),
        ("ja", ["relu を使います。", "比べます。"], "relu を使います。比べます。"),
        ("ja", ["加えます：fa.MLP(l2=0.1)", "比べます。", "f(x)"], "加えます：fa.MLP(l2=0.1)。比べます。f(x)"),
        ("ja", [], ""),
    ],
)
def test_a_paragraph_has_its_stops(code: str, sentences: list[str], joined: str) -> None:
    with language.use(code):
        assert language.paragraph(sentences) == joined


def compiled(texts: dict[str, str]) -> bytes:
    """A catalogue as gettext reads it: seven numbers, where each text and each translation lies, and these."""
    stored = [each.encode() for each in (*sorted(texts), *(texts[text] for text in sorted(texts)))]
    numbers, at = [0x950412DE, 0, len(texts), 28, 28 + 8 * len(texts), 0, 0], 28 + 16 * len(texts)
    for each in stored:
        numbers += [len(each), at]
        at += len(each) + 1
    return struct.pack(f"{len(numbers)}I", *numbers) + b"".join(each + b"\0" for each in stored)


def test_a_folder_makes_a_language(tmp_path: Path) -> None:
    """Its catalogue says what the language is called; nothing else lists it."""
    shutil.copytree(language.__path__[0], tmp_path, dirs_exist_ok=True)
    catalogue = tmp_path / "eo" / "LC_MESSAGES" / "fastact.mo"
    catalogue.parent.mkdir(parents=True)
    catalogue.write_bytes(compiled({"": "Content-Type: text/plain; charset=utf-8\n", "English": "Esperanto"}))
    spec = spec_from_file_location("spoken", tmp_path / "__init__.py")
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(spoken := module_from_spec(spec))
    assert spoken.LANGUAGES == ("en", "eo", "ja")
    assert [*map(spoken.own_name, spoken.LANGUAGES)] == ["English", "Esperanto", "日本語"]
