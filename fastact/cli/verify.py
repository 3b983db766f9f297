"""The command `verify`: how exact an implementation of an activation is."""

from __future__ import annotations

import sys
from pathlib import Path

import click

import fastact as fa
from fastact.cli.console import counting
from fastact.cli.options import own_activations
from fastact.cli.outputs import Files, outputs, written
from fastact.errors import BackendError, MissingDependencyError
from fastact.language import translated as _
from fastact.measure.verification.formats import FORMATS
from fastact.measure.verification.libraries import LIBRARIES
from fastact.measure.verification.targets import literal

LIMIT = click.FloatRange(0)


def settings(ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, object]:
    """Keyword arguments of KEY=VALUE texts."""
    found = {}
    for each in values:
        key, equals, value = each.partition("=")
        if not equals or not key.isidentifier():
            raise click.BadParameter(f"{each!r}; write it as KEY=VALUE", ctx, parameter)
        found[key] = literal(value)
    return found


@click.command()
@click.argument("target")
@click.option("--against", metavar="NAME", help="The activation that it should be; that of the same name unless given.")
@own_activations
@click.option(
    "--param",
    "parameters",
    multiple=True,
    metavar="KEY=VALUE",
    callback=settings,
    help="A keyword argument of the function; may be repeated.",
)
@click.option("--derivative", metavar="MODULE:FUNCTION", help="Its derivative, where the library has no autograd.")
@click.option(
    "--dtype", "dtypes", multiple=True, type=click.Choice(list(FORMATS)), help="Only this one; may be repeated."
)
@click.option("--all", "exhaustive", is_flag=True, help="Every float32 number, which takes minutes.")
@click.option(
    "--samples", type=click.IntRange(1), default=1 << 21, show_default=True, help="float32 numbers, without --all."
)
@click.option("--max-ulp", type=LIMIT, default=2.0, show_default=True, help="The largest error that passes.")
@click.option("--max-ulp-derivative", type=LIMIT, help="The same of the derivative; twice --max-ulp unless given.")
@click.option("--library", type=click.Choice(list(LIBRARIES)), help="Whose arrays the function takes.")
@click.option("--device", metavar="DEVICE", help='Where PyTorch or JAX compute, such as "cuda".')
@click.option("--threads", type=click.IntRange(1), help="That call the function at once; all cores unless given.")
@outputs("fastact-verify.png")
def verify(
    target: str, sources: tuple[Path, ...], parameters: dict[str, object], dtypes: tuple[str, ...], files: Files,
    against: str | None, derivative: str | None, exhaustive: bool, samples: int, max_ulp: float,
    max_ulp_derivative: float | None, library: str | None, device: str | None, threads: int | None,
) -> None:  # fmt: skip
    r"""Measure the errors of an implementation of an activation, and of its derivative, and say what is wrong with it.

    TARGET is a function of a library (torch, jax, scipy, numpy, cupy, numexpr, fastact), of a module or of a file, or
    a model of one input and one output. Every float16 and bfloat16 number is tried, samples of float32 and float64,
    infinities, NaN, zeros, subnormals and kinks.

    \b
    Examples:
        fastact verify torch:gelu
        fastact verify "torch:gelu?approximate=tanh" --max-ulp 4
        fastact verify FILE.py:my_silu --against silu --all
        fastact verify scipy:expit --derivative FILE.py:slope
        fastact verify "numexpr:1 / (1 + exp(-x))" --against sigmoid
        fastact verify model.onnx --against mish --json errors.json

    The exit code is 0 if it passes, 1 if it fails, and 2 if the command cannot verify it.
    """
    read = [Path(each.partition("?")[0].rpartition(":")[0] or each) for each in (target, derivative or "") if each]
    with written(files, *sources, *read) as show:
        with counting(_("verifying"), files.quiet) as progress:
            try:
                found = fa.verify(
                    target, against, parameters=parameters, derivative=derivative, dtypes=dtypes or FORMATS,
                    exhaustive=exhaustive, samples=samples, max_ulp=max_ulp, max_ulp_derivative=max_ulp_derivative,
                    library=library, device=device, threads=threads, progress=progress,
                )  # fmt: skip
            except OSError as error:  # 1 is for functions that fail
                raise ValueError(f"{error.filename}: {error.strerror}" if error.filename else error) from error
            except (TypeError, MemoryError, BackendError, MissingDependencyError) as error:
                raise ValueError(error) from error
        show([found])
    if not found.passed:
        sys.exit(1)
