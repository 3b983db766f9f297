"""The formulas of activations as expressions, their derivatives, and a check of any gradient.

formula.py reads a formula with the help of values.py and vocabulary.py. derivatives.py differentiates it,
recognition.py and choices.py make of that what floats compute well, source.py writes it as a function, and report.py
shows it. All of it, and SymPy, is loaded by the first question.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastact._core import registry
from fastact.errors import require

if TYPE_CHECKING:
    from fastact.derivation.derivatives import Derived
    from fastact.derivation.gradient_check import GradientCheck

__all__ = ["check_gradient", "derive", "expression"]


def check_gradient(function: Any, x: Any = None, **parameters: float) -> GradientCheck:
    """Compare the gradients that a function gives with differences of its values.

    Derivative, backward pass, gradients by parameters and `with_bias` of an activation; backward passes of softmax and
    its kin and of gated units; `value_and_grad` of losses. Differences are taken from both sides and extrapolated
    (Richardson), in float64, or in 400 bits where the formula of an activation can be read (extra "derive").

    Parameters
    ----------
    function : Function or str
        A function of fastact, built in or one's own, or its name.
    x : array_like, optional
        Where to check an activation; by default at 150 numbers from -100 to 100, and at and beside its kinks, which are
        looked for. Functions of rows are checked on random rows.
    **parameters : float
        Parameters of the function; their defaults unless given.

    Returns
    -------
    GradientCheck
        True where all gradients are right, and False where one is not; `print(check.sentences())` says which, where and
        by how much. At a kink, anything between the slopes of both sides is right.

    Raises
    ------
    TypeError
        The function is none of fastact's, or has no gradient or no such parameter.
    UnknownNameError
        There is no function of this name.

    Examples
    --------
    >>> import fastact as fa
    >>> bool(fa.check_gradient("swish", beta=2.0))
    True
    >>> @fa.activation(derivative=lambda x: x)
    ... def half_square(x):
    ...     return x * x
    >>> fa.check_gradient(half_square).sentences()[0]
    'derivative: wrong at 152 of 155 places, ... It is 0.5 times what it should be.'
    """
    from fastact.derivation import gradient_check

    return gradient_check.checked(function, x, parameters)


def expression(activation: Any) -> Any:
    """The formula of an activation as an expression of SymPy.

    Choices are `Piecewise`, maxima and minima too. Besides SymPy's functions there may be `sigmoid`, `softplus`,
    `expm1` and `log1p` of `fastact.derivation.functions`, which `sympy.expand_func` writes out. Floats in the formula
    are the fractions or decimal numbers that they stand for.

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
    >>> from fastact.derivation import expression
    >>> expression(fa.swish)
    x*sigmoid(beta*x)
    """
    require("sympy", "derive", "the expression of a formula")
    from fastact.derivation import formula

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
    from fastact.derivation import derivatives

    return derivatives.derive(activation, by)
