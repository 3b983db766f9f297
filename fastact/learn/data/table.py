"""A table as something to learn: which rows, which columns, and how a seed splits them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastact.errors import require
from fastact.language import Message
from fastact.learn.data.columns import Columns, InputKind, input_kinds
from fastact.learn.data.frames import tidy
from fastact.learn.data.problem import Problem, Split
from fastact.learn.data.reading import read
from fastact.learn.data.target import Target, Wish

__all__ = ["Rows", "TableProblem", "problem", "rows_to_learn"]

#: The share of all rows to measure on.
TEST_SHARE = 0.2


def problem(
    path: str | PathLike[str],
    target: str,
    task: Wish | None = None,
    *,
    progress: Callable[[int], object] | None = None,
) -> TableProblem:
    """Make a problem from a file: predict the column `target` from the others.

    Parameters
    ----------
    path : path-like
        A table that `fastact.learn.data.reading.read` reads: .csv, .tsv, .npz or .parquet.
    target : str
    task : {"classification", "regression"}, optional
        Unless given, the column decides: texts, booleans and few different whole numbers are classes.
    progress : callable, optional
        Called with the number of bytes read since the last call.

    Returns
    -------
    Problem

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        It holds no table, or the column cannot be learnt: says why.

    Examples
    --------
    >>> from fastact.learn.data.table import problem
    >>> np.savez("points.npz", X=np.random.default_rng(0).normal(size=(50, 2)), side=["left", "right"] * 25)
    >>> problem("points.npz", "side").split(seed=0).train_x.shape
    (40, 2)
    """
    return TableProblem(read(path, progress), target, task, Path(path).name)


@dataclass(frozen=True)
class Rows:
    """What can be learnt from a table: its rows that have a target.

    Attributes
    ----------
    frame : DataFrame
    kinds : dict
        What the columns besides the target hold.
    target : Target
    rows : ndarray of int
        Those that have a target.
    values : ndarray
        Their labels or numbers.
    notes : list of Message
    """

    frame: Any
    kinds: dict[str, InputKind]
    target: Target
    rows: NDArray[Any]
    values: NDArray[Any]
    notes: list[Message]

    def parts(self, share: float, seed: int, among: NDArray[Any] | None = None) -> tuple[NDArray[Any], NDArray[Any]]:
        """Positions in `rows`, all or `among` these, in two parts, of which the second gets this share.

        Each part has its share of every class, if the classes are large enough for it.
        """
        positions = np.arange(len(self.rows)) if among is None else among
        labels = self.values[positions]
        splitting = require("sklearn.model_selection", "demo", "a split of a table")
        stratify = None
        if self.target.task != "regression":
            counts = np.bincount(labels)
            counts, second = counts[counts > 0], math.ceil(share * len(labels))
            if counts.min() > 1 and len(counts) <= min(second, len(labels) - second):
                stratify = labels
        first, last = splitting.train_test_split(positions, test_size=share, random_state=seed, stratify=stratify)
        return np.sort(first), np.sort(last)


def rows_to_learn(frame: Any, target: str, task: Wish | None = None, share: float = TEST_SHARE) -> Rows:
    """Find what can be learnt from a table that `tidy` made, and measured on this share of its rows.

    Raises
    ------
    ValueError
        The target cannot be learnt, or there are too few rows.
    """
    found, notes = Target.found(frame, target, task)
    rows, values = found.values(frame[target])
    needed = math.ceil(len(found.classes) / min(share, 1 - share))
    if len(rows) < needed:
        raise ValueError(
            f"the table has {len(rows):,} rows with a target of {len(found.classes):,} classes, and {needed:,} are the "
            "least that can be split into rows to learn from and rows to measure on"
        )
    if found.classes:
        counts = np.bincount(values, minlength=len(found.classes))
        single = np.flatnonzero(counts < 2)
        if len(single):
            name = found.classes[single[0]]
            raise ValueError(
                f"the class {name!r:.99} of the target {target!r} has a single row, and a class needs one to learn "
                "from and one to measure on; remove that row, or join the class with another"
            )
    kinds = input_kinds(frame, [name for name in frame.columns if name != target])
    return Rows(frame, kinds, found, rows, values, notes)


class TableProblem(Problem):
    """A table as a problem; each seed draws its parts from the same rows, and learns the columns from its own part.

    All seeds have equally many features: what the columns of all rows become. A feature that a training part does not
    have, such as a rare category, is 0 there.
    """

    resampled = True

    def __init__(self, frame: Any, target: str, task: Wish | None = None, name: str = "table") -> None:
        self._learnt = rows_to_learn(tidy(frame), target, task)
        whole = Columns.fit(self._learnt.frame, self._learnt.rows, self._learnt.kinds)
        self._place = {feature: position for position, feature in enumerate(whole.features)}
        self.name, self.task = name, self._learnt.target.task
        self.features, self.classes = len(self._place), self._learnt.target.classes
        self.notes = (*self._learnt.notes, *whole.notes())

    def split(self, seed: int) -> Split:
        """The parts that belong to a seed; the same bits each time."""
        learnt = self._learnt
        train, test = learnt.parts(TEST_SHARE, seed)
        columns = Columns.fit(learnt.frame, learnt.rows[train], learnt.kinds)
        target = learnt.target.fit(learnt.values[train])
        return Split(
            self._encoded(columns, learnt.rows[train]),
            target.learnt(learnt.values[train]),
            self._encoded(columns, learnt.rows[test]),
            target.learnt(learnt.values[test]),
        )

    def _encoded(self, columns: Columns, rows: NDArray[Any]) -> NDArray[np.float32]:
        found = columns.encode(self._learnt.frame, rows)
        if columns.features == list(self._place):
            return found
        table = np.zeros((len(rows), self.features), np.float32)
        for position, feature in enumerate(columns.features):
            if feature in self._place:
                table[:, self._place[feature]] = found[:, position]
        return table
