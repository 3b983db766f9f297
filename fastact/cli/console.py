"""What the commands share for writing to the terminal: tables, progress bars, and where to write them.

No other file knows rich.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from fastact.cli.wrapping import is_japanese, pieces
from fastact.errors import require

#: Letters of words that are not broken to make room for figures.
_SHORT = 8
#: Control characters, but tab and new line.
_STEERING = dict.fromkeys([*range(9), *range(11, 32), *range(127, 160)], "\N{REPLACEMENT CHARACTER}")


def console(stderr: bool = False) -> Any:
    """A rich console that prints text as it is, takes the brackets of a range for no markup, and breaks lines of
    Japanese between characters.
    """
    return _console()(stderr=stderr, markup=False, highlight=False, emoji=False)


def visible(text: str) -> str:
    """The text without codes that would steer the terminal, which a user's table may hold."""
    return text.translate(_STEERING)


@cache
def _console() -> Any:
    """The class, made when rich is needed."""
    text = require("rich.text", "demo", "the fastact command")
    measure = require("rich.cells", "demo", "the fastact command").cell_len
    group = require("rich.console", "demo", "the fastact command").Group

    class Wrapped(text.Text):  # type: ignore[name-defined]
        """A text that breaks as `pieces` says."""

        def wrap(self, console: Any, width: int, **options: Any) -> Any:
            if not is_japanese(self.plain):
                return super().wrap(console, width, **options)
            lines = self.split(allow_blank=True)
            broken = type(lines)(part for line in lines for part in line.divide(breaks(line.plain, width)))
            for part in broken:
                part.rstrip_end(width)
            if justify := options.get("justify") or self.justify:
                broken.justify(console, width, justify=justify, overflow="fold")
            return broken

    def breaks(line: str, width: int) -> list[int]:
        """Where to begin new lines."""
        offsets, at, used = [], 0, 0
        for piece in pieces(line):
            for part in [piece] if measure(piece.rstrip()) <= width else piece:  # letters of too long a word
                if used + measure(part.rstrip()) > width:
                    offsets.append(at)
                    used = 0
                used += measure(part)
                at += len(part)
        return offsets

    class Console(require("rich.console", "demo", "the fastact command").Console):  # type: ignore[misc]
        def print(self, *objects: Any, **options: Any) -> None:
            # In a group, or else rich joins the texts to one of its own class.
            super().print(
                *(group(Wrapped(visible(each))) if isinstance(each, str) else each for each in objects), **options
            )

        def render_str(self, text: str, **options: Any) -> Any:
            return Wrapped(visible(text), style=options.get("style", ""), justify=options.get("justify"))

    return Console


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    words: int = 1,
    title: str | None = None,
    caption: str | None = None,
) -> Any:
    """A table whose first `words` columns hold words and whose others hold figures."""
    result = require("rich.table", "demo", "the fastact command").Table(
        title=title, caption=caption, title_justify="left", caption_justify="left", show_header=any(columns)
    )
    rows = list(rows)
    for position, column in enumerate(columns):
        whole = position == 0 or (position < words and max((len(row[position]) for row in rows), default=0) <= _SHORT)
        justify = "left" if position < words else "right"
        result.add_column(column, justify=justify, style="bold" if position == 0 else None, no_wrap=whole)
    for row in rows:
        result.add_row(*row)
    return result


@contextmanager
def progress(total: int, label: str, quiet: bool = False) -> Iterator[Callable[..., None]]:
    """A progress bar on stderr, where that is a terminal; yields `advance(steps, label)`."""
    terminal = console(stderr=True)
    bar = require("rich.progress", "demo", "the fastact command")
    columns = (
        bar.TextColumn("{task.description:<22}", markup=False),
        bar.BarColumn(),
        bar.TaskProgressColumn(),
        bar.TimeRemainingColumn(),
    )
    if quiet or not terminal.is_terminal:  # a bar that is disabled ends with an empty line before rich 15
        yield lambda steps=1, label=None: None
        return
    with bar.Progress(*columns, console=terminal, transient=True) as shown:
        task = shown.add_task(label, total=total)

        def advance(steps: int = 1, label: str | None = None) -> None:
            shown.update(task, advance=steps, description=label)

        yield advance


@contextmanager
def counting(label: str, quiet: bool = False) -> Iterator[Callable[[int, int], None]]:
    """A progress bar as experiments want it: yields `progress(done, total)`."""
    with progress(1, label, quiet) as advance:
        yield lambda done, total: advance(1 / total)


def bulleted(text: str) -> Any:
    """A text behind a bullet, its further lines indented."""
    result = require("rich.table", "demo", "the fastact command").Table.grid(padding=(0, 1))
    result.add_row("•", text)
    return result
