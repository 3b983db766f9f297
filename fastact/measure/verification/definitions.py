"""The one definition of each activation: what `fastact verify`, the tests and the accuracy proof measure it by.

A definition is the formula, written with `Dual` numbers, which carry a slope along. They are mpmath's numbers here; the
tests compute the same definitions with arrays of float64. Where a formula chooses between pieces by `where`, the piece
that it takes at a kink gives the slope there. To add an activation, add its line to DEFINITIONS.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastact.errors import require

__all__ = ["DEFINITIONS", "Definition", "Dual", "exact", "mp", "rounded"]

#: Binary digits of the results, many more than float64 has; terms that cancel get more.
PRECISION = 200
#: e to the minus this is below all floats, also times any float. There mpmath would need numbers of 2**60 digits.
FAR = 10.0**9
#: Beyond 2 to this lie no floats; mpmath takes such numbers for infinity.
BEYOND = 1100


@cache
def mp() -> Any:
    """A context of mpmath of our own, so that nobody else's precision changes."""
    context = require("mpmath", "verify", "an exact result").mp.clone()
    context.prec = PRECISION
    return context


class Exact:
    """The functions that definitions are made of, in mpmath's numbers."""

    def __getattr__(self, name: str) -> Any:
        return getattr(mp(), name)

    @property
    def tiny(self) -> Any:
        """A number that rounds to 0, also times any float."""
        return mp().ldexp(1, -(10**6))

    def ncdf(self, x: Any) -> Any:
        return self.tiny if x < -FAR else mp().ncdf(x)

    def cos(self, x: Any) -> Any:
        """At infinity it has no limit."""
        return mp().cos(x) if mp().mag(x) < BEYOND else mp().nan

    def tanhshrink(self, x: Any) -> Any:
        with mp().extraprec(3 * max(0, -mp().mag(x)) if x else 0):
            return x - mp().tanh(x)


class Dual:
    """A number, or an array of numbers, and its slope; None says that it does not depend on what varies."""

    __slots__ = ("m", "slope", "value")

    def __init__(self, value: Any, slope: Any, m: Any) -> None:
        """Take the arithmetic `m`, such as `Exact`, along with value and slope."""
        self.value, self.slope, self.m = value, slope, m

    def __add__(self, other: Any) -> Dual:
        value, slope = parts(other)
        return Dual(self.value + value, plus(self.slope, slope), self.m)

    def __neg__(self) -> Dual:
        return Dual(-self.value, times(self.slope, -1), self.m)

    def __sub__(self, other: Any) -> Dual:
        return self + -other

    def __rsub__(self, other: Any) -> Dual:
        return -self + other

    def __mul__(self, other: Any) -> Dual:
        value, slope = parts(other)
        return Dual(self.value * value, plus(times(self.slope, value), times(slope, self.value)), self.m)

    def __truediv__(self, other: Any) -> Dual:
        value, slope = parts(other)
        ratio = self.value / value
        top = plus(self.slope, times(slope, -ratio))
        return Dual(ratio, None if top is None else top / value, self.m)

    def __rtruediv__(self, other: Any) -> Dual:
        return Dual(other, None, self.m) / self

    __radd__, __rmul__ = __add__, __mul__

    def __abs__(self) -> Dual:
        return Dual(abs(self.value), times(self.slope, 1 - 2.0 * (self.value < 0)), self.m)

    def __lt__(self, other: Any) -> Any:
        return self.value < parts(other)[0]

    def __gt__(self, other: Any) -> Any:
        return self.value > parts(other)[0]

    def __le__(self, other: Any) -> Any:
        return self.value <= parts(other)[0]

    def __ge__(self, other: Any) -> Any:
        return self.value >= parts(other)[0]


def parts(x: Any) -> tuple[Any, Any]:
    """Value and slope of a dual number or a constant."""
    return (x.value, x.slope) if isinstance(x, Dual) else (x, None)


def plus(slope: Any, other: Any) -> Any:
    return other if slope is None else slope if other is None else slope + other


def times(slope: Any, factor: Any) -> Any:
    return None if slope is None else slope * factor


