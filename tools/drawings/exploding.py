"""Exploding gradients: the gradient layer by layer, and the loss in training, with each remedy."""

from __future__ import annotations

from functools import cache
from statistics import median
from typing import Any

from drawings import figure, norms, worded
from fastact.learn.experiments import exploding
from fastact.learn.experiments.deep import remedies
from fastact.learn.experiments.drawing import draw_lines, legend
from fastact.learn.experiments.exploding import Exploding
from fastact.learn.experiments.spread import share, short, times
from fastact.learn.pictures import style


@cache
def found() -> Exploding:
    return exploding()


def layers() -> Any:
    """The norm of the gradient in each hidden layer, by remedy; clipping changes it only later."""
    lines = [
        (position, remedies()[remedy], found().of(remedy))
        for position, remedy in enumerate(found().remedies)
        if remedy != "clip_norm"
    ]
    return norms(lines, found().depth, 3.8, 2)


def losses() -> Any:
    """The loss over the epochs, by remedy; a cross where a network diverges."""
    drawn = figure(4.0)
    axes = drawn.subplots()
    for position, remedy in enumerate(found().remedies):
        courses = [[trial.first_loss, *trial.loss] for trial in found().of(remedy)]
        draw_lines(axes, range(found().epochs + 1), courses, position, remedies()[remedy])
        for trial, course in zip(found().of(remedy), courses, strict=True):
            if trial.diverged is not None:
                axes.plot(len(course) - 1, course[-1], "x", color=style.line(position)["color"], markersize=8)
    axes.set_yscale("log")
    axes.set_xlabel(worded(en="epoch (0: before training)", ja="エポック（0：学習前）"))
    axes.set_ylabel(worded(en="training loss", ja="訓練データの損失"))
    style.tidy(axes)
    legend(axes, 2)
    return drawn


def figures() -> dict[str, str]:
    large, usual = found().of(""), found().of("init")
    said = {
        "power": times(found().scale ** found().depth),
        "factor": times(median(one.norm / other.norm for one, other in zip(large, usual, strict=True))),
        "usual first loss": short(median(trial.first_loss for trial in usual)),
        "large first loss": times(median(trial.first_loss for trial in large)),
        "seeds": str(found().seeds),
    }
    for remedy in found().remedies:
        said[f"diverged with {remedy or 'no remedy'}"] = str(found().diverged(remedy))
        if not found().diverged(remedy):
            said[f"accuracy with {remedy}"] = share(median(trial.end for trial in found().of(remedy)))
    return said


PICTURES = {"exploding-layers": layers, "exploding-loss": losses}
