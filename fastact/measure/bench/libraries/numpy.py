"""NumPy: each function as the fastest expression, which reuses temporaries where that helps."""

from __future__ import annotations

from typing import Any

import numpy as np

import fastact as fa
from fastact.measure.bench.cases import GATES, Array, Case
from fastact.measure.bench.libraries.peer import ALPHA, SCALE, Peer
from fastact.measure.bench.timing import Contender, calling

NEEDS = ("numpy",)

SQRT_2_PI = (2 / np.pi) ** 0.5


def _mask(mask: Any, x: Any, o: Any, value: float = 1.0) -> Any:
    """`value` where the mask is set, else 0."""
    if value == 1 and o is None:
        return mask.astype(x.dtype)
    return np.multiply(mask, x.dtype.type(value), out=o)


def _fill(x: Any, o: Any, value: float) -> Any:
    o = np.empty_like(x) if o is None else o
    o.fill(value)
    return o


def logistic(x: Any, o: Any = None) -> Any:
    """By tanh, which NumPy has vectorised, and which does not overflow."""
    t = np.multiply(x, 0.5)
    np.tanh(t, out=t)
    t *= 0.5
    return np.add(t, 0.5, out=t if o is None else o)


def _logistic_slope(x: Any, o: Any = None) -> Any:
    t = np.tanh(np.multiply(x, 0.5))
    t *= t
    np.subtract(1, t, out=t)
    return np.multiply(t, 0.25, out=t if o is None else o)


def softplus(x: Any, o: Any = None) -> Any:
    """log(1 + e**-|x|) + max(x, 0), in place where that is possible."""
    t = np.abs(x)
    np.negative(t, out=t)
    np.exp(t, out=t)
    np.log1p(t, out=t)
    return np.add(t, np.maximum(x, 0), out=t if o is None else o)


def _tanh_slope(x: Any, o: Any = None) -> Any:
    t = np.tanh(x)
    t *= t
    return np.subtract(1, t, out=t if o is None else o)


def gaussian(x: Any, o: Any, width: float, height: float) -> Any:
    """height * exp(-width * x**2)."""
    t = x * x
    t *= -width
    np.exp(t, out=t)
    return np.multiply(t, height, out=t if o is None else o)


def _gated(x: Any, o: Any, h: Any) -> Any:
    """x * sigmoid(h)."""
    return np.multiply(x, logistic(h), out=o)


def _gated_slope(x: Any, o: Any, h: Any, dh: Any) -> Any:
    s = logistic(h)
    t = 1 - s
    t *= x
    t *= dh
    t += 1
    return np.multiply(s, t, out=o)


def _gelu_u(x: Any) -> Any:
    t = x * x
    t *= 2 * SQRT_2_PI * 0.044715
    t += 2 * SQRT_2_PI
    t *= x
    return t


def _mish_terms(x: Any) -> tuple[Any, Any]:
    """e**x, and n for which the tanh of log(1 + e**x) is n / (n + 2)."""
    e = np.exp(np.minimum(x, 20))
    return e, e * (e + 2)


def _mish(x: Any, o: Any) -> Any:
    _, n = _mish_terms(x)
    return np.multiply(x, n / (n + 2), out=o)


def _mish_slope(x: Any, o: Any) -> Any:
    e, n = _mish_terms(x)
    m = n + 2
    return np.divide(n + 4 * x * (e * (e + 1) / m), m, out=o)


def _telu_slope(x: Any, o: Any) -> Any:
    e = np.exp(x)
    t = np.tanh(e)
    return np.add(t, x * e * (1 - t * t), out=o)


def _selu(x: Any, o: Any) -> Any:
    t = np.expm1(np.minimum(x, 0))
    t *= ALPHA
    t += np.maximum(x, 0)
    return np.multiply(t, SCALE, out=t if o is None else o)


def _selu_slope(x: Any, o: Any) -> Any:
    t = np.exp(np.minimum(x, 0))
    t *= ALPHA * SCALE
    positive = x > 0
    o = t if o is None else o
    np.copyto(o, t)
    np.copyto(o, x.dtype.type(SCALE), where=positive)
    return o


