"""Dying relu: units that fire for no sample, how many of them wake again, and what helps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

import fastact as fa
from fastact.language import listed, paragraph
from fastact.language import translated as _
from fastact.learn.data.named import problem
from fastact.learn.data.problem import Split
from fastact.learn.experiments.deep import Study, Trained, Variant, elementwise, fitted, reached, study
from fastact.learn.experiments.progress import Progress, silent
from fastact.learn.experiments.spread import Spread, share
from fastact.learn.result import Table

__all__ = ["DyingRelu", "Units", "dying_relu"]


def dying_relu(
    activations: Sequence[str] = ("relu", "leaky_relu", "elu"),
    depth: int = 3,
    width: int = 64,
    seeds: int = 10,
    epochs: int = 30,
    learning_rate: float = 0.001,
    first_rate: float = 0.1,
    progress: Progress = silent,
) -> DyingRelu:
    """Follow the share of units that never fire, in networks whose first epoch has far too high a learning rate.

    The networks learn handwritten digits. A unit never fires if its weighted sum is 0 or below for all training
    samples. The first activation is tried with two remedies too: the low learning rate from the start, and batch
    normalisation.

    Parameters
    ----------
    activations : sequence of str
        For the hidden layers.
    depth, width : int
        Hidden layers, and the units of each.
    seeds : int
        How many networks of each kind.
    epochs : int
    learning_rate, first_rate : float
        Of Adam, after the first epoch and in it.
    progress : callable, optional
        Called as progress(done, total) after each training.

    Returns
    -------
    DyingRelu

    Raises
    ------
    ValueError
        An activation is unknown or has no derivative, or a number is below 1.
    MissingDependencyError
        scikit-learn, which has the digits, is not installed.

    Examples
    --------
    >>> from fastact.learn import experiments
    >>> found = experiments.dying_relu(seeds=1, epochs=2)
    >>> found.stuck("relu").centre > found.stuck("leaky_relu").centre
    True
    """
    names = elementwise(activations)
    variants = [
        *map(Variant, names),
        Variant(names[0], "learning_rate", {"learning_rate": learning_rate}),
        Variant(names[0], "batch_norm", {"batch_norm": True}),
    ]
    return study(
        DyingRelu, variants, depth, width, seeds, epochs, learning_rate, progress,
        partial(_followed, learning_rate), {"learning_rate": first_rate}, first_rate=first_rate,
        samples=len(problem("digits").split(0).train_y),
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Units(Trained):
    """The hidden units of one network, before training (epoch 0) and after each epoch.

    Attributes
    ----------
    never_fire : list of float
        The share of units whose weighted sum is 0 or below for all training samples; ends where training diverged.
    stuck : list of float
        The share of units whose slope is exactly 0 for all training samples: no gradient reaches their weights.
    woken : float
        Of the units that never fire after the first epoch, the share that fires at the end; nan if there are none.
    """

    never_fire: list[float]
    stuck: list[float]
    woken: float


def _followed(learning_rate: float, model: fa.MLP, part: Split, epochs: int) -> dict[str, Any]:
    """Train a network, and look at its units after each epoch; the first epoch has the model's own learning rate."""
    quiet: list[NDArray[np.bool_]] = []
    stuck: list[float] = []

    def look(epoch: int, model: fa.MLP) -> None:
        model.forward(part.train_x)
        layers = model.layers[:-1]
        quiet.append(np.concatenate([(layer.preactivation <= 0).all(axis=0) for layer in layers]))
        flat = [(layer.activation.derivative(layer.preactivation) == 0).all(axis=0) for layer in layers]
        stuck.append(float(np.concatenate(flat).mean()))
        if epoch == 1:
            model.optimizer.learning_rate = learning_rate

    look(0, model)
    found = fitted(model, part, epochs, look)
    early = quiet[min(1, len(quiet) - 1)]
    return {
        **found,
        "never_fire": [float(each.mean()) for each in quiet],
        "stuck": stuck,
        "woken": float((~quiet[-1])[early].mean()) if early.any() else math.nan,
    }


@dataclass(frozen=True, kw_only=True)
class DyingRelu(Study[Units]):
    """What `dying_relu` found; its variants are the activations as they are, then the remedies of the first one.

    Attributes
    ----------
    first_rate : float
        The learning rate of the first epoch.
    samples : int
        Of training.
    """

    name: ClassVar[str] = "dying-relu"
    _trial: ClassVar[type[Trained]] = Units

    first_rate: float
    samples: int

    def never_fire(self, activation: str, remedy: str = "", epoch: int = -1) -> Spread:
        """The share of units that never fire, at the end or after another epoch."""
        found = (each.never_fire for each in self.of(activation, remedy))
        return Spread.of(shares[epoch] for shares in found if -1 <= epoch < len(shares))

    def stuck(self, activation: str, remedy: str = "") -> Spread:
        """The share of units without any gradient at the end."""
        return Spread.of(each.stuck[-1] for each in self.of(activation, remedy))

    @property
    def title(self) -> str:
        return _("Dying relu: units that never fire (depth {depth}, {width} units in each hidden layer)").format(
            depth=self.depth, width=self.width
        )

    def tables(self) -> list[Table]:
        rows = []
        for each in self.variants:
            key = each.activation, each.remedy
            quiet = self.never_fire(*key, epoch=1), self.never_fire(*key), self.stuck(*key)
            rows.append([each.label, *(spread.text(share) for spread in quiet), reached(self.of(*key))])
        columns = [_("hidden layers"), _("epoch 1"), _("at the end"), _("no gradient"), _("accuracy")]
        caption = _(
            "Seeds: {seeds}; median (least to largest). A unit fires if its weighted sum is above 0. Epoch 1, at "
            "the end: the share of units that fire for none of {samples:,} training samples. No gradient: the "
            "share whose slope is 0 for all of them at the end. Accuracy: held-out digits after epoch {epochs}; "
            "guessing gives {chance}."
        ).format(seeds=self.seeds, samples=self.samples, epochs=self.epochs, chance=share(self.chance))
        return [Table(columns, rows, caption=caption)]

    def sentences(self) -> list[str]:
        usual = [each for each in self.variants if not each.remedy]
        words = [
            _("The learning rate is {high:g} in the first epoch, then {low:g}.").format(
                high=self.first_rate, low=self.learning_rate
            )
        ]
        quiet = {each.label: self.never_fire(each.activation, epoch=1) for each in usual}
        woken = {each.label: Spread.of(units.woken for units in self.of(each.activation)) for each in usual}
        stuck = {each.label: self.stuck(each.activation) for each in usual}
        if shares := _listed(quiet):
            words.append(
                _("At the end of the first epoch, these shares of the units fire for no sample: {shares}.").format(
                    shares=shares
                )
            )
        if shares := _listed(woken):
            text = _("Of these units, these shares fire again at the end of training: {shares}.")
            words.append(text.format(shares=shares))
        ends = listed(f"{label} {reached(found)}" for label, found in self.labelled().items())
        return [
            paragraph(words),
            _(
                "A unit whose slope is 0 for every sample gets no gradient, so it does not learn. The share of "
                "such units at the end: {shares}. Accuracy: {ends}."
            ).format(shares=_listed(stuck), ends=ends),
        ]


def _listed(shares: Mapping[str, Spread]) -> str:
    """Each name with its share, where there is one."""
    return listed(f"{name} {spread.text(share)}" for name, spread in shares.items() if spread.count)
