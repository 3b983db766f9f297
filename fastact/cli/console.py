"""What the commands share for writing to the terminal: tables, progress bars, and where to write them.

No other file knows rich.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from fastact.errors import require


def console(stderr: bool = False) -> Any:
    """A rich console that prints text as it is, and takes the brackets of a range for no markup."""
    return require("rich.console", "demo", "the fastact command").Console(
        stderr=stderr, markup=False, highlight=False, emoji=False
    )


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
    for position, column in enumerate(columns):
        justify = "left" if position < words else "right"
        result.add_column(column, justify=justify, style="bold" if position == 0 else None, no_wrap=position == 0)
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
    hidden = quiet or not terminal.is_terminal
    with bar.Progress(*columns, console=terminal, transient=True, disable=hidden) as shown:
        task = shown.add_task(label, total=total)

        def advance(steps: int = 1, label: str | None = None) -> None:
            shown.update(task, advance=steps, description=label)

        yield advance
