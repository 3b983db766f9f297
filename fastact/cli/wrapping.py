"""Where a line of text may break: between words, and between Japanese characters, which no spaces separate."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["cells", "is_japanese", "pieces"]

#: Kana, kanji and full-width forms.
_WIDE = re.compile("[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]")
#: What never ends a line, a word or one character, and what never begins a line, with the spaces that follow.
_PIECE = re.compile(
    r"[「『（]*(?:[^\s\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]+|\S)[、。・：；」』）！？ーっゃゅょッャュョ々]*\s*"
)


def is_japanese(text: str) -> bool:
    """Whether lines of it may break without a space."""
    return bool(_WIDE.search(text))


def cells(text: str) -> int:
    """The width of a text on a terminal, where a Japanese character takes two cells."""
    return sum(1 + (unicodedata.east_asian_width(character) in "FW") for character in text)


def pieces(text: str) -> list[str]:
    """The parts of a line that do not break."""
    lead = len(text) - len(text.lstrip())
    return [text[:lead]] * bool(lead) + _PIECE.findall(text)
