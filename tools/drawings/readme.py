"""The pictures of the README and of the first pages: curves with their slopes, and comparisons."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from figures import figures

import fastact as fa
from drawings import figure, worded
from fastact.learn.experiments import compare
from fastact.learn.experiments.comparing.compared import best_first
from fastact.learn.experiments.comparison import Comparison
from fastact.learn.pictures import style
from fastact.learn.pictures.comparison import draw_ends, draw_planes
from fastact.learn.pictures.curves import curves as pair

__all__ = ["PICTURES", "figures"]

DRAWN = ("sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu")


def curves() -> Any:
    """f and f' of the functions that beginners meet first."""
    drawn = figure(3.6)
    grid = drawn.subplots(2, 3, sharex=True, sharey=True)
    for axes, name in zip(grid.flat, DRAWN, strict=True):
        curve, slope = fa.get(name)._curves(np.linspace(-4, 4, 801)).values()
        axes.plot(*curve, linewidth=2.2, label=worded(en="function", ja="関数"), **style.line(0))
        axes.plot(*slope, linewidth=1.8, label=worded(en="slope", ja="傾き"), **style.line(1))
        axes.axhline(0, color=style.PALE, linewidth=0.8, zorder=0)
        axes.axvline(0, color=style.PALE, linewidth=0.8, zorder=0)
        axes.set_title(name, fontsize=12, loc="left")
        axes.set_xlim(-4, 4)
        axes.set_xticks([-2, 0, 2])
        axes.set_ylim(-1.2, 2.2)
        axes.spines[["top", "right"]].set_visible(False)
    drawn.legend(*grid.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return drawn


def gelu() -> Any:
    """What `fastact plot gelu` draws."""
    return pair(["gelu"])


def digits() -> Any:
    """Where ten seeds of each activation end."""
    found = compared("digits", "identity", "sigmoid", "tanh", "relu", "elu", "gelu", "mish")
    drawn = figure(3.6)
    styles = {setting: style.line(position) for position, setting in enumerate(found.settings)}
    draw_ends(drawn.subplots(), found, best_first(found), styles)
    return drawn


def moons() -> Any:
    """How a network parts the plane without an activation, and with each of three."""
    boundaries = compared("moons", "identity", "sigmoid", "relu", "tanh").boundaries
    assert boundaries is not None
    drawn = figure(1.9)
    draw_planes(drawn, boundaries)
    return drawn


@cache
def compared(problem: str, *activations: str) -> Comparison:
    """What `fastact compare` finds, once for all languages."""
    return compare(problem, activations)


PICTURES = {"curves": curves, "gelu": gelu, "digits": digits, "moons": moons}
