"""The commands `demo ...`: what goes wrong in networks, each with its picture and its remedies.

fastact/learn/experiments/ has the experiments; a new one is an entry in `DEMOS`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable

import click

from fastact.cli.console import counting
from fastact.cli.options import activations, language
from fastact.cli.outputs import Files, outputs, written
from fastact.learn import experiments
from fastact.learn.result import Result

#: What `--activations` is for, by the parameter of the experiment that takes them.
HELP = {
    "activations": "Train with these.",
    "activation": "Train with this one.",
    "others": "Compare with these.",
}

#: The name of the command -> its experiment, and its help.
DEMOS: dict[str, tuple[Callable[..., Result], str]] = {
    "vanishing": (
        experiments.vanishing,
        "Lose the gradient in 20 layers of sigmoid. See how relu and its kin, batch normalisation, residual "
        "connections and larger initial weights keep it.",
    ),
    "exploding": (
        experiments.exploding,
        "Diverge with initial weights too large. See how gradient clipping, the usual initial weights and batch "
        "normalisation help.",
    ),
    "dying-relu": (
        experiments.dying_relu,
        "Count relu units that never fire again. One epoch with too high a learning rate stops them; see leaky_relu "
        "and elu beside them, a small learning rate and batch normalisation.",
    ),
    "linear": (
        experiments.linear,
        "Train deep networks without an activation. They multiply into one linear map, and cannot learn XOR.",
    ),
    "softmax-hidden": (
        experiments.softmax_hidden,
        "Put softmax into the hidden layers. See why that is possible but not advised.",
    ),
    "initialisation": (
        experiments.initialisation,
        "See each layer's outputs by initial weights. Weights are small, large, Glorot's and He's; batch normalisation "
        "stands beside them.",
    ),
}


@click.group()
def demo() -> None:
    r"""See what goes wrong in networks, and what helps: one experiment each.

    \b
    Example:
        fastact demo vanishing --seeds 3 --report vanishing.html
    """


def add(name: str, experiment: Callable[..., Result], text: str) -> None:
    """Make a command of an experiment, whose first parameter is the activation or the activations to train with."""
    first = next(iter(inspect.signature(experiment).parameters.values()))
    usual = [first.default] if isinstance(first.default, str) else first.default

    @click.option(
        "--activations", callback=activations, default=",".join(usual), show_default=True, metavar="NAMES",
        help=HELP[first.name],
    )  # fmt: skip
    @click.option("--seeds", type=click.IntRange(1), default=10, show_default=True, help="Networks of each kind.")
    @outputs(f"fastact-demo-{name}.png")
    def command(activations: list[str], seeds: int, files: Files) -> None:
        if first.name == "activation" and len(activations) > 1:
            raise ValueError(f"demo {name} takes one activation, not {len(activations)}")
        with written(files) as show:
            with counting(name, files.quiet) as progress:
                given = {first.name: activations[0] if first.name == "activation" else activations}
                found = experiment(**given, seeds=seeds, progress=progress)
            show([found])

    made = click.command(name, help=f"{text}\n\n\b\nExample:\n    fastact demo {name} --seeds 3 -o {name}.png")(command)
    demo.add_command(language(made))


for _name, (_experiment, _text) in DEMOS.items():
    add(_name, _experiment, _text)
