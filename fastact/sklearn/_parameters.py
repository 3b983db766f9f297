"""What the estimators' parameters may be. A new parameter is one entry in `RULES`."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

__all__ = ["InvalidParameterError", "as_sizes", "check_parameters", "is_integer"]


class InvalidParameterError(ValueError, TypeError):
    """A parameter of an estimator has a wrong value or type; scikit-learn's error of this name is both too."""


class Rule(NamedTuple):
    """What a parameter must be, in words and as a predicate."""

    text: str
    allows: Callable[[Any], bool]

    def __or__(self, other: Rule) -> Rule:
        return Rule(f"{self.text} or {other.text}", lambda value: self.allows(value) or other.allows(value))


def real(interval: str) -> Rule:
    """Numbers in an interval that is open on the right, such as "[0, 1)"."""
    low, high = (float(end) for end in interval[1:-1].split(","))

    def allows(value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            return False
        return low < float(value) < high or (interval[0] == "[" and value == low)

    return Rule(f"a number in {interval}", allows)


def integer(least: int) -> Rule:
    """Integers from `least`."""
    return Rule(f"an integer, at least {least}", lambda value: is_integer(value) and value >= least)


def choice(*names: str) -> Rule:
    return Rule(f"one of {', '.join(map(repr, names))}", lambda value: isinstance(value, str) and value in names)


def each(rule: Rule) -> Rule:
    """What the rule allows, or a list of it for the hidden layers."""
    return Rule(
        f"{rule.text}, or a list of it for the hidden layers",
        lambda value: all(map(rule.allows, value)) if isinstance(value, list | tuple) else rule.allows(value),
    )


def is_integer(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool | np.bool)


NONE = Rule("None", lambda value: value is None)
FLAG = Rule("a bool", lambda value: isinstance(value, bool | np.bool))
INFINITY = Rule("infinity", lambda value: isinstance(value, numbers.Real) and value == math.inf)
MAPPING = Rule("a dict", lambda value: isinstance(value, dict))
ABOVE_0, FROM_0, BELOW_1 = real("(0, inf)"), real("[0, inf)"), real("[0, 1)")

#: Those that are not here are checked where they are used: activation, hidden_layer_sizes, random_state, init, device.
RULES = {
    "loss": choice("squared_error", "poisson", "absolute_error", "huber", "quantile"),
    "solver": choice("lbfgs", "sgd", "adam", "adamw", "rmsprop"),
    "alpha": FROM_0,
    "batch_size": choice("auto") | integer(1),
    "learning_rate": choice("constant", "invscaling", "adaptive"),
    "learning_rate_init": ABOVE_0,
    "power_t": FROM_0,
    "max_iter": integer(1),
    "shuffle": FLAG,
    "tol": FROM_0,
    "verbose": FLAG | integer(0),
    "warm_start": FLAG,
    "momentum": BELOW_1,
    "nesterovs_momentum": FLAG,
    "early_stopping": FLAG,
    "validation_fraction": BELOW_1,
    "beta_1": BELOW_1,
    "beta_2": BELOW_1,
    "epsilon": ABOVE_0,
    "n_iter_no_change": integer(1) | INFINITY,
    "max_fun": integer(1),
    "class_weight": NONE | choice("balanced") | MAPPING | Rule("a list of them", lambda value: isinstance(value, list)),
    "delta": ABOVE_0,
    "quantile": real("(0, 1)"),
    "dropout": each(BELOW_1),
    "batch_norm": FLAG,
    "residual": FLAG,
    "trainable": FLAG,
    "weight_decay": NONE | FROM_0,
    "clip_norm": NONE | ABOVE_0,
}


def check_parameters(name: str, parameters: dict[str, Any]) -> None:
    """Raise InvalidParameterError for the first parameter of the estimator called `name` that is not allowed."""
    sizes = as_sizes(parameters["hidden_layer_sizes"])
    if not all(is_integer(size) and size > 0 for size in sizes):
        raise InvalidParameterError(f"hidden_layer_sizes must be > 0, got {sizes}; give one integer for each layer")
    for parameter, rule in RULES.items():
        value = parameters.get(parameter, ...)
        if value is not ... and not rule.allows(value):
            raise InvalidParameterError(
                f"The {parameter!r} parameter of {name} must be {rule.text}. Got {value!r} instead."
            )


def as_sizes(hidden_layer_sizes: Any) -> list[Any]:
    """The units of the hidden layers; one number stands for one layer."""
    several = isinstance(hidden_layer_sizes, Iterable) and not isinstance(hidden_layer_sizes, str)
    return list(hidden_layer_sizes) if several else [hidden_layer_sizes]
