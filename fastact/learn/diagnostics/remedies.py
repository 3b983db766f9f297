"""Advice: what helps against a trouble, as far as a network does not do it yet.

Each function returns sentences, none where the network has the remedy already.
"""

from __future__ import annotations

from fastact.language import translated as _
from fastact.learn.diagnostics.observations import Network

__all__ = ["clip", "leaky", "normalise", "rectifier", "residual", "smaller_rate", "smaller_weights", "usual_weights"]

#: Their slope does not vanish for large inputs.
_RECTIFIERS = {"relu", "leaky_relu", "elu", "celu", "selu", "silu", "swish", "gelu", "mish", "softplus", "rrelu"}
#: And not for negative ones.
_LEAKY = _RECTIFIERS - {"relu"}


def smaller_rate(network: Network) -> list[str]:
    """Take smaller steps."""
    text = _("Take a smaller learning rate than {rate}; learning_rate_range finds one.")
    return [text.format(rate=f"{network.learning_rate:g}")]


def smaller_weights(network: Network) -> list[str]:
    """Make the first outputs smaller."""
    return [_("Take the first weights that init='auto' draws, and do not enlarge them."), *scaled_inputs(network)]


def usual_weights(network: Network) -> list[str]:
    """For networks whose first weights may be too small as well as too large."""
    return [] if network.init == "auto" else [_("Take init='auto', which suits the first weights to the activation.")]


def scaled_inputs(network: Network) -> list[str]:
    """Scale the data."""
    return [_("Scale the inputs to mean 0 and standard deviation 1.")]


def clip(network: Network) -> list[str]:
    """Clip the gradient."""
    return [] if network.clipped else [_("Clip the gradient: clip_norm=1.")]


def normalise(network: Network) -> list[str]:
    """Add batch normalisation."""
    return [] if network.batch_norm else [_("Normalise the preactivations by batch: batch_norm=True.")]


def residual(network: Network) -> list[str]:
    """Add residual connections."""
    if network.residual:
        return []
    return [_("Give hidden layers of one size residual connections: residual=True.")]


def rectifier(network: Network) -> list[str]:
    """Take an activation that is not flat for large inputs."""
    if _RECTIFIERS.issuperset(network.activations[:-1]):
        return []
    return [
        _("Take relu, or another rectifier, in the hidden layers: its slope does not vanish for large positive inputs.")
    ]


def leaky(network: Network) -> list[str]:
    """Take an activation that is nowhere flat."""
    if _LEAKY.issuperset(network.activations[:-1]):
        return []
    return [
        _("Take leaky_relu, elu or swish in the hidden layers: their slope does not stay at 0 for negative inputs.")
    ]
