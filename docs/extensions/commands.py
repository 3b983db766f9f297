"""The page reference/commands.md: every command, its options and examples, as `fastact COMMAND --help` has them."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from sphinx.application import Sphinx

from extensions.markdown import table, update
from fastact.cli.app import cli

#: In a help text click keeps the lines behind this as they are.
KEPT = "\b"
LEAD = """Install them with `pip install "fastact[demo]"`. `python -m fastact` does the same as `fastact`. With `--help`
each command prints what stands below."""


def write(app: Sphinx) -> None:
    """Write the page."""
    sections = [f"# Commands\n\n{LEAD}", *map(section, cli.commands.values())]
    update(Path(app.srcdir) / "reference" / "commands.md", "\n\n".join(sections) + "\n")


def section(command: click.Command) -> str:
    """A command: how to call it, what it does, and its options."""
    context = click.Context(command, info_name=f"fastact {command.name}")
    parts = [
        f"(command-{command.name})=\n## fastact {command.name}",
        f"```text\n{' '.join([context.command_path, *command.collect_usage_pieces(context)])}\n```",
        *paragraphs(command.help or ""),
    ]
    records = (each.get_help_record(context) for each in command.params if each.param_type_name == "option")
    options = [[f"`{written}`", plain(text)] for written, text in filter(None, records)]
    if options:
        parts.append(table(["option", "what it does"], options))
    return "\n\n".join(parts)


def paragraphs(text: str) -> Iterator[str]:
    """The paragraphs of a help text as Markdown."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith(KEPT):
            yield from kept(paragraph.removeprefix(KEPT).strip("\n"))
        else:
            yield plain(paragraph)


def kept(block: str) -> Iterator[str]:
    """A paragraph whose lines stay: examples, a list, or a drawing; a heading may come first."""
    first, _, rest = block.partition("\n")
    if first.endswith(":") and rest:
        yield plain(first)
        block = rest
    lines = inspect.cleandoc("\n" + block)
    if lines.startswith("- "):
        yield plain(lines)
    else:
        yield f"```{'bash' if lines.startswith('fastact ') else 'text'}\n{lines}\n```"


def plain(text: str) -> str:
    """Text without accidental markup."""
    return text.replace("*", r"\*").replace("<", r"\<").replace("[", r"\[")


def setup(app: Sphinx) -> dict[str, Any]:
    """Let Sphinx use it."""
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
