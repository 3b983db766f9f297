"""Options that several commands share, and how to read their values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

import fastact as fa
from fastact import language as languages
from fastact.functions import own

FILE = click.Path(dir_okay=False, path_type=Path)
POSITIVE = click.FloatRange(0, min_open=True)
OPTIMIZER = click.Choice(["adam", "adamw", "sgd", "nesterov", "rmsprop"])
SEED = click.IntRange(0, 2**32 - 1)


def language(command: Any) -> Any:
    """Add the option --language, of what the command prints and draws; unless given, the environment decides."""

    def chosen(ctx: click.Context, parameter: click.Parameter, value: str | None) -> None:
        if value is not None:
            ctx.with_resource(languages.use(value))

    return click.option(
        "--language",
        type=click.Choice(list(languages.LANGUAGES)),
        expose_value=False,
        is_eager=True,
        callback=chosen,
        help="Language of what is printed and drawn; unless given, that of the environment.",
    )(command)


def own_activations(command: Any) -> Any:
    """The option --from FILE.py, whose activations every other option then knows by name; may be repeated.

    The command gets `sources`, the paths.
    """

    def loaded(ctx: click.Context, parameter: click.Parameter, paths: tuple[Path, ...]) -> tuple[Path, ...]:
        for path in paths:
            own.load(path)
        return paths

    return click.option(
        "--from",
        "sources",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        multiple=True,
        is_eager=True,
        callback=loaded,
        metavar="FILE.py",
        help="Python file with activations of your own, defined by @fastact.activation.",
    )(command)


def words(ctx: click.Context, parameter: click.Parameter, text: str | None) -> list[str] | None:
    """The words of a text with commas; None if there is no text."""
    if text is None:
        return None
    found = [word.strip() for word in text.split(",") if word.strip()]
    if not found:
        raise click.BadParameter(f"{text!r} names nothing", ctx, parameter)
    return found


def activations(ctx: click.Context, parameter: click.Parameter, text: str | None) -> list[str] | None:
    """The names in the text, spelt as the registry does; each has a derivative."""
    found = words(ctx, parameter, text)
    return None if found is None else [elementwise(name).name for name in found]


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
    """Raise ValueError if a function has no derivative, which the command needs, and none can be derived."""
    try:
        if not function.differentiable:
            function._part("derivative")
    except TypeError as error:  # which says why
        raise ValueError(str(error)) from None
