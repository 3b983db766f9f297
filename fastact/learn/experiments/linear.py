"""Networks without an activation: however deep, they are one linear map, and draw one straight border."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastact as fa
from fastact.language import listed
from fastact.language import translated as _
from fastact.learn.data.named import problem
from fastact.learn.experiments.arguments import counts
from fastact.learn.experiments.deep import elementwise, network
from fastact.learn.experiments.progress import Progress, counted, silent
from fastact.learn.experiments.spread import Spread, share, short
from fastact.learn.result import Result, Table, plain

__all__ = ["Fit", "Linear", "linear"]

Array = NDArray[Any]
#: The side of the squares for which `Fit.border` has probabilities, and how far they reach.
_CELLS, _MARGIN = 61, 0.4


def linear(
    activation: str = "relu",
    depth: int = 5,
    width: int = 16,
    problems: Sequence[str] = ("xor", "circles", "moons"),
    seeds: int = 10,
    steps: int = 800,
    learning_rate: float = 0.02,
    progress: Progress = silent,
) -> Linear:
    """Train networks without an activation, shallow and deep, and one with it; then multiply the matrices of each.

    Parameters
    ----------
    activation : str
        For the one hidden layer of the networks to compare with.
    depth, width : int
        Hidden layers of the deep network, and the units of each.
    problems : sequence of str
        Two classes of points in a plane, as `fastact.learn.data.named.problem` knows them.
    seeds : int
        How many networks of each kind.
    steps : int
        Updates by Adam, at least.
    learning_rate : float
    progress : callable, optional
        Called as progress(done, total) after each training.

    Returns
    -------
    Linear

    Raises
    ------
    ValueError
        The activation is unknown or has no derivative, a problem is unknown or of another kind, or a number is below 1.

    Examples
    --------
    >>> from fastact.learn import experiments
    >>> found = experiments.linear(problems=["xor"], seeds=1)
    >>> found.accuracy("xor", "identity", 5).centre <= 0.75, found.accuracy("xor", "relu", 1).centre
    (True, 1.0)
    >>> found.difference < 1e-9
    True
    """
    counts(depth=depth, width=width, seeds=seeds, steps=steps)
    [name] = elementwise([activation], "activation")
    if not problems:
        raise ValueError("problems=[]; name at least one, such as 'xor'")
    tasks = {each: problem(each) for each in problems}
    for key, task in tasks.items():
        if task.features != 2 or task.task != "binary":
            raise ValueError(f"problems: {key!r} is not two classes of points in a plane; take 'moons'")
    kinds = list(dict.fromkeys([("identity", 1), ("identity", depth), (name, 1)]))
    jobs = [(key, *kind, seed) for key in tasks for kind in kinds for seed in range(seeds)]
    fits = []
    for key, function, layers, seed in counted(jobs, progress):
        part = tasks[key].split(seed)
        settings: dict[str, Any] = {"activation": function, "learning_rate": learning_rate, "dtype": np.float64}
        model = network(tasks[key], [width] * layers, seed, **settings)
        batches = math.ceil(len(part.train_x) / model._rows)
        model.fit(part.train_x, part.train_y, epochs=math.ceil(steps / batches))
        ends = _range(part.train_x)
        fits.append(
            Fit(
                key, function, layers, seed, model.score(part.test_x, part.test_y),
                _difference(model, part.test_x) if function == "identity" else None,
                Border(part.train_x, part.train_y, ends, _probabilities(model, ends)) if seed == 0 else None,
            )
        )  # fmt: skip
    return Linear(list(tasks), name, depth, width, seeds, steps, learning_rate, kinds, fits)


@dataclass(frozen=True)
class Border:
    """How a network parts the plane.

    Attributes
    ----------
    points : ndarray (samples, 2)
        What it has learnt from.
    labels : ndarray of int (samples,)
    ends : tuple of float
        The left, right, lower and upper end of the part of the plane.
    probabilities : ndarray (n, n)
        Of the second class; rows are y, columns x, both upwards.
    """

    points: Array
    labels: Array
    ends: tuple[float, float, float, float]
    probabilities: Array


@dataclass(frozen=True)
class Fit:
    """One trained network.

    Attributes
    ----------
    problem, activation : str
    depth : int
        Hidden layers.
    seed : int
    accuracy : float
        Of the held-out samples.
    difference : float or None
        How far the probabilities of one single matrix, the product of all of the network, are from the network's, at
        most; None with an activation.
    border : Border or None
        Of seed 0.
    """

    problem: str
    activation: str
    depth: int
    seed: int
    accuracy: float
    difference: float | None
    border: Border | None


def _range(points: Array) -> tuple[float, float, float, float]:
    low, high = points.min(axis=0) - _MARGIN, points.max(axis=0) + _MARGIN
    return float(low[0]), float(high[0]), float(low[1]), float(high[1])


def _probabilities(model: fa.MLP, ends: tuple[float, float, float, float]) -> Array:
    x, y = np.meshgrid(np.linspace(*ends[:2], _CELLS), np.linspace(*ends[2:], _CELLS))
    return model.forward(np.column_stack([x.ravel(), y.ravel()])).reshape(_CELLS, _CELLS)


def _difference(model: fa.MLP, x: Array) -> float:
    """How far one matrix and one bias, made of all layers', are from the network's probabilities."""
    matrix, bias = np.eye(x.shape[1]), np.zeros(x.shape[1])
    for layer in model.layers:
        matrix, bias = matrix @ layer.weights, bias @ layer.weights + layer.bias
    return float(np.abs(fa.sigmoid(x.astype(np.float64) @ matrix + bias) - model.forward(x)).max())


@dataclass(frozen=True)
class Linear(Result):
    """What `linear` found.

    Attributes
    ----------
    problems : list of str
    activation : str
        Of the networks to compare with.
    depth, width, seeds, steps : int
    learning_rate : float
    kinds : list of (str, int)
        The networks' activations and hidden layers.
    fits : list of Fit
        Problem by problem, kind by kind, seed by seed.
    """

    problems: list[str]
    activation: str
    depth: int
    width: int
    seeds: int
    steps: int
    learning_rate: float
    kinds: list[tuple[str, int]]
    fits: list[Fit]

    def of(self, problem: str, activation: str, depth: int) -> list[Fit]:
        """The networks of a kind on a problem, seed by seed."""
        kind = problem, activation, depth
        return [each for each in self.fits if (each.problem, each.activation, each.depth) == kind]

    def accuracy(self, problem: str, activation: str, depth: int) -> Spread:
        """Of the held-out samples, over the seeds."""
        return Spread.of(each.accuracy for each in self.of(problem, activation, depth))

    @property
    def difference(self) -> float:
        """The largest one between a network without an activation and the product of its matrices."""
        return max(each.difference for each in self.fits if each.difference is not None)

    @property
    def title(self) -> str:
        return _("Without an activation, any depth is one linear map")

    def label(self, activation: str, depth: int) -> str:
        """A kind of network, for readers."""
        name = _("no activation") if activation == "identity" else activation
        layers = _("{depth} hidden layers") if depth > 1 else _("1 hidden layer")
        return listed([name, layers.format(depth=depth)])

    def tables(self) -> list[Table]:
        rows = [
            [self.label(*kind), *(self.accuracy(each, *kind).text(share) for each in self.problems)]
            for kind in self.kinds
        ]
        caption = _(
            "Seeds: {seeds}; median (least to largest) of the accuracy on held-out points (xor: on the four points of "
            "training), after {steps:,} steps of Adam. {width} units in each hidden layer, sigmoid in the output "
            "layer."
        ).format(seeds=self.seeds, steps=self.steps, width=self.width)
        return [Table([_("network"), *self.problems], rows, caption=caption)]

    def sentences(self) -> list[str]:
        straight = [kind for kind in self.kinds if kind[0] == "identity"]
        best = [f"{each} {share(max(self.accuracy(each, *kind).high for kind in straight))}" for each in self.problems]
        bent = [f"{each} {self.accuracy(each, self.activation, 1).text(share)}" for each in self.problems]
        return [
            _(
                "Without an activation, layers multiply into one: with f(x) = 2x and g(x) = 3x, g(f(x)) = 3(2x) = "
                "6x. One layer with the product of the trained matrices gives the same probabilities as {depth} "
                "hidden layers: they differ by {difference} at most, and float64 itself rounds at about 1e-16."
            ).format(depth=self.depth, difference=short(self.difference)),
            _(
                "One linear map draws one straight border. Accuracy of the best network without an activation: {best}. "
                "With one hidden layer of {name}: {bent}."
            ).format(best=listed(best), name=self.activation, bent=listed(bent)),
        ]

    def as_dict(self) -> dict[str, Any]:
        """Settings, and all networks; without the borders, which are pictures."""
        fits = [{name: value for name, value in vars(each).items() if name != "border"} for each in self.fits]
        return {"experiment": "linear", **plain({**vars(self), "fits": fits})}
