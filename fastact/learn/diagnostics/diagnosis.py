"""What a monitor saw of a training, and what to do about it, for readers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fastact.language import translated as _
from fastact.learn.diagnostics.alarms import Alarm, alarms_of, first_loss_of
from fastact.learn.diagnostics.observations import Network, Observations, label
from fastact.learn.result import Result, Table

__all__ = ["Diagnosis"]

Floats = NDArray[np.float64]

#: Fields of a `Look` that a diagnosis gathers.
MEASURES = "gradient_norm", "saturated", "dead", "update_ratio", "histograms"


@dataclass(frozen=True, eq=False)
class Diagnosis(Result):
    """What was seen of a training, layer by layer.

    Arrays have a row for each epoch looked at and an element for each layer, the output last.

    Attributes
    ----------
    network : Network
        Its settings.
    epochs : list of int
        Those looked at; 0 is before training.
    gradient_norm : ndarray (epochs, layers)
        Euclidean norm of the gradient by the weights, before it is clipped, without the penalty `l2`.
    saturated, dead : ndarray (epochs, layers)
        Share of outputs where the slope is at most 6 % of the activation's largest (or of 1, where that is less), and
        share of units whose slope is 0 for all samples looked at. nan for the output layer.
    update_ratio : ndarray (epochs, layers)
        log10 of std(update) / std(weights) in a step.
    histograms : ndarray (epochs, layers, bins)
        Share of a layer's outputs in each bin; the first and the last bin have what is beyond them too.
    edges : ndarray (bins + 1,)
        Of the bins.
    first_loss : float
        Before training; nan unless the monitor looked then.
    chance_loss : float
        That of the best constant answer.
    history : dict of lists
        The model's.
    alarms : list of Alarm
        What is wrong, the gravest first.
    checks : tuple of Result
        Of the network before training.
    """

    network: Network
    epochs: list[int]
    gradient_norm: Floats
    saturated: Floats
    dead: Floats
    update_ratio: Floats
    histograms: Floats
    edges: Floats
    first_loss: float
    chance_loss: float
    history: dict[str, list[float]]
    alarms: list[Alarm]
    checks: tuple[Result, ...] = ()

    @classmethod
    def of(cls, seen: Observations, edges: Floats) -> Self:
        """The diagnosis of a training."""
        first = seen.looks[0]
        measured: dict[str, Any] = {name: seen.measured(name) for name in MEASURES}
        return cls(
            network=seen.network,
            epochs=seen.epochs.tolist(),
            **measured,
            edges=edges,
            first_loss=first.loss if first.epoch == 0 else np.nan,
            chance_loss=seen.network.chance,
            history=seen.history,
            alarms=alarms_of(seen),
        )

    @property
    def layers(self) -> list[str]:
        """What readers call the layers, the output last."""
        count = len(self.network.activations)
        return [label(number, count) for number in range(count)]

    @property
    def title(self) -> str:
        network = self.network
        hidden = ", ".join(dict.fromkeys(network.activations[:-1])) or network.activations[-1]
        sizes = [str(size) for size in network.sizes]
        if len(sizes) > 8:
            sizes = [*sizes[:3], "...", *sizes[-2:]]
        text = _("Diagnosis: {sizes} network, {activations}, {optimizer} with learning rate {rate}")
        return text.format(
            sizes="-".join(sizes), activations=hidden, optimizer=network.optimizer, rate=f"{network.learning_rate:g}"
        )

    def tables(self) -> list[Table]:
        columns = [_("layer"), _("activation"), _("gradient norm"), _("saturated"), _("dead"), _("log10 update/weight")]
        figures = zip(self.gradient_norm[-1], self.saturated[-1], self.dead[-1], self.update_ratio[-1], strict=True)
        rows = [
            [layer, activation, f"{norm:.2g}", _percent(saturated), _percent(dead), f"{ratio:.1f}"]
            for layer, activation, (norm, saturated, dead, ratio) in zip(
                self.layers, self.network.activations, figures, strict=True
            )
        ]
        caption = _(
            "After epoch {epoch}. saturated: outputs where the slope is nearly 0 (for relu, about half is usual); "
            "dead: units without a slope for any sample looked at; log10 update/weight: how much a step changes the "
            "weights, -3 is right."
        ).format(epoch=self.epochs[-1])
        layers = Table(columns, rows, words=2, title=self.title, caption=caption)
        return [layers, *(table for check in self.checks for table in check.tables())]

    def sentences(self) -> list[str]:
        own = [alarm.text for alarm in self.alarms] or [self._nothing()]
        first = first_loss_of(self.network, self.first_loss)
        own += first.sentences() if first.close else []
        return [*own, *(text for check in self.checks for text in check.sentences())]

    def _nothing(self) -> str:
        """That there is no alarm, and the figures that say so."""
        norms, changes = self.gradient_norm[-1], 10 ** self.update_ratio[-1]
        with np.errstate(invalid="ignore"):  # 0 / 0 where all is learnt
            share = norms.min() / norms.max()
        if len(self.layers) == 1:
            text = _(
                "Nothing to worry about: no alarm in {epochs} epochs. After the last one, a step changes the weights "
                "by {least} of their spread."
            )
        else:
            text = _(
                "Nothing to worry about: no alarm in {epochs} epochs. After the last one, the smallest gradient of "
                "a layer is {share} of the largest; a step changes the weights by {least} to {most} of their "
                "spread, depending on the layer; in the worst hidden layer, {dead} of the units are dead."
            )
        return text.format(
            epochs=self.epochs[-1],
            share=_percent(share),
            dead=_percent(self.dead[-1, :-1].max(initial=0)),
            least=_percent(np.fmin.reduce(changes)),
            most=_percent(np.fmax.reduce(changes)),
        )

    def as_dict(self) -> dict[str, Any]:
        return {"title": self.title, "layers": self.layers} | super().as_dict()


def _percent(share: float) -> str:
    if np.isnan(share):
        return "-"
    return f"{share:.0%}" if share >= 0.1 or not share else f"{100 * share:.2g}%"
