"""The words of the generated pages, in the language of the build.

English stands in the modules, Japanese in the package's catalogue or in docs/locale/ja/LC_MESSAGES/reference.po; a text
without a translation is an error of the build.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from babel.messages.pofile import read_po

from fastact import language

__all__ = ["translated"]

CATALOGUE = Path(__file__).parents[1] / "locale" / "ja" / "LC_MESSAGES" / "reference.po"


def translated(text: str) -> str:
    """The text in the language in use: as the package itself translates it, or by the catalogue here."""
    of_package = language.translated(text)
    if language.current() == "en" or of_package != text:
        return of_package
    if not (found := japanese().get(text)):
        raise KeyError(f"{CATALOGUE} does not translate {text!r}")
    return found


@cache
def japanese() -> dict[str, str]:
    """English -> Japanese."""
    with CATALOGUE.open("rb") as file:
        return {str(message.id): str(message.string) for message in read_po(file, locale="ja") if message.id}
