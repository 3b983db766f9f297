"""The family of sparsemax, entmax15, hardmax and gumbel_softmax.

The peers sort each row, as papers and packages do, or take its argmax. Rows are standard normal numbers, of which few
are in the support; with `data` "close" their differences are so small that most are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import fastact as fa
from fastact.measure.bench.cases import Array, Case, operands
from fastact.measure.bench.family import Contest, Family
from fastact.measure.bench.libraries import jax, torch
from fastact.measure.bench.timing import Contender

__all__ = ["FAMILY", "contest"]

Call = Callable[[], Any]
FUNCTIONS = dict.fromkeys(("sparsemax", "entmax15", "hardmax", "gumbel_softmax"), ("forward", "backward"))
CLOSE = 1e-4


def contest(case: Case, libraries: Sequence[str]) -> Contest:
    """The calls of a case; backward passes have no peers, nor have the half types."""
    *_, x = operands(case, deviation=CLOSE if case.data == "close" else 1.0).arrays
    f, axis = getattr(fa, case.name), case.axis
    noise = (np.random.default_rng(0),) if case.name == "gumbel_softmax" else ()
    if case.part == "backward":
        y = f(x, *noise, axis=axis)
        return Contest(Contender(lambda: f.backward(x, y, axis=axis)), {})
    own = Contender(lambda: f(x, *noise, axis=axis))
    able = PEERS if case.dtype in ("float32", "float64") else {}
    return Contest(own, {library: able[library](case, x) for library in libraries if library in able})


def _projection(name: str, lib: Any, x: Any, axis: int, falling: Any, counts: Any) -> Any:
    """The papers' formulation in the functions that torch and jax.numpy share; `falling` is x sorted."""
    total = lib.cumsum(falling, axis)
    if name == "sparsemax":
        thresholds = (total - 1) / counts
    else:
        mean = total / counts
        spread = lib.cumsum(falling * falling, axis) / counts - mean * mean
        thresholds = mean - lib.sqrt(lib.clip(1 / counts - spread, 0))
    last = (falling > thresholds).sum(axis, keepdims=True) - 1
    over = lib.clip(x - lib.take_along_axis(thresholds, last, axis), 0)
    return over if name == "sparsemax" else over * over


def _counts(case: Case) -> Array:
    """1, 2, 3 ... along the axis."""
    rank, axis = len(case.shape), case.axis % len(case.shape)
    counts = np.arange(1, case.shape[axis] + 1, dtype=case.dtype)
    return counts.reshape([-1 if i == axis else 1 for i in range(rank)])


def _numpy(case: Case, x: Array) -> Contender:
    f, axis, rng = getattr(fa, case.name), case.axis, np.random.default_rng(0)
    if case.name == "gumbel_softmax":
        noisy = lambda: x + np.asarray(rng.gumbel(size=x.shape), x.dtype)  # noqa: E731
        return Contender(lambda: fa.softmax(noisy(), axis, backend="numpy"))
    return Contender(lambda: f(x, axis, backend="numpy"))


def _torch(case: Case, x: Array) -> Contender:
    t, axis = torch(), case.axis
    tensor, counts = t.from_numpy(x), t.from_numpy(_counts(case))
    names = {"cumsum": t.cumsum, "sqrt": t.sqrt, "clip": t.clip, "take_along_axis": t.take_along_dim}
    lib = type("lib", (), {name: staticmethod(function) for name, function in names.items()})

    def call() -> Any:
        if case.name == "hardmax":
            return t.zeros_like(tensor).scatter_(axis, tensor.argmax(axis, keepdim=True), 1)
        if case.name == "gumbel_softmax":
            return t.nn.functional.gumbel_softmax(tensor, 1.0, dim=axis)
        scaled = tensor if case.name == "sparsemax" else (tensor - tensor.amax(axis, keepdim=True)) / 2
        falling = t.sort(scaled, axis, descending=True).values
        return _projection(case.name, lib, scaled, axis, falling, counts)

    return Contender(call)


def _jax(case: Case, x: Array) -> Contender:
    j, axis, counts = jax(), case.axis, _counts(case)
    key = j.random.key(0)

    def formula(a: Any) -> Any:
        if case.name == "hardmax":
            return j.nn.one_hot(a.argmax(axis), a.shape[axis], axis=axis, dtype=a.dtype)
        if case.name == "gumbel_softmax":
            return j.nn.softmax(a + j.random.gumbel(key, a.shape, a.dtype), axis)
        scaled = a if case.name == "sparsemax" else (a - a.max(axis, keepdims=True)) / 2
        return _projection(case.name, j.numpy, scaled, axis, -j.numpy.sort(-scaled, axis), counts)

    array, compiled = j.numpy.asarray(x), j.jit(formula)
    return Contender(lambda: compiled(array).block_until_ready())


PEERS = {"numpy": _numpy, "torch": _torch, "jax": _jax}
FAMILY = Family(lambda: FUNCTIONS, contest, lambda case: 3 if case.part == "backward" else 2)
