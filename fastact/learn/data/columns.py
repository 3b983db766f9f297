"""Turn the columns of a table into the inputs of a network, as learnt from the rows of the training part.

The policy, column by column:

- Numbers are standardised: mean 0 and standard deviation 1 in the training part. A missing or infinite one becomes the
  median, and a further input marks where, if there are any. Texts count as numbers if at least 95 % of them are. No
  input is more than a million standard deviations from 0.
- Booleans are 0 and 1. Dates are days, as numbers; texts count as dates if they begin with year, month and day.
- Any other text is a category: one input of 0 or 1 for each of the 50 most frequent texts, and one for missing if there
  are any. A text that the training part lacks is 0 in all of them.
- Left out are a column without any value, one with the same value everywhere, text of which more than half of the
  values differ (a name, free text), and a number that only counts the rows.

A column's kind is read from all rows of the table, everything else from the training part alone.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from fastact.language import Message, marked
from fastact.learn.data.frames import days_of, kind_of, numbers_of, texts_of

__all__ = ["Category", "Columns", "InputKind", "Number", "Reason", "input_kinds"]

InputKind = Literal["number", "boolean", "date", "category"]
#: Why a column is left out.
Reason = Literal["empty", "constant", "different", "counter"]
#: The same in words, for an error and for a note.
_REASONS: dict[Reason, tuple[str, str]] = {
    "empty": ("has no values", marked("Empty, so left out: {columns}.")),
    "constant": ("has the same value everywhere", marked("The same in all rows, so left out: {columns}.")),
    "different": (
        "is text that differs from row to row",
        marked("Texts of which most differ from row to row, so left out: {columns}."),
    ),
    "counter": ("only counts the rows", marked("Row numbers, so left out: {columns}.")),
}

#: A text column counts as numbers, or as dates, if at least this share of its values are.
_NEARLY_ALL = 0.95
#: The most inputs that a category gets.
_MOST = 50
#: This few different texts are categories, however few rows there are.
_FEW = 10
#: Inputs are clipped to this, so that float32 holds them and one wrong value does not drown the others.
_FURTHEST = 1e6

#: An input: the name of its column, and which part of the column it is.
Feature = tuple[str, str]


def input_kinds(frame: Any, names: Iterable[str]) -> dict[str, InputKind]:
    """Return what the named columns hold, for a table that `joined` made."""
    return {name: _input_kind(frame[name]) for name in names}


def _input_kind(series: Any) -> InputKind:
    kind = kind_of(series)
    if kind != "text":
        return kind
    present = (series.cat.codes.to_numpy() >= 0).sum()
    for written, read in (("number", numbers_of), ("date", days_of)):
        if present and np.isfinite(read(series)).sum() >= _NEARLY_ALL * present:
            return "number" if written == "number" else "date"
    return "category"


@dataclass(frozen=True)
class Number:
    """A column that is one number, and perhaps whether it is missing.

    Attributes
    ----------
    name : str
    kind : {"number", "boolean", "date"}
    median, mean, scale : float
        Missing values become the median; `mean` is subtracted from all values, which are then divided by `scale`.
    missing : int
        How many values were missing in the training part.
    """

    name: str
    kind: Literal["number", "boolean", "date"]
    median: float
    mean: float
    scale: float
    missing: int

    @classmethod
    def fit(cls, name: str, kind: Any, values: NDArray[np.float64]) -> Number:
        """Learn from a column's values, of which not all are missing."""
        missing = np.isnan(values)
        median = float(np.median(values[~missing]))
        if kind == "boolean":
            return cls(name, kind, float(median > 0.5), 0.0, 1.0, int(missing.sum()))
        mean, scale = moments(np.where(missing, median, values))
        return cls(name, kind, median, mean, scale, int(missing.sum()))

    @property
    def features(self) -> list[Feature]:
        return [(self.name, "value"), (self.name, "missing")][: 1 + bool(self.missing)]

    def encode(self, series: Any, rows: Any, out: NDArray[np.float32]) -> int:
        """Fill a column of `out` for each feature, and return how many values were no numbers."""
        series = series if rows is None else series.iloc[rows]
        values = days_of(series) if self.kind == "date" else numbers_of(series)
        missing = np.isnan(values)
        values[missing] = self.median
        out[:, 0] = np.clip((values - self.mean) / self.scale, -_FURTHEST, _FURTHEST)
        if self.missing:
            out[:, 1] = missing
        return int(missing.sum())