def where(condition: Any, yes: Any, no: Any) -> Any:
    """One of two dual numbers or constants; of arrays, one for each element."""
    if not isinstance(condition, np.ndarray):
        return yes if condition else no
    (value, slope), (other_value, other_slope) = parts(yes), parts(no)
    if slope is not None or other_slope is not None:
        slope = np.where(condition, 0.0 if slope is None else slope, 0.0 if other_slope is None else other_slope)
    m = next((each.m for each in (yes, no) if isinstance(each, Dual)), None)
    return Dual(np.where(condition, value, other_value), slope, m)


def elementary(value: Callable[[Any, Any], Any], slope: Callable[[Any, Any], Any]) -> Callable[[Dual], Dual]:
    """A function by its value and its slope, each of the arithmetic and a number."""
    return lambda x: Dual(value(x.m, x.value), x.slope if x.slope is None else slope(x.m, x.value) * x.slope, x.m)


def bell(m: Any, x: Any) -> Any:
    """The slope of the logistic function, which is even."""
    e = m.exp(-abs(x))
    return e / (1 + e) ** 2


exp = elementary(lambda m, x: m.exp(x), lambda m, x: m.exp(x))
expm1 = elementary(lambda m, x: m.expm1(x), lambda m, x: m.exp(x))
log1p = elementary(lambda m, x: m.log1p(x), lambda m, x: 1 / (1 + x))
sqrt = elementary(lambda m, x: m.sqrt(x), lambda m, x: 1 / (2 * m.sqrt(x)))
tanh = elementary(lambda m, x: m.tanh(x), lambda m, x: 4 * bell(m, 2 * x))
tanhshrink = elementary(lambda m, x: m.tanhshrink(x), lambda m, x: m.tanh(x) ** 2)
sine = elementary(lambda m, x: m.sin(x), lambda m, x: m.cos(x))
erf = elementary(lambda m, x: m.erf(x), lambda m, x: m.exp(-x * x) * (2 / m.sqrt(m.pi)))
#: The normal distribution function.
normal = elementary(lambda m, x: m.ncdf(x), lambda m, x: m.exp(-x * x / 2) / m.sqrt(2 * m.pi))
sigmoid = elementary(lambda m, x: 1 / (1 + m.exp(-x)), bell)
softsign = elementary(lambda m, x: x / (1 + abs(x)), lambda m, x: 1 / (1 + abs(x)) ** 2)
#: 0 with the sign of x.
flat = elementary(lambda m, x: x * m.tiny, lambda m, x: 0)


def below(x: Dual) -> Dual:
    """The negative part, so that no exponential of it is large."""
    return where(x > 0, x * 0, x)


def clipped(x: Dual, low: Any, high: Any) -> Dual:
    """Clip x between the two, which are flat themselves."""
    return where(x <= low, low, where(x >= high, high, x))


def ramp(x: Dual, slope: Dual, offset: Dual) -> Dual:
    """Clip a line; the default slope stands for the real number 1/6, of which it is the nearest float."""
    sixfold = slope * 6
    if slope.value in (1 / 6, float(np.float32(1 / 6))):
        sixfold = Dual(1, sixfold.slope, slope.m)
    return clipped((x * sixfold + offset * 6) / 6, 0, 1)


def rectified_square(x: Dual) -> Dual:
    rectified = where(x > 0, x, 0)
    return rectified * rectified


def softplus(x: Dual, beta: Any = 1) -> Dual:
    """Written so that no terms cancel in the slope by beta."""
    y = x * beta
    return where(y >= 0, x, 0) + log1p(exp(-abs(y))) / beta


def squareplus(x: Dual, b: Dual) -> Dual:
    """For b = 0 it is relu, whose slope at 0 is the mean of both sides."""
    if b.value == 0:
        size = where(abs(x) > 0, abs(x), 5e-324)  # whose inverse is beyond all floats
        return where(x > 0, x, where(x >= 0, x / 2, 0)) + b / size / 4
    return where(x >= 0, x, 0) + b / (sqrt(x * x + b) + abs(x)) / 2


