"""Draw the pictures of the README and of docs/, in every language: `python tools/pictures.py [SUBJECT ...]`.

A subject is a file of drawings/. All are drawn unless some are named. docs/pictures/ gets NAME.png, its Japanese form
NAME.ja.png, and SUBJECT.json with the figures that pages quote by the role `measured`. `--check` writes nothing; it
fails where a figure is not the one on file.

To add a picture, add its function to `PICTURES` of a file of drawings/. A file there also has `figures`, which returns
what pages quote, by name, as they show it.
"""

from __future__ import annotations

import argparse
import importlib
import io
import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from PIL import Image

from fastact import language
from fastact.learn.pictures import style
from fastact.measure.bench.report import provenance

sys.path.insert(0, str(Path(__file__).parent))

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
#: Bytes, so that a page with several pictures opens at once on a phone.
LARGEST = 100_000


def subjects() -> dict[str, ModuleType]:
    """The files of drawings/ by name."""
    names = sorted(path.stem for path in (Path(__file__).parent / "drawings").glob("[!_]*.py"))
    return {name: importlib.import_module(f"drawings.{name}") for name in names}


def file_of(name: str, code: str) -> Path:
    """The picture in a language; pages name the English one, and Sphinx finds the other."""
    return FOLDER / (f"{name}.png" if code == "en" else f"{name}.{code}.png")


def save(drawn: Any, path: Path) -> None:
    """Write a Figure as PNG with a palette, which takes a third of the bytes."""
    buffer = io.BytesIO()
    drawn.savefig(buffer, format="png", dpi=180)
    Image.open(buffer).convert("RGB").quantize(128).save(path, optimize=True)
    if (size := path.stat().st_size) > LARGEST:
        raise ValueError(f"{path} has {size:,} bytes; draw less, or smaller")


def write(name: str, subject: ModuleType) -> None:
    """Draw the pictures of a subject in every language, and note its figures."""
    start = time.perf_counter()
    quoted = subject.figures()
    for picture, draw in subject.PICTURES.items():
        for code in language.LANGUAGES:
            with language.use(code), style.lettering():
                save(draw(), file_of(picture, code))
    noted = {
        "provenance": provenance().removeprefix("Measured on "),
        "command": f"python tools/pictures.py {name}",
        "seconds": round(time.perf_counter() - start, 1),
        "figures": quoted,
    }
    text = json.dumps(noted, indent=1, ensure_ascii=False)
    (FOLDER / f"{name}.json").write_text(f"{text}\n", encoding="utf-8")


def changed(name: str, subject: ModuleType) -> Iterable[str]:
    """The figures of a subject that are not those on file, a line each."""
    noted = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))["figures"]
    found = subject.figures()
    for key in sorted(noted.keys() | found.keys()):
        if noted.get(key) != found.get(key):
            yield f"{name}.{key}: {noted.get(key)} on file, now {found.get(key)}"


def main() -> None:
    known = subjects()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", help=f"one of: {', '.join(known)}")
    parser.add_argument("--check", action="store_true", help="compare the figures with those on file; write nothing")
    options = parser.parse_args()
    if unknown := set(options.subjects) - known.keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    FOLDER.mkdir(exist_ok=True)
    wrong: list[str] = []
    for name in options.subjects or known:
        if options.check:
            wrong += changed(name, known[name])
        else:
            write(name, known[name])
            print(name, flush=True)
    print(*wrong, sep="\n", end="\n" if wrong else "")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
