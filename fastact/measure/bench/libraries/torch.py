"""PyTorch: its functions and expressions of them; backward passes by its kernels, or by autograd where it has none.

It masks by -inf, and sorts rows for sparsemax and entmax15 as papers do.
"""

from __future__ import annotations

import functools
import importlib
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastact.measure.bench.cases import DTYPES, GATES, Array, Case
from fastact.measure.bench.libraries import threads
from fastact.measure.bench.libraries.peer import ALPHA, SCALE, Peer, counts, keep, projection
from fastact.measure.bench.timing import Contender, calling

NEEDS = ("torch",)


class Torch(NamedTuple):
    """torch, torch._C._nn (torch.nn.functional without its checks) and torch.ops.aten."""

    t: Any
    nn: Any
    aten: Any


def _named(name: str) -> Callable[[Torch], tuple[Any, ...]]:
    return lambda m: (getattr(m.t, name, None) or getattr(m.nn, name),)


#: A function that knows out=, and what it takes beside x.
TABLE: dict[str, Callable[[Torch], tuple[Any, ...]]] = {
    **{name: _named(name) for name in ("relu", "sigmoid", "log_sigmoid", "tanh", "erf")},
    **{name: _named(name) for name in ("softplus", "silu", "gelu", "mish")},
    "exponential": _named("exp"),
    "swish": _named("silu"),
    "identity": lambda m: (lambda x, out=None: x.clone() if out is None else out.copy_(x),),
    "relu6": lambda m: (m.nn.hardtanh, 0.0, 6.0),
    "leaky_relu": lambda m: (m.nn.leaky_relu, 0.01),
    "relu_squared": lambda m: (lambda x, out=None: m.t.square(m.t.relu(x), out=out),),
    "star_relu": lambda m: (
        lambda x, out=None: m.t.sub(m.t.square(m.t.relu(x)).mul_(0.8944), 0.4472, out=out),
    ),
    "thresholded_relu": lambda m: (m.t.threshold, 1.0, 0.0),
    "threshold": lambda m: (m.t.threshold, 0.0, 0.0),
    "hard_tanh": lambda m: (m.nn.hardtanh, -1.0, 1.0),
    "hard_sigmoid": lambda m: (m.nn.hardsigmoid,),
    "hard_silu": lambda m: (m.nn.hardswish,),
    "softshrink": lambda m: (m.nn.softshrink, 0.5),
    "hardshrink": lambda m: (m.t.hardshrink, 0.5),
    "step": lambda m: (
        lambda x, out=None: m.t.ge(x, 0).to(x.dtype) if out is None else m.t.ge(x, 0, out=out),
    ),
    "sparse_plus": lambda m: (
        lambda x, out=None: m.t.add(m.t.square(m.t.clamp(x * 0.5 + 0.5, 0, 1)), m.t.relu(x - 1), out=out),
    ),
    "sparse_sigmoid": lambda m: (lambda x, out=None: m.t.clamp(x * 0.5 + 0.5, 0, 1, out=out),),
    "tanhshrink": lambda m: (lambda x, out=None: m.t.sub(x, m.t.tanh(x), out=out),),
    "softsign": lambda m: (lambda x, out=None: m.t.div(x, m.t.abs(x) + 1, out=out),),
    "ndtr": lambda m: (m.t.special.ndtr,),
    "elu": lambda m: (m.nn.elu, 1.0),
    "celu": lambda m: (m.nn.elu, 1.0),
    "selu": lambda m: (m.nn.elu, ALPHA, SCALE),
    "squareplus": lambda m: (lambda x, out=None: m.t.mul(m.t.sqrt(x * x + 4) + x, 0.5, out=out),),
    "gelu_tanh": lambda m: (functools.partial(m.nn.gelu, approximate="tanh"),),
    "quick_gelu": lambda m: (lambda x, out=None: m.t.mul(x, m.t.sigmoid(1.702 * x), out=out),),
    "serf": lambda m: (lambda x, out=None: m.t.mul(x, m.t.erf(m.nn.softplus(x)), out=out),),
    "telu": lambda m: (lambda x, out=None: m.t.mul(x, m.t.tanh(m.t.exp(x)), out=out),),
    "snake": lambda m: (lambda x, out=None: m.t.add(x, m.t.square(m.t.sin(x)), out=out),),
}  # fmt: skip

