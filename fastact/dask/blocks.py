"""Blocks of dask arrays: operands brought to the same chunks, and functions applied to block by block.

A function of blocks is a plain function of a module, so that the names of tasks are the same in every process.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import dask.array as da
import numpy as np
from dask.array.utils import meta_from_array

from fastact._kernels.native.arithmetic import standard_arithmetic

__all__ = [
    "UNKNOWN", "aligned", "as_lazy", "by_block", "converted", "fake", "is_chunked", "is_lazy", "is_unknown",
    "positions", "several", "total", "tree",
]  # fmt: skip

UNKNOWN = "has chunks of unknown size along axis {axis}; call its compute_chunk_sizes() first"


def is_lazy(operand: Any) -> bool:
    """Whether it is a dask array."""
    return isinstance(operand, da.Array)


def is_unknown(size: float) -> bool:
    """Whether this size of an axis or chunk is not known yet."""
    return math.isnan(size)


def is_chunked(array: Any, axes: Sequence[int]) -> bool:
    """Whether there are several blocks along one of the axes."""
    return any(array.numblocks[axis] > 1 for axis in axes)


def fake(operand: Any, like: Sequence[float] = (), dtype: Any = None) -> Any:
    """An array that has the operand's shape and dtype but no memory, for checks; an operand in memory itself.

    Axes of unknown size have size 1, and so have those that belong to an axis of unknown size in the shape `like`.
    """
    unknown = [back for back, size in enumerate(reversed(like), 1) if is_unknown(size) and back <= np.ndim(operand)]
    if not is_lazy(operand):
        if not unknown:
            return operand
        array = np.asarray(operand)
        return array[tuple(slice(1 if array.ndim - axis in unknown else None) for axis in range(array.ndim))]
    shape = [1 if is_unknown(size) else size for size in operand.shape]
    for back in unknown:
        shape[-back] = 1
    return np.broadcast_to(np.ones((), operand.dtype if dtype is None else dtype), shape)


def as_lazy(operand: Any, *others: Any) -> Any:
    """The operand as a dask array; in memory, it gets the chunks of those lazy ones that it goes with."""
    if is_lazy(operand):
        return operand
    array = np.asarray(operand)
    chunks = [(size,) for size in array.shape]
    for other in filter(is_lazy, others):
        for back in range(1, min(array.ndim, other.ndim) + 1):
            if array.shape[-back] == other.shape[-back]:
                chunks[-back] = other.chunks[-back]
    return da.from_array(array, chunks=tuple(chunks))


def aligned(name: str, operand: Any, like: Any) -> Any:
    """The operand as a dask array with the chunks of the last axes of `like`; axes of size 1 stay as they are.

    Raises
    ------
    ValueError
        If chunks of unknown size do not fit: then there is no telling which elements belong together.
    """
    array = as_lazy(operand)
    chunks, first = list(array.chunks), like.ndim - array.ndim
    for axis, (size, wanted) in enumerate(zip(array.shape, like.chunks[first:], strict=True)):
        unknown = is_unknown(size), is_unknown(like.shape[first + axis])
        if size == 1 or (all(unknown) and len(wanted) == len(chunks[axis])):
            continue
        if any(unknown):
            raise ValueError(
                f"{name if unknown[0] else 'x'} {UNKNOWN.format(axis=axis if unknown[0] else first + axis)}"
            )
        chunks[axis] = wanted
    known = {axis: sizes for axis, sizes in enumerate(chunks) if sizes is not array.chunks[axis]}
    return array.rechunk(known) if known else array


def by_block(
    compute: Callable[..., Any],
    name: str,
    main: Any,
    *others: Any,
    dtype: Any,
    stacked: int | None = None,
    sizes: dict[int, Any] | None = None,
    **options: Any,
) -> Any:
    """compute(block, *blocks of others, **options) for each block of `main`.

    Parameters
    ----------
    compute, name : what is computed, and how its tasks are called
    main, others : dask arrays, aligned, with the last axes of `main` or a stacked axis before them; anything else is
        passed on as it is
    dtype : of the result
    stacked : if the function puts a new axis first, its length
    sizes : axis -> its length in a block of the result, where that is not the one in `main`
    """
    axes = tuple(range(main.ndim))
    pairs: list[Any] = []
    for each in (main, *others):
        pairs += [each, _axes_of(each, main.ndim) if is_lazy(each) else None]
    return da.blockwise(
        compute,
        axes if stacked is None else (main.ndim, *axes),
        *pairs,
        token=name,
        dtype=np.dtype(dtype),
        new_axes=None if stacked is None else {main.ndim: stacked},
        adjust_chunks=sizes,
        align_arrays=False,
        concatenate=True,
        meta=_meta(main, main.ndim + (stacked is not None), dtype),
        **options,
    )


def _axes_of(array: Any, ndim: int) -> tuple[int, ...]:
    """The last axes of ndim, or all of them and before them one that is stacked."""
    return (ndim, *range(ndim)) if array.ndim > ndim else tuple(range(ndim - array.ndim, ndim))


def several(
    compute: Callable[..., tuple[Any, ...]],
    name: str,
    main: Any,
    *others: Any,
    dtypes: Sequence[Any],
    sizes: Sequence[dict[int, Any] | None],
    **options: Any,
) -> list[Any]:
    """`by_block` for a function with several results: one dask array for each; every block is computed once."""
    results = by_block(compute, name, main, *others, dtype=object, **options)
    axes = tuple(range(main.ndim))
    return [
        da.blockwise(
            operator.itemgetter(number), axes, results, axes, token=name, dtype=np.dtype(dtype), adjust_chunks=size,
            align_arrays=False, meta=_meta(main, main.ndim, dtype),
        )
        for number, (dtype, size) in enumerate(zip(dtypes, sizes, strict=True))
    ]  # fmt: skip


def _meta(main: Any, ndim: int, dtype: Any) -> Any:
    """An array without elements, of the kind that the blocks of `main` are."""
    if dtype is object:
        return np.empty((0,) * ndim, object)
    return meta_from_array(main._meta, ndim=ndim, dtype=np.dtype(dtype))


def tree(parts: Any, combine: Callable[..., Any], axes: Sequence[int]) -> Any:
    """Parts that blocks gave, combined along axes in a tree that the chunks alone decide; the axes are kept.

    combine(parts, axis=, keepdims=True) takes parts that are joined along the axes, and gives one.
    """
    return da.reduction(
        parts, _as_it_is, combine, combine=combine, axis=tuple(axes), keepdims=True, dtype=parts.dtype,
        meta=parts._meta, name=parts.name.rpartition("-")[0],
    )  # fmt: skip


def _as_it_is(parts: Any, axis: Any, keepdims: bool) -> Any:
    return parts


@standard_arithmetic()
def total(parts: Any, axis: Any, keepdims: bool) -> Any:
    """The sum, as `tree` combines."""
    return parts.sum(axis=axis, keepdims=keepdims)


def positions(x: Any, axis: int) -> Any:
    """The place of each element along an axis, an array of x's dimensions that is lazy as x is.

    Raises
    ------
    ValueError
        If chunks along the axis have an unknown size.
    """
    if is_unknown(x.shape[axis]):
        raise ValueError(f"x {UNKNOWN.format(axis=axis)}")
    device = {} if isinstance(x._meta, np.ndarray) else {"like": x._meta}
    places = da.arange(x.shape[axis], chunks=(x.chunks[axis],), dtype=np.int64, **device)
    return places.reshape(tuple(-1 if each == axis else 1 for each in range(x.ndim))) if x.ndim > 1 else places


def converted(block: Any, dtype: Any) -> Any:
    """A block, in whatever memory, in this dtype; without a warning."""
    if block.dtype == dtype:
        return block
    with standard_arithmetic():
        return block.astype(dtype)
