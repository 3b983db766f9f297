"""Checks and times everything on one GPU, beside PyTorch and a copy of as many bytes; writes docs/gpu.json.

    python benchmarks/gpu.py                      # all sections; nothing starts after 9 minutes: call it to go on
    python benchmarks/gpu.py softmax losses       # some sections: calls elementwise softmax losses training host
                                                  # accuracy checks
    python benchmarks/gpu.py softmax --again      # anew, though there are figures
    python benchmarks/gpu.py --report             # a page and pictures beside docs/gpu.json; needs no GPU

Figures that have a target are compared with it, and what falls short is listed at the end. A section goes on where it
was interrupted. The status is 0 when everything is measured, and 3 if time runs out first.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import multiprocessing
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from card.record import Record

__all__ = ["SECTIONS", "compile_all", "main", "measure"]

DOCS = Path(__file__).parents[1] / "docs"
#: In this order, the quick and the important first.
SECTIONS = ("calls", "elementwise", "softmax", "losses", "training", "host", "accuracy", "checks")
#: Sections whose kernels several processes compile first: the power of two of elements that suffices for it, and how
#: many processes fit into 80 GB of the GPU.
COMPILED = {"elementwise": (20, 8), "softmax": (28, 8), "losses": (28, 2)}
PACKAGES = ("fastact", "numpy", "torch", "cupy-cuda13x", "numba-cuda", "cuda-core", "nvidia-nvvm")
TIME_OVER = 3


def machine() -> dict[str, Any]:
    """The card, its driver, and the versions."""
    torch: Any = importlib.import_module("torch")
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    driver = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[0]
    versions = {"Python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "missing"
    return {
        "date": str(datetime.date.today()), "card": torch.cuda.get_device_name(), "driver": driver,
        "versions": versions,
    }  # fmt: skip


def units_of(section: str, power: int) -> dict[str, Any]:
    """The pieces of work of a section, by name."""
    return dict(importlib.import_module(f"card.{section}").units(power))


def _compile(section: str, power: int, places: list[int]) -> None:
    """Do some units once, so that their kernels are in the cache on disk."""
    importlib.import_module("card.timing").ROUNDS = 1
    units = list(units_of(section, power).values())
    for place in places:
        units[place]()


def compile_all(section: str, power: int, places: list[int]) -> None:
    """Fill the cache for these units of a section; a kernel takes seconds to compile, and milliseconds to time."""
    enough, most = COMPILED[section]
    processes = min(most, os.cpu_count() or 1)
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        pool.starmap(_compile, [(section, min(power, enough), places[i::processes]) for i in range(processes)])


def measure(record: Record, sections: list[str], power: int, end: float) -> bool:
    """Do what is not done yet, and start nothing after the clock says `end`; return True if everything is done."""
    for section in sections:
        known, units = record.sections.get(section, {}), units_of(section, power)
        places = [i for i, name in enumerate(units) if name not in known]
        if len(places) > 1 and section in COMPILED and time.monotonic() < end:
            print(f"{section}: kernels are compiled", flush=True)
            compile_all(section, power, places)
        for name, unit in [list(units.items())[place] for place in places]:
            if time.monotonic() > end:
                return False
            figures = unit()
            record.add(section, name, figures)
            print(
                f"{section}: {name}", *(f"{part} {figure}" for part, figure in figures.items()), sep="   ", flush=True
            )
    return True


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=" ".join(SECTIONS))
    parser.add_argument("--report", action="store_true", help="measure nothing; write the page and its pictures")
    parser.add_argument("--again", action="store_true", help="measure what has figures too")
    parser.add_argument(
        "--minutes",
        type=float,
        default=9,
        help="start nothing after so many; of `checks`, what is started may take 400 seconds",
    )
    parser.add_argument("--power", type=int, default=28, help="time 2**POWER elements")
    parser.add_argument("--json", type=Path, default=DOCS / "gpu.json", help="where the figures are kept")
    options = parser.parse_args(arguments)
    if unknown := set(options.sections) - set(SECTIONS):
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    record, sections = Record(options.json), options.sections or list(SECTIONS)
    if options.report:
        if not record.sections:
            print(f"{options.json} has no figures; run python benchmarks/gpu.py on a machine with an NVIDIA GPU")
            return 1
        print(*importlib.import_module("card.report").write(record, options.json.parent), sep="\n")
        return 0
    end = time.monotonic() + 60 * options.minutes
    record.of_machine(machine())
    for section in sections if options.again else ():
        record.sections.pop(section, None)
    done = measure(record, sections, options.power, end)
    short = record.shortfalls()
    print("\nFalls short:" if short else "\nNothing falls short.", *short, sep="\n  ")
    if not done:
        print("Time ran out before everything was measured; call it again to go on.")
    return 0 if done else TIME_OVER


if __name__ == "__main__":
    sys.exit(main())
