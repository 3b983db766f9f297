"""What the experiments on deep networks share: networks that differ in one thing, what one training shows, and drawing.

An experiment names its networks as `Variant`s and gets a `Trial` of each and each seed from `trials`. A new remedy is
an entry in `remedies`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

import fastact as fa
from fastact.data.problem import Problem, Split
from fastact.language import listed
from fastact.language import translated as _
from fastact.pictures import style

__all__ = [
    "Progress", "Spread", "Trial", "Variant", "accuracy_axis", "counted", "draw_dots", "draw_lines", "elementwise",
    "ends", "layers_axes", "legend", "network", "positive", "reached", "remedies", "share", "short", "silent",
    "times", "trials",
]  # fmt: skip

Array = NDArray[Any]
Job = TypeVar("Job")
#: Called after each training as progress(done, total).
Progress = Callable[[int, int], object]


def silent(done: int, total: int) -> None:
    """No progress is shown."""


@dataclass(frozen=True)
class Variant:
    """How a network differs from the others of its experiment.

    Attributes
    ----------
    activation : str
        Of all hidden layers.
    remedy : str
        A key of `remedies()`; empty for a network as it is.
    settings : mapping
        Of `fa.MLP`.
    scale : float
        What the initial weights of the hidden layers are multiplied by.
    """

    activation: str
    remedy: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    scale: float = 1.0

    @property
    def label(self) -> str:
        """Its name for readers."""
        return f"{self.activation} + {remedies()[self.remedy]}" if self.remedy else self.activation


def remedies() -> dict[str, str]:
    """What readers call the remedies."""
    return {
        "": _("no remedy"),
        "batch_norm": _("batch normalisation"),
        "residual": _("residual connections"),
        "large_init": _("larger initial weights"),
        "init": _("usual initial weights"),
        "clip_norm": _("gradient clipping"),
        "learning_rate": _("a small learning rate"),
    }


@dataclass(frozen=True)
class Trial:
    """One network: its gradients before the first step, and its training.

    Attributes
    ----------
    variant : Variant
    seed : int
    norms : list of float
        The norm of the gradient by the weights of each hidden layer, from all training samples, before the first step.
    slopes : list of float
        The mean of f'(x) in each hidden layer, at the same time.
    outputs : list of float
        The mean of |f(x)| in each hidden layer, at the same time.
    first_loss : float
        At the same time.
    loss : list of float
        Of training, the mean of each epoch; ends where it diverged.
    accuracy : list of float
        Of the held-out samples, after each epoch; ends where it diverged.
    diverged : int or None
        The epoch, counted from 1, in which the loss or a weight became infinite or nan.
    """

    variant: Variant
    seed: int
    norms: list[float]
    slopes: list[float]
    outputs: list[float]
    first_loss: float
    loss: list[float]
    accuracy: list[float]
    diverged: int | None

    @property
    def ratio(self) -> float:
        """The gradient of the first hidden layer by that of the last one."""
        return self.norms[0] / self.norms[-1] if self.norms[-1] else math.nan

    @property
    def norm(self) -> float:
        """Of the gradients of all hidden layers together."""
        return math.hypot(*self.norms)

    @property
    def end(self) -> float:
        """The accuracy after the last epoch; nan if it diverged."""
        return math.nan if self.diverged else self.accuracy[-1]


class Trained(Protocol):
    """A finished training."""

    @property
    def diverged(self) -> int | None: ...

    @property
    def end(self) -> float: ...


def reached(found: Sequence[Trained]) -> str:
    """The accuracy at the end, and how many seeds diverged, for readers."""
    diverged = sum(each.diverged is not None for each in found)
    accuracy = Spread.of(each.end for each in found).text(share)
    if not diverged:
        return accuracy
    count = _("{count} of {seeds} diverge").format(count=diverged, seeds=len(found))
    return count if diverged == len(found) else listed([accuracy, count])


def ends(found: Mapping[str, Sequence[Trial]]) -> str:
    """The accuracies at the end, by remedies' keys, for readers."""
    return listed(
        _("{accuracy} with {remedy}").format(accuracy=reached(each), remedy=remedies()[remedy])
        for remedy, each in found.items()
    )


