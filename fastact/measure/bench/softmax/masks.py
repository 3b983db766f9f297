"""The masks of the softmax cases, as arrays."""

from __future__ import annotations

import numpy as np

from fastact.measure.bench.cases import Array, Case

__all__ = ["keep"]


def keep(case: Case) -> Array:
    """Where the elements of a case count."""
    rng = np.random.default_rng(2)
    if case.data == "causal":
        return np.tri(*case.shape[-2:], dtype=bool)
    if case.data == "padding":
        return np.arange(case.shape[-1]) < rng.integers(1, case.shape[-1] + 1, case.shape[0]).reshape(-1, 1, 1, 1)
    mask = rng.random(case.shape) < 0.8
    mask[..., 0] = True
    return mask
