"""What the experiments on deep networks share: networks that differ in one thing, and what one training shows.

An experiment names its networks as `Variant`s and gets a `Trial` of each and each seed from `trials`. A new remedy is
an entry in `remedies`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

import fastact as fa
from fastact.language import listed
from fastact.language import translated as _
from fastact.learn.data.problem import Problem, Split
from fastact.learn.experiments.progress import Progress, counted
from fastact.learn.experiments.spread import Spread, share

__all__ = [
    "Trial",
    "Variant",
    "elementwise",
    "ends",
    "fitted",
    "network",
    "networks",
    "reached",
    "remedies",
    "trials",
]

Array = NDArray[Any]


@dataclass(frozen=True)
class Variant:
    """How a network differs from the others of its experiment.

    Attributes
    ----------
    activation : str
        Of all hidden layers.
    remedy : str
        A key of `remedies()`; empty for a network as it is.
    settings : mapping
        Of `fa.MLP`.
    scale : float
        What the initial weights of the hidden layers are multiplied by.
    """

    activation: str
    remedy: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    scale: float = 1.0

    @property
    def label(self) -> str:
        """Its name for readers."""
        return f"{self.activation} + {remedies()[self.remedy]}" if self.remedy else self.activation


def remedies() -> dict[str, str]:
    """What readers call the remedies."""
    return {
        "": _("no remedy"),
        "batch_norm": _("batch normalisation"),
        "residual": _("residual connections"),
        "large_init": _("larger initial weights"),
        "init": _("usual initial weights"),
        "clip_norm": _("gradient clipping"),
        "learning_rate": _("a small learning rate"),
    }


@dataclass(frozen=True)
class Trial:
    """One network: its gradients before the first step, and its training.

    Attributes
    ----------
    variant : Variant
    seed : int
    norms : list of float
        The norm of the gradient by the weights of each hidden layer, from all training samples, before the first step.
    slopes : list of float
        The mean of f'(x) in each hidden layer, at the same time.
    outputs : list of float
        The mean of |f(x)| in each hidden layer, at the same time.
    first_loss : float
        At the same time.
    loss : list of float
        Of training, the mean of each epoch; ends where it diverged.
    accuracy : list of float
        Of the held-out samples, after each epoch; ends where it diverged.
    diverged : int or None
        The epoch, counted from 1, in which the loss or a weight became infinite or nan.
    """

    variant: Variant
    seed: int
    norms: list[float]
    slopes: list[float]
    outputs: list[float]
    first_loss: float
    loss: list[float]
    accuracy: list[float]
    diverged: int | None

    @property
    def ratio(self) -> float:
        """The gradient of the first hidden layer by that of the last one."""
        return self.norms[0] / self.norms[-1] if self.norms[-1] else math.nan

    @property
    def norm(self) -> float:
        """Of the gradients of all hidden layers together."""
        return math.hypot(*self.norms)

    @property
    def end(self) -> float:
        """The accuracy after the last epoch; nan if it diverged."""
        return math.nan if self.diverged else self.accuracy[-1]


class Trained(Protocol):
    """A finished training."""

    @property
    def diverged(self) -> int | None: ...

    @property
    def end(self) -> float: ...


def reached(found: Sequence[Trained]) -> str:
    """The accuracy at the end, and how many seeds diverged, for readers."""
    diverged = sum(each.diverged is not None for each in found)
    accuracy = Spread.of(each.end for each in found).text(share)
    if not diverged:
        return accuracy
    count = _("{count} of {seeds} diverge").format(count=diverged, seeds=len(found))
    return count if diverged == len(found) else listed([accuracy, count])


def ends(found: Mapping[str, Sequence[Trial]]) -> str:
    """The accuracies at the end, by remedies' keys, for readers."""
    return listed(
        _("{accuracy} with {remedy}").format(accuracy=reached(each), remedy=remedies()[remedy])
        for remedy, each in found.items()
    )


def network(problem: Problem, hidden: Sequence[int], seed: int, scale: float = 1.0, **settings: Any) -> fa.MLP:
    """An untrained network for a problem, with these hidden layers."""
    model = fa.MLP([problem.features, *hidden, problem.outputs], output=problem.output, seed=seed, **settings)
    for layer in model.layers[:-1]:
        layer.weights *= scale
    return model


def trials(
    variants: Sequence[Variant],
    problem: Problem,
    hidden: Sequence[int],
    seeds: int,
    epochs: int,
    progress: Progress,
    **settings: Any,
) -> list[Trial]:
    """Train each variant with each seed, the same samples for all; `settings` are those of `fa.MLP` in common."""
    return [
        _trial(variant, seed, model, part, epochs)
        for variant, seed, model, part in networks(variants, problem, hidden, seeds, progress, **settings)
    ]


def networks(
    variants: Sequence[Variant],
    problem: Problem,
    hidden: Sequence[int],
    seeds: int,
    progress: Progress,
    **settings: Any,
) -> Iterator[tuple[Variant, int, fa.MLP, Split]]:
    """Each variant with each seed: the untrained network, and its samples, the same for all variants."""
    parts = [problem.split(seed) for seed in range(seeds)]
    jobs = [(variant, seed) for variant in variants for seed in range(seeds)]
    for variant, seed in counted(jobs, progress):
        chosen = {"activation": variant.activation, "scale": variant.scale, **settings, **variant.settings}
        yield variant, seed, network(problem, hidden, seed, **chosen), parts[seed]


def _trial(variant: Variant, seed: int, model: fa.MLP, part: Split, epochs: int) -> Trial:
    with np.errstate(all="ignore"):  # what overflows is told by `diverged`
        first_loss, _gradients = model.loss_and_gradients(part.train_x, part.train_y)
        layers = model.layers[:-1]
        norms = [float(np.linalg.norm(layer.weights_gradient.astype(np.float64))) for layer in layers]
        slopes = [_slope(layer) for layer in layers]
        outputs = [float(np.abs(layer.output).mean()) for layer in layers]
        diverged = fitted(model, part, epochs)
    history = model.history
    return Trial(
        variant, seed, norms, slopes, outputs, first_loss, history.get("loss", []), history.get("val_accuracy", []),
        diverged,
    )  # fmt: skip


def fitted(model: fa.MLP, part: Split, epochs: int, callback: Any = None) -> int | None:
    """Train a network; the epoch in which it diverged, or None."""
    try:
        model.fit(part.train_x, part.train_y, epochs=epochs, validation=(part.test_x, part.test_y), callback=callback)
    except FloatingPointError:
        return len(model.history.get("loss", ())) + 1
    return None


def _slope(layer: Any) -> float:
    """The mean of f'(x); of softmax, that of the derivative of each output by its own input."""
    if layer.activation.kind == "activation":
        return float(layer.activation.derivative(layer.preactivation).mean())
    return float((layer.output * (1 - layer.output)).mean())


def elementwise(activations: Iterable[str], argument: str = "activations") -> list[str]:
    """The activations' own names, each once; ValueError for one that suits no hidden layer."""
    names = []
    for name in activations:
        activation = fa.get(name)
        if activation.kind != "activation" or not activation.differentiable:
            raise ValueError(f"{argument}: {name!r} has no derivative for each unit; take one such as 'relu'")
        names.append(activation.name)
    if not names:
        raise ValueError(f"{argument}=[]; name at least one, such as 'relu'")
    return list(dict.fromkeys(names))
