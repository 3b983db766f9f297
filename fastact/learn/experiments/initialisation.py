"""Initial weights: what becomes of the outputs of each layer, for each scale of the weights and each activation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

import fastact as fa
from fastact.language import listed
from fastact.language import translated as _
from fastact.learn.experiments.arguments import counts, positive
from fastact.learn.experiments.deep import elementwise
from fastact.learn.experiments.progress import Progress, counted, silent
from fastact.learn.experiments.spread import Spread, share, short
from fastact.learn.result import Result, Table

__all__ = ["Cell", "Initialisation", "initialisation"]

Array = NDArray[Any]
#: Bars of a histogram.
_BARS = 40
#: How far histograms reach for activations without a bound.
_FAR = 3.0
_SAMPLES = 1000


def initialisation(
    activations: Sequence[str] = ("sigmoid", "tanh", "relu"),
    scales: Sequence[float] = (0.01, 1.0),
    depth: int = 5,
    width: int = 100,
    seeds: int = 10,
    progress: Progress = silent,
) -> Initialisation:
    """Send 1,000 standard normal samples through untrained networks, and look at the outputs of each hidden layer.

    Weights are normal. Their standard deviation is each of `scales`, Glorot's sqrt(1 / inputs), He's
    sqrt(2 / inputs), and the largest of `scales` with batch normalisation.

    Parameters
    ----------
    activations : sequence of str
        For the hidden layers.
    scales : sequence of float
        Standard deviations of the weights.
    depth, width : int
        Hidden layers, and the units of each; the samples have as many features.
    seeds : int
        How many networks of each kind.
    progress : callable, optional
        Called as progress(done, total) after each network.

    Returns
    -------
    Initialisation

    Raises
    ------
    ValueError
        An activation is unknown or has no derivative, or a number is not positive.

    Examples
    --------
    >>> from fastact.learn import experiments
    >>> found = experiments.initialisation(seeds=1)
    >>> small, he = (found.cell(row, "relu").deviations[0, 4] for row in ("0.01", "he"))
    >>> bool(he > 100 * small)
    True
    """
    names = elementwise(activations)
    if not scales:
        raise ValueError("scales=[]; name at least one standard deviation of weights, such as 0.01")
    counts(depth=depth, width=width, seeds=seeds)
    positive(scales=min(scales))
    rows: dict[str, tuple[float, bool]] = {f"{scale:g}": (scale, False) for scale in scales}
    rows |= {"glorot": (math.sqrt(1 / width), False), "he": (math.sqrt(2 / width), False)}
    rows |= {"batch_norm": (max(scales), True)}
    jobs = [(row, name) for row in rows for name in names]
    cells = [_cell(row, *rows[row], name, depth, width, seeds) for row, name in counted(jobs, progress)]
    return Initialisation(names, {row: scale for row, (scale, _normal) in rows.items()}, depth, width, seeds, cells)


@dataclass(frozen=True)
class Cell:
    """Networks with the same weights' scale and activation.

    Attributes
    ----------
    row : str
        The scale's short name, "glorot", "he" or "batch_norm".
    activation : str
    deviations : ndarray (seeds, layers)
        The standard deviation of all outputs of a hidden layer.
    flat : ndarray (seeds, layers)
        The share of outputs where the slope is below a tenth of the activation's largest.
    counts : ndarray (layers, bars)
        Histograms of the outputs, as shares, of all seeds together; the outermost bars have all beyond them too.
    edges : ndarray (bars + 1,)
    """

    row: str
    activation: str
    deviations: Array
    flat: Array
    counts: Array
    edges: Array

    def spreads(self, figure: Literal["deviations", "flat"]) -> list[Spread]:
        """Of each layer, over the seeds."""
        return [Spread.of(layer) for layer in getattr(self, figure).T]


def _cell(row: str, scale: float, normal: bool, name: str, depth: int, width: int, seeds: int) -> Cell:
    activation = fa.get(name)
    line = np.linspace(-10, 10, 2001, dtype=np.float32)
    values, largest = activation(line), activation.derivative(line).max()
    edges = np.linspace(max(values.min(), -_FAR), min(values.max(), _FAR), _BARS + 1)
    deviations, flat = np.empty((2, seeds, depth))
    counts = np.zeros((depth, _BARS))
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((_SAMPLES, width), np.float32)
        model = fa.MLP([width] * (depth + 1) + [1], activation=activation, batch_norm=normal, seed=seed)
        for layer in model.layers[:-1]:
            layer.weights = rng.normal(0, scale, (width, width))
        with np.errstate(all="ignore"):  # outputs may overflow
            model.loss_and_gradients(x, x[:, 0])  # as in training, where batch normalisation takes the batch's mean
            for number, layer in enumerate(model.layers[:-1]):
                outputs = layer.output.astype(np.float64)
                deviations[seed, number] = outputs.std()
                place = (outputs - edges[0]) * (_BARS / (edges[-1] - edges[0]))
                bars = place[~np.isnan(place)].clip(0, _BARS - 1).astype(np.intp)
                counts[number] += np.bincount(bars, minlength=_BARS) / (outputs.size * seeds)
                flat[seed, number] = (activation.derivative(layer.preactivation) < largest / 10).mean()
    return Cell(row, name, deviations, flat, counts, edges)


@dataclass(frozen=True)
class Initialisation(Result):
    """What `initialisation` found.

    Attributes
    ----------
    activations : list of str
    scales : dict of float
        By each row's name, the standard deviation of its weights.
    depth, width, seeds : int
    cells : list of Cell
        Row by row, activation by activation.
    """

    activations: list[str]
    scales: dict[str, float]
    depth: int
    width: int
    seeds: int
    cells: list[Cell]

    def cell(self, row: str, activation: str) -> Cell:
        """What a scale of weights makes of an activation."""
        return next(each for each in self.cells if (each.row, each.activation) == (row, activation))

    def label(self, row: str) -> str:
        """A row's name for readers."""
        named = {
            "glorot": _("Glorot, {scale:.2g}"),
            "he": _("He, {scale:.2g}"),
            "batch_norm": _("{scale:g}, batch norm"),
        }
        return named.get(row, "{scale:g}").format(scale=self.scales[row])

    @property
    def title(self) -> str:
        return _("Initial weights: outputs of hidden layers (depth {depth}, {width} units in each)").format(
            depth=self.depth, width=self.width
        )

    def tables(self) -> list[Table]:
        columns = [_("weights"), "", *(_("layer {number}").format(number=number + 1) for number in range(self.depth))]
        caption = _(
            "Std: standard deviation of the outputs of a hidden layer. Flat: the share of them where the slope is "
            "below a tenth of the largest. Seeds: {seeds}; medians before training. Glorot's weights have the "
            "standard deviation sqrt(1 / inputs), He's sqrt(2 / inputs)."
        ).format(seeds=self.seeds)
        tables = []
        for name in self.activations:
            rows = []
            for row in self.scales:
                cell = self.cell(row, name)
                rows.append([self.label(row), _("std"), *(short(each.centre) for each in cell.spreads("deviations"))])
                rows.append(["", _("flat"), *(share(each.centre) for each in cell.spreads("flat"))])
            last = caption if name == self.activations[-1] else ""
            title = _("{title}: {name}").format(title=self.title, name=name)
            tables.append(Table(columns, rows, words=2, title=title, caption=last))
        return tables

    def sentences(self) -> list[str]:
        given = [row for row in self.scales if row not in ("glorot", "he", "batch_norm")]
        small, large = (pick(given, key=lambda row: self.scales[row]) for pick in (min, max))
        cells = {name: self.cell(large, name) for name in self.activations}
        flat = listed(f"{name} {cell.spreads('flat')[-1].text(share)}" for name, cell in cells.items())
        return [
            _(
                "With weights of standard deviation {scale}, that of the outputs changes from layer 1 to layer "
                "{depth} as follows: {course}. The smaller it is, the more alike all samples look to the next "
                "layer."
            ).format(depth=self.depth, scale=self.label(small), course=self._course(small)),
            _(
                "With weights of standard deviation {scale}, it changes as follows: {course}. Flat parts of the "
                "activation hardly let a gradient pass; the shares of the outputs of layer {depth} that lie there "
                "are {flat}."
            ).format(depth=self.depth, scale=self.label(large), course=self._course(large), flat=flat),
            _(
                "With Glorot's weights, it changes as follows: {glorot}. With He's weights: {he}. With batch "
                "normalisation: {normal}."
            ).format(glorot=self._course("glorot"), he=self._course("he"), normal=self._course("batch_norm")),
        ]

    def _course(self, row: str) -> str:
        """The standard deviation in the first and in the last layer, of each activation."""
        found = {name: self.cell(row, name).spreads("deviations") for name in self.activations}
        return listed(
            f"{name} {short(layers[0].centre)} \u2192 {short(layers[-1].centre)}" for name, layers in found.items()
        )

    def as_dict(self) -> dict[str, Any]:
        """Settings, and all cells with their histograms."""
        return {"experiment": "initialisation", **super().as_dict()}
