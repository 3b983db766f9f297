"""The command `apply`: an activation over a .npy file of any size.

stream.py reads and writes the file.
"""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import click

import fastact as fa
from fastact._files import replacing
from fastact.cli import stream
from fastact.cli.console import console, progress
from fastact.cli.options import FILE, check_differentiable
from fastact.errors import UnknownNameError, nearest
from fastact.language import translated as _


@click.command()
@click.argument("name")
@click.argument("source", metavar="IN.npy", type=FILE)
@click.argument("target", metavar="OUT.npy", type=FILE)
@click.option("--param", "parameters", multiple=True, metavar="KEY=VALUE", help="Such as alpha=0.2.")
@click.option("--derivative", is_flag=True, help="Apply f' instead of f.")
@click.option("--axis", type=int, help="For softmax and its like: the axis that sums to 1.  [default: -1]")
@click.option("--backend", help="Compute with this backend, e.g. parallel, cuda, numpy.")
@click.option(
    "--chunk",
    type=click.IntRange(1),
    help="Elements held in memory at a time.  [default: 2**20; for cuda, whose copies overlap in it, 2**27]",
)
@click.option("-q", "--quiet", is_flag=True, help="Print nothing.")
def apply(
    name: str,
    source: Path,
    target: Path,
    parameters: tuple[str, ...],
    derivative: bool,
    axis: int | None,
    backend: str | None,
    chunk: int | None,
    quiet: bool,
) -> None:
    """Apply the activation NAME to the array in IN.npy and write the result to OUT.npy.

    Memory stays constant however large the file is. OUT.npy appears, or is replaced, only when all is done;
    it may be the same file as IN.npy.
    """
    activation = fa.get(name)
    if activation.kind not in ("activation", "softmax"):
        raise ValueError(f"{activation.name} is a {activation.kind}; apply takes activations, and softmax's relatives")
    elementwise = activation.kind == "activation"
    if derivative and not elementwise:
        raise ValueError(f"{activation.name} has no elementwise derivative: an output depends on its whole row")
    if axis is not None and elementwise:
        raise ValueError(f"--axis does not go with {activation.name}, which acts on each element by itself")
    if derivative:
        check_differentiable(activation)
    function = activation.derivative if derivative else activation
    function = partial(function, **keywords(activation, parameters))
    if not elementwise:
        axis = -1 if axis is None else axis
        function = partial(function, axis=stream.AXIS_OF_BLOCK)
    if chunk is None:
        chunk = 2**27 if backend == "cuda" else 2**20
    with (
        fa.use_backend(backend) if backend else nullcontext(),
        replacing(target) as temporary,
        progress(stream.size(source), activation.name, quiet) as advance,
    ):
        stream.apply(function, source, temporary, axis=axis, chunk=chunk, advance=advance)
    if not quiet:
        console().print(_("wrote {path}").format(path=target))


def keywords(activation: Any, parameters: tuple[str, ...]) -> dict[str, Any]:
    """The options `--param key=value` as keyword arguments."""
    words = activation.variants
    known = [*activation.parameters, *words]
    result: dict[str, Any] = {}
    for text in parameters:
        key, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"--param {text}: write it as KEY=VALUE")
        if key not in known:
            remedy = nearest(key, known) if known else "; it takes none"
            raise UnknownNameError(f"{activation.name} has no parameter {key!r}{remedy}")
        result[key] = value if key in words else number(value, text)
    return result


def number(value: str, text: str) -> float:
    """The value of a numeric parameter."""
    try:
        return float(value)
    except ValueError:
        raise ValueError(f"--param {text}: {value!r} is not a number") from None
