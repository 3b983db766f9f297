"""The data of a fit on dask's collections: surveyed before training, opened group by group in each epoch."""

from __future__ import annotations

import numbers
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import dask
import numpy as np
from numpy.typing import NDArray

from fastact.dask.training.blocks import Block, aligned
from fastact.dask.training.schedulers import Scheduler
from fastact.dask.training.scores import accuracy, fitted, hits, mean, r2_score
from fastact.dask.training.tasks import Network, State, Survey, View, evaluated, opened, same, surveyed
from fastact.dask.training.trainer import ClusterTrainer, Group
from fastact.mlp.data import as_flag, as_integer, as_rate, class_weights, worth_learning
from fastact.mlp.namespaces import is_lazy
from fastact.mlp.sources import Remote, checked
from fastact.mlp.training import History

__all__ = ["Source", "Watched", "score", "source_of", "watched"]

#: The least rows that a step takes from a block, on the average: with fewer, sending parameters and gradients takes
#: longer than computing with them. 256 rows take four times as long, at 50 GFLOP/s and 1 GB/s, whatever the network.
LEAST = 256

#: How many blocks a step takes its batch from at most, unless dask's configuration says: "fastact.blocks-per-step".
BLOCKS = 8

Encode = Callable[[NDArray[Any]], NDArray[Any]] | None


class Piece(NamedTuple):
    """A block and how many of its rows are wanted."""

    block: Block
    rows: int


