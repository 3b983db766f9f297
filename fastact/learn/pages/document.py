"""What all pages are made of: a template, Bokeh's script inlined, and every text in all languages at once.

A template writes `_("text")` where a text stands, Python `said("text")`. The style sheet shows one language at a
time, the one that the page's `lang` attribute names.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from fastact import language
from fastact.errors import require
from fastact.language import translated
from fastact.learn.pages import typesetting
from fastact.learn.result import Table

__all__ = [
    "all_languages",
    "as_json",
    "library",
    "one_document",
    "packed",
    "paired",
    "render",
    "said",
    "sortable",
    "spoken",
]

FOLDER = Path(__file__).parent
#: Two texts of the same meaning, by language.
Texts = dict[str, str]
T = TypeVar("T")


def library(module: str) -> Any:
    """A module that Bokeh is or brings; MissingDependencyError without it."""
    return require(module, "demo", "a page for the browser")


def all_languages(make: Callable[[], T]) -> dict[str, T]:
    """What `make` returns with each language in use."""
    found = {}
    for code in language.LANGUAGES:
        with language.use(code):
            found[code] = make()
    return found


def said(text: str, **values: object) -> Texts:
    """A text in all languages, with its values; `tools/translations.py` collects it."""
    return all_languages(lambda: translated(text).format(**values))


def spoken(texts: Texts, written: Callable[[str], str] = typesetting.numbers) -> Any:
    """Markup of a text in all languages, of which the page shows one; `written` typesets it."""
    markup = library("markupsafe").Markup
    if len(set(texts.values())) == 1:
        return markup.escape(written(next(iter(texts.values()))))
    each = [markup('<span lang="{}">{}</span>').format(code, written(text)) for code, text in texts.items()]
    return markup("").join(each)


def paired(lists: Mapping[str, Sequence[T]]) -> list[dict[str, T]]:
    """Of a list in each language, its elements in all languages; ValueError if the lists differ in length."""
    return [dict(zip(lists, each, strict=True)) for each in zip(*lists.values(), strict=True)]


def sortable(tables: Mapping[str, Table]) -> dict[str, Any]:
    """A table's texts as markup in all languages, for the template's macro `table`.

    A row without a head gets that of the row above, so that it can be sorted away from there.
    """
    codes = list(tables)
    rows = paired({code: _headed(tables[code]) for code in codes})
    return {
        "title": spoken({code: tables[code].title for code in codes}),
        "caption": spoken({code: tables[code].caption for code in codes}),
        "columns": [spoken(each) for each in paired({code: tables[code].columns for code in codes})],
        "rows": [[spoken(cell) for cell in paired(row)] for row in rows],
        "words": next(iter(tables.values())).words,
    }


def _headed(table: Table) -> list[list[str]]:
    found: list[list[str]] = []
    for row in table.rows:
        found.append([found[-1][0], *row[1:]] if found and table.words and not row[0] else row)
    return found


def render(template: str, **values: Any) -> str:
    """The whole page."""
    jinja = require("jinja2", "demo", "a page for the browser")
    resources = library("bokeh.resources").Resources("inline", components=["bokeh"], log_level="error")
    environment = jinja.Environment(
        loader=jinja.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    markup = library("markupsafe").Markup

    def source(name: str) -> Any:
        return markup((FOLDER / name).read_text(encoding="utf-8"))

    return environment.get_template(template).render(
        languages={code: language.own_name(code) for code in language.LANGUAGES},
        current=language.current(),
        bokeh=markup("\n".join(resources.js_raw)),
        source=source,
        as_json=as_json,
        spoken=spoken,
        _=lambda text, **values: spoken(said(text, **values)),
        sortable=lambda make: sortable(all_languages(make)),
        **values,
    )


def as_json(value: Any) -> Any:
    """JSON that may stand inside of a script element."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return library("markupsafe").Markup(text.replace("<", "\\u003c"))


def packed(arrays: Iterable[Any]) -> str:
    """The arrays one after another as float32, compressed, in base64."""
    raw = np.concatenate([np.asarray(each, "<f4").ravel() for each in arrays]).tobytes()
    return base64.b64encode(gzip.compress(raw, 9, mtime=0)).decode()


def one_document(figures: Sequence[Any]) -> dict[str, Any]:
    """Bokeh's figures as one document, each of which goes into the element whose id is the figure's name."""
    document = library("bokeh.document").Document()
    for figure in figures:
        document.add_root(figure)
    return {
        "docs": {"plots": document.to_json(deferred=False)},
        "items": [
            {
                "docid": "plots",
                "roots": {figure.id: figure.name for figure in figures},
                "root_ids": [figure.id for figure in figures],
            }
        ],
    }