@dataclass(frozen=True)
class Category:
    """A column that is one of several texts.

    Attributes
    ----------
    name : str
    categories : tuple of str
        The texts with an input of their own.
    others : int
        How many different texts of the training part have none.
    missing : int
        How many values were missing in the training part.
    """

    name: str
    categories: tuple[str, ...]
    others: int
    missing: int
    kind: Literal["category"] = "category"

    @classmethod
    def fit(cls, name: str, codes: NDArray[Any], texts: list[str]) -> Category:
        """Learn from codes of `texts`, -1 for missing."""
        counts = np.bincount(codes[codes >= 0], minlength=len(texts))
        frequent = np.argsort(-counts, kind="stable")[: min(_MOST, np.count_nonzero(counts))]
        kept = tuple(texts[i] for i in np.sort(frequent))
        return cls(name, kept, int(np.count_nonzero(counts)) - len(kept), int((codes < 0).sum()))

    @property
    def features(self) -> list[Feature]:
        return [*((self.name, f"={text}") for text in self.categories), (self.name, "missing")][
            : len(self.categories) + bool(self.missing)
        ]

    def encode(self, series: Any, rows: Any, out: NDArray[np.float32]) -> int:
        """Fill a column of `out` for each feature, and return how many values are no category of these."""
        codes, texts = texts_of(series if rows is None else series.iloc[rows])
        place = {text: position for position, text in enumerate(self.categories)}
        places = np.array([*(place.get(text, -2) for text in texts), -1])[codes]
        out[...] = 0
        known = np.flatnonzero(places >= 0)
        out[known, places[known]] = 1
        if self.missing:
            out[places == -1, -1] = 1
        return int(np.count_nonzero(places == -2) + (0 if self.missing else np.count_nonzero(places == -1)))


@dataclass(frozen=True)
class Columns:
    """What each column of a table becomes; `fit` learns it and `encode` applies it.

    Attributes
    ----------
    inputs : tuple of Number and Category
    left_out : tuple of (name, reason)

    Examples
    --------
    >>> import pandas
    >>> from fastact.learn.data.columns import Columns
    >>> from fastact.learn.data.frames import joined
    >>> table = joined([pandas.DataFrame({"age": [20, 40, None], "sex": ["f", "m", "f"]})])
    >>> columns = Columns.fit(table)
    >>> [name for name, part in columns.features]
    ['age', 'age', 'sex', 'sex']
    >>> columns.encode(table)[2].tolist()
    [0.0, 1.0, 1.0, 0.0]
    """

    inputs: tuple[Number | Category, ...]
    left_out: tuple[tuple[str, Reason], ...]

    @classmethod
    def fit(cls, frame: Any, rows: NDArray[Any] | None = None, kinds: dict[str, InputKind] | None = None) -> Columns:
        """Learn from these rows (all, unless given) of a table that `joined` made; `kinds` are its columns'.

        Raises
        ------
        ValueError
            All columns are left out.
        """
        kinds = input_kinds(frame, frame.columns) if kinds is None else kinds
        rows = np.arange(len(frame)) if rows is None else rows
        inputs: list[Number | Category] = []
        left_out: list[tuple[str, Reason]] = []
        for name, kind in kinds.items():
            found = _fitted(name, kind, frame[name].iloc[rows], rows)
            if isinstance(found, str):
                left_out.append((name, found))
            else:
                inputs.append(found)
        if not inputs:
            told = "; ".join(f"{name!r} {_REASONS[reason][0]}" for name, reason in left_out[:5])
            raise ValueError(f"no column is left to learn from: {told or 'there is none besides the target'}")
        return cls(tuple(inputs), tuple(left_out))

    @property
    def features(self) -> list[Feature]:
        """The inputs of a network."""
        return [feature for each in self.inputs for feature in each.features]

    def encode(
        self, frame: Any, rows: NDArray[Any] | None = None, surprises: Counter[str] | None = None
    ) -> NDArray[np.float32]:
        """Make the inputs (rows, features) of these rows; of all, unless given.

        Parameters
        ----------
        surprises : Counter, optional
            Counts the new values of each column: missing where the training part had none missing, or an unknown
            category.
        """
        count = len(frame) if rows is None else len(rows)
        table = np.empty((count, len(self.features)), np.float32)
        start = 0
        for each in self.inputs:
            end = start + len(each.features)
            odd = each.encode(frame[each.name], rows, table[:, start:end])
            if surprises is not None and odd and (isinstance(each, Category) or not each.missing):
                surprises[each.name] += odd
            start = end
        return table

    def notes(self) -> list[Message]:
        """Say what is done with the columns, one line for each kind of decision."""
        kinds = {kind: [each.name for each in self.inputs if each.kind == kind] for kind in get_args(InputKind)}
        numbers = [
            f"{each.name} ({each.missing:,})" for each in self.inputs if isinstance(each, Number) and each.missing
        ]
        texts = [each for each in self.inputs if isinstance(each, Category)]
        pooled = [f"{each.name} ({each.others:,})" for each in texts if each.others]
        lines = [
            (marked("Numbers, standardised: {columns}."), kinds["number"]),
            (marked("Dates, as days, standardised: {columns}."), kinds["date"]),
            (marked("Booleans, as 0 and 1: {columns}."), kinds["boolean"]),
            (
                marked("Missing values (how many) became the median, and a further input tells where: {columns}."),
                numbers,
            ),
            (
                marked("Categories (how many), with an input of 0 or 1 for each: {columns}."),
                [f"{each.name} ({len(each.categories):,})" for each in texts],
            ),
            (
                marked("Missing values (how many) are a category of their own: {columns}."),
                [f"{each.name} ({each.missing:,})" for each in texts if each.missing],
            ),
            (marked("Rare categories (how many) without an input of their own: {columns}."), pooled),
        ]
        lines += [
            (text, [name for name, why in self.left_out if why == reason]) for reason, (_, text) in _REASONS.items()
        ]
        return [Message(text, columns=named(columns)) for text, columns in lines if columns]

    def as_dict(self) -> dict[str, Any]:
        """All of it, in types that JSON knows."""
        return {
            "inputs": [asdict(each) for each in self.inputs],
            "left_out": [list(each) for each in self.left_out],
        }

    @classmethod
    def from_dict(cls, values: Any) -> Columns:
        """Make equal columns from what `as_dict` returned.

        Raises
        ------
        ValueError
            The values are no such thing, or damaged.
        """
        try:
            inputs = tuple(_input(**each) for each in values["inputs"])
            left_out = tuple((str(name), reason) for name, reason in values["left_out"])
            unknown = {reason for _name, reason in left_out} - {*get_args(Reason)}
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"its columns are damaged ({error!r:.99})") from error
        names = [each.name for each in inputs] + [name for name, _reason in left_out]
        if not inputs or len(set(names)) < len(names) or unknown:
            raise ValueError("its columns are damaged")
        return cls(inputs, left_out)