#: Where torch's own function knows no out=, one that gives the same.
WITH_OUT: dict[str, Callable[[Torch], tuple[Any, ...]]] = {
    "relu": lambda m: (m.t.clamp_min, 0),
    "step": lambda m: (lambda x, out=None: m.t.ge(x, 0, out=out),),
}

#: A backward kernel's name, and its operands from (m, g, x).
KERNELS: dict[str, tuple[str, Callable[[Torch, Any, Any], tuple[Any, ...]]]] = {
    "relu": ("threshold_backward", lambda m, g, x: (g, x, 0)),
    "relu6": ("hardtanh_backward", lambda m, g, x: (g, x, 0, 6)),
    "leaky_relu": ("leaky_relu_backward", lambda m, g, x: (g, x, 0.01, False)),
    "thresholded_relu": ("threshold_backward", lambda m, g, x: (g, x, 1)),
    "threshold": ("threshold_backward", lambda m, g, x: (g, x, 0)),
    "hard_tanh": ("hardtanh_backward", lambda m, g, x: (g, x, -1, 1)),
    "hard_sigmoid": ("hardsigmoid_backward", lambda m, g, x: (g, x)),
    "hard_silu": ("hardswish_backward", lambda m, g, x: (g, x)),
    "softshrink": ("softshrink_backward", lambda m, g, x: (g, x, 0.5)),
    "hardshrink": ("hardshrink_backward", lambda m, g, x: (g, x, 0.5)),
    "step": ("threshold_backward", lambda m, g, x: (g, x, np.inf)),
    "elu": ("elu_backward", lambda m, g, x: (g, 1, 1, 1, False, x)),
    "celu": ("elu_backward", lambda m, g, x: (g, 1, 1, 1, False, x)),
    "selu": ("elu_backward", lambda m, g, x: (g, ALPHA, SCALE, 1, False, x)),
    "softplus": ("softplus_backward", lambda m, g, x: (g, x, 1, 20)),
    "silu": ("silu_backward", lambda m, g, x: (g, x)),
    "swish": ("silu_backward", lambda m, g, x: (g, x)),
    "gelu": ("gelu_backward", lambda m, g, x: (g, x)),
    "mish": ("mish_backward", lambda m, g, x: (g, x)),
    # These kernels take what the forward pass gave, which is part of the work.
    "sigmoid": ("sigmoid_backward", lambda m, g, x: (g, m.t.sigmoid(x))),
    "tanh": ("tanh_backward", lambda m, g, x: (g, m.t.tanh(x))),
    "log_sigmoid": ("log_sigmoid_backward", lambda m, g, x: (g, x, m.aten.log_sigmoid_forward.default(x)[1])),
}
#: Whose operands are computed anew for each call.
FROM_THE_OUTPUT = ("sigmoid", "tanh", "log_sigmoid")


def torch() -> Any:
    """PyTorch, with as many threads as all libraries are to use."""
    module = importlib.import_module("torch")
    module.set_num_threads(threads())
    return module


def tensor(array: Array) -> Any:
    """The array's own memory as a tensor."""
    if array.dtype.name == "bfloat16":
        return torch().from_numpy(array.view(np.int16)).view(torch().bfloat16)
    return torch().from_numpy(array)


def modules() -> Torch:
    """The modules of PyTorch that have its functions."""
    module = torch()
    return Torch(module, module._C._nn, module.ops.aten)


def _make(name: str, part: str, arrays: tuple[Array, ...], out: Array | None) -> Contender:
    m = modules()
    tensors = [tensor(array) for array in arrays]
    target = None if out is None else tensor(out)
    if part == "forward":
        f, *more = (WITH_OUT if out is not None and name in WITH_OUT else TABLE)[name](m)
        return Contender(calling(f, tensors[0], *more, out=target), m.t.inference_mode)
    g, x = tensors if part == "backward" else (m.t.ones_like(tensors[0]), tensors[0])
    if name not in KERNELS:
        return _autograd(m, name, g, x)
    kernel, operands = KERNELS[name]
    packet = getattr(m.aten, kernel)
    keyword = next((o for o in packet.overloads() if o != "default" and out is not None), "")
    f, keywords = getattr(packet, keyword or "default"), {keyword: target} if keyword else {}
    if name in FROM_THE_OUTPUT:
        call: Callable[[], Any] = lambda: f(*operands(m, g, x), **keywords)  # noqa: E731
    elif keywords:
        given = operands(m, g, x)
        call = lambda: f(*given, **keywords)  # noqa: E731
    else:
        call = calling(f, *operands(m, g, x))
    return Contender(call, m.t.inference_mode)


