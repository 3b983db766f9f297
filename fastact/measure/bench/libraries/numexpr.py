"""numexpr: elementwise functions as its expressions."""

from __future__ import annotations

import importlib
import re

from fastact.measure.bench.cases import Array
from fastact.measure.bench.libraries import threads
from fastact.measure.bench.libraries.peer import Peer
from fastact.measure.bench.timing import Contender

NEEDS = ("numexpr",)

_SIGMOID, _SOFTPLUS = "(1/(1+exp(-x)))", "log1p(exp(x))"
_PHI = "(0.3989422804014327*exp(-0.5*x*x))"

#: The value and the slope.
TABLE: dict[str, tuple[str, str]] = {
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
    "sigmoid": (_SIGMOID, "1/(2+exp(x)+exp(-x))"),
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
    "softplus": (_SOFTPLUS, _SIGMOID),
    "squareplus": ("0.5*(x+sqrt(x*x+4))", "0.5*(1+x/sqrt(x*x+4))"),
    "silu": ("x/(1+exp(-x))", f"{_SIGMOID}*(1+x*(1-{_SIGMOID}))"),
    "swish": ("x/(1+exp(-x))", f"{_SIGMOID}*(1+x*(1-{_SIGMOID}))"),
    "gelu_tanh": (
        "x/(1+exp(-1.5957691216057308*x*(1+0.044715*x*x)))",
        "1/(1+exp(-1.5957691216057308*x*(1+0.044715*x*x)))*(1+x*1.5957691216057308*(1+0.134145*x*x)"
        "*(1-1/(1+exp(-1.5957691216057308*x*(1+0.044715*x*x)))))",
    ),
    "quick_gelu": ("x/(1+exp(-1.702*x))", "1/(1+exp(-1.702*x))*(1+1.702*x*(1-1/(1+exp(-1.702*x))))"),
    "mish": (
        f"x*tanh({_SOFTPLUS})",
        f"tanh({_SOFTPLUS})+x*(1-tanh({_SOFTPLUS})*tanh({_SOFTPLUS}))*{_SIGMOID}",
    ),
    "telu": ("x*tanh(exp(x))", "tanh(exp(x))+x*exp(x)*(1-tanh(exp(x))*tanh(exp(x)))"),
    "snake": ("x+sin(x)*sin(x)", "1+sin(2*x)"),
    "erf": ("", "1.1283791670955126*exp(-x*x)"),
    "ndtr": ("", _PHI),
}  # fmt: skip


def _make(name: str, part: str, arrays: tuple[Array, ...], out: Array | None) -> Contender:
    """Give constants as operands of the arrays' dtype: written out, they would make everything float64."""
    numexpr = importlib.import_module("numexpr")
    numexpr.set_num_threads(threads())
    expression = TABLE[name][part != "forward"]
    if part == "backward":
        expression = f"g*({expression})"
    constants = sorted(set(re.findall(r"\d+\.\d+", expression)))
    expression = re.sub(r"\d+\.\d+", lambda match: f"c{constants.index(match[0])}", expression)
    values = {f"c{i}": arrays[0].dtype.type(float(constant)) for i, constant in enumerate(constants)}
    values |= dict(zip("gx" if part == "backward" else "x", arrays, strict=True))
    return Contender(lambda: numexpr.evaluate(expression, values, out=out))


ELEMENTWISE = Peer(TABLE, _make, by_slope=True)