def moments(values: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and standard deviation, which is 1 where all values are equal; no finite value overflows."""
    largest = float(np.abs(values).max()) or 1.0
    if values.min() == values.max():
        return float(values[0]), 1.0
    small = values / largest
    return float(small.mean()) * largest, (float(small.std()) * largest) or 1.0


def named(columns: Sequence[str], most: int = 12) -> Message:
    """List the names of columns for a sentence; only the first ones if there are many."""
    if len(columns) <= most:
        return Message("{columns}", columns=list(columns))
    return Message(marked("{columns} and {count} more"), columns=list(columns[:most]), count=len(columns) - most)


def _fitted(name: str, kind: InputKind, series: Any, rows: NDArray[Any]) -> Number | Category | Reason:
    """Return what a column becomes, or why it is left out."""
    if kind == "category":
        codes, texts = texts_of(series)
        present = int((codes >= 0).sum())
        if not present:
            return "empty"
        if len(texts) > max(_FEW, present / 2):
            return "different"
        return "constant" if len(texts) == 1 and present == len(codes) else Category.fit(name, codes, texts)
    values = days_of(series) if kind == "date" else numbers_of(series)
    present = np.isfinite(values)
    if not present.any():
        return "empty"
    if present.all():
        if values.min() == values.max():
            return "constant"
        steps = values - rows
        if len(rows) > 2 and steps[0] in (0, 1) and (steps == steps[0]).all():
            return "counter"
    return Number.fit(name, kind, values)


def _input(kind: str, name: str, missing: int, **values: Any) -> Number | Category:
    """Make a column from what a file has of it; raise ValueError unless all is as `fit` makes it."""
    made: Number | Category
    if kind == "category":
        made = Category(name, tuple(values.pop("categories")), missing=missing, **values)
        counts, texts = [missing, made.others], [name, *made.categories]
        good = 0 < len({*made.categories}) == len(made.categories)
    else:
        made = Number(name, kind, missing=missing, **values)  # type: ignore[arg-type]
        counts, texts, sizes = [missing], [name], [made.median, made.mean, made.scale]
        good = kind in get_args(InputKind) and all(type(size) is float and math.isfinite(size) for size in sizes)
        good &= made.scale > 0
    if good and all(type(each) is int and each >= 0 for each in counts) and all(type(each) is str for each in texts):
        return made
    raise ValueError(f"its column {name!r:.99} is damaged")
