"""Dying relu: the share of units that never fire, over training, and the accuracy at its end."""

from __future__ import annotations

from functools import cache
from typing import Any

import matplotlib.ticker

from drawings import figure, variants, worded
from fastact.learn.experiments import dying_relu
from fastact.learn.experiments.dying_relu import DyingRelu
from fastact.learn.experiments.spread import Spread, share
from fastact.learn.pictures import style
from fastact.learn.pictures.deep import draw_lines, legend


@cache
def found() -> DyingRelu:
    return dying_relu()


def quiet() -> Any:
    """The share of units that fire for no sample, after each epoch."""
    drawn = figure(4.0)
    axes = drawn.subplots()
    for position, (label, trials) in enumerate(found().labelled().items()):
        draw_lines(axes, range(found().epochs + 1), [units.never_fire for units in trials], position, label)
    axes.yaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1))
    axes.set_xlabel(worded(en="epoch (0: before training)", ja="エポック（0：学習前）"))
    axes.set_ylabel(worded(en="units that never fire", ja="発火しないユニットの割合"))
    style.tidy(axes)
    legend(axes, 2)
    return drawn


def reached() -> Any:
    """The accuracy after training, of each activation and remedy."""
    return variants(found())


def figures() -> dict[str, str]:
    said = {}
    for each in found().variants:
        key, name = (each.activation, each.remedy), f"{each.activation} {each.remedy}".strip()
        said[f"quiet {name}"] = share(found().never_fire(*key, epoch=1).centre)
        said[f"stuck {name}"] = share(found().stuck(*key).centre)
        said[f"woken {name}"] = share(Spread.of(units.woken for units in found().of(*key)).centre)
        said[f"accuracy {name}"] = share(found().accuracy(*key).centre)
        said[f"worst {name}"] = share(found().accuracy(*key).low)
    return said


PICTURES = {"dying-units": quiet, "dying-accuracy": reached}
