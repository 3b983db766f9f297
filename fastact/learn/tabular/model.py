"""A network together with what it needs to take a table as it is: one object, one file.

The file begins with a line that gives the length and checksum of a JSON text, which has columns and target; the text
follows, and then the network's own file, as `fastact.MLP.save` writes it and `fastact.MLP.load` finds it.
"""

from __future__ import annotations

import json
import os
import re
import zlib
from collections import Counter
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastact as fa
from fastact._core.files import open_regular, replacing
from fastact.errors import require
from fastact.learn.data.columns import Category, Columns, named
from fastact.learn.data.frames import tidy
from fastact.learn.data.target import Target

__all__ = ["TableModel"]

VERSION = 1
_FIRST_LINE = rb"fastact table (\d{1,9}) (\d{1,18}) ([0-9a-f]{8})\n"

#: How many rows go through the network at a time, which bounds memory.
_ROWS = 2**15


@dataclass(frozen=True)
class TableModel:
    """A trained network that predicts one column of a table from others; `fastact.learn.tabular.train` makes it.

    Attributes
    ----------
    columns : Columns
        What becomes of each column.
    target : Target
        What is predicted.
    network : MLP

    Examples
    --------
    >>> import pandas
    >>> from fastact.learn.tabular import TableModel, train
    >>> rng = np.random.default_rng(0)
    >>> table = pandas.DataFrame({"height": rng.normal(size=200), "colour": rng.choice(["red", "blue"], 200)})
    >>> table["kind"] = np.where(table.height > 0, "tall", "small")
    >>> train(table, "kind", epochs=30).model.save("kind.fastact")
    >>> model = TableModel.load("kind.fastact")
    >>> model.predict(pandas.DataFrame({"height": [-2.0, 2.0], "colour": ["red", "blue"]})).prediction.tolist()
    ['small', 'tall']
    """

    columns: Columns
    target: Target
    network: fa.MLP

    @property
    def inputs(self) -> list[str]:
        """The columns that a table must have."""
        return [each.name for each in self.columns.inputs]

    @property
    def numbers(self) -> list[str]:
        """The columns, among the inputs, that are numbers, dates or booleans."""
        return [each.name for each in self.columns.inputs if not isinstance(each, Category)]

    @property
    def texts(self) -> list[str]:
        """The columns, among inputs and target, that are read as texts whatever their values look like."""
        return [each.name for each in self.columns.inputs if isinstance(each, Category)] + [self.target.name] * bool(
            self.target.classes
        )

    def predict(self, frame: Any, probabilities: bool = False) -> Any:
        """Predict the target for each row.

        Parameters
        ----------
        frame : DataFrame
            With the columns of the training; others are ignored.
        probabilities : bool
            Add the probability of each class, as "probability CLASS".

        Returns
        -------
        pandas.DataFrame
            "prediction": the class, or the number in the target's units; with the index of `frame`.

        Raises
        ------
        ValueError
            The table lacks a column, or there are no probabilities, for it is a regression.
        """
        return self.told(self.outputs(tidy(frame)), probabilities).set_index(frame.index)

    def outputs(self, table: Any, surprises: Counter[str] | None = None) -> NDArray[np.float64]:
        """Probabilities (rows, classes), or numbers (rows,), for a table that `tidy` made.

        `surprises` counts the values of each column that the training part did not know, as in `Columns.encode`.
        """
        lacking = [name for name in self.inputs if name not in table.columns]
        if lacking:
            raise ValueError(
                f"the table lacks the column{'s' * (len(lacking) > 1)} {named(lacking)}, from which the model "
                f"predicts; it has {named([str(name) for name in table.columns])}"
            )
        found = np.empty((len(table), *([len(self.target.classes)] if self.target.classes else [])))
        for start in range(0, len(table), _ROWS):
            part = slice(start, start + _ROWS)
            encoded = self.columns.encode(table.iloc[part], None, surprises)
            if self.target.classes:
                found[part] = self.network.predict_proba(encoded)
            else:
                found[part] = self.target.restored(self.network.predict(encoded))
        return found

    def told(self, outputs: NDArray[np.float64], probabilities: bool = False) -> Any:
        """The DataFrame that says what outputs mean, as `predict` returns it."""
        pandas = require("pandas", "demo", "a prediction")
        if not self.target.classes:
            if probabilities:
                raise ValueError(f"a regression predicts numbers of {self.target.name!r}, without probabilities")
            return pandas.DataFrame({"prediction": outputs})
        frame = pandas.DataFrame({"prediction": np.array(self.target.classes, object)[outputs.argmax(axis=1)]})
        if probabilities:
            for label, name in enumerate(self.target.classes):
                frame[f"probability {name}"] = outputs[:, label]
        return frame

    def save(self, path: str | PathLike[str]) -> None:
        """Write the model to one file, all or nothing; see also `fastact.MLP.save`."""
        text = json.dumps(
            {"columns": self.columns.as_dict(), "target": self.target.as_dict()}, allow_nan=False
        ).encode()
        with replacing(path) as temporary:
            try:
                self.network.save(temporary)
            except ValueError as error:
                raise ValueError(str(error).replace(str(temporary), os.fspath(path))) from error
            network = temporary.read_bytes()
            with open(temporary, "wb") as file:
                file.write(b"fastact table %d %d %08x\n" % (VERSION, len(text), zlib.crc32(text)))
                file.write(text)
                file.write(network)

    @classmethod
    def load(cls, path: str | PathLike[str], device: str = "cpu") -> TableModel:
        """The model that `save` wrote: predicts the same bits.

        Raises
        ------
        OSError
            The file cannot be read.
        ValueError
            It is no such model, is damaged, or uses an activation that is not registered here.
        """
        name = os.fspath(path)
        with open_regular(path) as file:
            try:
                values = _parsed(file.readline(99), file)
                columns, target = Columns.from_dict(values["columns"]), Target.from_dict(values["target"])
            except ValueError as error:
                raise ValueError(f"{name}: {error!s:.500}") from error
        model = cls(columns, target, fa.MLP.load(path, device))
        last = {"binary": ("bce", 1), "multi-class": ("cross_entropy", len(target.classes))}
        loss, outputs = last.get(target.task, (None, 1))
        network = model.network
        fits = network.loss.name == loss if loss else not network.loss.classifies
        if not fits or (network.layer_sizes[0], network.layer_sizes[-1]) != (len(columns.features), outputs):
            raise ValueError(f"{name}: damaged; its network does not fit its columns and target")
        return model


def _parsed(line: bytes, file: Any) -> dict[str, Any]:
    """The JSON text that the first line announces."""
    found = re.fullmatch(_FIRST_LINE, line)
    if found is None:
        raise ValueError("not a model of a table; make one with `fastact train`")
    if int(found[1]) != VERSION:
        raise ValueError(f"has version {int(found[1])} of the format, this fastact reads {VERSION}")
    if int(found[2]) > os.fstat(file.fileno()).st_size:
        raise ValueError("damaged, or cut short")
    text = file.read(int(found[2]))
    if b"%08x" % zlib.crc32(text) != found[3]:
        raise ValueError("damaged, or cut short; its checksum is wrong")
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"damaged; it is no JSON ({error})") from None
    if not isinstance(values, dict) or values.keys() != {"columns", "target"}:
        raise ValueError("damaged; it lacks columns or target")
    return values
