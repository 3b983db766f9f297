"""The family of gated linear units: a value times an activation of a gate, and the gradients of both.

The peers are made of the elementwise family's: their activation of the gate, times the value. JAX compiles both into
one function.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import fastact as fa
from fastact.measure.bench.cases import Array, Case, operands
from fastact.measure.bench.elementwise import jax as elementwise_jax
from fastact.measure.bench.elementwise import numpy as elementwise_numpy
from fastact.measure.bench.elementwise import torch as elementwise_torch
from fastact.measure.bench.family import Contest, Family
from fastact.measure.bench.libraries import jax, tensor
from fastact.measure.bench.timing import Contender

__all__ = ["FAMILY", "contest"]

#: Of each unit.
ACTIVATIONS = {"glu": "sigmoid", "bilinear": "identity", "reglu": "relu", "geglu": "gelu", "swiglu": "silu"}
Inputs = tuple[Array, ...]


def contest(case: Case, libraries: Sequence[str]) -> Contest:
    """The calls of a case; glu takes the value and the gate as the halves of one array."""
    backward = case.part == "backward"
    arrays, out, _ = operands(case, 3 if backward else 2)
    outs = () if out is None else (out, np.zeros_like(out))
    made = {library: PEERS[library](case, arrays, outs) for library in libraries if library in PEERS}
    peers = {library: contender for library, contender in made.items() if contender is not None}
    f = getattr(fa, case.name)
    function = f.backward if backward else f
    target: Any = outs if backward else out
    if case.name == "glu":
        *g, value, gate = arrays
        arrays = *g, np.concatenate([value, gate])
        target = np.zeros_like(arrays[-1]) if backward else out
    keywords = {} if out is None else {"out": target}
    return Contest(Contender(lambda: function(*arrays, **keywords)), peers)


def _numpy(case: Case, arrays: Inputs, outs: Inputs) -> Contender | None:
    activation, (*g, value, gate) = ACTIVATIONS[case.name], arrays
    make = elementwise_numpy.PEER.contender
    f, slope = make(activation, "forward", (gate,)), make(activation, "derivative", (gate,))
    if f is None or slope is None:
        return None
    if not g:
        return Contender(lambda: np.multiply(value, f.call(), *outs[:1]))
    grad, (first, second) = g[0], outs or (None, None)
    return Contender(
        lambda: (np.multiply(grad, f.call(), out=first), np.multiply(grad * value, slope.call(), out=second))
    )


def _torch(case: Case, arrays: Inputs, outs: Inputs) -> Contender:
    m = elementwise_torch.modules()
    f, *more = elementwise_torch.TABLE[ACTIVATIONS[case.name]](m)
    *g, value, gate = map(tensor, arrays)
    if not g:
        extra = {"out": tensor(outs[0])} if outs else {}
        return Contender(lambda: m.t.mul(value, f(gate, *more), **extra), m.t.inference_mode)
    leaves = value.detach().requires_grad_(), gate.detach().requires_grad_()
    return Contender(lambda: m.t.autograd.grad(leaves[0] * f(leaves[1], *more), leaves, *g))


def _identity(*_: Any) -> Callable[[Any], Any]:
    """What is missing in JAX's table, because compiled alone it does nothing."""
    return lambda x: x


def _jax(case: Case, arrays: Inputs, outs: Inputs) -> Contender:
    j = jax()
    f = elementwise_jax.TABLE.get(ACTIVATIONS[case.name], _identity)(j, j.nn, j.numpy)

    def unit(value: Any, gate: Any) -> Any:
        return value * f(gate)

    def gradients(g: Any, value: Any, gate: Any) -> Any:
        return j.vjp(unit, value, gate)[1](g)

    compiled, given = j.jit(gradients if case.part == "backward" else unit), [j.numpy.asarray(a) for a in arrays]
    return Contender(lambda: j.block_until_ready(compiled(*given)))


PEERS: dict[str, Callable[[Case, Inputs, Inputs], Contender | None]] = {
    "torch": _torch, "jax": _jax, "numpy": _numpy,
}  # fmt: skip
FAMILY = Family(
    lambda: dict.fromkeys(ACTIVATIONS, ("forward", "backward")), contest,
    lambda case: 5 if case.part == "backward" else 3, ("new", "out"), sizes=(1_000, 1_000_000), rows=False,
)  # fmt: skip
