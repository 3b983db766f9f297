"""What a call of 1,000 float32 elements costs its caller, with and without `out=`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

import fastact as fa
from card.record import Figure, Units
from card.timing import microseconds, random

__all__ = ["units"]

N = 1000
#: Function -> PyTorch's, of (x) and of (x, out)
PEERS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "sigmoid": (torch.sigmoid, lambda x, out: torch.sigmoid(x, out=out)),
    "silu": (torch.nn.functional.silu, lambda x, out: torch.ops.aten.silu.out(x, out=out)),
    "softmax": (partial(torch.softmax, dim=-1), lambda x, out: torch.softmax(x, -1, out=out)),
}


def _tensors() -> tuple[Any, Any]:
    x = random(N)
    return x, torch.empty_like(x)


def _cupy_arrays() -> tuple[Any, Any]:
    cupy = importlib.import_module("cupy")
    return cupy.from_dlpack(random(N)), cupy.empty(N, "f4")


def _numba_arrays() -> tuple[Any, Any]:
    cuda = importlib.import_module("numba.cuda")
    x = cuda.to_device(random(N).cpu().numpy())
    return x, cuda.device_array_like(x)


def _call(name: str, make: Callable[[], tuple[Any, Any]]) -> dict[str, Figure]:
    f, (x, out), (tensor, tensor_out) = fa.get(name), make(), _tensors()
    new, into = PEERS[name]
    mine, mine_out, theirs, theirs_out = microseconds(
        [lambda: f(x), lambda: f(x, out=out), lambda: new(tensor), lambda: into(tensor, tensor_out)]
    )
    return {
        "new": Figure(mine / 1000, None, theirs / mine, least_ratio=1),
        "out=": Figure(mine_out / 1000, None, theirs_out / mine_out, least_ratio=1),
    }


def units(power: int) -> Units:
    for library, make in {"torch": _tensors, "cupy": _cupy_arrays, "numba": _numba_arrays}.items():
        for name in PEERS:
            yield f"{name} {library}", partial(_call, name, make)
