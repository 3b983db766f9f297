"""Masks, lengths, temperatures, dtypes and logsumexp, against sums over single rows in extended precision.

The reference sees a mask as the list of the elements that count, so nothing under it can reach a result.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from typing import Any

import ml_dtypes
import mpmath
import numpy as np
import pytest

import fastact as fa
from fastact.backends.cpu import instruction_sets
from helpers.softmax_cases import each_instruction_set

BACKENDS = ["cython", "serial", "numpy"]
KINDS = ["softmax", "log_softmax", "softmin"]
WIDE = np.longdouble if np.finfo(np.longdouble).nmant > 60 else np.float64
HALVES = [np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)]
SINGLES = [np.dtype(np.float32), np.dtype(np.float64)]
SHAPES = [  # every loop of the kernels: short rows, rows, long rows, strips, groups of them
    ((37, 10), 1), ((5, 64), 1), ((6, 65), 1), ((4, 3, 200), 2), ((2, 70_003), 1), ((1, 100_000), 1), ((50, 64), 0),
    ((4, 30, 45), 1), ((7, 50, 3), 1), ((6, 4, 5), (0, 2)), ((6, 4, 5), None),
]  # fmt: skip


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=instruction_sets.available())
def isa(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(instruction_sets, "kernels", instruction_sets.load(request.param))
    return request.param


def numbers(shape: tuple[int, ...], dtype: Any = np.float64, scale: float = 3, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).normal(size=shape) * scale).astype(dtype)


def rows(x: np.ndarray, axis: Any) -> np.ndarray:
    """A view or copy of x as (rows, elements of `axis`)."""
    axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    axes = [a % x.ndim for a in axes]
    order = [a for a in range(x.ndim) if a not in axes] + axes
    return x.transpose(order).reshape(-1, math.prod(x.shape[a] for a in axes))


def reference(kind: str, x: np.ndarray, axis: Any, mask: np.ndarray | None = None) -> np.ndarray:
    """The exact result by rows, in extended precision, from the elements that count alone."""
    table = rows(x, axis).astype(WIDE) * (-1 if kind == "softmin" else 1)
    keep = np.ones(table.shape, bool) if mask is None else rows(np.broadcast_to(mask, x.shape), axis)
    result = np.full(table.shape, -np.inf if kind == "log_softmax" else 0, WIDE)
    for row, kept, target in zip(table, keep, result, strict=True):
        values = row[kept]
        if not values.size:
            continue
        if not values.max() < np.inf or values.max() == -np.inf:
            target[kept] = np.nan
            continue
        shifted = values - values.max()
        first = np.argmax(shifted)
        rest = np.delete(np.exp(shifted), first).sum()
        target[kept] = shifted - np.log1p(rest) if kind == "log_softmax" else np.exp(shifted) / (1 + rest)
    return result


def ulps(result: np.ndarray, wanted: np.ndarray) -> float:
    """The largest error in units in the last place; NaN and infinities must be the same."""
    assert np.array_equal(np.isnan(result), np.isnan(wanted))
    special = ~np.isfinite(wanted)
    np.testing.assert_array_equal(result[special].astype(WIDE), wanted[special])
    if special.all():
        return 0.0
    ours, theirs = result[~special], wanted[~special]
    quantum = np.abs(np.spacing(np.abs(theirs).astype(result.dtype)).astype(WIDE))
    return float(np.max(np.abs(ours.astype(WIDE) - theirs) / quantum))


def assert_same(a: np.ndarray, b: np.ndarray) -> None:
    """Check values and dtypes, also of bfloat16, for which NumPy's own assertion takes NaN as unequal."""
    assert a.dtype == b.dtype
    np.testing.assert_array_equal(a.astype(np.float64), b.astype(np.float64))


def bound(kind: str, dtype: Any, backend: str) -> float:
    """The documented bound, which plain NumPy keeps for half types alone."""
    return 0.51 if np.dtype(dtype).itemsize == 2 else 5000 if backend == "numpy" else 4