def network(problem: Problem, hidden: Sequence[int], seed: int, scale: float = 1.0, **settings: Any) -> fa.MLP:
    """An untrained network for a problem, with these hidden layers."""
    model = fa.MLP([problem.features, *hidden, problem.outputs], output=problem.output, seed=seed, **settings)
    for layer in model.layers[:-1]:
        layer.weights *= scale
    return model


def trials(
    variants: Sequence[Variant],
    problem: Problem,
    hidden: Sequence[int],
    seeds: int,
    epochs: int,
    progress: Progress,
    **settings: Any,
) -> list[Trial]:
    """Train each variant with each seed, the same samples for all; `settings` are those of `fa.MLP` in common."""
    parts = [problem.split(seed) for seed in range(seeds)]
    jobs = [(variant, seed) for variant in variants for seed in range(seeds)]
    found = []
    for variant, seed in counted(jobs, progress):
        chosen = {"activation": variant.activation, "scale": variant.scale, **settings, **variant.settings}
        found.append(_trial(variant, seed, network(problem, hidden, seed, **chosen), parts[seed], epochs))
    return found


def _trial(variant: Variant, seed: int, model: fa.MLP, part: Split, epochs: int) -> Trial:
    with np.errstate(all="ignore"):  # what overflows is told by `diverged`
        first_loss, _gradients = model.loss_and_gradients(part.train_x, part.train_y)
        layers = model.layers[:-1]
        norms = [float(np.linalg.norm(layer.weights_gradient.astype(np.float64))) for layer in layers]
        slopes = [_slope(layer) for layer in layers]
        outputs = [float(np.abs(layer.output).mean()) for layer in layers]
        diverged = None
        try:
            model.fit(part.train_x, part.train_y, epochs=epochs, validation=(part.test_x, part.test_y))
        except FloatingPointError:
            diverged = len(model.history.get("loss", ())) + 1
    history = model.history
    return Trial(
        variant, seed, norms, slopes, outputs, first_loss, history.get("loss", []), history.get("val_accuracy", []),
        diverged,
    )  # fmt: skip


def _slope(layer: Any) -> float:
    """The mean of f'(x); of softmax, that of the derivative of each output by its own input."""
    if layer.activation.kind == "activation":
        return float(layer.activation.derivative(layer.preactivation).mean())
    return float((layer.output * (1 - layer.output)).mean())


def counted(jobs: Sequence[Job], progress: Progress) -> Iterator[Job]:
    """Each job; when the next one is asked for, `progress` hears of the one before."""
    for done, job in enumerate(jobs, 1):
        yield job
        progress(done, len(jobs))


def elementwise(activations: Iterable[str], argument: str = "activations") -> list[str]:
    """The activations' own names, each once; ValueError for one that suits no hidden layer."""
    names = []
    for name in activations:
        activation = fa.get(name)
        if activation.kind != "activation" or not activation.differentiable:
            raise ValueError(f"{argument}: {name!r} has no derivative for each unit; take one such as 'relu'")
        names.append(activation.name)
    if not names:
        raise ValueError(f"{argument}=[]; name at least one, such as 'relu'")
    return list(dict.fromkeys(names))


def positive(**numbers: float) -> None:
    """Raise ValueError for a number that is not above 0, by its name."""
    for name, number in numbers.items():
        if not number > 0:
            raise ValueError(f"{name}={number}; take a number above 0")


# ---- figures for readers


@dataclass(frozen=True)
class Spread:
    """The median over the seeds, and the least and largest value; nan without a value."""

    centre: float
    low: float
    high: float
    count: int

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        known = [float(value) for value in values if math.isfinite(value)]
        return cls(median(known), min(known), max(known), len(known)) if known else cls(math.nan, math.nan, math.nan, 0)

    def text(self, form: Callable[[float], str]) -> str:
        """The median, and the range in brackets where seeds differ: 0.87 (0.68\u20134.8), 93 % (83\u201395)."""
        if not self.count:
            return "-"
        low, centre, high = map(form, (self.low, self.centre, self.high))
        return centre if low == high else f"{centre} ({low.removesuffix(' %')}\u2013{high.removesuffix(' %')})"


