"""The diagnosis experiment: train a network, watch it layer by layer, and say what goes wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import fastact as fa
from fastact.learn.data import named
from fastact.learn.data.problem import Problem
from fastact.learn.diagnostics import Diagnosis, Monitor, learning_rate_range, overfit_batch
from fastact.learn.experiments.progress import Progress, silent

__all__ = ["LOOKS", "diagnose"]

#: An experiment looks at so many epochs at most, beside the one before training.
LOOKS = 100


def diagnose(
    problem: Problem | str,
    activation: Any = "relu",
    *,
    depth: int = 2,
    hidden: int = 64,
    epochs: int = 30,
    init_scale: float = 1.0,
    batch_size: int | None = None,
    seed: int = 0,
    progress: Progress = silent,
    **settings: Any,
) -> Diagnosis:
    """Train a network on a problem, watch it, and check it before.

    Parameters
    ----------
    problem : Problem or str
        What to learn: the name of a data set of `fastact.learn.data.named`, or a table from a file.
    activation : str or fastact activation
        Of the hidden layers.
    depth, hidden : int
        How many hidden layers, and their units.
    epochs : int
    init_scale : float
        What the first weights are multiplied by, to see what too small or too large ones do.
    batch_size : int, optional
        As in `fa.MLP`; at most the number of training samples.
    seed : int
        Of the network, and of the problem's split.
    progress : callable, optional
        Called as progress(done, total) after each epoch.
    **settings
        As in `fa.MLP`: learning_rate, init, optimizer, batch_norm, residual, clip_norm and the others.

    Returns
    -------
    Diagnosis
        With the checks `learning_rate_range` and `overfit_batch`. A training that diverges is diagnosed
        too.

    Raises
    ------
    ValueError
        A setting is wrong.

    Examples
    --------
    >>> from fastact.learn.data.problem import Problem, Split
    >>> from fastact.learn.experiments.diagnosis import diagnose
    >>> class Sides(Problem):
    ...     name, task, features, classes = "sides", "binary", 2, ("left", "right")
    ...
    ...     def split(self, seed):
    ...         x = np.random.default_rng(seed).normal(size=(300, 2)).astype(np.float32)
    ...         y = (x[:, 0] > 0).astype(int)
    ...         return Split(x[:200], y[:200], x[200:], y[200:])
    >>> diagnose(Sides(), "tanh", epochs=10).alarms
    []
    """
    if isinstance(problem, str):
        problem = named.problem(problem)
    split = problem.split(seed)
    if batch_size is not None:
        settings["batch_size"] = min(batch_size, len(split.train_x))
    sizes = [problem.features, *[hidden] * depth, problem.outputs]
    model = fa.MLP(sizes, activation, problem.output, seed=seed, **settings)
    for layer in model.layers:
        layer.weights *= init_scale
    data = split.train_x, split.train_y
    checks = learning_rate_range(model, *data), overfit_batch(model, *data)
    monitor = Monitor(*data, every=-(-epochs // LOOKS))
    monitor(0, model)

    def watch(epoch: int, model: fa.MLP) -> None:
        monitor(epoch, model)
        progress(epoch, epochs)

    error = None
    try:
        model.fit(*data, epochs=epochs, validation=(split.test_x, split.test_y), callback=watch)
    except FloatingPointError as diverged:
        error = diverged
    return replace(monitor.diagnosis(error), checks=checks)
