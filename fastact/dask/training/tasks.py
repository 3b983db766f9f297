"""What workers compute: functions of their arguments, which keep nothing and change nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastact.dask.training.blocks import as_array
from fastact.mlp.data import as_table, as_weights
from fastact.mlp.eager import Eager
from fastact.mlp.layers import Dense, Kept, forward, stacked
from fastact.mlp.objectives import Target
from fastact.mlp.training import gradients

__all__ = [
    "Network", "Rows", "Share", "State", "Survey", "View", "added", "evaluated", "gradient",
    "opened", "same", "surveyed",
]  # fmt: skip


class Network:
    """What a model is made of, without its numbers: small, and the same for a whole fit."""

    def __init__(self, model: Any) -> None:
        self.plans = [layer.plan for layer in model.layers]
        self.loss, self.dtype, self.key = model.loss, model.dtype, model._key
        self.inputs, self.units = model.layer_sizes[0], model.layer_sizes[-1]


class Replica:
    """The layers of a network with the numbers of a state, for one task: nobody else writes to them."""

    l2 = 0.0  # the penalty is added once for each step, and not by tasks

    def __init__(self, state: State) -> None:
        self.loss = state.network.loss
        parameters = np.empty_like(state.parameters)
        self.gradients = np.zeros_like(parameters)
        statistics = np.empty_like(state.statistics)
        self.layers: list[Dense] = stacked(state.network.plans, parameters, self.gradients, statistics)
        parameters[...], statistics[...] = state.parameters, state.statistics


class State:
    """A network and its numbers before a step."""

    def __init__(self, network: Network, parameters: NDArray[Any], statistics: NDArray[Any]) -> None:
        self.network, self.parameters, self.statistics = network, parameters, statistics

    def __sizeof__(self) -> int:
        """Bytes, by which dask decides what to move where."""
        return int(self.parameters.nbytes + self.statistics.nbytes)

    @classmethod
    def of(cls, model: Any, network: Network | None = None) -> State:
        """A copy of the model's, which goes on changing."""
        return cls(network or Network(model), model.parameters.copy(), model.statistics.copy())

    def last(self, x: NDArray[Any], output: bool) -> Kept:
        """What the last layer gives for samples in prediction."""
        return forward(Eager(len(x)), Replica(self).layers, x, output=output)[-1]

    # ---- the methods of MLP of these names, for a block

    def forward(self, x: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(self.last(x, True).output)

    def predict(self, x: NDArray[Any]) -> NDArray[Any]:
        loss = self.network.loss
        return np.asarray(loss.predict(self.last(x, not loss.fused)))

    def predict_proba(self, x: NDArray[Any]) -> NDArray[Any]:
        output = self.forward(x)
        return np.hstack([1 - output, output]) if output.shape[1] == 1 else output


def same(state: State) -> State:
    """A task of its own, from which each worker gets the state once."""
    return state


# ---- data


class View(NamedTuple):
    """How a block is to be read.

    Attributes
    ----------
    number : of the block
    prefix : of the names of arguments in errors
    encode : what is made of the block's targets before the loss looks at them
    of_classes : what the classes weigh
    fraction : the share of the rows that are held out
    held : whether those are wanted, or the others
    shuffle : whether and how the rows are shuffled: numbers from which the order follows
    """

    number: int
    prefix: str = ""
    encode: Callable[[NDArray[Any]], NDArray[Any]] | None = None
    of_classes: NDArray[np.float64] | None = None
    fraction: float = 0.0
    held: bool = False
    shuffle: tuple[int, ...] | None = None

    @property
    def place(self) -> str:
        return f"block {self.number} of {self.prefix}"


class Survey(NamedTuple):
    """What is to be known of a block before training.

    Attributes
    ----------
    rows, held : how many it has, and how many of them are held out
    counts : how many there are of each label, where samples have one
    first : the first row of the targets, where they are numbers
    constant : whether all are as the first
    weighs : whether the weights, where there are any, have a positive one
    """

    rows: int
    held: int
    counts: NDArray[np.intp] | None
    first: NDArray[Any] | None
    constant: bool
    weighs: bool


class Rows:
    """Samples and targets of a block, checked, as training takes them."""

    def __init__(self, x: NDArray[Any], target: Target) -> None:
        self.x, self.target = x, target

    def __sizeof__(self) -> int:
        """Bytes, by which dask decides what to move where, and what to keep on disk."""
        return int(self.x.nbytes + sum(each.nbytes for each in self.target if each is not None))

    def part(self, start: int, stop: int) -> tuple[NDArray[Any], Target]:
        return self.x[start:stop], self.target.rows(slice(start, stop))


def surveyed(network: Network, view: View, y: Any, weights: Any) -> Survey:
    """Look at the targets and weights of a block."""
    if not len(y):
        return Survey(0, 0, None, None, True, False)
    target = _targets(network, view, y)
    if weights is not None:
        weighs = bool(_weights(network, view, weights, target.samples).any())
    held = len(_parted(network, view, target)[1])
    counts = None
    if target.labels is not None and target.certain:
        counts = np.bincount(target.labels, minlength=max(network.units, 2))
    table = target.table if target.labels is None else None
    first = None if table is None else table[0]
    constant = table is not None and bool((table == first).all())
    return Survey(target.samples, held, counts, first, constant, weights is None or weighs)


def opened(network: Network, view: View, X: Any, y: Any, weights: Any) -> Rows:
    """Check a block, and give its rows that are wanted, in their order."""
    target = _targets(network, view, y)
    x = as_table(as_array(X), f"{view.place}X", network.inputs, network.dtype)
    if len(x) != target.samples:
        raise ValueError(f"{view.place}X has {len(x)} samples and that of y {target.samples}; they must pair up")
    if weights is not None:
        weights = _weights(network, view, weights, len(x))
    if view.of_classes is not None:
        of_classes = view.of_classes[target.labels].astype(network.dtype)
        weights = of_classes if weights is None else weights * of_classes
    chosen = None
    if view.fraction:
        chosen = _parted(network, view, target)[int(view.held)]
    if weights is not None:
        target = network.loss.weighted(target, weights, network.units)
    if view.shuffle is not None:
        chosen = np.arange(len(x)) if chosen is None else chosen
        chosen = np.random.default_rng(view.shuffle).permutation(chosen)
    return Rows(x, target) if chosen is None else Rows(x[chosen], target.rows(chosen))


def _targets(network: Network, view: View, y: Any) -> Target:
    array = as_array(y)
    if view.encode is not None:
        array = view.encode(array)
    return network.loss.targets(array, f"{view.place}y", network.units, network.dtype)


def _weights(network: Network, view: View, weights: Any, rows: int) -> NDArray[Any]:
    array = as_array(weights)
    array = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    return as_weights(array, f"{view.place}sample_weight", rows, network.dtype, part=True)


def _parted(network: Network, view: View, target: Target) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The rows of a block that train, and those that are held out: of each label the same share, on the average.

    A share of a row is rounded up or down by chance, so that rare labels, of which no block has many, get theirs.
    """
    rng = np.random.default_rng((network.key, view.number))
    order, labels = rng.permutation(target.samples), target.labels
    groups = [order]
    if labels is not None and labels.ndim == 1:
        groups = [order[labels[order] == label] for label in np.unique(labels)]
    parts = [np.split(group, [int(view.fraction * len(group) + rng.random())]) for group in groups]
    held, rest = (np.sort(np.concatenate([part[side] for part in parts])) for side in (0, 1))
    return rest, held


# ---- steps


class Share(NamedTuple):
    """What some rows of a step's batch give: means over them, and what these count in means over the batch.

    Attributes
    ----------
    gradient : by the parameters
    loss : without penalties
    weight : the sum of the rows' weights
    right : how many rows are predicted rightly
    rows : how many there are
    means, variances : of the preactivations, for batch normalisation, of all its layers in a row
    """

    gradient: NDArray[Any]
    loss: float
    weight: float
    right: int
    rows: int
    means: NDArray[np.float64]
    variances: NDArray[np.float64]


def gradient(state: State, step: int, place: int, rows: Rows, start: int, stop: int) -> Share:
    """The gradient of some rows, which are the share number `place` of their step."""
    x, target = rows.part(start, stop)
    replica, network = Replica(state), state.network
    key = int(np.random.SeedSequence((network.key, place)).generate_state(1, np.uint64)[0])
    run = Eager(len(x), target.weights, step, key)
    with np.errstate(all="ignore"):  # divergence is looked for once, at the end of the epoch
        passes = gradients(run, replica, x, target)
    normalised = [kept.normalised for kept in passes if kept.normalised is not None]
    means, variances = (
        np.concatenate([np.empty(0), *(getattr(each, name) for each in normalised)]) for name in ("mean", "variance")
    )
    weight = _weight(target)
    return Share(replica.gradients, float(run.loss), weight, int(run.right), len(x), means, variances)


def added(shares: Sequence[Share]) -> Share:
    """The means over several shares, added in their order."""
    if len(shares) == 1:
        return shares[0]
    with np.errstate(all="ignore"):
        weight, rows = sum(each.weight for each in shares), sum(each.rows for each in shares)
        total, loss = np.zeros_like(shares[0].gradient), 0.0
        term = np.empty_like(total)
        for each in shares:
            factor = each.weight / weight if weight else 0.0
            np.multiply(each.gradient, total.dtype.type(factor), out=term)
            total += term
            loss += each.loss * factor
        means, variances = np.zeros_like(shares[0].means), np.zeros_like(shares[0].means)
        for each in shares:
            means += each.means * (each.rows / rows)
        for each in shares:  # the law of total variance
            variances += (each.variances + np.square(each.means - means)) * (each.rows / rows)
    return Share(total, loss, weight, sum(each.right for each in shares), rows, means, variances)


class Evaluation(NamedTuple):
    """Loss, weight, right rows and rows of a block, as in `Share`; without gradients."""

    loss: float
    weight: float
    right: int
    rows: int


def evaluated(state: State, rows: Rows) -> Evaluation:
    """Loss and right predictions of a block that training does not see."""
    replica, target = Replica(state), rows.target
    run = Eager(len(rows.x), target.weights)
    with np.errstate(all="ignore"):
        passes = forward(run, replica.layers, rows.x, output=not replica.loss.fused)
        replica.loss.gradient(run, replica.layers[-1], passes[-1], target)
    return Evaluation(float(run.loss), _weight(target), int(run.right), len(rows.x))


def _weight(target: Target) -> float:
    return float(target.samples if target.weights is None else target.weights[:, 0].sum(dtype=np.float64))
