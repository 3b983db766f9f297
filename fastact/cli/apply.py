"""The command `apply`: an activation over an array or a table of any size.

stream.py reads and writes .npy files, and fastact.dask zarr arrays and parquet files.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

import fastact as fa
from fastact._core.files import replacing
from fastact.cli import stream
from fastact.cli.console import console, progress
from fastact.cli.options import check_differentiable
from fastact.errors import UnknownNameError, nearest, require
from fastact.language import translated as _

PATH = click.Path(path_type=Path)


@click.command()
@click.argument("name")
@click.argument("source", metavar="IN", type=PATH)
@click.argument("target", metavar="OUT", type=PATH)
@click.option("--param", "parameters", multiple=True, metavar="KEY=VALUE", help="Such as alpha=0.2.")
@click.option("--derivative", is_flag=True, help="Apply f' instead of f.")
@click.option("--axis", type=int, help="For softmax and its like: the axis that sums to 1.  [default: -1]")
@click.option(
    "--columns",
    multiple=True,
    metavar="NAME,...",
    help="Of a table: the columns that f is applied to; may be repeated.  [default: all that hold numbers]",
)
@click.option("--backend", help="Compute with this backend, e.g. parallel, cuda, numpy.")
@click.option(
    "--chunk",
    type=click.IntRange(1),
    help="Elements held in memory at a time; of zarr in each thread.  [default: 2**20, of zarr 2**22 or a chunk; for "
    "cuda, whose copies overlap in it, 2**27]",
)
@click.option("-q", "--quiet", is_flag=True, help="Print nothing.")
def apply(
    name: str,
    source: Path,
    target: Path,
    parameters: tuple[str, ...],
    derivative: bool,
    axis: int | None,
    columns: tuple[str, ...],
    backend: str | None,
    chunk: int | None,
    quiet: bool,
) -> None:
    r"""Apply the activation NAME to the array or table IN and write the result to OUT.

    IN and OUT are .npy files; folders with a zarr array, whose chunks may cut --axis; or .parquet files or folders of
    them, where softmax goes over the columns of a row. Memory stays constant however large IN is: of parquet a row
    group is held. OUT appears, or is replaced, only when all is done; it may be the same as IN.

    \b
    Examples:
        fastact apply gelu in.npy out.npy
        fastact apply leaky_relu in.npy out.npy --param alpha=0.2 --derivative
        fastact apply softmax scores.parquet probabilities.parquet --columns cat,dog
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
    if backend:
        with fa.use_backend(backend):  # it works here, or this says why not
            function = partial(function, backend=backend)
    if chunk is None and backend == "cuda":
        chunk = 2**27
    apply_to = {"npy": _to_npy, "zarr": _to_zarr, "parquet": _to_parquet}[kind(source, target)]
    if columns and apply_to is not _to_parquet:
        raise ValueError(f"--columns goes with a table, and {source} is an array")
    apply_to(activation, function, source, target, axis, columns, chunk, quiet)
    if not quiet:
        console().print(_("wrote {path}").format(path=target))


def kind(source: Path, target: Path) -> str:
    """What both are: "npy", "zarr" or "parquet"."""
    found = "npy"
    if source.is_dir() or source.suffix.lower() in (".zarr", ".parquet"):
        marks = ("zarr.json", ".zarray", ".zgroup")
        zarr = source.suffix.lower() == ".zarr" or any((source / mark).exists() for mark in marks)
        found = "zarr" if zarr else "parquet"
        if found == "parquet" and source.is_dir() and not any(source.rglob("*.parquet")):
            raise ValueError(f"{source}: is a folder, but no zarr array, and it has no parquet files")
    other = target.suffix.lower().removeprefix(".")
    if other != found and other in ("npy", "zarr", "parquet"):
        raise ValueError(f"{target}: {source} is {found}, and so is what is written; name it {target.stem}.{found}")
    return found


def _to_npy(
    activation: Any, function: Callable[..., Any], source: Path, target: Path, axis: int | None, columns: Any,
    chunk: int | None, quiet: bool,
) -> None:  # fmt: skip
    if activation.kind != "activation":
        axis = -1 if axis is None else axis
        function = partial(function, axis=stream.AXIS_OF_BLOCK)
    with replacing(target) as temporary, progress(stream.size(source), activation.name, quiet) as advance:
        stream.apply(function, source, temporary, axis=axis, chunk=chunk or 2**20, advance=advance)


def _to_zarr(
    activation: Any, function: Callable[..., Any], source: Path, target: Path, axis: int | None, columns: Any,
    chunk: int | None, quiet: bool,
) -> None:  # fmt: skip
    require("dask.array", "dask", "fastact apply on zarr arrays")
    from fastact.dask import zarr_arrays

    if activation.kind != "activation":
        axis = -1 if axis is None else axis
    total = zarr_arrays.size(source)
    with zarr_arrays.replacing(source, target) as temporary, progress(total, activation.name, quiet) as advance:
        zarr_arrays.apply(function, source, temporary, axis=axis, chunk=chunk, advance=advance)


def _to_parquet(
    activation: Any, function: Callable[..., Any], source: Path, target: Path, axis: int | None, columns: Any,
    chunk: int | None, quiet: bool,
) -> None:  # fmt: skip
    require("dask", "dask", "fastact apply on parquet files")
    from fastact.dask import parquet_files

    if axis is not None:
        raise ValueError(f"--axis does not go with a table: {activation.name} goes over the columns of a row")
    named = [name for each in columns for name in each.split(",")]
    options: dict[str, Any] = {"columns": named, "rowwise": activation.kind != "activation", "chunk": chunk}
    total = parquet_files.size(source)
    with parquet_files.replacing(source, target) as temporary, progress(total, activation.name, quiet) as advance:
        parquet_files.apply(function, source, temporary, advance=advance, **options)


def keywords(activation: Any, parameters: tuple[str, ...]) -> dict[str, Any]:
    """The options `--param key=value` as keyword arguments."""
    words = activation._variants
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
