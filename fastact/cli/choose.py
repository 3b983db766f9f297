"""The command `choose`: which activation to take, in words; with --data also tried on the user's own table."""

from __future__ import annotations

import click

import fastact as fa
from fastact.cli.console import bulleted, console, table
from fastact.cli.options import language
from fastact.language import translated as _
from fastact.recommending import PROBLEMS, TASKS, columns, headline, rows


@click.command()
@click.option("--layer", help='"hidden" or "output"; both unless given.')
@click.option("--task", help='What the network is for, such as "regression", "image" or "rnn".')
@click.option("--problem", help='What goes wrong, such as "dying relu" or "vanishing gradient".')
@language
def choose(layer: str | None, task: str | None, problem: str | None) -> None:
    """Recommend an activation, with reasons and what to try next.

    Without options it is a short guide, which ends with the tasks and problems that are known.
    """
    tell(fa.recommend(layer, task, problem))
    if layer is task is problem is None:
        terminal = console()
        terminal.print(_("Tasks you can name: {names}").format(names=", ".join(TASKS)))
        terminal.print(_("Problems you can name: {names}").format(names=", ".join(PROBLEMS)))


def tell(found: fa.Recommendation) -> None:
    """Print a recommendation."""
    terminal = console()
    for text in (found.title, found.diagnosis):
        if text:
            terminal.print(text)
            terminal.print()
    for choice in found.choices:
        terminal.print(table(columns(), rows(choice), words=3, title=headline(choice), caption=choice.why))
        terminal.print()
    for label, texts in found.rest():
        terminal.print(label, style="bold")
        for text in texts:
            terminal.print(bulleted(text))
        terminal.print()
