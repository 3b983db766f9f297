"""Expressions rewritten so that floats can compute them: quotients of exponentials as sigmoids, choices outside.

What people write, 1 / (1 + e**-x), has a derivative that is infinity by infinity where x is far from 0. Each rule looks
at one kind of node, from the leaves up. To add a rule, write it below and name it in `RULES`. `unfolded` moves choices
out of sums and products.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy
from sympy import Abs, Add, And, Mul, Not, Piecewise, Pow, S, erf, exp, log, pi, sign, sqrt, tanh
from sympy.core.relational import Relational

from fastact.functions.derivation.functions import (
    erf_slope,
    expm1,
    log1p,
    ndtr,
    normal_density,
    sigmoid,
    sigmoid_slope,
    softplus,
    tanh_slope,
)

__all__ = ["recognised", "unfolded"]


def recognised(expression: Any) -> Any:
    """An equal expression of better functions."""
    if not expression.args or isinstance(expression, sympy.Rational):
        return expression
    arguments = [recognised(each) for each in expression.args]
    found = expression if arguments == list(expression.args) else expression.func(*arguments)
    for kind, rules in RULES.items():
        if isinstance(found, kind):
            for rule in rules:
                better = rule(found)
                if better is not None and better != found:
                    return recognised(better)
    return found


def _reciprocal_of_exponentials(power: Any) -> Any:
    """(c + c e**u)**-n as c**-n sigmoid(-u)**n."""
    base, exponent = power.args
    if not (base.is_Add and exponent.is_Rational and exponent < 0):
        return None
    constant, rest = base.as_coeff_Add()
    function = rest / constant if constant else None
    return constant**exponent * sigmoid(-function.args[0]) ** -exponent if isinstance(function, exp) else None


def _hyperbolic(total: Any) -> Any:
    """c e**u + c e**-u as 2 c cosh(u), c e**u - c e**-u as 2 c sinh(u)."""
    terms = [each.as_coeff_Mul() for each in total.args]
    for i, (c, first) in enumerate(terms):
        for d, second in terms[i + 1 :]:
            if not (isinstance(first, exp) and isinstance(second, exp) and abs(c) == abs(d)):
                continue
            u = first.args[0]
            if second.args[0] == -u:
                pair = 2 * c * (sympy.cosh(u) if c == d else sympy.sinh(u))
                return total - c * first - d * second + pair
    return None


def _less_than_a_number(total: Any) -> Any:
    """c - c tanh(u)**2, c e**u - c, c - c sigmoid(u), c + c erf(u) and c + c tanh(u), which cancel."""
    constant = total.as_coeff_Add()[0]
    if constant.is_zero:
        return None
    for term in total.args:
        factor, function = term.as_coeff_Mul()
        if abs(factor) == abs(constant) and isinstance(function, erf | tanh):
            u = function.args[0] * factor / constant
            better = ndtr(sqrt(2) * u) if isinstance(function, erf) else sigmoid(2 * u)
            return total - constant - term + 2 * constant * better
        if factor != -constant:
            continue
        if isinstance(function, Pow) and isinstance(function.base, tanh) and function.exp == 2:
            better = constant * tanh_slope(function.base.args[0])
        elif isinstance(function, exp):
            better = -constant * expm1(function.args[0])
        elif isinstance(function, sigmoid):
            better = constant * sigmoid(-function.args[0])
        else:
            continue
        return total - constant - term + better
    return None


def _logarithm(logarithm: Any) -> Any:
    """log(1 + v) as log1p(v), log of a sigmoid as softplus."""
    (argument,) = logarithm.args
    if isinstance(argument, sigmoid):
        return -softplus(-argument.args[0])
    if argument.is_Add and argument.as_coeff_Add()[0] == 1:
        return log1p(argument - 1)
    return None


def _softplus(function: Any) -> Any:
    """log1p(e**u) as softplus(u)."""
    (argument,) = function.args
    return softplus(argument.args[0]) if isinstance(argument, exp) else None


def _bell(function: Any) -> Any:
    """e**(-u**2) and e**(-u**2 / 2) by slopes that keep the digits which rounding takes from the square."""
    (argument,) = function.args
    coefficient, power = argument.as_coeff_Mul()
    if not (isinstance(power, Pow) and power.exp == 2):
        return None
    if coefficient == -1:
        return sqrt(pi) / 2 * erf_slope(power.base)
    root = sqrt(-2 * coefficient)
    if root.is_Rational and root > 0:
        return sqrt(2 * pi) * normal_density(root * power.base)
    return None


def _product(product: Any) -> Any:
    """e**u sigmoid(-u) as sigmoid(u), sigmoid(u) sigmoid(-u) as its slope, sinh / cosh as tanh, u sign(u) as |u|."""
    powers = product.as_powers_dict()
    for factor, exponent in list(powers.items()):
        if isinstance(factor, sigmoid) and exponent.is_Integer and exponent > 0:
            u = factor.args[0]  # which is not 0, or it would be a number
            times = powers.get(S.Exp1, S.Zero) / -u
            if times.is_Integer and times > 0:
                shared = min(times, exponent)
                return product / factor**shared * exp(u) ** shared * sigmoid(-u) ** shared
            for other, power in powers.items():
                if other == sigmoid(-u) and power.is_Integer and power > 0:
                    shared = min(power, exponent)
                    return product / (factor * other) ** shared * sigmoid_slope(u) ** shared
        if isinstance(factor, sympy.cosh) and exponent.is_Integer and exponent < 0:
            u = factor.args[0]
            sine = powers.get(sympy.sinh(u), S.Zero)
            if sine.is_Integer and sine > 0:
                shared = min(sine, -exponent)
                return product * (factor / sympy.sinh(u)) ** shared * tanh(u) ** shared
        if isinstance(factor, sign) and exponent.is_Integer:
            u = factor.args[0]
            if powers.get(u, S.Zero) in (1, 3, 5) and exponent == 1:
                return product / (factor * u) * Abs(u)
            if exponent >= 3:
                return product / factor**2
    return None


def _cosh_squared(power: Any) -> Any:
    """cosh(u)**-2 as the slope of tanh."""
    if isinstance(power.base, sympy.cosh) and power.exp.is_Integer and power.exp <= -2:
        u = power.base.args[0]
        return tanh_slope(u) ** (-power.exp // 2) * power.base ** -(-power.exp % 2)
    return None


#: Kind of node -> the rules for it; the first that finds something better counts.
RULES: dict[type, tuple[Callable[[Any], Any], ...]] = {
    Pow: (_reciprocal_of_exponentials, _cosh_squared),
    Add: (_less_than_a_number, _hyperbolic),
    log: (_logarithm,),
    log1p: (_softplus,),
    exp: (_bell,),
    Mul: (_product,),
}


#: Beyond so many pieces, choices stay inside.
_MOST = 64


def unfolded(expression: Any, of_piece: Callable[[Any, Any], Any]) -> Any:
    """The expression as nested choices; `of_piece(piece, condition)` says what to write for each piece.

    Inside, 0 times what overflows in another piece would be NaN, and each comparison would be repeated wherever it is
    needed. A piece that no number leads to is left out, where SymPy sees that.
    """
    count = 0

    def split(rest: Any, facts: tuple[Any, ...]) -> Any:
        nonlocal count
        comparison = None if count > _MOST else _first(rest)
        if comparison is None:
            count += 1
            return of_piece(rest, And(*facts))
        possible = [each for each in (comparison, Not(comparison)) if And(*facts, each).simplify() != sympy.false]
        pieces = [split(_assumed(rest, fact), (*facts, fact)) for fact in possible]
        if len(set(pieces)) == 1:
            return pieces[0]
        return Piecewise((pieces[0], comparison), (pieces[1], True), evaluate=False)

    return split(expression, ())


def _first(expression: Any) -> Any:
    """The comparison that the outermost choice asks for first, itself free of choices."""
    for node in sympy.preorder_traversal(expression):
        if isinstance(node, Piecewise):
            for _, condition in node.args:
                for each in sympy.preorder_traversal(condition):
                    if isinstance(each, Relational) and not each.has(Piecewise):
                        return each
    return None


def _assumed(expression: Any, fact: Any) -> Any:
    """The expression where the fact holds, so that choices, signs and magnitudes that it decides are gone."""
    known: dict[Any, Any] = {}
    for true, false in ((fact, Not(fact)), (fact.reversed, Not(fact).reversed)):
        known |= {true: sympy.true, false: sympy.false}
    if fact.rhs == 0 and fact.rel_op in (">", ">=", "<", "<="):
        direction = 1 if fact.rel_op.startswith(">") else -1
        known[sympy.Abs(fact.lhs)] = direction * fact.lhs
        if not fact.rel_op.endswith("="):
            known[sympy.sign(fact.lhs)] = sympy.Integer(direction)
    return expression.xreplace(known)
