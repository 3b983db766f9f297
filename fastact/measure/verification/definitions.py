"""The activations' definitions in numbers of any precision, by mpmath: what spot checks and float64 are measured by.

Each definition is the formula, written with `Dual` numbers, which carry the slope along: where it chooses between
pieces, the piece that it takes at a kink gives the slope there. To add an activation, add its line to DEFINITIONS.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastact.errors import require

__all__ = ["DEFINITIONS", "exact", "rounded"]

#: Binary digits of the results, many more than float64 has; terms that cancel get more.
PRECISION = 200
#: e to the minus this is below all floats, also times any float. There mpmath would need numbers of 2**60 digits.
FAR = 10.0**9


@cache
def mp() -> Any:
    """A context of mpmath of our own, so that nobody else's precision changes."""
    context = require("mpmath", "verify", "an exact result").mp.clone()
    context.prec = PRECISION
    return context


@dataclass(frozen=True)
class Dual:
    """A number and its slope with respect to x."""

    value: Any
    slope: Any = 0

    def __add__(self, other: Any) -> Dual:
        other = dual(other)
        return Dual(self.value + other.value, self.slope + other.slope)

    def __neg__(self) -> Dual:
        return Dual(-self.value, -self.slope)

    def __sub__(self, other: Any) -> Dual:
        return self + -dual(other)

    def __rsub__(self, other: Any) -> Dual:
        return dual(other) + -self

    def __mul__(self, other: Any) -> Dual:
        other = dual(other)
        return Dual(self.value * other.value, self.slope * other.value + self.value * other.slope)

    def __truediv__(self, other: Any) -> Dual:
        other = dual(other)
        ratio = self.value / other.value
        return Dual(ratio, (self.slope - ratio * other.slope) / other.value)

    def __rtruediv__(self, other: Any) -> Dual:
        return dual(other) / self

    __radd__, __rmul__ = __add__, __mul__

    def __lt__(self, other: Any) -> bool:
        return bool(self.value < dual(other).value)

    def __gt__(self, other: Any) -> bool:
        return bool(self.value > dual(other).value)

    def __le__(self, other: Any) -> bool:
        return bool(self.value <= dual(other).value)

    def __ge__(self, other: Any) -> bool:
        return bool(self.value >= dual(other).value)


def dual(x: Any) -> Dual:
    """The same; a constant has the slope 0."""
    return x if isinstance(x, Dual) else Dual(mp().mpf(x))


def elementary(value: Callable[[Any, Any], Any], slope: Callable[[Any, Any], Any]) -> Callable[[Dual], Dual]:
    """A function by its value and its slope, each of mpmath's context and a number."""
    return lambda x: Dual(value(mp(), x.value), slope(mp(), x.value) * x.slope)


exp = elementary(lambda m, x: m.exp(x), lambda m, x: m.exp(x))
expm1 = elementary(lambda m, x: m.expm1(x), lambda m, x: m.exp(x))
sqrt = elementary(lambda m, x: m.sqrt(x), lambda m, x: 1 / (2 * m.sqrt(x)))
tanh = elementary(lambda m, x: m.tanh(x), lambda m, x: m.sech(x) ** 2)
tanhshrink = elementary(lambda m, x: x - m.tanh(x), lambda m, x: m.tanh(x) ** 2)
sine = elementary(lambda m, x: m.sin(x), lambda m, x: m.cos(x))
erf = elementary(lambda m, x: m.erf(x), lambda m, x: 2 / m.sqrt(m.pi) * m.exp(-(x**2)))
#: The normal distribution function.
normal = elementary(lambda m, x: m.ldexp(1, -(10**6)) if x < -FAR else m.ncdf(x), lambda m, x: m.npdf(x))
sigmoid = elementary(lambda m, x: 1 / (1 + m.exp(-x)), lambda m, x: 1 / (1 + m.exp(-x)) / (1 + m.exp(x)))
softplus = elementary(lambda m, x: m.log1p(m.exp(x)), lambda m, x: 1 / (1 + m.exp(-x)))
softsign = elementary(lambda m, x: x / (1 + abs(x)), lambda m, x: 1 / (1 + abs(x)) ** 2)


def inside(x: Dual, low: Any, high: Any) -> Dual:
    """Clip x between the two, which are flat themselves."""
    return dual(low) if x <= low else dual(high) if x >= high else x


def hard_silu(x: Dual) -> Dual:
    """The slope at -3 is 0, and at 3 is 1."""
    return x * 0 if x <= -3 else x if x >= 3 else x * (x + 3) / 6


def ramp(x: Dual, slope: Any, offset: Any) -> Dual:
    """The default slope stands for the real number 1/6, of which it is the nearest float."""
    line = (x + 6 * mp().mpf(offset)) / 6 if slope == 1 / 6 else x * slope + offset
    return inside(line, 0, 1)


