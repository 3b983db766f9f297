"""Compare a network's first loss with that of the best constant answer, which ignores the inputs."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastact as fa
from fastact.language import paragraph
from fastact.language import translated as _
from fastact.learn.diagnostics.measures import host
from fastact.learn.result import Result, Table

__all__ = ["CLOSE", "FirstLoss", "chance_loss", "even_loss", "first_loss"]

#: A first loss of up to this many times the loss of chance is usual: for classes, and for numbers.
CLOSE = 3.0, 20.0


def first_loss(model: fa.MLP, X: Any, y: Any) -> FirstLoss:
    """Compare the loss of an untrained network with that of the best constant answer.

    An untrained network knows nothing, so that its loss should be near that: log(classes) for classes of one size,
    log 2 for two, the variance of the target for a mean squared error. A much larger loss means that the first outputs
    are large and wrong, mostly from too large weights; the first epochs then go into making them small.

    Parameters
    ----------
    model : fa.MLP
        Not trained yet; it stays as it is.
    X, y : array_like
        As for `fit`.

    Returns
    -------
    FirstLoss

    Notes
    -----
    The check is Karpathy's (A recipe for training neural networks, 2019). Three times the loss of chance passes for
    classes, and 20 times for numbers: with He's and Glorot's weights, first outputs vary with a variance of about 2
    from seed to seed.

    Examples
    --------
    >>> from fastact.learn.diagnostics import first_loss
    >>> X, y = np.random.default_rng(0).normal(size=(300, 5)), np.arange(300) % 3
    >>> found = first_loss(fa.MLP((5, 16, 3), output="softmax", seed=0), X, y)
    >>> round(found.chance, 3), found.close
    (1.099, True)
    """
    twin = copy.deepcopy(model)
    twin.l2 = 0.0
    with np.errstate(all="ignore"):
        loss = twin.loss_and_gradients(X, y)[0]
    return FirstLoss(loss, chance_loss(model, y), even_loss(model), bool(model.loss.classifies))


def chance_loss(model: fa.MLP, y: Any) -> float:
    """The loss of the best constant answer: the entropy of the classes' frequencies, or the variance of numbers."""
    loss: Any = model.loss
    target = loss.targets(host(y), "y", model.layer_sizes[-1], model.dtype)
    if target.table is None:
        return _entropy(np.bincount(target.labels) / target.samples)
    table = target.table.astype(np.float64)
    shares = table.mean(axis=0)
    if loss.name == "cross_entropy":
        return _entropy(shares)
    if loss.name == "bce":
        return loss.scale * float(np.mean([_entropy(np.array([share, 1 - share])) for share in shares]))
    if loss.name == "mse":
        constants = shares[np.newaxis]
    elif loss.name == "poisson":  # which takes the logarithm of the rate
        constants = np.log(np.maximum(shares[np.newaxis], 1e-9))
    else:
        constants = np.quantile(table, np.linspace(0, 1, 101), axis=0)
    function = getattr(fa, loss.function)
    losses = [function(each + 0 * table, table, reduction="none", **loss.parameters).mean(axis=0) for each in constants]
    return loss.scale * float(np.min(losses, axis=0).mean())


def even_loss(model: fa.MLP) -> float:
    """Return the loss of taking all classes for equally likely; nan for numbers."""
    loss: Any = model.loss
    if not loss.classifies:
        return np.nan
    return math.log(model.layer_sizes[-1]) if loss.name == "cross_entropy" else loss.scale * math.log(2)


def _entropy(shares: NDArray[Any]) -> float:
    shares = shares[shares > 0]
    return -float((shares * np.log(shares)).sum())


@dataclass(frozen=True)
class FirstLoss(Result):
    """The loss of an untrained network.

    Attributes
    ----------
    loss : float
    chance : float
        The loss of the best constant answer.
    even : float
        The loss of taking all classes for equally likely; nan for numbers.
    classifies : bool
    """

    loss: float
    chance: float
    even: float
    classifies: bool

    @property
    def close(self) -> bool:
        """Whether the loss is no further from that of chance than is usual."""
        return self.loss <= CLOSE[0 if self.classifies else 1] * self.chance

    @property
    def uneven(self) -> bool:
        """Whether the loss is far from that of chance only because some classes are much rarer than others."""
        return self.classifies and not self.close and self.loss <= CLOSE[0] * self.even

    @property
    def title(self) -> str:
        return _("The first loss")

    def tables(self) -> list[Table]:
        rows = [[_("the untrained network"), f"{self.loss:.3f}"], [_("the best constant answer"), f"{self.chance:.3f}"]]
        if self.classifies:
            rows.append([_("all classes equally likely"), f"{self.even:.3f}"])
        return [Table([_("prediction"), _("loss")], rows, title=self.title)]

    def sentences(self) -> list[str]:
        return [paragraph([self.sentence, *self.remedies])]

    @property
    def sentence(self) -> str:
        """How it compares."""
        if self.loss <= 1.5 * self.chance:
            text = _("The first loss is {loss}, near the {chance} of the best constant answer, as it should be.")
        elif self.close:
            text = _(
                "The first loss is {loss}, above the {chance} of the best constant answer, but no further than random "
                "first weights may bring it."
            )
        elif self.uneven:
            text = _(
                "The first loss is {loss}; taking all classes for equally likely gives {even}. But "
                "some classes are rare: knowing only how frequent each one is gives {chance}."
            )
        else:
            text = _(
                "The first loss is {loss}, far above the {chance} of the best constant answer: the untrained network "
                "gives large, wrong outputs."
            )
        return text.format(loss=f"{self.loss:.3f}", chance=f"{self.chance:.3f}", even=f"{self.even:.3f}")

    @property
    def remedies(self) -> list[str]:
        """What brings it nearer."""
        if self.close:
            return []
        if self.uneven:
            return [
                _(
                    "Set the output layer's bias to the logarithms of the classes' frequencies (for one sigmoid "
                    "unit, to log(frequency of class 1 / frequency of class 0)), so that training need not begin "
                    "by learning them."
                )
            ]
        numbers = [] if self.classifies else [_("Scale the targets to mean 0 and standard deviation 1.")]
        return [
            *numbers,
            _("Scale the inputs to mean 0 and standard deviation 1."),
            _("Take the first weights that init='auto' draws, and do not enlarge them."),
        ]

    def as_dict(self) -> dict[str, Any]:
        return super().as_dict() | {"close": self.close}
