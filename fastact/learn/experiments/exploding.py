"""The exploding gradient: weights that are too large, a training that diverges, and what helps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fastact.language import paragraph
from fastact.language import translated as _
from fastact.learn.experiments.arguments import positive
from fastact.learn.experiments.deep import Study, Trial, Variant, elementwise, ends, remedies, study
from fastact.learn.experiments.progress import Progress, silent
from fastact.learn.experiments.spread import Spread, share, short, times
from fastact.learn.result import Table

__all__ = ["Exploding", "exploding"]


def exploding(
    activation: str = "relu",
    depth: int = 10,
    width: int = 32,
    scale: float = 1.5,
    clip_norm: float = 2.0,
    seeds: int = 10,
    epochs: int = 30,
    learning_rate: float = 0.1,
    progress: Progress = silent,
) -> Exploding:
    """Train deep networks whose initial weights are too large: as they are, and with each remedy.

    The networks learn handwritten digits by plain SGD. (Adam divides a gradient by its size, so that it hides this
    problem.) Remedies are clipping the gradients, the usual initial weights, and batch normalisation.

    Parameters
    ----------
    activation : str
        For the hidden layers.
    depth, width : int
        Hidden layers, and the units of each.
    scale : float
        What the usual initial weights of the hidden layers are multiplied by.
    clip_norm : float
        The largest norm of all gradients together, for the remedy.
    seeds : int
        How many networks of each kind.
    epochs : int
    learning_rate : float
        Of SGD.
    progress : callable, optional
        Called as progress(done, total) after each training.

    Returns
    -------
    Exploding

    Raises
    ------
    ValueError
        The activation is unknown or has no derivative, or a number is not positive.
    MissingDependencyError
        scikit-learn, which has the digits, is not installed.

    Examples
    --------
    >>> from fastact.learn import experiments
    >>> found = experiments.exploding(seeds=1, epochs=2)
    >>> found.diverged(""), found.diverged("clip_norm")
    (1, 0)
    """
    positive(scale=scale)
    [name] = elementwise([activation], "activation")
    variants = [
        Variant(name, scale=scale),
        Variant(name, "clip_norm", {"clip_norm": clip_norm}, scale),
        Variant(name, "init"),
        Variant(name, "batch_norm", {"batch_norm": True}, scale),
    ]
    settings = {"optimizer": "sgd", "momentum": 0.0, "batch_size": 32}
    return study(
        Exploding, variants, depth, width, seeds, epochs, learning_rate, progress, settings=settings, activation=name,
        scale=scale, clip_norm=clip_norm,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Exploding(Study[Trial]):
    """What `exploding` found; its variants are the network without a remedy, and with each.

    Attributes
    ----------
    activation : str
    scale, clip_norm : float
    """

    name: ClassVar[str] = "exploding"

    activation: str
    scale: float
    clip_norm: float

    def label(self, variant: Variant) -> str:
        return remedies()[variant.remedy]

    def diverged(self, remedy: str) -> int:
        """How many seeds diverged with a remedy: "clip_norm", "init", "batch_norm", or "" for none."""
        return sum(each.diverged is not None for each in self.of(self.activation, remedy))

    @property
    def title(self) -> str:
        return _(
            "Exploding gradient: depth {depth}, {width} {name} units in each hidden layer, {scale:g} times the usual "
            "weights"
        ).format(depth=self.depth, width=self.width, name=self.activation, scale=self.scale)

    def tables(self) -> list[Table]:
        rows = [
            [
                label,
                short(Spread.of(each.first_loss for each in found).centre),
                Spread.of(each.norm for each in found).text(short),
                f"{sum(each.diverged is not None for each in found)} / {len(found)}",
                Spread.of(each.end for each in found).text(share),
            ]
            for label, found in self.labelled().items()
        ]
        columns = [_("remedy"), _("first loss"), _("gradient"), _("diverged"), _("accuracy")]
        caption = _(
            "Seeds: {seeds}; median (least to largest). First loss and gradient: before the first step; the gradient "
            "is the norm by the weights of all hidden layers. Accuracy: held-out digits after epoch {epochs} of SGD "
            "with learning rate {rate:g}, of the seeds that did not diverge; guessing gives {chance}."
        ).format(seeds=self.seeds, epochs=self.epochs, rate=self.learning_rate, chance=share(self.chance))
        return [Table(columns, rows, caption=caption)]

    def sentences(self) -> list[str]:
        found = {each.remedy: self.of(each.activation, each.remedy) for each in self.variants}
        pairs = zip(found.pop(""), found["init"], strict=True)
        factor = Spread.of(large.norm / usual.norm if usual.norm else np.nan for large, usual in pairs)
        with np.errstate(over="ignore"):
            power = float(np.float64(self.scale) ** self.depth)
        expected = _(
            "If the gradient grows {scale:g} times in each layer, {depth} layers make it {scale:g} ** {depth} = "
            "{power} times as large."
        ).format(scale=self.scale, depth=self.depth, power=times(power))
        measured = _(
            "Measured before the first step, the gradient is {factor} times as large as with the usual initial weights."
        ).format(factor=factor.text(times))
        return [
            paragraph([expected, measured]) if factor.count else expected,
            _(
                "A seed diverges if its loss or weights become infinite: {count} of {seeds} do without a remedy. "
                "Accuracy after epoch {epochs}: {ends}."
            ).format(count=self.diverged(""), seeds=self.seeds, epochs=self.epochs, ends=ends(found)),
        ]
