"""The vanishing gradient: how much of it arrives at the first layers of a deep network, and what helps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean
from typing import ClassVar

from fastact.language import translated as _
from fastact.learn.experiments.deep import Study, Trial, Variant, elementwise, ends, reached, study
from fastact.learn.experiments.progress import Progress, silent
from fastact.learn.experiments.spread import Spread, share, short, times
from fastact.learn.result import Table

__all__ = ["Vanishing", "vanishing"]

ACTIVATIONS = ("sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu")


def vanishing(
    activations: Sequence[str] = ACTIVATIONS,
    depth: int = 20,
    width: int = 32,
    seeds: int = 10,
    epochs: int = 20,
    learning_rate: float = 0.002,
    scale: float = 4.0,
    progress: Progress = silent,
) -> Vanishing:
    """Measure the gradient in each layer of deep networks before the first step; then train them.

    The networks learn handwritten digits. The first activation is tried with each remedy too: batch normalisation,
    residual connections, and larger initial weights.

    Parameters
    ----------
    activations : sequence of str
        For the hidden layers.
    depth, width : int
        Hidden layers, and the units of each.
    seeds : int
        How many networks of each kind.
    epochs : int
    learning_rate : float
        Of Adam.
    scale : float
        What the remedy "larger initial weights" multiplies them by. The slope of sigmoid is 1/4 at most, which 4 makes
        up for.
    progress : callable, optional
        Called as progress(done, total) after each training.

    Returns
    -------
    Vanishing

    Raises
    ------
    ValueError
        An activation is unknown or has no derivative, or a number is below 1.
    MissingDependencyError
        scikit-learn, which has the digits, is not installed.

    Examples
    --------
    >>> from fastact.learn import experiments
    >>> found = experiments.vanishing(["sigmoid", "relu"], seeds=1, epochs=1)
    >>> found.ratio("sigmoid").centre < 1e-6 < found.ratio("relu").centre
    True
    """
    names = elementwise(activations)
    variants = [
        *map(Variant, names),
        Variant(names[0], "batch_norm", {"batch_norm": True}),
        Variant(names[0], "residual", {"residual": True}),
        Variant(names[0], "large_init", scale=scale),
    ]
    return study(Vanishing, variants, depth, width, seeds, epochs, learning_rate, progress)


@dataclass(frozen=True, kw_only=True)
class Vanishing(Study[Trial]):
    """What `vanishing` found; its variants are the activations as they are, then the remedies of the first one."""

    name: ClassVar[str] = "vanishing"

    def ratio(self, activation: str, remedy: str = "") -> Spread:
        """The norm of the gradient in the first hidden layer by that in the last one, over the seeds."""
        return Spread.of(each.ratio for each in self.of(activation, remedy))

    @property
    def title(self) -> str:
        return _("Vanishing gradient: depth {depth}, {width} units in each hidden layer").format(
            depth=self.depth, width=self.width
        )

    def tables(self) -> list[Table]:
        rows = [
            [label, Spread.of(each.ratio for each in found).text(short), short(_slope(found)), reached(found)]
            for label, found in self.labelled().items()
        ]
        columns = [_("hidden layers"), _("gradient, first / last"), _("slope"), _("accuracy")]
        caption = _(
            "Seeds: {seeds}; median (least to largest). Gradient: its norm by the weights of the first hidden layer, "
            "divided by that of the last one, before the first step. Slope: mean of f'(x) in all layers. Accuracy: "
            "held-out digits after epoch {epochs}; guessing gives {chance}."
        ).format(seeds=self.seeds, epochs=self.epochs, chance=share(self.chance))
        return [Table(columns, rows, caption=caption)]

    def sentences(self) -> list[str]:
        first, other = self.variants[0].activation, self._other()
        slope = _slope(self.of(first))
        words = [
            _(
                "In each layer, backpropagation multiplies the gradient by weights and by the slope of the "
                "activation. The slope of {name} is {slope} on average. Through {depth} layers, the slopes alone "
                "multiply the gradient by {chain}."
            ).format(name=first, slope=short(slope), depth=self.depth, chain=_chain(slope, self.depth))
        ]
        if self.ratio(first).count:
            words.append(
                _(
                    "Measured with {name}, the gradient in the first hidden layer is {ratio} times that in the "
                    "last one."
                ).format(name=first, ratio=self.ratio(first).text(short))
            )
        pairs = zip(self.of(other), self.of(first), strict=True) if other else []
        factor = Spread.of(one.ratio / two.ratio if two.ratio else math.nan for one, two in pairs)
        if other and factor.count:
            words.append(
                _("With {other}, that ratio is {ratio}: {factor} times the one with {name}.").format(
                    other=other, ratio=self.ratio(other).text(short), factor=times(factor.centre), name=first
                )
            )
        found = {each.remedy: self.of(first, each.remedy) for each in self.variants if each.activation == first}
        words.append(
            _("Accuracy of {name} after epoch {epochs}: {ends}. Guessing gives {chance}.").format(
                name=first, epochs=self.epochs, ends=ends(found), chance=share(self.chance)
            )
        )
        return words

    def _other(self) -> str | None:
        """relu, or else the activation that keeps most of the gradient; None if there is but one."""
        ratios = {each.activation: self.ratio(each.activation).centre for each in self.variants[1:] if not each.remedy}
        known = [name for name, ratio in ratios.items() if not math.isnan(ratio)]
        return "relu" if "relu" in ratios else max(known, key=ratios.__getitem__, default=None)


def _slope(found: Sequence[Trial]) -> float:
    return mean(mean(trial.slopes) for trial in found)


def _chain(slope: float, depth: int) -> str:
    """0.8, 0.64, 0.51, ..., 0.012: the powers of a slope."""
    if depth <= 4:
        return ", ".join(short(slope**power) for power in range(1, depth + 1))
    return ", ".join([*(short(slope**power) for power in (1, 2, 3)), "...", short(slope**depth)])
