"""What softmax.py, losses.py and sparse.py share: their arguments, and a line on the terminal for each case."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence

import fastact as fa
from fastact.measure.bench import libraries
from fastact.measure.bench.cases import Case
from fastact.measure.bench.measure import measure
from fastact.measure.bench.results import ratio

__all__ = ["THREADS", "arguments", "columns", "timed"]

THREADS = 2


def arguments(text: str, kinds: Sequence[str], document: str = "") -> argparse.Namespace:
    """What the command line says: kinds, all if none is named, which cases, and whether to write the document.

    An unknown kind ends the script.
    """
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", help=f"of {', '.join(kinds)}; by default all")
    parser.add_argument("--case", default="", help="only cases whose description holds this")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each case")
    if document:
        parser.add_argument("--write", action="store_true", help=f"write {document}")
    options = parser.parse_args()
    if unknown := set(options.kinds) - set(kinds):
        parser.error(f"unknown: {', '.join(sorted(unknown))} (choose from {', '.join(kinds)})")
    options.kinds = options.kinds or list(kinds)
    return options


def timed(cases: Iterable[Case], peers: Sequence[str], options: argparse.Namespace) -> dict[Case, dict[str, float]]:
    """Time the cases that `--case` chooses beside the peers that are installed; print each as soon as it is known."""
    fa.set_num_threads(THREADS)
    libraries.set_threads(THREADS)
    present = [peer for peer in peers if peer in libraries.installed()]
    heads = [f"{head:>12}" for head in ("fastact", "copy", *peers, "ratio")]
    print(f"{'ns per element':<62}{''.join(heads)}")
    results = {}
    for case in cases:
        if options.case in case.given:
            results[case] = measure(case, present, options.seconds)
            print(f"{case!s:<62}" + "".join(f"{word:>12}" for word in columns(results[case], peers)), flush=True)
    return results


def columns(times: dict[str, float], peers: Sequence[str]) -> list[str]:
    """What a table shows of a case: the times, and the ratio of the fastest peer's to fastact's."""
    best = ratio(times)
    shown = [f"{times[name]:.3f}" if name in times else "-" for name in ("fastact", "copy", *peers)]
    return [*shown, f"{best:.2f}" if best == best else "-"]
