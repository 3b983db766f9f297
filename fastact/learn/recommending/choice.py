"""The entries of the tables of advice: choices of functions for layers, tasks and problems."""

from __future__ import annotations

from dataclasses import dataclass

from fastact._core import registry
from fastact.language import translated as _

__all__ = ["Choice", "ProblemAdvice", "TaskAdvice"]


@dataclass(frozen=True)
class Choice:
    """Functions for one kind of layer.

    Attributes
    ----------
    layer : {"hidden", "output"}
    where : str
        The layer in words.
    functions : tuple of str
        Names, in the order in which to try them.
    why : str
    loss : str
        The loss that goes with an output layer; empty for hidden layers.
    """

    layer: str
    where: str
    functions: tuple[str, ...]
    why: str
    loss: str = ""

    def headline(self) -> str:
        """The layer, the function to begin with, and the loss."""
        first = _("{where}: {function}").format(where=self.where, function=self.functions[0])
        return _("{choice}, with the loss {loss}").format(choice=first, loss=self.loss) if self.loss else first

    def columns(self) -> tuple[str, str, str]:
        """What `rows` are of."""
        return _("name"), _("for it"), _("against it")

    def rows(self) -> list[tuple[str, str, str]]:
        """The functions, with what speaks for and against each."""
        notes = ((name, registry.get(name).notes) for name in self.functions)
        return [(name, _(texts["for"]), _(texts["against"])) for name, texts in notes]


@dataclass(frozen=True, kw_only=True)
class TaskAdvice:
    """What to take for a task.

    `words` are other names of the task, as readers may write them, separated by commas.
    """

    name: str
    words: str = ""
    choices: tuple[Choice, ...]
    next: tuple[str, ...] = ()
    trade_off: str = ""
    see: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ProblemAdvice:
    """What helps where something goes wrong in hidden layers.

    `functions` help, and `without` are those that do not; where there are no `functions`, the task's stay.
    """

    name: str
    words: str = ""
    diagnosis: str
    functions: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    why: str
    next: tuple[str, ...]
    trade_off: str
    see: tuple[str, ...]
