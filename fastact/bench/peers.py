"""How other libraries compute what fastact does: the table of peers, of which those that are installed take part.

Imported by `measure`, benchmarks/accuracy.py and tests/test_peers.py, which compares every entry with fastact. To
compare one more function, add its line to a library's table; a library is a table, a maker and a line in LIBRARIES.

The rules: every library gets the same values in the same layout and gives an array of the same dtype; a backward pass
takes (grad_output, x), a derivative x; all use the same number of threads (JAX takes all cores that it sees). Each goes
its best way: PyTorch calls its backward kernels, and autograd where there is none, writing to `out` where it can. JAX
and onnxruntime, which have neither, get the plain call for out= and in place, and take no part in strided layouts.
"""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Callable, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

from fastact.bench.timing import Contender, calling
from fastact.errors import UnknownNameError, nearest

__all__ = ["LIBRARIES", "as_numpy", "chosen", "contender", "function", "has", "installed", "set_threads", "versions"]

Array = np.ndarray[Any, np.dtype[Any]]
Function = Callable[..., Any]

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805
SQRT_2_PI = (2 / np.pi) ** 0.5

#: What a library's maker is told beside the operands.
_threads = 1


def set_threads(n: int) -> None:
    """Let every library use n threads, from its next contender on."""
    global _threads
    _threads = n
    for library in ("torch", "numexpr"):
        if find_spec(library):
            importlib.import_module(library).set_num_threads(n)


# ---- NumPy: the fastest expression; temporaries are reused where that helps, and the last step writes to o


def _mask(mask: Any, x: Any, o: Any, value: float = 1.0) -> Any:
    """`value` where the mask is set, else 0."""
    if value == 1 and o is None:
        return mask.astype(x.dtype)
    return np.multiply(mask, x.dtype.type(value), out=o)


def _fill(x: Any, o: Any, value: float) -> Any:
    o = np.empty_like(x) if o is None else o
    o.fill(value)
    return o


def _logistic(x: Any, o: Any = None) -> Any:
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


def _softplus(x: Any, o: Any = None) -> Any:
    t = np.abs(x)
    np.negative(t, out=t)
    np.exp(t, out=t)
    np.log1p(t, out=t)
    return np.add(t, np.maximum(x, 0), out=t if o is None else o)


def _tanh_slope(x: Any, o: Any = None) -> Any:
    t = np.tanh(x)
    t *= t
    return np.subtract(1, t, out=t if o is None else o)


def _gaussian(x: Any, o: Any, width: float, height: float) -> Any:
    """height * exp(-width * x**2)."""
    t = x * x
    t *= -width
    np.exp(t, out=t)
    return np.multiply(t, height, out=t if o is None else o)


def _gated(x: Any, o: Any, h: Any) -> Any:
    """x * sigmoid(h)."""
    return np.multiply(x, _logistic(h), out=o)


def _gated_slope(x: Any, o: Any, h: Any, dh: Any) -> Any:
    s = _logistic(h)
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
    t *= SELU_ALPHA
    t += np.maximum(x, 0)
    return np.multiply(t, SELU_SCALE, out=t if o is None else o)


def _selu_slope(x: Any, o: Any) -> Any:
    t = np.exp(np.minimum(x, 0))
    t *= SELU_ALPHA * SELU_SCALE
    positive = x > 0
    o = t if o is None else o
    np.copyto(o, t)
    np.copyto(o, x.dtype.type(SELU_SCALE), where=positive)
    return o


def _elu(x: Any, o: Any) -> Any:
    t = np.expm1(np.minimum(x, 0))
    return np.add(t, np.maximum(x, 0), out=t if o is None else o)


