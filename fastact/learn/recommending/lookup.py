"""From a layer, a task and a problem to one recommendation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from fastact.errors import UnknownNameError, nearest
from fastact.language import listed
from fastact.language import translated as _
from fastact.learn.recommending.answer import Recommendation
from fastact.learn.recommending.choice import Choice, ProblemAdvice
from fastact.learn.recommending.problems import PROBLEMS
from fastact.learn.recommending.tasks import GUIDE, OUTPUTS, TASKS

__all__ = ["LAYERS", "plain", "recommended", "spellings"]

#: Other words for a kind of layer.
LAYERS = {
    "hidden": ("hidden layer", "hidden layers", "middle", "隠れ層", "中間層"),
    "output": ("output layer", "out", "last", "last layer", "出力層"),
}


def recommended(layer: str | None, task: str | None, problem: str | None) -> Recommendation:
    """The answer of `fastact.recommend`."""
    kind = None if layer is None else _found("layer", layer, {name: (name, *words) for name, words in LAYERS.items()})
    known = None if task is None else TASKS[_found("task", task, spellings(TASKS))]
    wrong = None if problem is None else PROBLEMS[_found("problem", problem, spellings(PROBLEMS))]
    guide = OUTPUTS if kind == "output" else GUIDE
    choices = (known or guide).choices
    if wrong is not None:
        if known is None and kind is None:
            kind = "hidden"
        choices = tuple(_against(wrong, choice, known is not None) for choice in choices)
    advice = [each for each in (wrong, known or (None if wrong else guide)) if each is not None]
    choices = tuple(_in_words(choice) for choice in choices if kind in (None, choice.layer))
    orders = [] if wrong is not None and not wrong.functions else [_order(choice) for choice in choices]
    names = [_(each.name) for each in advice if each.name]
    if names and kind:
        names.insert(0, _("hidden layers") if kind == "hidden" else _("output layer"))
    return Recommendation(
        listed(names) or _("Which activation function?"),
        _(wrong.diagnosis) if wrong else "",
        choices,
        _united([filter(None, orders), map(_, _united(each.next for each in advice))]),
        tuple(_(each.trade_off) for each in advice),
        _united(each.see for each in advice),
    )


def _against(problem: ProblemAdvice, choice: Choice, is_of_task: bool) -> Choice:
    """Replace a choice for hidden layers.

    Keep those of a task's functions that do not suffer from the problem, and add those that help against it.
    """
    if choice.layer == "output":
        return choice
    kept = choice.functions if is_of_task or not problem.functions else ()
    functions = _united([[name for name in kept if name not in problem.without], problem.functions])
    return replace(choice, functions=functions, why=problem.why)


def _in_words(choice: Choice) -> Choice:
    return replace(choice, where=_(choice.where), why=_(choice.why))


def _order(choice: Choice) -> str:
    """In which order to try the functions of a hidden layer."""
    first, *others = choice.functions
    if choice.layer == "output" or not others:
        return ""
    if len(others) == 1:
        return _("If {first} gives trouble, try {other}.").format(first=first, other=others[0])
    return _("If {first} gives trouble, try in this order: {others}.").format(first=first, others=listed(others))


def _united(groups: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """Return all of them, each once, in the order in which they first occur."""
    return tuple(dict.fromkeys(each for group in groups for each in group))


def spellings(table: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The name of each task or problem, and all words for it."""
    return {name: (name, *filter(None, entry.words.split(", "))) for name, entry in table.items()}


def _found(argument: str, value: str, spellings: Mapping[str, Iterable[str]]) -> str:
    """Return the name that a word stands for, whatever its case, hyphens and spaces."""
    names = {plain(word): name for name, words in spellings.items() for word in words}
    try:
        return names[plain(str(value))]
    except KeyError:
        close = nearest(plain(str(value)), names)
        tail = close if close.startswith("; did") else f"; known: {', '.join(spellings)}"
        raise UnknownNameError(f"{argument}={value!r}{tail}") from None


def plain(word: str) -> str:
    """Return the word without case, hyphens and the like."""
    return re.sub(r"[\W_]+", " ", word.casefold()).strip()
