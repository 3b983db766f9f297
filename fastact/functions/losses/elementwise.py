"""mse, mae, huber, quantile_loss, poisson_loss, binary_cross_entropy: losses of elements, reduced to mean or sum.

A loss is two formulas and an object at the end of the file.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastact._core import containers, dispatch, registry
from fastact._core.arguments import elementwise_loss_arguments
from fastact._core.documentation import CONTAINERS
from fastact._core.function import Function, Metadata
from fastact._core.operation import Formula, Operation, Part, jitted
from fastact._kernels import scalar as m
from fastact._kernels.scalar import like, where
from fastact.errors import nearest

__all__ = ["ElementwiseLoss", "binary_cross_entropy", "huber", "mae", "mse", "poisson_loss", "quantile_loss"]


class ElementwiseLoss(Function):
    """A loss of single elements, reduced to their mean or sum: called as the documentation of each one says."""

    kind = "loss"
    _family = "elementwise"

    def __init__(
        self, value: Formula, slope: Formula, parameters: dict[str, float], metadata: Metadata, documentation: str
    ) -> None:
        self.name = value.__name__.strip("_")
        self.parameters = parameters
        self.metadata = metadata
        self.__doc__ = documentation + _EXAMPLE.format(name=self.name)
        self._value = Part(self, "value", value, _INPUTS, parameters)
        both = _value_and_gradient(jitted(value), jitted(slope))
        self._both = Part(self, "value_and_grad", both, _INPUTS, {"scale": 1.0, **parameters}, outputs=2)
        self._both._plain = _value_and_gradient(value, slope)

    def __call__(
        self, x: ArrayLike, target: ArrayLike, *, reduction: str = "mean", backend: str | None = None, **parameters: Any
    ) -> Any:
        adapter = containers.adapter(x, target, *parameters.values())
        if adapter is not None:
            given = {"reduction": reduction, "backend": backend, **parameters}
            return adapter.call(self, "__call__", (x, target), given)
        chosen = dispatch.choose(self._family, backend, x, target)
        operands = chosen.seen(x, target, *self._given(parameters))
        record = elementwise_loss_arguments(self, operands, reduction)
        return chosen.elementwise_loss(self._value, record)[0]

    def value_and_grad(
        self,
        x: ArrayLike,
        target: ArrayLike,
        *,
        reduction: str = "mean",
        out: np.ndarray | None = None,
        backend: str | None = None,
        **parameters: Any,
    ) -> tuple[Any, Any]:
        """The loss, and its gradient with respect to x; of the losses' sum, where reduction="none".

        `out` is where to write the gradient, of the result's shape and dtype; it may be x.
        """
        adapter = containers.adapter(x, target, out, *parameters.values())
        if adapter is not None:
            given = {"reduction": reduction, "out": out, "backend": backend, **parameters}
            return adapter.call(self, "value_and_grad", (x, target), given)
        chosen = dispatch.choose(self._family, backend, x, target)
        *operands, out = chosen.seen(x, target, *self._given(parameters), out)
        record = elementwise_loss_arguments(self, operands, reduction, True, out)
        return chosen.elementwise_loss(self._both, record)

    def _operations(self) -> list[Operation]:
        return [self._value, self._both]

    def _find(self, name: str) -> Operation | None:
        return {"value": self._value, "value_and_grad": self._both}.get(name)

    def _given(self, parameters: dict[str, Any]) -> list[Any]:
        """The values of all parameters; TypeError for an unknown one."""
        if not parameters:
            return [*self.parameters.values()]
        unknown = parameters.keys() - self.parameters.keys()
        if unknown:
            name = min(unknown)
            raise TypeError(
                f"{self.name}() got an unexpected keyword argument {name!r}{nearest(name, self.parameters)}"
            )
        return [value if parameters.get(name) is None else parameters[name] for name, value in self.parameters.items()]


_INPUTS = "x", "target"


def _value_and_gradient(value: Formula, slope: Formula) -> Formula:
    def both(x, target, scale, *parameters):  # type: ignore[no-untyped-def]
        return value(x, target, *parameters), scale * slope(x, target, *parameters)

    return both


def _binary_cross_entropy(x: Any, target: Any, pos_weight: Any, weight: Any) -> Any:
    # Both are sums of positive numbers: softplus(x) = max(x, 0) + log(1 + e**-|x|). What has no share is not read.
    zero, other = like(0.0, x), like(1.0, target) - target
    rest = -m.log_sigmoid(where(x < zero, -x, x))
    hit = where(target == zero, zero, target * (where(x > zero, zero, -x) + rest))
    miss = where(other == zero, zero, other * (where(x < zero, zero, x) + rest))
    return weight * (pos_weight * hit + miss)


def _binary_cross_entropy_slope(x: Any, target: Any, pos_weight: Any, weight: Any) -> Any:
    return weight * ((like(1.0, target) - target) * m.sigmoid(x) - pos_weight * target * m.sigmoid(-x))


def _mse(x: Any, target: Any, weight: Any) -> Any:
    return weight * ((x - target) * (x - target))


def _mse_slope(x: Any, target: Any, weight: Any) -> Any:
    return weight * (like(2.0, x) * (x - target))


def _huber(x: Any, target: Any, delta: Any, weight: Any) -> Any:
    distance = where(x < target, target - x, x - target)
    linear = delta * (distance - like(0.5, x) * delta)
    return weight * where(distance < delta, like(0.5, x) * (distance * distance), linear)


def _huber_slope(x: Any, target: Any, delta: Any, weight: Any) -> Any:
    difference = x - target
    return weight * where(difference < -delta, -delta, where(difference > delta, delta, difference))


def _mae(x: Any, target: Any, weight: Any) -> Any:
    return weight * where(x < target, target - x, x - target)


def _mae_slope(x: Any, target: Any, weight: Any) -> Any:
    one = like(1.0, x)
    return weight * where(x < target, -one, where(x > target, one, x - target))


def _quantile_loss(x: Any, target: Any, q: Any, weight: Any) -> Any:
    return weight * where(x < target, q * (target - x), (like(1.0, x) - q) * (x - target))


def _quantile_loss_slope(x: Any, target: Any, q: Any, weight: Any) -> Any:
    return weight * where(x < target, -q, where(x > target, like(1.0, x) - q, x - target))


def _poisson_loss(x: Any, target: Any, weight: Any) -> Any:
    return weight * (m.exp(x) - target * x)


def _poisson_loss_slope(x: Any, target: Any, weight: Any) -> Any:
    return weight * (m.exp(x) - target)


_COMMON = f"""reduction : {{{{"mean", "sum", "none"}}}}
    The mean is over all elements, whatever they weigh.
