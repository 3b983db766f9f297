"""Derivatives, derived: from the expression of a formula to a function that computes its derivative well.

The expression is differentiated piece by piece. Equal ways to write a piece differ in what rounding makes of them, so
each is tried on numbers of all sizes in float32 and float64, and the best is kept; last, the result is checked.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import RLock
from typing import Any

import numpy as np
import sympy

from fastact.errors import FormulaError
from fastact.functions.derivation import formula
from fastact.functions.derivation.accuracy import DTYPES, Exact, errors, sample
from fastact.functions.derivation.differences import slopes_in_many_digits
from fastact.functions.derivation.precision import Precise
from fastact.functions.derivation.recognition import recognised, unfolded
from fastact.functions.derivation.source import source_of

__all__ = ["Derived", "derive"]

#: A piece whose mean error is below so many bits is good enough to try no other way.
_GOOD = 0.7
#: Equal ways to write an expression, the cheap ones first.
_REWRITINGS: tuple[Callable[[Any], Any], ...] = (
    lambda e: e, sympy.powsimp, sympy.together, sympy.factor, sympy.simplify, sympy.expand, sympy.apart,
)  # fmt: skip
#: Numbers at which a result is checked against differences.
_CHECKED = (-31.7, -4.3, -1.43, -0.61, -0.083, 0.0271, 0.43, 0.91, 1.7, 5.3, 23.9)

_lock = RLock()  # SymPy is not made for threads


@dataclass(frozen=True)
class Derived:
    """A derivative that was derived.

    Attributes
    ----------
    expression : sympy.Expr
        In the form that is computed.
    exact : sympy.Expr
        The derivative of the formula as it was written.
    source : str
        Python code that computes it.
    function : callable
        What the source defines.
    """

    expression: Any
    exact: Any
    source: str
    function: Callable[..., Any]


def derive(activation: Any, by: str) -> Derived:
    """The derivative of an activation by x or one of its parameters.

    Raises
    ------
    FormulaError
        If its formula is no expression, or has no derivative that can be computed.
    """
    with _lock:
        expression = formula.read(activation)
        names = ["x", *activation.parameters]
        variable = formula.symbol(by)
        try:
            exact = _derivative(expression, variable)
            better = recognised(_derivative(recognised(expression), variable))
            choice = _Choice(exact, names, list(activation.parameters.values()))
            chosen = choice.of(better)
            name = f"{activation.name}_{'' if by == 'x' else by + '_'}derivative"
            source = source_of(chosen, name, names, settled=choice.is_settled(chosen))
        except FormulaError as error:
            raise FormulaError(f"the formula of {activation.name} has no derivative in closed form: {error}") from error
        except (NotImplementedError, RecursionError, TypeError, ValueError, AttributeError) as error:
            raise FormulaError(f"SymPy cannot derive the formula of {activation.name}: {error}") from error
        _check(activation, expression, chosen, names, by)
        return Derived(chosen, exact, source, _defined(source, name))


def _derivative(expression: Any, variable: Any) -> Any:
    """The derivative; steps count as flat."""
    steps = expression.atoms(sympy.floor, sympy.ceiling)
    levels = {step: sympy.Dummy("level", real=True) for step in steps}
    back = {level: step for step, level in levels.items()}
    return sympy.diff(expression.xreplace(levels), variable).xreplace(back)


class _Choice:
    """The choice among equal expressions of the one that floats compute best."""

    def __init__(self, exact: Any, names: list[str], parameters: list[float]) -> None:
        self._names, self._parameters = names, parameters
        self._function = Precise(exact, names)
        self._samples = {dtype: sample(dtype, 8) for dtype in DTYPES}
        self._exact = {dtype: Exact.of(self._function, x, parameters) for dtype, x in self._samples.items()}

    def of(self, expression: Any) -> Any:
        return unfolded(expression, self._best)

    def _best(self, piece: Any, condition: Any) -> Any:
        if not piece.free_symbols:
            return piece
        inside = {dtype: self._where(condition, dtype) for dtype in DTYPES}
        best, least = piece, np.inf
        for candidate in _candidates(piece):
            bits = max(self._bits(candidate, dtype, inside[dtype]) for dtype in DTYPES)
            if bits < least - 0.05:
                best, least = candidate, bits
            if least < _GOOD:
                break
        return best

    def _where(self, condition: Any, dtype: Any) -> Any:
        if condition == sympy.true:
            return slice(None)
        inside = sympy.Piecewise((1, condition), (0, True))
        return self._computed(inside, self._samples[dtype]) == 1

    def _bits(self, expression: Any, dtype: Any, inside: Any) -> float:
        """The mean of the bits that are wrong."""
        exact = self._exact[dtype][inside]
        if not len(exact.high):
            return 0.0
        wrong = errors(self._computed(expression, self._samples[dtype][inside]), exact)
        return float(np.log2(1 + np.minimum(wrong, 2.0 ** np.finfo(dtype).bits)).mean())

    def _computed(self, expression: Any, x: Any) -> Any:
        function = _defined(source_of(expression, "candidate", self._names), "candidate")
        with np.errstate(all="ignore"):
            return np.broadcast_to(np.asarray(function(x, *map(x.dtype.type, self._parameters)), x.dtype), x.shape)

    def is_settled(self, expression: Any) -> bool:
        """Whether it is NaN at an infinity, though it hardly changes any more among large numbers."""
        computed = self._computed(expression, np.array([-np.inf, np.inf], np.float32))
        lost = [sign for sign, value in zip((-1, 1), computed, strict=True) if np.isnan(value)]
        pairs = [[self._function(sign * size, *self._parameters) for size in (1e30, 1e60)] for sign in lost]
        return bool(pairs) and all(abs(a - b) <= 1e-9 * abs(a) + 1e-60 for a, b in pairs)


def _candidates(piece: Any) -> Iterator[Any]:
    """Write an expression in equal ways."""
    seen = set()
    for rewritten in _REWRITINGS:
        try:
            found = recognised(rewritten(piece))
        except (NotImplementedError, sympy.PolynomialError, ValueError, TypeError, AttributeError):
            continue
        if found not in seen:
            seen.add(found)
            yield found


def _check(activation: Any, expression: Any, derivative: Any, names: list[str], by: str) -> None:
    """Compare the derivative with differences of the formula, in many digits; at a kink it may be anything between."""
    value, slope = Precise(expression, names).once, Precise(derivative, names)
    defaults = activation.parameters.values()
    points = [[x, *(scale * number for number in defaults)] for scale in (1.0, 1.31) for x in _CHECKED]
    for point, left, right in zip(points, *slopes_in_many_digits(value, points, names.index(by)), strict=True):
        found = float(slope(*point))
        low, high = min(left, right), max(left, right)
        if not low - 1e-9 * max(1, -low) <= found <= high + 1e-9 * max(1, high) and np.isfinite(low + high):
            raise FormulaError(
                f"the derivative that was derived for {activation.name} by {by} fails its check at x={point[0]}: it is "
                f"{found}, and differences give {low}"
            )


def _defined(source: str, name: str) -> Callable[..., Any]:
    """The function that the source defines; `inspect.getsource` shows it."""
    file = f"<derived {name}>"
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
    namespace: dict[str, Any] = {"__name__": "derived"}
    exec(compile(source, file, "exec"), namespace)
    function: Callable[..., Any] = namespace[name]
    return function
