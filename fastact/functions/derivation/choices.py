"""Expressions of pieces with all choices outside: a choice of formulas, each without one inside.

Else 0 times what overflows elsewhere would be NaN, and each comparison would be repeated wherever it is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy
from sympy import And, Not, Piecewise
from sympy.core.relational import Relational

__all__ = ["unfolded"]

#: Beyond so many pieces, choices stay inside.
_MOST = 64


def unfolded(expression: Any, of_piece: Callable[[Any, Any], Any]) -> Any:
    """The expression as nested choices; `of_piece(piece, condition)` says what to write for each piece.

    A piece that no number leads to is left out, where SymPy sees that.
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
        sign = 1 if fact.rel_op.startswith(">") else -1
        known[sympy.Abs(fact.lhs)] = sign * fact.lhs
        if not fact.rel_op.endswith("="):
            known[sympy.sign(fact.lhs)] = sympy.Integer(sign)
    return expression.xreplace(known)
