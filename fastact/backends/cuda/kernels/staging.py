"""Short rows pass through shared memory.

Where a thread has a row of ten numbers, or a few threads share one, an access of a warp would touch as many places of
memory as the warp has rows. So a block copies its rows, which follow each other, to shared memory, computes from there
to there, and copies the results.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import cuda

from fastact.backends.cuda.kernels import DeviceFunction, device_function
from fastact.backends.cuda.kernels.layouts import Layout

__all__ = ["skewed", "staging"]


@device_function
def skewed(i):  # type: ignore[no-untyped-def]
    """The place of item i in the shared memory of a layout that is staged.

    One place in 33 stays empty, so that rows of 2, 4, 8 or 16 numbers do not all begin in the same banks. The place is
    unsigned, because a signed one could be negative and count from the end.
    """
    i = np.uint32(i)
    return np.uint32(i + (i >> np.uint32(5)))


def staging(
    layout: Layout, stored: str, operands: Sequence[bool], result: str, of_rows: bool = True
) -> tuple[DeviceFunction, DeviceFunction]:
    """Device functions: (operands, out, block, rows, n), the arrays that a block uses instead;
    (near, out, block, rows, n), which copies the results from there to `out`.

    `operands` says which arrays, of dtype `stored`, hold rows, and `of_rows` whether the results, of dtype `result`,
    do. Others stay where they are, and all of them where the layout is not staged.
    """
    if not layout.staged:
        stay = device_function(lambda operands, out, block, rows, n: (operands, out))
        return stay, device_function(lambda near, out, block, rows, n: None)
    item, result_item, in_block = _item(stored), _item(result), layout.rows
    bring, store = _bringing(layout, operands, item), _copying(layout, result_item, outwards=True)
    places = _places(layout)
    size = len(operands) * places

    @device_function
    def part_of(block, rows, n):  # type: ignore[no-untyped-def]
        """The first item of a block's rows, and how many they have."""
        first = block * (in_block * n)
        return first, np.int32(min(in_block * n, rows * n - first))

    @device_function
    def enter(operands, out, block, rows, n):  # type: ignore[no-untyped-def]
        first, count = part_of(block, rows, n)
        near = bring(operands, cuda.shared.array(size, item), first, count)
        cuda.syncthreads()
        return near, out

    if not of_rows:
        return enter, device_function(lambda near, out, block, rows, n: None)

    @device_function
    def enter_both(operands, out, block, rows, n):  # type: ignore[no-untyped-def]
        near, _ = enter(operands, out, block, rows, n)
        return near, cuda.shared.array(places, result_item)

    @device_function
    def leave(near, out, block, rows, n):  # type: ignore[no-untyped-def]
        first, count = part_of(block, rows, n)
        cuda.syncthreads()
        store(out, near, first, count)

    return enter_both, leave


def _item(stored: str) -> Any:
    """The type of an item in memory; a bfloat16 is its bits."""
    return np.uint16 if stored == "bfloat16" else np.dtype(stored).type


def _places(layout: Layout) -> int:
    """Places of shared memory for the rows of a block."""
    return layout.block * layout.numbers * 33 // 32


def _bringing(layout: Layout, operands: Sequence[bool], item: Any) -> DeviceFunction:
    """A device function: (operands, shared, first, count), parts of `shared` with copies of the operands that hold
    rows, from item `first` on, and the others as they are.
    """
    if not operands:
        return device_function(lambda operands, shared, first, count: ())
    before, last, places = _bringing(layout, operands[:-1], item), len(operands) - 1, _places(layout)
    if not operands[-1]:
        return device_function(
            lambda operands, shared, first, count: before(operands, shared, first, count) + (operands[last],)  # noqa: RUF005
        )
    copy = _copying(layout, item, outwards=False)

    @device_function
    def bring(operands, shared, first, count):  # type: ignore[no-untyped-def]
        near = shared[last * places : (last + 1) * places]
        copy(operands[last], near, first, count)
        return before(operands, shared, first, count) + (near,)  # noqa: RUF005

    return bring


def _copying(layout: Layout, item: Any, outwards: bool) -> DeviceFunction:
    """A device function: (far, near, first, count) copies `count` items from far[first] on to `near`; or back.

    Without branches: what a thread reads beyond the last item is a copy of that, or is not stored.
    """
    step = layout.block  # a multiple of 32, so that places are as far apart as if none stayed empty before them
    if outwards:
        read = device_function(lambda far, near, first, i, at, count: near[np.uint32(at)])

        @device_function
        def write(far, near, first, i, at, count, value):  # type: ignore[no-untyped-def]
            if i < count:
                far[first + i] = value
    else:
        read = device_function(
            lambda far, near, first, i, at, count: far[first + min(np.int32(i), np.int32(count - 1))]
        )

        @device_function
        def write(far, near, first, i, at, count, value):  # type: ignore[no-untyped-def]
            near[np.uint32(at)] = value

    def take(n: int) -> DeviceFunction:
        if n == 1:
            return device_function(lambda far, near, first, i, at, count: (read(far, near, first, i, at, count),))
        half, more, places = take(n // 2), n // 2 * step, n // 2 * step * 33 // 32

        @device_function
        def several(far, near, first, i, at, count):  # type: ignore[no-untyped-def]
            values = half(far, near, first, i, at, count)
            return values + half(far, near, first, i + more, at + places, count)

        return several

    def give(n: int) -> DeviceFunction:
        if n == 1:
            return device_function(
                lambda far, near, first, i, at, count, values: write(far, near, first, i, at, count, values[0])
            )
        half, middle, more, places = give(n // 2), n // 2, n // 2 * step, n // 2 * step * 33 // 32

        @device_function
        def several(far, near, first, i, at, count, values):  # type: ignore[no-untyped-def]
            half(far, near, first, i, at, count, values[:middle])
            half(far, near, first, i + more, at + places, count, values[middle:])

        return several

    take_all, give_all = take(layout.numbers), give(layout.numbers)

    @device_function
    def copy(far, near, first, count):  # type: ignore[no-untyped-def]
        i = cuda.threadIdx.x
        at = skewed(i)
        values = take_all(far, near, first, i, at, count)  # all reads before the first write
        give_all(far, near, first, i, at, count, values)

    return copy
