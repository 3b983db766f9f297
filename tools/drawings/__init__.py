"""The pictures of the README and of docs/, a file by subject; tools/pictures.py draws them.

`PICTURES` of a file has, by name, functions that draw a new Figure in the language in use. They are seen on phones:
`figure` is so narrow that its letters stay legible there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from fastact import language
from fastact.learn.experiments.spread import short
from fastact.learn.pictures import style
from fastact.learn.pictures.deep import draw_accuracies, draw_lines, layers_axes, legend

__all__ = ["accuracies", "figure", "norms", "variants", "worded", "written"]

#: Inches: 972 pixels, of which a phone shows about every third.
WIDTH = 5.4


def figure(height: float) -> Any:
    """An empty Figure of this height in inches."""
    return style.figure(WIDTH, height)


def worded(*, en: str, ja: str) -> str:
    """The text in the language in use."""
    return {"en": en, "ja": ja}[language.current()]


def accuracies(rows: Sequence[tuple[str, Sequence[float]]], epochs: int, chance: float) -> Any:
    """A Figure with the accuracy of each seed as a dot, a row for each label, and their medians as bars."""
    drawn = figure(0.9 + 0.36 * len(rows))
    axes = drawn.subplots()
    draw_accuracies(axes, [(label, seeds, at, "") for at, (label, seeds) in enumerate(rows)], epochs, chance)
    axes.set_xlabel(worded(en=f"accuracy after epoch {epochs}", ja=f"{epochs} エポック後の正解率"))
    return drawn


def variants(found: Any) -> Any:
    """A Figure with the accuracies of an experiment's variants, whose labels are in two lines if they name a remedy."""
    rows = [
        (label.replace(" + ", " +\n"), [trial.end for trial in trials]) for label, trials in found.labelled().items()
    ]
    return accuracies(rows, found.epochs, found.chance)


def norms(lines: Iterable[tuple[int, str, Sequence[Any]]], depth: int, height: float, columns: int) -> Any:
    """A Figure with the norm of the gradient in each hidden layer: of each line, its position, label and trials."""
    drawn = figure(height)
    axes = drawn.subplots()
    for position, label, trials in lines:
        draw_lines(axes, range(1, depth + 1), [trial.norms for trial in trials], position, label)
    layers_axes(axes)
    axes.set_ylabel(worded(en="norm of the gradient", ja="勾配のノルム"))
    legend(axes, columns)
    return drawn


def written(value: float) -> str:
    """Two digits that count, as a text shows them: 0.23, and 1e-12 with a raised power."""
    digits, _e, power = short(value).partition("e")
    return f"{digits} \u00d7 10{power.translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}" if power else digits