backend : str, optional
    "serial", "threads", "parallel", "cuda", "numpy" or "auto"; see `fastact.backends`.

Returns
-------
scalar or ndarray
    In the dtype of {{x}}, or of floating-point targets where that is wider; a Python number leaves the other's dtype
    alone. Half types are computed in float32. Arrays on a GPU give arrays there.

Raises
------
TypeError
    For operands that are no real numbers, and unknown keywords.
ValueError
    If the operands do not broadcast together, or `out` of `value_and_grad` does not fit.

Notes
-----
{CONTAINERS}
`value_and_grad(...)` takes the same arguments and `out`, and returns the loss and its gradient with respect to {{x}}.
Sums are accumulated in float64; the mean of nothing is NaN.
"""

_EXAMPLE = """
Examples
--------
>>> import fastact as fa
>>> loss = fa.{name}([0.5, -1.0], [1.0, 0.0])
>>> loss, gradient = fa.{name}.value_and_grad([0.5, -1.0], [1.0, 0.0])
"""

_WEIGHT = """weight : array_like, default 1
    Of each element; broadcasts against {x}.
"""

binary_cross_entropy = ElementwiseLoss(
    _binary_cross_entropy,
    _binary_cross_entropy_slope,
    {"pos_weight": 1.0, "weight": 1.0},
    Metadata(
        formula="-weight (pos_weight t log(sigmoid(x)) + (1 - t) log(1 - sigmoid(x))), t the target",
        derivative_formula="weight ((1 - t) sigmoid(x) - pos_weight t sigmoid(-x))",
        range="[0, inf)",
        kinks="smooth",
        notes={
            "for": "exact for saturated logits; its gradient does not vanish where the network is wrong",
            "against": "confident mistakes in the labels weigh much",
            "use": "two classes, or labels that do not exclude each other",
        },
    ),
    f"""Binary cross-entropy of the sigmoid of logits.

loss = -weight (pos_weight t log(sigmoid(x)) + (1 - t) log(1 - sigmoid(x))), t the target

Parameters
----------
x : array_like
    The logits.
target : array_like
    Probabilities of the positive class, from 0 to 1; integers and bool are labels, 0 and 1.