@pytest.mark.parametrize("dtype", [*HALVES, *SINGLES], ids=str)
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_mask(monkeypatch: pytest.MonkeyPatch, kind: str, shape: tuple[int, ...], axis: Any, dtype: Any) -> None:
    """Exact zeros under a mask of the whole shape, and of every shape that broadcasts, whatever x holds there."""
    x, keep = numbers(shape, dtype), numbers(shape, seed=1) > -2
    function = getattr(fa, kind)
    masks = [keep, keep[-1], keep[..., :1], keep[:1], keep.reshape(-1)[0], np.asfortranarray(keep)]
    for mask in masks:
        poisoned = np.where(mask, x, np.array([np.nan, np.inf], dtype)[numbers(shape, seed=2).astype(int) % 2])
        wanted = reference(kind, x, axis, mask)
        for _ in each_instruction_set(monkeypatch):
            given = poisoned.copy()
            result = function(given, axis, where=mask)
            assert result.dtype == dtype
            assert ulps(rows(result, axis), wanted) <= bound(kind, dtype, "cython")
            assert_same(given, poisoned)
            assert_same(function(given, axis, mask, out=given), result)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
def test_mask_on_the_numpy_backend(kind: str, shape: tuple[int, ...], axis: Any) -> None:
    x, mask = numbers(shape), numbers(shape, seed=1) > -2
    poisoned = np.where(mask, x, np.nan)
    y = getattr(fa, kind)(poisoned, axis, where=mask, backend="numpy")
    np.testing.assert_allclose(y, getattr(fa, kind)(poisoned, axis, where=mask), rtol=1e-12)
    g = np.where(mask, numbers(shape, seed=3), np.inf)
    arguments = g, np.where(mask, y, np.nan), axis, mask
    theirs, ours = (getattr(fa, kind).backward(*arguments, backend=name) for name in ("numpy", "cython"))
    np.testing.assert_allclose(theirs, ours, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("dtype", SINGLES, ids=str)
@pytest.mark.parametrize("n", [3, 40, 64, 65, 300, 70_000])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("kind", KINDS)
def test_special_rows(monkeypatch: pytest.MonkeyPatch, kind: str, axis: int, n: int, dtype: Any) -> None:
    """A row without elements, rows of -inf, and NaN or +inf that count: what is masked stays 0."""
    sign = -1 if kind == "softmin" else 1
    x, mask = numbers((7, n), dtype), numbers((7, n), seed=1) > -1
    mask[:, 0], mask[:, n // 2], mask[:, n - 1] = True, True, False
    mask[0] = False
    x[1] = -np.inf * sign
    x[2, n // 2] = np.nan
    x[3, 0] = np.inf * sign
    x[4, 0] = -np.inf * sign
    x[5] = np.nan
    x[6, n - 1] = np.nan
    wanted = reference(kind, x, 1, mask)
    if not axis:
        x, mask = np.ascontiguousarray(x.T), np.ascontiguousarray(mask.T)
    for isa in each_instruction_set(monkeypatch):
        for each in BACKENDS if isa == instruction_sets.available()[0] else ["cython"]:
            y = getattr(fa, kind)(x, axis, where=mask, backend=each)
            assert ulps(rows(y, axis), wanted) <= bound(kind, dtype, each)
            gradient = getattr(fa, kind).backward(np.where(mask, x, np.nan), y, axis, where=mask, backend=each)
            assert not gradient[~mask].any()


def masks_in_words(shape: tuple[int, ...]) -> list[tuple[dict[str, Any], np.ndarray]]:
    """Pairs of arguments and the mask that they stand for."""
    rng, n, causal = np.random.default_rng(0), shape[-1], np.tril(np.ones(shape[-2:], bool))
    cases: list[tuple[dict[str, Any], np.ndarray]] = [({"where": "causal"}, causal)]
    for i in range(1, len(shape)):
        lengths = rng.integers(0, n + 1, shape[:i])
        keep = np.arange(n) < lengths.reshape(lengths.shape + (1,) * (len(shape) - i))
        other = numbers(shape[-2:], seed=5) > 0
        cases += [
            ({"lengths": lengths}, keep),
            ({"lengths": lengths.tolist(), "where": "causal"}, causal & keep),
            ({"lengths": lengths, "where": other}, other & keep),
        ]
    return cases


@pytest.mark.parametrize("dtype", [*HALVES, *SINGLES], ids=str)
@pytest.mark.parametrize("shape", [(3, 2, 10, 10), (2, 5, 64, 64), (3, 100, 100), (5, 40), (40, 5), (2, 70, 200)])
@pytest.mark.parametrize("kind", KINDS)
def test_causal_and_lengths(kind: str, shape: tuple[int, ...], dtype: Any) -> None:
    function, g = getattr(fa, kind), numbers(shape, dtype, seed=1)
    for arguments, mask in masks_in_words(shape):
        x = np.where(mask, numbers(shape), np.nan).astype(dtype)
        exact = reference(kind, x, -1, mask)
        for backend in BACKENDS:
            y = function(x, -1, backend=backend, **arguments)
            assert ulps(rows(y, -1), exact) <= bound(kind, dtype, backend)
            gradient = function.backward(g, y, -1, backend=backend, **arguments)
            assert not gradient[~np.broadcast_to(mask, shape)].any()
            wanted = function.backward(g, y, -1, where=mask, backend=backend)
            rtol, atol = (1e-2, 1e-3) if dtype.itemsize == 2 else (1e-4, 1e-6)
            np.testing.assert_allclose(gradient.astype(float), wanted.astype(float), rtol, atol)


@pytest.mark.parametrize("shape", [(3, 2, 10, 10), (3, 100, 100), (40, 5)])
def test_logsumexp_of_causal_and_lengths(backend: str, shape: tuple[int, ...]) -> None:
    for arguments, mask in masks_in_words(shape):
        x = np.where(mask, numbers(shape), np.nan)
        value, wanted = (
            fa.logsumexp(x, -1, **arguments, backend=backend),
            fa.logsumexp(x, -1, where=mask, backend="numpy"),
        )
        np.testing.assert_allclose(value, wanted, rtol=1e-14, atol=1e-15)
        gradient = fa.logsumexp.backward(wanted, x, -1, **arguments, backend=backend)
        expected = fa.logsumexp.backward(wanted, x, -1, where=mask, backend="numpy")
        np.testing.assert_allclose(gradient, expected, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_lengths_along_any_axis(backend: str, axis: int) -> None:
    x = numbers((6, 7, 8))
    moved = np.moveaxis(x, axis, -1)
    lengths = np.random.default_rng(0).integers(0, moved.shape[-1] + 1, moved.shape[:-1])
    wanted = fa.softmax(moved, lengths=lengths, backend=backend)
    np.testing.assert_allclose(
        fa.softmax(x, axis, lengths=lengths, backend=backend), np.moveaxis(wanted, -1, axis), rtol=1e-14
    )


@pytest.mark.parametrize("dtype", [*HALVES, *SINGLES], ids=str)
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_temperature(monkeypatch: pytest.MonkeyPatch, kind: str, shape: tuple[int, ...], axis: Any, dtype: Any) -> None:
    """What x / temperature gives: numbers, powers of two, one for each row, one for each element."""
    x = numbers(shape, dtype)
    wide = np.float32 if dtype.itemsize < 8 else np.float64
    several = np.exp(numbers(shape, scale=0.5))
    for temperature in (0.5, 3.0, several[..., :1], several[:1], several):
        scaled = x.astype(wide) / np.asarray(temperature).astype(wide)
        wanted = reference(kind, scaled, axis)
        plain = getattr(fa, kind)(x, axis, temperature=temperature, backend="numpy").astype(float)
        for _ in each_instruction_set(monkeypatch):
            result = getattr(fa, kind)(x, axis, temperature=temperature)
            assert result.dtype == dtype
            assert ulps(rows(result, axis), wanted) <= bound(kind, dtype, "cython")
            rtol = 1e-2 if dtype.itemsize == 2 else 1e-3
            np.testing.assert_allclose(plain, result.astype(float), rtol=rtol, atol=1e-6)


@pytest.mark.parametrize("kind", [*KINDS, "logsumexp"])
@pytest.mark.parametrize("axis", [0, 1, (0, 2), None])
def test_backward_is_the_derivative(backend: str, kind: str, axis: Any) -> None:
    """Through a mask and a temperature, against central differences of sum(g * f(x)); exactly 0 under the mask."""
    function, x, h = getattr(fa, kind), numbers((3, 5, 4), scale=1), 1e-5
    mask = numbers((3, 5, 4), seed=1) > -2
    settings = {"where": mask, "temperature": np.exp(numbers((5, 1), scale=0.2)), "backend": backend}
    y = function(x, axis, **settings)
    g = numbers(np.shape(y), scale=1, seed=2)
    gradient = function.backward(g, x if kind == "logsumexp" else y, axis, **settings)
    assert not gradient[~mask].any()
    fill = {"log_softmax": 0}
    for i in zip(*np.nonzero(mask), strict=True):
        step = np.zeros_like(x)
        step[i] = h
        ends = [np.nan_to_num(function(x + s, axis, **settings), neginf=fill.get(kind, 0)) for s in (step, -step)]
        assert gradient[i] == pytest.approx((g * (ends[0] - ends[1])).sum() / (2 * h), abs=1e-8)


@pytest.mark.parametrize("dtype", [*HALVES, *SINGLES], ids=str)
@pytest.mark.parametrize("result_dtype", [*HALVES, *SINGLES], ids=str)
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
def test_dtype(shape: tuple[int, ...], axis: Any, dtype: Any, result_dtype: Any) -> None:
    """x is not rounded to dtype on the way in, and the result is rounded once."""
    x = numbers(shape, dtype)
    for kind in KINDS:
        wanted = reference(kind, x, axis)
        for each in BACKENDS:
            result = getattr(fa, kind)(x, axis, dtype=result_dtype, backend=each)
            assert result.dtype == result_dtype
            assert ulps(rows(result, axis), wanted) <= bound(kind, result_dtype, each)
        out = np.empty(shape, result_dtype)
        assert getattr(fa, kind)(x, axis, dtype=result_dtype, out=out) is out
        assert ulps(rows(out, axis), wanted) <= bound(kind, result_dtype, "cython")


@pytest.mark.parametrize("dtype", HALVES, ids=str)
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_half_types_backward(isa: str, kind: str, shape: tuple[int, ...], axis: Any, dtype: Any) -> None:
    """The result is that of the float32 kernels, rounded once."""
    function, g = getattr(fa, kind), numbers(shape, dtype, seed=1)
    y = function(numbers(shape, dtype), axis)
    wanted = function.backward(g.astype(np.float32), y.astype(np.float32), axis).astype(dtype)
    assert_same(function.backward(g, y, axis), wanted)
    assert_same(function.backward(g, y, axis, out=y), wanted)


@pytest.mark.parametrize("dtype", [*HALVES, *SINGLES], ids=str)
@pytest.mark.parametrize("shape", [(3000, 20), (500, 100), (60, 1000), (2, 70_003), (40, 50, 30)])
def test_threads_do_not_change_bits(shape: tuple[int, ...], dtype: Any) -> None:
    x, mask, before = numbers(shape, dtype), numbers(shape, seed=1) > -1, fa.get_num_threads()
    results = []
    try:
        for threads in (1, 2):
            fa.set_num_threads(threads)
            y = fa.softmax(x, 1, where=mask, temperature=3.0)
            gradient = fa.softmax.backward(x, y, 1, where=mask)
            results.append([each.tobytes() for each in (y, gradient, fa.logsumexp(x, 1, where=mask))])
    finally:
        fa.set_num_threads(before)
    assert results[0] == results[1]


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.int16, np.uint16, np.int32, np.int64, np.uint64])
def test_integers(backend: str, dtype: Any) -> None:
    x = np.array([[0, 1, 100], [1, 0, 1]]).astype(dtype)
    for kind in KINDS:
        result = getattr(fa, kind)(x, backend=backend)
        assert result.dtype == np.exp(np.zeros_like(x)).dtype
        assert ulps(result, reference(kind, x, -1)) <= bound(kind, result.dtype, backend)
    np.testing.assert_array_equal(fa.softmin(np.array([3, 5], np.uint8)), fa.softmin(np.array([3, 5], np.float16)))


# logsumexp


@pytest.mark.parametrize("dtype", [*HALVES, *SINGLES], ids=str)
@pytest.mark.parametrize(("shape", "axis"), [*SHAPES, ((3, 1), 1), ((5, 3), ())])
@pytest.mark.parametrize("scale", [1, 30, 1000])
def test_logsumexp(isa: str, shape: tuple[int, ...], axis: Any, dtype: Any, scale: float) -> None:
    x = numbers(shape, dtype, scale)
    table = rows(x, axis).astype(WIDE) if axis != () else x.astype(WIDE).reshape(-1, 1)
    top = table.max(-1)
    wanted = top + np.log(np.exp(table - top[:, None]).sum(-1))
    size = np.spacing(np.maximum(np.abs(wanted), np.abs(top)).astype(dtype)).astype(WIDE)
    for each in BACKENDS:
        result = fa.logsumexp(x, axis, backend=each)
        assert result.dtype == dtype
        assert np.all(np.abs(np.reshape(result, -1).astype(WIDE) - wanted) <= (2 if dtype.itemsize > 2 else 0.6) * size)
    kept = fa.logsumexp(x, axis, keepdims=True)
    assert kept.shape == x.max(axis, keepdims=True).shape
    np.testing.assert_array_equal(np.reshape(kept, -1), np.reshape(fa.logsumexp(x, axis), -1))
    out = np.empty(np.shape(fa.logsumexp(x, axis)), dtype)
    assert fa.logsumexp(x, axis, out=out) is out
    np.testing.assert_array_equal(out, fa.logsumexp(x, axis))


@pytest.mark.parametrize("n", [3, 64, 65, 70_000])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("dtype", SINGLES, ids=str)
def test_logsumexp_specials(isa: str, axis: int, n: int, dtype: Any) -> None:
    x = numbers((7, n), dtype)
    x[0] = -np.inf
    x[1, n // 2] = np.nan
    x[2, n - 1] = np.inf
    x[3, :2] = np.inf
    x[4, 0], x[4, 1] = np.inf, -np.inf
    x[5, 0], x[5, 1] = np.inf, np.nan
    x[6, 0] = -np.inf
    data = x if axis else np.ascontiguousarray(x.T)
    for each in BACKENDS:
        value, sign = fa.logsumexp(data, axis, return_sign=True, backend=each)
        np.testing.assert_array_equal(value[:6], [-np.inf, np.nan, np.inf, np.inf, np.inf, np.nan])
        np.testing.assert_array_equal(sign, [0, np.nan, 1, 1, 1, np.nan, 1])
        assert np.isfinite(value[6])
        hidden = fa.logsumexp(data, axis, where=np.zeros(data.shape, bool), backend=each)
        np.testing.assert_array_equal(hidden, np.full(7, -np.inf))


def test_logsumexp_of_nothing(backend: str) -> None:
    """As in SciPy, the logarithm of an empty sum is -inf."""
    assert fa.logsumexp([], backend=backend) == -np.inf
    np.testing.assert_array_equal(fa.logsumexp(np.empty((3, 0)), 1, backend=backend), np.full(3, -np.inf))
    assert fa.logsumexp(np.empty((3, 0), np.float32), 0, backend=backend).shape == (0,)
    assert fa.logsumexp(np.empty((3, 0), np.float32), 1, keepdims=True, backend=backend).shape == (3, 1)


def test_weights() -> None:
    """b against mpmath, with signs that cancel and one element that dominates."""
    rng = np.random.default_rng(0)
    for case in range(20):
        x, b = rng.normal(size=(4, 9)) * 10, rng.normal(size=(4, 9))
        b[case % 4, case % 9] = 0
        x[case % 4, case % 9] = np.nan
        value, sign = fa.logsumexp(x, 1, b=b, return_sign=True)
        for i in range(4):
            with mpmath.workdps(50):
                terms = [mpmath.mpf(w) * mpmath.exp(mpmath.mpf(v)) for v, w in zip(x[i], b[i], strict=True) if w]
                total = mpmath.fsum(terms)
                condition = float(mpmath.fsum(abs(term) for term in terms) / abs(total))
                assert value[i] == pytest.approx(float(mpmath.log(abs(total))), abs=1e-14 * max(condition, 10))
                assert sign[i] == (1 if total > 0 else -1)
        plain = fa.logsumexp(x, 1, b=b)
        np.testing.assert_array_equal(plain, np.where(sign < 0, np.nan, value))
    assert fa.logsumexp([0.0, 0.0], b=[1, -1], return_sign=True) == (-np.inf, 0)
    assert fa.logsumexp([np.inf], b=[-1.0], return_sign=True) == (np.inf, -1)
    assert np.isnan(fa.logsumexp([np.inf, np.inf], b=[-1.0, 1.0]))
    assert fa.logsumexp([1.0, np.nan], b=[2.0, 3.0], where=[True, False]) == pytest.approx(1 + math.log(2))
    assert fa.logsumexp(np.zeros((4, 1, 2)), b=np.ones((1, 3, 1)), axis=1).shape == (4, 2)
    assert fa.logsumexp(np.ones(2, np.float32), b=np.ones(2, np.float32)).dtype == np.float32
    assert fa.logsumexp([], b=[], return_sign=True) == (-np.inf, 0)


def test_logsumexp_backward_takes_both_shapes(backend: str) -> None:
    x, g = numbers((3, 4)), numbers((3,), seed=1)
    wanted = g[:, None] * fa.softmax(x)
    for grad in (g, g[:, None]):
        np.testing.assert_allclose(fa.logsumexp.backward(grad, x, 1, backend=backend), wanted, rtol=1e-14)
    assert fa.logsumexp.backward(1.0, 3.0, backend=backend) == 1.0
    assert fa.logsumexp.backward(1.0, np.ones(2, np.float32), backend=backend).dtype == np.float32
    assert fa.logsumexp.backward(np.float64(1), np.ones(2, np.float32), backend=backend).dtype == np.float64
    with pytest.raises(ValueError, match=r"grad_output has shape \(4,\)"):
        fa.logsumexp.backward(np.ones(4), x, 1)


# Errors


ERRORS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"where": np.ones((2, 3), int)}, TypeError, "where has dtype int64; pass a boolean mask"),
    ({"where": np.ones((2, 2), bool)}, ValueError, r"where of shape \(2, 2\) does not broadcast to x"),
    ({"where": np.ones((1, 2, 3), bool)}, ValueError, r"where of shape \(1, 2, 3\) does not broadcast"),
    ({"where": "casual"}, fa.UnknownNameError, "where='casual'; did you mean 'causal'"),
    ({"where": "causal", "axis": 0}, ValueError, "where='causal' goes with the last axis"),
    ({"where": "causal", "axis": (0, 1)}, ValueError, "where='causal' goes with the last axis"),
    ({"lengths": [1.0, 2.0]}, TypeError, "lengths has dtype float64; pass integers"),
    ({"lengths": [1, 2, 3]}, ValueError, r"lengths of shape \(3,\) does not fit x of shape \(2, 3\) without axis 1"),
    ({"lengths": [1, 4]}, ValueError, r"lengths\[1\] is 4; axis 1 has from 0 to 3"),
    ({"lengths": [-1, 4]}, ValueError, r"lengths\[0\] is -1"),
    ({"lengths": [1, 1], "axis": (0, 1)}, ValueError, r"lengths goes with one axis, not \(0, 1\)"),
    ({"temperature": 0.0}, ValueError, "temperature holds 0.0; it must be positive"),
    ({"temperature": [1, np.nan, 1]}, ValueError, "temperature holds nan"),
    ({"temperature": [1, 2]}, ValueError, r"temperature of shape \(2,\) does not broadcast"),
    ({"dtype": int}, TypeError, "dtype is int64; it must be one of float16, bfloat16, float32, float64"),
    ({"dtype": np.float64, "out": np.empty((2, 3), np.float32)}, TypeError, "out has dtype float32"),
    ({"axis": 2}, np.exceptions.AxisError, "axis 2 is out of bounds"),
    ({"axis": (0, -2)}, ValueError, "repeated axis"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "error", "match"), ERRORS)
