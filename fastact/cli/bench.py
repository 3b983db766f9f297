"""The command `bench`: how fast functions are here, beside a copy of the same bytes and the installed libraries.

What is measured, and how, is in fastact/measure/bench/; this file asks, prints and writes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

import fastact as fa
from fastact._core.files import replacing
from fastact.cli.console import console, progress, table
from fastact.cli.options import FILE, ends_in_png
from fastact.language import listed
from fastact.language import translated as _
from fastact.learn.pictures import style
from fastact.measure.bench import cases, libraries
from fastact.measure.bench.cases import FIELDS, Case, Size, label
from fastact.measure.bench.families import activations, canonical, family_of, grid
from fastact.measure.bench.measure import measure
from fastact.measure.bench.plots import heat_map, roofline
from fastact.measure.bench.results import Times, copy_share, peers_of, save

USUAL = ("sigmoid", "tanh", "silu", "gelu", "relu")

#: What the table needs when every library is installed: squeezed, its figures would be cut.
WIDTH = 120


class Sizes(click.ParamType):
    """A number of elements, written 1000 or 1e3, or a shape, written 4096x1000."""

    name = "elements"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Size:
        if re.fullmatch(r"[1-9]\d*(x[1-9]\d*)+", str(value)):
            shape = tuple(map(int, value.split("x")))
            size: float = math.prod(shape)
        else:
            shape, size = (), _number(value)
        if not (size >= 1 and size == int(size)) or size > 1e9:
            self.fail(f"{value!r} is not a whole number from 1 to 1e9", param, ctx)
        return shape or int(size)


def _number(text: str) -> float:
    """NaN for what is no number."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def several(flag: str, choices: Sequence[str], default: Sequence[str]) -> Callable[[Any], Any]:
    """An option that may be repeated; "all" stands for every choice."""
    return click.option(
        flag, multiple=True, default=default, show_default=True, type=click.Choice([*choices, "all"]),
        callback=lambda ctx, parameter, values: tuple(choices) if "all" in values else values,
    )  # fmt: skip


def picture(flag: str, name: str, text: str) -> Callable[[Any], Any]:
    """An option for a picture that is drawn besides."""
    return click.option(
        flag, name, type=FILE, metavar="FILE.png", help=text,
        callback=lambda ctx, parameter, path: path and ends_in_png(ctx, parameter, path),
    )  # fmt: skip


@click.command()
@click.argument("names", nargs=-1)
@several("--part", cases.PARTS, ("forward",))
@several("--dtype", cases.DTYPES, ("float32",))
@click.option(
    "--size",
    multiple=True,
    type=Sizes(),
    help="1e6, or rows x columns, 4096x1000  [default: 1e3 and 1e6, of rows 128x10 and 4096x1000]",
)
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
    size: tuple[Size, ...],
    layout: tuple[str, ...],
    with_peers: bool,
    peer: tuple[str, ...],
    budget: float,
    record: Path | None,
    plot: Path | None,
    roofline_: Path | None,
    quiet: bool,
) -> None:
    r"""Time NAMES (five usual ones if none is named; all: every activation) against the installed libraries.

    NAMES may be activations, the softmax family and its sparse kin, losses and gated units. Options but --budget may be
    repeated. Times are the least of many calls that take turns. The copy is of as many bytes as the function reads and
    writes; ratios are the peer's time over fastact's: above 1, fastact is faster.

    \b
    Examples:
        fastact bench relu gelu --size 1e5 --no-peers
        fastact bench softmax --part all --dtype all --json times.json --plot ratios.png
    """
    known = activations() if names == ("all",) else [canonical(name) for name in names or USUAL]
    peers = libraries.chosen(peer) if with_peers else []
    libraries.set_threads(fa.get_num_threads())
    todo = grid(known, part, dtype, list(dict.fromkeys(size)), layout)
    with ExitStack() as files:
        targets = [path and files.enter_context(replacing(path)) for path in (record, plot, roofline_)]
        results: dict[Case, Times] = {}
        with progress(len(todo), _("timing"), quiet) as advance:
            for case in todo:
                results[case] = measure(case, peers, budget)
                advance(1, _("timing {name}").format(name=case.name))
        if targets[0]:
            save(targets[0], results, {"libraries": libraries.versions(peers), "threads": fa.get_num_threads()})
        for draw, target in zip((heat_map, roofline), targets[1:], strict=True):
            if target:
                with style.lettering():
                    draw(results).savefig(target, format="png", dpi=150)
    if not quiet:
        terminal = console()
        terminal.width = max(terminal.width, WIDTH)
        terminal.print(shown(results))
        for path in filter(None, (record, plot, roofline_)):
            console().print(_("wrote {path}").format(path=path))


def shown(results: Mapping[Case, Times]) -> Any:
    """A line for each case; what is the same in all cases is said once, above."""
    peers = list(dict.fromkeys(library for times in results.values() for library in peers_of(times)))
    fields = [field for field in FIELDS if field == "name" or len({getattr(case, field) for case in results}) > 1]
    same = [_word(next(iter(results)), field) for field in FIELDS if field not in fields]
    rows = []
    for case, times in results.items():
        own = times["fastact"]
        rate = family_of(case.name).moved(case) / case.elements / own
        ratios = [f"{times[library] / own:.2f}" if library in times else "" for library in peers]
        words = [_word(case, field) for field in fields]
        rows.append([*words, f"{own:.3g}", f"{rate:.1f}", f"{copy_share(times):.2f}", *ratios])
    return table(
        [*map(_, fields), "ns", "GB/s", _("/copy"), *peers], rows,
        title=listed([*same, _("{threads} threads").format(threads=fa.get_num_threads())]),
        caption=_(
            "ns: per element; /copy: share of the bandwidth of a copy; libraries: their time over fastact's, above 1 "
            "fastact is faster"
        ),
    )  # fmt: skip


def _word(case: Case, field: str) -> str:
    """A field of a case as the table shows it."""
    return label(case.size) if field == "size" else getattr(case, field)