pos_weight : array_like, default 1
    What positive targets weigh; broadcasts against x.
{_WEIGHT.format(x="x")}{_COMMON.format(x="x")}
Exact for saturated logits: no logarithm of a rounded sigmoid is taken. An infinite logit has the loss 0 where it is
right. Gradient: weight ((1 - t) sigmoid(x) - pos_weight t sigmoid(-x)).
""",
)

mse = ElementwiseLoss(
    _mse,
    _mse_slope,
    {"weight": 1.0},
    Metadata(
        formula="weight (x - target)**2",
        derivative_formula="2 weight (x - target)",
        range="[0, inf)",
        kinks="smooth",
        notes={
            "for": "its minimum is the mean",
            "against": "a single outlier can weigh more than all the rest",
            "use": "regression",
        },
    ),
    f"""Squared error: loss = weight (x - target)**2.

Parameters
----------
x, target : array_like
    Broadcast together.
{_WEIGHT.format(x="x")}{_COMMON.format(x="x")}""",
)

huber = ElementwiseLoss(
    _huber,
    _huber_slope,
    {"delta": 1.0, "weight": 1.0},
    Metadata(
        formula="weight (d**2 / 2 if d < delta else delta (d - delta / 2)), d = |x - target|",
        derivative_formula="weight clip(x - target, -delta, delta)",
        range="[0, inf)",
        kinks="smooth",
        reference="Huber. Robust estimation of a location parameter. Annals of Mathematical Statistics 35, 1964.",
        notes={
            "for": "outliers pull with a bounded force",
            "against": "delta has the unit of the target, and must be chosen",
            "use": "regression with outliers",
        },
    ),
    f"""Huber loss: squared for small differences, linear for large ones.

loss = weight (d**2 / 2 if d < delta else delta (d - delta / 2)), d = |x - target|

Parameters
----------
x, target : array_like
    Broadcast together.
delta : float, default 1
    Where it becomes linear; positive.
{_WEIGHT.format(x="x")}{_COMMON.format(x="x")}
References
----------
Huber. Robust estimation of a location parameter. Annals of Mathematical Statistics 35, 1964.
""",
)

mae = ElementwiseLoss(
    _mae,
    _mae_slope,
    {"weight": 1.0},
    Metadata(
        formula="weight |x - target|",
        derivative_formula="weight sign(x - target)",
        range="[0, inf)",
        kinks="x = target: 0",
        notes={
            "for": "its minimum is the median, so that outliers hardly matter",
            "against": "its gradient does not get smaller near the minimum",
            "use": "regression with many outliers",
        },
    ),
    f"""Absolute error: loss = weight |x - target|.

Parameters
----------
x, target : array_like
    Broadcast together.
{_WEIGHT.format(x="x")}{_COMMON.format(x="x")}
Where x = target, its gradient is 0.
""",
)

quantile_loss = ElementwiseLoss(
    _quantile_loss,
    _quantile_loss_slope,
    {"q": 0.5, "weight": 1.0},
    Metadata(
        formula="weight (q (target - x) if x < target else (1 - q) (x - target))",
        derivative_formula="weight (-q if x < target else 1 - q)",
        range="[0, inf)",
        kinks="x = target: 0",
        reference="Koenker, Bassett. Regression quantiles. Econometrica 46, 1978.",
        notes={
            "for": "its minimum is the quantile q",
            "against": "its gradient does not get smaller near the minimum",
            "use": "a range of what is likely, from two quantiles",
        },
    ),
    f"""Quantile loss, also called pinball loss: its minimum is the quantile q of the targets.

loss = weight (q (target - x) if x < target else (1 - q) (x - target))

Parameters
----------
x, target : array_like
    Broadcast together.
q : float, default 0.5
    From 0 to 1; 0.5 is the median, and half of the absolute error.
{_WEIGHT.format(x="x")}{_COMMON.format(x="x")}
Where x = target, its gradient is 0.

References
----------
Koenker, Bassett. Regression quantiles. Econometrica 46, 1978.
""",
)

poisson_loss = ElementwiseLoss(
    _poisson_loss,
    _poisson_loss_slope,
    {"weight": 1.0},
    Metadata(
        formula="weight (e**x - target x)",
        derivative_formula="weight (e**x - target)",
        kinks="smooth",
        notes={
            "for": "its minimum is the mean, and rates stay positive",
            "against": "counts that vary more than their mean allows weigh much",
            "use": "counts, whose rate is e**x",
        },
    ),
    f"""Negative log-likelihood of counts with the rate e**x, without log(target!), which x does not change.

loss = weight (e**x - target x)

Parameters
----------
x : array_like
    Logarithms of rates.
target : array_like
    Counts, from 0; broadcasts against x.
{_WEIGHT.format(x="x")}{_COMMON.format(x="x")}""",
)

for _function in (mse, mae, huber, quantile_loss, poisson_loss, binary_cross_entropy):
    registry.add(_function)
