"""Alarms: what goes wrong in a training, from when on, and what helps.

A new alarm is a subclass of `Alarm` and an entry in `ALARMS`. Its docstring states the limit and where that is from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from fastact.language import marked, paragraph
from fastact.language import translated as _
from fastact.learn.diagnostics.chance import FirstLoss
from fastact.learn.diagnostics.observations import Network, Observations, label
from fastact.learn.diagnostics.remedies import advice
from fastact.learn.result import plain

__all__ = ["ALARMS", "Alarm", "alarms_of"]


@dataclass(frozen=True)
class Alarm:
    """Something that goes wrong in a training.

    A subclass states its name, its title, the sentence that tells what was seen, and the remedies that help, the first
    to be tried first. Titles and sentences are translated where they are shown.

    Attributes
    ----------
    name : str
        Of the kind of alarm, the same in all languages.
    epoch, last : int
        The first and the last epoch looked at in which it held; 0 is before training.
    value : float
        The worst of the figure that it looks at.
    layer : int, optional
        Where that was, from 0; None for what concerns the whole network.
    layers : tuple of int
        All layers in which it held.
    network : Network
    """

    name: ClassVar[str]
    _title: ClassVar[str]
    _sentence: ClassVar[str]
    _remedies: ClassVar[tuple[str, ...]] = ()

    network: Network
    epoch: int
    last: int
    value: float
    layer: int | None = None
    layers: tuple[int, ...] = ()

    @classmethod
    def find(cls, seen: Observations) -> Self | None:
        """The alarm, if there is reason for it."""
        raise NotImplementedError

    @property
    def title(self) -> str:
        """What readers call it."""
        return _(self._title)

    @property
    def sentence(self) -> str:
        """What was seen."""
        return self._filled(_(self._sentence))

    def _filled(self, text: str, **values: object) -> str:
        """The text with the layer, the value as a share, and further values."""
        return text.format(layer=self.where, share=f"{self.value:.0%}", **values)

    @property
    def remedies(self) -> list[str]:
        """What helps, and is not in use yet; the first is to be tried first."""
        return advice(self.network, self._remedies)

    @property
    def when(self) -> str:
        """The epochs, in words."""
        if self.last == 0:
            return _("before training")
        if self.epoch == self.last:
            return _("epoch {epoch}").format(epoch=self.epoch)
        return _("epochs {first} to {last}").format(first=self.epoch, last=self.last)

    @property
    def where(self) -> str:
        """The layer, in words; empty for the whole network."""
        if self.layer is None:
            return ""
        layer = label(self.layer, len(self.network.activations))
        text = _("{layer} (the worst of {count} layers)") if len(self.layers) > 1 else "{layer}"
        return text.format(layer=layer, count=len(self.layers))

    @property
    def text(self) -> str:
        """What was seen and when, and what helps."""
        seen = _("{title} ({when}): {sentence}").format(title=self.title, when=self.when, sentence=self.sentence)
        return paragraph([seen, *self.remedies])

    def as_dict(self) -> dict[str, Any]:
        """All of it, in types that JSON knows; texts are in the language in use."""
        names = ("name", "title", "epoch", "last", "layer", "layers", "value", "sentence", "remedies")
        return {name: plain(getattr(self, name)) for name in names}

    @classmethod
    def _where(cls, seen: Observations, holds: NDArray[np.bool], values: NDArray[Any], worst: Any) -> Self | None:
        """The alarm where it holds in any look and layer; `worst` is np.nanargmax or np.nanargmin."""
        if not holds.any():
            return None
        epochs = seen.epochs[holds.any(axis=1)]
        place = np.unravel_index(worst(np.where(holds, values, np.nan)), values.shape)
        layers = tuple(np.flatnonzero(holds.any(axis=0)).tolist())
        return cls(seen.network, int(epochs[0]), int(epochs[-1]), float(values[place]), int(place[1]), layers)

    @classmethod
    def _anywhere(cls, seen: Observations, holds: NDArray[np.bool], values: NDArray[Any], of: Any) -> Self | None:
        """The alarm where it holds in any look; `of` makes one value of those."""
        epochs = seen.epochs[holds]
        return cls(seen.network, int(epochs[0]), int(epochs[-1]), float(of(values[holds]))) if holds.any() else None


class Divergence(Alarm):
    """The loss or a weight became infinite or nan."""

    name, _title = "divergence", marked("Divergence")
    _sentence = marked("The loss or a weight became infinite or NaN; the weights of the epoch before it were kept.")
    _remedies = "smaller rate", "clip", "smaller weights", "scaled inputs"

    @classmethod
    def find(cls, seen: Observations) -> Self | None:
        epoch = len(seen.history.get("loss", ())) + 1
        return cls(seen.network, epoch, epoch, np.nan) if seen.diverged else None


class ExplodingGradient(Alarm):
    """A layer's gradient has a norm above 100, or one that is infinite or nan.

    Gradients are usually clipped at a norm from 1 to 10, and Pascanu, Mikolov and Bengio (ICML 2013) found half to ten
    times the usual norm good as a limit; the loss of a network that starts well has gradients with norms around 1.
    """

    name, _title = "exploding gradient", marked("Exploding gradient")
    _remedies = "clip", "smaller weights", "scaled inputs", "normalise"
    limit = 100.0

    @classmethod
    def find(cls, seen: Observations) -> Self | None:
        norms = np.nan_to_num(seen.measured("gradient_norm"), nan=np.inf)
        return cls._where(seen, norms > cls.limit, norms, np.nanargmax)

    @property
    def sentence(self) -> str:
        if not np.isfinite(self.value):
            return self._filled(_("The gradient of {layer} is too large for a number."))
        text = _("The gradient of {layer} has a norm of {norm}; around 1 is usual.")
        return self._filled(text, norm=f"{self.value:,.0f}")


class VanishingGradient(Alarm):
    """A layer's gradient has a norm below a thousandth of the largest one among the layers.

    The effect is that of Glorot and Bengio (AISTATS 2010), the limit measured here: with hidden layers of 64 sigmoid
    units, 30 epochs of digits bring 96 % right where the share is 0.03 (three layers), 90 % at 9e-4 (five), 53 % at
    2e-5 (eight).
    """

    name, _title = "vanishing gradient", marked("Vanishing gradient")
    _remedies = "rectifier", "usual weights", "normalise", "residual"
    limit = 1e-3

    @classmethod
    def find(cls, seen: Observations) -> Self | None:
        norms = seen.measured("gradient_norm")
        with np.errstate(all="ignore"):
            ratios = norms / norms.max(axis=1, keepdims=True)  # nan where one is not finite, or all are 0
        return cls._where(seen, ratios < cls.limit, ratios, np.nanargmin)

    @property
    def sentence(self) -> str:
        if self.value == 0:
            return self._filled(_("No gradient reaches {layer}: its weights cannot learn."))
        text = _("The gradient of {layer} is about {times} times smaller than the largest one of a layer.")
        times = f"{1 / self.value:,.0f}" if self.value > 1e-6 else f"10^{-np.log10(self.value):.0f}"
        return self._filled(text, times=times)


class DeadUnits(Alarm):
    """Of a hidden layer, 40 % of the units or more have no slope for any of the samples looked at.

    That is the share that Stanford's CS231n warns of. Lu et al. (Dying ReLU and initialization, 2019) treat networks
    in which all are dead.
    """

    name, _title = "dead units", marked("Dead units")
    _sentence = marked(
        "{share} of the units of {layer} have practically no slope for any sample looked at: they cannot learn."
    )
    _remedies = "leaky", "smaller rate", "usual weights", "normalise"
    limit = 0.4

    @classmethod
    def find(cls, seen: Observations) -> Self | None:
        dead = seen.measured("dead")
        return cls._where(seen, dead >= cls.limit, dead, np.nanargmax)


class Saturation(Alarm):
    """A hidden layer has many outputs on the flat ends of its activation, while the loss is still high.

    Many are more than midway from the share that standard normal preactivations give (0.04 for tanh, 0.5 for relu6)
    to all: Glorot and Bengio (AISTATS 2010) show that training stalls where units saturate at its beginning. Near its
    end they may. The loss is high while above half of that of chance.
    """

    name, _title = "saturation", marked("Saturation")

    @classmethod
    def find(cls, seen: Observations) -> Self | None:
        saturated = seen.measured("saturated")
        limits = np.array([*((1 + usual) / 2 for usual in seen.network.usual_saturation), np.nan])
        layers = np.array([*seen.network.can_saturate, False])
        holds = (saturated > limits) & layers & _loss_is_high(seen)[:, np.newaxis]
        return cls._where(seen, holds, saturated, np.nanargmax)

    @property
    def sentence(self) -> str:
        assert self.layer is not None
        text = _("{share} of the outputs of {layer} are where {activation} is nearly flat, and the loss is still high.")
        return self._filled(text, activation=self.network.activations[self.layer])

    @property
    def remedies(self) -> list[str]:
        at_first = "smaller weights", "scaled inputs", "normalise", "rectifier"
        return advice(self.network, at_first if self.epoch == 0 else ("rectifier", "normalise"))


class LargeUpdates(Alarm):
    """A step changes the weights of the middle layer by more than a sixth of their spread: above 10**-0.8.

    About a thousandth is right, as in part 3 of Karpathy's makemore. The limit is measured: with Adam, digits suffer at
    10**-0.7 (58 % of relu units die) and hardly at 10**-1.2; XOR's four units learn at 10**-1. Taken is the median of
    all layers.
    """

    name, _title = "large updates", marked("Large updates")
    _remedies = "smaller rate", "clip"
    limit = -0.8

    @classmethod
    def find(cls, seen: Observations) -> Self | None:
        ratios = _middle(seen)
        return cls._anywhere(seen, ratios > cls.limit, ratios, np.nanmax)

    @property
    def sentence(self) -> str:
        if self.value >= 1:
            text = _("A step changes the weights by {times} times their spread; about 0.1% is right.")
            return text.format(times=f"10^{self.value:.0f}")
        text = _("A step changes the weights by {share} of their spread; about 0.1% is right.")
        return text.format(share=f"{10**self.value:.0%}")


class SmallUpdates(Alarm):
    """Most steps change the weights by less than 1e-4 of their spread while the loss is high, for no other reason.

    In part 3 of Karpathy's makemore, that is too slow. Taken is the median of all layers, and of three looks at least.
    The loss is high while above half of that of chance. Other reasons are those of the alarms above, and of
    `FarFirstLoss`: too large weights, for example.
    """

    name, _title = "small updates", marked("Small updates")
    _remedies = "larger rate", "adam"
    limit = -4.0

    @classmethod
    def find(cls, seen: Observations) -> Self | None:
        high = _loss_is_high(seen)
        ratios = _middle(seen)
        if high.sum() < 3 or not np.median(ratios[high]) < cls.limit:
            return None
        if any(each.find(seen) for each in (ExplodingGradient, VanishingGradient, DeadUnits, Saturation, FarFirstLoss)):
            return None
        return cls._anywhere(seen, high & (ratios < cls.limit), ratios, np.nanmedian)

    @property
    def sentence(self) -> str:
        text = _(
            "A step changes the weights by only {share} of their spread, and the loss is high; about 0.1% is right."
        )
        return text.format(share=f"{10 ** (self.value + 2):.2g}%")


class FarFirstLoss(Alarm):
    """The loss before training is more than three times (of numbers, 20 times) that of chance; see `first_loss`."""

    name, _title = "first loss", marked("First loss too large")

    @classmethod
    def find(cls, seen: Observations) -> Self | None:
        first, network = seen.looks[0], seen.network
        if first.epoch > 0 or first_loss_of(network, first.loss).close:
            return None
        return cls(network, 0, 0, first.loss)

    @property
    def sentence(self) -> str:
        return first_loss_of(self.network, self.value).sentence

    @property
    def remedies(self) -> list[str]:
        return first_loss_of(self.network, self.value).remedies


class Overfitting(Alarm):
    """The validation loss is more than a fifth above its least, while the training loss fell on.

    Both are means of five epochs. The rise is the generalisation loss of Prechelt (Early stopping, but when?, 1998),
    for whom 0.05 is the limit at which to stop soonest.
    """

    name, _title = "overfitting", marked("Overfitting")
    _remedies = "best epoch", "dropout", "decay", "less freedom"
    limit = 0.2
    width = 5

    @classmethod
    def find(cls, seen: Observations) -> Self | None:
        history = seen.history
        if len(history.get("val_loss", ())) < 2 * cls.width:
            return None
        mean = np.full(cls.width, 1 / cls.width)
        held_out, trained = (np.convolve(history[name], mean, "valid") for name in ("val_loss", "loss"))
        best = int(held_out.argmin())
        if not (held_out[-1] > (1 + cls.limit) * held_out[best] > 0 and trained[-1] < trained[best]):
            return None
        rise = held_out[-1] / held_out[best] - 1
        return cls(seen.network, best + cls.width, len(history["loss"]), float(rise))

    @property
    def sentence(self) -> str:
        text = _(
            "The validation loss is {rise} above its least, that of about epoch {epoch}; the training loss fell on."
        )
        return text.format(rise=f"{self.value:.0%}", epoch=self.epoch - self.width // 2)


ALARMS: tuple[type[Alarm], ...] = (
    Divergence, ExplodingGradient, VanishingGradient, DeadUnits, Saturation, LargeUpdates, SmallUpdates, FarFirstLoss,
    Overfitting,
)  # fmt: skip


def alarms_of(seen: Observations) -> list[Alarm]:
    """All alarms that there is reason for, the gravest first."""
    return [found for found in (each.find(seen) for each in ALARMS) if found is not None]


def first_loss_of(network: Network, loss: float) -> FirstLoss:
    return FirstLoss(loss, network.chance, network.even, network.classifies)


def _loss_is_high(seen: Observations) -> NDArray[np.bool]:
    """Of each look, whether its loss is above half of that of chance."""
    return ~(seen.measured("loss") <= 0.5 * seen.network.chance)


def _middle(seen: Observations) -> NDArray[np.float64]:
    """Of each look, the update ratio of the middle layer; nan where there is none."""
    rows = (row[row < np.inf] for row in seen.measured("update_ratio"))
    return np.array([np.median(row) if row.size else np.nan for row in rows])
