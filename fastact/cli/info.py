"""The command `info`: what a bug report needs, and why a backend does not work here.

It starts no thread and compiles nothing.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path

import click
import numpy as np

import fastact as fa
from fastact.cli.console import console, table
from fastact.cli.warmup import cache_summary

LIBRARIES = ("numpy", "numba", "llvmlite", "numba-cuda", "click", "rich", "matplotlib", "scikit-learn")


@click.command()
def info() -> None:
    """Versions, processor, threads and backends."""
    terminal = console()
    terminal.print(table(["", ""], facts(), words=2))
    terminal.print(table(["backend", "state"], fa.backends().items(), words=2))


def facts() -> list[tuple[str, str]]:
    """Everything that `info` prints above the backends, as pairs of label and text."""
    versions = [(name, version(name)) for name in LIBRARIES]
    return [
        ("fastact", fa.__version__),
        ("Python", f"{platform.python_version()} ({platform.python_implementation()})"),
        *versions,
        ("system", platform.platform()),
        ("processor", f"{processor()}, {cores()} logical cores for this process"),
        ("threads", str(fa.get_num_threads())),
        ("threading layer", threading_layer()),
        ("cache", cache_summary()),
        ("softmax", fa.explain(fa.softmax, np.zeros((1, 10), np.float32))),
    ]


def version(library: str) -> str:
    """The installed version of an optional or required library."""
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def processor() -> str:
    """The processor's name from Linux, else from the platform module."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def cores() -> int:
    """The number of logical cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threading_layer() -> str:
    """Numba's threading layer, which is chosen when its threads start."""
    import numba

    try:
        return numba.threading_layer()
    except ValueError:
        return "chosen when the first threads start"
