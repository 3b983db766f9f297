"""The commands that describe the activations: list, show and plot.

All that they say comes from the objects' metadata, so a new activation needs no change here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

import fastact as fa
from fastact._core.files import replacing
from fastact.cli.console import console, table
from fastact.cli.options import elementwise, own_activations, picture
from fastact.language import marked
from fastact.language import translated as _
from fastact.learn.experiments.comparison import ACTIVATIONS
from fastact.learn.pictures import style
from fastact.learn.pictures.curves import curves

#: What each kind of function is called, in the plural.
TITLES = {
    "activation": marked("activations"),
    "softmax": marked("the softmax family"),
    "reduction": marked("reductions"),
    "sampling": marked("sampling"),
    "gated unit": marked("gated units"),
    "loss": marked("loss functions"),
}


@click.command("list")
@click.option("--kind", help='Only this kind, such as "activation" or "loss".')
def list_(kind: str | None) -> None:
    r"""The functions that fastact knows, one line each.

    \b
    Examples:
        fastact list
        fastact list --kind loss
    """
    functions = [fa.get(name) for name in fa.names(kind)]
    for each in dict.fromkeys(function.kind for function in functions):
        rows = [(f.name, _(f.formula), _(f.range), _(f.notes.get("use", ""))) for f in functions if f.kind == each]
        console().print(table([_("name"), _("formula"), _("range"), _("use")], rows, words=4, title=_(TITLES[each])))


@click.command()
@click.argument("name")
@own_activations
def show(name: str, sources: tuple[Path, ...]) -> None:
    r"""All that a learner needs to know of one function.

    \b
    Examples:
        fastact show gelu
        fastact show softmax --language ja
    """
    function = fa.get(name)
    terminal = console()
    terminal.print(table(["", ""], function.facts(), words=2, title=titled(function)))
    if samples := function._samples():
        terminal.print(figures(samples))


@click.command()
@click.argument("names", nargs=-1)
@own_activations
@picture(required=True, help="Where to write the picture.")
def plot(names: tuple[str, ...], output: Path, sources: tuple[Path, ...]) -> None:
    r"""Draw the curves f and f' of NAMES (the usual hidden-layer activations if none is named).

    \b
    Example:
        fastact plot relu gelu tanh -o curves.png
    """
    known = [elementwise(name).name for name in names] or list(ACTIVATIONS)
    with replacing(output) as temporary:
        style.save(curves(known), temporary)
    console().print(_("wrote {path}").format(path=output))


def titled(function: Any) -> str:
    """The name, and what the function is, unless that begins with the name."""
    return function.summary if function.summary.startswith(function.name) else f"{function.name}: {function.summary}"


def figures(samples: dict[str, Any]) -> Any:
    """A table of a few values, for checks by hand."""
    (corner, x), *rest = samples.items()
    rows = [(label, *(f"{value:.3f}" for value in row)) for label, row in rest]
    return table([corner, *(f"{value:g}" for value in x)], rows)
