"""Which function to take: `recommend` looks it up in the tables of tasks and problems.

tasks.py says what suits a task, problems.py what helps against a problem; here both become one answer.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from fastact._core import registry
from fastact.errors import UnknownNameError, nearest
from fastact.language import translated as _
from fastact.recommending.choice import Choice, Problem
from fastact.recommending.problems import PROBLEMS
from fastact.recommending.tasks import GUIDE, TASKS

__all__ = ["PROBLEMS", "TASKS", "Choice", "Recommendation", "recommend"]

#: Other words for a kind of layer.
LAYERS = {
    "hidden": ("hidden layer", "hidden layers", "middle", "隠れ層", "中間層"),
    "output": ("output layer", "out", "last", "last layer", "出力層"),
}


@dataclass(frozen=True)
class Recommendation:
    """Which functions to take, why, and what to try next; in the language in use when it was made.

    `str` of it is the whole text, and a notebook shows it as tables.

    Attributes
    ----------
    title : str
        What was asked.
    diagnosis : str
        What goes wrong, if a problem was named.
    choices : tuple of Choice
        Functions for each kind of layer.
    next : tuple of str
        What to try next, in this order.
    trade_off : tuple of str
        What it costs.
    see : tuple of str
        Commands that show it.
    """

    title: str
    diagnosis: str
    choices: tuple[Choice, ...]
    next: tuple[str, ...]
    trade_off: tuple[str, ...]
    see: tuple[str, ...]

    @property
    def functions(self) -> tuple[str, ...]:
        """The names of all that is recommended, in the order of the choices."""
        return _united(choice.functions for choice in self.choices)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why, for each choice."""
        return tuple(choice.why for choice in self.choices)

    def __str__(self) -> str:
        lines = [self.title, *([self.diagnosis] if self.diagnosis else [])]
        for choice in self.choices:
            lines += ["", headline(choice), f"  {choice.why}"]
            lines += [f"  {' | '.join(row)}" for row in rows(choice)]
        for label, texts in self.rest():
            lines += ["", label, *(f"  {text}" for text in texts)]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        parts = [f"<h3>{html.escape(self.title)}</h3>", f"<p>{html.escape(self.diagnosis)}</p>"]
        for choice in self.choices:
            cells = ("".join(f"<td>{html.escape(text)}</td>" for text in row) for row in rows(choice))
            head = "".join(f"<th>{html.escape(label)}</th>" for label in columns())
            parts.append(f"<h4>{html.escape(headline(choice))}</h4><p>{html.escape(choice.why)}</p>")
            parts.append(f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>")
        for label, texts in self.rest():
            items = "".join(f"<li>{html.escape(text)}</li>" for text in texts)
            parts.append(f"<h4>{html.escape(label)}</h4><ul>{items}</ul>")
        return "".join(parts)

    def rest(self) -> list[tuple[str, tuple[str, ...]]]:
        """What follows the choices: a label, and texts."""
        pairs = [(_("What to try next"), self.next), (_("The trade-off"), self.trade_off), (_("See it"), self.see)]
        return [(label, texts) for label, texts in pairs if texts]


def columns() -> tuple[str, str, str]:
    """What `rows` are of."""
    return _("name"), _("for it"), _("against it")


def rows(choice: Choice) -> list[tuple[str, str, str]]:
    """The functions of a choice, with what speaks for and against each."""
    notes = ((name, registry.get(name).notes) for name in choice.functions)
    return [(name, _(texts["for"]), _(texts["against"])) for name, texts in notes]


def headline(choice: Choice) -> str:
    """The layer, the function to begin with, and the loss."""
    first = _("{where}: {function}").format(where=choice.where, function=choice.functions[0])
    return _("{choice}, with the loss {loss}").format(choice=first, loss=choice.loss) if choice.loss else first


def recommend(layer: str | None = None, task: str | None = None, problem: str | None = None) -> Recommendation:
    """Recommend activation functions for a layer, a task or a problem of training, with reasons.

    Spelling is free: "Dying ReLU", "dying-relu" and "dead units" are the same problem, "cnn" is the task "image".

    Parameters
    ----------
    layer : {"hidden", "output"}, optional
        The kind of layer; both unless given.
    task : str, optional
        What the network is for: "binary classification", "regression", "image", "rnn", "transformer", "gan" ...
    problem : str, optional
        What goes wrong: "dying relu", "vanishing gradient", "exploding gradient", "slow training", "overfitting" ...

    Returns
    -------
    Recommendation
        In the language in use; see `fastact.language.use`.

    Raises
    ------
    UnknownNameError
        For a word that is not known; the message names the nearest, or else all.

    Examples
    --------
    >>> import fastact as fa
    >>> fa.recommend("hidden").functions
    ('relu', 'leaky_relu', 'elu', 'swish')
    >>> fa.recommend("output", task="multi-class").functions
    ('softmax',)
    >>> print(fa.recommend("hidden", task="image", problem="dying relu").diagnosis)
    A unit is dead when its input is negative for every sample: ...
    """
    kind = None if layer is None else _found("layer", layer, {name: (name, *words) for name, words in LAYERS.items()})
    known = None if task is None else TASKS[_found("task", task, _spellings(TASKS))]
    wrong = None if problem is None else PROBLEMS[_found("problem", problem, _spellings(PROBLEMS))]
    choices = (known or GUIDE).choices
    if wrong is not None:
        if known is None and kind is None:
            kind = "hidden"
        choices = tuple(_against(wrong, choice, known is None) for choice in choices)
    advice = [each for each in (wrong, known or (None if wrong else GUIDE)) if each is not None]
    choices = tuple(_in_words(choice) for choice in choices if kind in (None, choice.layer))
    asked = [_("hidden layers") if kind == "hidden" else _("output layer")] if kind else []
    return Recommendation(
        ", ".join([*asked, *(_(each.name) for each in advice if each.name)]) or _("Which activation function?"),
        _(wrong.diagnosis) if wrong else "",
        choices,
        _united([filter(None, map(_order, choices)), map(_, _united(each.next for each in advice))]),
        tuple(_(each.trade_off) for each in advice),
        _united(each.see for each in advice),
    )


def _against(problem: Problem, choice: Choice, anything: bool) -> Choice:
    """A choice for hidden layers, for which there is a problem: the task's functions that do not suffer from it, and
    then those that help. If no task was named, `anything` may come.
    """
    if choice.layer == "output":
        return choice
    kept = () if anything and problem.functions else choice.functions
    functions = _united([[name for name in kept if name not in problem.without], problem.functions])
    return replace(choice, functions=functions, why=problem.why)


def _in_words(choice: Choice) -> Choice:
    return replace(choice, where=_(choice.where), why=_(choice.why))


def _order(choice: Choice) -> str:
    """In which order to try the functions of a hidden layer."""
    first, *others = choice.functions
    if choice.layer == "output" or not others:
        return ""
    return _("If {first} gives trouble, try in this order: {others}.").format(first=first, others=", ".join(others))


def _united(groups: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """All of them, each once, in the order of their first coming."""
    return tuple(dict.fromkeys(each for group in groups for each in group))


def _spellings(table: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    return {name: (name, *filter(None, entry.words.split(", "))) for name, entry in table.items()}


def _found(argument: str, value: str, spellings: Mapping[str, Iterable[str]]) -> str:
    """The name for which a word stands, whatever its case, hyphens and spaces."""
    names = {_plain(word): name for name, words in spellings.items() for word in words}
    try:
        return names[_plain(str(value))]
    except KeyError:
        close = nearest(_plain(str(value)), names)
        tail = close if close.startswith("; did") else f"; known: {', '.join(spellings)}"
        raise UnknownNameError(f"{argument}={value!r}{tail}") from None


def _plain(word: str) -> str:
    return re.sub(r"[\W_]+", " ", word.casefold()).strip()
