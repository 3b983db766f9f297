"""fastact's functions by name, for tensors: each kind of function is called in its own way."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import fastact
from fastact.errors import UnknownNameError, nearest
from fastact.torch.elementwise import activation, gated_unit
from fastact.torch.losses import loss
from fastact.torch.rows import reduction, sampling, softmax

__all__ = ["apply", "named"]

KINDS: dict[str, Callable[..., Any]] = {
    "activation": activation, "softmax": softmax, "reduction": reduction, "sampling": sampling,
    "gated unit": gated_unit, "loss": loss,
}  # fmt: skip


def apply(function: Any, /, *operands: Any, **keywords: Any) -> Any:
    """A function of fastact on tensors, with gradients.

    Parameters
    ----------
    function : str or fastact.Function
    *operands : tensor
        As the function of this name takes them: float16, bfloat16, float32 or float64, on the CPU or a CUDA device.
        Integers and bool are converted as by fastact's function, and have no gradient.
    **keywords
        The function's own, but for `out`, `dtype` and `backend`; `dim` is another name of `axis`. An activation's
        parameters may be tensors that broadcast against x, and `where`, `lengths`, `temperature` and `weight` tensors.

    Returns
    -------
    tensor
        What fastact's function returns for the arrays of the tensors: of its shape and dtype.

    Raises
    ------
    UnknownNameError
        If there is no such function.
    TypeError, ValueError
        As by fastact's function; TypeError if dim and axis are both given.
    NotImplementedError
        In differentiation: for a gradient that is differentiated again, unless the activation is piecewise linear; for
        the gradient of a temperature, of a target or of a weight.

    Notes
    -----
    Gradients are those of fastact's backward passes, with its values at kinks. Reverse and forward mode, and `vmap`, of
    autograd and `torch.func` are taken. Over losses `vmap` is a loop.

    Examples
    --------
    >>> import torch
    >>> import fastact.torch as ft
    >>> x = torch.tensor([-1.0, 2.0], requires_grad=True)
    >>> ft.apply("leaky_relu", x, alpha=0.5).sum().backward()
    >>> x.grad.tolist()
    [0.5, 1.0]
    """
    function = fastact.get(function) if isinstance(function, str) else function
    if "dim" in keywords:
        if "axis" in keywords:
            raise TypeError(f"{function.name}() got dim= and axis=, two names of one argument")
        keywords["axis"] = keywords.pop("dim")
    return KINDS[function.kind](function, *operands, **keywords)


def named(name: str) -> Any:
    """`apply` of the function of this name or alias; AttributeError if there is none."""
    try:
        function = fastact.get(name)
    except UnknownNameError:
        raise AttributeError(f"fastact.torch has no {name!r}{nearest(name, fastact.names())}") from None
    made = functools.partial(apply, function)
    made.__doc__ = function.__doc__
    return made
