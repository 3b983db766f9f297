"""Initial weights: He, Glorot, LeCun and orthogonal; biases start at zero.

A new initialiser is one function and one entry in `INITIALISERS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["INITIALISERS", "gain", "suited_to"]

Rng = np.random.Generator
#: Parameters of the activation other than its defaults.
Given = Mapping[str, float]
Weights = NDArray[np.float64]


def he(rng: Rng, shape: tuple[int, int], activation: Any, given: Given) -> Weights:
    """Normal with variance gain**2 / inputs: 2 / inputs for ReLU, which passes half of it (He et al. 2015, eq. 10)."""
    return rng.normal(0.0, gain(activation, given) / math.sqrt(shape[0]), shape)


def glorot(rng: Rng, shape: tuple[int, int], activation: Any, given: Given) -> Weights:
    """Uniform with variance 2 / (inputs + outputs) (Glorot and Bengio 2010, eq. 16)."""
    limit = math.sqrt(6 / (shape[0] + shape[1]))
    return rng.uniform(-limit, limit, shape)


def lecun(rng: Rng, shape: tuple[int, int], activation: Any, given: Given) -> Weights:
    """Normal with variance 1 / inputs (LeCun et al. 1998, eq. 16)."""
    return rng.normal(0.0, math.sqrt(1 / shape[0]), shape)


def orthogonal(rng: Rng, shape: tuple[int, int], activation: Any, given: Given) -> Weights:
    """gain times orthonormal columns, or rows where there are fewer of them (Saxe et al. 2014)."""
    q, r = np.linalg.qr(rng.normal(size=(max(shape), min(shape))))
    q *= gain(activation, given) * np.sign(np.diagonal(r))  # so that all orthogonal matrices are equally likely
    return q if shape[0] >= shape[1] else np.ascontiguousarray(q.T)


INITIALISERS: dict[str, Callable[[Rng, tuple[int, int], Any, Given], Weights]] = {
    each.__name__: each for each in (he, glorot, lecun, orthogonal)
}


def gain(activation: Any, given: Given = MappingProxyType({})) -> float:
    """1 / sqrt(E[f(z)**2]) for a standard normal z: weights of variance gain**2 / inputs keep the size of activations.

    It is sqrt(2) for ReLU. Asking the function itself, rather than a table of names, serves the user's own activations
    too. It is 1 for softmax and its relatives, which mix a row, and where the mean is 0 or not finite.
    """
    if activation.kind != "activation":
        return 1.0
    # The trapezoid rule is exact to the last digits for smooth functions, and takes no eigenvalues as Gauss-Hermite's
    # nodes do, which cost 50 ms.
    z = np.linspace(-10, 10, 2000)  # without 0, where functions jump
    density = np.exp(-z * z / 2)
    with np.errstate(all="ignore"):
        mean = float((density * np.square(_values(activation, z, given))).sum() / density.sum())
    return math.sqrt(round(1 / mean, 12)) if 0 < mean < math.inf else 1.0


def _values(activation: Any, x: NDArray[np.float64], given: Given) -> NDArray[np.float64]:
    """f(x), without a compilation where NumPy can run the formula on arrays."""
    try:
        return activation(x, **given, backend="numpy")
    except Exception:  # whatever a formula of single numbers raises for an array
        return activation(x, **given)


def suited_to(activation: Any, given: Given, dtype: DTypeLike) -> str:
    """The initialiser for `activation`: "he" if it grows to the right and stays small on the left, else "glorot"."""
    if activation.kind != "activation":  # softmax and its relatives mix a row
        return "glorot"
    left, right = activation(np.array([-100.0, 100.0], dtype), **given)
    return "he" if right > 3 * max(abs(left), 1) else "glorot"
