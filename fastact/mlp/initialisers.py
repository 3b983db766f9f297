"""Initial weights: He for rectifiers, Glorot for everything else; biases start at zero.

A new initialiser is one function and one entry in `INITIALISERS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["INITIALISERS", "suited_to"]


def he(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Normal with variance 2 / inputs, because a rectifier passes half of it (He et al. 2015, eq. 10)."""
    return rng.normal(0.0, math.sqrt(2 / shape[0]), shape)


def glorot(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Uniform with variance 2 / (inputs + outputs) (Glorot and Bengio 2010, eq. 16)."""
    limit = math.sqrt(6 / (shape[0] + shape[1]))
    return rng.uniform(-limit, limit, shape)


INITIALISERS: dict[str, Callable[[np.random.Generator, tuple[int, int]], NDArray[np.float64]]] = {
    "he": he,
    "glorot": glorot,
}


def suited_to(activation: Any, dtype: DTypeLike) -> str:
    """The initialiser for `activation`: "he" if it grows to the right and stays small on the left.

    Asking the function itself, rather than a table of names, serves the user's own activations too.
    """
    if activation.kind != "activation":  # softmax and its relatives mix a row
        return "glorot"
    left, right = activation(np.array([-100.0, 100.0], dtype))
    return "he" if right > 3 * max(abs(left), 1) else "glorot"