def _elu(x: Any, o: Any) -> Any:
    t = np.expm1(np.minimum(x, 0))
    return np.add(t, np.maximum(x, 0), out=t if o is None else o)


#: For the value and for the slope, either what to call with x and out=, and its further operands, or a function of
#: (x, o), where o is where the result goes, or None.
TABLE: dict[str, tuple[Any, Any]] = {
    "identity": ((np.positive,), lambda x, o: _fill(x, o, 1)),
    "relu": ((np.maximum, 0), lambda x, o: _mask(x > 0, x, o)),
    "relu6": ((np.clip, 0, 6), lambda x, o: _mask((x > 0) & (x < 6), x, o)),
    "leaky_relu": (
        lambda x, o: np.maximum(x, 0.01 * x, out=o), lambda x, o: np.maximum(x > 0, x.dtype.type(0.01), out=o),
    ),
    "relu_squared": (
        lambda x, o: np.square(np.maximum(x, 0), out=o), lambda x, o: np.multiply(np.maximum(x, 0), 2, out=o),
    ),
    "star_relu": (
        lambda x, o: np.subtract(0.8944 * np.square(np.maximum(x, 0)), 0.4472, out=o),
        lambda x, o: np.multiply(np.maximum(x, 0), 2 * 0.8944, out=o),
    ),
    "thresholded_relu": (lambda x, o: np.multiply(x, x > 1, out=o), lambda x, o: _mask(x > 1, x, o)),
    "threshold": ((np.maximum, 0), lambda x, o: _mask(x > 0, x, o)),
    "hard_tanh": ((np.clip, -1, 1), lambda x, o: _mask(np.abs(x) < 1, x, o)),
    "hard_sigmoid": (
        lambda x, o: np.clip(x * (1 / 6) + 0.5, 0, 1, out=o), lambda x, o: _mask(np.abs(x) < 3, x, o, 1 / 6),
    ),
    "hard_silu": (
        lambda x, o: np.multiply(x, np.clip(x * (1 / 6) + 0.5, 0, 1), out=o),
        lambda x, o: np.add((x * (1 / 3) + 0.5) * (np.abs(x) < 3), x >= 3, out=o),
    ),
    "softshrink": (
        lambda x, o: np.subtract(x, np.clip(x, -0.5, 0.5), out=o), lambda x, o: _mask(np.abs(x) > 0.5, x, o),
    ),
    "hardshrink": (lambda x, o: np.multiply(x, np.abs(x) > 0.5, out=o), lambda x, o: _mask(np.abs(x) > 0.5, x, o)),
    "step": (lambda x, o: _mask(x >= 0, x, o), lambda x, o: _fill(x, o, 0)),
    "sparse_plus": (
        lambda x, o: np.add(np.square(np.clip(x * 0.5 + 0.5, 0, 1)), np.maximum(x - 1, 0), out=o),
        lambda x, o: np.clip(x * 0.5 + 0.5, 0, 1, out=o),
    ),
    "sparse_sigmoid": (
        lambda x, o: np.clip(x * 0.5 + 0.5, 0, 1, out=o), lambda x, o: _mask(np.abs(x) < 1, x, o, 0.5),
    ),
    "sigmoid": (logistic, _logistic_slope),
    "log_sigmoid": (
        lambda x, o: np.negative(softplus(np.negative(x)), out=o), lambda x, o: logistic(np.negative(x), o),
    ),
    "tanh": ((np.tanh,), _tanh_slope),
    "tanhshrink": (lambda x, o: np.subtract(x, np.tanh(x), out=o), lambda x, o: np.square(np.tanh(x), out=o)),
    "exponential": ((np.exp,), (np.exp,)),
    "erf": (None, lambda x, o: gaussian(x, o, 1, 2 / np.pi**0.5)),
    "softsign": (
        lambda x, o: np.divide(x, np.abs(x) + 1, out=o), lambda x, o: np.reciprocal(np.square(np.abs(x) + 1), out=o),
    ),
    "ndtr": (None, lambda x, o: gaussian(x, o, 0.5, (2 * np.pi) ** -0.5)),
    "elu": (_elu, lambda x, o: np.exp(np.minimum(x, 0), out=o)),
    "celu": (_elu, lambda x, o: np.exp(np.minimum(x, 0), out=o)),
    "selu": (_selu, _selu_slope),
    "softplus": (softplus, logistic),
    "squareplus": (
        lambda x, o: np.multiply(np.sqrt(x * x + 4) + x, 0.5, out=o),
        lambda x, o: np.add(x / np.sqrt(x * x + 4) * 0.5, 0.5, out=o),
    ),
    "silu": (lambda x, o: _gated(x, o, x), lambda x, o: _gated_slope(x, o, x, 1)),
    "swish": (lambda x, o: _gated(x, o, x), lambda x, o: _gated_slope(x, o, x, 1)),
    "gelu": (None, None),
    "gelu_tanh": (
        lambda x, o: _gated(x, o, _gelu_u(x)),
        lambda x, o: _gated_slope(x, o, _gelu_u(x), 2 * SQRT_2_PI * (3 * 0.044715 * (x * x) + 1)),
    ),
    "quick_gelu": (lambda x, o: _gated(x, o, 1.702 * x), lambda x, o: _gated_slope(x, o, 1.702 * x, 1.702)),
    "mish": (_mish, _mish_slope),
    "serf": (None, None),
    "telu": (lambda x, o: np.multiply(x, np.tanh(np.exp(x)), out=o), _telu_slope),
    "snake": (lambda x, o: np.add(x, np.square(np.sin(x)), out=o), lambda x, o: np.add(np.sin(2 * x), 1, out=o)),
}  # fmt: skip


