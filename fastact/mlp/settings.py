"""The settings of a model: checked and completed in one place, for the constructor, for saving and for loading.

A new setting of `MLP` is an argument of `settled`, a field of `Settings` and an entry in `JSON_TYPES`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from fastact._core import registry
from fastact._core.activation import Activation
from fastact._core.function import Function
from fastact.errors import UnknownNameError, nearest
from fastact.mlp.choices import chosen
from fastact.mlp.data import as_choice, as_flag, as_integer, as_number, as_rate
from fastact.mlp.initialisers import INITIALISERS
from fastact.mlp.layers import Plan
from fastact.mlp.objectives import Loss, loss_for
from fastact.mlp.optimisers import OPTIMISERS, Optimiser

__all__ = ["JSON_TYPES", "Settings", "settled"]

_NUMBER = float, int
_LIMIT = float, int, type(None)

#: The types that each setting has in the JSON of a model file.
JSON_TYPES: dict[str, tuple[type, ...]] = {
    "layer_sizes": (list,),
    "activation": (list,),
    "output": (str, dict),
    "loss": (str, dict),
    "optimizer": (str, dict),
    "learning_rate": _NUMBER,
    "momentum": _NUMBER,
    "init": (str,),
    "batch_size": (int, type(None)),
    "seed": (int, type(None)),
    "dtype": (str,),
    "batch_norm": (bool, list),
    "residual": (bool, list),
    "dropout": (list,),
    "trainable": (bool, list),
    "l2": _NUMBER,
    "l2_shared": (bool,),
    "weight_decay": _NUMBER,
    "clip_norm": _LIMIT,
    "clip_value": _LIMIT,
    "schedule": (str, dict),
}


class Settings(NamedTuple):
    """The constructor's arguments but the device, with names looked up."""

    layer_sizes: tuple[int, ...]
    plans: list[Plan]  # of each layer, the output last
    loss: Loss
    optimizer: Optimiser
    init: str
    batch_size: int | None
    seed: int | None
    dtype: np.dtype[Any]
    l2: float
    l2_shared: bool

    @property
    def parameters(self) -> int:
        """The count of all that is trained."""
        return sum(plan.size for plan in self.plans)

    @property
    def statistics(self) -> int:
        """The count of the running averages."""
        return sum(plan.statistics_size for plan in self.plans)


def settled(
    layer_sizes: Sequence[int],
    activation: Any,
    output: Any,
    loss: Any,
    optimizer: Any,
    learning_rate: float,
    momentum: float,
    init: str,
    batch_size: int | None,
    seed: int | None,
    dtype: DTypeLike,
    batch_norm: bool | Sequence[bool],
    residual: bool | Sequence[bool],
    dropout: float | Sequence[float],
    trainable: bool | Sequence[bool],
    l2: float,
    l2_shared: bool,
    weight_decay: float | None,
    clip_norm: float | None,
    clip_value: float | None,
    schedule: Any,
) -> Settings:
    """The arguments of `MLP`, checked; TypeError or ValueError names the one that is wrong."""
    if not hasattr(layer_sizes, "__iter__"):
        raise TypeError(f"layer_sizes must list the units per layer, such as (2, 4, 1); got {layer_sizes!r}")
    sizes = list(layer_sizes)
    if len(sizes) < 2:
        raise ValueError(f"layer_sizes must name at least inputs and outputs, got {sizes}; try (2, 4, 1)")
    hidden = len(sizes) - 2
    functions = [_activation(f) for f in _for_each(activation, "activation", hidden)]
    last, given = _activation(output)
    rates = [as_rate(rate, "dropout", 1, zero=True) for rate in _for_each(dropout, "dropout", hidden)]
    sizes = [as_integer(size, f"layer_sizes[{i}]", 1) for i, size in enumerate(sizes)]
    flags = [
        [as_flag(flag, name) for flag in _for_each(value, name, hidden)]
        for name, value in (("batch_norm", batch_norm), ("residual", residual), ("trainable", trainable))
    ]
    plans = [
        Plan(shape, f, normalised, added and shape[0] == shape[1], rate, _trained(f) if trained else (), given)
        for shape, (f, given), rate, normalised, added, trained in zip(
            pairwise(sizes[:-1]), functions, rates, *flags, strict=True
        )
    ]
    settings = Settings(
        tuple(sizes),
        [*plans, Plan((sizes[-2], sizes[-1]), last, given=given)],
        loss_for(last.name, sizes[-1], loss),
        chosen(optimizer, "optimizer", OPTIMISERS),
        as_choice(init, "init", ["auto", *INITIALISERS]),
        None if batch_size is None else as_integer(batch_size, "batch_size", 1),
        None if seed is None else as_integer(seed, "seed", 0),
        np.dtype(dtype),
        as_rate(l2, "l2", math.inf, zero=True),
        as_flag(l2_shared, "l2_shared"),
    )
    as_rate(learning_rate, "learning_rate", math.inf)
    settings.optimizer.set(learning_rate, momentum, schedule, weight_decay, clip_norm, clip_value)
    if settings.optimizer.whole:
        scheduled = settings.optimizer.schedule.name != "constant"
        settled_by = {
            "batch_norm": any(flags[0]), "dropout": any(rates), "weight_decay": weight_decay, "schedule": scheduled,
        }  # fmt: skip
        for name, value in {**settled_by, "clip_norm": clip_norm, "clip_value": clip_value}.items():
            if value:
                raise ValueError(f"optimizer={settings.optimizer.name!r} takes no {name}; take 'adam'")
    if settings.dtype not in (np.float32, np.float64):
        raise TypeError(f"dtype must be float32 or float64, got {settings.dtype}")
    return settings


def _for_each(value: Any, name: str, hidden: int) -> list[Any]:
    """`value` for each hidden layer, unless it lists one for each already."""
    values = list(value) if isinstance(value, list | tuple) else [value] * hidden
    if len(values) != hidden:
        raise ValueError(f"{name} lists {len(values)} for {hidden} hidden layers; give one for each")
    return values


def _trained(activation: Any) -> tuple[str, ...]:
    """The activation's parameters that can be trained: those by which it was defined with a derivative."""
    names = []
    for name in activation.parameters:
        with suppress(TypeError, UnknownNameError):
            activation._part(f"{name}_backward")
            names.append(name)
    return tuple(names)


def _activation(f: Any) -> tuple[Any, dict[str, float]]:
    """The function of a name, an object, or a mapping with "name" and parameters; those other than its defaults."""
    given = dict(f) if isinstance(f, Mapping) else {}
    f = given.pop("name", None) if isinstance(f, Mapping) else f
    function = registry.get(f) if isinstance(f, str) else f
    if not isinstance(function, Function):
        raise TypeError(f"activation {f!r} is neither a name nor a fastact function; see fa.activation")
    if function.kind not in ("activation", "softmax"):
        raise ValueError(
            f"activation {function.name!r} is a {function.kind}; a layer takes an activation, or softmax or a relative"
        )
    if not function.differentiable:
        function._part("derivative")  # a TypeError that says why
    if given and not isinstance(function, Activation):
        raise TypeError(f"activation {function.name} takes no parameters here; give its name alone")
    for name, value in given.items():
        if name not in function.parameters:
            raise TypeError(
                f"activation {function.name} has no parameter {name!r:.99}{nearest(str(name), [*function.parameters])}"
            )
        given[name] = as_number(value, f"{function.name}'s {name}")
    return function, {name: given[name] for name in function.parameters if name in given}
