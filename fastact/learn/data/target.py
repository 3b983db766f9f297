"""The column that a network predicts: classes or numbers, to labels and back."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from fastact.errors import UnknownNameError, nearest
from fastact.language import Message, marked
from fastact.learn.data.columns import moments, named
from fastact.learn.data.frames import kind_of, numbers_of, texts_of
from fastact.learn.data.problem import Task

__all__ = ["Target", "Wish"]

#: What a user may say of the target.
Wish = Literal["classification", "regression"]

#: With fewer rows, a part to measure on says nothing.
LEAST_ROWS = 10
#: Whole numbers with at most this many different values are classes, unless the user says otherwise.
_FEW = 20
#: The largest number of a regression, whose fourth power is finite; the smallest is its inverse.
_LARGEST = 1e75


@dataclass(frozen=True)
class Target:
    """What is predicted.

    Attributes
    ----------
    name : str
        Of the column.
    task : {"binary", "multi-class", "regression"}
    classes : tuple of str
        What the labels 0, 1, ... mean; empty for a regression.
    mean, scale : float
        Of a regression: what is subtracted from the numbers, and then what they are divided by, to learn them.
    shares : tuple of float
        How frequent each class is in the training part.
    """

    name: str
    task: Task
    classes: tuple[str, ...] = ()
    mean: float = 0.0
    scale: float = 1.0
    shares: tuple[float, ...] = ()

    @classmethod
    def found(cls, frame: Any, name: str, wish: Wish | None = None) -> tuple[Target, list[Message]]:
        """The target in the column of this name, of a table that `joined` made, and notes about it.

        Texts and booleans are classes, and so are whole numbers of which no more than 20 differ; other numbers are a
        regression. `wish` decides otherwise.

        Raises
        ------
        UnknownNameError
            There is no such column.
        ValueError
            The column cannot be learnt, or not as the wish says.
        """
        if name not in frame.columns:
            raise UnknownNameError(f"the table has no column {name!r}{nearest(name, map(str, frame.columns[:50]))}")
        if wish not in (None, *get_args(Wish)):
            raise UnknownNameError(f"task={wish!r}{nearest(wish, get_args(Wish))}")
        series = frame[name]
        missing = int(series.isna().sum())
        if missing == len(series):
            raise ValueError(f"the target {name!r} is missing in all rows; choose another column")
        if len(series) - missing < LEAST_ROWS:
            count = len(series) - missing
            raise ValueError(
                f"the table has {count} row{'s' * (count != 1)} with a target {name!r}, and {LEAST_ROWS} are the least "
                "that can be split into rows to learn from and rows to measure on"
            )
        notes: list[Message] = []
        if missing:
            notes.append(Message(marked("Rows without a target, left out: {count}."), count=f"{missing:,}"))
        if (wish or _suggested(series)) == "regression":
            cls._check_numbers(series)
            return cls(name, "regression"), notes
        classes = texts_of(series)[1]
        if len(classes) == 1:
            raise ValueError(
                f"the target {name!r} is {classes[0]!r:.99} in all rows; two classes are the least to learn"
            )
        if len(classes) > (len(series) - missing) / 2:
            raise ValueError(
                f"the target {name!r} has {len(classes):,} different values in {len(series) - missing:,} rows, "
                "too many to be classes; choose another column"
            )
        if wish is None and kind_of(series) == "number":
            text = marked("{target} has whole numbers of which only {count} differ, so each is a class: {classes}.")
            notes.append(Message(text, target=name, count=len(classes), classes=named(classes)))
        return cls(name, "binary" if len(classes) == 2 else "multi-class", tuple(classes)), notes

    @staticmethod
    def _check_numbers(series: Any) -> None:
        """Raise ValueError unless the column's values are numbers, finite, and not all the same."""
        name, kind = series.name, kind_of(series)
        numbers = numbers_of(series)
        bad = np.flatnonzero(np.isnan(numbers) & ~series.isna().to_numpy())
        if kind == "date" or len(bad):
            value = series.iloc[bad[0]] if len(bad) else "dates"
            if kind == "number":
                raise ValueError(f"the target {name!r} is {value} in row {bad[0] + 1:,}; remove such rows")
            remedy = "a regression learns numbers; choose another column, or the task classification"
            raise ValueError(f"the target {name!r} holds {value!r:.99}; {remedy}")
        low, high = np.nanmin(numbers), np.nanmax(numbers)
        if low == high:
            raise ValueError(f"the target {name!r} is {low:g} in all rows; there is nothing to learn")
        if max(-low, high) > _LARGEST or max(-low, high) < 1 / _LARGEST:
            raise ValueError(
                f"the target {name!r} is from {low:g} to {high:g}, and squares of its errors would be infinite or 0; "
                "give it in another unit"
            )

    def values(self, series: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return which rows have a target that can be predicted, and their labels, or their numbers as float64."""
        if self.task == "regression":
            numbers = numbers_of(series)
            rows = np.flatnonzero(np.abs(numbers) <= _LARGEST)  # no nan either
            return rows, numbers[rows]
        codes, texts = texts_of(series)
        place = {text: label for label, text in enumerate(self.classes)}
        labels = np.array([*(place.get(text, -1) for text in texts), -1])[codes]
        rows = np.flatnonzero(labels >= 0)
        return rows, labels[rows]

    def fit(self, values: NDArray[Any]) -> Target:
        """Return the same target with what the training part tells: mean and scale, or the shares of the classes."""
        if self.task != "regression":
            counts = np.bincount(values, minlength=len(self.classes))
            return replace(self, shares=tuple((counts / counts.sum()).tolist()))
        mean, scale = moments(values)
        return replace(self, mean=mean, scale=scale)

    def learnt(self, values: NDArray[Any]) -> NDArray[Any]:
        """Labels as they are; numbers as the network learns them: float32, standardised."""
        if self.task != "regression":
            return values
        return ((values - self.mean) / self.scale).astype(np.float32)

    def restored(self, outputs: NDArray[Any]) -> NDArray[np.float64]:
        """Turn a network's outputs back into numbers."""
        return outputs.astype(np.float64) * self.scale + self.mean

    def as_dict(self) -> dict[str, Any]:
        """All of it, in types that JSON knows."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Any) -> Target:
        """Make an equal target from what `as_dict` returned; raise ValueError if it is damaged."""
        try:
            made = cls(**{**values, "classes": tuple(values["classes"]), "shares": tuple(values["shares"])})
            numbers = [made.mean, made.scale, *made.shares]
            good = all(type(each) is float and math.isfinite(each) for each in numbers) and made.scale > 0
            good &= all(type(each) is str for each in (made.name, *made.classes)) and min(made.shares, default=0) >= 0
            good &= len({*made.classes}) == len(made.classes) == len(made.shares)
            kinds = {"binary": len(made.classes) == 2, "multi-class": len(made.classes) > 2}
            good &= {**kinds, "regression": not made.classes}[made.task]
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"its target is damaged ({error!r:.99})") from error
        if not good:
            raise ValueError("its target is damaged")
        return made


def _suggested(series: Any) -> Wish:
    """Suggest a task for a column."""
    if kind_of(series) != "number":
        numbers = numbers_of(series) if kind_of(series) == "text" else np.array([np.nan])
        if np.isnan(numbers).sum() > series.isna().sum():
            return "classification"
    numbers = numbers_of(series)
    numbers = numbers[~np.isnan(numbers)]
    if not np.array_equal(numbers, np.floor(numbers)):
        return "regression"
    different = len(np.unique(numbers))
    return "classification" if different <= min(_FEW, len(numbers) / 2) else "regression"
