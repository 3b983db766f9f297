"""Bring the translations of the docs up to date: `python tools/documents.py`, which needs the extra `docs`.

Each page of `TRANSLATED` has a catalogue, docs/locale/ja/LC_MESSAGES/PAGE.po. sphinx-intl adds new texts without a
translation, marks changed ones as fuzzy, and removes those that are gone. What is not translated is printed. With
`--check` the catalogues stay as they are.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from sphinx_intl.basic import update

LOCALE = Path(__file__).parents[1] / "docs" / "locale"
LANGUAGE = "ja"
#: The pages of beginners; the others are English in both languages.
TRANSLATED = ("index", "start", "faq", "explore", "learn/*")


def read(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file)


def extract(folder: Path) -> None:
    """Write the texts of each translated page to a file PAGE.pot in this folder."""
    subprocess.run([sys.executable, "-P", "-m", "sphinx", "-q", "-b", "gettext", LOCALE.parent, folder], check=True)
    for path in list(folder.rglob("*.pot")):
        page = path.relative_to(folder).with_suffix("").as_posix()
        if not any(fnmatch(page, pattern) for pattern in TRANSLATED):
            path.unlink()


def faults(page: str, template: Catalog, catalogue: Catalog) -> Iterator[str]:
    """What a reader of the translation would stumble over, a line each."""
    for message in template:
        found = catalogue.get(message.id) if message.id else None
        if message.id and (found is None or not found.string):
            yield f"{page}: no translation: {message.id!r}"
        elif found is not None and found.fuzzy:
            yield f"{page}: the text has changed; mend the translation, then take `fuzzy` away: {message.id!r}"
    for message in catalogue:
        if message.id and message.id not in template:
            yield f"{page}: not in the page any more: {message.id!r}"


def main() -> None:
    wrong: list[str] = []
    texts = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        extract(folder)
        if "--check" not in sys.argv[1:]:
            update(str(LOCALE), name, (LANGUAGE,), line_width=100, ignore_obsolete=True)
        for path in sorted(folder.rglob("*.pot")):
            page = path.relative_to(folder).with_suffix("")
            template, catalogue = read(path), LOCALE / LANGUAGE / "LC_MESSAGES" / page.with_suffix(".po")
            texts += len(template)
            wrong += faults(page.as_posix(), template, read(catalogue) if catalogue.exists() else Catalog())
    print(*wrong, f"{texts} texts, {len(wrong)} faults", sep="\n")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
