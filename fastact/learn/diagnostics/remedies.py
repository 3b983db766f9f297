"""Advice: what helps against a trouble, unless a network does it already.

A new remedy is a text in `REMEDIES`, and a condition in `_IN_USE` if a network may have it already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from fastact.language import marked
from fastact.language import translated as _
from fastact.learn.diagnostics.observations import Network

__all__ = ["REMEDIES", "advice"]

#: Their slope does not vanish for large inputs.
_RECTIFIERS = {"relu", "leaky_relu", "elu", "celu", "selu", "silu", "swish", "gelu", "mish", "softplus", "rrelu"}

REMEDIES = {
    "smaller rate": marked("Take a smaller learning rate than {rate}; learning_rate_range finds one."),
    "larger rate": marked("Take a larger learning rate than {rate}; learning_rate_range finds one."),
    "adam": marked("Take optimizer='adam', which scales each step."),
    "smaller weights": marked("Take the first weights that init='auto' draws, and do not enlarge them."),
    "usual weights": marked("Take init='auto', which suits the first weights to the activation."),
    "scaled inputs": marked("Scale the inputs to mean 0 and standard deviation 1."),
    "clip": marked("Clip the gradient: clip_norm=1."),
    "normalise": marked("Normalise the preactivations by batch: batch_norm=True."),
    "residual": marked("Give hidden layers of one size residual connections: residual=True."),
    "rectifier": marked(
        "Take relu, or another rectifier, in the hidden layers: its slope does not vanish for large positive inputs."
    ),
    "leaky": marked(
        "Take leaky_relu, elu or swish in the hidden layers: their slope does not stay at 0 for negative inputs."
    ),
    "best epoch": marked("Stop at the best epoch: fit(validation=..., patience=10)."),
    "dropout": marked("Drop units in training: dropout=0.2."),
    "decay": marked("Hold the weights small: l2=1e-4, or optimizer='adamw'."),
    "less freedom": marked("Take fewer units, or more data."),
}
_IN_USE: dict[str, Callable[[Network], bool]] = {
    "adam": lambda network: network.optimizer.startswith("adam"),
    "usual weights": lambda network: network.init == "auto",
    "clip": lambda network: network.clipped,
    "normalise": lambda network: network.batch_norm,
    "residual": lambda network: network.residual,
    "rectifier": lambda network: _RECTIFIERS.issuperset(network.activations[:-1]),
    "leaky": lambda network: (_RECTIFIERS - {"relu"}).issuperset(network.activations[:-1]),
    "dropout": lambda network: network.dropout,
    "decay": lambda network: network.decays,
}


def advice(network: Network, names: Iterable[str]) -> list[str]:
    """The texts of these remedies, in the language in use, without those that the network has already."""
    wanted = (name for name in names if not (name in _IN_USE and _IN_USE[name](network)))
    return [_(REMEDIES[name]).format(rate=f"{network.learning_rate:g}") for name in wanted]
