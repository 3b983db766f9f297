"""The command `compare`: which activation learns best, on handwritten digits or on XOR.

fastact/experiments/ trains; this file asks, prints and writes. A new experiment is one more command here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from fastact._files import replacing
from fastact.cli.console import console, progress
from fastact.cli.findings import digits_lesson, digits_table, xor_lesson, xor_table
from fastact.cli.options import FILE, elementwise, picture
from fastact.experiments import digits, xor
from fastact.experiments.learning_plot import Measure, learning_curves
from fastact.experiments.results import Comparison, Settings
from fastact.experiments.training import Data, hidden_activations, runs


class DigitsByDefault(click.Group):
    """A group in which the word `digits` need not be written."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["digits", *args]
        return super().parse_args(ctx, args)


@click.group(cls=DigitsByDefault)
def compare() -> None:
    """Train one network with each activation and see which learns best.

    Without the name of an experiment it is digits: real handwritten digits.
    """


def common_options(experiment: str, seeds: int) -> Callable[[Any], Any]:
    """The options that every experiment has."""
    options = [
        click.option("--activations", metavar="NAMES", help="Compare only these, e.g. relu,gelu,tanh."),
        click.option(
            "--seeds",
            type=click.IntRange(1),
            default=seeds,
            show_default=True,
            help="Trainings per activation.",
        ),
        picture(default=f"fastact-compare-{experiment}.png", show_default=True, help="The learning curves."),
        click.option("--json", "record", type=FILE, metavar="FILE", help="Write every single run here too."),
        click.option("-q", "--quiet", is_flag=True, help="Write the files and print nothing."),
    ]

    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


@compare.command("digits")
@common_options("digits", seeds=5)
@click.option("--epochs", type=click.IntRange(1), default=digits.SETTINGS.epochs, show_default=True)
@click.option("--batch-size", type=click.IntRange(1), default=digits.SETTINGS.batch_size, show_default=True)
@click.option(
    "--learning-rate",
    type=click.FloatRange(0, min_open=True),
    default=digits.SETTINGS.learning_rate,
    show_default=True,
)
def compare_digits(
    activations: str | None,
    seeds: int,
    output: Path,
    record: Path | None,
    quiet: bool,
    epochs: int,
    batch_size: int,
    learning_rate: float,
) -> None:
    """Learn the handwritten digits that scikit-learn ships.

    A 64-128-64-10 network is trained with each activation in its hidden layers. Each seed draws other first
    weights and splits the 1,797 pictures anew: 80 % to learn from, 20 % to measure the test accuracy on.
    """
    settings = replace(digits.SETTINGS, epochs=epochs, batch_size=batch_size, learning_rate=learning_rate)
    names = chosen(activations) or hidden_activations()
    [comparison] = conduct(
        "Handwritten digits", [settings], digits.splits(seeds), names, "accuracy", output, record, quiet
    )
    if not quiet:
        summaries = sorted(comparison.summaries(), key=lambda summary: -summary.accuracy)
        tell(digits_table(comparison.title, summaries), *digits_lesson(summaries), output=output, record=record)


@compare.command("xor")
@common_options("xor", seeds=10)
def compare_xor(activations: str | None, seeds: int, output: Path, record: Path | None, quiet: bool) -> None:
    """Learn XOR, the smallest task that a network without an activation cannot learn.

    A 2-4-1 network is trained with each activation in its hidden layer: 1,000 epochs at Adam's usual learning
    rate of 0.001, in which only some seeds arrive, and 300 epochs at 0.05.
    """
    names = chosen(activations) or list(xor.ACTIVATIONS)
    settings = [xor.ARTICLE, xor.FAST]
    comparisons = conduct("XOR", settings, xor.data(seeds), names, "loss", output, record, quiet)
    if not quiet:
        tell(*map(xor_table, comparisons), *xor_lesson(comparisons), output=output, record=record)


def chosen(activations: str | None) -> list[str]:
    """The names in the option's text, each once and spelt as the registry does."""
    names = (activations or "").split(",")
    return list(dict.fromkeys(elementwise(name.strip()).name for name in names if name.strip()))


def conduct(
    task: str,
    settings: Sequence[Settings],
    data: Sequence[Data],
    names: Sequence[str],
    measure: Measure,
    output: Path,
    record: Path | None,
    quiet: bool,
) -> list[Comparison]:
    """Train everything behind a progress bar, draw it to `output` and write it to `record`.

    Open both files first, so that a folder without write permission fails before the long work.
    """
    with ExitStack() as files:
        picture_file = files.enter_context(replacing(output))
        record_file = files.enter_context(replacing(record)) if record else None
        comparisons = []
        with progress(len(settings) * len(names) * len(data), "training", quiet) as advance:
            for setting in settings:
                done = []
                for run in runs(names, data, setting):
                    done.append(run)
                    advance(1, f"training {run.activation}")
                comparisons.append(Comparison(f"{task}: {described(setting)}", setting, done))
        learning_curves(comparisons, measure).savefig(picture_file, format="png", dpi=120)
        if record_file:
            record_file.write_text(json.dumps([comparison.as_dict() for comparison in comparisons]))
    return comparisons


def described(settings: Settings) -> str:
    """The settings in one line."""
    network = "-".join(map(str, settings.layers))
    return (
        f"{network} network, Adam with learning rate {settings.learning_rate:g}, "
        f"batches of {settings.batch_size}, {settings.epochs:,} epochs"
    )


def tell(*parts: Any, output: Path, record: Path | None) -> None:
    """Print tables and text, and name the files written."""
    terminal = console()
    for part in parts:
        terminal.print(part)
        terminal.print()
    terminal.print(f"wrote {output}" + (f" and {record}" if record else ""))
