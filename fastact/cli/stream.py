"""Applies a function to a .npy file of any size in constant memory.

Both files are memory-mapped and processed block by block.
"""

from __future__ import annotations

import errno
import math
import mmap
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from fastact._core.files import npy_header, open_regular

Array = np.ndarray[Any, np.dtype[Any]]

AXIS_OF_BLOCK = 1
"""The axis of a block (outer, axis, inner) that is never cut."""

NARROWEST = 16
"""Least width of a block along its last axis: a 64-byte cache line of float32, so that no two blocks read the same
line of the file."""

NO_SUCH_CALL = (errno.EINVAL, errno.EOPNOTSUPP)
"""The errors of posix_fallocate on a file system without it."""


def apply(
    function: Callable[..., Any],
    source: Path,
    target: Path,
    *,
    axis: int | None = None,
    chunk: int = 2**20,
    advance: Callable[[int], None] = lambda elements: None,
) -> None:
    """Write function(source) to `target`, about `chunk` elements at a time.

    With `axis` None the function acts on each element by itself. Otherwise it gets three-dimensional blocks that hold
    whole lines of that axis of the file's array, along AXIS_OF_BLOCK.
    """
    array = open_npy(source)
    if axis is not None:
        axis = normalised(axis, max(array.ndim, 1), source)  # a scalar has an axis 0, as for np.sum
    dtype = result_dtype(function, array.dtype, source)
    result = np.lib.format.open_memmap(
        target, mode="w+", dtype=dtype, shape=array.shape, fortran_order=in_fortran_order(array)
    )
    reserve(target)
    before, after = as_lines(array, axis), as_lines(result, axis)
    for block in blocks(before.shape, chunk):
        function(before[block], out=after[block])
        release(array)
        release(result)
        advance(before[block].size)


def open_npy(path: Path) -> Array:
    """Map the array of a .npy file, read-only."""
    with open_regular(path) as file:
        try:
            header = npy_header(file)
            if header.file_size > os.fstat(file.fileno()).st_size:
                raise ValueError(f"it is cut short: its header promises {header.file_size:,} bytes")
            order: Any = "F" if header.fortran_order else "C"
            return np.memmap(file, header.dtype, "r", header.size, header.shape, order)
        except ValueError as error:
            raise ValueError(f"{path}: not a .npy file that can be read: {error}") from error


def size(path: Path) -> int:
    """How many elements the file holds."""
    return open_npy(path).size


def normalised(axis: int, ndim: int, path: Path) -> int:
    """The axis counted from 0."""
    if not -ndim <= axis < ndim:
        raise ValueError(f"axis {axis} is out of range: the array in {path} has {ndim} dimensions")
    return axis % ndim


def result_dtype(function: Callable[..., Any], dtype: np.dtype[Any], path: Path) -> np.dtype[Any]:
    """The dtype of the function's result for `dtype`; calls it with a single element."""
    try:
        return np.asarray(function(np.zeros((1, 1, 1), dtype))).dtype
    except TypeError as error:
        raise ValueError(f"{path} holds {dtype}, which the function does not take: {error}") from error


def reserve(path: Path) -> None:
    """Allocate the file's space now: a disk that fills up later, under the mapping, would kill the process."""
    if not hasattr(os, "posix_fallocate"):
        return
    with open(path, "r+b") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        except OSError as error:
            if error.errno not in NO_SUCH_CALL:
                raise OSError(error.errno, error.strerror, str(path)) from error


def as_lines(array: Array, axis: int | None) -> Array:
    """View the contiguous array as (outer, axis, inner), or as (elements, 1, 1) for axis None; never copy."""
    array = np.atleast_1d(np.asarray(array))
    if in_fortran_order(array):
        array, axis = array.T, None if axis is None else array.ndim - 1 - axis
    if axis is None:
        return array.reshape(-1, 1, 1)
    shape = array.shape
    return array.reshape(math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :]))


def in_fortran_order(array: Array) -> bool:
    """Whether the first axis of the array is the one whose elements are neighbours."""
    return array.flags.f_contiguous and not array.flags.c_contiguous


def blocks(shape: tuple[int, ...], chunk: int) -> Iterator[tuple[slice, slice, slice]]:
    """Cut (outer, n, inner) into pieces of about `chunk` elements, never along n."""
    outer, n, inner = shape
    if not outer * n * inner:
        return
    width = min(inner, max(NARROWEST, chunk // n))
    height = max(1, chunk // (n * width))
    for row in range(0, outer, height):
        for column in range(0, inner, width):
            yield slice(row, row + height), slice(None), slice(column, column + width)


def release(array: Array) -> None:
    """Drop the pages touched so far from this process's memory; the file keeps them."""
    mapping: Any = array.base
    if hasattr(mapping, "madvise"):
        mapping.madvise(mmap.MADV_DONTNEED)
