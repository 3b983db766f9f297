"""The command `bench`: how fast the activations are here, beside a copy of the same bytes and the installed peers.

fastact/bench/ measures; this file asks, prints and writes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

import fastact as fa
from fastact._files import replacing
from fastact.bench import cases, peers
from fastact.bench.cases import Case
from fastact.bench.measure import measure
from fastact.bench.plots import heat_map, power, roofline
from fastact.bench.results import Times, copy_share, peers_of, save
from fastact.cli.console import console, progress, table
from fastact.cli.options import FILE, elementwise, ends_in_png

USUAL = ("sigmoid", "tanh", "silu", "gelu", "relu")


#: The width of the table with every library. On a narrower one, rich would cut figures.
WIDTH = 120


class Sizes(click.ParamType):
    """A number of elements, written 1000 or 1e3."""

    name = "elements"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            size = float(value)
        except ValueError:
            size = math.nan
        if not (size >= 1 and size == int(size)) or size > 1e9:
            self.fail(f"{value!r} is not a whole number from 1 to 1e9", param, ctx)
        return int(size)


def several(flag: str, choices: Sequence[str], default: Sequence[str]) -> Callable[[Any], Any]:
    """An option that may be repeated; "all" stands for every choice."""
    return click.option(
        flag, multiple=True, default=default, show_default=True, type=click.Choice([*choices, "all"]),
        callback=lambda ctx, parameter, values: tuple(choices) if "all" in values else values,
    )  # fmt: skip


def picture(flag: str, name: str, text: str) -> Callable[[Any], Any]:
    return click.option(
        flag, name, type=FILE, metavar="FILE.png", help=text,
        callback=lambda ctx, parameter, path: path and ends_in_png(ctx, parameter, path),
    )  # fmt: skip


@click.command()
@click.argument("names", nargs=-1)
@several("--part", cases.PARTS, ("forward",))
@several("--dtype", cases.DTYPES, ("float32",))
@click.option("--size", multiple=True, type=Sizes(), default=(1_000, 1_000_000), show_default=True)
@several("--layout", cases.LAYOUTS, ("new",))
@click.option("--peers/--no-peers", "with_peers", default=True, help="Time the installed libraries too.")
@click.option("--peer", multiple=True, metavar="LIBRARY", help="Only this peer; may be repeated.")
@click.option(
    "--budget", type=click.FloatRange(0, min_open=True), default=0.3, show_default=True, help="Seconds per case."
)
@click.option("--json", "record", type=FILE, metavar="FILE", help="Write all times here.")
@picture("--plot", "plot", "Write a heat map of the ratios here.")
@picture("--roofline", "roofline_", "Write the time over the size here.")
@click.option("-q", "--quiet", is_flag=True, help="Write the files and print nothing.")
def bench(
    names: tuple[str, ...],
    part: tuple[str, ...],
    dtype: tuple[str, ...],
    size: tuple[int, ...],
    layout: tuple[str, ...],
    with_peers: bool,
    peer: tuple[str, ...],
    budget: float,
    record: Path | None,
    plot: Path | None,
    roofline_: Path | None,
    quiet: bool,
) -> None:
    """Time NAMES (five usual ones if none is named; all: every one) against the installed libraries.

    Options but --budget may be repeated. Times are the least of many calls that take turns. The copy is of as many
    bytes as the function reads and writes; ratios are the peer's time over fastact's: above 1, fastact is faster.
    """
    known = cases.activations() if names == ("all",) else [elementwise(name).name for name in names or USUAL]
    libraries = peers.chosen(peer) if with_peers else []
    peers.set_threads(fa.get_num_threads())
    grid = list(cases.grid(known, part, dtype, sorted(set(size)), layout))
    with ExitStack() as files:
        targets = [path and files.enter_context(replacing(path)) for path in (record, plot, roofline_)]
        results: dict[Case, Times] = {}
        with progress(len(grid), "timing", quiet) as advance:
            for case in grid:
                results[case] = measure(case, libraries, budget)
                advance(1, f"timing {case.name}")
        if targets[0]:
            save(targets[0], results, {"libraries": peers.versions(libraries), "threads": fa.get_num_threads()})
        for draw, target in zip((heat_map, roofline), targets[1:], strict=True):
            if target:
                draw(results).savefig(target, format="png", dpi=150)
    if not quiet:
        terminal = console()
        terminal.width = max(terminal.width, WIDTH)
        terminal.print(shown(results))
        for path in filter(None, (record, plot, roofline_)):
            console().print(f"wrote {path}")


def shown(results: Mapping[Case, Times]) -> Any:
    """A table with a line for each case; the title holds what all cases share."""
    libraries = list(dict.fromkeys(library for times in results.values() for library in peers_of(times)))
    fields = [field for field in Case._fields if field == "name" or len({getattr(c, field) for c in results}) > 1]
    same = [power(v) if isinstance(v, int) else v for f, v in next(iter(results))._asdict().items() if f not in fields]
    rows = []
    for case, times in results.items():
        words = [power(case.size) if field == "size" else getattr(case, field) for field in fields]
        own = times["fastact"]
        ratios = [f"{times[library] / own:.2f}" if library in times else "" for library in libraries]
        rows.append([*words, f"{own:.3g}", f"{case.bytes / case.size / own:.1f}", f"{copy_share(times):.2f}", *ratios])
    return table(
        [*fields, "ns", "GB/s", "/copy", *libraries], rows,
        title=", ".join([*same, f"{fa.get_num_threads()} threads"]),
        caption="ns: per element; /copy: share of the bandwidth of a copy; libraries: their time over fastact's, "
        "above 1 fastact is faster",
    )  # fmt: skip
