"""Computes the constants of the compiled functions, and checks that the sources have them.

The sources hold the numbers themselves, so that the package needs neither mpmath nor time. A table is a module of
tables/, named after the source file that it is for.
    python tools/coefficients.py                       # print all, with the errors of polynomials: a minute
    python tools/coefficients.py softmax sine          # print these
    python tools/coefficients.py --check softmax       # say what the source does not have; exit code 1 if there is any
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
from entries import Entry
from tables import error, exponential, gates, normal, sine, softmax

ROOT = Path(__file__).parents[1] / "fastact"
#: Tables, and where their numbers stand.
TABLES: dict[str, tuple[ModuleType, str]] = {
    "exponential": (exponential, "_kernels/scalar/*.py"),
    "normal": (normal, "_kernels/scalar/normal.py"),
    "error": (error, "_kernels/scalar/error.py"),
    "gates": (gates, "_kernels/scalar/gates.py"),
    "sine": (sine, "_kernels/scalar/*.py"),
    "softmax": (softmax, "_kernels/native/softmax/simd.pxi"),
}


def missing(entry: Entry, text: str) -> Iterator[object]:
    """The numbers of an entry that a source does not have; it need not have the low part of each."""
    if entry.dtype is int:
        yield from (number for number in entry.numbers if f"{number:x}" not in re.sub(r'[\s"]', "", text))
        return
    known = {abs(entry.dtype(number)) for number in numbers(text)}
    names = entry.names if len(entry.names) == len(entry.numbers) else entry.names * len(entry.numbers)
    for name, number in zip(names, entry.numbers, strict=True):
        if not (name.endswith("_LOW") and name not in text) and abs(entry.dtype(number)) not in known:
            yield number


def numbers(text: str) -> Iterator[float]:
    """All numbers in a text, without their signs."""
    yield from map(float.fromhex, re.findall(r"0x[\da-f]+\.[\da-f]+p[-+]?\d+", text))
    yield from map(float, re.findall(r"\d+\.\d*(?:e[-+]?\d+)?", text))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=f"tables, of {', '.join(TABLES)}; all if none is named")
    parser.add_argument("--check", action="store_true", help="compare with the sources instead of printing")
    options = parser.parse_args()
    if unknown := set(options.names) - set(TABLES):
        parser.error(f"unknown: {', '.join(sorted(unknown))} (choose from {', '.join(TABLES)})")
    lacking = 0
    for name in options.names or TABLES:
        module, pattern = TABLES[name]
        text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(ROOT.glob(pattern)))
        for entry in module.tables():
            if not options.check:
                print(entry, flush=True)
                continue
            for number in missing(entry, text):
                lacking += 1
                print(f"{pattern} lacks {number!r} of {', '.join(entry.names)}, {entry.dtype.__name__}")
    return int(lacking > 0)


if __name__ == "__main__":
    with np.errstate(over="ignore"):  # float64 numbers that no float32 is near to
        sys.exit(main())
