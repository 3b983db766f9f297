"""Figures, what is asked of them, and the file that keeps them. Nothing here needs a GPU or PyTorch."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Figure", "Record", "Units"]


class Figure(NamedTuple):
    """One result, and the least that is asked of it."""

    milliseconds: float | None = None
    share: float | None = None  # of the bandwidth of a copy
    ratio: float | None = None  # PyTorch's time over fastact's
    least_share: float = 0.0
    least_ratio: float = 0.0
    note: str = ""
    fault: str = ""  # why a check failed

    def falls_short(self) -> str:
        """What is less than asked, in words; empty if nothing is."""
        faults = [self.fault] if self.fault else []
        if self.share is not None and self.share < self.least_share:
            faults.append(f"{self.share:.3f} of the copy, {self.least_share:g} asked")
        if self.ratio is not None and self.ratio < self.least_ratio:
            faults.append(f"PyTorch / fastact {self.ratio:.2f}, {self.least_ratio:g} asked")
        return "; ".join(faults)

    def __str__(self) -> str:
        values = [
            "" if self.milliseconds is None else f"{self.milliseconds:.4g} ms",
            "" if self.share is None else f"{self.share:.3f}",
            "" if self.ratio is None else f"{self.ratio:.2f}x",
        ]
        return ", ".join(filter(None, [*values, self.note, self.fault]))


#: The names of a section's pieces of work, and for each the function that gives its figures by name.
Units = Iterator[tuple[str, Callable[[], dict[str, Figure]]]]


class Record:
    """What was measured on one card: figures by section, unit and part. Written after every unit."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.about: dict[str, Any] = {}
        self.sections: dict[str, dict[str, dict[str, Figure]]] = {}
        if path.exists():
            stored = json.loads(path.read_text(encoding="utf-8"))
            self.about = stored["about"]
            for section, units in stored["sections"].items():
                self.sections[section] = {
                    unit: {part: Figure(**values) for part, values in parts.items()} for unit, parts in units.items()
                }

    def of_machine(self, about: dict[str, Any]) -> None:
        """Go on where these are the stored card and versions, else begin anew."""
        if {**self.about, "date": None} != {**about, "date": None}:
            self.sections = {}
        self.about = about

    def add(self, section: str, unit: str, figures: dict[str, Figure]) -> None:
        """Keep what a unit has given, and write the file."""
        self.sections.setdefault(section, {})[unit] = figures
        stored = {
            "about": self.about,
            "sections": {
                section: {
                    unit: {part: figure._asdict() for part, figure in parts.items()} for unit, parts in units.items()
                }
                for section, units in self.sections.items()
            },
        }
        draft = self.path.with_suffix(".part")
        draft.write_text(json.dumps(stored, indent=1), encoding="utf-8")
        draft.replace(self.path)  # an interruption leaves the old file or the new one

    def shortfalls(self) -> list[str]:
        """What falls short, a line for each."""
        return [
            f"{section}, {unit}, {part}: {figure.falls_short()}"
            for section, units in self.sections.items()
            for unit, parts in units.items()
            for part, figure in parts.items()
            if figure.falls_short()
        ]
