"""The command `compare`: which activation learns best, on a named data set or on a user's own table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from fastact.cli.console import counting
from fastact.cli.options import POSITIVE, activations, own_activations, words
from fastact.cli.outputs import Files, outputs, written
from fastact.cli.problems import problem_of
from fastact.language import translated as _
from fastact.learn.experiments import comparison, xor
from fastact.learn.experiments.xor import ACTIVATIONS as OF_XOR
from fastact.learn.result import Result


def counts(ctx: click.Context, parameter: click.Parameter, text: str | None) -> list[int] | None:
    """The whole numbers, from 1, in the text."""
    found = words(ctx, parameter, text)
    wrong = next((word for word in found or () if not word.isdecimal() or int(word) < 1), None)
    if wrong is not None:
        raise click.BadParameter(f"{wrong!r} is no whole number from 1 on", ctx, parameter)
    return None if found is None else [int(word) for word in found]


@click.command()
@click.argument("data", default="digits", metavar="[DATA]")
@click.option("--target", metavar="COLUMN", help="What to predict, where DATA is a file.")
@click.option("--activations", callback=activations, metavar="NAMES", help="Only these, e.g. relu,gelu,tanh.")
@own_activations
@click.option("--depths", callback=counts, metavar="NUMBERS", help="Numbers of hidden layers, e.g. 1,2,4.")
@click.option("--initialisers", callback=words, metavar="NAMES", help="First weights, e.g. he,glorot,lecun.")
@click.option("--optimisers", callback=words, metavar="NAMES", help="E.g. adam,sgd,rmsprop.")
@click.option("--hidden", type=click.IntRange(1), metavar="UNITS", help="Units in each hidden layer.")
@click.option("--epochs", type=click.IntRange(1))
@click.option("--batch-size", type=click.IntRange(1))
@click.option(
    "--learning-rate",
    type=POSITIVE,
    help="Unless given, that of the data set, and ten times as much for sgd and nesterov.",
)
@click.option("--seeds", type=click.IntRange(1), help="Trainings of each setting.  [default: 10, for xor 50]")
@click.option(
    "--jobs",
    type=click.IntRange(1),
    help="Processes that train side by side.  [default: the number of cores, where that is faster than one]",
)
@outputs("fastact-compare.png")
def compare(
    data: str,
    target: str | None,
    activations: list[str] | None,
    sources: tuple[Path, ...],
    depths: list[int] | None,
    initialisers: list[str] | None,
    optimisers: list[str] | None,
    seeds: int | None,
    jobs: int | None,
    files: Files,
    **training: Any,
) -> None:
    r"""Train one network with each activation, from many seeds, and see which learns best.

    DATA is xor, moons, circles, spirals, digits (the default), breast-cancer, regression (made), or a table in a
    .csv, .tsv, .npz or .parquet file whose column --target is to be predicted. Every activation is trained with every
    depth, initialiser and optimizer named; what is not given is usual for the data. All meet the same seeds, each of
    which draws other first weights and other samples to learn from.

    xor is trained twice unless these options say how: with a beginner's settings, and with settings that solve it.

    \b
    Examples:
        fastact compare moons --activations relu,tanh --seeds 3
        fastact compare digits --activations relu,tanh --depths 2,8 --seeds 3
        fastact compare flowers.csv --target species --report flowers.html
    """
    grid = {"depths": depths, "initialisers": initialisers, "optimisers": optimisers, **training}
    grid = {name: value for name, value in grid.items() if value is not None}
    with written(files, Path(data), *sources) as show:
        problem = problem_of(data, target, files.quiet)
        twice = problem.name == "xor" and not grid
        names = activations or (OF_XOR if problem.name == "xor" else comparison.ACTIVATIONS)
        seeds = seeds or (50 if problem.name == "xor" else 10)
        with counting(_("training"), files.quiet) as told:
            common: dict[str, Any] = {"seeds": seeds, "jobs": jobs, "progress": told, "sources": sources}
            found: Result = xor(names, **common) if twice else comparison.compare(problem, names, **grid, **common)
        show([found])
