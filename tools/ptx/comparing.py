"""Comparison of results with those of the CPU, and the numbers that they are computed of."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

BF16 = np.dtype(ml_dtypes.bfloat16)

#: The largest difference of each kind of result, in units in the last place.
WORST: dict[str, float] = {}


def note(kind: str, error: float) -> None:
    WORST[kind] = max(WORST.get(kind, 0), error)


def alike(got: np.ndarray, wanted: np.ndarray) -> None:
    assert (got.dtype, got.shape) == (wanted.dtype, wanted.shape), (got.dtype, wanted.dtype, got.shape, wanted.shape)


def same(got: Any, wanted: Any) -> None:
    """Compare bits; one NaN is as good as another."""
    got, wanted = np.asarray(got), np.asarray(wanted)
    alike(got, wanted)
    a, b = (np.ascontiguousarray(each).reshape(-1).view(np.uint8).reshape(-1, each.itemsize) for each in (got, wanted))
    differ = (a != b).any(-1)
    if got.dtype.kind == "f" or got.dtype == BF16:
        differ &= ~(np.isnan(got.astype("f8")) & np.isnan(wanted.astype("f8"))).reshape(-1)
    at = np.flatnonzero(differ)
    assert not len(at), (
        f"{len(at)} of {got.size} differ, first at {at[:5]}: "
        f"{got.reshape(-1)[at[:5]]}, not {wanted.reshape(-1)[at[:5]]}"
    )


def near(kind: str, got: Any, wanted: Any, ulps: float, scale: Any = None) -> None:
    """Compare within so many units in the last place of each number or, for sums that cancel, of `scale`."""
    got, wanted = np.asarray(got), np.asarray(wanted)
    alike(got, wanted)
    if not got.size:
        return
    info = ml_dtypes.finfo(got.dtype)
    a, b = got.astype("f8"), wanted.astype("f8")
    special = ~(np.isfinite(a) & np.isfinite(b))
    assert ((a == b) | (np.isnan(a) & np.isnan(b)))[special].all(), (
        f"special numbers: {a[special][:5]}, not {b[special][:5]}"
    )
    size = np.abs(b) if scale is None else np.broadcast_to(np.maximum(np.abs(scale), np.abs(b)), b.shape)
    size = np.maximum(np.where(special, 1, size), float(info.tiny))
    unit = np.ldexp(float(info.eps), np.frexp(size)[1] - 1)
    error = np.where(special, 0, np.abs(np.where(special, 0, a) - np.where(special, 0, b)) / unit)
    note(kind, float(error.max()))
    at = np.unravel_index(error.argmax(), error.shape)
    assert error.max() <= ulps, (
        f"{error.max():.3g} ulp at {at}: {a[at]!r}, not {b[at]!r}; {int((error > ulps).sum())} beyond {ulps}"
    )


def numbers(dtype: Any, n: int) -> np.ndarray:
    """Numbers of every magnitude, special ones among them; of half types all there are, where n allows it."""
    dtype, rng = np.dtype(dtype), np.random.default_rng(0)
    if dtype.kind == "b":
        return rng.integers(0, 2, n).astype(dtype)
    if dtype.kind in "iu":
        return rng.integers(0 if dtype.kind == "u" else -100, 100, n).astype(dtype)
    bits = 8 * dtype.itemsize
    step = np.uint64(max(1, (1 << bits) // n) | 1)
    spread = (np.arange(n, dtype=np.uint64) * step) & np.uint64(2**bits - 1)
    tiny = float(ml_dtypes.finfo(dtype).smallest_subnormal)
    special = np.array([np.nan, np.inf, -np.inf, 0, -0.0, 1, -1, tiny, -tiny, 88.8, -88.8, -104, -745.5])
    usual = rng.normal(0, 5, n)
    return np.concatenate([special.astype(dtype), spread.astype(f"u{dtype.itemsize}").view(dtype), usual.astype(dtype)])
