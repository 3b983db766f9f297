"""The comparison of activations: networks that differ in one thing, trained with the same seeds on the same samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from fastact.experiments.records import Boundaries, Run, Setting, Summary
from fastact.result import Result

__all__ = ["Boundaries", "Comparison", "Run", "Setting", "Summary"]


@dataclass(frozen=True)
class Training:
    """How every network of a comparison is trained.

    Attributes
    ----------
    hidden : int
        Units in each hidden layer.
    epochs, batch_size : int
    learning_rate : float
        Of Adam and its kin.
    """

    hidden: int
    epochs: int
    batch_size: int
    learning_rate: float


@dataclass(frozen=True)
class Comparison(Result):
    """What a comparison found.

    Attributes
    ----------
    problem : str
        The data set's name.
    task : {"binary", "multi-class", "regression"}
    score_name : {"accuracy", "R2"}
    features, outputs : int
    training : Training
    level : float
        The score whose first epoch is reported.
    notes : tuple of str
        What was done with the data.
    runs : list of Run
        Setting by setting, in the order asked for, seed by seed.
    boundaries : Boundaries or None
        Only for two inputs and classes.
    """

    problem: str
    task: str
    score_name: str
    features: int
    outputs: int
    training: Training
    level: float
    notes: tuple[str, ...] = ()
    runs: list[Run] = field(default_factory=list)
    boundaries: Boundaries | None = None

    @property
    def settings(self) -> list[Setting]:
        """In the order asked for."""
        return list(dict.fromkeys(run.setting for run in self.runs))

    def label(self, setting: Setting) -> str:
        """A setting's name, which tells what of it differs here."""
        raise NotImplementedError

    def summaries(self) -> list[Summary]:
        """One for each setting, in the order asked for."""
        return [Summary(each, [run for run in self.runs if run.setting == each]) for each in self.settings]

    def differences(self) -> Sequence[object]:
        """How far each setting is behind the best one, and whether that is more than the noise of seeds."""
        raise NotImplementedError
