"""Multiplication by powers of two (`ldexp` of _scalar/primitives.py), in both forms that compilers get."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest

import fastact as fa
from fastact._scalar import primitives
from fastact._scalar.primitives import JIT_OPTIONS, ldexp


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
    least, most = 4 - 2 * limits.maxexp, 2 * limits.maxexp - 2
    for k in (*range(least, least + 3), *range(-160, 160, 3), *range(most - 2, most + 1)):
        with np.errstate(all="ignore"):
            scaled(x, dtype(zero + k), dtype(zero), out)
            np.testing.assert_array_equal(out, np.ldexp(x, k), err_msg=str(k))


@pytest.mark.parametrize("beta", [1.0, "array"])
def test_swish_with_beta_1_is_silu(beta: Any, dtype: Any) -> None:
    random = np.random.default_rng(0)
    exponents = random.integers(np.finfo(dtype).minexp - 20, 12, 3000)
    x = np.append(np.ldexp(random.uniform(-2, 2, 3000), exponents), [0, -0.0, np.inf, -np.inf, np.nan]).astype(dtype)
    g = random.permutation(x)
    if beta == "array":
        beta = np.ones_like(x)
    np.testing.assert_array_equal(fa.swish(x, beta), fa.silu(x))
    np.testing.assert_array_equal(fa.swish.derivative(x, beta), fa.silu.derivative(x))
    np.testing.assert_array_equal(fa.swish.backward(g, x, beta), fa.silu.backward(g, x))
