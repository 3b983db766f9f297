"""What a comparison of activations gives: one Run per training, summed up per activation.

A new figure of merit is a property of Summary. A new thing to record is a field of Run, filled in training.py.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import mean, median, stdev

BASELINE = "identity"
"""No activation: the baseline of every comparison."""


@dataclass(frozen=True)
class Settings:
    """How to train every network of a comparison; its runs differ in activation and seed alone."""

    layers: tuple[int, ...]
    output: str
    epochs: int
    batch_size: int
    learning_rate: float


@dataclass(frozen=True)
class Run:
    """One training. The curves hold one value per epoch, measured after it on the held-out data.

    `seconds` are those of training alone, without validation and compilation.
    """

    activation: str
    seed: int
    accuracy: list[float]
    loss: list[float]
    seconds: list[float]

    def epochs_to(self, level: float) -> int | None:
        """The first epoch, counted from 1, whose accuracy is at least `level`; None if there is none."""
        return next((epoch for epoch, value in enumerate(self.accuracy, 1) if value >= level), None)


@dataclass(frozen=True)
class Summary:
    """All runs of one activation."""

    activation: str
    runs: list[Run]

    @property
    def accuracies(self) -> list[float]:
        """Accuracy at the end of each run."""
        return [run.accuracy[-1] for run in self.runs]

    @property
    def losses(self) -> list[float]:
        """Loss at the end of each run."""
        return [run.loss[-1] for run in self.runs]

    @property
    def accuracy(self) -> float:
        """Mean accuracy at the end."""
        return mean(self.accuracies)

    @property
    def spread(self) -> float:
        """Standard deviation of the accuracy over the seeds; 0 for a single seed."""
        return stdev(self.accuracies) if len(self.runs) > 1 else 0.0

    @property
    def loss(self) -> float:
        """Mean loss at the end."""
        return mean(self.losses)

    @property
    def seconds_per_epoch(self) -> float:
        """Median over all epochs, which one epoch disturbed by another process does not move."""
        return median(seconds for run in self.runs for seconds in run.seconds)

    @property
    def solved(self) -> list[Run]:
        """The runs that end with every answer right."""
        return [run for run in self.runs if run.accuracy[-1] == 1.0]

    @property
    def epochs_to_solve(self) -> list[int]:
        """The first epoch with every answer right, of each run that ends so."""
        return Summary(self.activation, self.solved).epochs_to(1.0)

    def epochs_to(self, level: float) -> list[int]:
        """The first epoch with an accuracy of at least `level`, of each run that reaches it."""
        first = (run.epochs_to(level) for run in self.runs)
        return [epoch for epoch in first if epoch is not None]


@dataclass(frozen=True)
class Comparison:
    """A finished experiment: its title, its settings and all its runs."""

    title: str
    settings: Settings
    runs: list[Run]

    def summaries(self) -> list[Summary]:
        """One per activation, in the order of training."""
        by_activation: dict[str, list[Run]] = {}
        for run in self.runs:
            by_activation.setdefault(run.activation, []).append(run)
        return [Summary(activation, runs) for activation, runs in by_activation.items()]

    def as_dict(self) -> dict[str, object]:
        """Everything, in types that JSON knows."""
        return asdict(self)
