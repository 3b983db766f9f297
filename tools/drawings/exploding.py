"""Exploding gradients: the gradient layer by layer, and the loss in training, with each remedy."""

from __future__ import annotations

from functools import cache
from statistics import median
from typing import Any

from drawings import figure, norms, worded
from fastact.learn.experiments import exploding
from fastact.learn.experiments.exploding import Exploding
from fastact.learn.experiments.spread import share, short, times
from fastact.learn.pictures import style
from fastact.learn.pictures.deep import draw_lines, legend


@cache
def found() -> Exploding:
    return exploding()


def layers() -> Any:
    """The norm of the gradient in each hidden layer, by remedy; clipping changes it only later."""
    lines = [(position, label, trials) for position, (label, trials) in enumerate(found().labelled().items())]
    return norms([lines[0], *lines[2:]], found().depth, 3.8, 2)


def losses() -> Any:
    """The loss over the epochs, by remedy; a cross where a network diverges."""
    drawn = figure(4.0)
    axes = drawn.subplots()
    for position, (label, trials) in enumerate(found().labelled().items()):
        courses = [[trial.first_loss, *trial.loss] for trial in trials]
        draw_lines(axes, range(found().epochs + 1), courses, position, label)
        for trial, course in zip(trials, courses, strict=True):
            if trial.diverged is not None:
                axes.plot(len(course) - 1, course[-1], "x", color=style.line(position)["color"], markersize=8)
    axes.set_yscale("log")
    axes.set_xlabel(worded(en="epoch (0: before training)", ja="エポック（0：学習前）"))
    axes.set_ylabel(worded(en="training loss", ja="訓練データの損失"))
    style.tidy(axes)
    legend(axes, 2)
    return drawn


def figures() -> dict[str, str]:
    of = {each.remedy: found().of(each.activation, each.remedy) for each in found().variants}
    large, usual = of[""], of["init"]
    said = {
        "power": times(found().scale ** found().depth),
        "factor": times(median(one.norm / other.norm for one, other in zip(large, usual, strict=True))),
        "usual first loss": short(median(trial.first_loss for trial in usual)),
        "large first loss": times(median(trial.first_loss for trial in large)),
        "seeds": str(found().seeds),
    }
    for remedy, trials in of.items():
        said[f"diverged with {remedy or 'no remedy'}"] = str(found().diverged(remedy))
        if not found().diverged(remedy):
            said[f"accuracy with {remedy}"] = share(median(trial.end for trial in trials))
    return said


PICTURES = {"exploding-layers": layers, "exploding-loss": losses}