#: For the value and for the slope, either what to call with x and out=, and its further operands, or a function of
#: (x, o), where o is where the result goes, or None.
NUMPY: dict[str, tuple[Any, Any]] = {
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
    "sigmoid": (_logistic, _logistic_slope),
    "log_sigmoid": (
        lambda x, o: np.negative(_softplus(np.negative(x)), out=o), lambda x, o: _logistic(np.negative(x), o),
    ),
    "tanh": ((np.tanh,), _tanh_slope),
    "tanhshrink": (lambda x, o: np.subtract(x, np.tanh(x), out=o), lambda x, o: np.square(np.tanh(x), out=o)),
    "exponential": ((np.exp,), (np.exp,)),
    "erf": (None, lambda x, o: _gaussian(x, o, 1, 2 / np.pi**0.5)),
    "softsign": (
        lambda x, o: np.divide(x, np.abs(x) + 1, out=o), lambda x, o: np.reciprocal(np.square(np.abs(x) + 1), out=o),
    ),
    "ndtr": (None, lambda x, o: _gaussian(x, o, 0.5, (2 * np.pi) ** -0.5)),
    "elu": (_elu, lambda x, o: np.exp(np.minimum(x, 0), out=o)),
    "celu": (_elu, lambda x, o: np.exp(np.minimum(x, 0), out=o)),
    "selu": (_selu, _selu_slope),
    "softplus": (_softplus, _logistic),
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

#: The same with s, scipy.special, for what it has.
SCIPY: dict[str, tuple[Callable[[Any], Any] | None, Callable[[Any], Any] | None]] = {
    "sigmoid": (lambda s: (s.expit,), None),
    "log_sigmoid": (lambda s: (s.log_expit,), None),
    "softplus": (lambda s: (getattr(s, "softplus", functools.partial(np.logaddexp, 0)),), None),
    "erf": (lambda s: (s.erf,), None),
    "ndtr": (lambda s: (s.ndtr,), None),
    "silu": (lambda s: lambda x, o: np.multiply(x, s.expit(x), out=o), None),
    "gelu": (
        lambda s: lambda x, o: np.multiply(x, s.ndtr(x), out=o),
        lambda s: lambda x, o: np.add(x * _gaussian(x, None, 0.5, (2 * np.pi) ** -0.5), s.ndtr(x), out=o),
    ),
    "serf": (
        lambda s: lambda x, o: np.multiply(x, s.erf(_softplus(x)), out=o),
        lambda s: (
            lambda x, o: np.add(
                x * _logistic(x) * _gaussian(_softplus(x), None, 1, 2 / np.pi**0.5), s.erf(_softplus(x)), out=o
            )
        ),
    ),
}


def _ufunc_like(f: Any, part: str, arrays: tuple[Array, ...], out: Array | None) -> Contender:
    """A contender of what a table says for the value or the slope."""
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


def _numpy(name: str, part: str, arrays: tuple[Array, ...], out: Array | None) -> Contender:
    return _ufunc_like(NUMPY[name][part != "forward"], part, arrays, out)


def _scipy(name: str, part: str, arrays: tuple[Array, ...], out: Array | None) -> Contender:
    entry: Any = SCIPY[name][part != "forward"]
    return _ufunc_like(entry(importlib.import_module("scipy.special")), part, arrays, out)


# ---- numexpr


_NE_SIGMOID, _NE_SOFTPLUS = "(1/(1+exp(-x)))", "log1p(exp(x))"
_NE_PHI = "(0.3989422804014327*exp(-0.5*x*x))"

#: The value and the slope.
NUMEXPR: dict[str, tuple[str, str]] = {
    "relu": ("where(x>0,x,0)", "where(x>0,1.0,0.0)"),
    "relu6": ("where(x<0,0,where(x>6,6,x))", "where((x>0)&(x<6),1.0,0.0)"),
    "leaky_relu": ("where(x>0,x,0.01*x)", "where(x>0,1.0,0.01)"),
    "relu_squared": ("where(x>0,x*x,0)", "where(x>0,2*x,0)"),
    "star_relu": ("where(x>0,0.8944*x*x,0)-0.4472", "where(x>0,1.7888*x,0)"),
    "hard_tanh": ("where(x<-1,-1,where(x>1,1,x))", "where((x>-1)&(x<1),1.0,0.0)"),
    "hard_sigmoid": (
        "where(x<-3,0.0,where(x>3,1.0,0.16666666666666666*x+0.5))", "where((x>-3)&(x<3),0.16666666666666666,0.0)",
    ),
    "hard_silu": (
        "where(x<-3,0,where(x>3,x,x*(0.16666666666666666*x+0.5)))",
        "where(x<=-3,0.0,where(x>=3,1.0,0.3333333333333333*x+0.5))",
    ),
    "sigmoid": (_NE_SIGMOID, "1/(2+exp(x)+exp(-x))"),
    "log_sigmoid": ("-log1p(exp(-x))", "1/(1+exp(x))"),
    "tanh": ("tanh(x)", "1-tanh(x)*tanh(x)"),
    "tanhshrink": ("x-tanh(x)", "tanh(x)*tanh(x)"),
    "exponential": ("exp(x)", "exp(x)"),
    "softsign": ("x/(1+abs(x))", "1/((1+abs(x))*(1+abs(x)))"),
    "elu": ("where(x>0,x,expm1(x))", "where(x>0,1.0,exp(x))"),
    "celu": ("where(x>0,x,expm1(x))", "where(x>0,1.0,exp(x))"),
    "selu": (
        "1.0507009873554805*where(x>0,x,1.6732632423543772*expm1(x))",
        "1.0507009873554805*where(x>0,1.0,1.6732632423543772*exp(x))",
    ),
    "softplus": (_NE_SOFTPLUS, _NE_SIGMOID),
    "squareplus": ("0.5*(x+sqrt(x*x+4))", "0.5*(1+x/sqrt(x*x+4))"),
    "silu": ("x/(1+exp(-x))", f"{_NE_SIGMOID}*(1+x*(1-{_NE_SIGMOID}))"),
    "swish": ("x/(1+exp(-x))", f"{_NE_SIGMOID}*(1+x*(1-{_NE_SIGMOID}))"),
    "gelu_tanh": (
        "x/(1+exp(-1.5957691216057308*x*(1+0.044715*x*x)))",
        "1/(1+exp(-1.5957691216057308*x*(1+0.044715*x*x)))*(1+x*1.5957691216057308*(1+0.134145*x*x)"
        "*(1-1/(1+exp(-1.5957691216057308*x*(1+0.044715*x*x)))))",
    ),
    "quick_gelu": ("x/(1+exp(-1.702*x))", "1/(1+exp(-1.702*x))*(1+1.702*x*(1-1/(1+exp(-1.702*x))))"),
    "mish": (
        f"x*tanh({_NE_SOFTPLUS})",
        f"tanh({_NE_SOFTPLUS})+x*(1-tanh({_NE_SOFTPLUS})*tanh({_NE_SOFTPLUS}))*{_NE_SIGMOID}",
    ),
    "telu": ("x*tanh(exp(x))", "tanh(exp(x))+x*exp(x)*(1-tanh(exp(x))*tanh(exp(x)))"),
    "snake": ("x+sin(x)*sin(x)", "1+sin(2*x)"),
    "erf": ("", "1.1283791670955126*exp(-x*x)"),
    "ndtr": ("", _NE_PHI),
}  # fmt: skip


def _numexpr(name: str, part: str, arrays: tuple[Array, ...], out: Array | None) -> Contender:
    """Constants are operands of the arrays' dtype: written out, they would make everything float64."""
    evaluate = importlib.import_module("numexpr").evaluate
    expression = NUMEXPR[name][part != "forward"]
    if part == "backward":
        expression = f"g*({expression})"
    constants = sorted(set(re.findall(r"\d+\.\d+", expression)))
    expression = re.sub(r"\d+\.\d+", lambda match: f"c{constants.index(match[0])}", expression)
    values = {f"c{i}": arrays[0].dtype.type(float(constant)) for i, constant in enumerate(constants)}
    values |= dict(zip("gx" if part == "backward" else "x", arrays, strict=True))
    return Contender(lambda: evaluate(expression, values, out=out))


# ---- PyTorch


class Torch(NamedTuple):
    """torch, torch._C._nn, which is torch.nn.functional without its checks, and torch.ops.aten."""

    t: Any
    nn: Any
    aten: Any


#: A function that knows out=, and what it takes beside x.
TORCH: dict[str, Callable[[Torch], tuple[Any, ...]]] = {
    "identity": lambda m: (lambda x, out=None: x.clone() if out is None else out.copy_(x),),
    "relu": lambda m: (m.t.relu,),
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
    "sigmoid": lambda m: (m.t.sigmoid,),
    "log_sigmoid": lambda m: (m.nn.log_sigmoid,),
    "tanh": lambda m: (m.t.tanh,),
    "tanhshrink": lambda m: (lambda x, out=None: m.t.sub(x, m.t.tanh(x), out=out),),
    "exponential": lambda m: (m.t.exp,),
    "erf": lambda m: (m.t.erf,),
    "softsign": lambda m: (lambda x, out=None: m.t.div(x, m.t.abs(x) + 1, out=out),),
    "ndtr": lambda m: (m.t.special.ndtr,),
    "elu": lambda m: (m.nn.elu, 1.0),
    "celu": lambda m: (m.nn.elu, 1.0),
    "selu": lambda m: (m.nn.elu, SELU_ALPHA, SELU_SCALE),
    "softplus": lambda m: (m.nn.softplus,),
    "squareplus": lambda m: (lambda x, out=None: m.t.mul(m.t.sqrt(x * x + 4) + x, 0.5, out=out),),
    "silu": lambda m: (m.nn.silu,),
    "swish": lambda m: (m.nn.silu,),
    "gelu": lambda m: (m.nn.gelu,),
    "gelu_tanh": lambda m: (functools.partial(m.nn.gelu, approximate="tanh"),),
    "quick_gelu": lambda m: (lambda x, out=None: m.t.mul(x, m.t.sigmoid(1.702 * x), out=out),),
    "mish": lambda m: (m.nn.mish,),
    "serf": lambda m: (lambda x, out=None: m.t.mul(x, m.t.erf(m.nn.softplus(x)), out=out),),
    "telu": lambda m: (lambda x, out=None: m.t.mul(x, m.t.tanh(m.t.exp(x)), out=out),),
    "snake": lambda m: (lambda x, out=None: m.t.add(x, m.t.square(m.t.sin(x)), out=out),),
}  # fmt: skip

#: Where torch's own function knows no out=, one that gives the same.
TORCH_OUT: dict[str, Callable[[Torch], tuple[Any, ...]]] = {
    "relu": lambda m: (m.t.clamp_min, 0),
    "step": lambda m: (lambda x, out=None: m.t.ge(x, 0, out=out),),
}

#: A backward kernel's name, and its operands from (m, g, x).
TORCH_KERNELS: dict[str, tuple[str, Callable[[Torch, Any, Any], tuple[Any, ...]]]] = {
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
    "selu": ("elu_backward", lambda m, g, x: (g, SELU_ALPHA, SELU_SCALE, 1, False, x)),
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
FROM_THE_OUTPUT = ("sigmoid", "tanh", "log_sigmoid")


@functools.cache
def _torch_modules() -> Torch:
    torch = importlib.import_module("torch")
    torch.set_num_threads(_threads)
    return Torch(torch, torch._C._nn, torch.ops.aten)


def _tensor(t: Any, array: Array) -> Any:
    """The array's own memory, as a tensor."""
    if array.dtype.name == "bfloat16":
        return t.from_numpy(array.view(np.int16)).view(t.bfloat16)
    return t.from_numpy(array)


def _torch(name: str, part: str, arrays: tuple[Array, ...], out: Array | None) -> Contender:
    m = _torch_modules()
    tensors = [_tensor(m.t, array) for array in arrays]
    target = None if out is None else _tensor(m.t, out)
    if part == "forward":
        f, *more = (TORCH_OUT if out is not None and name in TORCH_OUT else TORCH)[name](m)
        return Contender(calling(f, tensors[0], *more, out=target), m.t.inference_mode)
    g, x = tensors if part == "backward" else (m.t.ones_like(tensors[0]), tensors[0])
    if name not in TORCH_KERNELS:
        return _autograd(m, name, g, x)
    kernel, operands = TORCH_KERNELS[name]
    packet = getattr(m.aten, kernel)
    keyword = next((o for o in packet.overloads() if o != "default" and out is not None), "")
    f, keywords = getattr(packet, keyword or "default"), {keyword: target} if keyword else {}
    if name in FROM_THE_OUTPUT:
        call: Function = lambda: f(*operands(m, g, x), **keywords)  # noqa: E731
    elif keywords:
        given = operands(m, g, x)
        call = lambda: f(*given, **keywords)  # noqa: E731
    else:
        call = calling(f, *operands(m, g, x))
    return Contender(call, m.t.inference_mode)


def _autograd(m: Torch, name: str, g: Any, x: Any) -> Contender:
    """For what has no backward kernel: as training does it, but into a new tensor."""
    f, *more = TORCH[name](m)
    leaf, grad = x.detach().requires_grad_(), m.t.autograd.grad
    return Contender(lambda: grad(f(leaf, *more), leaf, g)[0])


# ---- JAX


#: j is jax, n jax.nn, p jax.numpy.
JAX: dict[str, Callable[[Any, Any, Any], Function]] = {
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
    jax = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)
    f = JAX[name](jax, jax.nn, jax.numpy)

    def backward(g: Any, x: Any) -> Any:
        return jax.vjp(f, x)[1](g)[0]

    def derivative(x: Any) -> Any:
        return backward(jax.numpy.ones_like(x), x)

    return jax.jit({"forward": f, "derivative": derivative, "backward": backward}[part])


def _jax(name: str, part: str, arrays: tuple[Array, ...], out: Array | None) -> Contender | None:
    compiled = _jitted(name, part)
    operands = [importlib.import_module("jax").numpy.array(array) for array in arrays]
    try:
        compiled(*operands)
    except TypeError:  # some functions refuse the half types
        return None
    return Contender(lambda: compiled(*operands).block_until_ready())


# ---- onnxruntime


#: Operators of ONNX, and their attributes where their defaults differ from fastact's.
ONNX: dict[str, tuple[str, dict[str, Any]]] = {
    "identity": ("Identity", {}),
    "relu": ("Relu", {}),
    "leaky_relu": ("LeakyRelu", {}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 1 / 6}),
    "hard_silu": ("HardSwish", {}),
    "thresholded_relu": ("ThresholdedRelu", {}),
    "elu": ("Elu", {}),
    "celu": ("Celu", {}),
    "selu": ("Selu", {}),
    "softplus": ("Softplus", {}),
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "softsign": ("Softsign", {}),
    "erf": ("Erf", {}),
    "exponential": ("Exp", {}),
    "silu": ("Swish", {}),
    "swish": ("Swish", {}),
    "gelu": ("Gelu", {}),
    "gelu_tanh": ("Gelu", {"approximate": "tanh"}),
    "mish": ("Mish", {}),
}


@functools.cache
def _session(name: str, dtype: str, threads: int) -> Any:
    """A session that runs one operator; None where onnxruntime lacks it for this dtype."""
    helper, runtime = importlib.import_module("onnx.helper"), importlib.import_module("onnxruntime")
    operator, attributes = ONNX[name]
    element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    values = [helper.make_tensor_value_info(v, element, [None]) for v in "xy"]
    graph = helper.make_graph([helper.make_node(operator, ["x"], ["y"], **attributes)], name, values[:1], values[1:])
    opset = 24 if operator == "Swish" else 20
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    states = runtime.capi.onnxruntime_pybind11_state
    try:
        return runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except (states.Fail, states.InvalidGraph, states.NotImplemented):
        return None


def _onnxruntime(name: str, part: str, arrays: tuple[Array, ...], out: Array | None) -> Contender | None:
    """A given output is bound as it is, but never in place, which the operators do not promise to bear."""
    (x,) = arrays
    session = _session(name, x.dtype.name, _threads)
    if session is None:
        return None
    if out is None:
        return Contender(lambda: session.run(None, {"x": x})[0])
    binding, result = session.io_binding(), np.empty_like(x) if out is x else out
    binding.bind_input("x", "cpu", 0, x.dtype.type, x.shape, x.ctypes.data)
    binding.bind_output("y", "cpu", 0, x.dtype.type, x.shape, result.ctypes.data)

    def call(x: Array = x) -> Array:  # which keeps x alive: the binding has only its address
        session.run_with_iobinding(binding)
        return result

    return Contender(call)


# ---- all of them


class Library(NamedTuple):
    """What must be installed, which functions it has, its maker, and the parts, dtypes and layouts it can do.

    `by_slope`: the table has a pair for each function, its value and its slope, of which one may be missing.
    """

    needs: tuple[str, ...]
    table: dict[str, Any]
    make: Callable[[str, str, tuple[Array, ...], Array | None], Contender | None]
    parts: tuple[str, ...] = ("forward", "derivative", "backward")
    dtypes: tuple[str, ...] = ("float32", "float64")
    any_layout: bool = True
    by_slope: bool = False


HALVES_TOO = ("float16", "bfloat16", "float32", "float64")
LIBRARIES = {
    "torch": Library(("torch",), TORCH, _torch, dtypes=HALVES_TOO),
    "jax": Library(("jax",), JAX, _jax, dtypes=HALVES_TOO, any_layout=False),
    "onnxruntime": Library(("onnxruntime", "onnx"), ONNX, _onnxruntime, parts=("forward",), any_layout=False),
    "numpy": Library(("numpy",), NUMPY, _numpy, by_slope=True),
    "scipy": Library(("scipy",), SCIPY, _scipy, by_slope=True),
    "numexpr": Library(("numexpr",), NUMEXPR, _numexpr, by_slope=True),
}


def installed() -> list[str]:
    """The libraries that can take part."""
    return [name for name, library in LIBRARIES.items() if all(map(find_spec, library.needs))]


def chosen(names: Sequence[str]) -> list[str]:
    """These libraries, or all that are installed if none is named.

    Raises
    ------
    UnknownNameError
        For a name that is not in the table, or a library that is not installed.
    """
    for name in names:
        if name not in LIBRARIES:
            raise UnknownNameError(f"unknown peer {name!r}{nearest(name, LIBRARIES)}")
        if name not in installed():
            missing = " and ".join(need for need in LIBRARIES[name].needs if not find_spec(need))
            raise UnknownNameError(f"peer {name!r} is not installed here: install {missing}, or leave it out")
    return list(names) or installed()


def has(library: str, name: str, part: str) -> bool:
    """Whether a library has this part of an activation."""
    able = LIBRARIES[library]
    if name not in able.table or part not in able.parts:
        return False
    return not able.by_slope or bool(able.table[name][part != "forward"])


def contender(
    library: str, name: str, part: str, arrays: tuple[Array, ...], out: Array | None = None
) -> Contender | None:
    """A library's call for a part of an activation on these arrays; None where it has none."""
    able = LIBRARIES[library]
    simple = able.any_layout or all(array.ndim == 1 and array.flags.c_contiguous for array in arrays)
    if not has(library, name, part) or arrays[0].dtype.name not in able.dtypes or not simple:
        return None
    return able.make(name, part, arrays, out)


def function(library: str, name: str, part: str) -> Function:
    """What a library computes for a part of an activation, as a function of arrays."""

    def f(*arrays: Array) -> Array:
        call, around = contender(library, name, part, arrays)  # type: ignore[misc]
        with around():
            return as_numpy(call())

    return f


def as_numpy(result: Any) -> Array:
    """A library's result as an array."""
    if hasattr(result, "detach"):
        if str(result.dtype) == "torch.bfloat16":
            return (
                result.view(importlib.import_module("torch").int16)
                .numpy()
                .view(importlib.import_module("ml_dtypes").bfloat16)
            )
        return result.detach().numpy()
    return np.asarray(result)


def versions(libraries: Sequence[str] = tuple(LIBRARIES)) -> str:
    """Names and versions of those that are installed."""
    return ", ".join(f"{name} {version(name)}" for name in libraries if name in installed())
