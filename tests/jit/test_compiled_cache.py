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
from fastact.interop.numba import linking, named
from fastact.interop.numba.stamps import Dependency
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
#: Runs the functions of a module, and prints for each whether its result is right, and its code from the cache.
RUN = """
import sys
import numpy as np
import fastact as fa
import module
from formula import mine

x = np.arange(1.0, 7.0)
wanted = {"of_fastact": fa.softmax(fa.gelu(x)), "parallel": np.tile(fa.softmax(fa.gelu(mine(x))), (4, 1))}
for name in sys.argv[1:]:
    function = getattr(module, name)
    found = function(mine, x) if name == "given" else function(x)
    hits = sum(function.stats.cache_hits.values()) if hasattr(function, "stats") else "-"
    print(name, np.array_equal(found, wanted.get(name, mine(x))), hits)
"""
MODULE = """
import numba
import numpy as np
import fastact as fa
from formula import mine
from helper import helper

@numba.njit(cache=True)
def number(x):
    result = np.empty_like(x)
    for i in range(x.size):
        result[i] = mine(x[i])
    return result

@numba.njit(cache=True)
def array(x):
    return mine(x)

@numba.njit(cache=True)
def by_helper(x):
    return helper(x) - 1

@numba.njit(cache=True)
def of_fastact(x):
    return fa.softmax(fa.gelu(x))
"""
MORE = """
@numba.njit(cache=True, parallel=True)
def parallel(x):
    result = np.empty((4, x.size))
    for i in numba.prange(4):
        row = np.empty_like(x)
        for j in range(x.size):
            row[j] = mine(x[j])
        result[i] = fa.softmax(fa.gelu(row))
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
"""


@pytest.mark.parametrize(
    ("module", "names"),
    [
        (MODULE, ["number", "array", "by_helper", "of_fastact"]),
        pytest.param(MODULE + MORE, ["parallel", "given", "vectorized", "generalized"], marks=pytest.mark.slow),
    ],
)
def test_code_follows_the_formula(tmp_path: Path, module: str, names: list[str]) -> None:
    def hits(factor: int) -> list[str]:
        (tmp_path / "formula.py").write_text(FORMULA.format(factor=factor))
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "run.py", *names]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        lines = [line.split() for line in done.stdout.splitlines()]
        assert [line[:2] for line in lines] == [[name, "True"] for name in names], (factor, done.stdout)
        return [line[2] for line in lines if line[2] != "-"]

    for name, text in (("helper", HELPER), ("module", module), ("run", RUN)):
        (tmp_path / f"{name}.py").write_text(text)
    assert set(hits(2)) == {"0"}
    assert set(hits(2)) == {"1"}
    anew = dict(zip(names, hits(3), strict=False))
    assert anew.pop("of_fastact", "1") == "1"
    assert set(anew.values()) == {"0"}  # all that call the formula are compiled anew


def test_a_dependency_that_changed_is_an_error_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    stamp = named.stamp_of(fa.gelu)
    assert stamp is not None
    kind, arguments = Dependency("gelu", "", stamp, None).__reduce__()
    assert kind(*arguments) == Dependency("gelu", "", stamp, None)
    for wrong in (Dependency("gelu", "", "of another version", None), Dependency("never_defined", "", stamp, None)):
        kind, arguments = wrong.__reduce__()
        with pytest.raises(OSError, match="has changed since this was compiled"):
            kind(*arguments)


@pytest.mark.usefixtures("own_registry")
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
