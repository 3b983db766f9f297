"""Numbers that stand for anything: a formula is run with them, and what comes out is its expression.

A `Value` wraps an expression of SymPy and a `Condition` a comparison. A formula that asks for the truth of a comparison
is run again for each of both answers.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from contextvars import ContextVar
from fractions import Fraction
from typing import Any

import numpy as np
import sympy

from fastact.errors import FormulaError

__all__ = ["Condition", "Value", "exact", "explored", "unwrapped"]

#: How many comparisons a formula may look at, one after the other, and how many ways through it there may be.
_LONGEST, _MOST = 24, 200


def exact(number: float) -> Any:
    """The number that a float stands for: a fraction of small numbers, such as 1/6, or its decimal digits."""
    value = float(number)
    if not math.isfinite(value):
        return sympy.nan if math.isnan(value) else sympy.oo if value > 0 else -sympy.oo
    near = Fraction(value).limit_denominator(1000)
    if float(near) == value:
        return sympy.Rational(near.numerator, near.denominator)
    return sympy.Rational(repr(value))


def unwrapped(value: Any) -> Any:
    """The expression of anything that a formula may calculate with; None for what is no number."""
    if isinstance(value, Value):
        return value.expression
    if isinstance(value, sympy.Expr):
        return value
    if isinstance(value, int | np.integer | np.bool):
        return sympy.Integer(int(value))
    if isinstance(value, float | np.floating):
        return exact(float(value))
    return None


class Value:
    """A number of a formula that is being read."""

    __array_ufunc__ = None  # NumPy's scalars then leave arithmetic to it
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, expression: Any) -> None:
        self.expression = expression

    def __bool__(self) -> bool:
        return bool(self != 0)

    def __neg__(self) -> Value:
        return Value(-self.expression)

    def __pos__(self) -> Value:
        return self

    def __abs__(self) -> Value:
        return Value(sympy.Abs(self.expression))

    def __repr__(self) -> str:
        return str(self.expression)


class Condition(Value):
    """A comparison in a formula; as a number it is 1 or 0."""

    def __init__(self, truth: Any) -> None:
        self.truth = truth
        super().__init__(sympy.Piecewise((1, truth), (0, True)))

    def __bool__(self) -> bool:
        return _decided(self.truth)

    def __invert__(self) -> Condition:
        return Condition(sympy.Not(self.truth))

    def __and__(self, other: Any) -> Condition:
        return Condition(sympy.And(self.truth, truth_of(other)))

    def __or__(self, other: Any) -> Condition:
        return Condition(sympy.Or(self.truth, truth_of(other)))

    def __xor__(self, other: Any) -> Condition:
        return Condition(sympy.Xor(self.truth, truth_of(other)))

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__


def truth_of(value: Any) -> Any:
    """The comparison of a condition, or whether a number is not 0."""
    if isinstance(value, Condition):
        return value.truth
    return sympy.Ne(unwrapped(value), 0)


_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    **{name: getattr(operator, name) for name in ("add", "sub", "mul", "truediv", "pow")},
    "mod": lambda a, b: a - b * sympy.floor(a / b),
    "floordiv": lambda a, b: sympy.floor(a / b),
}
_COMPARISONS = {"lt": sympy.Lt, "le": sympy.Le, "gt": sympy.Gt, "ge": sympy.Ge, "eq": sympy.Eq, "ne": sympy.Ne}


def _method(compute: Callable[[Any, Any], Any], result: type[Value], reflected: bool) -> Any:
    def method(self: Value, other: Any) -> Any:
        expression = unwrapped(other)
        if expression is None:
            return NotImplemented
        pair = (expression, self.expression) if reflected else (self.expression, expression)
        return result(compute(*pair))

    return method


for _name, _compute in _ARITHMETIC.items():
    setattr(Value, f"__{_name}__", _method(_compute, Value, False))
    setattr(Value, f"__r{_name}__", _method(_compute, Value, True))
for _name, _compute in _COMPARISONS.items():
    setattr(Value, f"__{_name}__", _method(_compute, Condition, False))


class _Undecided(BaseException):
    """A formula asks for the truth of a comparison; no `except Exception` of a formula must see this."""

    def __init__(self, truth: Any) -> None:
        self.truth = truth


#: The comparisons that the formula, as it is run now, has asked for, and what they were said to be.
_known: ContextVar[tuple[tuple[Any, bool], ...]] = ContextVar("known", default=())


def _decided(truth: Any) -> bool:
    if truth in (sympy.true, sympy.false):
        return bool(truth)
    for known, answer in _known.get():
        if known == truth:
            return answer
        if known == sympy.Not(truth):
            return not answer
    raise _Undecided(truth)


def explored(run: Callable[[], Any]) -> Any:
    """The expression of what `run` returns; one of pieces, where it looks at comparisons."""
    runs = 0

    def explore(known: tuple[tuple[Any, bool], ...]) -> Any:
        nonlocal runs
        runs += 1
        if len(known) > _LONGEST or runs > _MOST:
            raise FormulaError("it looks at values again and again, as a loop does; write choices as where(...)")
        token = _known.set(known)
        try:
            result = run()
            expression = unwrapped(result)
            if expression is None:
                raise FormulaError(f"it returns {type(result).__name__}, no number")
            return expression
        except _Undecided as undecided:
            truth = undecided.truth
        finally:
            _known.reset(token)
        facts = [each if answer else sympy.Not(each) for each, answer in known]
        if sympy.And(*facts, truth).simplify() == sympy.false:
            return explore((*known, (truth, False)))
        if sympy.And(*facts, sympy.Not(truth)).simplify() == sympy.false:
            return explore((*known, (truth, True)))
        pieces = [explore((*known, (truth, answer))) for answer in (True, False)]
        return sympy.Piecewise((pieces[0], truth), (pieces[1], True))

    return explore(())
