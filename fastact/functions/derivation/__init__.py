"""The formulas of activations as expressions, and their derivatives.

formula.py reads a formula with the help of values.py and vocabulary.py. derivatives.py differentiates it,
recognition.py makes of that what floats compute well, and source.py writes it as a function. The first question loads
all of it, and SymPy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastact._core import registry
from fastact.errors import require

if TYPE_CHECKING:
    from fastact.functions.derivation.derivatives import Derived

__all__ = ["derive", "expression"]


def expression(activation: Any) -> Any:
    """The formula of an activation as an expression of SymPy.

    Choices are `Piecewise`, maxima and minima too. Besides SymPy's functions there may be `sigmoid`, `softplus`,
    `expm1` and `log1p` of `fastact.functions.derivation.functions`, which `sympy.expand_func` writes out. Floats in the
    formula are the fractions or decimal numbers that they stand for.

    Parameters
    ----------
    activation : Activation or str
        An activation or its name, built in or a user's own; or a part of one, such as its derivative.

    Returns
    -------
    sympy.Expr
        In real symbols named x and as the parameters.

    Raises
    ------
    FormulaError
        The formula does something that has no expression; the message says what.
    MissingDependencyError
        SymPy is not installed.
    UnknownNameError
        There is no function of this name.

    Examples
    --------
    >>> import fastact as fa
    >>> from fastact.functions.derivation import expression
    >>> expression(fa.swish)
    x*sigmoid(beta*x)
    """
    require("sympy", "derive", "the expression of a formula")
    from fastact.functions.derivation import formula

    return formula.read(registry.get(activation) if isinstance(activation, str) else activation)


def derive(activation: Any, by: str = "x") -> Derived:
    """The derivative of an activation by x or one of its parameters, from its formula.

    Raises
    ------
    FormulaError
        The formula has no derivative that can be derived; the message says why.
    MissingDependencyError
        SymPy or mpmath is not installed.
    """
    for module in "sympy", "mpmath":
        require(module, "derive", "deriving a derivative")
    from fastact.functions.derivation import derivatives

    return derivatives.derive(activation, by)