def snake(x: Dual, alpha: Dual) -> Dual:
    """For alpha = 0 its limit."""
    s = sine(x * alpha)
    return x + x * x * alpha if alpha.value == 0 else x + s * s / alpha


def gelu_tanh(x: Dual) -> Dual:
    return x * sigmoid((x + x * x * x * 44715 / 1000000) * (2 * x.m.sqrt(2 / x.m.pi)))


@dataclass(frozen=True)
class Definition:
    """The formula of an activation, and what a test of it needs to know."""

    #: Of x and the parameters by their names, all of them dual numbers.
    function: Callable[..., Any]
    #: Tuples of parameters to test besides the defaults.
    parameters: tuple[tuple[float, ...], ...] = ()
    #: Where the value, or the slope, is 0 between other values, for the default parameters: to 40 digits.
    value_zeros: tuple[str, ...] = ()
    slope_zeros: tuple[str, ...] = ()
    #: Whether it oscillates, so that large x need more digits.
    periodic: bool = False
    #: Whether it takes -0.0 to -0.0 if it takes 0 to 0. Squares do not, nor does what is constant up to there.
    signed_zero: bool = True

    @cached_property
    def names(self) -> tuple[str, ...]:
        """x and the parameters."""
        return tuple(signature(self.function).parameters)

    def at(self, m: Any, by: str | None, *given: Any) -> Dual:
        """The value at x and the parameters, and its slope by one of these."""
        numbers = [Dual(each, m.one if name == by else None, m) for name, each in zip(self.names, given, strict=True)]
        found = self.function(*numbers)
        return found if isinstance(found, Dual) else Dual(found, None, m)

    def exactly(self, by: str | None, x: Any, *parameters: Any) -> Any:
        """The value, or the slope by x or a parameter, by mpmath; take 10**400 for infinity."""
        context = mp()
        size = int(context.mag(x)) if x else 0
        more = 2 * abs(size) + 200 if self.periodic else 0
        if by not in (None, "x"):  # terms that cancel to x**2
            more += 3 * max(0, -size)
        with context.extraprec(more):
            found = self.at(EXACT, by, context.mpf(x), *map(context.mpf, parameters))
            return context.mpf(found.value if by is None else found.slope or 0)


EXACT = Exact()
#: selu's constants, as the paper has them, in float64.
SCALE, ALPHA = 1.0507009873554805, 1.6732632423543772
#: Parameters: zero, negative, tiny and large.
SLOPES = ((0.0,), (-0.5,), (1e-30,), (3.0,))
SWISH_ZERO = ("-1.278464542761073795109358739022980155439",)

