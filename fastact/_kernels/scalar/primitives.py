"""What scalar formulas need and Python cannot spell: fused multiply-add, selects, constants by dtype, powers of two.

Each primitive is a function with an LLVM body of a few instructions. This file gives the bodies to the CPU, and
backends/cuda gives the same ones to CUDA by walking `PRIMITIVES`. Only the explicit fma fuses operations, so that bits
do not depend on the code around. `compiled` pairs a function that runs on NumPy arrays with the scalar one that
compiled code gets in its place. To add a primitive, write its body and decorate its function with `primitive`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import zip_longest
from typing import Any, TypeVar

import numpy as np
from llvmlite import ir
from llvmlite.binding import llvm_version_info
from numba import config, extending
from numba.core import types
from numba.core.registry import cpu_target

__all__ = [
    "COMPILED", "INNER_OPTIONS", "JIT_OPTIONS", "PRIMITIVES", "biased_power", "compiled", "constant", "copysign",
    "floor", "fma", "install", "ldexp", "leading_power", "like", "lower_half_power", "magnitude", "maximum",
    "not_compiling", "piecewise", "polynomial", "positive_part", "power_of_two", "primitive", "reciprocal_power",
    "small_power", "sqrt", "times_power", "upper_half_power", "where",
]  # fmt: skip

#: Options of every scalar function. NumPy's division: the default's ZeroDivisionError branch alone stops
#: vectorisation. No fastmath: results must not depend on the compiler. Both are said, or else a user's function that
#: calls a formula first would pass its own options on.
JIT_OPTIONS: Any = {"error_model": "numpy", "fastmath": False, "forceinline": True}

#: Options of functions that compiled code alone may call: a call from Python would crash. Having no entry points for
#: Python and C saves a process 0.02 to 0.2 s at its first call.
INNER_OPTIONS: Any = {**JIT_OPTIONS, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}


def not_compiling() -> str | None:
    """Say why this process cannot compile anything; None if it can."""
    if not config.DISABLE_JIT:  # type: ignore[attr-defined]
        return None
    return "NUMBA_DISABLE_JIT is set; unset it, or let the backend be 'numpy'"


#: For each primitive: the function, its number of arguments, the index of the argument that the result has the type of,
#: and the LLVM body.
#: The body is called as body(builder, values, cast); cast(i, j) is value i converted to the type of value j.
PRIMITIVES: list[tuple[Callable[..., Any], int, int, Callable[..., Any]]] = []

#: Function for NumPy arrays -> scalar function compiled in its place.
COMPILED: dict[Callable[..., Any], Callable[..., Any]] = {}

F = TypeVar("F", bound=Callable[..., Any])


def _typer(arity: int, like_argument: int) -> Callable[..., Any]:
    """Make a function of `arity` types that returns one of them; Numba reads their number from its signature."""
    typers: dict[int, Callable[..., Any]] = {
        1: lambda a: (a,)[like_argument],
        2: lambda a, b: (a, b)[like_argument],
        3: lambda a, b, c: (a, b, c)[like_argument],
    }
    return typers[arity]


def install(extending: Any, function: Any, arity: int, like_argument: int, body: Callable[..., Any]) -> None:
    """Give a target the LLVM body of a primitive; `extending` is numba.extending or numba.cuda.extending."""
    extending.type_callable(function)(lambda _context: _typer(arity, like_argument))

    @extending.lower_builtin(function, *[types.Any] * arity)
    def lower(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        def cast(i: int, j: int) -> Any:
            return context.cast(builder, values[i], signature.args[i], signature.args[j])

        return body(builder, values, cast)


def _register(function: F, arity: int, like_argument: int, body: Callable[..., Any]) -> F:
    """Make `function` a primitive on the CPU, and note it for the other targets."""
    PRIMITIVES.append((function, arity, like_argument, body))
    install(extending, function, arity, like_argument, body)
    return function


def primitive(arity: int, like_argument: int, body: Callable[..., Any]) -> Callable[[F], F]:
    """Decorate a function to become a primitive; the arguments are those of `PRIMITIVES`."""
    return lambda function: _register(function, arity, like_argument, body)


def compiled(scalar: Callable[..., Any]) -> Callable[[F], F]:
    """Let compiled code call `scalar` where it names the decorated function; NumPy code calls the function itself."""

    def register(function: F) -> F:
        COMPILED[function] = scalar
        extending.overload(function, jit_options=INNER_OPTIONS, strict=False)(lambda *arguments: scalar)
        return function

    return register


# --- selection and constants: these also run on NumPy arrays, so that formulas do -------------------------------------


@primitive(3, 1, lambda builder, values, cast: builder.select(values[0], values[1], cast(2, 1)))
def where(condition: Any, if_true: Any, if_false: Any) -> Any:
    """`if_true if condition else if_false`. Both are evaluated: this is a select instruction, never a branch."""
    return np.where(condition, if_true, if_false)


@primitive(2, 1, lambda builder, values, cast: cast(0, 1))
def like(value: Any, x: Any) -> Any:
    """`value` in the dtype of x: a bare Python float would turn float32 code into float64 code."""
    return np.asarray(x).dtype.type(value)


# --- arithmetic on scalars of compiled code ---------------------------------------------------------------------------


def _bits(builder: Any, value: Any) -> Any:
    return builder.bitcast(value, _integer(value.type))


def _integer(float_type: Any) -> Any:
    return ir.IntType(32 if isinstance(float_type, ir.FloatType) else 64)


def _mantissa_bits(float_type: Any) -> int:
    return 23 if isinstance(float_type, ir.FloatType) else 52


def _sign_mask(float_type: Any) -> Any:
    integer = _integer(float_type)
    return ir.Constant(integer, 1 << (integer.width - 1))


@primitive(3, 0, lambda builder, values, cast: builder.fma(values[0], values[1], values[2]))
def fma(a: Any, b: Any, c: Any) -> Any:
    """a * b + c, rounded once."""


def _intrinsic(name: str) -> Callable[..., Any]:
    """Make the body of a primitive that is the LLVM intrinsic of this name, on operands of one type."""

    def body(builder: Any, values: Any, cast: Any) -> Any:
        kind = values[0].type
        signature = ir.FunctionType(kind, [kind] * len(values))
        return builder.call(builder.module.declare_intrinsic(name, [kind], signature), values)

    return body


@primitive(1, 0, _intrinsic("llvm.floor"))
def floor(x: Any) -> Any:
    """The largest integer that is not above x. (llvm.rint is not known to CUDA's compiler.)"""
    return np.floor(x)


@primitive(1, 0, _intrinsic("llvm.sqrt"))
def sqrt(x: Any) -> Any:
    """The square root, rounded once."""
    return np.sqrt(x)


@primitive(2, 0, _intrinsic("llvm.maximum"))
def maximum(a: Any, b: Any) -> Any:
    """The larger one; NaN if either is. LLVM vectorises a loop that takes the maximum of its elements. (CPU only.)"""


def _magnitude(builder: Any, values: Any, cast: Any) -> Any:
    (x,) = values
    return builder.bitcast(builder.and_(_bits(builder, x), builder.not_(_sign_mask(x.type))), x.type)


@primitive(1, 0, _magnitude)
def magnitude(x: Any) -> Any:
    """abs(x), by clearing the sign bit."""


def _positive_part(builder: Any, values: Any, cast: Any) -> Any:
    (x,) = values
    bits, sign = _bits(builder, x), _sign_mask(x.type)
    return builder.bitcast(builder.select(builder.icmp_unsigned("<", bits, sign), bits, sign), x.type)


@primitive(1, 0, _positive_part)
def positive_part(x: Any) -> Any:
    """x where its sign bit is clear, else -0.0; one minimum of integers."""


def _copysign(builder: Any, values: Any, cast: Any) -> Any:
    x, sign = values
    bit = builder.and_(_bits(builder, sign), _sign_mask(x.type))
    return builder.bitcast(builder.or_(builder.and_(_bits(builder, x), builder.not_(_sign_mask(x.type))), bit), x.type)


@primitive(2, 0, _copysign)
def copysign(x: Any, sign: Any) -> Any:
    """The magnitude of x with the sign bit of `sign`."""


def _power(builder: Any, exponent: Any, float_type: Any) -> Any:
    """2 ** exponent, put together from its bits."""
    integer, shift = _integer(float_type), _mantissa_bits(float_type)
    bias = ir.Constant(integer, (1 << (integer.width - shift - 2)) - 1)
    return builder.bitcast(builder.shl(builder.add(exponent, bias), ir.Constant(integer, shift)), float_type)


def _lower_half(builder: Any, shifted: Any) -> Any:
    """k >> 1, for a float 1.5 * 2 ** mantissa_bits + k, which holds the integer k in its low bits."""
    integer, bits = _integer(shifted.type), _mantissa_bits(shifted.type)
    top = ir.Constant(integer, integer.width - bits + 1)
    return builder.ashr(builder.shl(_bits(builder, shifted), top), builder.add(top, ir.Constant(integer, 1)))


def _lower_half_power(builder: Any, values: Any, cast: Any) -> Any:
    (shifted,) = values
    return _power(builder, _lower_half(builder, shifted), shifted.type)


def _upper_half_power(builder: Any, values: Any, cast: Any) -> Any:
    (shifted,) = values
    return _power(builder, builder.sub(_bits(builder, shifted), _lower_half(builder, shifted)), shifted.type)


@primitive(1, 0, lambda builder, values, cast: _power(builder, _bits(builder, values[0]), values[0].type))
def power_of_two(shifted: Any) -> Any:
    """2 ** k from the float 1.5 * 2 ** mantissa_bits + k, for results that are normal numbers."""


def _times_power(builder: Any, values: Any, cast: Any) -> Any:
    x, shifted = values
    exponent = builder.shl(_bits(builder, shifted), ir.Constant(_integer(x.type), _mantissa_bits(x.type)))
    return builder.bitcast(builder.add(_bits(builder, x), exponent), x.type)


@primitive(2, 0, _times_power)
def times_power(x: Any, shifted: Any) -> Any:
    """x * 2 ** k, with k as `power_of_two` takes it, for normal x and result; an addition of integers."""


@cache
def _has_scalef() -> bool:
    """Whether the CPU's compiler makes one vector instruction of llvm.ldexp: vscalefps, by LLVM 22 on AVX-512."""
    *_, features = cpu_target.target_context.codegen().magic_tuple()
    return llvm_version_info >= (22,) and "+avx512vl" in features.split(",")


def _ldexp(builder: Any, values: Any, cast: Any) -> Any:
    x, shifted, zero = values
    exponent = builder.sub(_bits(builder, shifted), _bits(builder, zero))
    if builder.module.triple.startswith("x86_64") and _has_scalef():
        number = ir.IntType(32)
        exponent = builder.trunc(exponent, number) if exponent.type.width > 32 else exponent
        signature = ir.FunctionType(x.type, [x.type, number])
        return builder.call(builder.module.declare_intrinsic("llvm.ldexp", [x.type, number], signature), [x, exponent])
    # The first product is exact; or it overflows, as the result does; or it is so small that the result is 0.
    bias = (1 << (exponent.type.width - _mantissa_bits(x.type) - 2)) - 1
    last = exponent
    for sign, end in (("<", 1 - bias), (">", bias)):
        limit = ir.Constant(exponent.type, end)
        last = builder.select(builder.icmp_signed(sign, last, limit), limit, last)
    first = builder.sub(exponent, last)
    return builder.fmul(builder.fmul(x, _power(builder, first, x.type)), _power(builder, last, x.type))


@primitive(3, 0, _ldexp)
def ldexp(x: Any, shifted: Any, zero: Any) -> Any:
    """x * 2 ** (k - j), rounded once even if subnormal, from the floats 1.5 * 2 ** mantissa_bits + k and + j.

    k - j may be from -252 to 254, and from -2044 to 2046 in float64. With one instruction a whole formula takes 5 to
    20 % less time than with the two multiplications that other processors get.
    """


def _biased_power(builder: Any, values: Any, cast: Any) -> Any:
    (shifted,) = values
    shift = ir.Constant(_integer(shifted.type), _mantissa_bits(shifted.type))
    return builder.bitcast(builder.shl(_bits(builder, shifted), shift), shifted.type)


@primitive(1, 0, _biased_power)
def biased_power(shifted: Any) -> Any:
    """2 ** k from the float 1.5 * 2 ** mantissa_bits + bias + k; the constant that rounded to k held the bias."""


@primitive(1, 0, _lower_half_power)
def lower_half_power(shifted: Any) -> Any:
    """2 ** (k // 2). This and `upper_half_power` are the factors of a 2 ** k that may be out of range itself."""


@primitive(1, 0, _upper_half_power)
def upper_half_power(shifted: Any) -> Any:
    """2 ** (k - k // 2)."""


def _exponent_mask(float_type: Any) -> Any:
    """The bits that hold the exponent, which are those of infinity."""
    integer, shift = _integer(float_type), _mantissa_bits(float_type)
    return ir.Constant(integer, ((1 << (integer.width - 1 - shift)) - 1) << shift)


def _leading_power(builder: Any, values: Any, cast: Any) -> Any:
    (x,) = values
    return builder.bitcast(builder.and_(_bits(builder, x), _exponent_mask(x.type)), x.type)


@primitive(1, 0, _leading_power)
def leading_power(x: Any) -> Any:
    """The power of two at or below |x|, for normal x."""


def _reciprocal_power(builder: Any, values: Any, cast: Any) -> Any:
    (power,) = values
    integer, shift = _integer(power.type), _mantissa_bits(power.type)
    twice_bias = ir.Constant(integer, ((1 << (integer.width - shift - 1)) - 2) << shift)
    return builder.bitcast(builder.sub(twice_bias, _bits(builder, power)), power.type)


@primitive(1, 0, _reciprocal_power)
def reciprocal_power(power: Any) -> Any:
    """1 / power for a power of two, both normal."""


def constant(float32: float, float64: float) -> Callable[[Any], Any]:
    """Make a function of x that gives one number or the other, by the dtype of x."""

    def body(builder: Any, values: Any, cast: Any) -> Any:
        (x,) = values
        return ir.Constant(x.type, float32 if isinstance(x.type, ir.FloatType) else float64)

    return _register(lambda x: None, 1, 0, body)


def small_power(float32_offset: int, float64_offset: int) -> Callable[[Any], Any]:
    """Make a function of `shifted`, as `power_of_two` takes it: 2 ** (k - offset), or 0 if that is not normal."""

    def body(builder: Any, values: Any, cast: Any) -> Any:
        (shifted,) = values
        integer, bits = _integer(shifted.type), _mantissa_bits(shifted.type)
        offset = float32_offset if isinstance(shifted.type, ir.FloatType) else float64_offset
        bias = ir.Constant(integer, (1 << (integer.width - bits - 2)) - 1 - offset << bits)
        power = builder.add(builder.shl(_bits(builder, shifted), ir.Constant(integer, bits)), bias)
        zero = ir.Constant(integer, 0)
        positive = builder.icmp_signed(">", power, zero)
        return builder.bitcast(builder.select(positive, power, zero), shifted.type)

    return _register(lambda x: None, 1, 0, body)


def polynomial(float32: tuple[float, ...], float64: tuple[float, ...], pairs: bool = False) -> Callable[[Any], Any]:
    """Make a function of x: the polynomial with these coefficients, constant term first, by Horner's rule with fma.

    pairs=True runs the rule in x**2, on pairs c + x * d. Then half as many operations wait for the one before, and such
    waiting limits long formulas. The price is the square, where the formula has no other use for it.
    """

    def body(builder: Any, values: Any, cast: Any) -> Any:
        (x,) = values
        row = [ir.Constant(x.type, c) for c in (float32 if isinstance(x.type, ir.FloatType) else float64)]
        if pairs:
            odd = [builder.fma(d, x, c) for c, d in zip(row[::2], row[1::2], strict=False)]
            row, x = odd + row[2 * len(odd) :], builder.fmul(x, x)
        *rest, total = row
        for coefficient in reversed(rest):
            total = builder.fma(total, x, coefficient)
        return total

    return _register(lambda x: None, 1, 0, body)


#: Rows of `piecewise`: where the row ends, its coefficients from the constant term on.
Rows = tuple[tuple[float, tuple[float, ...]], ...]


def piecewise(float32: Rows, float64: Rows, slope: bool = False) -> Callable[[Any, Any], Any]:
    """Make a function of x and y: a polynomial in y, with the coefficients of the first row that ends above x.

    Beyond all ends, the last row holds. slope=True gives the polynomial's derivative with respect to y. Each
    coefficient is selected first, so that Horner's rule runs once for all rows.
    """

    def body(builder: Any, values: Any, cast: Any) -> Any:
        x, y = values
        rows = float32 if isinstance(x.type, ir.FloatType) else float64
        inside = [builder.fcmp_ordered("<", x, ir.Constant(x.type, end)) for end, _ in rows[:-1]]

        def selected(column: tuple[float, ...]) -> Any:
            *others, chosen = [ir.Constant(y.type, each) for each in column]
            for condition, other in zip(reversed(inside), reversed(others), strict=True):
                chosen = builder.select(condition, other, chosen)
            return chosen

        *rest, total = map(selected, zip_longest(*(coefficients for _, coefficients in rows), fillvalue=0.0))
        derivative = None
        for coefficient in reversed(rest):
            derivative = total if derivative is None else builder.fma(derivative, y, total)
            total = builder.fma(total, y, coefficient)
        return derivative if slope else total

    return _register(lambda x, y: None, 2, 1, body)
