"""Multiplication by powers of two (`ldexp` of scalar/primitives.py), in both forms that compilers get."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest

import fastact as fa
from fastact._kernels.scalar import primitives
from fastact._kernels.scalar.primitives import JIT_OPTIONS, ldexp


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether all numbers are the same, the sign of zero included; any NaN is like any other."""
    return np.array_equal(a, b, equal_nan=True) and bool(np.all((np.signbit(a) == np.signbit(b)) | np.isnan(a)))


@pytest.mark.parametrize("by_one_instruction", [True, False])
def test_ldexp_rounds_once(by_one_instruction: bool, dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As NumPy's, bit for bit, for every k it takes, wherever x lies."""
    if by_one_instruction and not primitives._has_scalef():
        pytest.skip("LLVM has no instruction for it here")
    monkeypatch.setattr(primitives, "_has_scalef", lambda: by_one_instruction)

    @numba.njit(**JIT_OPTIONS)
    def scaled(x, k, zero, out):  # type: ignore[no-untyped-def]
        for i in range(len(x)):
            out[i] = ldexp(x[i], k, zero)

    random, limits = np.random.default_rng(0), np.finfo(dtype)
    exponents = random.integers(limits.minexp - limits.nmant, limits.maxexp, 2000)
    x = np.ldexp(random.uniform(-2, 2, 2000), exponents).astype(dtype)
    x = np.append(x, np.array([0, -0.0, np.inf, -np.inf, np.nan, limits.max, limits.tiny], dtype))
    out, zero = np.empty_like(x), 1.5 * 2**limits.nmant
    least, most, end = 4 - 2 * limits.maxexp, 2 * limits.maxexp - 2, limits.maxexp
    near_ends = *range(-end - 3, 4 - end), *range(end - 4, end + 4)
    for k in (*range(least, least + 3), *near_ends, *range(-160, 160, 3), *range(most - 2, most + 1)):
        with np.errstate(all="ignore"):
            scaled(x, dtype(zero + k), dtype(zero), out)
            assert same_bits(out, np.ldexp(x, k)), k


@pytest.mark.parametrize("beta", [1.0, "array"])
def test_swish_with_beta_1_is_silu(beta: Any, dtype: Any) -> None:
    random = np.random.default_rng(0)
    exponents = random.integers(np.finfo(dtype).minexp - 20, 12, 3000)
    x = np.append(np.ldexp(random.uniform(-2, 2, 3000), exponents), [0, -0.0, np.inf, -np.inf, np.nan]).astype(dtype)
    g = random.permutation(x)
    if beta == "array":
        beta = np.ones_like(x)
    assert same_bits(fa.swish(x, beta), fa.silu(x))
    assert same_bits(fa.swish.derivative(x, beta), fa.silu.derivative(x))
    assert same_bits(fa.swish.backward(g, x, beta), fa.silu.backward(g, x))
