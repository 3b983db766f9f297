"""The command `warmup`: fills the cache of machine code, so that no later process compiles.

`fastact.warmup` chooses what to compile.
"""

from __future__ import annotations

import time

import click

import fastact as fa
from fastact.cli.console import console, progress
from fastact.language import translated as _


@click.command()
@click.argument("names", nargs=-1)
def warmup(names: tuple[str, ...]) -> None:
    r"""Compile the functions NAMES, or all if none is named, for every later process.

    Each with its derivatives and backward passes, in float32 and float64.

    \b
    Examples:
        fastact warmup relu softmax
        fastact warmup
    """
    known = [fa.get(name).name for name in names] or fa.names()
    before, start = fa.cache_info(), time.perf_counter()
    if before.why_not:
        raise click.ClickException(_("the cache is off: {why}").format(why=before.why_not))
    with progress(len(known), _("compiling")) as advance:
        for name in known:
            advance(0, _("compiling {name}").format(name=name))
            fa.warmup(name)
            advance()
    after, seconds = fa.cache_info(), time.perf_counter() - start
    said = _(
        "compiled {compiled} kernels, found {found}, in {seconds:.1f} s; {kernels} kernels, {size:,.0f} kB, in {folder}"
    ).format(
        compiled=after.compiled - before.compiled, found=after.found - before.found, seconds=seconds,
        kernels=after.kernels, size=after.bytes / 1e3, folder=after.folder,
    )  # fmt: skip
    console().print(said, soft_wrap=True)
