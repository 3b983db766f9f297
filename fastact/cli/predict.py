"""The command `predict`: a table's predictions by a model that `train` made, block by block."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import numpy as np

from fastact._core.files import replacing
from fastact.cli.console import console, progress, table
from fastact.cli.options import FILE, own_activations
from fastact.errors import UnknownNameError, require
from fastact.language import translated as _
from fastact.learn.data import reading
from fastact.learn.data.columns import named
from fastact.learn.data.frames import joined
from fastact.learn.tabular import ClassScores, NumberScores, TableModel, score_tables, scores_for

Add = Callable[[Any], None]


@click.command()
@click.argument("path", metavar="MODEL", type=FILE)
@click.argument("source", metavar="FILE", type=FILE)
@click.option(
    "-o",
    "--output",
    required=True,
    type=FILE,
    metavar="OUT",
    help="A .csv, .parquet or .npz file, a line for each row.",
)
@click.option("--probabilities", is_flag=True, help="Write the probability of each class too.")
@own_activations
@click.option("-q", "--quiet", is_flag=True, help="Write the file and print nothing.")
def predict(path: Path, source: Path, output: Path, probabilities: bool, sources: Any, quiet: bool) -> None:
    r"""Predict a column of the table in FILE by a MODEL of `fastact train`.

    FILE needs the columns of the training and may have others; memory stays constant however many rows a .csv or
    .parquet file has. If it has the target too, the predictions are measured. OUT appears only when all is done.

    \b
    Example, with the model that `fastact train flowers.csv --target species` makes:
        fastact predict flowers.fastact new.csv -o species.csv --probabilities
    """
    write = _WRITERS.get(output.suffix.lower())
    if write is None:
        raise ValueError(f"--output {output}: unknown ending; predictions are written as {', '.join(_WRITERS)}")
    if os.path.realpath(output) in map(os.path.realpath, (path, source, *sources)):
        raise ValueError(f"--output {output}: is another file of this command; name a file of its own")
    model = loaded(path)
    scores = scores_for(model.target)
    seen = _Seen(model)
    with (
        replacing(output) as temporary,
        write(temporary) as add,
        progress(reading.size(source), _("predicting"), quiet) as advance,
    ):
        for block in reading.blocks(source, advance, model.texts):
            frame = joined([block])
            outputs = model.outputs(frame, seen.surprises)
            add(model.told(outputs, probabilities))
            seen.add(frame)
            if model.target.name in frame.columns:
                rows, values = model.target.values(frame[model.target.name])
                scores.add(outputs[rows], values)
        if not seen.rows:
            raise ValueError(f"{source}: has columns and no rows")
    if not quiet:
        seen.tell(scores)
        console().print(_("wrote {path}").format(path=output))


def loaded(path: Path) -> TableModel:
    """The model in the file; an error says how it gets to know an activation of the user's own."""
    try:
        return TableModel.load(path)
    except ValueError as error:
        if isinstance(error.__cause__, UnknownNameError):
            raise ValueError(f"{error}; --from FILE.py defines activations of your own") from error
        raise


class _Seen:
    """What was remarkable in the blocks of a table."""

    def __init__(self, model: TableModel) -> None:
        self.model = model
        self.rows = 0
        self.surprises: Counter[str] = Counter()
        self.others: list[str] = []

    def add(self, frame: Any) -> None:
        self.rows += len(frame)
        self.others = [name for name in frame.columns if name not in (*self.model.inputs, self.model.target.name)]

    def tell(self, scores: ClassScores | NumberScores) -> None:
        """Print it, and the scores if there are any."""
        terminal = console()
        if self.others:
            terminal.print(_("Columns that the model does not use: {columns}.").format(columns=named(self.others)))
        for text, names in (
            (
                _(
                    "Values (how many) without an input of their own, since they were rare or absent in training: "
                    "{columns}."
                ),
                self.model.texts,
            ),
            (
                _("Missing values (how many), which training did not have; they became the median: {columns}."),
                self.model.numbers,
            ),
        ):
            counts = [f"{name} ({self.surprises[name]:,})" for name in names if self.surprises[name]]
            if counts:
                terminal.print(text.format(columns=named(counts)))
        if scores.rows:
            for each in score_tables(scores, _("On {rows} rows of this table")):
                terminal.print(table(each.columns, each.rows, title=each.title))
        if scores.rows < self.rows and scores.rows:
            text = _("Rows that are not measured, for their target is missing or unknown to the model: {count}.")
            terminal.print(text.format(count=f"{self.rows - scores.rows:,}"))


@contextmanager
def _csv(path: Path) -> Iterator[Add]:
    with open(path, "w", encoding="utf-8", newline="") as file:
        yield lambda frame: frame.to_csv(file, index=False, header=not file.tell(), lineterminator="\n")


@contextmanager
def _parquet(path: Path) -> Iterator[Add]:
    arrow = require("pyarrow", "parquet", "a .parquet file")
    parquet = require("pyarrow.parquet", "parquet", "a .parquet file")
    writer: list[Any] = []

    def add(frame: Any) -> None:
        found = arrow.Table.from_pandas(frame, preserve_index=False)
        if not writer:
            writer.append(parquet.ParquetWriter(path, found.schema))
        writer[0].write_table(found)

    try:
        yield add
    finally:
        for each in writer:
            each.close()


@contextmanager
def _npz(path: Path) -> Iterator[Add]:
    blocks: list[Any] = []
    yield blocks.append
    columns: dict[str, Any] = {}
    for name in blocks[0] if blocks else ():
        values = np.concatenate([block[name].to_numpy() for block in blocks])
        columns[name] = values.astype(str) if values.dtype == object else values
    with open(path, "wb") as file:
        np.savez(file, **columns)


_WRITERS: dict[str, Callable[[Path], Any]] = {".csv": _csv, ".parquet": _parquet, ".npz": _npz}
