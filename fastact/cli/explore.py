"""The command `explore`: a page for the browser with the curves of all activations."""

from __future__ import annotations

from pathlib import Path

import click

from fastact._core.files import replacing
from fastact.cli.console import console
from fastact.cli.options import FILE, own_activations
from fastact.language import translated as _
from fastact.learn.pages import explorer


@click.command()
@click.option(
    "-o", "--output", type=FILE, default="explore.html", show_default=True, metavar="FILE.html", help="The page."
)
@own_activations
def explore(output: Path, sources: tuple[Path, ...]) -> None:
    r"""Write a page for the browser that shows every activation: curves, slopes, parameters, what it is good for.

    The page is one file, works offline and holds all languages; --language chooses which it opens in.

    \b
    Example:
        fastact explore -o curves.html
    """
    with replacing(output) as temporary:
        explorer.write(temporary)
    console().print(_("wrote {path}").format(path=output))
