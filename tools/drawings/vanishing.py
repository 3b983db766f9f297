"""Vanishing gradients: the slopes that are multiplied, the gradient layer by layer, and the remedies."""

from __future__ import annotations

from functools import cache
from statistics import mean
from typing import Any

import numpy as np

import fastact as fa
from drawings import figure, norms, variants, worded, written
from fastact.learn.experiments import vanishing
from fastact.learn.experiments.deep import remedies
from fastact.learn.experiments.spread import share
from fastact.learn.experiments.vanishing import Vanishing
from fastact.learn.pictures import style
from fastact.learn.pictures.deep import legend

SHOWN = ("sigmoid", "tanh", "relu")
REMEDIES = ("", "batch_norm", "residual", "large_init")


@cache
def found() -> Vanishing:
    return vanishing()


def slopes() -> Any:
    """f' of sigmoid, tanh and relu."""
    drawn = figure(3.0)
    axes = drawn.subplots()
    x = np.linspace(-5, 5, 1001)
    for position, name in enumerate(SHOWN):
        axes.plot(x, fa.get(name).derivative(x), linewidth=2, label=name, **style.line(position))
    axes.axhline(0.25, color=style.INK, linewidth=0.8, linestyle=":")
    axes.annotate("0.25", (-5, 0.25), xytext=(0, 3), textcoords="offset points")
    axes.set_xlabel("x")
    axes.set_ylabel(worded(en="slope f'(x)", ja="傾き f'(x)"))
    style.tidy(axes)
    legend(axes, 3)
    return drawn


def layers() -> Any:
    """The norm of the gradient in each hidden layer, by activation."""
    lines = [(position, name, found().of(name)) for position, name in enumerate((*SHOWN, "gelu"))]
    return norms(lines, found().depth, 4.0, 4)


def remedied() -> Any:
    """The norm of the gradient in each hidden layer of sigmoid, by remedy."""
    lines = [(position, remedies()[remedy], found().of("sigmoid", remedy)) for position, remedy in enumerate(REMEDIES)]
    return norms(lines, found().depth, 4.0, 2)


def reached() -> Any:
    """The accuracy after training of each activation, and of sigmoid with each remedy."""
    return variants(found())


def figures() -> dict[str, str]:
    said = {}
    for name in SHOWN:
        trials = found().of(name)
        said[f"slope of {name}"] = written(mean(mean(trial.slopes) for trial in trials))
        said[f"ratio of {name}"] = written(found().ratio(name).centre)
        said[f"accuracy of {name}"] = share(float(np.median([trial.end for trial in trials])))
    for remedy in REMEDIES:
        ends = [trial.end for trial in found().of("sigmoid", remedy)]
        said[f"accuracy with {remedy or 'no remedy'}"] = share(float(np.median(ends)))
    return said


PICTURES = {
    "vanishing-slopes": slopes,
    "vanishing-layers": layers,
    "vanishing-remedies": remedied,
    "vanishing-accuracy": reached,
}
