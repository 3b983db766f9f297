"""Reduction modulo pi (scalar/reduction.py), against mpmath: every magnitude, and the worst numbers there are."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest

from fastact._kernels.scalar.primitives import JIT_OPTIONS
from fastact._kernels.scalar.reduction import (
    half_turns,
    half_turns_low,
    half_turns_sign,
    shifted_half_turns,
    shifted_half_turns_low,
    shifted_half_turns_sign,
)
from helpers.reference import mp


@numba.njit(**JIT_OPTIONS)
def plain(a, x):  # type: ignore[no-untyped-def]
    return half_turns(a, x), half_turns_low(a, x), half_turns_sign(a, x)


@numba.njit(**JIT_OPTIONS)
def shifted(a, x):  # type: ignore[no-untyped-def]
    return shifted_half_turns(a, x), shifted_half_turns_low(a, x), shifted_half_turns_sign(a, x)


#: Nearer to a multiple of pi / 2 than any other: Muller et al., Handbook of floating-point arithmetic, 2nd ed., 10.3.
WORST = {np.float32: 16367173.0 * 2**72, np.float64: 6381956970095103.0 * 2**797}


def check(function: Any, quarters: int, a: Any, x: Any) -> float:
    """Check that a pair of floats is right to 2**-56 or 2**-115, and return its sum."""
    eps, places = {np.float32: (2.0**-23, 56), np.float64: (2.0**-52, 115)}[type(x)]
    high, low, sign = function(a, x)
    unit = 2.0 ** -(8 * x.itemsize)
    high, low = high * unit, low * unit
    with mp.workprec(2400):
        turns = mp.mpf(float(a)) * mp.mpf(float(x)) / mp.pi + mp.mpf(quarters) / 4
        exact = turns - mp.nint(2 * turns) / 2
        found = mp.mpf(float(high)) + mp.mpf(float(low))
        half_turns = mp.nint(2 * (turns - found))
        off = abs(turns - found - half_turns / 2)
        assert abs(high) <= 0.255
        assert sign == (-1) ** int(half_turns % 2)
        assert off <= eps**2 * abs(exact) + mp.ldexp(1, -places), f"{float(off)} at {a!r} * {x!r}"
    return float(high)


@pytest.mark.parametrize(("function", "quarters"), [(plain, 0), (shifted, 1)])
def test_every_magnitude(function: Any, quarters: int, dtype: Any) -> None:
    random, limits = np.random.default_rng(0), np.finfo(dtype)
    for exponent in range({np.float32: -9, np.float64: -19}[dtype], limits.maxexp - 1):
        least, most = max(limits.minexp, exponent - limits.maxexp + 1), min(limits.maxexp, exponent + 120)
        part = int(random.integers(least, most))
        a, x = np.ldexp(random.uniform(1, 2, 2) * random.choice([-1, 1], 2), (part, exponent - part)).astype(dtype)
        check(function, quarters, a, x)


def test_worst_numbers(dtype: Any) -> None:
    nearest = {np.float32: 2.0**-29, np.float64: 2.0**-59}[dtype]
    for sign in -1, 1:
        assert 0 < abs(check(plain, 0, dtype(2), dtype(sign * WORST[dtype]))) < nearest
        assert abs(check(plain, 0, dtype(1), dtype(sign * WORST[dtype]))) < nearest
        check(shifted, 1, dtype(0.5), dtype(sign * WORST[dtype]))


def test_mixed_types() -> None:
    """A parameter that float32 code gets as a float64 number."""
    assert plain(1.0, np.float32(3.0)) == plain(np.float32(1), np.float32(3))
