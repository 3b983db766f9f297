"""Every backend's softmax family, over memory layouts times options, against plain NumPy on float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle, product
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import fastact as fa
from fastact._core.backends import FAMILIES

KINDS = [fa.softmax, fa.log_softmax, fa.softmin, fa.logsumexp, fa.sparsemax, fa.entmax15, fa.hardmax]


def _turned(a: np.ndarray) -> np.ndarray:
    """Swap the last two axes in memory, as einsum and transposed scores do."""
    return np.ascontiguousarray(np.swapaxes(a, -2, -1)).swapaxes(-2, -1)


def _unaligned(a: np.ndarray) -> np.ndarray:
    memory = np.zeros(a.nbytes + 1, np.uint8)[1:].view(a.dtype).reshape(a.shape)
    memory[...] = a
    return memory


#: The same numbers elsewhere in memory.
LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "turned": _turned,
    "first axis innermost": lambda a: np.moveaxis(np.ascontiguousarray(np.moveaxis(a, 0, -1)), -1, 0),
    "gaps": lambda a: np.repeat(a, 2, -1)[..., ::2],
    "gaps between rows": lambda a: np.repeat(a, 2, 0)[::2],
    "backwards": lambda a: np.ascontiguousarray(a[::-1, ..., ::-1])[::-1, ..., ::-1],
    "byte-swapped": lambda a: a.astype(a.dtype.newbyteorder()),
    "unaligned": _unaligned,
}
#: dtypes of x and, if asked for, of the result
DTYPES = [("f8", None), ("f4", None), ("f2", None), ("f8", "f2"), ("f2", "f8"), ("f4", "f8"), ("f8", "f4")]
SHAPES = [
    ((2, 3, 4, 4), -1), ((2, 3, 4), 1), ((3, 4, 5), 0), ((2, 3, 4), (0, 2)), ((2, 3, 4), None), ((1, 3, 1, 2), -1),
    ((3, 1), -1), ((0, 3, 4), -1), ((3, 4, 0), -1), ((3, 0, 4), 0),
]  # fmt: skip


def options(shape: tuple[int, ...], axis: Any) -> Iterator[dict[str, Any]]:
    """Masks, lengths and temperatures of every number of dimensions and their combinations."""
    rng = np.random.default_rng(0)
    masks: list[Any] = [rng.random(size) < 0.7 for size in (shape, shape[-1:], (*shape[:-1], 1), shape[-2:], ())]
    sizes = shape, shape[-1:], (*shape[:-1], 1), (shape[0], *[1] * (len(shape) - 1))
    temperatures = [0.5, *(0.5 + rng.random(size) for size in sizes)]
    counts: list[Any] = []
    if isinstance(axis, int):
        rest = shape[: axis % len(shape)] + shape[axis % len(shape) + 1 :]
        counts = [rng.integers(0, shape[axis] + 1, rest), rng.integers(0, shape[axis] + 1, rest[:1])]
    if axis == -1:
        masks.append("causal")
    given = [{}, *({"where": mask} for mask in masks), *({"lengths": count} for count in counts)]
    given += [{"where": mask, "lengths": count} for mask, count in zip(masks[::-1], counts, strict=False)]
    for some, temperature in zip(given, cycle(temperatures), strict=False):
        yield some
        yield {**some, "temperature": temperature}


def close(found: Any, wanted: np.ndarray) -> None:
    tolerance = 60 * float(ml_dtypes.finfo(found.dtype).eps)
    np.testing.assert_allclose(found.astype("f8"), wanted, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("shape", "axis"), SHAPES, ids=str)
@pytest.mark.parametrize("function", KINDS, ids=lambda f: f.name)
def test_layouts_times_options(function: Any, shape: tuple[int, ...], axis: Any) -> None:
    """Forward, into an array of the same layout, and backward; NumPy's own warnings are errors."""
    rng, offered = np.random.default_rng(1), FAMILIES[function._family]
    always = {"cython", "numpy"} & set(offered)
    others = cycle(sorted(set(filter(None, offered)) - always - {"cuda"}))  # which differ in nothing but their threads
    kept = {"keepdims": True} if function is fa.logsumexp else {}
    settings = cycle(DTYPES)
    for number, given in enumerate(options(shape, axis)):
        dtype, result_dtype = next(settings)
        x, grad = rng.normal(0, 2, (2, *shape)).astype(dtype)
        exact = function(x.astype("f8"), axis, backend="numpy", **given, **kept)
        operands = [np.ones(exact.shape, dtype), x] if kept else [grad, exact.astype(dtype)]
        slope = function.backward(*(each.astype("f8") for each in operands), axis, backend="numpy", **given)
        layouts = list(LAYOUTS.items())[number % 3 :: 3]  # a mask meets all of them: there are others beside it
        for (layout, lay_out), backend in product(layouts, (*sorted(always), next(others))):
            call = {"axis": axis, "backend": backend, "dtype": result_dtype, **given}
            with np.errstate(all="raise"):
                y = function(lay_out(x), **call, **kept)
                close(y, exact)
                out = lay_out(np.zeros_like(y)) if layout != "byte-swapped" else np.zeros_like(y)
                assert function(lay_out(x), out=out, **call, **kept) is out
                np.testing.assert_array_equal(out, y)
                close(function.backward(*map(lay_out, operands), **call), slope)
