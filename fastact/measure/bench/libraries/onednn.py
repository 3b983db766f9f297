"""oneDNN: the functions that PyTorch gives access to, by tensors in oneDNN's own layout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastact.measure.bench.cases import Array
from fastact.measure.bench.libraries.peer import Peer
from fastact.measure.bench.libraries.torch import Torch, modules, tensor
from fastact.measure.bench.timing import Contender

NEEDS = ("torch",)

#: The function, and its backward pass from (m, g, x), where there is one.
TABLE: dict[str, tuple[Callable[[Torch], Callable[..., Any]], Callable[..., Any] | None]] = {
    "relu": (lambda m: m.t.relu, lambda m, g, x: m.aten.threshold_backward.default(g, x, 0)),
    "sigmoid": (lambda m: m.t.sigmoid, None),
    "tanh": (lambda m: m.t.tanh, None),
    "gelu": (lambda m: m.nn.gelu, lambda m, g, x: m.aten.gelu_backward.default(g, x)),
}


def _make(name: str, part: str, arrays: tuple[Array, ...], out: Array | None) -> Contender | None:
    """A call that gives a new tensor; None where a given array would have to be filled."""
    if out is not None:
        return None
    m = modules()
    tensors = [tensor(array).to_mkldnn() for array in arrays]
    forward, backward = TABLE[name]
    if part == "forward":
        f = forward(m)
        return Contender(lambda: f(*tensors), m.t.inference_mode)
    if backward is None:
        return None
    g, x = tensors if part == "backward" else (m.t.ones_like(tensor(arrays[0])).to_mkldnn(), tensors[0])
    return Contender(lambda: backward(m, g, x), m.t.inference_mode)


ELEMENTWISE = Peer(TABLE, _make, dtypes=("float32",), any_layout=False, by_slope=True)
