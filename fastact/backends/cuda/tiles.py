"""Tiles: some numbers of a row, in the registers of a thread, as a tuple.

Number k of a tile that begins with number `start` of the row is number start + k * threads, so that neighbouring
threads read neighbouring memory. A row is (operands, first, inner, mask, place, divisor): its number j stands first +
j * inner items from where the operands begin, and counts if the mask at `place` says so.

All of these make device functions, for tiles of `n` numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .device import access
from .rows import Layout, Options, mask_tools

__all__ = ["accumulated", "folded", "loading", "mapped", "paired", "storing"]

#: The module numba.cuda, once compiling.py has imported it.
cuda: Any = None

#: Numbers that are added as they are, in pairs of pairs, before their sum is added without loss.
PLAINLY = 4

Function = Callable[..., Any]


def mapped(f: Function, n: int) -> Function:
    """f(value, more) of every value."""
    if n == 0:
        return cuda.jit(device=True)(lambda values, more: ())
    before, last = mapped(f, n - 1), n - 1
    return cuda.jit(device=True)(lambda values, more: before(values, more) + (f(values[last], more),))  # noqa: RUF005


def paired(f: Function, n: int) -> Function:
    """f(a, b, more) of every two values of two tiles."""
    if n == 0:
        return cuda.jit(device=True)(lambda a, b, more: ())
    before, last = paired(f, n - 1), n - 1
    return cuda.jit(device=True)(lambda a, b, more: before(a, b, more) + (f(a[last], b[last], more),))  # noqa: RUF005


def folded(f: Function, n: int, first: int = 0) -> Function:
    """f of f of ... of all values, as a tree."""
    if n == 1:
        return cuda.jit(device=True)(lambda values: values[first])
    left, right = folded(f, n // 2, first), folded(f, n - n // 2, first + n // 2)
    return cuda.jit(device=True)(lambda values: f(left(values), right(values)))


def accumulated(add: Function, n: int) -> Function:
    """(total, low) and all values, added by `add` of rows.py."""
    if n == 0:
        return cuda.jit(device=True)(lambda total, low, values: (total, low))
    size = min(n, PLAINLY)
    plus = cuda.jit(device=True)(lambda a, b: a + b)
    before, some = accumulated(add, n - size), folded(plus, size, n - size)

    @cuda.jit(device=True)
    def total_of(total, low, values):  # type: ignore[no-untyped-def]
        total, low = before(total, low, values)
        return add(total, low, some(values))

    return total_of


def loading(options: Options, layout: Layout, array: int, nothing: Any, divided: bool = False) -> Function:
    """tile(row, start, stop) of operand `array`: what does not count, or stands at `stop` or after, is `nothing`."""
    load, _ = access(options.stored, options.number)
    _, kept, _ = mask_tools(options)
    threads, columns = layout.threads, layout.columns

    def first_of(n: int) -> Function:
        if n == 0:
            return cuda.jit(device=True)(lambda row, start, stop: ())
        before, far = first_of(n - 1), (n - 1) * threads

        @cuda.jit(device=True)
        def tile(row, start, stop):  # type: ignore[no-untyped-def]
            operands, first, inner, mask, place, divisor = row
            earlier, value = before(row, start, stop), nothing
            if far < stop - start and kept(mask, place, start + far):
                value = load(operands[array], first + ((start + far) * inner if columns else start + far))
                if divided:
                    value = value / divisor
            return earlier + (value,)  # noqa: RUF005 (Numba takes no starred tuples)

        return tile

    return first_of(layout.numbers)


def storing(options: Options, layout: Layout, nothing: Any) -> Function:
    """store(out, row, start, stop, end, values): all before `end`; `nothing` where a number does not count."""
    _, put = access(options.result, options.number)
    _, kept, _ = mask_tools(options)
    threads, columns = layout.threads, layout.columns

    def first_of(n: int) -> Function:
        if n == 0:
            return cuda.jit(device=True)(lambda out, row, start, stop, end, values: None)
        before, last, far = first_of(n - 1), n - 1, (n - 1) * threads

        @cuda.jit(device=True)
        def store(out, row, start, stop, end, values):  # type: ignore[no-untyped-def]
            before(out, row, start, stop, end, values)
            if far < end - start:
                _, first, inner, mask, place, _ = row
                value = nothing
                if far < stop - start and kept(mask, place, start + far):
                    value = values[last]
                put(out, first + ((start + far) * inner if columns else start + far), value)

        return store

    return first_of(layout.numbers)
