"""The parts of the recorded step, each against NumPy in float64 or against NumPy's own generator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastact as fa
from fastact._kernels.compile.products import compile_tile
from fastact._kernels.native import step

DTYPES = [np.dtype(np.float32), np.dtype(np.float64)]
SIZES = [(1, 1, 1), (4, 2, 4), (7, 300, 5), (8, 16, 48), (9, 17, 49), (33, 70, 37), (15, 600, 64), (130, 257, 70)]


def numbers(seed: int, *shape: int, dtype: Any) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def products(dtype: np.dtype, rows: int, inner: int, columns: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Each kind of product, its reference in float64, and the sum of the absolute values of its terms."""
    x, weights, bias = (
        numbers(k, *s, dtype=dtype) for k, s in enumerate([(rows, inner), (inner, columns), (columns,)])
    )
    grad, tile = numbers(3, rows, columns, dtype=dtype), compile_tile(dtype)
    cases = [(x, weights, bias, (rows, columns), False, False), (x, grad, None, (inner, columns), True, False),
             (grad, weights, None, (rows, inner), False, True)]  # fmt: skip
    found = []
    for a, b, start, shape, a_transposed, b_transposed in cases:
        out = np.full(shape, np.nan, dtype)
        step.product(tile, a, b, start, out, a_transposed, b_transposed)
        wide_a, wide_b = (each.astype(np.float64) for each in (a.T if a_transposed else a, b.T if b_transposed else b))
        wide = 0.0 if start is None else start.astype(np.float64)
        found.append((out, wide_a @ wide_b + wide, abs(wide_a) @ abs(wide_b) + abs(wide)))
    return found


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_products(dtype: np.dtype, size: tuple[int, int, int]) -> None:
    for found, wanted, magnitude in products(dtype, *size):
        bound = (max(size) + 1) * np.finfo(dtype).eps / 2 * magnitude  # of a sum that is rounded at each term
        assert (abs(found - wanted) <= bound).all()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_products_have_the_same_bits_for_any_number_of_threads(dtype: np.dtype) -> None:
    found = []
    for threads in (1, 2):
        before = fa.get_num_threads()
        fa.set_num_threads(threads)
        try:
            found.append([out.tobytes() for out, *_ in products(dtype, 200, 310, 210)])
        finally:
            fa.set_num_threads(before)
    assert found[0] == found[1]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_products_write_nothing_beside_the_result(dtype: np.dtype) -> None:
    memory = np.full(40 * 21 + 64, 7, dtype)
    out = memory[32 : 32 + 40 * 21].reshape(40, 21)
    step.product(compile_tile(dtype), numbers(0, 40, 9, dtype=dtype), numbers(1, 9, 21, dtype=dtype), None, out)
    assert (memory[:32] == 7).all()
    assert (memory[-32:] == 7).all()


def test_a_product_of_nothing_is_its_start() -> None:
    out, bias = np.full((3, 5), np.nan), np.arange(5.0)
    step.product(compile_tile(out.dtype), np.empty((3, 0)), np.empty((0, 5)), bias, out)
    assert (out == bias).all()


@pytest.mark.parametrize("name", ["generic", "haswell"])
def test_products_for_other_processors(python: Any, name: str) -> None:
    """Vectors of 16 and of 32 bytes."""
    code = """
import numpy as np
from fastact._kernels.compile.products import compile_tile
from fastact._kernels.native import step
r = np.random.default_rng(0)
for dtype in (np.float32, np.float64):
    for rows, inner, columns in [(4, 2, 4), (7, 300, 5), (33, 70, 37)]:
        x, w, out = (r.standard_normal(s).astype(dtype) for s in [(rows, inner), (inner, columns), (rows, columns)])
        step.product(compile_tile(np.dtype(dtype)), x, w, None, out)
        np.testing.assert_allclose(out, x @ w, rtol=1e-3, atol=1e-4)
print(compile_tile(np.dtype(np.float32)).lanes)
"""
    assert python(code, NUMBA_CPU_NAME=name).split() == [{"generic": "4", "haswell": "8"}[name]]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(1, 1), (5, 1), (1, 7), (32, 10), (33, 130)])
def test_column_sums(dtype: np.dtype, shape: tuple[int, int]) -> None:
    a, out = numbers(0, *shape, dtype=dtype), np.full(shape[1], np.nan, dtype)
    step.sums(a, out)
    wanted = a.astype(np.float64).sum(axis=0)
    assert (abs(out - wanted) <= len(a) * np.finfo(dtype).eps / 2 * abs(a.astype(np.float64)).sum(axis=0)).all()


def made(rows: int = 4, dtype: Any = np.float32) -> step.Step:
    return step.Step(np.dtype(dtype), rows, compile_tile(np.dtype(dtype)))


@pytest.mark.parametrize("samples", [1, 2, 4, 100, 1437, 70000])
def test_samples_are_shuffled_as_numpy_shuffles(samples: int) -> None:
    ours, numpys = np.random.default_rng(3), np.random.default_rng(3)
    order, history = np.empty(samples, np.intp), np.empty((2, 3))
    made(samples).run(ours.bit_generator.capsule, order, None, 2, 0, [], [], history)
    numpys.permutation(samples)
    assert (order == numpys.permutation(samples)).all()
    assert ours.bit_generator.state == numpys.bit_generator.state


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_masks(dtype: np.dtype) -> None:
    masks = [np.empty((1000, 100), dtype) for _ in range(4)]
    for out, (key, number, layer) in zip(masks, [(5, 1, 0), (5, 2, 0), (5, 1, 1), (6, 1, 0)], strict=True):
        step.mask(out, 0.25, key, number, layer)
        assert set(np.unique(out)) == {dtype.type(0), dtype.type(1 / 0.75)}
        assert abs((out == 0).mean() - 0.25) < 5 * np.sqrt(0.25 * 0.75 / out.size)  # five standard deviations
    kept = np.array([out.ravel() != 0 for out in masks], float)
    correlation = np.corrcoef(kept) - np.eye(4)
    assert abs(correlation).max() < 5 / np.sqrt(masks[0].size)
    rows = np.corrcoef(kept[0].reshape(1000, 100).T) - np.eye(100)
    assert abs(rows).max() < 6 / np.sqrt(1000)


def test_norms() -> None:
    x = np.array([3.0, 4.0])
    assert step.clip_factor(x, 10.0) == 1
    assert step.clip_factor(x, 5.0) == 1
    assert step.clip_factor(x, 2.5) == 0.5


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_an_epoch_that_ends_with_infinite_numbers_is_undone(dtype: np.dtype, wrong: float) -> None:
    source, kept = np.array([[1.0], [2.0], [wrong]], dtype), np.array([[5.0]], dtype)
    one = made(1, dtype)
    one.gather(source, kept)  # each step writes a sample over it
    order, history = np.empty(3, np.intp), np.empty((4, 3))
    one.run(None, order[:2], None, 4, 0, [kept], [np.empty_like(kept)], history)
    assert one.ended == 4
    assert kept == 2
    one.run(None, order, None, 4, 0, [kept], [np.empty_like(kept)], history)
    assert one.ended == 0
    assert kept == 2
