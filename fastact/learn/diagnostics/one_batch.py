"""Overfitting one batch: a network that cannot learn a few samples by heart learns nothing."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastact as fa
from fastact.language import translated as _
from fastact.learn.diagnostics.alarms import Alarm
from fastact.learn.diagnostics.chance import chance_loss
from fastact.learn.diagnostics.measures import at_least, host
from fastact.learn.diagnostics.monitor import Monitor
from fastact.learn.result import Result, Table

__all__ = ["OneBatch", "overfit_batch"]

#: A loss counts as nearly 0 up to this share of the loss of chance.
SMALL = 0.02


def overfit_batch(model: fa.MLP, X: Any, y: Any, *, samples: int = 8, steps: int = 2000, seed: int = 0) -> OneBatch:
    """Train on a few samples alone until the loss is nearly 0.

    Parameters
    ----------
    model : fa.MLP
        Not trained yet; it stays as it is. What holds it back from learning by heart is switched off: `l2` and
        `weight_decay`; dropout stays.
    X, y : array_like
        As for `fit`; the samples are drawn from them, of all classes alike.
    samples : int
    steps : int
        At most.
    seed : int
        Of the draw.

    Returns
    -------
    OneBatch

    Raises
    ------
    ValueError
        All samples have the same target, or `samples` or `steps` is too small.

    Notes
    -----
    The check is Karpathy's (A recipe for training neural networks, 2019): it finds wrong data and dead networks
    in a second. Nearly 0 is 2% of the loss of the best constant answer.

    Examples
    --------
    >>> from fastact.learn.diagnostics import overfit_batch
    >>> X, y = np.random.default_rng(0).normal(size=(300, 5)), np.arange(300) % 3
    >>> overfit_batch(fa.MLP((5, 16, 3), output="softmax", seed=0), X, y).learnt
    True
    """
    x, y = np.asarray(host(X)), np.asarray(host(y))
    at_least(samples=(samples, 2), steps=(steps, 1))
    chosen = _draw(y, samples, seed)
    x, y = x[chosen], y[chosen]
    twin = copy.deepcopy(model)
    twin.history = {}
    twin.batch_size, twin.l2, twin.optimizer.weight_decay = len(x), 0.0, 0.0
    goal = SMALL * chance_loss(model, y)
    monitor = Monitor(x, y, every=max(1, steps // 20))
    monitor(0, twin)

    def done(epoch: int, model: fa.MLP) -> bool:
        monitor(epoch, model)
        return model.history["loss"][-1] <= goal

    diverged = False
    try:
        twin.fit(x, y, epochs=steps, callback=done)
    except FloatingPointError:
        diverged = True
    dropout = any(layer.plan.dropout for layer in model.layers)
    losses = np.array(twin.history.get("loss", []))
    return OneBatch(losses, goal, len(x), diverged, _contradicts(x, y), _reachable(model, y), dropout, monitor.alarms)


@dataclass(frozen=True, eq=False)
class OneBatch(Result):
    """How a network learns a few samples by heart.

    Attributes
    ----------
    losses : ndarray (steps,)
    goal : float
        What counts as nearly 0.
    samples : int
    diverged : bool
    contradiction : bool
        Whether two of the samples have the same inputs and different targets, which nobody can learn.
    reachable : bool
        Whether the output layer's activation can give numbers as small and as large as the targets.
    dropout : bool
        Whether the network drops units.
    alarms : list of Alarm
        Of the training with these samples.
    """

    losses: NDArray[np.float64]
    goal: float
    samples: int
    diverged: bool
    contradiction: bool
    reachable: bool
    dropout: bool
    alarms: list[Alarm]

    @property
    def learnt(self) -> bool:
        """Whether the loss came to nearly 0."""
        return bool(self.losses.size and self.losses[-1] <= self.goal)

    @property
    def title(self) -> str:
        return _("Learning {samples} samples by heart").format(samples=self.samples)

    def tables(self) -> list[Table]:
        last = f"{self.losses[-1]:.2g}" if self.losses.size else "-"
        return [
            Table(
                [_("steps"), _("loss at the end"), _("counts as nearly 0")],
                [[f"{len(self.losses):,}", last, f"{self.goal:.2g}"]],
                words=0,
                title=self.title,
            )
        ]

    def sentences(self) -> list[str]:
        steps = f"{len(self.losses):,}"
        if self.learnt:
            text = _("The network learns {samples} samples by heart in {steps} steps, as a sound one does.")
            return [text.format(samples=self.samples, steps=steps)]
        text = _("The network does not learn even {samples} samples by heart in {steps} steps.")
        return [text.format(samples=self.samples, steps=steps), *self.reasons]

    @property
    def reasons(self) -> list[str]:
        """Why the loss stayed above 0, as far as this run shows it."""
        falls = self.losses.size > 1 and self.losses[-1] < 0.9 * self.losses[self.losses.size // 2]
        reasons = [
            (
                self.contradiction,
                _("Two of the samples have the same inputs and different targets: check the data."),
            ),
            (
                not self.reachable,
                _("The output layer's activation cannot give numbers like the targets: take output='identity'."),
            ),
            (self.diverged, _("The loss or a weight became infinite or NaN: take a smaller learning rate.")),
            *((True, _("{title}: {name}").format(title=each.title, name=each.sentence)) for each in self.alarms),
            (self.dropout, _("The network drops units in training, which holds the loss up: try it with dropout=0.")),
            (falls, _("The loss was still falling: take more steps, or a larger learning rate.")),
        ]
        found = [text for holds, text in reasons if holds]
        return found or [_("No reason shows: check how the samples and their targets are put together.")]

    def as_dict(self) -> dict[str, Any]:
        return super().as_dict() | {"learnt": self.learnt}


def _draw(y: NDArray[Any], samples: int, seed: int) -> NDArray[np.intp]:
    """Draw the indices of samples from all classes (or from all targets that occur) in turn."""
    order = np.random.default_rng(seed).permutation(len(y))
    if y[0].size > 1:
        return order[:samples]
    targets = y.reshape(-1)[order]
    grouped = np.argsort(targets, kind="stable")
    first = np.flatnonzero(np.append(True, np.diff(targets[grouped]) != 0))  # of each group
    turn = np.empty(len(y), np.intp)
    turn[grouped] = np.arange(len(y)) - np.repeat(first, np.diff(np.append(first, len(y))))
    return order[np.argsort(turn, kind="stable")[:samples]]


def _reachable(model: fa.MLP, y: NDArray[Any]) -> bool:
    loss: Any = model.loss
    activation = model.layers[-1].activation
    if loss.fused or activation.kind != "activation":  # whose targets the loss checks
        return True
    x = np.geomspace(1e-6, 1e30, 500).astype(model.dtype)
    with np.errstate(all="ignore"):
        outputs = activation(np.concatenate([-x, x]))
    return bool(np.nanmin(outputs) <= y.min() and y.max() <= np.nanmax(outputs))


def _contradicts(x: NDArray[Any], y: NDArray[Any]) -> bool:
    samples = np.unique(x.reshape(len(x), -1), axis=0)
    both = np.unique(np.column_stack([x.reshape(len(x), -1), y.reshape(len(y), -1)]), axis=0)
    return len(samples) < len(both)
