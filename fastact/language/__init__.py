"""The language of texts for readers: English, or Japanese from the gettext catalogue of its folder.

`_("...")` translates a text into the current language: that of `with use("ja"):`, or else of the environment; a text
of a table that is made at import is `marked("...")` there, and translated where it is shown; a `Message` is one that is
kept with its values. `tools/translations.py` collects the texts of all sources; a test fails where one has no
translation.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path

from fastact.errors import UnknownNameError, nearest

__all__ = ["LANGUAGES", "Message", "current", "listed", "marked", "paragraph", "translated", "use"]

#: Code -> what its speakers call the language.
LANGUAGES = {"en": "English", "ja": "日本語"}

_chosen: ContextVar[str | None] = ContextVar("language", default=None)


@contextmanager
def use(language: str) -> Iterator[None]:
    """Let texts be in this language inside of a `with` block.

    Parameters
    ----------
    language : {"en", "ja"}

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


def translated(text: str) -> str:
    """The text in the current language; a text without a translation stays as it is."""
    return _catalogue(current())(text) if text else text


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
    texts = [str(sentence) for sentence in sentences]
    if current() == "ja":
        return "。".join([*(text.removesuffix("。") for text in texts[:-1]), *texts[-1:]])
    return " ".join(texts)


def _of_environment() -> str:
    """As gettext reads it: LANGUAGE before LC_ALL before LC_MESSAGES before LANG; English if none is set."""
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name)
        if value:
            codes = (each.partition(".")[0].partition("_")[0] for each in value.split(":"))
            return next((code for code in codes if code in LANGUAGES), "en")
    return "en"


@cache
def _catalogue(language: str) -> Callable[[str], str]:
    if language == "en":
        return str
    import gettext  # `import fastact` is spared it

    return gettext.translation("fastact", Path(__file__).parent, [language]).gettext
