"""Comparisons of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np


def bits(x: Any) -> np.ndarray:
    """The bits of the values, whatever their layout and byte order: -0.0 differs from 0.0, and NaN equals NaN."""
    x = np.asarray(x)
    x = x.astype(x.dtype.newbyteorder("="), order="C")
    return np.where(np.isnan(x), np.nan, x).view(f"u{x.itemsize}")


def assert_in_place_and_overlap(function: Any, x: np.ndarray, grad: np.ndarray, axis: Any) -> None:
    """A function over axes gives the same where its output is its input, or overlaps it, as into a new array."""
    wanted = function(x, axis)
    gradient = function.backward(grad, wanted, axis)
    for shift in (0, 5):
        memory = np.zeros(x.size + shift, x.dtype)
        source, out = memory[: x.size].reshape(x.shape), memory[shift:].reshape(x.shape)
        for values, target in ((source, out), (out, source)):
            values[...] = x
            np.testing.assert_array_equal(function(values, axis, out=target), wanted)
            values[...] = wanted
            np.testing.assert_array_equal(function.backward(grad, values, axis, out=target), gradient)
            values[...] = grad
            np.testing.assert_array_equal(function.backward(values, wanted, axis, out=target), gradient)
