"""SciPy's sparse arrays and matrices: elementwise functions that are 0 at 0 keep them sparse, others are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from fastact._core.containers import Adapter
from fastact.interop.containers.roles import Call, is_elementwise, of_each

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
        call = Call(function, method, operands, options)
        matrices = call.where(sparse.issparse)
        for each in call.arguments.values():
            if not sparse.issparse(each) and np.ndim(each):
                raise TypeError(f"{name} of a sparse and a dense array would be dense; pass x.toarray()")
        if not matrices:
            raise self.refusal(function, call.arguments.values())
        first = next(iter(matrices.values()))
        if any(each.shape != first.shape for each in matrices.values()):
            shapes = ", ".join(str(each.shape) for each in matrices.values())
            raise ValueError(f"{name}: sparse arrays of shapes {shapes}; they must be equal")
        zero = np.zeros(1, np.result_type(*(each.dtype for each in matrices.values())))
        of_each(call.made(dict.fromkeys(matrices, zero)), lambda found: _check_zero(name, found[0]))
        stored, make = _stored(list(matrices.values()))
        return of_each(call.made(dict(zip(matrices, stored, strict=True))), make)


def _check_zero(name: str, value: Any) -> None:
    """Raise TypeError unless what is not stored, all 0, gives 0."""
    if value != 0:
        raise TypeError(
            f"{name} of 0 is {value}, so that the result would not be sparse; pass x.toarray(), or call it on x.data"
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
