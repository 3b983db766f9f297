"""The command `train`: a network for a user's table. learn/tabular/ trains; this file asks, and writes the model."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from fastact._core.files import replacing
from fastact.cli.console import console, progress
from fastact.cli.options import FILE, OPTIMIZER, POSITIVE, SEED, elementwise, own_activations
from fastact.cli.outputs import Files, outputs, written
from fastact.language import translated as _
from fastact.learn.data import reading
from fastact.learn.data.table import TEST_SHARE
from fastact.learn.tabular import train as trained

#: Exit code of a command that Ctrl-C ended, as of every program.
_INTERRUPTED = 130


def sizes(ctx: click.Context, parameter: click.Parameter, text: str) -> list[int]:
    """Read 64,32 as a list."""
    try:
        found = [int(each) for each in text.split(",") if each.strip()]
    except ValueError:
        found = [0]
    if any(size < 1 for size in found):
        raise click.BadParameter(f"{text!r}; write units per hidden layer, such as 64,32", ctx, parameter)
    return found


@click.command()
@click.argument("source", metavar="FILE", type=FILE)
@click.option("--target", required=True, metavar="COLUMN", help="The column to predict.")
@click.option(
    "-m", "--model", type=FILE, metavar="MODEL", help="Where the model goes.  [default: beside FILE, as NAME.fastact]"
)
@click.option(
    "--task",
    type=click.Choice(["classification", "regression"]),
    help="Unless given, texts, booleans and few different whole numbers are classes.",
)
@click.option(
    "--hidden", default="64,32", show_default=True, callback=sizes, metavar="SIZES", help="Units per hidden layer."
)
@click.option("--activation", default="relu", show_default=True, metavar="NAME", help="Of all hidden layers.")
@own_activations
@click.option("--epochs", type=click.IntRange(1), default=200, show_default=True, help="The most passes over the rows.")
@click.option(
    "--patience",
    type=click.IntRange(0),
    default=20,
    show_default=True,
    help="Stop after more epochs without a lower validation loss.",
)
@click.option("--learning-rate", type=POSITIVE, default=1e-3, show_default=True)
@click.option("--batch-size", type=click.IntRange(1), help="Unless given, from 32 for few rows to 1024 for many.")
@click.option("--optimizer", type=OPTIMIZER, default="adam", show_default=True)
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of the parts and weights.")
@click.option(
    "--test-share",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=TEST_SHARE,
    show_default=True,
    help="The share of the rows to measure on.",
)
@outputs(default="fastact-train.png")
def train(
    files: Files, source: Path, target: str, model: Path | None, activation: str, sources: Any, **settings: Any
) -> None:
    r"""Train a network that predicts a column of a table.

    FILE is .csv or .tsv (or these with .gz), .npz or .parquet. The other columns become the network's inputs:

    \b
    - Numbers are standardised. A missing one becomes the median, and a
      further input tells where.
    - Booleans are 0 and 1. Dates are days.
    - Texts are categories: an input of 0 or 1 for each of the 50 most
      frequent, and one for missing.
    - Left out are columns that are empty or the same in all rows, texts of
      which most differ from row to row, and row numbers.

    A fifth of the rows is kept to measure the result, and a fifth of the others decides when to stop: the network
    learns, and medians and the like are computed, from the rest alone. The model of the best epoch is saved; Ctrl-C
    keeps the best so far and exits with 130. `fastact predict` applies it.

    \b
    Examples:
        fastact train flowers.csv --target species
        fastact train flowers.csv --target species --activation gelu --report flowers.html
    """
    path = model or beside(source)
    if os.path.realpath(path) in map(os.path.realpath, (source, *sources)):
        raise ValueError(f"--model {path}: is another file of this command; name a file of its own")
    activation = elementwise(activation).name
    with written(files, source, path, *sources) as show, replacing(path) as temporary:
        with progress(reading.size(source), _("reading"), files.quiet) as advance:
            frame = reading.read(source, advance)
        with progress(settings["epochs"], _("training"), files.quiet) as advance:

            def tell(epoch: int, network: Any) -> None:
                loss = network.history["val_loss"][-1]
                advance(1, _("validation loss {loss}").format(loss=f"{loss:.4f}"))

            found = trained(frame, target, activation=activation, callback=tell, **settings)
        found.model.save(temporary)
        show([found])
    if not files.quiet:
        console().print(_("wrote the model to {path}").format(path=path))
    if found.interrupted:
        epochs = len(found.history["loss"])
        text = _("interrupted after epoch {epochs}: the model is that of epoch {best}, the best so far")
        console(stderr=True).print(text.format(epochs=epochs, best=found.best_epoch))
        sys.exit(_INTERRUPTED)


def beside(source: Path) -> Path:
    """Where the model of a file goes."""
    name = source.name
    for ending in (".gz", ".csv", ".tsv", ".npz", ".parquet"):
        name = name.removesuffix(ending)
    return source.with_name(f"{name}.fastact")
