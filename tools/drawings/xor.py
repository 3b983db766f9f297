"""XOR: how many seeds solve it, what single seeds do, and how networks part the plane."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

import fastact as fa
from drawings import figure, worded
from fastact.learn.experiments import xor
from fastact.learn.experiments.xor import Xor
from fastact.learn.pictures import style
from fastact.learn.pictures.deep import legend

SINGLE = 12
#: What a beginner's settings are changed in, to see why activations fail: hidden units, learning rate, epochs.
CHANGES = {
    "as it is": (4, 0.001, 1000),
    "16 units": (16, 0.001, 1000),
    "rate 0.05": (4, 0.05, 1000),
    "5,000 epochs": (4, 0.001, 5000),
}
CHANGED = ("relu", "leaky_relu", "sigmoid", "tanh")
PLANES = ("identity", "relu", "tanh", "sigmoid")


@cache
def found() -> Xor:
    return xor()


def solved() -> Any:
    """How many seeds of each activation solve XOR, with a beginner's settings and with others."""
    drawn = figure(4.2)
    axes = drawn.subplots()
    names = [each.activation for each in found().usual.settings]
    words = {
        "usual": worded(en="4 units, rate 0.001, 1,000 epochs", ja="4 ユニット、学習率 0.001、1,000 エポック"),
        "solving": worded(en="16 units, rate 0.05, 300 epochs", ja="16 ユニット、学習率 0.05、300 エポック"),
    }
    for position, (key, comparison) in enumerate(zip(words, found().comparisons, strict=True)):
        counts = [len(summary.perfect) for summary in comparison.summaries()]
        at = np.arange(len(names)) + 0.4 * position - 0.2
        bars = axes.barh(at, counts, 0.36, color=style.COLOURS[position], label=words[key])
        axes.bar_label(bars, padding=3, fontsize=8)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlim(0, found().usual.seeds * 1.08)
    seeds = found().usual.seeds
    axes.set_xlabel(worded(en=f"seeds of {seeds} that solve XOR", ja=f"{seeds} 個のシードのうち XOR を解けた数"))
    style.tidy(axes)
    legend(axes, 1)
    return drawn


def single() -> Any:
    """The loss of single seeds of relu, with a beginner's settings."""
    drawn = figure(3.4)
    axes = drawn.subplots()
    runs = [run for run in found().usual.runs if run.setting.activation == "relu"][:SINGLE]
    for run in runs:
        right = run.score[-1] == 1
        axes.plot(run.loss, linewidth=1.6, **style.line(0 if right else 1))
    for position, label in enumerate(
        (worded(en="solves XOR", ja="XOR を解けた"), worded(en="does not", ja="解けなかった"))
    ):
        axes.plot([], [], label=label, **style.line(position))
    axes.set_ylim(bottom=0)
    axes.set_xlabel(worded(en="epoch", ja="エポック"))
    axes.set_ylabel(worded(en="loss", ja="損失"))
    style.tidy(axes)
    legend(axes, 2)
    return drawn


def planes() -> Any:
    """How networks part the plane after training, with the settings that solve XOR."""
    boundaries = found().solving.boundaries
    assert boundaries is not None
    drawn = figure(5.6)
    for axes, name in zip(drawn.subplots(2, 2).flat, PLANES, strict=True):
        extent = (*boundaries.x_range, *boundaries.y_range)
        axes.imshow(style.shades(2)[boundaries.values[name][-1]], extent=extent, origin="lower", aspect="auto")
        for kind, marker in enumerate("os"):
            points = boundaries.points[boundaries.labels == kind]
            axes.plot(*points.T, marker, color=style.COLOURS[kind], markersize=10, markeredgecolor="white")
        axes.set_box_aspect(1)
        axes.set_title(name)
        axes.set_xticks([])
        axes.set_yticks([])
    return drawn


def solving_seeds(activation: str, units: int, learning_rate: float, epochs: int) -> int:
    """How many of as many seeds as the experiment has solve XOR with these settings."""
    x, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    solved = 0
    for seed in range(found().usual.seeds):
        model = fa.MLP((2, units, 1), activation, output="sigmoid", learning_rate=learning_rate, seed=seed)
        solved += bool((model.fit(x, y, epochs=epochs).predict(x) == y).all())
    return solved


def figures() -> dict[str, str]:
    said = {"seeds": str(found().usual.seeds)}
    for key, comparison in (("usual", found().usual), ("solving", found().solving)):
        counts = {summary.setting.activation: len(summary.perfect) for summary in comparison.summaries()}
        said |= {f"{key} {name}": str(count) for name, count in counts.items()}
        bent = [count for name, count in counts.items() if name != "identity"]
        said |= {f"{key} all": str(sum(bent)), f"{key} runs": str(len(bent) * comparison.seeds)}
    said |= {f"{change}, {name}": str(solving_seeds(name, *CHANGES[change])) for change in CHANGES for name in CHANGED}
    return said


PICTURES = {"xor-solved": solved, "xor-single": single, "xor-planes": planes}
