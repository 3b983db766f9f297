"""Expressions as Python source in the vocabulary of `fastact.math`, which compiled code and NumPy both run.

Constants have the dtype of x; whole powers are products; what occurs twice gets a name; choices are `where`. A product
of something that falls to 0 and something that may overflow is 0 where the former is. To print another function of
SymPy, name it in `_CALLS`.
"""

from __future__ import annotations

import re
from typing import Any

import sympy
from sympy import Rational, S

from fastact.errors import FormulaError
from fastact.functions.derivation.functions import SLOPES

__all__ = ["source_of"]

#: Function of an expression -> the call, where {u} is its argument and {x} what has the dtype.
_CALLS = {
    **{name: f"{name}({{u}})" for name in (
        "exp", "expm1", "tanh", "sigmoid", "erf", "ndtr", "log", "log1p", "sin", "cos", "tan", "sinh", "cosh", "floor",
    )},
    **{name: f"arc{name[1:]}({{u}})" for name in ("asin", "acos", "atan", "asinh", "acosh", "atanh")},
    "ceiling": "-floor(-({u}))",
    "Abs": "abs({u})",
    "softplus": "softplus({u}, like(1.0, {x}))",
    "sign": "where({u} > like(0.0, {x}), like(1.0, {x}), where({u} < like(0.0, {x}), like(-1.0, {x}), {u}))",
}  # fmt: skip
#: Slope -> the call that multiplies it with {g}, which keeps digits where the slope alone is too small for a float.
_SLOPES = {
    "sigmoid_slope": "sigmoid_slope_times({g}, {u}, like(0.0, {x}))",
    "tanh_slope": "tanh_slope_times({g}, {u})",
    "erf_slope": "erf_slope_times({g}, {u})",
    "normal_density": "normal_density_times({g}, {u})",
}
#: Functions whose values are bounded, so that no product with them overflows.
_BOUNDED = ("sigmoid", "tanh", "erf", "ndtr", "sin", "cos", "atan", "sign", *(each.__name__ for each in SLOPES))
#: Functions whose values fall to 0.
_FALLING = ("exp", "sigmoid", "ndtr", "softplus", *(each.__name__ for each in SLOPES))
#: All names of fastact.math that come out.
_FROM_MATH = (
    "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "cos", "cosh", "erf", "erf_slope_times", "exp",
    "expm1", "floor", "hypot", "like", "log", "log1p", "ndtr", "normal_density_times", "sigmoid",
    "sigmoid_slope_times", "sin", "sinh", "softplus", "sqrt", "tan", "tanh", "tanh_slope_times", "where",
)  # fmt: skip


def source_of(expression: Any, name: str, arguments: list[str], settled: bool = False) -> str:
    """The source of a function of this name: imports and definition. NaN gives NaN.

    settled=True gives for infinities what it gives for large numbers, for an expression that is NaN there.

    Raises
    ------
    FormulaError
        If a function of the expression is not known here.
    """
    shadowed = {*_FROM_MATH, "np", "abs"} & {*arguments}
    if shadowed:
        raise FormulaError(
            f"a parameter is named {shadowed.pop()}, as a function that a derivative may call; rename it"
        )
    writer = _Writer(arguments)
    result = writer.text(expression)
    x = arguments[0]
    if expression.has(sympy.Piecewise) or x not in {each.name for each in expression.free_symbols}:
        result = f"where({x} == {x}, {result}, {x})"
    large = f"where({x} > like(0.0, {x}), like(1e30, {x}), like(-1e30, {x}))"
    first = [f"{x} = where(abs({x}) == like(np.inf, {x}), {large}, {x})"] if settled else []
    body = "\n".join(f"    {line}" for line in (*first, *writer.lines, f"return {result}"))
    used = [each for each in _FROM_MATH if re.search(rf"(?<![\w.]){each}\(", body)]
    head = ["import numpy as np"] if "np." in body else []
    if used:
        head += [*([""] if head else []), f"from fastact.math import {', '.join(used)}"]
    return "\n".join([*head, "", "", f"def {name}({', '.join(arguments)}):", body, ""])


