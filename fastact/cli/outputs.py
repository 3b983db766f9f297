"""What commands that run an experiment have in common: where results go, and how they are shown.

`outputs` adds the options; the command passes their values to `written`, runs its experiment inside of that block, and
hands the results on to it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from fastact._core.files import replacing
from fastact.cli.console import console, table
from fastact.cli.options import FILE, picture
from fastact.errors import require
from fastact.language import translated as _
from fastact.learn.pages import report
from fastact.learn.pictures import style
from fastact.learn.result import Result

__all__ = ["Files", "outputs", "written"]


@dataclass(frozen=True)
class Files:
    """Where a command's results go; the command gets it as `files`."""

    picture: Path
    record: Path | None
    page: Path | None
    quiet: bool


def outputs(default: str) -> Callable[[Any], Any]:
    """The options for the picture (by `default` in this file), --json, --report and --quiet."""
    options = [
        picture(default=default, show_default=True, help="The picture."),
        click.option("--json", "record", type=FILE, metavar="FILE", help="Write every single figure here too."),
        click.option("--report", "page", type=FILE, metavar="FILE.html", help="Write a page for the browser here too."),
        click.option("-q", "--quiet", is_flag=True, help="Write the files and print nothing."),
    ]

    def decorate(command: Any) -> Any:
        def collected(*, output: Path, record: Path | None, page: Path | None, quiet: bool, **rest: Any) -> Any:
            return command(files=Files(output, record, page, quiet), **rest)

        collected.__name__, collected.__doc__ = command.__name__, command.__doc__
        collected.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
        result: Any = collected
        for option in reversed(options):
            result = option(result)
        return result

    return decorate


def check_distinct(files: Files, others: Sequence[Path]) -> None:
    """Raise ValueError if a result goes where another one goes, or to a file that the command reads."""
    taken = {os.path.realpath(path) for path in others}
    for option, path in (("--output", files.picture), ("--json", files.record), ("--report", files.page)):
        if path and os.path.realpath(path) in taken:
            raise ValueError(f"{option} {path}: is another file of this command; name a file of its own")
        if path:
            taken.add(os.path.realpath(path))


@contextmanager
def written(files: Files, *others: Path) -> Iterator[Callable[[Sequence[Result]], None]]:
    """Open all files; yield what shows results.

    So a folder that cannot be written fails before the long work, and so does a library that is not installed.

    It is called once, with the results; files appear when the block ends well. `others` are what else the command reads
    or writes, and no result may go there.
    """
    check_distinct(files, others)
    require("matplotlib", "demo", "a picture")
    if files.page:
        require("bokeh", "demo", "a page for the browser")
    with ExitStack() as stack:
        drawn = stack.enter_context(replacing(files.picture))
        record = stack.enter_context(replacing(files.record)) if files.record else None
        page = stack.enter_context(replacing(files.page)) if files.page else None
        shown: list[Result] = []

        def show(results: Sequence[Result]) -> None:
            shown.extend(results)
            style.save(results[0].figure(), drawn)
            if record is not None:
                found = [result.as_dict() for result in results]
                record.write_text(json.dumps(found, allow_nan=False), encoding="utf-8")
            if page is not None:
                report.write(results, page)

        yield show
    if not files.quiet:
        tell(shown)
        names = ", ".join(str(path) for path in (files.picture, files.record, files.page) if path)
        console().print(_("wrote {path}").format(path=names))


def tell(results: Sequence[Result]) -> None:
    """Print tables and sentences."""
    terminal = console()
    for result in results:
        for each in result.tables():
            title = each.title or result.title
            terminal.print(table(each.columns, each.rows, words=each.words, title=title, caption=each.caption or None))
            terminal.print()
        for sentence in result.sentences():
            terminal.print(sentence)
            terminal.print()
