"""Texts of several sentences, in each language."""

from __future__ import annotations

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
