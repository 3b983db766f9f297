"""The family of softmax, log_softmax, softmin and logsumexp over an axis, with masks.

`data` of a case is its mask: `full`, a boolean array; `padding`, a number of keys for each batch; `causal`. Every
library takes the same array and returns a new one; with layout `out` fastact and PyTorch write into one. Arrays that
are not contiguous are made so for JAX and onnxruntime within their time. A backward pass takes (grad_output, output).
A library is a file with `contender(case, arrays, out)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import fastact as fa
from fastact.measure.bench.cases import Case, operands
from fastact.measure.bench.family import Contest, Family
from fastact.measure.bench.softmax import jax, onnxruntime, scipy, torch
from fastact.measure.bench.softmax.masks import keep
from fastact.measure.bench.timing import Contender

__all__ = ["FAMILY", "contest"]

BOTH = ("forward", "backward")
FUNCTIONS = {"softmax": BOTH, "log_softmax": BOTH, "softmin": BOTH, "logsumexp": ("forward",)}
PEERS = {
    "torch": torch.contender,
    "jax": jax.contender,
    "onnxruntime": onnxruntime.contender,
    "scipy": scipy.contender,
}


def contest(case: Case, libraries: Sequence[str]) -> Contest:
    """The calls of a case."""
    arrays, out, _ = operands(case, 2 if case.part == "backward" else 1, deviation=1.0)
    function, settings = getattr(fa, case.name), _settings(case)
    if case.part == "backward":
        g, x = arrays
        arrays = g, function(x, **settings)
        function = function.backward
    if out is not None:
        settings["out"] = out = np.empty_like(out.take(0, case.axis)) if case.name == "logsumexp" else out
    made = {library: PEERS[library](case, arrays, out) for library in libraries if library in PEERS}
    return Contest(Contender(lambda: function(*arrays, **settings)), {k: v for k, v in made.items() if v is not None})


def _settings(case: Case) -> dict[str, Any]:
    """Axis and mask as fastact takes them."""
    settings: dict[str, Any] = {"axis": case.axis}
    if case.data == "causal":
        settings["where"] = "causal"
    elif case.data == "padding":
        settings["lengths"] = keep(case).sum(-1)[:, 0, 0]
    elif case.data:
        settings["where"] = keep(case)
    return settings


def _arrays(case: Case) -> int:
    if case.name == "logsumexp":
        return 1
    return 3 if case.part == "backward" else 2


FAMILY = Family(lambda: FUNCTIONS, contest, _arrays, ("new", "out", "strided", "transposed"))
