"""A function of the catalogue beside its exact result, for test_accuracy.py and benchmarks/accuracy.py."""

from __future__ import annotations

from typing import Any

import numpy as np

import fastact as fa
from helpers.reference import REFERENCES, Function, mp
from helpers.ulp import Array, of_mpmath, ulps

PARTS = ("forward", "derivative")
#: Inputs that the float64 references take at a time, so that their temporaries stay in the cache.
BLOCK = 1 << 13
#: Inputs where some function changes its formula, its sign of curvature, or its kind of result.
LANDMARKS = [
    0.0, 0.17, 0.2876, 0.3466, 0.41421, 0.6931, 0.7518, 0.7525, 0.8814, 1.0, 1.1924, 1.2785, 8.49, 9.01, 13.3, 14.17,
    14.5, 16.6, 17.32, 17.4, 34.8, 36.7, 37.5, 38.4, 39.0, 44.0, 75.0, 87.34, 88.03, 88.723, 89.0, 92.2, 103.28, 103.98,
    110.0, 112.0, 708.4, 709.78, 710.0, 714.6, 745.13, 752.0, 760.0, 1e3, 1e4,
]  # fmt: skip


def bound(name: str, part: str, dtype: Any) -> float:
    """The error bound of a part of an activation in ULP: `max_ulp`, twice that for derivatives, more in float64."""
    most = fa.get(name).max_ulp * (1 if part == "forward" else 2)
    return most + (0.5 if dtype == np.float64 else 0)


class Subject:
    """An activation or its derivative, for its default parameters or others, which are rounded to the dtype of x."""

    def __init__(self, name: str, part: str, parameters: tuple[float, ...] = ()) -> None:
        f, reference = fa.get(name), REFERENCES[name]
        forward = part == "forward"
        self.given = parameters or tuple(f.parameters.values())
        self.operation = f if forward else f.derivative
        self.exact: Function = reference.value if forward else reference.slope
        self.fast: Function = reference.fast_value if forward else reference.fast_slope
        zeros = reference.value_zeros if forward else reference.slope_zeros
        self.zeros = () if parameters else tuple(map(float, zeros))

    def parameters(self, dtype: Any) -> tuple[Any, ...]:
        """The parameters as the loop for a dtype gets them; loops of the half types compute in float32."""
        if np.dtype(dtype).itemsize == 2:
            return tuple(float(np.float32(p)) for p in self.given)
        return tuple(np.dtype(dtype).type(p) for p in self.given)

    def compute(self, x: Array) -> Array:
        return self.operation(x, *self.parameters(x.dtype))

    def exactly(self, x: Array) -> tuple[Array, Array]:
        """The exact results by mpmath: as float64, and the rest in ULP of that."""
        parameters = [mp.mpf(float(p)) for p in self.parameters(x.dtype)]
        return of_mpmath(self.exact(mp.mpf(float(each)), *parameters) for each in x)

    def nearly(self, x: Array) -> Array:
        """The exact results by the float64 reference: for inputs and parameters of float32 or less."""
        parameters = [float(p) for p in self.parameters(np.float32)]
        blocks = np.array_split(x.astype(float), -(-x.size // BLOCK))
        return np.concatenate([self.fast(block, *parameters) for block in blocks])

    def error(self, x: Array) -> Array:
        """The errors in ULP, from mpmath."""
        with np.errstate(all="ignore"):
            return ulps(self.compute(x), *self.exactly(x))

    def near_error(self, x: Array) -> Array:
        """The errors in ULP, from the float64 reference."""
        with np.errstate(all="ignore"):
            return ulps(self.compute(x), self.nearly(x))
