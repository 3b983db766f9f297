"""XOR, the smallest task that a network without an activation cannot learn: as beginners train it, and until it is
solved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

from fastact.language import translated as _
from fastact.learn.experiments.comparing.findings import BASELINE
from fastact.learn.experiments.comparison import Comparison, compare
from fastact.learn.experiments.progress import Progress, silent
from fastact.learn.result import Result, Table

__all__ = ["ACTIVATIONS", "SOLVING", "Xor", "xor"]

ACTIVATIONS = ("identity", "relu", "leaky_relu", "elu", "silu", "sigmoid", "tanh")

#: More units, of which enough stay alive, and a rate with which the weights arrive: every activation but identity
#: solves 50 seeds of 50.
SOLVING: dict[str, Any] = {"hidden": 16, "epochs": 300, "batch_size": 4, "learning_rate": 0.05}


def xor(
    activations: Sequence[str] = ACTIVATIONS,
    *,
    seeds: int = 50,
    jobs: int | None = 1,
    progress: Progress = silent,
    sources: Sequence[str | PathLike[str]] = (),
) -> Xor:
    """Compare activations on XOR twice: with a beginner's settings, and with settings that solve it.

    The first are a 2-4-1 network and 1,000 epochs of Adam at its usual rate of 0.001; the second are `SOLVING`.

    Parameters
    ----------
    activations, seeds, jobs, progress, sources
        As in `fastact.learn.experiments.compare`.

    Returns
    -------
    Xor

    Raises
    ------
    ValueError
        An argument is wrong.

    Examples
    --------
    >>> from fastact.learn.experiments import xor
    >>> found = xor(["tanh"], seeds=2)
    >>> [len(summary.perfect) for summary in found.solving.summaries()]
    [2]
    """
    common: dict[str, Any] = {"seeds": seeds, "jobs": jobs, "sources": sources}
    usual = compare("xor", activations, progress=lambda done, total: progress(done, 2 * total), **common)
    solving = compare(
        "xor", activations, progress=lambda done, total: progress(total + done, 2 * total), **common, **SOLVING
    )
    return Xor(usual, solving)


@dataclass(frozen=True)
class Xor(Result):
    """What `xor` found.

    Attributes
    ----------
    usual, solving : Comparison
        With a beginner's settings, and with those that solve it.
    """

    usual: Comparison
    solving: Comparison

    @property
    def comparisons(self) -> list[Comparison]:
        """Both."""
        return [self.usual, self.solving]

    @property
    def title(self) -> str:
        return _("XOR, with a beginner's settings and with settings that solve it")

    def tables(self) -> list[Table]:
        return [table for each in self.comparisons for table in each.tables()[:1]]

    def sentences(self) -> list[str]:
        counts = [
            {each.setting.activation: len(each.perfect) for each in comparison.summaries()}
            for comparison in self.comparisons
        ]
        usual, solving = self.usual.training, self.solving.training
        before, after = ([count for name, count in each.items() if name != BASELINE] for each in counts)
        values = {"units": usual.hidden, "rate": usual.learning_rate, "epochs": usual.epochs}
        said = []
        if before:
            text = _(
                "With {units} hidden units, learning rate {rate:g} and {epochs:,} epochs, {before} of {runs} runs "
                "with an activation solve XOR. With {more} units, learning rate {faster:g} and {fewer:,} epochs, "
                "{after} of {runs} do; of each activation at least {least} of {seeds} seeds."
            )
            found = {"before": sum(before), "after": sum(after), "least": min(after), "seeds": self.usual.seeds}
            changed = {"more": solving.hidden, "faster": solving.learning_rate, "fewer": solving.epochs}
            said.append(text.format(runs=len(before) * self.usual.seeds, **values, **found, **changed))
            if sum(before) < sum(after):
                text = _(
                    "Adam moves a weight by about the learning rate per step: {epochs:,} steps of {rate:g} are "
                    "too few from many starts. And of only {units} relu units, some may give 0 for good. So "
                    "the result of one seed says little."
                )
                said.append(text.format(**values))
        if BASELINE in counts[0] and counts[0][BASELINE] == counts[1][BASELINE] == 0:
            said.append(
                _(
                    "{baseline} solves nothing: stacked linear layers stay one linear map, which draws one straight "
                    "line, and no straight line parts (0,1) and (1,0) from (0,0) and (1,1)."
                ).format(baseline=BASELINE)
            )
        return said

    def as_dict(self) -> dict[str, Any]:
        return {"usual": self.usual.as_dict(), "solving": self.solving.as_dict()}
