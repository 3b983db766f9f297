"""What every experiment returns: a `Result`, which says in words, as a table and in a picture what was found.

A new experiment subclasses it; the command line, notebooks and reports then show it without knowing what it is.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import numpy as np

from fastact._core.services import service

__all__ = ["Result", "Table", "plain"]


@dataclass(frozen=True)
class Table:
    """A table of texts for readers, in the language in use when it was made.

    Attributes
    ----------
    columns : list of str
    rows : list of lists of str
    words : int
        How many columns hold words; the others hold figures.
    title, caption : str
    """

    columns: list[str]
    rows: list[list[str]] = field(default_factory=list)
    words: int = 1
    title: str = ""
    caption: str = ""

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(each)}</th>" for each in self.columns)
        rows = "".join(f"<tr>{''.join(f'<td>{html.escape(each)}</td>' for each in row)}</tr>" for row in self.rows)
        caption = f"<caption>{html.escape(self.title)}</caption>" if self.title else ""
        foot = f"<p>{html.escape(self.caption)}</p>" if self.caption else ""
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{foot}"


class Result:
    """What an experiment found. All texts are in the language in use when they are asked for."""

    @property
    def title(self) -> str:
        """What the experiment was, in one line."""
        raise NotImplementedError

    def tables(self) -> list[Table]:
        """The figures."""
        raise NotImplementedError

    def sentences(self) -> list[str]:
        """What a learner sees in them, as far as this run shows it."""
        raise NotImplementedError

    def as_dict(self) -> dict[str, Any]:
        """Everything, in types that JSON knows: all fields, unless a subclass knows better."""
        found: dict[str, Any] = plain({each.name: getattr(self, each.name) for each in fields(self)})  # type: ignore[arg-type]
        return found

    def figure(self) -> Any:
        """A new matplotlib Figure; needs the extra "demo"."""
        return service(f"figure of {type(self).__name__}")(self)

    def _repr_html_(self) -> str:
        tables = "".join(table._repr_html_() for table in self.tables())
        words = "".join(f"<p>{html.escape(each)}</p>" for each in self.sentences())
        return f"<h3>{html.escape(self.title)}</h3>{tables}{words}"


def plain(value: Any) -> Any:
    """The same in types that JSON knows; None for what is not finite."""
    if hasattr(value, "as_dict"):
        return value.as_dict()
    if is_dataclass(value):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
