"""Every activation: forward, derivative and backward pass; gated units and bias."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

import fastact as fa
from card.record import Figure, Units
from card.timing import DTYPES, compared, random

__all__ = ["ACTIVATIONS", "PEERS", "units"]

aten = torch.ops.aten
functional = torch.nn.functional

ACTIVATIONS = [f for f in map(fa.get, fa.names()) if isinstance(f, fa.Activation)]

#: name -> (PyTorch's forward, its backward of (grad_output, x, y)), for the usual functions
PEERS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "relu": (functional.relu, lambda g, x, y: aten.threshold_backward(g, x, 0)),
    "leaky_relu": (functional.leaky_relu, lambda g, x, y: aten.leaky_relu_backward(g, x, 0.01, False)),
    "elu": (functional.elu, lambda g, x, y: aten.elu_backward(g, 1.0, 1.0, 1.0, False, x)),
    "sigmoid": (torch.sigmoid, lambda g, x, y: aten.sigmoid_backward(g, y)),
    "tanh": (torch.tanh, lambda g, x, y: aten.tanh_backward(g, y)),
    "silu": (functional.silu, lambda g, x, y: aten.silu_backward(g, x)),
    "gelu": (functional.gelu, lambda g, x, y: aten.gelu_backward(g, x)),
    "gelu_tanh": (
        lambda x: functional.gelu(x, approximate="tanh"),
        lambda g, x, y: aten.gelu_backward(g, x, approximate="tanh"),
    ),
    "mish": (functional.mish, lambda g, x, y: aten.mish_backward(g, x)),
    "softplus": (functional.softplus, lambda g, x, y: aten.softplus_backward(g, x, 1.0, 20.0)),
}


def _asked(f: Any, dtype: str) -> float:
    """The least share of the copy: less for float64 functions that multiply much."""
    linear = f(np.ones(1, np.int8)).dtype.kind == "i"  # piecewise-linear functions keep integers
    return 0.97 if dtype != "float64" or linear else 0.9


def _activation(f: Any, dtype: str, n: int) -> dict[str, Figure]:
    x, g = random(n, dtype=dtype), random(n, dtype=dtype)
    y, size, least = f(x), n * x.element_size(), _asked(f, dtype)
    forward, backward = PEERS.get(f.name, (None, None))
    return {
        "forward": compared(2 * size, lambda: f(x), forward and partial(forward, x), share=least),
        "derivative": compared(2 * size, lambda: f.derivative(x), share=least),
        "backward": compared(
            3 * size, lambda: f.backward(g, x), backward and partial(backward, g, x, y), share=least
        ),
    }  # fmt: skip


def _units_and_bias(dtype: str, n: int) -> dict[str, Figure]:
    value, gate, size = random(n, dtype=dtype), random(n, dtype=dtype), n * torch.finfo(DTYPES[dtype]).bits // 8
    rows, bias = value.view(-1, 1024), gate[:1024]
    least = 0.9 if dtype == "float64" else 0.97
    return {
        "swiglu": compared(
            3 * size, lambda: fa.swiglu(value, gate), lambda: functional.silu(gate) * value, share=least
        ),
        "swiglu.backward": compared(5 * size, lambda: fa.swiglu.backward(value, value, gate), share=least),
        "gelu.with_bias": compared(
            2 * size, lambda: fa.gelu.with_bias(rows, bias), lambda: functional.gelu(rows + bias), share=least
        ),
    }  # fmt: skip


def units(power: int) -> Units:
    n = 1 << power
    for dtype in DTYPES:
        for f in ACTIVATIONS:
            yield f"{f.name} {dtype}", partial(_activation, f, dtype, n)
        yield f"units {dtype}", partial(_units_and_bias, dtype, n)