def short(value: float) -> str:
    """Two digits that count: 0.23, 1.8e-12, 3,400."""
    if not math.isfinite(value):
        return "-"
    if value == 0:
        return "0"
    if not 1e-3 <= abs(value) < 1e7:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa}e{int(exponent)}"
    rounded = float(f"{value:.2g}")
    return f"{rounded:,.{max(0, 1 - math.floor(math.log10(abs(rounded))))}f}"


def times(value: float) -> str:
    """A factor, written out if it is large: 590,000,000,000."""
    return f"{float(f'{value:.2g}'):,.0f}" if 1e7 <= value < 1e15 else short(value)


def share(value: float) -> str:
    """A share in per cent: 97 %; below one, 0.4 %."""
    return f"{100 * value:.1f} %" if 0.0005 <= value < 0.0095 else f"{100 * value:.0f} %"


# ---- drawing


def draw_lines(axes: Any, x: Sequence[float], seeds: Sequence[Sequence[float]], position: int, label: str) -> None:
    """The median over the seeds as the line number `position`, least to largest as a band; a seed may end early."""
    table = np.full((len(seeds), len(x)), np.nan)
    for row, values in zip(table, seeds, strict=True):
        row[: len(values)] = values
    table[~np.isfinite(table)] = np.nan
    known = ~np.isnan(table).all(axis=0)
    if not known.any():
        return
    table, at = table[:, known], np.asarray(x)[known]
    look = style.line(position)
    marker = {"marker": "o", "markersize": 4} if len(at) == 1 else {}
    axes.plot(at, np.nanmedian(table, axis=0), linewidth=2, label=label, **look, **marker)
    axes.fill_between(
        at, np.nanmin(table, axis=0), np.nanmax(table, axis=0), color=look["color"], alpha=0.13, linewidth=0
    )


def draw_dots(axes: Any, rows: Sequence[tuple[str, Sequence[float], int, str]]) -> None:
    """A row of dots for each (label, a value per seed, position of its line, remark): seeds, and their median."""
    for height, (_label, seeds, position, remark) in enumerate(rows):
        values = [value for value in seeds if math.isfinite(value)]
        colour = style.line(position)["color"]
        # Dots of equal values stand above each other.
        lift = np.linspace(-0.2, 0.2, len(values)) if len(values) > 1 else np.zeros(len(values))
        axes.plot(values, height + lift, "o", color=colour, alpha=0.55, markersize=5, markeredgewidth=0)
        if len(values):
            axes.plot([np.median(values)] * 2, [height - 0.36, height + 0.36], color=colour, linewidth=2.5)
        if remark:
            axes.annotate(
                remark, (1, height), xycoords=("axes fraction", "data"), xytext=(6, 0), textcoords="offset points",
                va="center", color=style.INK, fontsize=9, annotation_clip=False,
            )  # fmt: skip
    axes.set_yticks(range(len(rows)), [label for label, *_rest in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    style.tidy(axes)


def layers_axes(axes: Any) -> None:
    """Axes for the norm of the gradient of each hidden layer."""
    axes.set_yscale("log")
    axes.set_xlabel(_("hidden layer (1: next to the inputs)"))
    axes.xaxis.get_major_locator().set_params(integer=True)
    style.tidy(axes)


def accuracy_axis(axes: Any, epochs: int, chance: float) -> None:
    """What the dots of `draw_dots` are, if they are accuracies, and a line where guessing is."""
    axes.axvline(chance, color=style.INK, linewidth=1, linestyle=":")
    axes.set_xlim(0, 1.01)
    axes.set_xlabel(
        _("accuracy after epoch {epochs} (dots: seeds; bar: their median; dotted: guessing)").format(epochs=epochs)
    )


def legend(axes: Any, columns: int) -> None:
    """Name the lines below the axes, where they hide nothing."""
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=columns, frameon=False, fontsize=9)