def ufunc_like(f: Any, part: str, arrays: tuple[Array, ...], out: Array | None) -> Contender:
    """The contender that an entry of a table stands for: a value, or a slope and the backward pass by it."""
    if isinstance(f, tuple) and part != "backward":
        return Contender(calling(f[0], *arrays, *f[1:], out=out))
    if isinstance(f, tuple):
        ufunc, *more = f
        f = lambda x, o: ufunc(x, *more, out=o)  # noqa: E731
    if part == "backward":
        g, x = arrays
        return Contender(lambda: np.multiply(g, f(x, None), out=out))
    (x,) = arrays
    return Contender(lambda: f(x, out))


def _make(name: str, part: str, arrays: tuple[Array, ...], out: Array | None) -> Contender:
    return ufunc_like(TABLE[name][part != "forward"], part, arrays, out)


ELEMENTWISE = Peer(TABLE, _make, by_slope=True)


def sparse(case: Case, x: Array) -> Contender:
    """fastact's own formulation in NumPy."""
    f, axis, rng = getattr(fa, case.name), case.axis, np.random.default_rng(0)
    if case.name == "gumbel_softmax":
        noisy = lambda: x + np.asarray(rng.gumbel(size=x.shape), x.dtype)  # noqa: E731
        return Contender(lambda: fa.softmax(noisy(), axis, backend="numpy"))
    return Contender(lambda: f(x, axis, backend="numpy"))


def gated(case: Case, arrays: tuple[Array, ...], outs: tuple[Array, ...]) -> Contender | None:
    """A value times the activation of a gate, and the gradients of both."""
    activation, (*g, value, gate) = GATES[case.name], arrays
    f, slope = (ELEMENTWISE.contender(activation, part, (gate,)) for part in ("forward", "derivative"))
    if f is None or slope is None:
        return None
    if not g:
        return Contender(lambda: np.multiply(value, f.call(), *outs[:1]))
    grad, (first, second) = g[0], outs or (None, None)
    return Contender(
        lambda: (np.multiply(grad, f.call(), out=first), np.multiply(grad * value, slope.call(), out=second))
    )
