"""Collect the texts for readers, and bring the catalogues of translations up to date: `python tools/translations.py`.

Texts are the arguments of `_`, `marked` and `said` in sources and in the templates of pages, and what the functions'
metadata says in words. A new text is added without a translation, one that is in no source any more is removed, and
the catalogue is compiled. With `--check` nothing is written: what a catalogue lacks is printed.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import normalize, read_po

ROOT = Path(__file__).parents[1]
CATALOGUES = sorted((ROOT / "fastact" / "language").glob("*/LC_MESSAGES/*.po"))
METHODS = [("**.py", "python"), ("**.html", "jinja2")]
#: Functions whose argument is a text, as babel wants it.
KEYWORDS = {"_": None, "marked": None, "said": None}
#: Formulas, ranges and kinks have words if one of these is among them.
WORDS = re.compile(r"\b(and|at|by|for|gives|halves|is|its|of|off|or|random|smooth|summing|such|the|times|where|with)\b")
#: Faults that are printed at most.
SHOWN = 20
PLACEHOLDER = re.compile(r"\{[^{}]*\}")


def texts() -> dict[str, list[str]]:
    """All texts for readers, in a stable order, and the places of each: a file, or a field of a function."""
    found: dict[str, list[str]] = {}
    for text, place in [*of_sources(), *of_functions()]:
        places = found.setdefault(text, [])
        if place not in places:
            places.append(place)
    return found


def of_sources() -> Iterator[tuple[str, str]]:
    """The texts that are marked in files."""
    found = extract_from_dir(ROOT / "fastact", METHODS, keywords=KEYWORDS, directory_filter=lambda folder: True)
    for name, line, text, _, _ in sorted(found, key=lambda each: (Path(each[0]).as_posix(), each[1])):
        if not isinstance(text, str):
            raise SystemExit(f"fastact/{name}, line {line}: give one text")
        yield text, f"fastact/{Path(name).as_posix()}"


def of_functions() -> Iterator[tuple[str, str]]:
    """What metadata says in words."""
    import fastact as fa

    for name in fa.names():
        function = fa.get(name)
        yield (inspect.getdoc(function) or "").partition("\n")[0], f"{name}.summary"
        for field in ("formula", "derivative_formula", "range", "kinks"):
            text = getattr(function, field)
            if WORDS.search(text):
                yield text, f"{name}.{field}"
        yield from ((text, f"{name}.{key}") for key, text in function.notes.items())


def translations(path: Path) -> dict[str, str]:
    """What a catalogue has; a fuzzy translation counts as none."""
    with path.open("rb") as file:
        return {str(each.id): "" if each.fuzzy else str(each.string) for each in read_po(file) if each.id}


def updated(path: Path) -> str:
    """The catalogue as it should be: its head, and then all texts with the translations that it has."""
    text = path.read_text(encoding="utf-8")
    head, known = text.partition("\n\n")[0].rstrip("\n"), translations(path)
    blocks = [
        f"#: {' '.join(places)}\nmsgid {normalize(text, width=100)}\nmsgstr {normalize(known.get(text, ''), width=100)}"
        for text, places in texts().items()
    ]
    return "\n\n".join([head, *blocks]) + "\n"


def faults(path: Path) -> list[str]:
    """What a reader of this language would stumble over, a line each."""
    known, wanted = translations(path), texts()
    found = [f"not in the sources any more: {text!r}" for text in known if text not in wanted]
    for text in wanted:
        translation = known.get(text, "")
        if not translation:
            found.append(f"no translation: {text!r}")
        elif set(PLACEHOLDER.findall(text)) != set(PLACEHOLDER.findall(translation)):
            found.append(f"other placeholders: {text!r} and {translation!r}")
    return found


def main() -> None:
    check = "--check" in sys.argv[1:]
    wrong: list[str] = []
    for path in CATALOGUES:
        if not check:
            path.write_text(updated(path), encoding="utf-8", newline="\n")
            with path.open("rb") as source, path.with_suffix(".mo").open("wb") as target:
                write_mo(target, read_po(source, path.parts[-3]))
        wrong += [f"{path.relative_to(ROOT)}: {line}" for line in faults(path)]
    for line in [*wrong[:SHOWN], *([f"and {len(wrong) - SHOWN} more"] if len(wrong) > SHOWN else [])]:
        print(line)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
