"""The picture of networks with and without an activation: how each parts the plane."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastact.errors import require
from fastact.language import translated as _
from fastact.learn.experiments.linear import Linear
from fastact.learn.experiments.spread import share
from fastact.learn.pictures import style

__all__ = ["draw"]


@style.lettering()
def draw(found: Linear) -> Any:
    """How the networks of seed 0 part the plane: a row for each kind, a column for each problem."""
    colours = require("matplotlib.colors", "demo", "a picture").ListedColormap(style.shades(2))
    figure = style.figure(4.1 * len(found.problems) + 0.6, 3.7 * len(found.kinds) + 0.8)
    figure.suptitle(found.title, fontsize=14)
    grid = figure.subplots(len(found.kinds), len(found.problems), squeeze=False)
    for row, kind in zip(grid, found.kinds, strict=True):
        for axes, name in zip(row, found.problems, strict=True):
            border = found.of(name, *kind)[0].border
            assert border is not None
            image = axes.imshow(
                border.probabilities, extent=border.ends, origin="lower", cmap=colours, vmin=0, vmax=1,
                aspect="auto", interpolation="bilinear",
            )  # fmt: skip
            if border.probabilities.min() < 0.499 and border.probabilities.max() > 0.501:  # more than rounding
                axes.contour(border.probabilities, [0.5], extent=border.ends, colors=style.INK, linewidths=1.5)
            elif np.abs(border.probabilities - 0.5).max() < 0.001:
                axes.annotate(_("0.5 everywhere"), (0.5, 0.5), xycoords="axes fraction", ha="center")
            for label, (marker, colour) in enumerate(zip("os", style.COLOURS, strict=False)):
                axes.plot(
                    *border.points[border.labels == label].T, marker, color=colour, markeredgecolor="white",
                    markersize=11 if len(border.labels) < 20 else 5, markeredgewidth=0.6, linestyle="",
                )  # fmt: skip
            accuracy = found.accuracy(name, *kind).text(share)
            axes.set_title(_("{problem}: {accuracy}").format(problem=name, accuracy=accuracy), fontsize=11)
            axes.tick_params(labelsize=8)
        row[0].set_ylabel(found.label(*kind), fontsize=11)
    figure.colorbar(image, ax=grid, shrink=0.5, label=_("probability of the second class (squares); line: 0.5"))
    return figure
