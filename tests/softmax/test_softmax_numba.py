"""The softmax family on Numba's backends: as exact as the Cython kernels, and the same bits on one thread and on many.

Masks, lengths, temperatures and dtypes are in test_softmax_options.py, for these backends too.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest

import fastact as fa
from helpers.softmax_cases import DTYPES, LAYOUTS, SHAPES, WIDE, exact, numbers, ulps

KINDS = ["softmax", "log_softmax"]
BACKENDS = ["serial", "threads", "parallel"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("scale", "offset"), [(3, 0), (30, 5), (1000, 400), (1, -1e6)])
def test_error(kind: str, shape: tuple[int, ...], axis: Any, dtype: type, scale: float, offset: float) -> None:
    x = numbers(shape, dtype, scale, offset)
    function = fa.get(kind)
    result = function(x, axis, backend="serial")
    assert result.dtype == dtype
    assert result.shape == shape
    assert ulps(result, exact(kind, x, axis)) <= fa.get(kind).max_ulp
    other = function(x, axis, backend="cython")
    assert np.all(np.abs(result - other) <= 6 * np.spacing(np.abs(other)))  # each is within 4 of the truth
    if kind == "softmax":
        assert np.all(np.abs(result.astype(WIDE).sum(axis) - 1) <= 2 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 1000, 1_000_000])
@pytest.mark.parametrize("kind", KINDS)
def test_equal_elements(kind: str, dtype: Any, n: int) -> None:
    x = np.full(n, 0.3, dtype)
    assert ulps(fa.get(kind)(x, backend="serial"), exact(kind, x, -1)) <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_mpmath(kind: str) -> None:
    x = numbers((40,), np.float64, 8)
    with mpmath.workdps(60):
        e = [mpmath.exp(mpmath.mpf(float(v))) for v in x]
        total = mpmath.fsum(e)
        wanted = [v / total if kind == "softmax" else mpmath.log(v / total) for v in e]
        for value, true in zip(fa.get(kind)(x, backend="serial"), wanted, strict=True):
            assert abs(mpmath.mpf(float(value)) - true) <= fa.get(kind).max_ulp * np.spacing(abs(float(true)))


def test_subnormal_results_are_kept() -> None:
    x = np.array([0, -88, -95, -103, -104, -200], np.float32)
    y = fa.softmax(x, backend="serial")
    np.testing.assert_array_equal(y[1:5] > 0, [True, True, True, False])
    assert ulps(y, exact("softmax", x, -1)) <= 2


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_backward(kind: str, shape: tuple[int, ...], axis: Any, dtype: type) -> None:
    x, g = numbers(shape, dtype, 2), numbers(shape, dtype)[::-1]
    y = fa.get(kind)(x, axis, backend="serial")
    wide_y, wide_g = y.astype(WIDE), g.astype(WIDE)
    if kind == "softmax":
        wanted = wide_y * (wide_g - (wide_g * wide_y).sum(axis, keepdims=True))
        size = wide_y * (np.abs(wide_g) + np.abs(wide_g * wide_y).sum(axis, keepdims=True))
    else:
        wanted = wide_g - np.exp(wide_y) * wide_g.sum(axis, keepdims=True)
        size = np.abs(wide_g) + np.exp(wide_y) * np.abs(wide_g).sum(axis, keepdims=True)
    error = np.abs(fa.get(kind).backward(g, y, axis, backend="serial") - wanted)
    assert np.all(error <= 4 * np.finfo(dtype).eps * size)


@pytest.mark.parametrize(("shape", "axis"), SHAPES)
@pytest.mark.parametrize("kind", [*KINDS, "softmin", "logsumexp"])
def test_threads_and_layouts_do_not_change_bits(kind: str, shape: tuple[int, ...], axis: Any) -> None:
    function, x = getattr(fa, kind), numbers(shape, np.float32)
    results = set()
    for backend in BACKENDS:
        for layout in ("C", *LAYOUTS):
            if x.ndim > 1 or layout != "strided":
                y = function(LAYOUTS[layout](x), axis, backend=backend)
                g = function.backward(y, x if kind == "logsumexp" else y, axis, backend=backend)
                results.add((np.ascontiguousarray(y).tobytes(), np.ascontiguousarray(g).tobytes()))
    assert len(results) == 1


@pytest.mark.parametrize("shift", [0, 5])
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_in_place_and_overlap(kind: str, shape: tuple[int, ...], axis: Any, shift: int) -> None:
    function, x = fa.get(kind), numbers(shape, np.float32)
    wanted = function(x, axis, backend="serial")
    memory = np.zeros(x.size + shift, np.float32)
    source, out = memory[: x.size].reshape(shape), memory[shift:].reshape(shape)
    for values, target in ((source, out), (out, source)):
        values[...] = x
        assert function(values, axis, out=target, backend="threads") is target
        np.testing.assert_array_equal(target, wanted)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [3, 64, 100, 70_000])
@pytest.mark.parametrize("kind", KINDS)
def test_specials_stay_in_their_row(kind: str, n: int, dtype: type) -> None:
    x = numbers((5, n), dtype)
    x[0] = -np.inf
    x[1, n // 2] = np.nan
    x[2, n - 1] = np.inf
    x[3, 1] = -np.inf
    result = fa.get(kind)(x, backend="serial")
    assert np.isnan(result[:3]).all()
    assert result[3, 1] == (0 if kind == "softmax" else -np.inf)
    keep = np.arange(n) != 1
    assert ulps(result[3, keep], exact(kind, x[3, keep], -1)) <= fa.get(kind).max_ulp
    assert ulps(result[4], exact(kind, x[4], -1)) <= fa.get(kind).max_ulp


KERNELS = """
import numpy as np, fastact as fa
x = np.linspace(-1, 1, 30).reshape(5, 6)
for f in fa.softmax, fa.log_softmax, fa.sparsemax, fa.entmax15, fa.hardmax:
    y = f(x, backend="serial")
    print(y.sum(), f.backward(x, y, backend="serial").sum())
print(fa.logsumexp(x, backend="serial"))
print(fa.cache_info().found, fa.cache_info().compiled)
"""


@pytest.mark.skipif(os.name != "posix", reason="addresses of C functions are not known there")
def test_kernels_come_from_the_cache(python: Any, tmp_path: Path) -> None:
    *first, counts = python(KERNELS, FASTACT_CACHE=str(tmp_path)).splitlines()
    assert counts == "0 11"
    *second, counts = python(KERNELS, FASTACT_CACHE=str(tmp_path)).splitlines()
    assert counts == "11 0"
    assert first == second
