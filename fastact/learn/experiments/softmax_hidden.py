"""Softmax in a hidden layer: it is possible, and this shows why it is not advised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean
from typing import ClassVar

from fastact.language import listed
from fastact.language import translated as _
from fastact.learn.experiments.deep import Study, Trial, Variant, elementwise, reached, study
from fastact.learn.experiments.progress import Progress, silent
from fastact.learn.experiments.spread import Spread, share, short
from fastact.learn.result import Table

__all__ = ["SoftmaxHidden", "softmax_hidden"]


def softmax_hidden(
    others: Sequence[str] = ("relu", "tanh"),
    depth: int = 3,
    width: int = 64,
    seeds: int = 10,
    epochs: int = 30,
    learning_rate: float = 0.002,
    progress: Progress = silent,
) -> SoftmaxHidden:
    """Train networks with softmax in all hidden layers, and with other activations, on handwritten digits.

    Parameters
    ----------
    others : sequence of str
        Activations to compare with.
    depth, width : int
        Hidden layers, and the units of each.
    seeds : int
        How many networks of each kind.
    epochs : int
    learning_rate : float
        Of Adam.
    progress : callable, optional
        Called as progress(done, total) after each training.

    Returns
    -------
    SoftmaxHidden

    Raises
    ------
    ValueError
        An activation is unknown or has no derivative, or a number is below 1.
    MissingDependencyError
        scikit-learn, which has the digits, is not installed.

    Examples
    --------
    >>> from fastact.learn import experiments
    >>> found = experiments.softmax_hidden(seeds=1, epochs=3)
    >>> found.accuracy("softmax").centre < found.accuracy("relu").centre
    True
    """
    names = ["softmax", *elementwise(others, "others")]
    variants = [*map(Variant, names)]
    return study(SoftmaxHidden, variants, depth, width, seeds, epochs, learning_rate, progress, activations=names)


@dataclass(frozen=True, kw_only=True)
class SoftmaxHidden(Study[Trial]):
    """What `softmax_hidden` found.

    Attributes
    ----------
    activations : list of str
        "softmax", then the others.
    """

    name: ClassVar[str] = "softmax-hidden"

    activations: list[str]

    def gradient(self, activation: str) -> Spread:
        """The norm of the gradient in the first hidden layer before the first step, over the seeds."""
        return Spread.of(each.norms[0] for each in self.of(activation))

    @property
    def title(self) -> str:
        return _("Softmax in hidden layers: depth {depth}, {width} units in each").format(
            depth=self.depth, width=self.width
        )

    def tables(self) -> list[Table]:
        rows = [
            [name, short(self._output(name)), short(self._slope(name)), self.gradient(name).text(short),
             reached(self.of(name))]
            for name in self.activations
        ]  # fmt: skip
        columns = [_("hidden layers"), _("|output|"), _("slope"), _("gradient, layer 1"), _("accuracy")]
        caption = _(
            "Seeds: {seeds}; median (least to largest); output and slope: means over hidden layers and seeds. "
            "Gradient: its norm by the weights of the first hidden layer. All three are measured before the first "
            "step. Accuracy: held-out digits after epoch {epochs}; guessing gives {chance}."
        ).format(seeds=self.seeds, epochs=self.epochs, chance=share(self.chance))
        return [Table(columns, rows, caption=caption)]

    def sentences(self) -> list[str]:
        words = [
            _(
                "The outputs of a softmax layer add up to 1: {width} units give 1 / {width} = {each} on average, and "
                "each only gains what the others lose. Their slope is {slope} on average, and the gradient in the "
                "first hidden layer is {gradient} before the first step."
            ).format(
                width=self.width, each=short(1 / self.width), slope=short(self._slope("softmax")),
                gradient=self.gradient("softmax").text(short),
            )
        ]  # fmt: skip
        words += [
            _("With {name}, the mean of |output| is {output}, the slope {slope} and the gradient {gradient}.").format(
                name=name, output=short(self._output(name)), slope=short(self._slope(name)),
                gradient=self.gradient(name).text(short),
            )
            for name in self.activations[1:2]
        ]  # fmt: skip
        ends = listed(f"{name} {reached(self.of(name))}" for name in self.activations)
        words.append(_("Accuracy after epoch {epochs}: {ends}.").format(epochs=self.epochs, ends=ends))
        steady = [name for name in self.activations[1:] if not any(trial.diverged for trial in self.of(name))]
        behind = [name for name in steady if self.accuracy("softmax").high < self.accuracy(name).low]
        if behind:
            words.append(
                _(
                    "Softmax is possible in hidden layers, and not advised: its best seed stays behind the worst of "
                    "{names}."
                ).format(names=listed(behind))
            )
        return words

    def _output(self, activation: str) -> float:
        return mean(mean(trial.outputs) for trial in self.of(activation))

    def _slope(self, activation: str) -> float:
        return mean(mean(trial.slopes) for trial in self.of(activation))
