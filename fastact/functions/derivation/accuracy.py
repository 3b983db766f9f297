"""How far a computed function is from the exact one: numbers to look at, and errors in ULP.

An ULP is the step between neighbouring numbers at the exact result; of a subnormal result, the smallest number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["DTYPES", "Exact", "errors", "sample"]

DTYPES: tuple[Any, ...] = (np.float32, np.float64)


@lru_cache
def sample(dtype: Any, per_stratum: int = 24) -> NDArray[Any]:
    """Numbers of the dtype, in order: of every size, most of them near 1, and its ends; the same at every call."""
    random, limits = np.random.default_rng(0), np.finfo(dtype)
    strata = (limits.minexp - 20, -30), (-30, -4), (-4, 0), (0, 4), (4, 10), (10, limits.maxexp)
    sizes = np.concatenate([2.0 ** random.uniform(*each, per_stratum) for each in strata])
    ends = np.array([0.0, float(limits.smallest_subnormal), float(limits.max), 0.5, 1, 2, 3, 6])
    both = np.concatenate([sizes, ends])
    return np.unique(np.concatenate([both, -both]).astype(dtype))


@dataclass(frozen=True)
class Exact:
    """Exact values: each is the sum of two floats. NaN where there is none."""

    high: NDArray[np.float64]
    low: NDArray[np.float64]

    @classmethod
    def of(cls, function: Callable[..., Any], x: NDArray[Any], parameters: Sequence[float] = ()) -> Exact:
        """Those of a function of mpmath numbers."""
        first = 110 if x.dtype == np.float32 else 330
        found = [function(value, *parameters, first=first) for value in x.tolist()]
        high = np.array([float(each) for each in found])
        low = [float(each - h) if np.isfinite(h) else 0.0 for each, h in zip(found, high, strict=True)]
        return cls(high, np.array(low))

    def __getitem__(self, index: Any) -> Exact:
        return Exact(self.high[index], self.low[index])


def errors(result: NDArray[Any], exact: Exact) -> NDArray[np.float64]:
    """The errors of results in ULP of their dtype; 0 where nothing exact is known, inf for a wrong NaN or infinity."""
    limits = np.finfo(result.dtype)
    value = result.astype(np.float64)
    with np.errstate(all="ignore"):
        size = np.abs(exact.high)
        exponent = np.maximum(np.frexp(size)[1] - 1, limits.minexp) - limits.nmant
        found = np.abs(np.ldexp(value - exact.high, -exponent) - np.ldexp(exact.low, -exponent))
    beyond = size >= float(limits.max)
    right = np.isinf(value) | (np.abs(value) == float(limits.max))
    found[beyond] = np.where((right & (np.sign(value) == np.sign(exact.high)))[beyond], 0.0, np.inf)
    found[~np.isfinite(value) & ~beyond] = np.inf
    found[np.isnan(exact.high)] = 0.0
    return np.asarray(found)
