"""What a comparison measured: the runs of its settings, and how far they are apart."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fastact.language import Message, listed
from fastact.language import translated as _
from fastact.learn.experiments.comparing.records import Boundaries, Run, Setting, Summary
from fastact.learn.experiments.comparing.statistics import Difference, differences
from fastact.learn.experiments.comparing.training import Hyperparameters

__all__ = ["Compared", "best_first"]


@dataclass(frozen=True)
class Compared:
    """The data of a comparison.

    Attributes
    ----------
    problem : str
        The data set's name.
    task : {"binary", "multi-class", "regression"}
    score_name : {"accuracy", "R2"}
        What `Run.score` is.
    features, outputs : int
        Units of the first and of the last layer.
    training : Hyperparameters
        What all networks have in common.
    reach : float or None
        The score whose first epoch is reported; None for `level` to find one.
    overlap : float
        Held-out samples per training sample where all seeds split the same samples, else 0.
    notes : tuple of Message
        What was done with the data.
    runs : list of Run
        Setting by setting, in the order asked for, seed by seed.
    boundaries : Boundaries or None
        Only for two inputs and classes: those of the best settings.
    """

    problem: str
    task: str
    score_name: str
    features: int
    outputs: int
    training: Hyperparameters
    reach: float | None
    overlap: float
    notes: tuple[Message, ...]
    runs: list[Run]
    boundaries: Boundaries | None = None

    @cached_property
    def settings(self) -> list[Setting]:
        """In the order asked for."""
        return list(dict.fromkeys(run.setting for run in self.runs))

    @property
    def seeds(self) -> int:
        """Runs of each setting."""
        return len(self.runs) // len(self.settings)

    @property
    def level(self) -> float:
        """The score whose first epoch is reported: the usual one of the data set, or a little below the best mean."""
        if self.reach is not None:
            return self.reach
        best = max(summary.score for summary in self.summaries())
        return math.floor(100 * (best - 0.05 * abs(best))) / 100

    def label(self, setting: Setting) -> str:
        """A setting's name, which tells what of it differs here; its activation if nothing does."""
        layers = _("{count} layers") if setting.depth > 1 else _("{count} layer")
        words = (setting.activation, layers.format(count=setting.depth), setting.init, setting.optimizer)
        kinds = zip(*((each.activation, each.depth, each.init, each.optimizer) for each in self.settings), strict=True)
        first, *rest = [word for word, kind in zip(words, kinds, strict=True) if len(set(kind)) > 1] or words[:1]
        return f"{first} ({listed(rest)})" if rest else first

    def summaries(self) -> list[Summary]:
        """One for each setting, in the order asked for."""
        runs: dict[Setting, list[Run]] = {}
        for run in self.runs:
            runs.setdefault(run.setting, []).append(run)
        return [Summary(setting, each) for setting, each in runs.items()]

    def differences(self) -> list[Difference]:
        """How far each setting is behind the best one, the nearest first; rows are those of `settings`."""
        return self._against(best_first(self)[0].setting)

    def ahead_of(self, setting: Setting) -> list[Difference]:
        """What is ahead of this setting by more than the noise of seeds, the best first."""
        behind = self.settings.index(setting)
        rivals = (self._against(summary.setting) for summary in best_first(self))
        return [each for found in rivals for each in found if each.other == behind and each.clear and each.mean > 0]

    def _against(self, setting: Setting) -> list[Difference]:
        """How far each other setting is behind this one, the nearest first."""
        scores = np.array([summary.ends for summary in self.summaries()])
        return differences(scores, self.settings.index(setting), self.overlap)


def best_first(found: Compared) -> list[Summary]:
    """The settings by their mean score at the end; those with the same by their loss."""
    return sorted(found.summaries(), key=lambda summary: (-summary.score, summary.loss))
