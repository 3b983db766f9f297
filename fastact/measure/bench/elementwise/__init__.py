"""The family of elementwise activations: each with its derivative and backward pass, in five layouts.

Every library gets the same values in the same layout and gives an array of the same dtype; a backward pass takes
(grad_output, x), a derivative x. Each goes its best way: PyTorch calls its backward kernels, and autograd where there
is none, and writes to `out` where it can. JAX and onnxruntime, which have neither, get the plain call for out= and in
place, and take no part in strided and transposed layouts. To compare one more function, add its line to the table of a
library's file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import fastact as fa
from fastact.measure.bench import cases
from fastact.measure.bench.cases import LAYOUTS, Array, Case, Operands
from fastact.measure.bench.elementwise import jax, numexpr, numpy, onednn, onnxruntime, openvino, scipy, torch
from fastact.measure.bench.family import Contest, Family
from fastact.measure.bench.libraries import as_numpy
from fastact.measure.bench.timing import Contender, calling

__all__ = ["FAMILY", "PARTS", "PEERS", "activations", "contest", "function", "operands", "operation"]

PARTS = ("forward", "derivative", "backward")
PEERS = {
    "torch": torch.PEER,
    "jax": jax.PEER,
    "onnxruntime": onnxruntime.PEER,
    "openvino": openvino.PEER,
    "onednn": onednn.PEER,
    "numpy": numpy.PEER,
    "scipy": scipy.PEER,
    "numexpr": numexpr.PEER,
}


def activations() -> list[str]:
    """The names of all elementwise activations."""
    return [name for name in fa.names() if isinstance(fa.get(name), fa.Activation)]


def operation(case: Case) -> Callable[..., Any]:
    """The function of fastact that a case times."""
    activation = fa.get(case.name)
    return activation if case.part == "forward" else getattr(activation, case.part)


def operands(case: Case) -> Operands:
    """(grad_output, x) or x."""
    return cases.operands(case, 2 if case.part == "backward" else 1)


def contest(case: Case, libraries: Sequence[str]) -> Contest:
    """The calls of a case."""
    arrays, out, original = given = operands(case)
    own = Contender(calling(operation(case), *arrays, out=out))
    peers = {}
    for library in libraries:
        contender = PEERS[library].contender(case.name, case.part, arrays, out)
        if contender is not None:
            peers[library] = contender
    return Contest(own, peers, None if original is None else given.restore)


def function(library: str, name: str, part: str) -> Callable[..., Array]:
    """What a library computes for a part of an activation, as a function of arrays."""

    def f(*arrays: Array) -> Array:
        call, around = PEERS[library].contender(name, part, arrays)  # type: ignore[misc]
        with around():
            return as_numpy(call())

    return f


def _parts(name: str) -> tuple[str, ...]:
    """Those that the activation was defined with."""
    return PARTS if fa.get(name).differentiable else ("forward",)


FAMILY = Family(
    lambda: {name: _parts(name) for name in activations()}, contest, lambda case: 3 if case.part == "backward" else 2,
    LAYOUTS, sizes=(1_000, 1_000_000), rows=False,
)  # fmt: skip
