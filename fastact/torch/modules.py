"""Modules: Activation for any function that has one input, and Softmax with PyTorch's arguments."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

import fastact
from fastact.torch.functions import apply

__all__ = ["Activation", "Softmax"]


class Activation(torch.nn.Module):
    """An activation or a function of the softmax family as a module.

    Parameters
    ----------
    function : str or fastact.Function
    **parameters
        Numbers, or tensors; an `nn.Parameter` is trained. For activations their parameters and variants, for the
        softmax family dim (or axis) and temperature.

    Raises
    ------
    UnknownNameError
        If there is no such function.
    TypeError
        If it is of another kind, or has no such parameter.

    Examples
    --------
    >>> import torch
    >>> import fastact.torch as ft
    >>> ft.Activation("leaky_relu", alpha=torch.nn.Parameter(torch.tensor(0.5)))(torch.tensor([-1.0, 2.0])).tolist()
    [-0.5, 2.0]
    """

    def __init__(self, function: Any, **parameters: Any) -> None:
        super().__init__()
        self.function = fastact.get(function) if isinstance(function, str) else function
        known = _known(self.function)
        for name in parameters:
            if name not in known:
                its = ", ".join(known) or "none"
                raise TypeError(f"{self.function.name} has no parameter {name!r}; its parameters: {its}")
        self.names = tuple(parameters)
        for name, value in parameters.items():
            setattr(self, name, value)

    def forward(self, x: Tensor) -> Any:
        """The function of x, with the parameters of the module."""
        return apply(self.function, x, **{name: getattr(self, name) for name in self.names})

    def extra_repr(self) -> str:
        """What `repr` says of it."""
        given = (f"{name}={getattr(self, name)!r}" for name in self.names if name not in self._parameters)
        return ", ".join([self.function.name, *given])


def _known(function: Any) -> list[str]:
    """The names of a module's parameters; TypeError for a function that is not of one input."""
    if function.kind == "activation":
        return [*function.parameters, *function._variants]
    if function.kind == "softmax":
        return ["dim", "axis", "temperature"]
    raise TypeError(f"{function.name} is a {function.kind}, and Activation takes activations and the softmax family; "
                    f"call fastact.torch.{function.name}")  # fmt: skip


class Softmax(torch.nn.Module):
    """softmax over an axis, as `torch.nn.Softmax`; `temperature` divides its input.

    Parameters
    ----------
    dim : int
        The axis.
    temperature : float or Tensor
        Must be positive.

    Examples
    --------
    >>> import torch
    >>> import fastact.torch as ft
    >>> layer = ft.Softmax(dim=-1, temperature=2.0)
    >>> layer(torch.zeros(4, 2))[0].tolist()
    [0.5, 0.5]
    """

    def __init__(self, dim: int = -1, temperature: Any = 1.0) -> None:
        super().__init__()
        self.dim, self.temperature = dim, temperature

    def forward(self, x: Tensor) -> Any:
        """The softmax of x."""
        return apply("softmax", x, axis=self.dim, temperature=self.temperature)

    def extra_repr(self) -> str:
        """What `repr` says of it."""
        return f"dim={self.dim}, temperature={self.temperature}"
