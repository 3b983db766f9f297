"""The command `choose`: which activation to take, in words; with --data also tried on the user's own table."""

from __future__ import annotations

import click

import fastact as fa
from fastact.cli.console import bulleted, console, counting, table
from fastact.cli.outputs import tell
from fastact.cli.problems import problem_of
from fastact.language import translated as _
from fastact.learn.experiments.comparison import Comparison, compare
from fastact.learn.recommending.answer import Recommendation
from fastact.learn.recommending.problems import PROBLEMS
from fastact.learn.recommending.tasks import TASKS

#: Trainings of each activation on the user's data.
SEEDS = 5


@click.command()
@click.option("--layer", help='"hidden" or "output"; both unless given.')
@click.option("--task", help='What the network is for, such as "regression", "image" or "rnn".')
@click.option("--problem", help='What goes wrong, such as "dying relu" or "vanishing gradient".')
@click.option("--data", metavar="FILE", help="Also try what is recommended on this table.")
@click.option("--target", metavar="COLUMN", help="The column of the table to predict.")
def choose(layer: str | None, task: str | None, problem: str | None, data: str | None, target: str | None) -> None:
    r"""Recommend an activation, with reasons and what to try next.

    Without options it is a short guide, which ends with the tasks and problems that are known. With --data it trains
    a small network with each of the recommended functions for hidden layers, and says whether the choice matters.

    \b
    Examples:
        fastact choose --layer hidden --task image
        fastact choose --problem "dying relu"
        fastact choose --data flowers.csv --target species
    """
    if data is None:
        if target is not None:
            raise click.UsageError("--target names a column of a table: give that too, by --data FILE")
        show(fa.recommend(layer, task, problem))
        if layer is task is problem is None:
            terminal = console()
            terminal.print(_("Tasks you can name: {names}").format(names=", ".join(TASKS)))
            terminal.print(_("Problems you can name: {names}").format(names=", ".join(PROBLEMS)))
        return
    learnt = problem_of(data, target, quiet=False)
    found = fa.recommend(layer, task or learnt.task, problem)
    shortlist = [name for choice in found.choices if choice.layer == "hidden" for name in choice.functions]
    if not shortlist:
        raise click.UsageError("--data compares functions for hidden layers: leave out --layer output")
    show(found)
    with counting(_("training")) as progress:
        compared = compare(learnt, shortlist, seeds=SEEDS, jobs=None, progress=progress)
    tell([compared])
    console().print(conclusion(compared, shortlist[0]))


def show(found: Recommendation) -> None:
    """Print a recommendation."""
    terminal = console()
    for text in (found.title, found.diagnosis):
        if text:
            terminal.print(text)
            terminal.print()
    for choice in found.choices:
        terminal.print(table(choice.columns(), choice.rows(), words=3, title=choice.headline(), caption=choice.why))
        terminal.print()
    for label, texts in found.rest():
        terminal.print(label, style="bold")
        for text in texts:
            terminal.print(bulleted(text))
        terminal.print()


def conclusion(found: Comparison, first: str) -> str:
    """Whether the first choice is good enough: as long as none is ahead of it by more than noise."""
    [setting] = [each for each in found.settings if each.activation == first]
    if ahead := found.ahead_of(setting):
        return _(
            "Take {best} here: it is ahead of {first} by {mean:.4f}, which is more than the noise of {seeds} seeds."
        ).format(best=found.settings[ahead[0].best].activation, first=first, mean=ahead[0].mean, seeds=found.seeds)
    if len(found.settings) == 1:
        return _("Take {first}: nothing else is recommended here.").format(first=first)
    return _(
        "Take {first}, the first choice: none of the others is ahead of it by more than the noise of {seeds} seeds."
    ).format(first=first, seeds=found.seeds)
