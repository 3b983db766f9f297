"""Search in Japanese without a dictionary: texts and queries are cut into pairs of characters, which all must match.

Sphinx's own cuts texts into words, but leaves a query whole, which then finds nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from sphinx.application import Sphinx
from sphinx.search import SearchLanguage

__all__ = ["Japanese"]

#: Kana and kanji, in one class of characters that Python and JavaScript both read.
LETTERS = r"\u3005\u3041-\u3096\u30a1-\u30fc\u4e00-\u9fff"
PIECE = re.compile(rf"[{LETTERS}]+|[^\W{LETTERS}]+")


def pieces(text: str) -> Iterator[str]:
    """Latin words, and the pairs of characters of each run of Japanese ones."""
    for piece in PIECE.findall(text):
        if len(piece) > 1 and re.match(rf"[{LETTERS}]", piece):
            yield from map("".join, pairwise(piece))
        else:
            yield piece


class Japanese(SearchLanguage):
    """The search of the Japanese pages."""

    lang = "ja"
    language_name = "Japanese"
    js_splitter_code = rf"""
var splitQuery = (query) =>
  (query.match(/[{LETTERS}]+|(?:(?![{LETTERS}])[\p{{L}}\p{{N}}_])+/gu) || []).flatMap((piece) =>
    piece.length > 1 && /[{LETTERS}]/.test(piece[0])
      ? Array.from({{ length: piece.length - 1 }}, (_, at) => piece.slice(at, at + 2))
      : [piece]);
"""

    def split(self, input: str) -> list[str]:
        """The pieces by which a text is found."""
        return list(pieces(input))


def setup(app: Sphinx) -> dict[str, Any]:
    """Let Sphinx use it."""
    app.add_search_language(Japanese)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
