"""The command `warmup`: fills the cache of machine code, so that no later process compiles.

`fastact.warmup` chooses what to compile.
"""

from __future__ import annotations

import time

import click

import fastact as fa
from fastact.cli.console import console, progress


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
        raise click.ClickException(f"the cache is off: {before.why_not}")
    with progress(len(known), "compiling") as advance:
        for name in known:
            advance(0, f"compiling {name}")
            fa.warmup(name)
            advance()
    after, seconds = fa.cache_info(), time.perf_counter() - start
    compiled, found = after.compiled - before.compiled, after.found - before.found
    console().print(
        f"compiled {compiled} kernels, found {found}, in {seconds:.1f} s; {cache_summary()}", soft_wrap=True
    )


def cache_summary() -> str:
    """The state of the cache in one line."""
    cache = fa.cache_info()
    if cache.why_not:
        return f"off: {cache.why_not}"
    return f"{cache.kernels} kernels, {cache.bytes / 1e3:,.0f} kB, in {cache.folder}"
