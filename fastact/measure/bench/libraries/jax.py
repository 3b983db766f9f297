"""JAX: its functions and expressions of them, compiled, which give a new array whatever the layout."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

from fastact.measure.bench.cases import DTYPES, GATES, Array, Case
from fastact.measure.bench.libraries.peer import Peer, counts, keep, projection
from fastact.measure.bench.timing import Contender

NEEDS = ("jax",)
#: Functions of jax.nn.
SAME = (
    "relu", "relu6", "leaky_relu", "hard_tanh", "hard_sigmoid", "hard_silu", "sparse_plus", "sparse_sigmoid", "sigmoid",
    "log_sigmoid", "elu", "celu", "selu", "softplus", "squareplus", "silu", "mish",
)  # fmt: skip


def _named(name: str) -> Callable[[Any, Any, Any], Callable[..., Any]]:
    return lambda j, n, p: getattr(n, name)


#: j is jax, n jax.nn, p jax.numpy.
TABLE: dict[str, Callable[[Any, Any, Any], Callable[..., Any]]] = {
    **{name: _named(name) for name in SAME},
    "relu_squared": lambda j, n, p: lambda x: p.square(n.relu(x)),
    "star_relu": lambda j, n, p: lambda x: 0.8944 * p.square(n.relu(x)) - 0.4472,
    "thresholded_relu": lambda j, n, p: lambda x: p.where(x > 1, x, 0),
    "threshold": lambda j, n, p: lambda x: p.where(x > 0, x, 0),
    "softshrink": lambda j, n, p: lambda x: p.where(x > 0.5, x - 0.5, p.where(x < -0.5, x + 0.5, 0)),
    "hardshrink": lambda j, n, p: lambda x: p.where(p.abs(x) > 0.5, x, 0),
    "step": lambda j, n, p: lambda x: (x >= 0).astype(x.dtype),
    "tanh": lambda j, n, p: p.tanh,
    "tanhshrink": lambda j, n, p: lambda x: x - p.tanh(x),
    "exponential": lambda j, n, p: p.exp,
    "erf": lambda j, n, p: j.scipy.special.erf,
    "softsign": lambda j, n, p: n.soft_sign,
    "ndtr": lambda j, n, p: j.scipy.special.ndtr,
    "swish": lambda j, n, p: n.silu,
    "gelu": lambda j, n, p: functools.partial(n.gelu, approximate=False),
    "gelu_tanh": lambda j, n, p: functools.partial(n.gelu, approximate=True),
    "quick_gelu": lambda j, n, p: lambda x: x * n.sigmoid(1.702 * x),
    "serf": lambda j, n, p: lambda x: x * j.scipy.special.erf(n.softplus(x)),
    "telu": lambda j, n, p: lambda x: x * p.tanh(p.exp(x)),
    "snake": lambda j, n, p: lambda x: x + p.square(p.sin(x)),
}


@functools.cache
def jax() -> Any:
    """JAX, with float64."""
    module = importlib.import_module("jax")
    module.config.update("jax_enable_x64", True)
    return module


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


ELEMENTWISE = Peer(TABLE, _make, dtypes=DTYPES, any_layout=False)


def _calling(f: Callable[..., Any], *arrays: Array) -> Contender:
    """The compiled function of these arrays."""
    j = jax()
    compiled, given = j.jit(f), [j.numpy.asarray(array) for array in arrays]
    return Contender(lambda: j.block_until_ready(compiled(*given)))


def softmax(case: Case, arrays: tuple[Array, ...], out: Array | None) -> Contender:
    """The softmax family; arrays that are not contiguous are made so within its time."""
    j, axis = jax(), case.axis
    sign = -1 if case.name == "softmin" else 1
    if case.name == "log_softmax" and case.part == "backward":
        return _calling(lambda g, y: g - j.numpy.exp(y) * g.sum(axis, keepdims=True), *arrays)
    if case.part == "backward":
        return _calling(lambda g, y: sign * y * (g - (g * y).sum(axis, keepdims=True)), *arrays)
    f = getattr(j.nn, "softmax" if case.name == "softmin" else case.name)
    if case.data:
        return _calling(lambda a, mask: f(sign * a, axis, where=mask), *arrays, keep(case))
    if case.layout in ("strided", "transposed"):
        call = j.jit(lambda a: f(sign * a, axis))
        return Contender(lambda: call(j.numpy.asarray(*arrays)).block_until_ready())
    return _calling(lambda a: f(sign * a, axis), *arrays)


def sparse(case: Case, x: Array) -> Contender:
    """sparsemax and entmax15 by sorting, hardmax and gumbel_softmax."""
    j, axis, along = jax(), case.axis, counts(case)
    key = j.random.key(0)

    def formula(a: Any) -> Any:
        if case.name == "hardmax":
            return j.nn.one_hot(a.argmax(axis), a.shape[axis], axis=axis, dtype=a.dtype)
        if case.name == "gumbel_softmax":
            return j.nn.softmax(a + j.random.gumbel(key, a.shape, a.dtype), axis)
        scaled = a if case.name == "sparsemax" else (a - a.max(axis, keepdims=True)) / 2
        return projection(case.name, j.numpy, scaled, axis, -j.numpy.sort(-scaled, axis), along)

    return _calling(formula, x)


#: Of j, which is jax, x and targets; the mean of each is the loss.
LOSSES: dict[str, Callable[[Any, Any, Any], Any]] = {
    "cross_entropy": lambda j, x, t: -j.numpy.take_along_axis(j.nn.log_softmax(x), t[:, None], axis=1),
    "nll_loss": lambda j, x, t: -j.numpy.take_along_axis(x, t[:, None], axis=1),
    "binary_cross_entropy": lambda j, x, t: -(t * j.nn.log_sigmoid(x) + (1 - t) * j.nn.log_sigmoid(-x)),
    "mse": lambda j, x, t: j.numpy.square(x - t),
    "mae": lambda j, x, t: abs(x - t),
    "huber": lambda j, x, t: j.numpy.where(abs(x - t) < 1, (x - t) ** 2 / 2, abs(x - t) - 0.5),
    "quantile_loss": lambda j, x, t: 0.5 * abs(x - t),
    "poisson_loss": lambda j, x, t: j.numpy.exp(x) - t * x,
}


def losses(case: Case, x: Array, targets: Array) -> Contender:
    """A loss, or its gradient too."""
    j = jax()

    def loss(x: Any, targets: Any) -> Any:
        return LOSSES[case.name](j, x, targets).mean()

    return _calling(loss if case.part == "forward" else j.value_and_grad(loss), x, targets)


def gated(case: Case, arrays: tuple[Array, ...], outs: tuple[Array, ...]) -> Contender:
    """A value times the activation of a gate, and the gradients of both."""
    j, name = jax(), GATES[case.name]
    f = TABLE[name](j, j.nn, j.numpy) if name in TABLE else lambda x: x

    def unit(value: Any, gate: Any) -> Any:
        return value * f(gate)

    def gradients(g: Any, value: Any, gate: Any) -> Any:
        return j.vjp(unit, value, gate)[1](g)

    return _calling(gradients if case.part == "backward" else unit, *arrays)