DEFINITIONS: Mapping[str, Definition] = {
    "identity": Definition(lambda x: x),
    "relu": Definition(lambda x: where(x > 0, x, 0)),
    "leaky_relu": Definition(lambda x, alpha: where(x > 0, x, x * alpha), SLOPES),
    "relu6": Definition(lambda x: clipped(x, 0, 6)),
    "relu_squared": Definition(rectified_square, signed_zero=False),
    "star_relu": Definition(
        lambda x, scale, bias: rectified_square(x) * scale + bias,
        ((1.0, 0.0), (0.0, 0.5), (-0.5, 2.0), (1e-30, 1.0), (3.0, -1e-3)),
        value_zeros=("0.7071067811865475244008443621048490392848",),
    ),
    "thresholded_relu": Definition(lambda x, theta: where(x > theta, x, 0), SLOPES, signed_zero=False),
    "threshold": Definition(
        lambda x, threshold, value: where(x > threshold, x, value),
        ((0.5, -2.0), (-1.0, 20.0), (1e-30, 1e-30), (3.0, 0.0)),
        signed_zero=False,
    ),
    "hard_tanh": Definition(
        lambda x, min, max: clipped(x, min, max),
        ((0.0, 6.0), (-0.5, 3e4), (-1e-30, 1e-30), (1.0, 2.0), (-3.0, -2.0)),
    ),
    "hard_sigmoid": Definition(ramp, ((0.2, 0.5), (0.25, 0.5), (-0.25, 0.0), (0.0, 0.3), (1e-30, 0.5), (3.0, -0.7))),
    "hard_silu": Definition(
        lambda x: where(x <= -3, flat(x), where(x >= 3, x, x * (x + 3) / 6)), slope_zeros=("-1.5",)
    ),
    "softshrink": Definition(
        lambda x, lambd: where(x > lambd, x - lambd, where(x < -lambd, x + lambd, flat(x))),
        ((0.0,), (1e-30,), (3.0,), (1e30,)),
    ),
    "hardshrink": Definition(lambda x, lambd: where(abs(x) > lambd, x, flat(x)), SLOPES),
    "step": Definition(lambda x: where(x >= 0, 1, 0)),
    "sparse_plus": Definition(lambda x: where(x >= 1, x, where(x <= -1, 0, (x + 1) * (x + 1) / 4))),
    "sparse_sigmoid": Definition(lambda x: (clipped(x, -1, 1) + 1) / 2),
    "sigmoid": Definition(sigmoid),
    "log_sigmoid": Definition(lambda x: -softplus(-x)),
    "tanh": Definition(tanh),
    "tanhshrink": Definition(tanhshrink),
    "exponential": Definition(exp),
    "erf": Definition(erf),
    "softsign": Definition(softsign),
    "ndtr": Definition(normal),
    "elu": Definition(lambda x, alpha: where(x > 0, x, expm1(below(x)) * alpha), SLOPES),
    "celu": Definition(
        lambda x, alpha: where(x > 0, x, expm1(below(x) / alpha) * alpha), ((0.3,), (-1.5,), (1e-3,), (3.0,), (1e3,))
    ),
    "selu": Definition(lambda x: where(x > 0, x, expm1(below(x)) * ALPHA) * SCALE),
    "softplus": Definition(softplus, ((-1.5,), (1e-3,), (3.0,))),
    "squareplus": Definition(squareplus, ((0.0,), (1e-30,), (1.0,), (1e6,))),
    "silu": Definition(lambda x: x * sigmoid(x), slope_zeros=SWISH_ZERO),
    "swish": Definition(
        lambda x, beta: x * sigmoid(x * beta), ((0.0,), (-1.5,), (1e-3,), (3.0,)), slope_zeros=SWISH_ZERO
    ),
    "gelu": Definition(lambda x: x * normal(x), slope_zeros=("-0.7517915246935644574579049467795240396645",)),
    "gelu_tanh": Definition(gelu_tanh, slope_zeros=("-0.7524614220710162584879544432889160906054",)),
    "quick_gelu": Definition(
        lambda x: x * sigmoid(x * 1702 / 1000), slope_zeros=("-0.7511542554412889512980956163472268833369",)
    ),
    "mish": Definition(lambda x: x * tanh(softplus(x)), slope_zeros=("-1.192431214515495212137588340420739405601",)),
    "serf": Definition(lambda x: x * erf(softplus(x)), slope_zeros=("-1.193059968928187966183286327136999079397",)),
    "telu": Definition(
        lambda x: x * tanh(exp(where(x > 20, x * 0 + 20, x))),
        slope_zeros=("-1.078860058464624056650667370172077476073",),
    ),
    "snake": Definition(
        snake,
        ((0.0,), (-1.5,), (1e-3,), (3.0,)),
        slope_zeros=(
            "-3.926990816987241548078304229099378605246",
            "-0.7853981633974483096156608458198757210493",
            "2.356194490192344928846982537459627163148",
        ),
        periodic=True,
    ),
}


def exact(
    name: str, part: str, x: NDArray[np.float64], parameters: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The exact results at finite x: as float64, and the rest in ULP of that.

    For a name in DEFINITIONS, and a part "forward" or "derivative".
    """
    definition, by = DEFINITIONS[name], None if part == "forward" else "x"
    return rounded(definition.exactly(by, each, *parameters) for each in x.tolist())


def rounded(results: Iterable[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Numbers of mpmath as float64, and the rest in ULP of that; the rest itself may be below all floats."""
    found = list(results)
    high = [float(each) for each in found]
    pairs = zip(found, high, strict=True)
    low = [float((each - h) / math.ulp(h)) if math.isfinite(h) else 0.0 for each, h in pairs]
    return np.array(high), np.array(low)
