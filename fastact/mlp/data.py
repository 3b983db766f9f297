"""Checks of what the user hands to the trainer: arrays and single settings.

Every error is one line: the argument, its value and the remedy.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fastact.errors import UnknownNameError, nearest
from fastact.mlp.namespaces import is_lazy, namespace_of

__all__ = [
    "as_choice", "as_flag", "as_floats", "as_integer", "as_number", "as_rate", "as_rows", "as_table", "as_weights",
    "class_weights", "held_out", "worth_learning",
]  # fmt: skip

#: Bytes of a memmap that are checked at a time.
PIECE = 2**24


def as_floats(values: ArrayLike, name: str, dtype: DTypeLike) -> NDArray[Any]:
    """`values` as a contiguous array of `dtype` without nan and inf; not copied where that already holds.

    Arrays on the GPU are checked there and stay there.
    """
    if is_lazy(values):
        raise TypeError(f"{name} is a {type(values).__name__} of dask, and must be an array here; compute() it")
    xp = namespace_of(values)
    array = xp.asarray(values)
    _check_kind(array, name)
    with np.errstate(over="ignore", under="ignore"):
        floats = xp.ascontiguousarray(array, dtype)
    _check_finite(array, floats, name, 0)
    return floats


def _check_kind(array: Any, name: str) -> None:
    """Raise TypeError unless the array has real numbers."""
    if array.dtype.kind in "biuf":
        return
    text = _text_column(array)
    if text is not None:
        column, value = text
        raise TypeError(f"{name} has dtype {array.dtype}: column {column} holds {value!r:.50}; encode or drop it")
    variable = name.rpartition(" ")[2]  # as in "block 3 of y"
    raise TypeError(
        f"{name} has dtype {array.dtype}, not real numbers; convert it with {variable}.astype(float), "
        f"or labels with np.unique({variable}, return_inverse=True)[1]"
    )


def _text_column(array: Any) -> tuple[int, str] | None:
    """The first column of a table that holds text which is no number, and that text."""
    if array.ndim == 2 and array.dtype.kind in "OU":
        for column, values in enumerate(array.T):
            for value in values:
                try:
                    float(value)
                except (TypeError, ValueError):
                    return column, str(value)
    return None


def _check_finite(array: Any, floats: Any, name: str, start: int) -> None:
    """Raise ValueError where the floats are not finite: the rows of `array`, of which the first has this number."""
    xp = namespace_of(floats)
    finite = xp.isfinite(floats)
    if not finite.all():
        where = tuple(int(i) for i in xp.argwhere(~finite)[0])
        found, place = array[where], (where[0] + start, *where[1:]) if where else ()
        raise ValueError(
            f"{name}[{', '.join(map(str, place))}] is {found}, not a finite {floats.dtype.name}; "
            "remove, fill or scale such values first"
        )


def as_table(values: ArrayLike, name: str, columns: int, dtype: DTypeLike) -> NDArray[Any]:
    """`values` as (samples, columns) floats, at least one sample."""
    floats = as_floats(values, name, dtype)
    _check_shape(floats, name, columns)
    return floats


def as_rows(values: ArrayLike, name: str, columns: int, dtype: DTypeLike) -> NDArray[Any]:
    """As `as_table`; but a memmap stays what it is, and is checked piece by piece."""
    if not isinstance(values, np.memmap):
        return as_table(values, name, columns, dtype)
    _check_kind(values, name)
    _check_shape(values, name, columns)
    rows = max(1, PIECE // (columns * values.itemsize))
    for start in range(0, len(values), rows):
        piece = values[start : start + rows]
        with np.errstate(over="ignore", under="ignore"):
            _check_finite(piece, np.asarray(piece, dtype), name, start)
    return values


def _check_shape(table: NDArray[Any], name: str, columns: int) -> None:
    if table.ndim != 2:
        raise ValueError(f"{name} must be 2-D (samples, features), got shape {table.shape}; reshape it")
    if table.shape[1] != columns:
        raise ValueError(
            f"{name} has {table.shape[1]} features, the network wants {columns}; change {name} or layer_sizes"
        )
    if not len(table):
        raise ValueError(f"{name} is empty (shape {table.shape}); give at least one sample")


def as_weights(values: ArrayLike, name: str, samples: int, dtype: DTypeLike, part: bool = False) -> NDArray[Any]:
    """`values` as a float for each sample, none negative, and not all 0 unless they are but a part."""
    weights = as_floats(values, name, dtype)
    if weights.shape != (samples,):
        raise ValueError(f"{name} has shape {weights.shape}; give one weight for each of the {samples} samples")
    if (weights < 0).any():
        worst = int(weights.argmin())
        raise ValueError(f"{name}[{worst}] is {float(weights[worst]):g}; weights must be at least 0")
    if not (part or weights.any()):
        raise ValueError(f"{name} is 0 for all samples; give at least one a positive weight")
    return weights


def class_weights(value: Any, counts: NDArray[np.intp]) -> NDArray[np.float64]:
    """What each class weighs, given how many samples it has.

    A mapping says so; "balanced" is samples / (classes that occur * samples of the class).
    """
    classes = len(counts)
    if isinstance(value, str) and value == "balanced":
        return counts.sum() / (np.count_nonzero(counts) * np.maximum(counts, 1))
    if not isinstance(value, Mapping):
        raise TypeError(f'class_weight must be "balanced" or a mapping from labels to weights, got {value!r:.99}')
    weights = np.ones(classes)
    for label, weight in value.items():
        if as_integer(label, "a label of class_weight", 0) >= classes:
            raise ValueError(f"class_weight has the label {label}; the classes are 0 to {classes - 1}")
        weights[label] = as_rate(weight, f"class_weight[{label}]", math.inf, zero=True)
    return weights


def held_out(
    rng: np.random.Generator, fraction: float, samples: int, labels: NDArray[np.intp] | None
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Numbers of the samples to train with and of those to hold out; of each class the same share, given labels."""
    order = rng.permutation(samples)
    groups = [order] if labels is None else [order[labels[order] == label] for label in np.unique(labels)]
    parts = [np.split(group, [round(fraction * len(group))]) for group in groups]
    held = np.sort(np.concatenate([part[0] for part in parts]))
    rest = np.sort(np.concatenate([part[1] for part in parts]))
    if not len(held) or not len(rest):
        raise ValueError(
            f"validation={fraction:g} of {samples} samples leaves {len(rest)} to train with and {len(held)} "
            "to hold out; give more samples, or validation=(X, y)"
        )
    return rest, held


