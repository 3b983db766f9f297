"""What containers of columns have in common: labels along their axes, and missing values, which are masked meanwhile.

A library says by the methods of `Frames` how its containers are taken apart and made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastact._core.arrays import normalize_axes
from fastact._core.containers import Adapter
from fastact.interop.containers.roles import Call, Role, is_elementwise, numbered, of_each, roles

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
        call = Call(function, method, operands, options)
        held = call.where(self.holds)
        if not held:
            raise self.refusal(function, call.arguments.values())
        for key, each in held.items():
            self._check_argument(function.name, call.name(key), each)
        one_by_one = is_elementwise(function)
        if one_by_one and method == "__call__" and self.by_itself(function, list(held.values())):
            return NotImplemented
        plain = {key: self.values(function.name, each) for key, each in held.items()}
        if one_by_one and method == "parameter_backward":  # gradients of a parameter's shape, without labels
            return call.made(plain)
        call.refuse_out(f"containers of {self.library}")
        what = roles(function, method, [plain.get(i, each) for i, each in enumerate(operands)], options)
        role_of = what.by_key
        like = call.like(held, role_of)
        if like is None:  # what has labels is no array of x's shape: all goes by position
            return call.made(plain)
        labels = self.labels(like)
        if "axis" in options:
            places = {name: place for name, place in AXES.items() if place < len(labels)}
            plain["axis"] = numbered(options["axis"], places, f"of containers of {self.library}")
        expected = self._expected(labels, {**options, **plain})
        for key, each in held.items():
            if key in role_of:
                self._check_labels(call.name(key), each, expected.get(role_of[key], labels))
        others = any(each is not like for key, each in held.items() if isinstance(key, int))

        def made(value: Any, role: Role) -> Any:
            return self._result(value, expected[role], like, others or role != "whole")

        return of_each(call.made(plain), made, what.results)

    def _check_argument(self, function: str, argument: str, value: Any) -> None:
        try:
            self.check(function, value)
        except TypeError as error:
            if argument in ("x", "logits"):
                raise
            raise TypeError(f"{argument}: {error}") from None

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
