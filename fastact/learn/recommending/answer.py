"""The answer of `fastact.recommend`: which functions, why, and what to try next."""

from __future__ import annotations

import html
from dataclasses import dataclass

from fastact.language import translated as _
from fastact.learn.recommending.choice import Choice

__all__ = ["Recommendation"]


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
        return tuple(dict.fromkeys(name for choice in self.choices for name in choice.functions))

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why, for each choice."""
        return tuple(choice.why for choice in self.choices)

    def __str__(self) -> str:
        lines = [self.title, *([self.diagnosis] if self.diagnosis else [])]
        for choice in self.choices:
            lines += ["", choice.headline(), f"  {choice.why}"]
            lines += [f"  {' | '.join(row)}" for row in choice.rows()]
        for label, texts in self.rest():
            lines += ["", label, *(f"  {text}" for text in texts)]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        parts = [f"<h3>{html.escape(self.title)}</h3>", f"<p>{html.escape(self.diagnosis)}</p>"]
        for choice in self.choices:
            cells = ("".join(f"<td>{html.escape(text)}</td>" for text in row) for row in choice.rows())
            head = "".join(f"<th>{html.escape(label)}</th>" for label in choice.columns())
            parts.append(f"<h4>{html.escape(choice.headline())}</h4><p>{html.escape(choice.why)}</p>")
            parts.append(f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>")
        for label, texts in self.rest():
            items = "".join(f"<li>{html.escape(text)}</li>" for text in texts)
            parts.append(f"<h4>{html.escape(label)}</h4><ul>{items}</ul>")
        return "".join(parts)

    def rest(self) -> list[tuple[str, tuple[str, ...]]]:
        """What follows the choices: a label, and texts."""
        pairs = [(_("What to try next"), self.next), (_("The trade-off"), self.trade_off), (_("See it"), self.see)]
        return [(label, texts) for label, texts in pairs if texts]
