"""Checks of gradients: `check_gradient` for any function, and how exact derived derivatives are (derivation.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastact.measure.gradients.gradient_check import GradientCheck

__all__ = ["check_gradient"]


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
    from fastact.measure.gradients import gradient_check

    return gradient_check.checked(function, x, parameters)
