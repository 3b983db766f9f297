"""What containers of columns have in common: labels along their axes, and missing values, which are masked meanwhile.

A library says by the methods of `Frames` how its containers are taken apart and made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastact._core.arrays import normalize_axes
from fastact._core.containers import Adapter
from fastact.errors import UnknownNameError, nearest
from fastact.interop.containers.roles import Role, is_elementwise, operand_names, roles

__all__ = ["Frames", "check_numbers", "column_stack"]

#: Names of axes, as pandas has them.
AXES = {"index": 0, "rows": 0, "columns": 1}


class Frames(Adapter):
    """An adapter for containers of one or two axes.

    Attributes
    ----------
    library : str
        Its name.
    missing : object
        What stands for a number that is missing.
    realign : str
        How a user makes labels equal.
    """

    elementwise = True
    library: str
    missing: Any = None
    realign = ""

    def holds(self, value: Any) -> bool:
        """Whether the value is one of the library's containers."""
        raise NotImplementedError

    def check(self, function: str, value: Any) -> None:
        """Raise TypeError for a container that cannot be taken apart, such as a lazy one."""

    def labels(self, container: Any) -> tuple[Any, ...]:
        """For each axis its labels, which can be cut by a slice; a range where there are none."""
        raise NotImplementedError

    def same(self, labels: Any, others: Any) -> bool:
        """Whether the labels along an axis are the same, in the same order."""
        return bool(labels == others)

    def values(self, function: str, container: Any) -> Any:
        """The numbers, as an array, or as a masked one where some are missing."""
        raise NotImplementedError

    def made(self, values: Any, labels: tuple[Any, ...], like: Any, renamed: bool) -> Any:
        """A container of these numbers, of one or two axes, of the kind of another one.

        `renamed` says that it holds something else than that: its name is not kept.
        """
        raise NotImplementedError

    def by_itself(self, function: Any, containers: Sequence[Any]) -> bool:
        """Whether the library calls a function of single elements of these by itself, as a ufunc."""
        return False

    def call(self, function: Any, method: str, operands: tuple[Any, ...], options: dict[str, Any]) -> Any:
        name, values = function.name, (*operands, *options.values())
        held = [each for each in values if self.holds(each)]
        if not held:
            raise self.refusal(function, values)
        given = dict(zip(operand_names(function, method), operands, strict=False))
        for key, each in {**given, **options}.items():
            if self.holds(each):
                self._check_argument(name, key, each)
        if is_elementwise(function):
            if method == "__call__" and self.by_itself(function, held):
                return NotImplemented
            if method == "parameter_backward":
                return self._parameter_gradients(function, operands, options)
        if options.get("out") is not None:
            raise TypeError(f"out is not taken with containers of {self.library}; assign the result")
        arrays = [self._array(name, each) for each in operands]
        plain = {key: self._array(name, value) for key, value in options.items()}
        what = roles(function, method, arrays, options)
        role_of: dict[str, Role] = {**what.options, **dict(zip(given, what.operands, strict=False))}
        arguments = {**options, **given}
        like = next((arguments[key] for key in _places(arguments, role_of) if self.holds(arguments[key])), None)
        if like is None:  # what has labels is no array of x's shape: all goes by position
            return getattr(function, method)(*arrays, **plain)
        labels = self.labels(like)
        if "axis" in options:
            plain["axis"] = _axis(options["axis"], len(labels), self.library)
        expected = self._expected(labels, plain)
        for key, role in role_of.items():
            if self.holds(arguments.get(key)):
                self._check_labels(key, arguments[key], expected.get(role, labels))
        found = getattr(function, method)(*arrays, **plain)
        several = found if isinstance(found, tuple) else (found,)
        others = any(self.holds(each) and each is not like for each in operands)
        made = [
            self._result(each, expected[role], like, others or role != "whole")
            for each, role in zip(several, what.results, strict=True)
        ]
        return tuple(made) if isinstance(found, tuple) else made[0]

    def _check_argument(self, function: str, argument: str, value: Any) -> None:
        try:
            self.check(function, value)
        except TypeError as error:
            if argument in ("x", "logits"):
                raise
            raise TypeError(f"{argument}: {error}") from None

    def _array(self, function: str, value: Any) -> Any:
        return self.values(function, value) if self.holds(value) else value

    def _parameter_gradients(self, function: Any, operands: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """They have a parameter's shape, and no labels."""
        arrays = [self._array(function.name, each) for each in operands]
        named = {key: self._array(function.name, value) for key, value in options.items()}
        return function.parameter_backward(*arrays, **named)

    def _expected(self, labels: tuple[Any, ...], options: dict[str, Any]) -> dict[Role, tuple[Any, ...]]:
        """The labels of what has each role."""
        expected: dict[Role, tuple[Any, ...]] = {"whole": labels, "number": ()}
        if "axis" not in options:
            return expected
        if options.get("keepdims"):
            raise TypeError(f"keepdims=True is not taken with containers of {self.library}: what is left has no label")
        axes = normalize_axes(options["axis"], len(labels))
        expected["rows"] = tuple(each for i, each in enumerate(labels) if i not in axes)
        if len(axes) == 1:
            expected["classes"] = (labels[axes[0]],)
            expected["half"] = tuple(each[: len(each) // 2] if i in axes else each for i, each in enumerate(labels))
        return expected

    def _check_labels(self, argument: str, value: Any, expected: tuple[Any, ...]) -> None:
        """Raise ValueError if an argument has other labels than x, or another number of axes."""
        labels = self.labels(value)
        if len(labels) != len(expected):
            raise ValueError(
                f"{argument} is a {type(value).__name__} of {len(labels)} axes where {len(expected)} are needed; "
                "pass an array that broadcasts to x"
            )
        for axis, (found, wanted) in enumerate(zip(labels, expected, strict=True)):
            if len(found) != len(wanted):
                raise ValueError(
                    f"{argument} has {len(found)} labels along axis {axis}, where {len(wanted)} are needed"
                )
            if not self.same(found, wanted):
                raise ValueError(f"{argument} and x have other labels, or another order of them{self.realign}")

    def _result(self, value: Any, labels: tuple[Any, ...], like: Any, renamed: bool) -> Any:
        if not labels:
            return self.missing if value is np.ma.masked else value
        if np.ndim(value) != len(labels):  # a loss of rows of one row
            return value
        return self.made(value, labels, like, renamed)


def _places(arguments: dict[str, Any], role_of: dict[str, Role]) -> list[str]:
    """The arguments from which labels may be taken: x first."""
    whole = [key for key in arguments if role_of.get(key) == "whole"]
    return sorted(whole, key=lambda key: key not in ("x", "logits"))


def _axis(axis: Any, count: int, library: str) -> Any:
    """Axes as numbers, of which some may have been given by name."""
    if isinstance(axis, str):
        if axis not in AXES or AXES[axis] >= count:
            known = [name for name, number in AXES.items() if number < count]
            raise UnknownNameError(f"axis={axis!r} of containers of {library}{nearest(axis, known)}")
        return AXES[axis]
    return tuple(_axis(each, count, library) for each in axis) if isinstance(axis, tuple | list) else axis


def column_stack(columns: Sequence[Any], rows: int) -> Any:
    """Columns as one array of their common dtype, masked if one of them is."""
    if not columns:
        return np.empty((rows, 0))
    values = np.empty((rows, len(columns)), np.result_type(*(each.dtype for each in columns)), order="F")
    masked = any(isinstance(each, np.ma.MaskedArray) for each in columns)
    mask: Any = np.zeros(values.shape, np.bool_, order="F") if masked else np.ma.nomask
    for i, column in enumerate(columns):
        values[:, i] = np.ma.getdata(column)
        if isinstance(column, np.ma.MaskedArray):
            mask[:, i] = np.ma.getmaskarray(column)
    return np.ma.MaskedArray(values, mask) if masked else values


def check_numbers(function: str, what: str, numeric: bool, dtype: Any, remedy: str) -> None:
    """Raise TypeError for a column that holds no real numbers."""
    if not numeric:
        raise TypeError(f"{what} has dtype {dtype}; {function} takes real numbers: {remedy}")
