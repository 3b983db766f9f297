"""The softmax kernels for this processor: built once for each instruction set, of which the best that runs is taken."""

from __future__ import annotations

import importlib
import os
from importlib.util import find_spec
from types import ModuleType

from fastact.errors import BackendError, nearest

__all__ = ["available", "baseline", "kernels", "load", "name"]

baseline = importlib.import_module("fastact._kernels.native.softmax.baseline")


def available() -> list[str]:
    """The instruction sets, best first, that this CPU can run and this build holds."""
    return [each for each in baseline.cpu_supports() if find_spec(f"fastact._kernels.native.softmax.{each}")]


def name() -> str:
    """The instruction set in use: "avx512", "avx2" or "baseline"."""
    return kernels.__name__.rpartition(".")[2]


def load(wanted: str | None = None) -> ModuleType:
    """The kernels for the best instruction set, or for the one `wanted` (the variable FASTACT_SIMD)."""
    found = available()
    if wanted and wanted not in found:
        raise BackendError(f"FASTACT_SIMD={wanted!r} cannot run here{nearest(wanted, found)}")
    return importlib.import_module(f"fastact._kernels.native.softmax.{wanted or found[0]}")


kernels = load(os.environ.get("FASTACT_SIMD"))
