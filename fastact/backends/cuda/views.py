"""Arrays on the GPU, of whatever library, as kernels see them: pointers and strides."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastact._core.arrays import halved
from fastact._core.devices import DeviceArray
from fastact.errors import BackendError

__all__ = ["Geometry", "View", "c_strides", "collapse", "in_items", "kept_strides", "merge"]

#: All of a view that a launch depends on besides the address: dtype, shape, strides; does the address divide by 16?
Geometry = tuple[np.dtype[Any], tuple[int, ...], tuple[int, ...], bool]


class View(DeviceArray):
    """Where the items of a device array are. Strides count items; `stream` is the one that wrote it, if known."""

    def __init__(
        self, array: Any, pointer: int, dtype: np.dtype[Any], shape: tuple[int, ...], strides: tuple[int, ...] | None,
        read_only: bool = False, stream: int | None = None, device: int | None = None,
    ) -> None:  # fmt: skip
        self.array = array
        self.pointer = pointer
        self.dtype = dtype
        self.shape = shape
        self.strides = c_strides(shape) if strides is None else strides
        self.read_only = read_only
        self.stream = stream
        self.device = device

    @property
    def geometry(self) -> Geometry:
        return self.dtype, self.shape, self.strides, self.pointer % 16 == 0

    def contiguous(self) -> bool:
        """Do the elements follow each other in C order?"""
        wanted = 1
        for size, step in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if size != 1 and step != wanted:
                return False
            wanted *= size
        return True

    def with_places(self, shape: tuple[int, ...], strides: tuple[int, ...], first: int = 0) -> View:
        """A view of items of the same memory, from item `first` on."""
        pointer, facts = self.pointer + first * self.dtype.itemsize, (self.read_only, self.stream, self.device)
        return View(self.array, pointer, self.dtype, shape, strides, *facts)

    def halves(self, axis: int | str) -> tuple[View, View]:
        """The first and the second half along an axis; raises ValueError for an odd length."""
        axis, half = halved(self.shape, axis)
        shape = *self.shape[:axis], half, *self.shape[axis + 1 :]
        second = self.with_places(shape, self.strides, half * self.strides[axis])
        return self.with_places(shape, self.strides), second

    def permuted(self, order: Sequence[int]) -> View:
        """With its axes in another order."""
        if all(i == axis for i, axis in enumerate(order)):
            return self
        return self.with_places(tuple(self.shape[i] for i in order), tuple(self.strides[i] for i in order))

    def reshape(self, shape: tuple[int, ...]) -> View:
        """With axes of size 1 inserted or left out."""
        if shape == self.shape:
            return self
        steps = iter([step for size, step in zip(self.shape, self.strides, strict=True) if size != 1])
        return self.with_places(shape, tuple(1 if size == 1 else next(steps) for size in shape))

    def broadcast_view(self, shape: tuple[int, ...]) -> View:
        """Broadcast to `shape`."""
        return self.with_places(shape, self.broadcast(shape))

    def broadcast(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The strides of this array broadcast to `shape`."""
        if shape == self.shape:
            return self.strides
        new = len(shape) - len(self.shape)
        fits = zip(self.shape, self.strides, shape[new:], strict=True)
        return (0,) * new + tuple(0 if n == 1 and wanted != 1 else step for n, step, wanted in fits)

    def extent(self) -> tuple[int, int]:
        """The addresses at which its first item in memory begins and its last one ends."""
        reach = [step * (n - 1) for n, step in zip(self.shape, self.strides, strict=True)]
        first = self.pointer + self.dtype.itemsize * sum(min(0, each) for each in reach)
        last = self.pointer + self.dtype.itemsize * sum(max(0, each) for each in reach)
        return first, last + self.dtype.itemsize

    def hides(self, other: View) -> bool:
        """Could writing here change what is still to be read from `other`?"""
        if (self.pointer, self.shape, self.strides, self.dtype) == (
            other.pointer, other.shape, other.strides, other.dtype,
        ):  # fmt: skip
            return False  # item by item in place
        (first, end), (other_first, other_end) = self.extent(), other.extent()
        return first < other_end and other_first < end


def in_items(strides: Sequence[int], itemsize: int) -> tuple[int, ...]:
    """Strides in items, given those in bytes; raises BackendError where they are not whole items."""
    if any(step % itemsize for step in strides):
        raise BackendError("backend 'cuda' takes arrays whose strides are whole items; copy the array first")
    return tuple(step // itemsize for step in strides)


@functools.lru_cache(maxsize=4096)
def c_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of a contiguous array. They are remembered: that takes 1 to 2 us off a call of 18."""
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


@functools.lru_cache(maxsize=4096)
def kept_strides(shape: tuple[int, ...], operands: tuple[tuple[int, ...], ...]) -> tuple[int, ...]:
    """The strides of a new dense array of this shape in NumPy's K order: its axes lie as those of operands do.

    `operands` holds the strides of each, broadcast to `shape`.
    """
    order: list[int] = []  # axes from the smallest stride to the largest
    for axis in reversed(range(len(shape))):
        place = len(order)
        for before in reversed(range(len(order))):
            other = order[before]
            pairs = [(abs(each[axis]), abs(each[other])) for each in operands if each[axis] and each[other]]
            if shape[axis] == 1 or shape[other] == 1 or not pairs:
                continue  # nothing says which is first
            if any(step >= inner for step, inner in pairs):
                break  # where operands disagree, C order stands
            place = before
        order.insert(place, axis)
    strides, step = [0] * len(shape), 1
    for axis in order:
        strides[axis] = step
        step *= shape[axis]
    return tuple(strides)


@functools.lru_cache(maxsize=4096)
def collapse(
    shape: tuple[int, ...], strides: tuple[tuple[int, ...], ...]
) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]:
    """The same places with as few axes as possible, in the order in which the last array, the output, is stored.

    It is remembered: that takes 4 us off an elementwise loss of 48. Other calls remember more than this.
    """
    axes = sorted((a for a in range(len(shape)) if shape[a] != 1), key=lambda a: -abs(strides[-1][a]))
    merged: list[int] = []
    columns: list[tuple[int, ...]] = []
    for axis in axes:
        column = tuple(each[axis] for each in strides)
        if merged and columns[-1] == tuple(step * shape[axis] for step in column):
            merged[-1] *= shape[axis]
            columns[-1] = column
        else:
            merged.append(shape[axis])
            columns.append(column)
    if not merged:
        return (1,), ((1,),) * len(strides)
    return tuple(merged), tuple(zip(*columns, strict=True))


def merge(shape: Sequence[int], strides: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The same places in the same order with as few axes as possible, at least one."""
    sizes, steps = [1], [0]
    for size, step in zip(shape, strides, strict=True):
        if size == 1:
            continue
        if sizes == [1]:
            sizes, steps = [size], [step]
        elif steps[-1] == step * size:
            sizes[-1] *= size
            steps[-1] = step
        else:
            sizes.append(size)
            steps.append(step)
    return tuple(sizes), tuple(steps)