@pytest.mark.parametrize("kind", [*KINDS, "logsumexp"])
def test_errors(kind: str, arguments: dict[str, Any], error: type[Exception], match: str) -> None:
    function: Callable[..., Any] = getattr(fa, kind)
    if kind == "logsumexp" and "out" in arguments:
        arguments = {**arguments, "out": np.empty(2, np.float32)}
    with pytest.raises(error, match=match):
        function(np.zeros((2, 3), np.float32), **{"axis": -1, **arguments})


def test_logsumexp_errors() -> None:
    x = np.zeros((2, 3))
    with pytest.raises(ValueError, match=r"out has shape \(2, 1\), the result \(2,\)"):
        fa.logsumexp(x, 1, out=np.empty((2, 1)))
    with pytest.raises(TypeError, match="no out or dtype together with b"):
        fa.logsumexp(x, 1, b=x, out=np.empty(2))
    with pytest.raises(ValueError, match="do not broadcast together"):
        fa.logsumexp(x, 1, b=np.ones(4))
    with pytest.raises(TypeError, match="not supported for the input types"):
        fa.logsumexp(np.zeros(3, complex))


def test_explain_and_pickle() -> None:
    assert "rows of (1, 12, 1)" in fa.explain(fa.logsumexp, numbers((3, 4)))
    assert "rows of (3, 400, 1)" in fa.explain(fa.softmin, numbers((3, 400)), where="causal")
    assert "rows of (3, 400, 1)" in fa.explain(fa.logsumexp, numbers((3, 400)), axis=1)
    for function in (fa.softmin, fa.logsumexp):
        assert pickle.loads(pickle.dumps(function)) is function


