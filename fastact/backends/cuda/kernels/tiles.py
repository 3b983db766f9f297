"""Tiles: some numbers of a row, in the registers of a thread, as a tuple.

Number k of a tile that begins with number `start` of the row is number start + k * threads, so that neighbouring
threads read neighbouring memory. A row is (operands, first, inner, mask, place, divisor): its number j stands first +
j * inner items from where the operands begin, and counts if the mask at `place` says so.

All of these make device functions, for tiles of `n` numbers, from those for the two halves, which are one function: few
are to be compiled.
"""

from __future__ import annotations

from typing import Any

from fastact.backends.cuda.kernels import DeviceFunction, device_function
from fastact.backends.cuda.kernels.groups import Layout, RowTraits, mask_tools
from fastact.backends.cuda.kernels.memory import access

__all__ = ["accumulated", "folded", "loading", "mapped", "paired", "storing"]

#: Numbers that are added as they are, in pairs of pairs, before their sum is added without loss.
PLAINLY = 4


def mapped(f: DeviceFunction, n: int) -> DeviceFunction:
    """f(value, more) of every value."""
    if n == 1:
        return device_function(lambda values, more: (f(values[0], more),))
    half, middle = mapped(f, n // 2), n // 2
    return device_function(lambda values, more: half(values[:middle], more) + half(values[middle:], more))


def paired(f: DeviceFunction, n: int) -> DeviceFunction:
    """f(a, b, more) of every two values of two tiles."""
    if n == 1:
        return device_function(lambda a, b, more: (f(a[0], b[0], more),))
    half, middle = paired(f, n // 2), n // 2
    return device_function(lambda a, b, more: half(a[:middle], b[:middle], more) + half(a[middle:], b[middle:], more))


def folded(f: DeviceFunction, n: int) -> DeviceFunction:
    """f of f of ... of all values, as a tree."""
    if n == 1:
        return device_function(lambda values: values[0])
    half, middle = folded(f, n // 2), n // 2
    return device_function(lambda values: f(half(values[:middle]), half(values[middle:])))


def accumulated(add: DeviceFunction, n: int) -> DeviceFunction:
    """(total, low) and all values, added by `add` of rows.py."""
    if n <= PLAINLY:
        plus = folded(device_function(lambda a, b: a + b), n)
        return device_function(lambda total, low, values: add(total, low, plus(values)))
    half, middle = accumulated(add, n // 2), n // 2

    @device_function
    def total_of(total, low, values):  # type: ignore[no-untyped-def]
        total, low = half(total, low, values[:middle])
        return half(total, low, values[middle:])

    return total_of


def loading(traits: RowTraits, layout: Layout, array: int, nothing: Any, divided: bool = False) -> DeviceFunction:
    """tile(row, start, stop) of operand `array`: what does not count, or stands at `stop` or after, is `nothing`."""
    load, _ = access(traits.stored, traits.number)
    _, kept, _ = mask_tools(traits)
    threads, columns = layout.threads, layout.columns

    @device_function
    def one(row, start, left, far):  # type: ignore[no-untyped-def]
        operands, first, inner, mask, place, divisor = row
        value = nothing
        if far < left and kept(mask, place, start + far):
            value = load(operands[array], first + ((start + far) * inner if columns else start + far))
            if divided:
                value = value / divisor
        return (value,)

    def several(n: int) -> DeviceFunction:
        if n == 1:
            return one
        half, step = several(n // 2), n // 2 * threads
        return device_function(
            lambda row, start, left, far: half(row, start, left, far) + half(row, start, left, far + step)
        )

    tile = several(layout.numbers)
    return device_function(lambda row, start, stop: tile(row, start, stop - start, 0))


def storing(traits: RowTraits, layout: Layout, nothing: Any) -> DeviceFunction:
    """store(out, row, start, stop, end, values): all before `end`; `nothing` where a number does not count."""
    _, put = access(traits.result, traits.number)
    _, kept, _ = mask_tools(traits)
    threads, columns = layout.threads, layout.columns

    @device_function
    def one(out, row, start, left, room, far, values):  # type: ignore[no-untyped-def]
        if far < room:
            _, first, inner, mask, place, _ = row
            value = nothing
            if far < left and kept(mask, place, start + far):
                value = values[0]
            put(out, first + ((start + far) * inner if columns else start + far), value)

    def several(n: int) -> DeviceFunction:
        if n == 1:
            return one
        half, middle, step = several(n // 2), n // 2, n // 2 * threads

        @device_function
        def store(out, row, start, left, room, far, values):  # type: ignore[no-untyped-def]
            half(out, row, start, left, room, far, values[:middle])
            half(out, row, start, left, room, far + step, values[middle:])

        return store

    tile = several(layout.numbers)
    return device_function(
        lambda out, row, start, stop, end, values: tile(out, row, start, stop - start, end - start, 0, values)
    )
