"""The language of texts for readers: English, or Japanese from the gettext catalogue of its folder.

`_("...")` translates a text into the current language: that of `with use("ja"):`, or else of the environment; a text
of a table that is made at import is `marked("...")` there, and translated where it is shown; a `Message` is one that is
kept with its values. `tools/translations.py` collects the texts of all sources; a test fails where one has no
translation.

To add a language, add its folder: a catalogue, in which the language's own name translates the text "English".
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any

from fastact.errors import UnknownNameError, nearest

__all__ = ["LANGUAGES", "Message", "current", "listed", "marked", "own_name", "paragraph", "translated", "use"]

_FOLDER = Path(__file__).parent
#: The codes of all languages: English, in which the sources are written, and those that have a catalogue.
LANGUAGES = ("en", *sorted(path.parts[-3] for path in _FOLDER.glob("*/LC_MESSAGES/fastact.mo")))

_chosen: ContextVar[str | None] = ContextVar("language", default=None)


@contextmanager
def use(language: str) -> Iterator[None]:
    """Let texts be in this language inside of a `with` block.

    Parameters
    ----------
    language : str
        One of LANGUAGES: "en" or "ja".

    Raises
    ------
    UnknownNameError
        For another language.

    Examples
    --------
    >>> import fastact as fa
    >>> from fastact import language
    >>> with language.use("ja"):
    ...     advice = str(fa.recommend("hidden"))
    """
    if language not in LANGUAGES:
        raise UnknownNameError(f"language={language!r}{nearest(language, LANGUAGES)}")
    token = _chosen.set(language)
    try:
        yield
    finally:
        _chosen.reset(token)


def current() -> str:
    """The code of the current language: the one in use, or the first of the environment's that fastact speaks."""
    return _chosen.get() or _of_environment()


def own_name(code: str) -> str:
    """What its speakers call the language: their word for the text "English", which names the language it is in."""
    with use(code):
        return translated(marked("English"))


def translated(text: str) -> str:
    """The text in the current language; a text without a translation stays as it is."""
    code = current()
    return text if code == "en" or not text else str(_catalogue(code).gettext(text))


def marked(text: str) -> str:
    """The text as it is, which `tools/translations.py` then knows."""
    return text


class Message:
    """A text that was marked, with its values; `str` of it is in the language in use when it is shown.

    A list among the values is shown as the language lists texts.
    """

    def __init__(self, text: str, **values: object) -> None:
        self._text, self._values = text, values

    def __str__(self) -> str:
        values = {name: listed(each) if isinstance(each, list) else each for name, each in self._values.items()}
        return translated(self._text).format(**values)


def listed(texts: Iterable[object]) -> str:
    """Texts one after the other, as the language lists them."""
    return translated(marked(", ")).join(map(str, texts))


def paragraph(sentences: Iterable[object]) -> str:
    """Sentences one after the other. Japanese has no spaces between them; a stop ends those that end in a formula."""
    between = translated(marked(" "))
    texts = [str(sentence) for sentence in sentences]
    return between.join([*(text.removesuffix(between.strip()) for text in texts[:-1]), *texts[-1:]])


def _of_environment() -> str:
    """As gettext reads it: LANGUAGE before LC_ALL before LC_MESSAGES before LANG; English if none is set."""
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name)
        if value:
            codes = (each.partition(".")[0].partition("_")[0] for each in value.split(":"))
            return next((code for code in codes if code in LANGUAGES), "en")
    return "en"


@cache
def _catalogue(code: str) -> Any:
    import gettext  # `import fastact` is spared it

    return gettext.translation("fastact", _FOLDER, [code])
