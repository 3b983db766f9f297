"""The commands `demo ...`: what goes wrong in networks, each with its picture and its remedies.

fastact/experiments/ has the experiments; a new one is an entry in `DEMOS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from fastact import experiments
from fastact.cli.console import progress
from fastact.cli.outputs import Files, outputs, written
from fastact.result import Result

#: The name of the command -> its experiment, and its help.
DEMOS: dict[str, tuple[Callable[..., Result], str]] = {
    "vanishing": (
        experiments.vanishing,
        "Lose the gradient in 20 layers of sigmoid, on its way back to the first one; keep it with relu and its kin, "
        "batch normalisation, residual connections and larger initial weights.",
    ),
    "exploding": (
        experiments.exploding,
        "Let weights that are too large make the gradient explode and the training diverge; tame it with gradient "
        "clipping, the usual initial weights and batch normalisation.",
    ),
    "dying-relu": (
        experiments.dying_relu,
        "Kill relu units by one epoch with too high a learning rate, so that they never fire again; see leaky_relu and "
        "elu beside it, a small learning rate and batch normalisation.",
    ),
    "linear": (
        experiments.linear,
        "Train deep networks without an activation: they multiply into one linear map, and cannot learn XOR.",
    ),
    "softmax-hidden": (
        experiments.softmax_hidden,
        "Put softmax into the hidden layers, and see why that is possible but not advised.",
    ),
    "initialisation": (
        experiments.initialisation,
        "Draw histograms of each layer's outputs, for small, large, Glorot's and He's initial weights, and for batch "
        "normalisation.",
    ),
}


@click.group()
def demo() -> None:
    """See what goes wrong in networks, and what helps: one experiment each."""


def add(name: str, experiment: Callable[..., Result], text: str) -> None:
    """Make a command of an experiment."""

    def command(seeds: int, files: Files) -> None:
        with written(files) as show:
            with progress(1, name, files.quiet) as advance:
                found = experiment(seeds=seeds, progress=lambda _done, total: advance(1 / total))
            show([found])

    seeded = click.option(
        "--seeds", type=click.IntRange(1), default=10, show_default=True, help="Networks of each kind."
    )
    command.__doc__ = text
    decorated: Any = outputs(f"fastact-demo-{name}.png")(command)
    demo.command(name)(seeded(decorated))


for _name, (_experiment, _text) in DEMOS.items():
    add(_name, _experiment, _text)
