"""The family of losses: the mean over random targets, alone or with its gradient.

Classes lie along the last axis. PyTorch gives the gradient by its forward and backward pass, JAX by one compiled
function.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import fastact as fa
from fastact.measure.bench.cases import Array, Case, operands
from fastact.measure.bench.family import Contest, Family
from fastact.measure.bench.libraries import jax, torch
from fastact.measure.bench.timing import Contender

__all__ = ["FAMILY", "contest"]

BOTH = ("forward", "value_and_grad")
#: Those whose targets are classes.
OF_CLASSES = ("cross_entropy", "nll_loss")
FUNCTIONS = {
    "cross_entropy": BOTH,
    "nll_loss": ("forward",),
    "binary_cross_entropy": BOTH,
    "mse": BOTH,
    "mae": BOTH,
    "huber": BOTH,
    "quantile_loss": BOTH,
    "poisson_loss": BOTH,
}
TORCH = {
    "binary_cross_entropy": "binary_cross_entropy_with_logits",
    "mse": "mse_loss",
    "mae": "l1_loss",
    "huber": "huber_loss",
    "poisson_loss": "poisson_nll_loss",
}


def contest(case: Case, libraries: Sequence[str]) -> Contest:
    """The calls of a case; the half types have no peers."""
    (x,) = operands(case, deviation=1.0).arrays
    targets, f = _targets(case, x), getattr(fa, case.name)
    function = f if case.part == "forward" else f.value_and_grad
    if case.name in OF_CLASSES:  # PyTorch has classes in the second axis
        x, targets = x.reshape(-1, x.shape[-1]), targets.reshape(-1)
    able = PEERS if case.dtype in ("float32", "float64") else {}
    peers = {library: able[library](case, x, targets) for library in libraries if library in able}
    return Contest(Contender(lambda: function(x, targets)), peers)


def _targets(case: Case, x: Array) -> Array:
    random = np.random.default_rng(1)
    if case.name in OF_CLASSES:
        return random.integers(0, x.shape[-1], x.shape[:-1])
    return np.asarray(random.random(x.shape), x.dtype)


def _torch(case: Case, x: Array, targets: Array) -> Contender:
    t = torch()
    if case.name == "quantile_loss":  # PyTorch has none

        def loss(x: Any, targets: Any) -> Any:
            return 0.5 * (x - targets).abs().mean()

    else:
        loss = getattr(t.nn.functional, TORCH.get(case.name, case.name))
    given, labels = t.from_numpy(x), t.from_numpy(targets)
    if case.part == "forward":
        return Contender(lambda: loss(given, labels), t.inference_mode)
    leaf = given.detach().requires_grad_()

    def call() -> tuple[Any, Any]:
        value = loss(leaf, labels)
        return value, t.autograd.grad(value, leaf)[0]

    return Contender(call)


def _jax(case: Case, x: Array, targets: Array) -> Contender:
    j = jax()
    p = j.numpy

    def loss(x: Any, targets: Any) -> Any:
        if case.name in OF_CLASSES:
            logs = j.nn.log_softmax(x) if case.name == "cross_entropy" else x
            return -p.take_along_axis(logs, targets[:, None], axis=1).mean()
        if case.name == "binary_cross_entropy":
            return -(targets * j.nn.log_sigmoid(x) + (1 - targets) * j.nn.log_sigmoid(-x)).mean()
        if case.name == "poisson_loss":
            return (p.exp(x) - targets * x).mean()
        d = abs(x - targets)
        if case.name in ("mae", "quantile_loss"):
            return (d if case.name == "mae" else 0.5 * d).mean()
        return (d * d if case.name == "mse" else p.where(d < 1, d * d / 2, d - 0.5)).mean()

    compiled = j.jit(loss if case.part == "forward" else j.value_and_grad(loss))
    given = p.asarray(x), p.asarray(targets)
    return Contender(lambda: j.block_until_ready(compiled(*given)))


def _arrays(case: Case) -> int:
    return (1 if case.name in OF_CLASSES else 2) + (case.part == "value_and_grad")


PEERS = {"torch": _torch, "jax": _jax}
FAMILY = Family(lambda: FUNCTIONS, contest, _arrays)
