"""The command `info`: what a bug report needs, and why a backend does not work here. about.py collects it."""

from __future__ import annotations

import json

import click

from fastact.cli.about import about, text


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the same as JSON.")
def info(as_json: bool) -> None:
    r"""Tell of this installation what a bug report needs.

    That is versions, processor, threads, BLAS, the cache of machine code, and each backend with the reason if it does
    not work here. Nothing is compiled, and no thread starts.

    \b
    Examples:
        fastact info
        fastact info --json > info.json
    """
    found = about()
    click.echo(json.dumps(found, indent=2) if as_json else text(found))
