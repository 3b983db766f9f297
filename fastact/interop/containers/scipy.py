"""SciPy's sparse arrays and matrices: elementwise functions that are 0 at 0 keep them sparse, others are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from fastact._core.containers import Adapter
from fastact.interop.containers.roles import is_elementwise

__all__ = ["adapter"]

#: The formats whose stored numbers are one array, in which each place stands once.
BY_DATA = frozenset({"csr", "csc", "coo"})


class _SciPy(Adapter):
    elementwise = True

    def call(self, function: Any, method: str, operands: tuple[Any, ...], options: dict[str, Any]) -> Any:
        name = function.name
        if not is_elementwise(function) or method != "__call__":
            raise TypeError(
                f"{name} counts the zeros that a sparse array leaves out; pass x.toarray(), or call it on x.data"
            )
        for key in ("out", "where"):
            if options.get(key) is not None:
                raise TypeError(f"{key} is not taken with sparse arrays; assign the result")
        arguments: dict[Any, Any] = {**dict(enumerate(operands)), **options}
        matrices = {key: each for key, each in arguments.items() if sparse.issparse(each)}
        for each in arguments.values():
            if not sparse.issparse(each) and np.ndim(each):
                raise TypeError(f"{name} of a sparse and a dense array would be dense; pass x.toarray()")
        if not matrices:
            raise self.refusal(function, arguments.values())
        first = next(iter(matrices.values()))
        if any(each.shape != first.shape for each in matrices.values()):
            shapes = ", ".join(str(each.shape) for each in matrices.values())
            raise ValueError(f"{name}: sparse arrays of shapes {shapes}; they must be equal")
        self._check_zero(function, operands, options, {each.dtype for each in matrices.values()})
        stored, make = _stored(list(matrices.values()))
        values = dict(zip(matrices, stored, strict=True))
        found = function(
            *(values.get(i, each) for i, each in enumerate(operands)),
            **{key: values.get(key, each) for key, each in options.items()},
        )
        return tuple(map(make, found)) if isinstance(found, tuple) else make(found)

    def _check_zero(self, function: Any, operands: tuple[Any, ...], options: dict[str, Any], dtypes: Any) -> None:
        """Raise TypeError unless what is not stored, all 0, gives 0."""
        zero = np.zeros(1, np.result_type(*dtypes))
        at_zero = function(
            *(zero if sparse.issparse(each) else each for each in operands),
            **{key: zero if sparse.issparse(each) else each for key, each in options.items()},
        )
        value = max((at_zero if isinstance(at_zero, tuple) else (at_zero,)), key=lambda each: bool(each[0] != 0))[0]
        if value != 0:
            raise TypeError(
                f"{function.name} of 0 is {value}, so that the result would not be sparse; pass x.toarray(), or call "
                "it on x.data"
            )


def _stored(matrices: list[Any]) -> tuple[list[Any], Any]:
    """The numbers of sparse arrays at the places where one of them stores some, and what makes one of such numbers."""
    first = matrices[0]
    if len(matrices) == 1 and first.format in BY_DATA:
        one = first
        if not one.has_canonical_format:
            one = first.copy()
            one.sum_duplicates()

        def with_data(values: Any) -> Any:
            made = one.copy()
            made.data = values
            return made

        return [one.data], with_data
    flat = []
    for each in matrices:
        one = each.tocoo(copy=True)
        one.sum_duplicates()
        flat.append((np.ravel_multi_index(one.coords, one.shape) if one.nnz else np.empty(0, np.intp), one.data))
    places = np.unique(np.concatenate([at for at, _ in flat]))
    values = []
    for at, data in flat:
        whole = np.zeros(len(places), data.dtype)
        whole[np.searchsorted(places, at)] = data
        values.append(whole)
    array = isinstance(first, sparse.sparray)

    def made(found: Any) -> Any:
        coordinates = np.unravel_index(places, first.shape)
        return (sparse.coo_array if array else sparse.coo_matrix)((found, coordinates), shape=first.shape).asformat(
            first.format
        )

    return values, made


adapter = _SciPy()
