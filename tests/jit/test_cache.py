"""`@njit(cache=True)` of users: right numbers in a fresh process, no compilation, and never code of another formula."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

import fastact as fa
from fastact._numba import linking, named
from fastact._numba.stamps import Dependency
from fastact.math import like

FORMULA = """
import fastact as fa
from fastact.math import like
@fa.activation(derivative=lambda x: like({factor}.0, x))
def mine(x):
    return x * like({factor}.0, x)
"""
HELPER = """
import numba
from formula import mine
@numba.njit
def helper(x):
    return mine(x) + 1
"""
USER = """
import numba
import numpy as np
import fastact as fa
from formula import mine
from helper import helper

@numba.njit(cache=True)
def number(x):
    return mine(x[0])

@numba.njit(cache=True)
def array(x):
    return mine(x)

@numba.njit(cache=True)
def by_helper(x):
    return helper(x[0]) - 1

@numba.njit(cache=True, parallel=True)
def parallel(x):
    result = np.empty((4, x.size))
    for i in numba.prange(4):
        result[i] = fa.softmax(fa.gelu(x))
        result[i, 0] = mine(x[i])
    return result

@numba.njit(cache=True)
def given(f, x):
    return f(x)

@numba.vectorize(["float64(float64)"], cache=True)
def vectorized(x):
    return mine(x)

@numba.guvectorize(["float64[:], float64[:]"], "(n)->(n)", cache=True)
def generalized(x, out):
    for i in range(x.size):
        out[i] = mine(x[i])

@numba.njit(cache=True)
def of_fastact(x):
    return fa.softmax(fa.gelu(x))

if __name__ == "__main__":
    x = np.arange(1.0, 7.0)
    want = mine(x)
    factor = want[0]
    assert number(x) == by_helper(x) == factor
    assert np.array_equal(parallel(x)[:, 0], want[:4])
    assert np.array_equal(parallel(x)[3, 1:], fa.softmax(fa.gelu(x))[1:])
    for found in (array(x), given(mine, x), vectorized(x), generalized(x)):
        assert np.array_equal(found, want), (found, want)
    assert np.array_equal(of_fastact(x), fa.softmax(fa.gelu(x)))
    jitted = number, array, by_helper, parallel, given, of_fastact
    print(factor, *(sum(f.stats.cache_hits.values()) for f in jitted))
"""


def test_code_follows_the_formula(tmp_path: Path) -> None:
    def run(factor: int) -> str:
        (tmp_path / "formula.py").write_text(FORMULA.format(factor=factor))
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "user.py"]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    (tmp_path / "helper.py").write_text(HELPER)
    (tmp_path / "user.py").write_text(USER)
    assert run(2) == "2.0 0 0 0 0 0 0"
    assert run(2) == "2.0 1 1 1 1 1 1"
    assert run(3) == "3.0 0 0 0 0 0 1"  # all that call the formula are compiled anew
    assert run(3) == "3.0 1 1 1 1 1 1"


def test_a_dependency_that_changed_is_an_error_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    stamp = named.stamp_of(fa.gelu)
    assert stamp is not None
    kind, arguments = Dependency("gelu", "", stamp, None).__reduce__()
    assert kind(*arguments) == Dependency("gelu", "", stamp, None)
    for wrong in (Dependency("gelu", "", "of another version", None), Dependency("never_defined", "", stamp, None)):
        kind, arguments = wrong.__reduce__()
        with pytest.raises(OSError, match="has changed since this was compiled"):
            kind(*arguments)


def test_a_formula_that_cannot_be_told_is_not_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = np.arange(3.0)

    @fa.activation
    def of_a_table(x):  # type: ignore[no-untyped-def]
        return x * like(table[1], x)

    def call(x):  # type: ignore[no-untyped-def]
        return of_a_table(x)

    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    assert named.stamp_of(of_a_table) is None
    with pytest.warns(numba.NumbaWarning, match='Cannot cache compiled function "call"'):
        assert numba.njit(cache=True)(call)(2.0) == 2.0
    assert not list(tmp_path.rglob("*.nbc"))


def test_a_symbol_stands_for_what_is_there_now() -> None:
    name = linking.provide(fa.gelu, ("loop", "float32", "numbers"))
    assert name == "fastact_loop_gelu_float32_numbers"
