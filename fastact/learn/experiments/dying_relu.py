"""Dying relu: units that fire for no sample, how many of them wake again, and what helps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastact as fa
from fastact.language import listed, paragraph
from fastact.language import translated as _
from fastact.learn.data.named import problem
from fastact.learn.data.problem import Split
from fastact.learn.experiments.arguments import counts
from fastact.learn.experiments.deep import Variant, elementwise, fitted, networks, reached
from fastact.learn.experiments.drawing import draw_accuracies, draw_lines, legend
from fastact.learn.experiments.progress import Progress, silent
from fastact.learn.experiments.spread import Spread, share
from fastact.learn.pictures import style
from fastact.learn.result import Result, Table, plain

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
    counts(depth=depth, width=width, seeds=seeds, epochs=epochs)
    names = elementwise(activations)
    variants = [
        *map(Variant, names),
        Variant(names[0], "learning_rate", {"learning_rate": learning_rate}),
        Variant(names[0], "batch_norm", {"batch_norm": True}),
    ]
    digits = problem("digits")
    settings = {"learning_rate": first_rate, "batch_size": 64}
    found = [
        _followed(variant, seed, model, part, epochs, learning_rate)
        for variant, seed, model, part in networks(variants, digits, [width] * depth, seeds, progress, **settings)
    ]
    samples = len(digits.split(0).train_y)
    return DyingRelu(
        depth, width, seeds, epochs, learning_rate, first_rate, 1 / digits.outputs, samples, variants, found
    )


@dataclass(frozen=True)
class Units:
    """The hidden units of one network, before training (epoch 0) and after each epoch.

    Attributes
    ----------
    variant : Variant
    seed : int
    never_fire : list of float
        The share of units whose weighted sum is 0 or below for all training samples; ends where training diverged.
    stuck : list of float
        The share of units whose slope is exactly 0 for all training samples: no gradient reaches their weights.
    woken : float
        Of the units that never fire after the first epoch, the share that fires at the end; nan if there are none.
    accuracy : list of float
        Of the held-out samples, after each epoch.
    diverged : int or None
        The epoch in which the loss or a weight became infinite or nan.
    """

    variant: Variant
    seed: int
    never_fire: list[float]
    stuck: list[float]
    woken: float
    accuracy: list[float]
    diverged: int | None

    @property
    def end(self) -> float:
        """The accuracy after the last epoch; nan if it diverged."""
        return math.nan if self.diverged else self.accuracy[-1]


def _followed(variant: Variant, seed: int, model: fa.MLP, part: Split, epochs: int, learning_rate: float) -> Units:
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
    diverged = fitted(model, part, epochs, look)
    early = quiet[min(1, len(quiet) - 1)]
    woken = float((~quiet[-1])[early].mean()) if early.any() else math.nan
    shares = [float(each.mean()) for each in quiet]
    return Units(variant, seed, shares, stuck, woken, model.history.get("val_accuracy", []), diverged)


@dataclass(frozen=True)
class DyingRelu(Result):
    """What `dying_relu` found.

    Attributes
    ----------
    depth, width, seeds, epochs : int
    learning_rate, first_rate : float
    chance : float
        The accuracy of guessing.
    samples : int
        Of training.
    variants : list of Variant
        The activations as they are, then the remedies of the first one.
    units : list of Units
        Variant by variant, seed by seed.
    """

    depth: int
    width: int
    seeds: int
    epochs: int
    learning_rate: float
    first_rate: float
    chance: float
    samples: int
    variants: list[Variant]
    units: list[Units]

    def of(self, activation: str, remedy: str = "") -> list[Units]:
        """The units of an activation as it is, or with a remedy, seed by seed."""
        return [each for each in self.units if (each.variant.activation, each.variant.remedy) == (activation, remedy)]

    def never_fire(self, activation: str, remedy: str = "", epoch: int = -1) -> Spread:
        """The share of units that never fire, at the end or after another epoch."""
        found = (each.never_fire for each in self.of(activation, remedy))
        return Spread.of(shares[epoch] for shares in found if -1 <= epoch < len(shares))

    def stuck(self, activation: str, remedy: str = "") -> Spread:
        """The share of units without any gradient at the end."""
        return Spread.of(each.stuck[-1] for each in self.of(activation, remedy))

    def accuracy(self, activation: str, remedy: str = "") -> Spread:
        """Of the held-out samples after the last epoch, over the seeds that did not diverge."""
        return Spread.of(each.end for each in self.of(activation, remedy))

    @property
    def title(self) -> str:
        return _("Dying relu: units that never fire (depth {depth}, {width} units in each hidden layer)").format(
            depth=self.depth, width=self.width
        )

    def tables(self) -> list[Table]:
        rows = []
        for each in self.variants:
            key = each.activation, each.remedy
            rows.append([
                each.label,
                self.never_fire(*key, epoch=1).text(share),
                self.never_fire(*key).text(share),
                self.stuck(*key).text(share),
                reached(self.of(*key)),
            ])  # fmt: skip
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
        ends = listed(f"{each.label} {reached(self.of(each.activation, each.remedy))}" for each in self.variants)
        return [
            paragraph(words),
            _(
                "A unit whose slope is 0 for every sample gets no gradient, so it does not learn. The share of "
                "such units at the end: {shares}. Accuracy: {ends}."
            ).format(shares=_listed(stuck), ends=ends),
        ]

    def as_dict(self) -> dict[str, Any]:
        """Settings, and what became of the units of every network."""
        return {"experiment": "dying-relu", **plain(asdict(self))}

    @style.lettering()
    def figure(self) -> Any:
        """The share of units that never fire, and of those without a gradient, over training; and the accuracy."""
        figure = style.figure(13, 9)
        figure.suptitle(self.title, fontsize=14)
        upper, lower = figure.subfigures(2, 1, height_ratios=[1.5, 1])
        left, right = upper.subplots(1, 2, sharey=True)
        for position, each in enumerate(self.variants):
            found = self.of(each.activation, each.remedy)
            draw_lines(left, range(self.epochs + 1), [units.never_fire for units in found], position, each.label)
            draw_lines(right, range(self.epochs + 1), [units.stuck for units in found], position, each.label)
        for axes, title in (
            (left, _("Units that never fire")),
            (right, _("Units whose slope is 0 for every sample")),
        ):
            axes.axvspan(0, 1, color=style.PALE, alpha=0.3, linewidth=0)
            axes.set_title(title, loc="left", fontsize=11)
            axes.set_ylim(bottom=-0.015)  # lines at 0 are seen
            axes.set_xlabel(
                _("epoch (grey: learning rate {high:g}, then {low:g})").format(
                    high=self.first_rate, low=self.learning_rate
                )
            )
            style.tidy(axes)
            legend(axes, 2)
        left.set_ylabel(_("share of all hidden units"))
        axes = lower.subplots()
        rows = [
            (each.label, [units.end for units in self.of(each.activation, each.remedy)], position, "")
            for position, each in enumerate(self.variants)
        ]
        draw_accuracies(axes, rows, self.epochs, self.chance)
        return figure


def _listed(shares: Mapping[str, Spread]) -> str:
    """Each name with its share, where there is one."""
    return listed(f"{name} {spread.text(share)}" for name, spread in shares.items() if spread.count)
