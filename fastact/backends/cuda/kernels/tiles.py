"""Tiles: some numbers of a row, which a thread holds in its registers as a tuple.

Number k of a tile that begins at number `start` of the row is number start + k * threads, so that neighbouring threads
read neighbouring memory. What a row is, groups.py says.

The functions here make device functions for tiles of n numbers. They make them of one device function for both halves
of a tile, so that the compiler has few to compile.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastact._kernels.scalar.primitives import where
from fastact.backends.cuda.kernels import DeviceFunction, device_function
from fastact.backends.cuda.kernels.groups import counting, placing, reading
from fastact.backends.cuda.kernels.layouts import Layout, RowTraits
from fastact.backends.cuda.kernels.memory import access

__all__ = ["accumulated", "folded", "loading", "mapped", "paired", "storing"]

#: So many numbers are added in pairs of pairs, with rounding, before their sum is added without loss.
PLAINLY = 4


@device_function
def within(left, most):  # type: ignore[no-untyped-def]
    """How many of a tile's `most` numbers come before a place that is `left` numbers away, as an int32."""
    return np.int32(max(min(left, most), 0))


def mapped(f: DeviceFunction, n: int) -> DeviceFunction:
    """f(value, more) of each value."""
    if n == 1:
        return device_function(lambda values, more: (f(values[0], more),))
    half, middle = mapped(f, n // 2), n // 2
    return device_function(lambda values, more: half(values[:middle], more) + half(values[middle:], more))


def paired(f: DeviceFunction, n: int) -> DeviceFunction:
    """f(a, b, more) of each two values of two tiles."""
    if n == 1:
        return device_function(lambda a, b, more: (f(a[0], b[0], more),))
    half, middle = paired(f, n // 2), n // 2
    return device_function(
        lambda a, b, more: half(a[:middle], b[:middle], more) + half(a[middle:], b[middle:], more)
    )  # fmt: skip


def folded(f: DeviceFunction, n: int) -> DeviceFunction:
    """f of f of ... of all values, as a tree."""
    if n == 1:
        return device_function(lambda values: values[0])
    half, middle = folded(f, n // 2), n // 2
    return device_function(lambda values: f(half(values[:middle]), half(values[middle:])))


def accumulated(add: DeviceFunction, n: int) -> DeviceFunction:
    """(total, low) plus all values, by `add` of `Reductions`."""
    if n <= PLAINLY:
        plus = folded(device_function(lambda a, b: a + b), n)
        return device_function(lambda total, low, values: add(total, low, plus(values)))
    half, middle = accumulated(add, n // 2), n // 2

    @device_function
    def total_of(total, low, values):  # type: ignore[no-untyped-def]
        total, low = half(total, low, values[:middle])
        return half(total, low, values[middle:])

    return total_of


def loading(layout: Layout, traits: RowTraits, array: int, nothing: Any, divided: bool = False) -> DeviceFunction:
    """tile(row, start, stop) of operand `array`; `nothing` where a number does not count, or stands at `stop` or after
    it.
    """
    _, kept, _ = counting(traits)
    number, threads = reading(layout, traits, array, divided), layout.threads

    if layout.staged and not traits.mask:  # every place holds a number

        @device_function
        def one(row, start, left, far):  # type: ignore[no-untyped-def]
            return (where(far < left, number(row, start + far), nothing),)
    else:

        @device_function
        def one(row, start, left, far):  # type: ignore[no-untyped-def]
            value = nothing
            if far < left and kept(row, start + far):
                value = number(row, start + far)
            return (value,)

    def several(n: int) -> DeviceFunction:
        if n == 1:
            return one
        half, step = several(n // 2), n // 2 * threads
        return device_function(
            lambda row, start, left, far: half(row, start, left, far) + half(row, start, left, far + step)
        )

    tile, most = several(layout.numbers), layout.tile
    return device_function(lambda row, start, stop: tile(row, start, within(stop - start, most), 0))


def storing(layout: Layout, traits: RowTraits, nothing: Any) -> DeviceFunction:
    """store(out, row, start, stop, end, values): the values that stand before `end`; `nothing` instead where a number
    does not count, or stands at `stop` or after it.
    """
    _, put = access(traits.result, traits.number)
    _, kept, _ = counting(traits)
    place_of, threads = placing(layout), layout.threads

    @device_function
    def one(out, row, start, left, room, far, values):  # type: ignore[no-untyped-def]
        if far < room:
            value = nothing
            if far < left and kept(row, start + far):
                value = values[0]
            put(out, place_of(row, start + far), value)

    def several(n: int) -> DeviceFunction:
        if n == 1:
            return one
        half, middle, step = several(n // 2), n // 2, n // 2 * threads

        @device_function
        def store(out, row, start, left, room, far, values):  # type: ignore[no-untyped-def]
            half(out, row, start, left, room, far, values[:middle])
            half(out, row, start, left, room, far + step, values[middle:])

        return store

    tile, most = several(layout.numbers), layout.tile

    @device_function
    def store(out, row, start, stop, end, values):  # type: ignore[no-untyped-def]
        left, room = within(stop - start, most), within(end - start, most)
        tile(out, row, start, left, room, 0, values)

    return store