def rectified_square(x: Dual) -> Dual:
    return x * x if x > 0 else dual(0)


def squareplus(x: Dual, b: Any) -> Dual:
    if b == 0:  # relu, whose slope at 0 is the mean of both sides
        return x if x > 0 else x * 0.5 if x.value == 0 else dual(0)
    root = sqrt(x * x + b)
    return (x + root) / 2 if x >= 0 else dual(b) / (root - x) / 2


def snake(x: Dual, a: Any) -> Dual:
    s = sine(x * a)
    return x + s * s / a if a else x


def gelu_tanh(x: Dual) -> Dual:
    return x * sigmoid(2 * mp().sqrt(2 / mp().pi) * (x + mp().mpf("0.044715") * x * x * x))


#: selu's constants, as the paper has them, in float64.
SCALE, ALPHA = 1.0507009873554805, 1.6732632423543772

#: name -> the function of (x, *parameters).
DEFINITIONS: Mapping[str, Callable[..., Dual]] = {
    "identity": lambda x: x,
    "relu": lambda x: x if x > 0 else dual(0),
    "leaky_relu": lambda x, a: x if x > 0 else x * a,
    "relu6": lambda x: inside(x, 0, 6),
    "relu_squared": rectified_square,
    "star_relu": lambda x, scale, bias: rectified_square(x) * scale + bias,
    "thresholded_relu": lambda x, theta: x if x > theta else dual(0),
    "threshold": lambda x, threshold, value: x if x > threshold else dual(value),
    "hard_tanh": inside,
    "hard_sigmoid": ramp,
    "hard_silu": hard_silu,
    "softshrink": lambda x, c: x - c if x > c else x + c if x < -c else dual(0),
    "hardshrink": lambda x, c: x if x > c or x < -c else dual(0),
    "step": lambda x: dual(x >= 0),
    "sparse_plus": lambda x: x if x >= 1 else dual(0) if x <= -1 else (x + 1) * (x + 1) / 4,
    "sparse_sigmoid": lambda x: (inside(x, -1, 1) + 1) / 2,
    "sigmoid": sigmoid,
    "log_sigmoid": lambda x: -softplus(-x),
    "tanh": tanh,
    "tanhshrink": tanhshrink,
    "exponential": exp,
    "erf": erf,
    "softsign": softsign,
    "ndtr": normal,
    "elu": lambda x, a: x if x > 0 else expm1(x) * a,
    "celu": lambda x, a: x if x > 0 else expm1(x / a) * a,
    "selu": lambda x: (x if x > 0 else expm1(x) * ALPHA) * SCALE,
    "softplus": lambda x, beta: softplus(x * beta) / beta,
    "squareplus": squareplus,
    "silu": lambda x: x * sigmoid(x),
    "swish": lambda x, beta: x * sigmoid(x * beta),
    "gelu": lambda x: x * normal(x),
    "gelu_tanh": gelu_tanh,
    "quick_gelu": lambda x: x * sigmoid(x * mp().mpf("1.702")),
    "mish": lambda x: x * tanh(softplus(x)),
    "serf": lambda x: x * erf(softplus(x)),
    "telu": lambda x: x * (tanh(exp(x)) if x < 20 else dual(1)),
    "snake": snake,
}

#: Those whose terms cancel near 0, to x**3 at worst, and those with a sine of what may be large.
CANCELLING = {"tanhshrink"}
PERIODIC = {"snake"}


def extra(name: str, x: float) -> int:
    """More binary digits that x needs there."""
    exponent = math.frexp(x)[1]
    if name in CANCELLING:
        return 3 * max(0, -exponent)
    return 2 * abs(exponent) + 200 if name in PERIODIC else 0


def exact(
    name: str, part: str, x: NDArray[np.float64], parameters: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The exact results at finite x: as float64, and the rest in ULP of that.

    For a name in DEFINITIONS, and a part "forward" or "derivative".
    """
    context, function, forward = mp(), DEFINITIONS[name], part == "forward"

    def result(each: float) -> Any:
        with context.extraprec(extra(name, each)):
            found = function(Dual(context.mpf(each), context.one), *parameters)
            return found.value if forward else found.slope

    return rounded(map(result, x.tolist()))


def rounded(results: Iterable[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Numbers of mpmath as float64, and the rest in ULP of that; the rest itself may be below all floats."""
    found = list(results)
    high = [float(each) for each in found]
    pairs = zip(found, high, strict=True)
    low = [float((each - h) / math.ulp(h)) if math.isfinite(h) else 0.0 for each, h in pairs]
    return np.array(high), np.array(low)