class Source(Remote):
    """Blocks of samples to train with.

    An epoch takes the blocks in an order that the model's random state decides, in groups of batch_size / `LEAST`, but
    no more than `most`. A group of n rows makes ceil(n / batch_size) steps. The rows of each block are shuffled by the
    model's key, the number of updates before and the block's number, and cut into as many equal shares.
    """

    def __init__(
        self, model: Any, scheduler: Scheduler, pieces: list[Piece], view: dict[str, Any], shuffle: bool
    ) -> None:
        self.model, self.scheduler, self.network = model, scheduler, Network(model)
        self._pieces, self._view, self._shuffle = pieces, view, shuffle
        self.rows = sum(piece.rows for piece in pieces)
        self.surveys: list[Survey] = []
        self.most = as_integer(dask.config.get("fastact.blocks-per-step", BLOCKS), "fastact.blocks-per-step", 1)

    @property
    def batch(self) -> int:
        """The most samples of a step."""
        size = self.model.batch_size
        return LEAST * min(self.most, len(self._pieces)) if size is None else size

    def check(self) -> None:
        counts = [each.counts for each in self.surveys if each.counts is not None]
        labels = np.flatnonzero(np.sum(counts, axis=0)) if counts else None
        firsts = [each.first for each in self.surveys if each.first is not None]
        constant = firsts and all(each.constant for each in self.surveys)
        worth_learning(self.rows, labels, np.stack(firsts) if constant else None)
        if self.model.batch_size is not None and self.model.batch_size > self.rows:
            warnings.warn(
                f"batch_size={self.model.batch_size} is more than the {self.rows} samples; a batch takes these",
                stacklevel=3,
            )

    @property
    def watched(self) -> Watched:
        """The same rows, to look at."""
        return Watched(self.model, self.scheduler, self._pieces, self._view)

    @property
    def blocks(self) -> int:
        return len(self._pieces)

    def trainer(self, callback: Callable[[int, Any], object] | None) -> Any:
        return ClusterTrainer(self, callback)

    def groups(self) -> Iterator[Group]:
        """The groups of the next epoch; on a cluster, the next one is opened while one trains."""
        pieces, shuffle = self._pieces, None
        if self._shuffle:
            pieces = [pieces[number] for number in self.model._permutation(len(pieces))]
            shuffle = self.model._key, self.model.optimizer.steps
        wanted = min(max(1, self.batch // LEAST), self.most)
        parts = np.array_split(np.arange(len(pieces)), -(-len(pieces) // wanted))
        following = None
        for number, part in enumerate(parts):
            group = following or self._open([pieces[i] for i in part], shuffle, 0)
            following = None
            if self.scheduler.ahead and number + 1 < len(parts):
                following = self._open([pieces[i] for i in parts[number + 1]], shuffle, -1)
            yield group
            del group

    def _open(self, pieces: list[Piece], shuffle: tuple[int, ...] | None, priority: int) -> Group:
        tasks = []
        for block, _ in pieces:
            order = None if shuffle is None else (*shuffle, block.number)
            view = View(block.number, **self._view, shuffle=order)
            tasks.append(self.scheduler.task("rows of block", opened, self.network, view, *block[1:]))
        return Group([piece.rows for piece in pieces], self.scheduler.start(tasks, priority), self.batch)


class Watched:
    """Blocks that are looked at without training."""

    def __init__(self, model: Any, scheduler: Scheduler, pieces: list[Piece], view: dict[str, Any]) -> None:
        self._model, self._scheduler, self._network = model, scheduler, Network(model)
        self._pieces, self._view = pieces, view
        self.rows = sum(piece.rows for piece in pieces)

    def evaluation(self) -> History:
        """Loss and, for classes, accuracy, as `MLP._evaluation` gives them."""
        found = self.each("loss of validation", evaluated, self._state())
        accuracy = sum(each.right for each in found) / self.rows
        scores = {"val_accuracy": [accuracy]} if self._model.loss.classifies else {}
        return {"val_loss": [mean([(each.loss, each.weight) for each in found])], **scores}

    def score(self) -> float:
        """The share of right samples, by their weights, or R^2."""
        if self._model.loss.classifies:
            return accuracy(self.each("score of block", hits, self._state()))
        return r2_score(self.each("score of block", fitted, self._state()))

    def each(self, name: str, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        """What a function gives for these arguments and the rows of each block."""
        scheduler, tasks = self._scheduler, []
        for block, _ in self._pieces:
            view = View(block.number, **self._view)
            rows = scheduler.task("rows of block", opened, self._network, view, *block[1:])
            tasks.append(scheduler.task(name, function, *arguments, rows))
        return scheduler.compute(tasks)

    def _state(self) -> Any:
        return self._scheduler.task("parameters", same, State.of(self._model, self._network))


def source_of(
    model: Any,
    X: Any,
    y: Any,
    sample_weight: Any,
    class_weight: Any,
    validation: Any,
    shuffle: bool,
    batches: int | None,
    encode: Encode = None,
) -> tuple[Source, Watched | Here | None]:
    """Where batches come from, and the data that are held out; the arguments are those of `MLP.fit`.

    `encode` turns the targets of a block into those of the network.
    """
    if y is None:
        raise ValueError("y is missing: X of dask goes with y, a dask array, series or dataframe in the same blocks")
    if batches is not None:
        raise ValueError(f"batches={batches} goes with batches from X, without y; here batch_size decides")
    if model.device != "cpu":
        raise ValueError(f"device={model.device!r} cannot train with dask's collections; take MLP(device='cpu')")
    share = as_rate(validation, "validation", 1) if isinstance(validation, numbers.Real) else 0.0
    scheduler = Scheduler(X, y, sample_weight)
    network = Network(model)
    blocks = _blocks(model, X, y, sample_weight, "")
    view: dict[str, Any] = {"encode": encode, "fraction": share}
    surveys = _survey(scheduler, network, blocks, view, "")
    if class_weight is not None:
        view["of_classes"] = _class_weights(class_weight, surveys)
    train = [Piece(b, s.rows - s.held) for b, s in zip(blocks, surveys, strict=True) if s.rows > s.held]
    source = Source(model, scheduler, train, view, as_flag(shuffle, "shuffle"))
    source.surveys = [each for each in surveys if each.rows]
    if share:
        held = [Piece(b, s.held) for b, s in zip(blocks, surveys, strict=True) if s.held]
        if not held or not train:
            raise ValueError(
                f"validation={share:g} leaves {source.rows} samples to train with and {sum(p.rows for p in held)} to "
                "hold out; give more samples, or validation=(X, y)"
            )
        return source, Watched(model, scheduler, held, {**view, "held": True})
    return source, None if validation is None else _pair(model, validation, encode)


class Here:
    """Data in arrays that are looked at in this process."""

    def __init__(self, model: Any, *data: Any) -> None:
        self._model, self._data = model, checked(model, *data, prefix="validation ")

    def evaluation(self) -> History:
        return dict(self._model._evaluation(*self._data))


def _pair(model: Any, validation: Any, encode: Encode = None) -> Watched | Here:
    """The data of a pair (X, y), or of (X, y, sample_weight), of dask's or not."""
    if not isinstance(validation, list | tuple) or len(validation) not in (2, 3):
        raise TypeError(
            "validation must be a pair (X, y), with weights (X, y, sample_weight), or a share such as 0.1; "
            f"got {type(validation).__name__}"
        )
    if not any(map(is_lazy, validation)):
        return Here(model, *validation)
    return watched(model, *validation, encode=encode, prefix="validation ")


def watched(
    model: Any, X: Any, y: Any, sample_weight: Any = None, *, class_weight: Any = None, encode: Encode = None,
    prefix: str = "",
) -> Watched:  # fmt: skip
    """Collections to look at."""
    scheduler = Scheduler(X, y, sample_weight)
    blocks = _blocks(model, X, y, sample_weight, prefix)
    view: dict[str, Any] = {"prefix": prefix, "encode": encode}
    surveys = _survey(scheduler, Network(model), blocks, view, prefix)
    if class_weight is not None:
        view["of_classes"] = _class_weights(class_weight, surveys)
    pieces = [Piece(block, each.rows) for block, each in zip(blocks, surveys, strict=True) if each.rows]
    return Watched(model, scheduler, pieces, view)


def score(model: Any, X: Any, y: Any) -> float:
    """`MLP.score` of collections."""
    return watched(model, X, y).score()


def _blocks(model: Any, X: Any, y: Any, sample_weight: Any, prefix: str) -> list[Block]:
    """The blocks, checked as far as that goes without computing them."""
    table, blocks = aligned(X, y, sample_weight, prefix)
    table.check_numbers()
    inputs = model.layer_sizes[0]
    if table.columns != inputs:
        raise ValueError(
            f"{table.name} has {table.columns} features, the network wants {inputs}; change {table.name} or layer_sizes"
        )
    return blocks


def _survey(
    scheduler: Scheduler, network: Network, blocks: list[Block], view: dict[str, Any], prefix: str
) -> list[Survey]:
    """Look at all targets and weights, in one pass."""
    tasks = [
        scheduler.task("survey of block", surveyed, network, View(block.number, **view), block.y, block.weights)
        for block in blocks
    ]
    surveys: list[Survey] = scheduler.compute(tasks)
    without = [block for block, each in zip(blocks, surveys, strict=True) if not each.rows]
    lengths = scheduler.compute([scheduler.task("length of block", len, block.X) for block in without])
    for block, length in zip(without, lengths, strict=True):
        if length:
            raise ValueError(
                f"block {block.number} of {prefix}X has {length} samples and that of y 0; they must pair up"
            )
    if not any(each.rows for each in surveys):
        raise ValueError(f"{prefix}X is empty in all its {len(blocks)} blocks; give at least one sample")
    if not any(each.weighs for each in surveys):
        raise ValueError(f"{prefix}sample_weight is 0 for all samples; give at least one a positive weight")
    return surveys


def _class_weights(value: Any, surveys: list[Survey]) -> NDArray[np.float64]:
    found = [each.counts for each in surveys if each.counts is not None]
    if len(found) < sum(each.rows > 0 for each in surveys):
        raise ValueError(f"class_weight={value!r:.99} goes with one label per sample; use sample_weight")
    counts = np.sum(found, axis=0)
    weights = class_weights(value, counts)
    if not (weights * counts).any():
        raise ValueError(
            f"class_weight={value!r:.99} leaves all samples without weight; give a class in y, of samples that have "
            "one, a positive weight"
        )
    return weights