def _autograd(m: Torch, name: str, g: Any, x: Any) -> Contender:
    """Go the way of training, but into a new tensor, where there is no backward kernel."""
    f, *more = TABLE[name](m)
    leaf, grad = x.detach().requires_grad_(), m.t.autograd.grad
    return Contender(lambda: grad(f(leaf, *more), leaf, g)[0])


ELEMENTWISE = Peer(TABLE, _make, dtypes=DTYPES)


def softmax(case: Case, arrays: tuple[Array, ...], out: Array | None) -> Contender:
    """The softmax family."""
    t, axis = torch(), case.axis
    a, *rest = map(tensor, arrays)
    keyword = "grad_input" if case.part == "backward" and case.name != "log_softmax" else "out"
    extra = {} if out is None else {keyword: tensor(out)}
    if case.part == "backward":
        backward = t._log_softmax_backward_data if case.name == "log_softmax" else t._softmax_backward_data
        if case.name == "softmin":
            return Contender(lambda: backward(a, *rest, axis, a.dtype, **extra).neg_(), t.inference_mode)
        return Contender(lambda: backward(a, *rest, axis, a.dtype, **extra), t.inference_mode)
    f = (lambda a, axis, **more: t.softmax(-a, axis, **more)) if case.name == "softmin" else getattr(t, case.name)
    if not case.data:
        return Contender(lambda: f(a, axis, **extra), t.inference_mode)
    masked, lowest = t.from_numpy(~keep(case)), math.inf if case.name == "softmin" else -math.inf
    return Contender(lambda: f(a.masked_fill(masked, lowest), axis, **extra), t.inference_mode)


def sparse(case: Case, x: Array) -> Contender:
    """sparsemax, entmax15, hardmax and gumbel_softmax."""
    t, axis = torch(), case.axis
    a, along = t.from_numpy(x), t.from_numpy(counts(case))
    names = {"cumsum": t.cumsum, "sqrt": t.sqrt, "clip": t.clip, "take_along_axis": t.take_along_dim}
    lib = type("lib", (), {name: staticmethod(function) for name, function in names.items()})

    def call() -> Any:
        if case.name == "hardmax":
            return t.zeros_like(a).scatter_(axis, a.argmax(axis, keepdim=True), 1)
        if case.name == "gumbel_softmax":
            return t.nn.functional.gumbel_softmax(a, 1.0, dim=axis)
        scaled = a if case.name == "sparsemax" else (a - a.amax(axis, keepdim=True)) / 2
        return projection(case.name, lib, scaled, axis, t.sort(scaled, axis, descending=True).values, along)

    return Contender(call)


#: Those that have other names.
LOSSES = {
    "binary_cross_entropy": "binary_cross_entropy_with_logits", "mse": "mse_loss", "mae": "l1_loss",
    "huber": "huber_loss", "poisson_loss": "poisson_nll_loss",
}  # fmt: skip


def losses(case: Case, x: Array, targets: Array) -> Contender:
    """A loss, or its gradient too, by a forward and a backward pass."""
    t = torch()
    given, labels = t.from_numpy(x), t.from_numpy(targets)
    if case.name == "quantile_loss":  # PyTorch has none
        loss = lambda x, targets: 0.5 * (x - targets).abs().mean()  # noqa: E731
    else:
        loss = getattr(t.nn.functional, LOSSES.get(case.name, case.name))
    if case.part == "forward":
        return Contender(lambda: loss(given, labels), t.inference_mode)
    leaf = given.detach().requires_grad_()

    def call() -> tuple[Any, Any]:
        value = loss(leaf, labels)
        return value, t.autograd.grad(value, leaf)[0]

    return Contender(call)


def gated(case: Case, arrays: tuple[Array, ...], outs: tuple[Array, ...]) -> Contender:
    """A value times the activation of a gate, and the gradients of both."""
    m = modules()
    f, *more = TABLE[GATES[case.name]](m)
    *g, value, gate = map(tensor, arrays)
    if not g:
        extra = {"out": tensor(outs[0])} if outs else {}
        return Contender(lambda: m.t.mul(value, f(gate, *more), **extra), m.t.inference_mode)
    leaves = value.detach().requires_grad_(), gate.detach().requires_grad_()
    return Contender(lambda: m.t.autograd.grad(leaves[0] * f(leaves[1], *more), leaves, *g))
