"""The memory of large results: kept for the next one of the same size, and never given away while an array uses it."""

from __future__ import annotations

import sys
import tracemalloc
from typing import Any

import numpy as np
import pytest
from numpy._core.multiarray import get_handler_name

import fastact as fa

#: Numbers of float32 elements: above the 32 MB from which memory is kept, and above the 128 MB up to which it is.
LARGE, TOO_LARGE = 9_000_000, 40_000_000


@pytest.fixture
def x() -> np.ndarray:
    return np.linspace(-1, 1, LARGE, dtype=np.float32)


def address(array: np.ndarray) -> int:
    return int(array.ctypes.data)


def test_freed_memory_is_used_again(x: np.ndarray) -> None:
    first = fa.relu(x)
    assert get_handler_name(first) == "fastact"
    place = address(first)
    del first
    again = fa.relu(-x)
    assert address(again) == place
    np.testing.assert_array_equal(again, np.maximum(-x, 0))


def test_calls_go_the_short_way_again_after_use_backend(x: np.ndarray) -> None:
    with fa.use_backend("serial"):
        assert get_handler_name(fa.relu(x)) != "fastact"
    assert get_handler_name(fa.relu(x)) == "fastact"


def test_memory_in_use_is_not(x: np.ndarray) -> None:
    part = fa.relu(x)[1::2]
    others = [fa.relu(-x), fa.relu(x).T]
    assert len({address(each) for each in (part.base, *others)}) == 3
    np.testing.assert_array_equal(part, np.maximum(x, 0)[1::2])
    np.testing.assert_array_equal(others[0], np.maximum(-x, 0))


@pytest.mark.parametrize("n", [LARGE // 2, 2 * LARGE])
def test_resized(x: np.ndarray, n: int) -> None:
    result = fa.relu(x)
    result.resize(n, refcheck=False)
    np.testing.assert_array_equal(result, np.resize(np.concatenate([np.maximum(x, 0), 0 * x]), n))
    del result
    np.testing.assert_array_equal(fa.relu(x), np.maximum(x, 0))


def test_small_results_are_numpys() -> None:
    assert get_handler_name(fa.relu(np.ones(1000, np.float32))) == "default_allocator"


#: Runs in a process of its own: in this one, memory that other tests freed would hide the growth.
HELD = f"""
from pathlib import Path
import numpy as np, fastact as fa
def held():
    return int(Path("/proc/self/statm").read_text().split()[1]) << 12
x = np.linspace(-1, 1, {LARGE}, dtype=np.float32)
fa.relu(x)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_more_than_one_is_kept(python: Any) -> None:
    python(
        HELD
        + f"""
before = held()
results = [fa.relu(x) for _ in range(4)]
assert held() - before > 2.5 * x.nbytes
del results
assert held() - before < 0.5 * x.nbytes
fa.relu(x[: {LARGE} - 10])  # of another size
assert held() - before < 0.5 * x.nbytes
"""
    )


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_very_large_ones_are_not_kept(python: Any) -> None:
    python(
        HELD
        + f"""
before, result = held(), fa.relu(np.ones({TOO_LARGE}, np.float32))
assert held() - before > 0.5 * result.nbytes
del result
assert held() - before < 0.1 * 4 * {TOO_LARGE}
"""
    )


def test_python_counts_it_right(x: np.ndarray) -> None:
    fa.relu(x)
    tracemalloc.start()
    try:
        for _ in range(3):
            result = fa.relu(x)
            assert tracemalloc.get_traced_memory()[0] == pytest.approx(x.nbytes, rel=0.01)
            del result
        assert tracemalloc.get_traced_memory()[0] < 0.01 * x.nbytes
    finally:
        tracemalloc.stop()
