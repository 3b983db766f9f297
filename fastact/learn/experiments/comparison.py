"""The comparison of activations: networks that differ in one thing, trained with the same seeds on the same samples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from os import PathLike
from typing import Any

import numpy as np

import fastact as fa
from fastact.learn.data import named
from fastact.learn.data.problem import Problem, Split
from fastact.learn.experiments.arguments import counts
from fastact.learn.experiments.comparing import findings
from fastact.learn.experiments.comparing.compared import Compared, best_first
from fastact.learn.experiments.comparing.processes import check_known_elsewhere, trained
from fastact.learn.experiments.comparing.records import Boundaries, Run, Setting, Summary
from fastact.learn.experiments.comparing.statistics import Difference
from fastact.learn.experiments.comparing.training import Hyperparameters, Plane, PlannedRun, usual
from fastact.learn.experiments.progress import Progress, silent
from fastact.learn.result import Result, Table

__all__ = [
    "ACTIVATIONS",
    "Boundaries",
    "Comparison",
    "Difference",
    "Hyperparameters",
    "Run",
    "Setting",
    "Summary",
    "compare",
]

#: One of each kind that a beginner meets in hidden layers, and identity as the baseline.
ACTIVATIONS = ("identity", "relu", "leaky_relu", "elu", "sigmoid", "tanh", "silu", "gelu", "mish", "softplus")

#: Points of the plane along each axis, the pictures of it, and the most settings that have them.
GRID, FRAMES, SHOWN = 48, 12, 12


def compare(
    problem: Problem | str,
    activations: Sequence[str] = ACTIVATIONS,
    *,
    depths: Sequence[int] | None = None,
    initialisers: Sequence[str] = ("auto",),
    optimisers: Sequence[str] = ("adam",),
    seeds: int = 10,
    hidden: int | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    jobs: int | None = 1,
    progress: Progress = silent,
    sources: Sequence[str | PathLike[str]] = (),
) -> Comparison:
    """Train one network for each setting and seed, and see which settings learn best.

    All settings meet the same seeds and the same split of the samples at each, so that their runs compare pair by pair.

    Parameters
    ----------
    problem : Problem or str
        What to learn: the name of a data set of `fastact.learn.data.named`, or a table from a file.
    activations : sequence of str
        For the hidden layers; ten usual ones unless given.
    depths : sequence of int, optional
        Numbers of hidden layers. Every activation is trained with every depth, initialiser and optimizer.
    initialisers, optimisers : sequence of str
        As `fa.MLP` names them.
    seeds : int
        Trainings of each setting. Each draws other first weights and other samples.
    hidden : int, optional
        Units in each hidden layer.
    epochs, batch_size, learning_rate : optional
        Each data set has its own usual ones; of the learning rate, sgd and nesterov get ten times as much.
    jobs : int, optional
        Processes that train side by side, each with one thread. None: one, or as many as there are cores where
        the work turns out to take longer than processes take to start. The results are the same to the bit.
    progress : callable, optional
        Called as progress(done, total) after each training.
    sources : sequence of paths
        Python files with activations of one's own, loaded by `fastact.functions.own.load`, for several jobs.

    Returns
    -------
    Comparison
        A run that diverges is part of it, with the score of guessing.

    Raises
    ------
    ValueError
        An argument is wrong; the message says which, and what to do.
    MissingDependencyError
        scikit-learn (for real data), joblib (for several jobs) or SciPy (for the statistics) is not installed.

    Examples
    --------
    >>> from fastact.learn.experiments import compare
    >>> found = compare("moons", ["identity", "tanh"], seeds=3, epochs=20)
    >>> [summary.score > 0.8 for summary in found.summaries()]
    [True, True]
    """
    if isinstance(problem, str):
        problem = named.problem(problem)
    first = problem.split(0)
    standard = usual(problem, len(first.train_x))
    wishes: dict[str, Any] = {
        "hidden": hidden, "epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate,
    }  # fmt: skip
    wishes = {name: value for name, value in wishes.items() if value is not None}
    training = replace(standard.training, **wishes, asked_for=learning_rate is not None)
    depths = [standard.depth] if depths is None else depths
    counts(seeds=seeds, epochs=training.epochs, **({} if jobs is None else {"jobs": jobs}))
    for depth in depths:
        counts(depths=depth)
    settings = grid(activations, depths, initialisers, optimisers)
    for setting in settings:  # whose names and numbers are checked before the long work
        PlannedRun.of(problem, setting, training, 0, first).network()
    if jobs != 1:
        check_known_elsewhere([setting.activation for setting in settings], sources)

    plane = plane_of(problem, first, training.epochs)
    planned = (
        PlannedRun.of(problem, setting, training, seed, part, plane if seed == 0 else None)
        for seed in range(seeds)
        for part in (problem.split(seed),)
        for setting in settings
    )
    runs, frames = {}, {}
    total = seeds * len(settings)
    for run, seen in trained(planned, total, jobs, sources):
        runs[run.setting, run.seed] = run
        if run.seed == 0:
            frames[run.setting] = seen
        progress(len(runs), total)
    comparison = Comparison(
        problem.name,
        problem.task,
        "R2" if problem.task == "regression" else "accuracy",
        problem.features,
        problem.outputs,
        training,
        standard.level,
        len(first.test_x) / len(first.train_x) if problem.resampled else 0.0,
        tuple(problem.notes),
        [runs[setting, seed] for setting in settings for seed in range(seeds)],
    )
    if plane is None:
        return comparison
    best = [summary.setting for summary in best_first(comparison)[:SHOWN]]
    values = {comparison.label(setting): np.stack(frames[setting]) for setting in best}
    ranges = [(float(axis[0]), float(axis[-1])) for axis in (plane.x, plane.y)]
    boundaries = Boundaries(ranges[0], ranges[1], list(plane.epochs), values, first.train_x, first.train_y)
    return replace(comparison, boundaries=boundaries)


def grid(
    activations: Sequence[str], depths: Sequence[int], initialisers: Sequence[str], optimisers: Sequence[str]
) -> list[Setting]:
    """Every activation with every depth, initialiser and optimizer, each once."""
    if "lbfgs" in optimisers:
        raise ValueError("optimiser 'lbfgs' shows no epochs, so that it has no learning curve; take 'adam'")
    asked = {
        "depths": depths,
        "initialisers": several(initialisers),
        "optimisers": several(optimisers),
        "activations": [fa.get(name).name for name in several(activations)],
    }
    kinds = [distinct(values, name) for name, values in asked.items()]
    return [Setting(activation, depth, init, optimizer) for depth, init, optimizer, activation in product(*kinds)]


def several(names: Sequence[str]) -> Sequence[str]:
    """A name alone is a list of one."""
    return [names] if isinstance(names, str) else names


def distinct(values: Iterable[Any], name: str) -> list[Any]:
    """Each value once; at least one."""
    found = list(dict.fromkeys(values))
    if not found:
        raise ValueError(f"{name} is empty; name at least one")
    return found


def plane_of(problem: Problem, part: Split, epochs: int) -> Plane | None:
    """The part of the plane where a problem's samples are; None where it is no plane, or has no classes."""
    if problem.features != 2 or problem.task == "regression":
        return None
    low, high = part.train_x.min(axis=0), part.train_x.max(axis=0)
    margin = 0.15 * (high - low)
    x, y = np.linspace(low - margin, high + margin, GRID, dtype=np.float32).T
    when = np.unique(np.geomspace(1, epochs, FRAMES - 1).round().astype(int))
    return Plane(x, y, (0, *when.tolist()))


@dataclass(frozen=True)
class Comparison(Compared, Result):
    """What `compare` found."""

    @property
    def title(self) -> str:
        return findings.title(self)

    def tables(self) -> list[Table]:
        return findings.tables(self)

    def sentences(self) -> list[str]:
        return findings.sentences(self)

    def as_dict(self) -> dict[str, Any]:
        """Everything but the boundaries, in types that JSON knows."""
        found = {**asdict(replace(self, boundaries=None)), "notes": list(map(str, self.notes))}
        del found["boundaries"]
        compared = [
            {
                **asdict(each),
                "best": self.label(self.settings[each.best]),
                "other": self.label(self.settings[each.other]),
            }
            for each in self.differences()
        ]
        return {"title": self.title, **found, "differences": compared}
