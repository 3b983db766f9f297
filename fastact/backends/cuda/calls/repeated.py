"""Calls like one that was made before, which go straight to their launch.

Working out what to launch takes 20 to 40 us; recognising a call takes 4. It is known by its function, its options, the
types of its numbers, and all of its arrays but their addresses. A call that was one launch, from its own operands
straight to its results, may pass `remember` what that launch was.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from fastact._core.devices import REPEATS
from fastact.backends.cuda.compiling import Template
from fastact.backends.cuda.dtypes import computes_in
from fastact.backends.cuda.launching import Call, Repetition
from fastact.backends.cuda.libraries import Library, may_repeat, view_of
from fastact.backends.cuda.views import View

__all__ = ["Launched", "remember"]

#: So many kinds of calls are remembered.
MOST_KNOWN = 4096
#: The types of options that calls are known by.
PLAIN = frozenset({type(None), bool, int, float, str})
NUMBERS = (float, int)


class Launched(NamedTuple):
    """A launch; its arguments are the operands' addresses and numbers, `steps`, the results' addresses, and `rest`."""

    template: Template
    parameters: tuple[Any, ...]
    grid: int
    block: int
    steps: list[Any]
    rest: list[Any]


class Known(NamedTuple):
    """A call that was made before; another one has other addresses and numbers."""

    repetition: Repetition
    numbers: list[int]  # which operands are
    number: Callable[[Any], Any]  # to the type that the loop computes in
    steps: list[Any]
    rest: list[Any]
    outputs: int
    empty: tuple[Any, ...]  # shape, strides and dtype of a result


_known: dict[Any, Known] = {}


def _seen(
    library: Library, function: Any, operands: Sequence[Any], out: Any, options: tuple[Any, ...]
) -> tuple[Any, list[Any]] | None:
    """What the call is known by, and the operands' addresses and numbers; None for a call that cannot be known.

    It can if its options are plain and its arrays of one class, with the first operand among them, and if `out` is an
    operand or shares no memory with any.
    """
    kind, look, owner = type(operands[0]), library.look, library.owner
    types = tuple(map(type, options))  # 1 and 1.0 are equal
    if look is None or not PLAIN.issuperset(types):
        return None
    key: list[Any] = [function, len(operands), options, types]
    arguments: list[Any] = []
    for each in operands:
        if type(each) is kind:
            argument, facts = look(each)
        elif type(each) in NUMBERS:
            argument, facts = each, type(each)
        else:
            return None
        arguments.append(argument)
        key.append(facts)
    if out is not None:
        others = [each for each in operands if type(each) is kind and each is not out]
        if type(out) is not kind or (others and (owner is None or owner(out) in map(owner, others))):
            return None
        key.append(look(out)[1])
    return tuple(key), arguments


def _repeat(library: Library, function: Any, operands: Sequence[Any], out: Any, options: tuple[Any, ...]) -> Any:
    """The result of a call like one that was made before; None for any other."""
    seen = _seen(library, function, operands, out, options)
    known = None if seen is None else _known.get(seen[0])
    if seen is None or known is None or not known.repetition.possible():
        return None
    arguments, model, look = seen[1], operands[0], library.look
    for i in known.numbers:
        arguments[i] = known.number(arguments[i])
    results = [out]
    if out is None:
        results = [library.empty(*known.empty, model, None) for _ in range(known.outputs)]
    pointers = [look(each)[0] for each in results]  # type: ignore[misc]
    known.repetition.launch(model, [*arguments, *known.steps, *pointers, *known.rest])
    return tuple(results) if known.outputs > 1 else results[0]


def remember(
    call: Call, function: Any, operands: Sequence[Any], out: Any, options: tuple[Any, ...], launched: Launched,
    result: View, outputs: int = 1,
) -> None:  # fmt: skip
    """Let calls like this one be repeated; operands and `out` are as the user passed them."""
    library, kind = call.library, type(operands[0])
    if kind is not type(call.model.array) or not may_repeat(library):
        return
    seen = _seen(library, function, operands, out, options)
    if seen is None or call.other_streams([view_of(each) for each in operands if type(each) is kind]):
        return
    if len(_known) >= MOST_KNOWN:
        _known.clear()
    numbers = [i for i, each in enumerate(operands) if type(each) is not kind]
    _known[seen[0]] = Known(
        Repetition.of(call, launched.template, launched.parameters, launched.grid, launched.block),
        numbers, computes_in(result.dtype), launched.steps, launched.rest, outputs,
        (result.shape, result.strides, result.dtype),
    )  # fmt: skip
    REPEATS[kind] = functools.partial(_repeat, library)