def test_scalars(backend: str) -> None:
    assert fa.softmin(3, backend=backend) == 1
    assert fa.softmax(3.0, where=False, backend=backend) == 0
    assert fa.logsumexp(np.float32(3), backend=backend) == 3
    assert isinstance(fa.logsumexp(np.float32(3), backend=backend), np.float32)
    assert fa.softmax(ml_dtypes.bfloat16(2), backend=backend) == 1


@pytest.mark.parametrize("dtype", ["f4", "f8", "f2"])
@pytest.mark.parametrize("inner", [8, 16, 17, 31, 33, 63, 64, 65])
def test_short_columns_are_short_rows(isa: str, inner: int, dtype: str) -> None:
    """Bit for bit, where vectors straddle blocks too, with what is not finite on both sides, into a larger array."""
    for n in 1, 2, 5, 64:
        if n * inner > 4096:
            continue
        x = numbers((11, n, inner), dtype)
        x[::3, 0, -1], x[1::3, 0, 0], x[2, :, 0] = np.nan, np.inf, -np.inf
        rows = np.ascontiguousarray(np.moveaxis(x, 1, -1))
        for function in fa.softmax, fa.log_softmax, fa.softmin:
            around = np.full((13, n, inner), 7, dtype)
            function(x, axis=1, out=around[1:12], backend="cython")
            wanted = np.moveaxis(function(rows, axis=-1, backend="cython"), -1, 1)
            np.testing.assert_array_equal(around[1:12], wanted)
            zero = wanted == 0
            np.testing.assert_array_equal(np.signbit(around[1:12][zero]), np.signbit(wanted[zero]))
            assert (around[[0, 12]] == 7).all()
        np.testing.assert_array_equal(
            fa.logsumexp(x, axis=1, backend="cython"), fa.logsumexp(rows, axis=-1, backend="cython")
        )
