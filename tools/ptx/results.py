"""results.md: what was checked without a GPU, in tables of a row for each check. The scripts' --record writes it."""

from __future__ import annotations

import datetime
from pathlib import Path

import fake_gpu as gpu

PATH = Path(__file__).with_name("results.md")
TITLE = """# What was checked without a GPU

Written by `nox -s ptx`, or by the scripts of this folder with `--record`; do not edit. README.md says what they do.
A row holds for the sources of the kernels and formulas whose digest it has.
"""


def record(section: str, columns: tuple[str, ...], name: str, *cells: object) -> None:
    """Put a row into a table, in the place of the one of that name."""
    text = PATH.read_text(encoding="utf-8") if PATH.exists() else TITLE
    parts = dict(part.partition("\n")[::2] for part in text.split("\n## ")[1:])
    rows = {line.split(" | ")[0]: line for line in parts.get(section, "").splitlines()[3:] if line}
    date = datetime.datetime.now(datetime.UTC).date()
    rows[f"| {name}"] = f"| {' | '.join(map(str, (name, *cells, date, gpu.sources())))} |"
    head = f"| {' | '.join((*columns, 'date', 'sources'))} |"
    parts[section] = "\n".join(["", head, "|---" * (len(columns) + 2) + "|", *sorted(rows.values()), ""])
    sections = (f"\n## {title}\n{part.rstrip()}\n" for title, part in parts.items())
    PATH.write_text(TITLE + "".join(sections), encoding="utf-8")
