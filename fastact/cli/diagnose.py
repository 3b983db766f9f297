"""The command `diagnose`: what goes wrong in the training of a network, and what helps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

import fastact as fa
from fastact.cli.console import counting
from fastact.cli.options import OPTIMIZER, POSITIVE, SEED, elementwise, own_activations
from fastact.cli.outputs import Files, outputs, written
from fastact.cli.problems import problem_of
from fastact.language import translated as _
from fastact.learn.experiments import diagnosis


@click.command()
@click.argument("data", default="digits", metavar="[DATA]")
@click.option("--target", metavar="COLUMN", help="What to predict, where DATA is a file.")
@click.option("--activation", default="relu", show_default=True, metavar="NAME", help="Of the hidden layers.")
@own_activations
@click.option("--depth", type=click.IntRange(0), default=2, show_default=True, help="Hidden layers.")
@click.option("--hidden", type=click.IntRange(1), default=64, show_default=True, help="Units in each of them.")
@click.option("--epochs", type=click.IntRange(1), default=30, show_default=True)
@click.option("--learning-rate", type=POSITIVE, default=1e-3, show_default=True)
@click.option("--batch-size", type=click.IntRange(1), help="32 unless given.")
@click.option(
    "--init",
    type=click.Choice(["auto", "he", "glorot", "lecun", "orthogonal"]),
    default="auto",
    show_default=True,
    help="How the first weights are drawn.",
)
@click.option("--init-scale", type=POSITIVE, default=1.0, show_default=True, help="A factor of the first weights.")
@click.option("--optimizer", type=OPTIMIZER, default="adam", show_default=True)
@click.option("--batch-norm", is_flag=True, help="Normalise the preactivations by batch.")
@click.option("--residual", is_flag=True, help="Add the input of a hidden layer to its output.")
@click.option("--clip-norm", type=POSITIVE, help="The largest norm of the gradient.")
@click.option("--seed", type=SEED, default=0, show_default=True)
@outputs("fastact-diagnose.png")
def diagnose(
    data: str,
    target: str | None,
    activation: str,
    sources: tuple[Path, ...],
    epochs: int,
    files: Files,
    **settings: Any,
) -> None:
    r"""Train a network, watch it layer by layer, and say what goes wrong and what helps.

    DATA is xor, moons, circles, spirals, digits (the default), breast-cancer, regression (made), or a table in a
    .csv, .tsv, .npz or .parquet file whose column --target is to be predicted.

    \b
    Examples, of vanishing gradients and of exploding ones:
        fastact diagnose digits --activation sigmoid --depth 20
        fastact diagnose digits --init-scale 10
    """
    if activation not in fa.names("softmax"):  # which diagnose shows what is wrong with
        elementwise(activation)
    with written(files, Path(data), *sources) as show:
        problem = problem_of(data, target, files.quiet)
        with counting(_("training"), files.quiet) as progress:
            found = diagnosis.diagnose(problem, activation, epochs=epochs, progress=progress, **settings)
        show([found])
