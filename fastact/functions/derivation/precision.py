"""Values of expressions to as many digits as they need, by mpmath."""

from __future__ import annotations

from typing import Any

import mpmath
import sympy

__all__ = ["Precise"]

#: Digits are added, up to so many bits, until two results agree.
_LAST = 5300
#: Beyond it an exponential would need more memory than there is; it stands for infinity.
_FAR = mpmath.ldexp(1, 1100)
_HUGE = 2.0**70


def _bounded(x: Any) -> Any:
    return min(max(x, -_FAR), _FAR)


def _erfc(x: Any) -> Any:
    """mpmath's, which takes numbers of 2**60 digits for large x."""
    if abs(x) > 10**6:
        return mpmath.ldexp(1, -(10**7)) if x > 0 else mpmath.mpf(2)
    return mpmath.erfc(x)


def _erf(x: Any) -> Any:
    return mpmath.erf(x) if abs(x) < 10**6 else mpmath.sign(x)


def _of_bounded(name: str) -> Any:
    function = getattr(mpmath, name)
    return lambda x: function(_bounded(x))


def _exp(x: Any) -> Any:
    """e**x; beyond what any sum has use for, a power of two near it, which takes a thousandth of the time."""
    if abs(x) < _HUGE:
        return mpmath.exp(x)
    return mpmath.ldexp(1, int(_bounded(x) / mpmath.ln2))


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + _exp(-x))


def _softplus(x: Any) -> Any:
    return mpmath.log1p(_exp(x))


def _square(x: Any) -> Any:
    return _bounded(x) ** 2


#: Functions of expressions that mpmath does not have, or not for all numbers.
_FUNCTIONS = {
    **{name: _of_bounded(name) for name in ("expm1", "sinh", "cosh", "tanh")},
    "exp": _exp,
    "erf": _erf,
    "erfc": _erfc,
    "log1p": mpmath.log1p,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "ndtr": lambda x: _erfc(-x / mpmath.sqrt(2)) / 2,
    "sigmoid_slope": lambda x: _sigmoid(x) * _sigmoid(-x),
    "tanh_slope": lambda x: mpmath.sech(_bounded(x)) ** 2,
    "erf_slope": lambda x: 2 / mpmath.sqrt(mpmath.pi) * _exp(-_square(x)),
    "normal_density": lambda x: _exp(-_square(x) / 2) / mpmath.sqrt(2 * mpmath.pi),
}


class Precise:
    """A function of numbers, the value of an expression: an mpmath number, NaN where there is none.

    Parameters
    ----------
    expression : sympy.Expr
    names : sequence of str
        Of the arguments, in their order.
    bits : int
        How many of them must be right.
    """

    def __init__(self, expression: Any, names: Any, bits: int = 75) -> None:
        self._bits = bits
        arguments = [sympy.Symbol(name, real=True) for name in names]
        self._function = sympy.lambdify(arguments, expression, [_FUNCTIONS, "mpmath"], cse=True)

    def __call__(self, *numbers: Any, first: int = 330) -> Any:
        """The value; its two first tries have `first` and four times as many bits.

        The latter must reach below the least float that counts: 1 + 2**-1074 is more than 1.
        """
        before, precision = None, max(first, 2 * self._bits)
        while True:
            with mpmath.workprec(precision):
                found = self.once(*numbers)
                if not mpmath.isfinite(found) or precision >= _LAST:
                    return found
                if before is not None and abs(found - before) <= mpmath.ldexp(abs(found), -self._bits):
                    return found
            before, precision = found, precision * 4

    def once(self, *numbers: Any) -> Any:
        """The value as the precision in use gives it."""
        try:
            found = self._function(*map(mpmath.mpf, numbers))
        except (ZeroDivisionError, ValueError, OverflowError):
            return mpmath.nan
        return mpmath.nan if isinstance(found, mpmath.mpc) else mpmath.mpf(found)
