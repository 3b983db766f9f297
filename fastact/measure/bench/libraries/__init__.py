"""The libraries that fastact is timed beside: a file each, which says how it computes the functions of the families.

To add a library, add its file. NEEDS names what must be installed, and REMEDY what pip installs it by, unless the extra
`bench` does. ELEMENTWISE is its table of activations. The functions `softmax`, `losses`, `sparse` and `gated` make its
calls, or give None where it has none; in a family whose function the file lacks, the library takes no part.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from fastact.errors import UnknownNameError, nearest
from fastact.measure.bench.cases import Array
from fastact.measure.bench.timing import Contender

__all__ = [
    "NAMES", "as_numpy", "calls", "chosen", "installed", "library", "set_threads", "threads", "versions",
]  # fmt: skip

#: All libraries.
NAMES = tuple(sorted({path.stem for path in Path(__file__).parent.glob("*.py")} - {"__init__", "peer"}))

_threads = 1


def set_threads(n: int) -> None:
    """Let every library use n threads from its next contender on; JAX takes all cores that it sees."""
    global _threads
    _threads = n


def threads() -> int:
    """How many threads every library is to use."""
    return _threads


def library(name: str) -> Any:
    """The file of a library; to import it is no more than to read its tables."""
    return importlib.import_module(f"fastact.measure.bench.libraries.{name}")


def calls(family: str, names: Sequence[str], *given: Any) -> dict[str, Contender]:
    """The calls of a case, from those of the libraries that have it."""
    makers = {name: getattr(library(name), family, None) for name in names}
    made = {name: make(*given) for name, make in makers.items() if make}
    return {name: contender for name, contender in made.items() if contender is not None}


def installed() -> list[str]:
    """The libraries that can take part."""
    return [name for name in NAMES if all(map(find_spec, library(name).NEEDS))]


def chosen(names: Sequence[str]) -> list[str]:
    """These libraries, or all that are installed if none is named.

    Raises
    ------
    UnknownNameError
        For a name that is none of NAMES, or a library that is not installed.
    """
    for name in names:
        if name not in NAMES:
            raise UnknownNameError(f"unknown peer {name!r}{nearest(name, NAMES)}")
        if name not in installed():
            missing = " and ".join(need for need in library(name).NEEDS if not find_spec(need))
            remedy = getattr(library(name), "REMEDY", '"fastact[bench]"')
            raise UnknownNameError(
                f"peer {name!r} needs {missing}, which is not installed: leave it out, or install it with: "
                f"pip install {remedy}"
            )
    return list(names) or installed()


def versions(names: Sequence[str] = NAMES) -> str:
    """Names and versions of those that are installed; oneDNN comes as a part of PyTorch."""
    packages = dict.fromkeys(library(name).NEEDS[0] for name in names if name in installed())
    return ", ".join(f"{package} {version(package)}" for package in packages)


def as_numpy(result: Any) -> Array:
    """A library's result as an array."""
    if not hasattr(result, "detach"):
        return np.asarray(result)
    if result.is_mkldnn:
        result = result.to_dense()
    if str(result.dtype) == "torch.bfloat16":
        bfloat16 = importlib.import_module("ml_dtypes").bfloat16
        return result.view(importlib.import_module("torch").int16).numpy().view(bfloat16)
    return result.detach().numpy()
