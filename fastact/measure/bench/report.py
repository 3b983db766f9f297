"""What a report of a benchmark says of the machine it ran on, and its tables."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Iterable, Sequence

import numba
import numpy as np

__all__ = ["processor", "provenance", "table"]


def processor() -> str:
    """The model name of the processor, as far as the system says."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def provenance() -> str:
    """Day, machine and versions, as a clause."""
    return (
        f"Measured on {datetime.date.today()}, {processor()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, NumPy {np.__version__}, Numba {numba.__version__}"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """A Markdown table."""
    return [f"| {' | '.join(map(str, row))} |" for row in (head, ["---"] * len(head), *rows)]
