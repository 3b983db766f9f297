"""The commands that describe the activations: list, show and plot.

All that they say comes from the objects' metadata, so a new activation needs no change here.
"""

from __future__ import annotations

import inspect
import math
from pathlib import Path
from typing import Any

import click
import numpy as np

import fastact as fa
from fastact._files import replacing
from fastact.cli.console import console, table
from fastact.cli.options import elementwise, picture
from fastact.experiments.comparison import ACTIVATIONS
from fastact.pictures import style
from fastact.pictures.curves import curves

LOGITS = (2.0, 1.0, 0.1)
#: Kinds that take one array, and where a few values of them are shown.
SAMPLES = {"activation": (-2.0, -1.0, 0.0, 1.0, 2.0), "softmax": LOGITS}
LABELS = {"for": "for it", "against": "against it", "use": "use"}


@click.command("list")
@click.option("--kind", help='Only this kind, such as "activation" or "loss".')
def list_(kind: str | None) -> None:
    """The functions that fastact knows, one line each."""
    functions = [fa.get(name) for name in fa.names(kind)]
    for each in dict.fromkeys(function.kind for function in functions):
        rows = [(f.name, f.formula, f.range, f.notes.get("use", "")) for f in functions if f.kind == each]
        console().print(table(["name", "formula", "range", "use"], rows, words=4, title=each))


@click.command()
@click.argument("name")
def show(name: str) -> None:
    """All that a learner needs to know of one function."""
    function = fa.get(name)
    terminal = console()
    terminal.print(table(["", ""], described(function), words=2, title=summary(function)))
    if function.kind in SAMPLES:
        terminal.print(samples(function))


@click.command()
@click.argument("names", nargs=-1)
@picture(required=True, help="Where to write the picture.")
def plot(names: tuple[str, ...], output: Path) -> None:
    """Draw the curves f and f' of NAMES (the usual hidden-layer activations if none is named)."""
    known = [elementwise(name).name for name in names] or list(ACTIVATIONS)
    with replacing(output) as temporary:
        style.save(curves(known), temporary)
    console().print(f"wrote {output}")


def summary(activation: Any) -> str:
    """The name, and the first line of the docstring unless it begins with the name."""
    first_line = (inspect.getdoc(activation) or "").partition("\n")[0]
    return activation.name if first_line.startswith(activation.name) else f"{activation.name}: {first_line}"


def described(activation: Any) -> list[tuple[str, str]]:
    """Everything known of an activation, as pairs of label and text."""
    pairs = [
        ("also called", ", ".join(activation.aliases)),
        ("formula", activation.formula),
        ("derivative", activation.derivative_formula),
        ("range", activation.range),
        ("parameters", ", ".join(f"{key} = {value:g}" for key, value in activation.parameters.items())),
        ("kinks", activation.kinks),
        *((LABELS.get(key, key), text) for key, text in activation.notes.items()),
        ("accuracy", accuracy(activation.max_ulp)),
        ("paper", activation.reference),
    ]
    return [(label, text) for label, text in pairs if text]


def accuracy(max_ulp: float) -> str:
    """The error bound in words; none where there is no such bound."""
    if math.isnan(max_ulp):
        return ""
    if not max_ulp:
        return "exact"
    return f"at most {max_ulp:g} ULP off in float32 (1 ULP: the step from one float32 number to the next)"


def samples(activation: Any) -> Any:
    """A table of a few values, for checks by hand."""
    x = np.array(SAMPLES[activation.kind])
    rows = [("f(x)", *(f"{value:.3f}" for value in np.atleast_1d(activation(x))))]
    if activation.kind == "activation" and activation.differentiable:
        rows.append(("f'(x)", *(f"{value:.3f}" for value in activation.derivative(x))))
    return table(["x", *(f"{value:g}" for value in x)], rows)
