"""Elementwise functions of JAX, and expressions of them, compiled: they give a new array whatever the layout."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from fastact.measure.bench.cases import DTYPES, Array
from fastact.measure.bench.elementwise.peer import Peer
from fastact.measure.bench.libraries import jax
from fastact.measure.bench.timing import Contender

#: j is jax, n jax.nn, p jax.numpy.
TABLE: dict[str, Callable[[Any, Any, Any], Callable[..., Any]]] = {
    "relu": lambda j, n, p: n.relu,
    "relu6": lambda j, n, p: n.relu6,
    "leaky_relu": lambda j, n, p: n.leaky_relu,
    "relu_squared": lambda j, n, p: lambda x: p.square(n.relu(x)),
    "star_relu": lambda j, n, p: lambda x: 0.8944 * p.square(n.relu(x)) - 0.4472,
    "thresholded_relu": lambda j, n, p: lambda x: p.where(x > 1, x, 0),
    "threshold": lambda j, n, p: lambda x: p.where(x > 0, x, 0),
    "hard_tanh": lambda j, n, p: n.hard_tanh,
    "hard_sigmoid": lambda j, n, p: n.hard_sigmoid,
    "hard_silu": lambda j, n, p: n.hard_silu,
    "softshrink": lambda j, n, p: lambda x: p.where(x > 0.5, x - 0.5, p.where(x < -0.5, x + 0.5, 0)),
    "hardshrink": lambda j, n, p: lambda x: p.where(p.abs(x) > 0.5, x, 0),
    "step": lambda j, n, p: lambda x: (x >= 0).astype(x.dtype),
    "sparse_plus": lambda j, n, p: n.sparse_plus,
    "sparse_sigmoid": lambda j, n, p: n.sparse_sigmoid,
    "sigmoid": lambda j, n, p: n.sigmoid,
    "log_sigmoid": lambda j, n, p: n.log_sigmoid,
    "tanh": lambda j, n, p: p.tanh,
    "tanhshrink": lambda j, n, p: lambda x: x - p.tanh(x),
    "exponential": lambda j, n, p: p.exp,
    "erf": lambda j, n, p: j.scipy.special.erf,
    "softsign": lambda j, n, p: n.soft_sign,
    "ndtr": lambda j, n, p: j.scipy.special.ndtr,
    "elu": lambda j, n, p: n.elu,
    "celu": lambda j, n, p: n.celu,
    "selu": lambda j, n, p: n.selu,
    "softplus": lambda j, n, p: n.softplus,
    "squareplus": lambda j, n, p: n.squareplus,
    "silu": lambda j, n, p: n.silu,
    "swish": lambda j, n, p: n.silu,
    "gelu": lambda j, n, p: functools.partial(n.gelu, approximate=False),
    "gelu_tanh": lambda j, n, p: functools.partial(n.gelu, approximate=True),
    "quick_gelu": lambda j, n, p: lambda x: x * n.sigmoid(1.702 * x),
    "mish": lambda j, n, p: n.mish,
    "serf": lambda j, n, p: lambda x: x * j.scipy.special.erf(n.softplus(x)),
    "telu": lambda j, n, p: lambda x: x * p.tanh(p.exp(x)),
    "snake": lambda j, n, p: lambda x: x + p.square(p.sin(x)),
}


@functools.cache
def _jitted(name: str, part: str) -> Any:
    j = jax()
    f = TABLE[name](j, j.nn, j.numpy)

    def backward(g: Any, x: Any) -> Any:
        return j.vjp(f, x)[1](g)[0]

    def derivative(x: Any) -> Any:
        return backward(j.numpy.ones_like(x), x)

    return j.jit({"forward": f, "derivative": derivative, "backward": backward}[part])


def _make(name: str, part: str, arrays: tuple[Array, ...], out: Array | None) -> Contender | None:
    compiled = _jitted(name, part)
    operands = [jax().numpy.array(array) for array in arrays]
    try:
        compiled(*operands)
    except TypeError:  # some functions refuse the half types
        return None
    return Contender(lambda: compiled(*operands).block_until_ready())


PEER = Peer(TABLE, _make, dtypes=DTYPES, any_layout=False)
