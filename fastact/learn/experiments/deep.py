"""What the experiments on deep networks share: networks that differ in one thing, and what one training shows.

An experiment names its networks as `Variant`s. `study` trains each with each seed, and returns the `Study` that the
experiment made of it. A new remedy is an entry in `remedies`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np

import fastact as fa
from fastact.language import listed
from fastact.language import translated as _
from fastact.learn.data.named import problem
from fastact.learn.data.problem import Problem, Split
from fastact.learn.experiments.arguments import counts
from fastact.learn.experiments.progress import Progress, counted
from fastact.learn.experiments.spread import Spread, share
from fastact.learn.result import Result

__all__ = [
    "Study", "Trained", "Trial", "Variant", "elementwise", "ends", "fitted", "measured", "network", "reached",
    "remedies", "study",
]  # fmt: skip


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


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A finished training.

    Attributes
    ----------
    variant : Variant
    seed : int
    accuracy : list of float
        Of the held-out samples, after each epoch; ends where it diverged.
    diverged : int or None
        The epoch, counted from 1, in which the loss or a weight became infinite or nan.
    """

    variant: Variant
    seed: int
    accuracy: list[float]
    diverged: int | None

    @property
    def end(self) -> float:
        """The accuracy after the last epoch; nan if it diverged."""
        return math.nan if self.diverged else self.accuracy[-1]


@dataclass(frozen=True, kw_only=True)
class Trial(Trained):
    """One network: its gradients before the first step, and its training.

    Attributes
    ----------
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
    """

    norms: list[float]
    slopes: list[float]
    outputs: list[float]
    first_loss: float
    loss: list[float]

    @property
    def ratio(self) -> float:
        """The gradient of the first hidden layer by that of the last one."""
        return self.norms[0] / self.norms[-1] if self.norms[-1] else math.nan

    @property
    def norm(self) -> float:
        """Of the gradients of all hidden layers together."""
        return math.hypot(*self.norms)


T = TypeVar("T", bound=Trained)


@dataclass(frozen=True, kw_only=True)
class Study(Result, Generic[T]):
    """What an experiment found with deep networks that learn handwritten digits.

    Attributes
    ----------
    depth, width : int
        Hidden layers, and the units of each.
    seeds, epochs : int
    learning_rate : float
    chance : float
        The accuracy of guessing.
    variants : list of Variant
        The activations as they are, then those with a remedy.
    trials : list of Trained
        Variant by variant, seed by seed.
    """

    #: What the experiment is called in `as_dict`, and what its trials are.
    name: ClassVar[str]
    _trial: ClassVar[type[Trained]] = Trial

    depth: int
    width: int
    seeds: int
    epochs: int
    learning_rate: float
    chance: float
    variants: list[Variant]
    trials: list[T]

    def of(self, activation: str, remedy: str = "") -> list[T]:
        """The trials of an activation as it is, or with a remedy, seed by seed."""
        return [each for each in self.trials if (each.variant.activation, each.variant.remedy) == (activation, remedy)]

    def accuracy(self, activation: str, remedy: str = "") -> Spread:
        """Of the held-out samples after the last epoch, over the seeds that did not diverge."""
        return Spread.of(each.end for each in self.of(activation, remedy))

    def label(self, variant: Variant) -> str:
        """What readers call a variant here."""
        return variant.label

    def labelled(self) -> dict[str, list[T]]:
        """The trials of each variant, by its label."""
        return {self.label(each): self.of(each.activation, each.remedy) for each in self.variants}

    def as_dict(self) -> dict[str, Any]:
        """Settings, and all trials."""
        return {"experiment": self.name, **super().as_dict()}


def reached(found: Sequence[Trained]) -> str:
    """The accuracy at the end, and how many seeds diverged, for readers."""
    diverged = sum(each.diverged is not None for each in found)
    accuracy = Spread.of(each.end for each in found).text(share)
    if not diverged:
        return accuracy
    count = _("{count} of {seeds} diverge").format(count=diverged, seeds=len(found))
    return count if diverged == len(found) else listed([accuracy, count])


def ends(found: Mapping[str, Sequence[Trained]]) -> str:
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


S = TypeVar("S", bound=Study[Any])


def study(
    kind: type[S],
    variants: Sequence[Variant],
    depth: int,
    width: int,
    seeds: int,
    epochs: int,
    learning_rate: float,
    progress: Progress,
    measure: Callable[..., Mapping[str, Any]] | None = None,
    settings: Mapping[str, Any] | None = None,
    **found: Any,
) -> S:
    """Train each variant with each seed, on the same samples for all, and make a study of this kind of it.

    Parameters
    ----------
    kind : type
        A subclass of `Study`; `found` has its other fields.
    measure : callable, optional
        Called as measure(model, part, epochs), it trains, and returns the fields of a trial; `measured` by default.
    settings : mapping, optional
        Of `fa.MLP`, for all variants.
    """
    counts(depth=depth, width=width, seeds=seeds, epochs=epochs)
    digits = problem("digits")
    parts = [digits.split(seed) for seed in range(seeds)]
    trials = []
    for variant, seed in counted([(variant, seed) for variant in variants for seed in range(seeds)], progress):
        chosen = {"learning_rate": learning_rate, "batch_size": 64, **(settings or {}), **variant.settings}
        model = network(digits, [width] * depth, seed, variant.scale, activation=variant.activation, **chosen)
        trials.append(kind._trial(variant=variant, seed=seed, **(measure or measured)(model, parts[seed], epochs)))
    return kind(
        depth=depth, width=width, seeds=seeds, epochs=epochs, learning_rate=learning_rate, chance=1 / digits.outputs,
        variants=list(variants), trials=trials, **found,
    )  # fmt: skip


def measured(model: fa.MLP, part: Split, epochs: int) -> dict[str, Any]:
    """Train a network; what a `Trial` has of it."""
    with np.errstate(all="ignore"):  # what overflows is told by `diverged`
        first_loss, _gradients = model.loss_and_gradients(part.train_x, part.train_y)
        layers = model.layers[:-1]
        before = {
            "norms": [float(np.linalg.norm(layer.weights_gradient.astype(np.float64))) for layer in layers],
            "slopes": [_slope(layer) for layer in layers],
            "outputs": [float(np.abs(layer.output).mean()) for layer in layers],
            "first_loss": first_loss,
        }
        return {**before, **fitted(model, part, epochs), "loss": model.history.get("loss", [])}


def fitted(model: fa.MLP, part: Split, epochs: int, callback: Any = None) -> dict[str, Any]:
    """Train a network; what a `Trained` has of it."""
    diverged = None
    try:
        model.fit(part.train_x, part.train_y, epochs=epochs, validation=(part.test_x, part.test_y), callback=callback)
    except FloatingPointError:
        diverged = len(model.history.get("loss", ())) + 1
    return {"accuracy": model.history.get("val_accuracy", []), "diverged": diverged}


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