def worth_learning(samples: int, labels: NDArray[Any] | None, table: NDArray[Any] | None) -> None:
    """Raise ValueError for data from which there is nothing to learn: one sample, one class, a constant target."""
    if samples == 1:
        raise ValueError("X has 1 sample, training wants 2 at least; give more, or train step by step with partial_fit")
    if labels is not None and labels.ndim == 1 and (labels == labels[0]).all():
        raise ValueError(f"y has the one class {int(labels[0])}; give samples of 2 at least, or take partial_fit")
    if labels is None and table is not None and (table == table[0]).all():
        raise ValueError(f"y is {float(table[0, 0]):g} for all samples; there is nothing to learn, so check y")


def as_integer(value: Any, name: str, least: int) -> int:
    """`value` as an int that is at least `least`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
    return int(value)


def as_rate(value: Any, name: str, below: float, zero: bool = False) -> float:
    """`value` as a float above 0 (or at 0, with `zero`) and below `below`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, got {value!r}")
    try:
        rate = float(value)
    except OverflowError:  # an int beyond all floats
        rate = -math.inf if value < 0 else math.inf
    if not (0 < rate < below or (zero and rate == 0)):
        raise ValueError(f"{name} must be {'at least' if zero else 'above'} 0 and below {below}, got {rate}")
    return rate


def as_number(value: Any, name: str) -> float:
    """`value` as a finite float."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, got {value!r:.99}")
    try:
        number = float(value)
    except OverflowError:  # an int beyond all floats
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{name} must be finite, got {number}")
    return number


def as_flag(value: Any, name: str) -> bool:
    """`value` if it is True or False."""
    if not isinstance(value, bool | np.bool):
        raise TypeError(f"{name} must be True or False, got {value!r:.99}")
    return bool(value)


def as_choice(value: str, name: str, choices: Collection[str]) -> str:
    """`value` if it is one of `choices`."""
    if value not in choices:
        raise UnknownNameError(f"unknown {name} {value!r}{nearest(value, choices)}")
    return value
