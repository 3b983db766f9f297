"""Training of a network on a table: the parts, the epochs, and the best of them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastact as fa
from fastact.learn.data.columns import Columns
from fastact.learn.data.frames import tidy
from fastact.learn.data.problem import output_layer
from fastact.learn.data.table import TEST_SHARE, rows_to_learn
from fastact.learn.data.target import Wish
from fastact.learn.tabular.findings import Parts, Training
from fastact.learn.tabular.model import TableModel
from fastact.learn.tabular.scores import scores_for

__all__ = ["train"]

#: The share of the rows not kept for the test that chooses the epoch.
_VALIDATION_SHARE = 0.2
#: The most rows whose predictions a picture shows.
_SHOWN = 1000


def train(
    frame: Any,
    target: str,
    *,
    task: Wish | None = None,
    hidden: Sequence[int] = (64, 32),
    activation: Any = "relu",
    optimizer: Any = "adam",
    learning_rate: float = 1e-3,
    batch_size: int | None = None,
    epochs: int = 200,
    patience: int = 20,
    test_share: float = TEST_SHARE,
    seed: int = 0,
    callback: Callable[[int, fa.MLP], object] | None = None,
) -> Training:
    """Train a network that predicts a column of a table from the others.

    The rows are split three ways, with equal shares of each class: those to learn from, those that decide when to stop
    and which epoch is the best, and those to measure the result on. `fastact.learn.data.columns` says what becomes of
    the columns. After Ctrl-C the best epoch so far is kept, if there is one.

    Parameters
    ----------
    frame : DataFrame
    target : str
        The column to predict.
    task : {"classification", "regression"}, optional
        Unless given, the column decides: texts, booleans and few different whole numbers are classes.
    hidden : sequence of int
        Units of the hidden layers.
    activation, optimizer, learning_rate
        As for `fastact.MLP`.
    batch_size : int, optional
        Unless given, it grows with the table from 32 to 1024.
    epochs : int
        The most.
    patience : int
        Stop after more than this many epochs without a lower validation loss.
    test_share : float
        The share of the rows to measure on.
    seed : int
        Decides the parts and the network.
    callback : callable, optional
        Called as callback(epoch, network) after each epoch; a true result stops training.

    Returns
    -------
    Training

    Raises
    ------
    ValueError
        The table cannot be learnt, or not with a setting; the message says why.
    FloatingPointError
        The loss or a weight became infinite or nan.

    Examples
    --------
    >>> import pandas
    >>> from fastact.learn.tabular import train
    >>> x = np.random.default_rng(0).normal(size=500)
    >>> training = train(pandas.DataFrame({"x": x, "y": 3 * x + 1}), "y", epochs=50)
    >>> training.scores.rows
    100
    """
    if not 0 < test_share < 1:
        raise ValueError(f"test_share={test_share!r}; take a share between 0 and 1, such as {TEST_SHARE}")
    started = time.perf_counter()
    table = tidy(frame)
    learnt = rows_to_learn(table, target, task, test_share)
    rest, test = learnt.parts(test_share, seed)
    first, validation = learnt.parts(_VALIDATION_SHARE, seed, rest)
    columns = Columns.fit(table, learnt.rows[first], learnt.kinds)
    goal = learnt.target.fit(learnt.values[first])
    outputs, output = output_layer(goal.task, goal.classes)
    network = fa.MLP(
        (len(columns.features), *hidden, outputs), activation, output, optimizer=optimizer, seed=seed,
        learning_rate=learning_rate, batch_size=batch_size or _batch_size(len(first)),
    )  # fmt: skip

    def part(positions: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[Any]]:
        return columns.encode(table, learnt.rows[positions]), goal.learnt(learnt.values[positions])

    best = _Best(callback)
    interrupted = False
    try:
        network.fit(*part(first), epochs=epochs, validation=part(validation), patience=patience, callback=best)
    except KeyboardInterrupt:
        if best.state is None:
            raise
        interrupted = True
    best.restore(network)
    model = TableModel(columns, goal, network)
    scores, true = scores_for(goal), learnt.values[test]
    predicted = model.outputs(table.iloc[learnt.rows[test]])
    scores.add(predicted, true)
    return Training(
        model,
        scores,
        best.epoch,
        Parts(len(first), len(validation), len(test)),
        (*learnt.notes, *columns.notes()),
        None if goal.classes else np.stack([true, predicted])[:, :_SHOWN],
        interrupted,
        time.perf_counter() - started,
    )


class _Best:
    """Remembers the epoch with the lowest validation loss; a callback of `fastact.MLP.fit`."""

    def __init__(self, callback: Callable[[int, fa.MLP], object] | None) -> None:
        self.epoch, self.loss, self._callback = 0, math.inf, callback
        self.state: tuple[NDArray[Any], NDArray[Any]] | None = None

    def __call__(self, epoch: int, network: fa.MLP) -> object:
        loss = network.history["val_loss"][-1]
        if loss < self.loss:
            self.epoch, self.loss = epoch, loss
            self.state = network.parameters.copy(), network.statistics.copy()
        return self._callback(epoch, network) if self._callback else None

    def restore(self, network: fa.MLP) -> None:
        """Give the network the weights of that epoch."""
        if self.state is not None:
            network.parameters[...], network.statistics[...] = self.state


def _batch_size(rows: int) -> int:
    """A power of two: about a hundred batches an epoch."""
    return int(2 ** np.clip(round(math.log2(rows / 100)), 5, 10))
