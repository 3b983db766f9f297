"""Options that several commands share, and how to read their values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

import fastact as fa

FILE = click.Path(dir_okay=False, path_type=Path)


def picture(**settings: Any) -> Callable[[Any], Any]:
    """The option -o / --output for a PNG file."""
    return click.option("-o", "--output", type=FILE, metavar="FILE.png", callback=ends_in_png, **settings)


def ends_in_png(ctx: click.Context, parameter: click.Parameter, path: Path) -> Path:
    """Raise click.BadParameter for a name that promises another format than PNG."""
    if path.suffix.lower() != ".png":
        raise click.BadParameter(f"{str(path)!r} does not end in .png", ctx, parameter)
    return path


def elementwise(name: str) -> Any:
    """The activation called `name`, which must have a derivative; softmax and its relatives act on whole rows."""
    activation = fa.get(name)
    if activation.kind != "activation":
        what = "acts on whole rows" if activation.kind == "softmax" else f"is a {activation.kind}"
        raise ValueError(f"{activation.name} {what}, so it has no curve and suits no hidden layer")
    check_differentiable(activation)
    return activation


def check_differentiable(function: Any) -> None:
    """Raise ValueError if a function was defined without a derivative, which the command needs."""
    if not function.differentiable:
        raise ValueError(f"{function.name} was defined without a derivative; define it as @activation(derivative=...)")
