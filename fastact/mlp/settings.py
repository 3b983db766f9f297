"""The settings of a model: checked and completed in one place, for the constructor, for saving and for loading.

A new setting of `MLP` is an argument of `settled`, a field of `Settings` and an entry in `JSON_TYPES`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

import fastact as fa
from fastact.mlp.data import as_choice, as_integer, as_rate
from fastact.mlp.initialisers import INITIALISERS
from fastact.mlp.objectives import Loss, loss_for
from fastact.mlp.optimisers import OPTIMISERS, Optimiser

__all__ = ["JSON_TYPES", "Settings", "settled"]

#: The types that each setting has in the JSON of a model file.
JSON_TYPES: dict[str, tuple[type, ...]] = {
    "layer_sizes": (list,),
    "activation": (list,),
    "output": (str,),
    "loss": (str,),
    "optimizer": (str,),
    "learning_rate": (float, int),
    "momentum": (float, int),
    "init": (str,),
    "batch_size": (int,),
    "seed": (int, type(None)),
    "dtype": (str,),
}


class Settings(NamedTuple):
    """The constructor's arguments but the device, with names looked up."""

    layer_sizes: tuple[int, ...]
    activations: list[Any]  # of each layer, the output last
    loss: Loss
    optimizer: type[Optimiser]
    learning_rate: float
    momentum: float
    init: str
    batch_size: int
    seed: int | None
    dtype: np.dtype[Any]

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Of the layers' weights."""
        return list(pairwise(self.layer_sizes))

    @property
    def parameters(self) -> int:
        """The count of all weights and biases."""
        return sum((rows + 1) * columns for rows, columns in self.shapes)


def settled(
    layer_sizes: Sequence[int],
    activation: Any,
    output: Any,
    loss: str,
    optimizer: str,
    learning_rate: float,
    momentum: float,
    init: str,
    batch_size: int,
    seed: int | None,
    dtype: DTypeLike,
) -> Settings:
    """The arguments of `MLP`, checked; TypeError or ValueError names the one that is wrong."""
    if not hasattr(layer_sizes, "__iter__"):
        raise TypeError(f"layer_sizes must list the units per layer, such as (2, 4, 1); got {layer_sizes!r}")
    sizes = list(layer_sizes)
    if len(sizes) < 2:
        raise ValueError(f"layer_sizes must name at least inputs and outputs, got {sizes}; try (2, 4, 1)")
    hidden = activation if isinstance(activation, list | tuple) else [activation] * (len(sizes) - 2)
    if len(hidden) != len(sizes) - 2:
        raise ValueError(f"activation lists {len(hidden)} for {len(sizes) - 2} hidden layers; give one for each")
    functions = [_activation(f) for f in [*hidden, output]]
    sizes = [as_integer(size, f"layer_sizes[{i}]", 1) for i, size in enumerate(sizes)]
    settings = Settings(
        tuple(sizes),
        functions,
        loss_for(functions[-1].name, sizes[-1], loss),
        OPTIMISERS[as_choice(optimizer, "optimizer", OPTIMISERS)],
        as_rate(learning_rate, "learning_rate", math.inf),
        as_rate(momentum, "momentum", 1, zero=True),
        as_choice(init, "init", ["auto", *INITIALISERS]),
        as_integer(batch_size, "batch_size", 1),
        None if seed is None else as_integer(seed, "seed", 0),
        np.dtype(dtype),
    )
    if settings.dtype not in (np.float32, np.float64):
        raise TypeError(f"dtype must be float32 or float64, got {settings.dtype}")
    return settings


def _activation(f: Any) -> Any:
    function = fa.get(f) if isinstance(f, str) else f
    if not isinstance(function, fa.Function):
        raise TypeError(f"activation {f!r} is neither a name nor a fastact function; see fa.activation")
    if function.kind not in ("activation", "softmax"):
        raise ValueError(
            f"activation {function.name!r} is a {function.kind}; a layer takes an activation, or softmax or a relative"
        )
    if not function.differentiable:
        raise TypeError(f"activation {function.name} was defined without a derivative; see fa.activation")
    return function
