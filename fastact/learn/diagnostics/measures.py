"""Measure each layer of a network in one look: gradients, activations, flat and dead units, updates.

A new measure is a function here, and a field of `Look`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BINS",
    "DEAD_SLOPE",
    "FLAT_SLOPE",
    "Look",
    "at_least",
    "can_saturate",
    "edges_for",
    "host",
    "look",
    "usual_saturation",
]

#: A unit is saturated for a sample where its slope is at most this share of the activation's largest: tanh, for which
#: it is an output beyond 0.97, as in part 3 of Karpathy's makemore.
FLAT_SLOPE = 1 - 0.97**2
#: A unit is dead whose slope is at most this share for every sample: float32 has about six digits more.
DEAD_SLOPE = 1e-6
#: The bins of a histogram.
BINS = 40

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Look:
    """What was measured after an epoch: arrays with an element (or a row) for each layer, the output last.

    Attributes
    ----------
    epoch : int
        0 is before training.
    loss : float
        Of the samples looked at, as training computes it, but without the penalty `l2`.
    gradient_norm : ndarray (layers,)
        Euclidean norm of the gradient by the weights.
    saturated, dead : ndarray (layers,)
        Shares of outputs, and of units; nan for the output layer, which may saturate.
    update_ratio : ndarray (layers,)
        log10 of std(update) / std(weights).
    histograms : ndarray (layers, bins)
        Shares of the outputs in each bin; the first and the last one have what is beyond them too.
    """

    epoch: int
    loss: float
    gradient_norm: Floats
    saturated: Floats
    dead: Floats
    update_ratio: Floats
    histograms: Floats


def look(epoch: int, twin: Any, x: Any, y: Any, edges: Floats) -> Look:
    """Measure by these samples, and let the twin, a copy of the network, take one step.

    Dropout, and the statistics of batch normalisation, are those of training.
    """
    l2, twin.l2 = twin.l2, 0.0
    with np.errstate(all="ignore"):
        loss = twin.loss_and_gradients(x, y)[0]
        norms = [np.linalg.norm(host(layer.weights_gradient).astype(np.float64)) for layer in twin.layers]
        found = [_activity(layer, edges) for layer in twin.layers[:-1]]
        nothing = np.nan, np.nan, _histogram(host(twin.layers[-1].output), edges)
        saturated, dead, histograms = zip(*found, nothing, strict=True)
        twin.l2 = l2
        ratios = _update_ratios(twin, x[: twin._rows], y[: twin._rows])
    return Look(epoch, loss, *map(np.array, (norms, saturated, dead, ratios, histograms)))


def edges_for(layers: Any) -> Floats:
    """Edges of the bins for the outputs of all hidden layers, or of the output layer where there are none.

    They span 0 and the outputs for preactivations from -4 to 4, rounded outward.
    """
    outputs = np.concatenate([_curve(*_kind(layer), 4)[0].ravel() for layer in layers[:-1] or layers])
    outputs = outputs[np.isfinite(outputs)]
    least, most = np.floor(outputs.min(initial=0) * 10) / 10, np.ceil(outputs.max(initial=0.1) * 10) / 10
    return np.linspace(least, most, BINS + 1)


def usual_saturation(layer: Any) -> float:
    """The saturated share for standard normal preactivations: 0.04 for tanh, 0.5 for relu."""
    activation, dtype = _kind(layer)
    units = layer.weights.shape[1]
    z = np.random.default_rng(0).normal(size=(1 + 4096 // units, units)).astype(dtype)
    slope = _slope(activation, z, activation(z))
    return float((slope <= FLAT_SLOPE * _steepest(activation, dtype)).mean())


def can_saturate(layer: Any) -> bool:
    """Whether the activation is flat at both ends; relu rests on one side, and can wake again."""
    ends = _curve(*_kind(layer), 10)[1][[0, -1], 0]
    return bool((ends <= FLAT_SLOPE * _steepest(*_kind(layer))).all())


def at_least(**arguments: tuple[int, int]) -> None:
    """Raise ValueError for an argument whose value, the first of its two numbers, is below the second."""
    for name, (value, least) in arguments.items():
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")


def host(array: Any) -> Any:
    """The array, on the CPU."""
    return array.get() if hasattr(array, "__cuda_array_interface__") else array


def _activity(layer: Any, edges: Floats) -> tuple[float, float, Floats]:
    """Saturated and dead share, and the histogram of a hidden layer, after a pass."""
    z = host(layer.preactivation)
    operands = _operands(layer)
    activation = layer.activation(z, *operands)
    slope = _slope(layer.activation, z, activation, operands)
    flat, dead = FLAT_SLOPE * _steepest(*_kind(layer)), DEAD_SLOPE * _steepest(*_kind(layer))
    return float((slope <= flat).mean()), float((slope.max(axis=0) <= dead).mean()), _histogram(activation, edges)


def _operands(layer: Any) -> list[Any]:
    """The activation's parameters: none, where all are its defaults."""
    return [host(each) for each in layer.operands]


def _slope(activation: Any, z: Any, output: Any, operands: Any = ()) -> Any:
    """How steeply each output follows its own preactivation, by the backward pass, which training has compiled."""
    if activation.kind == "activation":
        return np.abs(activation.backward(np.ones_like(z), z, *operands))
    slopes = np.empty_like(z)
    for unit in range(z.shape[1]):  # the diagonal of the Jacobian
        only = np.zeros_like(z)
        only[:, unit] = 1
        slopes[:, unit] = activation.backward(only, output)[:, unit]
    return np.abs(slopes)


def _kind(layer: Any) -> tuple[Any, Any]:
    """The activation of a layer, and the dtype in which training has compiled it."""
    return layer.activation, layer.weights.dtype


def _curve(activation: Any, dtype: Any, reach: float) -> tuple[Any, Any]:
    """f and |f'| from -reach to reach; a second unit is 0, which matters to softmax and its kin."""
    x = np.zeros((2001, 2), dtype)
    x[:, 0] = np.linspace(-reach, reach, 2001)
    output = activation(x)
    return output, _slope(activation, x, output)


@cache
def _steepest(activation: Any, dtype: Any) -> float:
    """The largest slope, or 1 where that is less: a slope of 1 passes a gradient on as it is, and is never flat."""
    return min(1.0, float(_curve(activation, dtype, 10)[1].max()))


def _histogram(values: Any, edges: Floats) -> Floats:
    least, most = float(edges[0]), float(edges[-1])
    places = (values.ravel() - least) * (BINS / (most - least))
    places = np.fmin(np.fmax(places, 0), BINS - 1).astype(np.intp)  # nan to the first bin
    return np.bincount(places, minlength=BINS) / values.size


def _update_ratios(twin: Any, x: Any, y: Any) -> list[float]:
    """Take a step by one batch: log10 of std(update) / std(weights) for each layer; nan where a step diverges."""
    before = [host(layer.weights).astype(np.float64) for layer in twin.layers]
    try:
        twin.partial_fit(x, y, shuffle=False)
    except FloatingPointError:
        return [np.nan] * len(before)
    pairs = zip(before, twin.layers, strict=True)
    return [float(np.log10(np.std(host(layer.weights) - old) / np.std(old))) for old, layer in pairs]
