"""SciPy: functions of scipy.special, and expressions of them."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from fastact.measure.bench.cases import Array, Case
from fastact.measure.bench.libraries.numpy import gaussian, logistic, softplus, ufunc_like
from fastact.measure.bench.libraries.peer import Peer
from fastact.measure.bench.timing import Contender

NEEDS = ("scipy",)

#: What numpy.py has, made of s, which is scipy.special.
TABLE: dict[str, tuple[Callable[[Any], Any] | None, Callable[[Any], Any] | None]] = {
    "sigmoid": (lambda s: (s.expit,), None),
    "log_sigmoid": (lambda s: (s.log_expit,), None),
    "softplus": (lambda s: (getattr(s, "softplus", functools.partial(np.logaddexp, 0)),), None),
    "erf": (lambda s: (s.erf,), None),
    "ndtr": (lambda s: (s.ndtr,), None),
    "silu": (lambda s: lambda x, o: np.multiply(x, s.expit(x), out=o), None),
    "gelu": (
        lambda s: lambda x, o: np.multiply(x, s.ndtr(x), out=o),
        lambda s: lambda x, o: np.add(x * gaussian(x, None, 0.5, (2 * np.pi) ** -0.5), s.ndtr(x), out=o),
    ),
    "serf": (
        lambda s: lambda x, o: np.multiply(x, s.erf(softplus(x)), out=o),
        lambda s: (
            lambda x, o: np.add(
                x * logistic(x) * gaussian(softplus(x), None, 1, 2 / np.pi**0.5), s.erf(softplus(x)), out=o
            )
        ),
    ),
}


def _make(name: str, part: str, arrays: tuple[Array, ...], out: Array | None) -> Contender:
    entry: Any = TABLE[name][part != "forward"]
    return ufunc_like(entry(importlib.import_module("scipy.special")), part, arrays, out)


ELEMENTWISE = Peer(TABLE, _make, by_slope=True)


def softmax(case: Case, arrays: tuple[Array, ...], out: Array | None) -> Contender | None:
    """The softmax family, forward and without masks."""
    if case.part == "backward" or case.data or case.dtype == "bfloat16":
        return None
    special, axis, (x,) = importlib.import_module("scipy.special"), case.axis, arrays
    if case.name == "softmin":
        return Contender(lambda: special.softmax(-x, axis=axis))
    function = getattr(special, case.name)
    return Contender(lambda: function(x, axis=axis))
