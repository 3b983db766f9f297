"""The learning-rate range test: which rates a network learns with."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastact as fa
from fastact.language import paragraph
from fastact.language import translated as _
from fastact.learn.diagnostics.measures import at_least, host
from fastact.learn.result import Result, Table, plain

__all__ = ["LearningRates", "learning_rate_range"]

Floats = NDArray[np.float64]

#: The loss diverges where, smoothed, it is this many times that of the untrained network.
DIVERGED = 1.2


def learning_rate_range(
    model: fa.MLP,
    X: Any,
    y: Any,
    *,
    least: float = 1e-6,
    most: float = 10.0,
    steps: int = 200,
    passes: int = 3,
    seed: int = 0,
) -> LearningRates:
    """Raise the learning rate step by step, and see where the loss falls and where it diverges.

    Parameters
    ----------
    model : fa.MLP
        Usually not trained yet; it stays as it is.
    X, y : array_like
        As for `fit`.
    least, most : float
        The first and the last rate; between them it grows by the same factor in each step, a batch each.
    steps : int
    passes : int
        Over the rates, each with other batches from the same start; their losses are averaged.
    seed : int
        Of the batches.

    Returns
    -------
    LearningRates

    Raises
    ------
    ValueError
        The range is empty, `steps` or `passes` is too small, or the optimiser has no learning rate.

    Notes
    -----
    The test is Smith's (Cyclical learning rates for training neural networks, WACV 2017). The loss diverges where it is
    a fifth above that of the untrained network, or no number.

    Examples
    --------
    >>> from fastact.learn.diagnostics import learning_rate_range
    >>> X = np.random.default_rng(0).normal(size=(300, 5))
    >>> y = (X @ [1, -2, 0, 1, 3] > 0).astype(int)
    >>> found = learning_rate_range(fa.MLP((5, 16, 1), output="sigmoid", seed=0), X, y)
    >>> 1e-4 < found.suggestion < 1
    True
    """
    if not 0 < least < most:
        raise ValueError(f"least={least:g} and most={most:g} are no range of learning rates; take 1e-6 and 10")
    if model.optimizer.whole:
        raise ValueError(f"optimizer={model.optimizer.name!r} has no learning rate to look for; take 'adam'")
    at_least(steps=(steps, 10), passes=(passes, 1))
    x, y = np.asarray(host(X)), np.asarray(host(y))
    rates = np.geomspace(least, most, steps)
    rng = np.random.default_rng(seed)
    rows = min(model._rows, len(x))
    losses = np.full((passes, steps), np.nan)
    for number in range(passes):
        twin = copy.deepcopy(model)
        twin.optimizer.schedule = "constant"
        order = np.concatenate([rng.permutation(len(x)) for _ in range(-(-steps * rows // len(x)))])
        for step, rate in enumerate(rates):
            twin.optimizer.learning_rate = rate
            batch = order[step * rows : (step + 1) * rows]
            try:
                twin.partial_fit(x[batch], y[batch], shuffle=False)
            except FloatingPointError:
                break
            losses[number, step] = twin.history["loss"][-1]
    return LearningRates(rates, losses.mean(axis=0), model.optimizer.learning_rate)


@dataclass(frozen=True, eq=False)
class LearningRates(Result):
    """How a network learns while the learning rate grows.

    Attributes
    ----------
    rates : ndarray (steps,)
    losses : ndarray (steps,)
        Of each step's batch; nan after an infinite one.
    current : float
        The rate that the network has.
    """

    rates: Floats
    losses: Floats
    current: float

    @cached_property
    def smoothed(self) -> Floats:
        """The losses, each averaged with its neighbours within a twentieth of the steps."""
        window = np.ones(len(self.losses) // 20 * 2 + 1)
        sums = np.convolve(self.losses, window, "same")  # nan spreads
        return sums / np.convolve(np.ones(len(self.losses)), window, "same")

    @property
    def learns(self) -> bool:
        """Whether the loss falls by a tenth at least."""
        return bool(self._before.min(initial=np.inf) < 0.9 * self.smoothed[0])

    @property
    def steepest(self) -> float:
        """The rate at which the loss falls fastest, per factor."""
        falling = self._before[: int(np.argmin(self._before)) + 1]
        return float(self.rates[np.argmin(np.gradient(falling))]) if len(falling) > 1 else float(self.rates[0])

    @property
    def diverges(self) -> float | None:
        """The rate at which the loss is a fifth above its start, or no number; None if none is so large."""
        end = len(self._before)
        return float(self.rates[end]) if end < len(self.rates) else None

    @property
    def suggestion(self) -> float | None:
        """The rate to begin with: where the loss falls fastest; None if it does not fall."""
        return self.steepest if self.learns else None

    @property
    def _before(self) -> Floats:
        """The smoothed losses before divergence; none where the network is not finite as it is."""
        with np.errstate(invalid="ignore"):
            gone = np.flatnonzero(~(self.smoothed <= DIVERGED * self.smoothed[0]))
        return self.smoothed[: gone[0]] if gone.size else self.smoothed

    @property
    def title(self) -> str:
        return _("Learning-rate range test")

    def tables(self) -> list[Table]:
        rows = [[_("the network has"), f"{self.current:.2g}"]]
        if self.learns:
            rows.append([_("the loss falls fastest"), f"{self.steepest:.2g}"])
        if self.diverges is not None:
            rows.append([_("the loss diverges"), f"{self.diverges:.2g}"])
        return [Table([_("where"), _("learning rate")], rows, title=self.title)]

    def sentences(self) -> list[str]:
        if not self.learns:
            text = _("The loss does not fall at any rate from {least} to {most}; look at the other checks first.")
            return [text.format(least=f"{self.rates[0]:.2g}", most=f"{self.rates[-1]:.2g}")]
        text = _("The loss falls fastest at a learning rate of {steepest}.")
        found = [text.format(steepest=f"{self.steepest:.2g}")]
        if self.diverges is not None:
            found.append(_("The loss diverges at {diverges}; stay well below.").format(diverges=f"{self.diverges:.2g}"))
            if self.current >= self.diverges:
                found.append(
                    _("The network's learning rate, {current}, is too large.").format(current=f"{self.current:.2g}")
                )
        if self.current < self.steepest / 100:
            text = _("The network's {current} is less than a hundredth of {steepest}.")
            found.append(text.format(current=f"{self.current:.2g}", steepest=f"{self.steepest:.2g}"))
        return [paragraph(found)]

    def as_dict(self) -> dict[str, Any]:
        found = {"smoothed": plain(self.smoothed), "steepest": self.suggestion, "diverges": self.diverges}
        return super().as_dict() | found
