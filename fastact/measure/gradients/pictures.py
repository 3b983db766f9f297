"""Pictures of gradient checks and of derivations; `Result.figure` finds them by SERVICES in measure/__init__.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastact.functions.derivation.accuracy import DTYPES
from fastact.language import translated as _
from fastact.learn.pictures import style
from fastact.measure.gradients.derivation import Derivation
from fastact.measure.gradients.gradient_check import GradientCheck

__all__ = ["derivation", "gradient_check"]


@style.lettering()
def gradient_check(check: GradientCheck) -> Any:
    """Draw each gradient beside the slopes of the values, and the error over x."""
    drawn = style.figure(10, 2.6 * len(check.parts))
    for (values, errors), part in zip(drawn.subplots(len(check.parts), 2, squeeze=False), check.parts, strict=True):
        order = np.argsort(part.x, axis=None)
        x, found, low, high, error, wrong = (
            each.ravel()[order] for each in (part.x, part.found, part.low, part.high, part.error, part.wrong)
        )
        line = "-" if part.x.ndim == 1 else ""
        values.plot(x, (low + high) / 2, line, marker=".", color=style.COLOURS[0], label=_("of the values"))
        values.plot(x, found, "x", markersize=4, color=style.COLOURS[1], label=_("gradient"))
        values.set_title(part.name, fontsize=10)
        values.set_xlabel("x")
        values.legend(frameon=False, fontsize=8)
        shown = np.where(np.isfinite(error), error, np.nan)
        errors.plot(x, shown, ".", color=style.COLOURS[0])
        errors.plot(x[wrong], shown[wrong], "o", color=style.COLOURS[1], label=_("wrong"))
        errors.set_yscale("symlog", linthresh=1e-9)
        errors.set_ylim(bottom=0)
        errors.set_xlabel("x")
        errors.set_ylabel(_("error"))
        if wrong.any():
            errors.legend(frameon=False, fontsize=8)
        for axes in (values, errors):
            if part.x.ndim == 1:
                axes.set_xscale("symlog", linthresh=10)
            style.tidy(axes)
    return drawn


@style.lettering()
def derivation(found: Derivation) -> Any:
    """Draw the errors over x, in both dtypes."""
    drawn = style.figure(9, 3.2 * len(found.derived))
    for axes, by in zip(np.atleast_1d(drawn.subplots(len(found.derived))), found.derived, strict=True):
        for position, dtype in enumerate(DTYPES):
            each = found.accuracy[by, dtype.__name__]
            near = np.abs(each.x) < 100
            look = {"color": style.line(position)["color"], "linestyle": ""}
            axes.plot(each.x[near], each.ulp[near], "o", markersize=3, label=dtype.__name__, **look)
        axes.set_xscale("symlog", linthresh=1e-2)
        axes.set_yscale("symlog", linthresh=1)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("x")
        axes.set_ylabel(_("error in ULP (derivative by {name})").format(name=by))
        axes.legend(frameon=False)
        style.tidy(axes)
    return drawn
