"""What several commands learn from: a named data set, or a user's table."""

from __future__ import annotations

from pathlib import Path

from fastact.cli.console import progress
from fastact.errors import nearest
from fastact.language import translated as _
from fastact.learn.data import named, table
from fastact.learn.data.problem import Problem

__all__ = ["problem_of"]


def problem_of(data: str, target: str | None, quiet: bool) -> Problem:
    """The named data set, or the one in a file."""
    if data in named.NAMES:
        if target is not None:
            raise ValueError(f"--target goes with a file; {data} knows what to predict")
        return named.problem(data)
    path = Path(data)
    if target is None:
        if path.suffix or path.exists():
            raise ValueError(f"{data!r} is a file: name the column to predict by --target COLUMN")
        raise ValueError(f"DATA {data!r} is no data set and no file{nearest(data, named.NAMES)}")
    with progress(path.stat().st_size, _("reading"), quiet) as advance:
        return table.problem(path, target, progress=advance)
