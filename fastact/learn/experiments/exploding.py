"""The exploding gradient: weights that are too large, a training that diverges, and what helps."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fastact.language import paragraph
from fastact.language import translated as _
from fastact.learn.data.named import problem
from fastact.learn.experiments.arguments import counts, positive
from fastact.learn.experiments.deep import Trial, Variant, elementwise, ends, remedies, trials
from fastact.learn.experiments.drawing import draw_accuracies, draw_lines, layers_axes, legend
from fastact.learn.experiments.progress import Progress, silent
from fastact.learn.experiments.spread import Spread, share, short, times
from fastact.learn.pictures import style
from fastact.learn.result import Result, Table, plain

__all__ = ["Exploding", "exploding"]


def exploding(
    activation: str = "relu",
    depth: int = 10,
    width: int = 32,
    scale: float = 1.5,
    clip_norm: float = 2.0,
    seeds: int = 10,
    epochs: int = 30,
    learning_rate: float = 0.1,
    progress: Progress = silent,
) -> Exploding:
    """Train deep networks whose initial weights are too large: as they are, and with each remedy.

    The networks learn handwritten digits by plain SGD. (Adam divides a gradient by its size, so that it hides this
    problem.) Remedies are clipping the gradients, the usual initial weights, and batch normalisation.

    Parameters
    ----------
    activation : str
        For the hidden layers.
    depth, width : int
        Hidden layers, and the units of each.
    scale : float
        What the usual initial weights of the hidden layers are multiplied by.
    clip_norm : float
        The largest norm of all gradients together, for the remedy.
    seeds : int
        How many networks of each kind.
    epochs : int
    learning_rate : float
        Of SGD.
    progress : callable, optional
        Called as progress(done, total) after each training.

    Returns
    -------
    Exploding

    Raises
    ------
    ValueError
        The activation is unknown or has no derivative, or a number is not positive.
    MissingDependencyError
        scikit-learn, which has the digits, is not installed.

    Examples
    --------
    >>> from fastact.learn import experiments
    >>> found = experiments.exploding(seeds=1, epochs=2)
    >>> found.diverged(""), found.diverged("clip_norm")
    (1, 0)
    """
    counts(depth=depth, width=width, seeds=seeds, epochs=epochs)
    positive(scale=scale)
    [name] = elementwise([activation], "activation")
    variants = [
        Variant(name, scale=scale),
        Variant(name, "clip_norm", {"clip_norm": clip_norm}, scale),
        Variant(name, "init"),
        Variant(name, "batch_norm", {"batch_norm": True}, scale),
    ]
    digits = problem("digits")
    settings = {"optimizer": "sgd", "momentum": 0.0, "learning_rate": learning_rate, "batch_size": 32}
    found = trials(variants, digits, [width] * depth, seeds, epochs, progress, **settings)
    return Exploding(name, depth, width, scale, clip_norm, seeds, epochs, learning_rate, 1 / digits.outputs, found)


@dataclass(frozen=True)
class Exploding(Result):
    """What `exploding` found.

    Attributes
    ----------
    activation : str
    depth, width : int
    scale, clip_norm : float
    seeds, epochs : int
    learning_rate : float
    chance : float
        The accuracy of guessing.
    trials : list of Trial
        Without a remedy and with each, seed by seed.
    """

    activation: str
    depth: int
    width: int
    scale: float
    clip_norm: float
    seeds: int
    epochs: int
    learning_rate: float
    chance: float
    trials: list[Trial]

    def of(self, remedy: str) -> list[Trial]:
        """The trials with a remedy: "clip_norm", "init", "batch_norm", or "" for none."""
        return [each for each in self.trials if each.variant.remedy == remedy]

    def diverged(self, remedy: str) -> int:
        """How many seeds diverged with a remedy."""
        return sum(each.diverged is not None for each in self.of(remedy))

    @property
    def remedies(self) -> list[str]:
        """Their keys, in the order of the trials."""
        return list(dict.fromkeys(each.variant.remedy for each in self.trials))

    @property
    def title(self) -> str:
        return _(
            "Exploding gradient: depth {depth}, {width} {name} units in each hidden layer, {scale:g} times the usual "
            "weights"
        ).format(depth=self.depth, width=self.width, name=self.activation, scale=self.scale)

    def tables(self) -> list[Table]:
        rows = []
        for remedy in self.remedies:
            found = self.of(remedy)
            rows.append([
                remedies()[remedy],
                short(Spread.of(each.first_loss for each in found).centre),
                Spread.of(each.norm for each in found).text(short),
                f"{self.diverged(remedy)} / {len(found)}",
                Spread.of(each.end for each in found).text(share),
            ])  # fmt: skip
        columns = [_("remedy"), _("first loss"), _("gradient"), _("diverged"), _("accuracy")]
        caption = _(
            "Seeds: {seeds}; median (least to largest). First loss and gradient: before the first step; the gradient "
            "is the norm by the weights of all hidden layers. Accuracy: held-out digits after epoch {epochs} of SGD "
            "with learning rate {rate:g}, of the seeds that did not diverge; guessing gives {chance}."
        ).format(seeds=self.seeds, epochs=self.epochs, rate=self.learning_rate, chance=share(self.chance))
        return [Table(columns, rows, caption=caption)]

    def sentences(self) -> list[str]:
        pairs = zip(self.of(""), self.of("init"), strict=True)
        factor = Spread.of(large.norm / usual.norm if usual.norm else np.nan for large, usual in pairs)
        found = {remedy: self.of(remedy) for remedy in self.remedies if remedy}
        with np.errstate(over="ignore"):
            power = float(np.float64(self.scale) ** self.depth)
        expected = _(
            "If the gradient grows {scale:g} times in each layer, {depth} layers make it {scale:g} ** {depth} = "
            "{power} times as large."
        ).format(scale=self.scale, depth=self.depth, power=times(power))
        measured = _(
            "Measured before the first step, the gradient is {factor} times as large as with the usual initial weights."
        ).format(factor=factor.text(times))
        return [
            paragraph([expected, measured]) if factor.count else expected,
            _(
                "A seed diverges if its loss or weights become infinite: {count} of {seeds} do without a remedy. "
                "Accuracy after epoch {epochs}: {ends}."
            ).format(count=self.diverged(""), seeds=self.seeds, epochs=self.epochs, ends=ends(found)),
        ]

    def as_dict(self) -> dict[str, Any]:
        """Settings, and all trials."""
        return {"experiment": "exploding", **plain(asdict(self))}

    @style.lettering()
    def figure(self) -> Any:
        """Gradients by layer, the loss in training, and the accuracy that each remedy reaches."""
        figure = style.figure(13, 9)
        figure.suptitle(self.title, fontsize=14)
        upper, lower = figure.subfigures(2, 1, height_ratios=[1.5, 1])
        left, right = upper.subplots(1, 2)
        for position, remedy in enumerate(self.remedies):
            found, label = self.of(remedy), remedies()[remedy]
            draw_lines(left, range(1, self.depth + 1), [each.norms for each in found], position, label)
            losses = [[each.first_loss, *each.loss] for each in found]
            draw_lines(right, range(self.epochs + 1), losses, position, label)
            for each, loss in zip(found, losses, strict=True):
                if each.diverged is not None:
                    colour = style.line(position)["color"]
                    right.plot(len(loss) - 1, loss[-1], "x", color=colour, markersize=9, markeredgewidth=2)
        layers_axes(left)
        left.set_ylabel(_("norm of the gradient, before the first step"))
        right.set_yscale("log")
        right.set_xlabel(_("epoch (0: before training)"))
        right.set_ylabel(_("training loss (crosses: diverges after this)"))
        style.tidy(right)
        legend(left, 2)
        legend(right, 2)
        axes = lower.subplots()
        rows = [
            (
                remedies()[remedy],
                [each.end for each in self.of(remedy)],
                position,
                _("{count} of {seeds} diverge").format(count=self.diverged(remedy), seeds=self.seeds),
            )
            for position, remedy in enumerate(self.remedies)
        ]
        draw_accuracies(axes, rows, self.epochs, self.chance)
        return figure
