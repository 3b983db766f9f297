"""The picture of a diagnosis: six small ones of the same layers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastact.language import listed
from fastact.language import translated as _
from fastact.learn.diagnostics.alarms import DeadUnits
from fastact.learn.diagnostics.diagnosis import Diagnosis
from fastact.learn.pictures import style

__all__ = ["draw"]

#: How matplotlib writes the numbers of an axis of shares.
PERCENT = "{x:.0%}"
#: So many layers can be told apart.
MOST = 7


@style.lettering()
def draw(diagnosis: Diagnosis) -> Any:
    """A new Figure."""
    figure = style.figure(13, 7.6)
    axes = figure.subplots(2, 3)
    shown = chosen(len(diagnosis.layers))
    hidden = [layer for layer in shown if layer < len(diagnosis.layers) - 1]
    curves(axes[0, 0], diagnosis)
    over_epochs(axes[0, 1], diagnosis, diagnosis.gradient_norm, shown, _("Norm of the gradient"))
    if (diagnosis.gradient_norm > 0).any():
        axes[0, 1].set_yscale("log")
    over_epochs(axes[0, 2], diagnosis, diagnosis.update_ratio, shown, _("log10 of update / weights (thin: right)"))
    axes[0, 2].axhline(-3, color=style.INK, linewidth=1)
    histograms(axes[1, 0], diagnosis, hidden or shown)
    for place, values, title, thin in (
        (axes[1, 1], diagnosis.saturated, _("Saturated outputs (thin: usual)"), diagnosis.network.usual_saturation),
        (axes[1, 2], diagnosis.dead, _("Dead units (thin: alarm)"), [DeadUnits.limit]),
    ):
        over_epochs(place, diagnosis, values, hidden, title)
        for value in set(thin):
            place.axhline(value, color=style.INK, linewidth=1)
        place.set_ylim(-0.03, 1.03)
        place.yaxis.set_major_formatter(PERCENT)
    handles, names = axes[0, 1].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names), frameon=False)
    alarms = listed(alarm.title for alarm in diagnosis.alarms) or _("none")
    figure.suptitle(diagnosis.title + "\n" + _("Alarms: {alarms}").format(alarms=alarms), fontsize=12)
    return figure


def chosen(layers: int) -> list[int]:
    """The layers to draw: the first, the last, and some in between."""
    return sorted(set(np.linspace(0, layers - 1, min(layers, MOST)).round().astype(int).tolist()))


def titled(axes: Any, title: str) -> None:
    axes.set_title(title, fontsize=11, loc="left")
    style.tidy(axes)


def by_epoch(axes: Any, diagnosis: Diagnosis) -> None:
    axes.set_xlabel(_("epoch"))
    last = max(diagnosis.epochs[-1], len(diagnosis.history.get("loss", ())), 1)
    axes.set_xlim(-0.03 * last, 1.03 * last)
    axes.locator_params(axis="x", integer=True)


def curves(axes: Any, diagnosis: Diagnosis) -> None:
    """Losses by epoch."""
    style.losses(axes, diagnosis.history)
    axes.axhline(diagnosis.chance_loss, color=style.INK, linewidth=1, label=_("best constant answer"))
    titled(axes, _("Loss"))
    by_epoch(axes, diagnosis)
    found = [diagnosis.history[name] for name in ("loss", "val_loss") if name in diagnosis.history]
    highest = max([diagnosis.chance_loss, *map(max, found)])
    if highest > 10 * diagnosis.chance_loss > 0:
        axes.set_yscale("log")
    else:
        axes.set_ylim(0, 1.1 * highest)
    axes.legend(frameon=False)


def over_epochs(axes: Any, diagnosis: Diagnosis, values: NDArray[Any], layers: list[int], title: str) -> None:
    """A line for each of the layers, by epoch."""
    values = np.where(np.isfinite(values), values, np.nan)
    for place, layer in enumerate(layers):
        line = values[:, layer]
        axes.plot(
            diagnosis.epochs, line, label=diagnosis.layers[layer], linewidth=2, **style.marks(line), **style.line(place)
        )
    if not layers:
        axes.text(0.5, 0.5, _("no hidden layer"), ha="center", va="center", transform=axes.transAxes)
    titled(axes, title)
    by_epoch(axes, diagnosis)


def histograms(axes: Any, diagnosis: Diagnosis, layers: list[int]) -> None:
    """A row for each layer: its outputs after the last epoch, and before training."""
    edges = diagnosis.edges
    for place, layer in enumerate(layers):
        first, last = (np.sqrt(diagnosis.histograms[look, layer]) for look in (0, -1))
        scale = 0.85 / max(first.max(), last.max())
        axes.stairs(
            -place + scale * last, edges, baseline=-place, fill=True, color=style.line(place)["color"], alpha=0.6
        )
        axes.stairs(-place + scale * first, edges, baseline=-place, color=style.INK, linewidth=1)
    axes.set_yticks([-place for place in range(len(layers))], [diagnosis.layers[layer] for layer in layers])
    titled(axes, _("Outputs (thin: epoch {epoch})").format(epoch=diagnosis.epochs[0]))
    axes.set_xlabel(_("output (end bins: and beyond); height: √share"))
