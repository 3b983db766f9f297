"""The callback that watches a training."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

import fastact as fa
from fastact.learn.diagnostics.alarms import Alarm, alarms_of
from fastact.learn.diagnostics.diagnosis import Diagnosis
from fastact.learn.diagnostics.measures import Look, at_least, edges_for, host, look
from fastact.learn.diagnostics.observations import Network, Observations

__all__ = ["Monitor"]

#: Settings of the optimiser that a callback may change between epochs.
_SETTINGS = ("learning_rate", "momentum", "schedule", "weight_decay", "clip_norm", "clip_value", "steps")


class Monitor:
    """Watches the training of one `fa.MLP`: gradients, activations, flat and dead units, updates, layer by layer.

    Give it to `fit` as callback, or call it inside a callback of your own. It looks at a copy of the model, so that
    training gives the same bits as without it; a look at a 64-128-64-10 network takes 0.9 ms on one core. Call
    `monitor(0, model)` before `fit` to look at the untrained network too.

    Parameters
    ----------
    X, y : array_like
        Data to look at, as `fit` takes them: those to train with, say.
    samples : int
        How many of them to look at, drawn once.
    every : int
        Look after every so many epochs.

    Attributes
    ----------
    looks : list of Look
        What was measured, one for each epoch looked at.

    Examples
    --------
    >>> import numpy as np
    >>> from fastact.learn.diagnostics import Monitor
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> y = (X[:, 0] * X[:, 1] > 0).astype(int)
    >>> model = fa.MLP((2, 16, 1), activation="tanh", output="sigmoid", learning_rate=0.01, seed=0)
    >>> monitor = Monitor(X, y)
    >>> monitor(0, model)
    >>> _ = model.fit(X, y, epochs=20, callback=monitor)
    >>> monitor.alarms
    []
    >>> monitor.diagnosis().epochs[-1]
    20
    """

    def __init__(self, X: Any, y: Any, *, samples: int = 256, every: int = 1) -> None:
        at_least(samples=(samples, 1), every=(every, 1))
        x, y = np.asarray(host(X)), np.asarray(host(y))
        if len(x) != len(y):
            raise ValueError(f"X has {len(x)} samples and y {len(y)}; they must pair up")
        chosen = np.random.default_rng(0).permutation(len(x))[:samples]
        self._x, self._y, self._targets, self._every = x[chosen], y[chosen], y, every
        self._twin: fa.MLP | None = None
        self.looks: list[Look] = []

    def __call__(self, epoch: int, model: fa.MLP) -> None:
        """Look at the model after this epoch; 0 is before training."""
        if epoch % self._every == 0:
            twin = self._mirrored(model)
            self.looks.append(look(epoch, twin, self._x, self._y, self._edges))
        self._history = model.history

    @property
    def alarms(self) -> list[Alarm]:
        """What is wrong so far, the gravest first; a callback of one's own can stop training by it."""
        return alarms_of(self._observations(None)) if self.looks else []

    def diagnosis(self, error: FloatingPointError | None = None) -> Diagnosis:
        """What was seen so far; `error` is what `fit` raised, where the training diverged.

        Raises
        ------
        ValueError
            The monitor has seen no epoch.
        """
        if not self.looks:
            raise ValueError("the monitor has seen no epoch; give it to fit first, as callback=monitor")
        return Diagnosis.of(self._observations(error), self._edges)

    def _observations(self, error: FloatingPointError | None) -> Observations:
        history = {name: list(values) for name, values in self._history.items()}
        return Observations(self._network, list(self.looks), history, error is not None)

    def _mirrored(self, model: fa.MLP) -> fa.MLP:
        """The copy of the model, made equal to it."""
        if self._twin is None:
            self._twin = copy.deepcopy(model)
            self._network, self._edges = Network.of(model, self._targets), edges_for(model.layers)
        twin = self._twin
        if twin.layer_sizes != model.layer_sizes:
            raise ValueError(
                f"the monitor watches a model of layers {twin.layer_sizes}, got one of {model.layer_sizes}; "
                "make a monitor for each model"
            )
        twin.parameters[...], twin.statistics[...] = model.parameters, model.statistics
        twin.optimizer.state[...] = model.optimizer.state
        for name in _SETTINGS:
            setattr(twin.optimizer, name, getattr(model.optimizer, name))
        twin.l2, twin.epochs, twin.samples = model.l2, model.epochs, model.samples
        return twin