class _Writer:
    """Writes expressions as texts, and what they need before as lines."""

    def __init__(self, arguments: list[str]) -> None:
        self.x = arguments[0]
        self.lines: list[str] = []
        self._names: dict[Any, str] = {}
        self._taken = {*arguments, *_FROM_MATH, "np", "abs"}

    def text(self, expression: Any) -> str:
        """The whole expression; common parts become lines."""
        common, (rest,) = sympy.cse([expression], symbols=self._symbols(), optimizations=())
        for symbol, part in common:
            self.lines.append(f"{symbol} = {self._write(part)}")
        return self._write(rest)

    def _symbols(self) -> Any:
        for number in range(1, 10**6):
            if f"t{number}" not in self._taken:
                self._taken.add(f"t{number}")
                yield sympy.Symbol(f"t{number}", real=True)

    def _named(self, text: str) -> str:
        """A name for the value of a text that is needed twice."""
        if text.isidentifier():
            return text
        if text not in self._names:
            self._names[text] = str(next(self._symbols()))
            self.lines.append(f"{self._names[text]} = {text}")
        return self._names[text]

    def _write(self, e: Any) -> str:
        if e.is_Symbol:
            return str(e.name)
        if e in (sympy.true, sympy.false):
            raise FormulaError(f"a condition is always {e}")
        if e.is_Relational:
            return f"{self._factor(e.lhs)} {e.rel_op} {self._factor(e.rhs)}"
        if isinstance(e, sympy.And | sympy.Or):
            sign = " & " if isinstance(e, sympy.And) else " | "
            return sign.join(f"({self._write(each)})" for each in e.args)
        if isinstance(e, sympy.Not):
            return f"~({self._write(e.args[0])})"
        if e.is_number:
            return self._number(e)
        if e.is_Add:
            return self._sum(e)
        if e.is_Mul:
            return self._product(e)
        if e.is_Pow:
            return self._power(e.base, e.exp)
        if isinstance(e, sympy.Piecewise):
            return self._choice(e)
        if isinstance(e, SLOPES):
            return self._slope_times(S.One, [], e)
        if type(e).__name__ in _CALLS:
            return _CALLS[type(e).__name__].format(u=self._argument(e), x=self.x)
        raise FormulaError(f"{type(e).__name__} has no function in fastact.math or numpy")

    def _argument(self, e: Any) -> str:
        text = self._write(e.args[0])
        return self._named(text) if isinstance(e, sympy.sign) else text

    def _number(self, number: Any) -> str:
        return f"like({float(number)!r}, {self.x})" if number.is_finite else f"like(np.{_SPECIAL[number]}, {self.x})"

    def _factor(self, e: Any) -> str:
        """The expression, in parentheses where a product needs them."""
        text = self._write(e)
        return f"({text})" if (e.is_Add or e.is_Mul) and not e.is_number else text

    def _divisor(self, e: Any) -> str:
        """The expression, in parentheses where a division by it, or a power of it, needs them."""
        text = self._factor(e)
        return f"({text})" if e.is_Pow and " " in text else text

    def _sum(self, e: Any) -> str:
        text = ""
        terms = sorted(e.args, key=lambda each: each.could_extract_minus_sign())  # no sign in front, if possible
        for term in terms:
            negative = bool(text) and term.could_extract_minus_sign()
            part = self._write(-term if negative else term)
            if negative and (-term).is_Add:
                part = f"({part})"
            text = f"{text} {'-' if negative else '+'} {part}" if text else part
        return text

    def _product(self, e: Any) -> str:
        number, factors = S.One, []
        for factor in e.args:
            if factor.is_number:
                number *= factor
            else:
                factors.append(factor)
        slope = next((each for each in factors if isinstance(each, SLOPES)), None)
        if slope is not None:
            return self._slope_times(number, [each for each in factors if each != slope], slope)
        falling = [each for each in factors if _falls(each)]
        others = [each for each in factors if not _falls(each)]
        if falling and any(not _is_bounded(each) for each in others):
            small = self._named(self._quotient(S.One, falling))
            return f"where({small} == like(0.0, {self.x}), {small}, {self._quotient(number, others)} * {small})"
        return self._quotient(number, factors)

    def _slope_times(self, number: Any, factors: list[Any], slope: Any) -> str:
        """The product; it is 0 where the factors are infinite, since slopes fall faster than powers rise."""
        g = self._quotient(number, factors)
        if any(not _is_bounded(each) for each in factors):
            g = self._named(g)
            g = f"where(abs({g}) == like(np.inf, {self.x}), like(0.0, {self.x}), {g})"
        return _SLOPES[type(slope).__name__].format(g=g, u=self._write(slope.args[0]), x=self.x)

    def _quotient(self, number: Any, factors: list[Any]) -> str:
        above, below = [], []
        for each in factors:
            if _is_divisor(each) and not _is_power_of_reciprocal(each):
                below.append(1 / each)
            else:
                above.append(each)
        sign, number = ("-", S.One) if number == -1 else ("", number)
        small, rest = [], []  # first what is small, and what it is to be multiplied with again last
        for each in above:
            if _is_divisor(each):
                unit, count = self._reciprocal(each.base, each.exp)
                small.append(unit)
                rest.append(self._whole_power(unit, count - 1))
        texts = [self._factor(each) for each in above if not _is_divisor(each)]
        if number != 1 or not (texts or small):
            reciprocal = 1 / number
            odd = reciprocal.is_Integer and abs(reciprocal) > 1 and reciprocal % 2
            if odd and (texts or small):  # x / 3 is rounded once
                below.insert(0, reciprocal)
            else:
                texts.insert(0, self._number(number))
        text = " * ".join([*small, *texts, *rest])
        for divisor in below:
            text = f"{text} / {self._divisor(divisor)}"
        return sign + text

    def _power(self, base: Any, exponent: Any) -> str:
        if not _is_divisor(base**exponent):
            return self._positive_power(base, exponent)
        if _is_power_of_reciprocal(base**exponent):  # which overflows less than the reciprocal of the power
            return self._whole_power(*self._reciprocal(base, exponent))
        return f"like(1.0, {self.x}) / {self._divisor(base**-exponent)}"

    def _reciprocal(self, base: Any, exponent: Any) -> tuple[str, int]:
        """The name of 1 / base or 1 / sqrt(base), and the power of it that is meant."""
        unit = S.One if exponent.is_Integer else S.Half
        return self._named(self._power(base, -unit)), -int(exponent / unit)

    def _positive_power(self, base: Any, exponent: Any) -> str:
        if exponent == 1:
            return self._write(base)
        if exponent.is_Integer and exponent <= 64:
            return self._whole_power(self._named(self._write(base)), int(exponent))
        if isinstance(exponent, Rational) and exponent.q == 2:
            root = self._root(base)
            whole = exponent.p // 2
            if whole == 0:
                return root
            return f"{self._whole_power(self._named(self._write(base)), whole)} * {root}"
        return f"{self._divisor(base)} ** {self._divisor(exponent)}"

    def _root(self, base: Any) -> str:
        """The square root; that of u**2 + c without the overflow of the square."""
        constant, square = base.as_coeff_Add()
        if constant.is_positive and square.is_Pow and square.exp == 2:
            return f"hypot({self._write(square.base)}, {self._number(sympy.sqrt(constant))})"
        return f"sqrt({self._write(base)})"

    def _whole_power(self, name: str, exponent: int) -> str:
        if exponent == 1:
            return name
        half = self._whole_power(name, exponent // 2)
        square = f"{half} * {half}" if exponent // 2 == 1 else f"{self._named(half)} * {self._named(half)}"
        return f"{square} * {name}" if exponent % 2 else square

    def _choice(self, e: Any) -> str:
        *pieces, (last, condition) = e.args
        if condition != sympy.true:
            pieces.append((last, condition))
            last = sympy.nan
        text = self._write(last)
        for piece, condition in reversed(pieces):
            text = f"where({self._write(condition)}, {self._write(piece)}, {text})"
        return text


_SPECIAL = {sympy.nan: "nan", sympy.zoo: "nan", sympy.oo: "inf", -sympy.oo: "-inf"}


def _is_power_of_reciprocal(e: Any) -> bool:
    """Whether it is written as a power of 1 / u or 1 / sqrt(u)."""
    return bool(e.exp < -Rational(1, 2) and e.exp != -1 and (2 * e.exp).is_Integer) if e.exp.is_number else False


def _is_divisor(e: Any) -> bool:
    return bool(e.is_Pow and (e.exp.is_negative or (not e.exp.is_number and e.exp.could_extract_minus_sign())))


def _name(e: Any) -> str:
    base = e.base if e.is_Pow and e.exp.is_positive and not isinstance(e, sympy.exp) else e
    return type(base).__name__


def _falls(e: Any) -> bool:
    return _name(e) in _FALLING


def _is_bounded(e: Any) -> bool:
    return bool(not e.free_symbols or _name(e) in _BOUNDED)
