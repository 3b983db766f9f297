"""sparsemax, entmax15, hardmax and gumbel_softmax: against their definitions in mpmath, and what must always hold."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from typing import Any

import ml_dtypes
import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastact as fa
from fastact.backends.cpu import over_rows
from helpers.arrays import assert_in_place_and_overlap
from helpers.sparse_cases import POWERS, ROWS, exact, largest_error, numbers

KINDS = [*POWERS, "hardmax"]
BACKENDS = ["serial", "threads", "parallel", "numpy"]
HALVES = [np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)]
SINGLES = [np.dtype(np.float32), np.dtype(np.float64)]
SHAPES = [  # slabs of rows in place, slabs along any axis, one slab alone
    ((1, 10), 1), ((37, 10), 1), ((3, 1), 1), ((5, 65), 1), ((3, 1003), 1), ((1, 70_003), 1), ((350, 100), 1),
    ((50, 64), 0), ((4, 30, 15), 1), ((40, 5, 2), 1), ((1100, 70), 0), ((3, 200, 60), 1), ((6, 4, 5), (0, 2)),
    ((6, 4, 5), None), ((5, 3), ()),
]  # fmt: skip


@pytest.fixture(params=KINDS)
def function(request: pytest.FixtureRequest) -> Any:
    return getattr(fa, request.param)


@pytest.fixture(params=POWERS)
def projection(request: pytest.FixtureRequest) -> Any:
    return getattr(fa, request.param)


def table(x: np.ndarray, axis: Any) -> np.ndarray:
    """x as (rows, elements of `axis`), C-contiguous."""
    axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    axes = [a % x.ndim for a in axes]
    order = [a for a in range(x.ndim) if a not in axes] + axes
    return np.ascontiguousarray(x.transpose(order).reshape(-1, math.prod(x.shape[a] for a in axes)))


@pytest.mark.parametrize("dtype", SINGLES, ids=str)
@pytest.mark.parametrize("row", ROWS)
def test_error(projection: Any, row: str, dtype: Any) -> None:
    power = POWERS[projection.name]
    x = ROWS[row](power, dtype)
    with mpmath.workdps(700 if row in ("farther", "largest", "subnormal") else 100):
        y = projection(x)
        assert y.dtype == dtype
        wanted = exact(x, y, power)
        assert largest_error(y, wanted) <= projection.max_ulp
        assert abs(mpmath.fsum(map(float, y)) - 1) <= 2 * np.finfo(dtype).eps
        assert abs(mpmath.fsum(wanted) - 1) < 1e-80


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_error_of_half_types(projection: Any, dtype: Any) -> None:
    x = numbers(200, dtype)
    y = projection(x)
    assert y.dtype == dtype
    wide = projection(x.astype(float))
    assert np.all(np.abs(y.astype(float) - wide) <= 0.51 * np.spacing(wide.astype(dtype)).astype(float))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
@pytest.mark.parametrize("dtype", [*HALVES, *SINGLES], ids=str)
def test_axes(function: Any, shape: tuple[int, ...], axis: Any, dtype: Any, backend: str) -> None:
    """Any axes give the bits of the rows of a table; plain NumPy agrees within its rounding."""
    x, g = numbers(shape, dtype), numbers(shape, dtype, seed=1)
    rows = table(x, axis).astype(np.float64 if dtype.itemsize == 8 else np.float32)
    wanted = np.stack([function(row, backend="serial") for row in rows]).astype(dtype)
    y = function(x, axis, backend=backend)
    assert y.shape == shape
    assert y.dtype == dtype
    gradient = function.backward(g, y, axis, backend=backend)
    expected = np.stack(
        [
            function.backward(*(each.astype(rows.dtype) for each in pair), backend="serial")
            for pair in zip(table(g, axis), table(y, axis), strict=True)
        ]
    ).astype(dtype)
    if backend == "numpy":
        eps = {2: 8e-3, 4: 3e-3, 8: 1e-11}[dtype.itemsize]
        np.testing.assert_allclose(table(y, axis).astype(float), wanted.astype(float), atol=eps)
        np.testing.assert_allclose(table(gradient, axis).astype(float), expected.astype(float), atol=8 * eps)
    else:
        np.testing.assert_array_equal(table(y, axis), wanted)
        np.testing.assert_array_equal(table(gradient, axis), expected)


@pytest.mark.parametrize("axis", [0, 1, 2, (0, 1), (0, 2)])
def test_slabs_along_any_axis(function: Any, axis: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slabs may be cut by number, along the outermost axis in memory, or along the longest."""
    x = numbers((5, 12, 30))
    wanted = function(x, axis)
    for grain, most in ((1, 2**18), (1, 1), (100, 1), (10_000, 2**18)):
        monkeypatch.setattr(over_rows, "GRAIN", grain)
        monkeypatch.setattr(over_rows, "MOST_IN_SLAB", most)
        for layout in (x, np.asfortranarray(x), x.transpose(1, 0, 2).copy().transpose(1, 0, 2)):
            np.testing.assert_array_equal(function(layout, axis), wanted)
            np.testing.assert_array_equal(function(layout, axis, where=np.ones(30, bool)), wanted)


LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "Fortran": np.asfortranarray,
    "reversed": lambda x: x[..., ::-1].copy()[..., ::-1],
    "strided": lambda x: np.repeat(x, 2, axis=0)[::2],
    "swapped": lambda x: x.astype(x.dtype.newbyteorder()),
    "unaligned": lambda x: np.frombuffer(b"0" + x.tobytes(), np.uint8)[1:].view(x.dtype).reshape(x.shape),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("axis", [0, 1, 2, (0, 1), (2, 0), None, ()])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_layouts(function: Any, axis: Any, dtype: Any, layout: str) -> None:
    """Any layout, read-only, gives what the plain array gives, forward and backward; so does every kind of out."""
    plain = numbers((7, 20, 33), dtype)
    grad, x = numbers(plain.shape, dtype, seed=1), LAYOUTS[layout](plain)
    if layout != "unaligned":
        x.flags.writeable = False
    wanted = function(plain, axis)
    result = function(x, axis)
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, wanted)
    gradient = function.backward(grad, wanted, axis)
    np.testing.assert_array_equal(function.backward(LAYOUTS[layout](grad), LAYOUTS[layout](wanted), axis), gradient)
    for out in (np.empty_like(plain), np.empty(plain.shape, dtype, "F"), np.empty((7, 20, 66), dtype)[..., ::2]):
        assert function(x, axis, out=out) is out
        np.testing.assert_array_equal(out, wanted)
        assert function.backward(grad, wanted, axis, out=out) is out
        np.testing.assert_array_equal(out, gradient)
    np.testing.assert_array_equal(x, plain)


@pytest.mark.parametrize(("shape", "axis"), SHAPES)
def test_in_place_and_overlap(function: Any, shape: tuple[int, ...], axis: Any) -> None:
    x, grad = numbers(shape, np.float32), numbers(shape, np.float32, seed=1)
    assert_in_place_and_overlap(function, x, grad, axis)


# Backward


@pytest.mark.parametrize("dtype", SINGLES, ids=str)
@pytest.mark.parametrize("n", [1, 7, 100, 3000])
def test_gradient(projection: Any, n: int, dtype: Any) -> None:
    """By the Jacobian: diag(w) - w w' / sum(w) with w = y**(1 - 1 / power)."""
    g, y = numbers(n, dtype, seed=1), projection(numbers(n, dtype))
    weight = np.where(y > 0, y.astype(np.longdouble) ** (1 - 1 / np.longdouble(POWERS[projection.name])), 0)
    jacobian = np.diag(weight) - np.outer(weight, weight) / weight.sum()
    wanted, size = jacobian @ g.astype(np.longdouble), np.abs(jacobian) @ np.abs(g)
    assert np.all(np.abs(projection.backward(g, y) - wanted) <= 2 * np.finfo(dtype).eps * size)


@pytest.mark.parametrize("backend", ["serial", "numpy"])
@pytest.mark.parametrize("axis", [0, 1, (0, 2), None])
def test_backward_is_the_derivative(projection: Any, axis: Any, backend: str) -> None:
    """Against central differences of sum(g * f(x / T)), through a mask; exactly 0 under it."""
    x, g, h = numbers((3, 5, 4)), numbers((3, 5, 4), seed=2), 1e-6
    mask = numbers((3, 5, 4), seed=1) > -1
    arguments = {"where": mask, "temperature": np.exp(numbers((5, 1), scale=0.2)), "backend": backend}
    gradient = projection.backward(g, projection(x, axis, **arguments), axis, **arguments)
    assert not gradient[~mask].any()
    for i in zip(*np.nonzero(mask), strict=True):
        step = np.zeros_like(x)
        step[i] = h
        difference = g * (projection(x + step, axis, **arguments) - projection(x - step, axis, **arguments))
        assert gradient[i] == pytest.approx(difference.sum() / (2 * h), abs=1e-6)


@pytest.mark.parametrize("backend", ["serial", "numpy"])
def test_gradient_outside_the_support_is_0_and_not_read(projection: Any, backend: str) -> None:
    y = projection(numbers((30, 50)))
    g = np.where(y > 0, numbers(y.shape, seed=1), np.nan)
    gradient = projection.backward(g, y, backend=backend)
    assert not gradient[y == 0].any()
    assert np.isfinite(gradient).all()
    np.testing.assert_allclose(gradient.sum(-1), 0, atol=1e-14)


@pytest.mark.parametrize("backend", ["auto", "serial", "numpy"])
def test_hardmax_has_no_gradient(backend: str) -> None:
    y = fa.hardmax(numbers((4, 5)), backend=backend)
    y[2] = np.nan
    gradient = fa.hardmax.backward(np.full((4, 5), np.inf), y, backend=backend)
    np.testing.assert_array_equal(gradient, np.where(np.isnan(y), np.nan, 0))


# Masks, lengths, temperatures, dtypes


@pytest.mark.parametrize("dtype", [*HALVES, *SINGLES], ids=str)
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
def test_mask(function: Any, shape: tuple[int, ...], axis: Any, dtype: Any) -> None:
    """The elements that count give the bits that they give alone; the others exact zeros, whatever x holds."""
    x, keep = numbers(shape, dtype), numbers(shape, seed=1) > -0.5
    for mask in (keep, keep[-1], keep[..., :1], keep[:1], np.zeros(shape, bool)):
        poisoned = np.where(mask, x, np.array([np.nan, np.inf], dtype)[numbers(shape, seed=2).astype(int) % 2])
        result = function(poisoned, axis, where=mask)
        assert result.dtype == dtype
        whole = np.broadcast_to(mask, shape)
        for row, kept, y in zip(table(x, axis), table(whole, axis), table(result, axis), strict=True):
            assert not y[~kept].any()
            if kept.any():
                np.testing.assert_array_equal(y[kept], function(row[kept]))
        plain = function(poisoned, axis, where=mask, backend="numpy")
        np.testing.assert_allclose(plain.astype(float), result.astype(float), atol=8e-3 if dtype.itemsize < 8 else 1e-9)
        np.testing.assert_array_equal(function(poisoned, axis, mask, out=poisoned), result)


@pytest.mark.parametrize("backend", ["auto", "serial", "numpy"])
def test_causal_and_lengths(function: Any, backend: str) -> None:
    x, lengths = numbers((3, 8, 8)), np.array([0, 5, 8])
    causal, padded = np.tri(8, dtype=bool), np.arange(8) < lengths[:, None, None]
    for arguments, mask in (
        ({"where": "causal"}, causal),
        ({"lengths": lengths}, padded),
        ({"where": "causal", "lengths": lengths}, causal & padded),
    ):
        wanted = function(x, where=mask, backend=backend)
        np.testing.assert_array_equal(function(x, **arguments, backend=backend), wanted)
        gradient = function.backward(x, wanted, **arguments, backend=backend)
        np.testing.assert_array_equal(gradient, function.backward(x, wanted, where=mask, backend=backend))


@pytest.mark.parametrize("dtype", SINGLES, ids=str)
def test_temperature(function: Any, dtype: Any) -> None:
    x = numbers((6, 5, 40), dtype)
    several = np.exp(numbers((6, 5, 40), dtype))
    for temperature in (0.5, 3.0, several[..., :1], several[:, :1], several):
        scaled = x / np.asarray(temperature, dtype)
        for axis in (1, 2):
            y = function(x, axis, temperature=temperature)
            np.testing.assert_array_equal(y, function(scaled, axis))
            np.testing.assert_allclose(function(x, axis, temperature=temperature, backend="numpy"), y, atol=1e-5)


def test_dtype(function: Any) -> None:
    """x is not rounded to dtype on the way in, and the result is rounded once."""
    for dtype in (*HALVES, *SINGLES):
        x = numbers((9, 30), dtype)
        for wanted in (*HALVES, *SINGLES):
            wide = np.float64 if 8 in (dtype.itemsize, wanted.itemsize) else np.float32
            y = function(x, dtype=wanted)
            assert y.dtype == wanted
            np.testing.assert_array_equal(y, function(x.astype(wide)).astype(wanted))


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.int16, np.uint16, np.int32, np.int64, np.uint64])
def test_integers_promote_as_exp_does(function: Any, dtype: Any) -> None:
    x = np.array([[0, 1, 100], [1, 0, 1]]).astype(dtype)
    wanted = np.exp(np.zeros_like(x)).dtype
    assert function(x).dtype == wanted
    np.testing.assert_array_equal(function(x), function(x.astype(float)).astype(wanted))


# Special numbers and shapes


@pytest.mark.parametrize("backend", ["auto", "serial", "numpy"])
@pytest.mark.parametrize("dtype", SINGLES, ids=str)
@pytest.mark.parametrize("n", [3, 64, 100, 70_000])
def test_specials_stay_in_their_row(function: Any, n: int, dtype: Any, backend: str) -> None:
    x = numbers((6, n), dtype)
    x[0] = -np.inf
    x[1, n // 2] = np.nan
    x[2, n - 1] = np.inf
    x[3, 1] = -np.inf
    x[4, 0] = -np.float64(np.nan)
    y = function(x, backend=backend)
    assert np.isnan(y[[0, 1, 4]]).all()
    assert y[3, 1] == 0
    np.testing.assert_array_equal(y[2], np.arange(n) == n - 1 if function is fa.hardmax else np.full(n, np.nan))
    np.testing.assert_array_equal(y[[3, 5]], function(x[[3, 5]], backend=backend))
    assert np.isfinite(y[[3, 5]]).all()
    gradient = function.backward(numbers((6, n), dtype), y, backend=backend)
    assert np.isnan(gradient[[0, 1, 4]]).all()
    assert np.isfinite(gradient[[3, 5]]).all()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", [(0,), (0, 4), (4, 0), (2, 0, 3)])
def test_empty(function: Any, shape: tuple[int, ...], backend: str) -> None:
    for axis in (0, -1, None):
        result = function(np.empty(shape, np.float32), axis, backend=backend)
        assert result.shape == shape
        assert result.dtype == np.float32
        assert function.backward(result, result, axis, backend=backend).shape == shape


def test_scalars_and_lists(function: Any) -> None:
    assert function(3.0) == 1.0
    assert isinstance(function(np.float32(3)), np.float32)
    assert function(3.0, where=False) == 0
    assert function([0.0, 5.0]).tolist() == [0, 1]
    assert function.backward(2.0, 1.0) == 0


def test_known_values() -> None:
    """By hand: 0.5 + 0.3 - 2t = 1 for the sparse one, the roots of (c1 - t)^2 + (c2 - t)^2 = 1 for the other."""
    np.testing.assert_allclose(fa.sparsemax([0.5, 0.3, -2]), [0.6, 0.4, 0], rtol=1e-15)
    np.testing.assert_allclose(fa.entmax15([2.0, 0.0, -2.0]), [1, 0, 0], atol=1e-16)
    t = (1 - math.sqrt(7)) / 4  # of c = 0.5 and 0
    np.testing.assert_allclose(fa.entmax15([1.0, 0.0, -9]), [(0.5 - t) ** 2, t**2, 0], rtol=1e-15)
    np.testing.assert_array_equal(fa.hardmax([[3.0, 1, 3], [-0.0, 0.0, -1]]), [[1, 0, 0], [1, 0, 0]])


@pytest.mark.parametrize("dtype", [*HALVES, *SINGLES], ids=str)
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
def test_hardmax_is_argmax(shape: tuple[int, ...], axis: Any, dtype: Any) -> None:
    x = np.round(numbers(shape, dtype).astype(float)).astype(dtype)
    rows = table(x, axis)
    np.testing.assert_array_equal(table(fa.hardmax(x, axis), axis), np.arange(rows.shape[1]) == rows.argmax(1)[:, None])


# What must always hold


@pytest.mark.parametrize(("shape", "axis"), SHAPES)
def test_threads_do_not_change_bits(function: Any, shape: tuple[int, ...], axis: Any) -> None:
    x, before = numbers(shape, np.float32), fa.get_num_threads()
    results = set()
    try:
        for threads in (1, 2):
            fa.set_num_threads(threads)
            for backend in ("serial", "threads", "parallel"):
                y = function(x, axis, backend=backend)
                results.add((y.tobytes(), function.backward(x, y, axis, backend=backend).tobytes()))
    finally:
        fa.set_num_threads(before)
    assert len(results) == 1


FINITE = st.floats(-30, 30, width=32)


@settings(deadline=None, max_examples=200)
@given(row=st.lists(FINITE, min_size=1, max_size=70), shift=st.integers(-64, 64), seed=st.integers(0, 99))
def test_invariants(row: list[float], shift: int, seed: int) -> None:
    x = np.round(np.array(row) * 2**20) / 2**20  # so that shifts are exact
    order = np.random.default_rng(seed).permutation(len(x))
    for kind in KINDS:
        f = getattr(fa, kind)
        y = f(x)
        assert abs(math.fsum(y) - 1) <= 2 * np.finfo(float).eps
        assert np.all(y >= 0)
        assert y[np.argmax(x)] == y.max()
        if kind == "hardmax":
            continue
        np.testing.assert_array_equal(f(x[order]), y[order])  # equivariant under permutations
        np.testing.assert_array_equal(f(x + shift), y)  # invariant under shifts
        ranked = np.argsort(x, kind="stable")
        assert np.all(np.diff(y[ranked]) >= 0)  # monotone: the support is the largest elements
        assert not y[x <= x.max() - POWERS[kind]].any()
        if kind == "sparsemax":
            np.testing.assert_allclose(f(y), y, atol=1e-16)  # a projection
        assert np.count_nonzero(fa.sparsemax(x)) <= np.count_nonzero(y)


def test_between_softmax_and_hardmax(projection: Any) -> None:
    x = numbers((50, 20))
    np.testing.assert_array_equal(projection(x, temperature=1e-9), fa.hardmax(x))
    np.testing.assert_allclose(projection(x, temperature=1e9), np.full(x.shape, 1 / 20), rtol=1e-6)


# gumbel_softmax


def drawn(x: Any, seed: int = 0, *arguments: Any, **keywords: Any) -> Any:
    return fa.gumbel_softmax(x, np.random.default_rng(seed), *arguments, **keywords)


@pytest.mark.parametrize("dtype", [*HALVES, *SINGLES], ids=str)
@pytest.mark.parametrize("axis", [0, 1, (0, 1), None])
def test_gumbel(axis: Any, dtype: Any) -> None:
    """softmax of x plus the noise that the generator draws; hard samples are its hardmax."""
    x = numbers((30, 40), dtype)
    wide = np.float64 if dtype.itemsize == 8 else np.float32
    noise = -np.log(np.random.default_rng(0).standard_exponential(x.shape, wide))
    soft = drawn(x, 0, 0.7, axis=axis)
    assert soft.dtype == dtype
    np.testing.assert_array_equal(soft, fa.softmax(x + noise, axis, temperature=0.7, dtype=dtype))
    hard, same = drawn(x, 0, 0.7, True, axis=axis, return_soft=True)
    assert hard.dtype == dtype
    np.testing.assert_array_equal(same, soft)
    np.testing.assert_array_equal(hard, fa.hardmax(x + noise, axis))
    out = x.copy()
    for is_hard, wanted in ((False, soft), (True, hard)):
        out[...] = x
        assert drawn(out, 0, 0.7, is_hard, axis=axis, out=out) is out
        np.testing.assert_array_equal(out, wanted)


def test_gumbel_draws_from_softmax() -> None:
    """Hard samples of 5 categories: each as often as softmax says, within 5 standard deviations."""
    logits, count = np.array([0.0, 1.0, -1.0, 2.0, -np.inf]), 100_000
    samples = drawn(np.broadcast_to(logits, (count, 5)), hard=True)
    p = fa.softmax(logits)
    assert np.all(np.abs(samples.sum(0) - count * p) <= 5 * np.sqrt(count * p * (1 - p)))
    assert not np.array_equal(samples, drawn(np.broadcast_to(logits, (count, 5)), 1, hard=True))


def test_gumbel_backward_is_the_derivative() -> None:
    x, g, h = numbers((3, 4)), numbers((3, 4), seed=1), 1e-6
    mask = numbers((3, 4), seed=2) > -1
    hard, soft = drawn(x, 0, 0.6, True, where=mask, return_soft=True)
    assert hard[mask].sum() == 3
    assert not soft[~mask].any()
    gradient = fa.gumbel_softmax.backward(g, soft, 0.6, where=mask)
    for i in np.ndindex(3, 4):
        step = np.zeros_like(x)
        step[i] = h
        difference = g * (drawn(x + step, 0, 0.6, where=mask) - drawn(x - step, 0, 0.6, where=mask))
        assert gradient[i] == pytest.approx(difference.sum() / (2 * h), abs=1e-8)


def test_gumbel_noise_is_finite() -> None:
    class Zeros(np.random.Generator):
        def standard_exponential(self, size: Any = None, dtype: Any = np.float64) -> Any:  # type: ignore[override]
            return np.zeros(size, dtype)

    assert np.isfinite(fa.gumbel_softmax(np.zeros(3, np.float32), Zeros(np.random.PCG64()))).all()


def test_gumbel_of_lists_scalars_and_integers() -> None:
    assert drawn([1, 2, 3]).dtype == np.float64
    assert drawn(np.ones(2, np.uint8)).dtype == np.float16
    assert drawn(2.0) == 1
    assert drawn(np.empty((0, 3))).shape == (0, 3)
    assert drawn(np.zeros(3), dtype=np.float32).dtype == np.float32
    lengths = np.array([1, 3])
    assert np.count_nonzero(drawn(np.zeros((2, 4)), lengths=lengths), axis=1).tolist() == [1, 3]


# Errors and metadata


def test_wrong_arguments(function: Any) -> None:
    x = np.zeros((2, 3), np.float32)
    wrong: list[tuple[type[Exception], str, Callable[[], Any]]] = [
        (np.exceptions.AxisError, "out of bounds for array of dimension 2", lambda: function(x, 2)),
        (ValueError, "repeated axis", lambda: function(x, (0, -2))),
        (TypeError, f"ufunc '{function.name}' not supported", lambda: function(np.zeros(2, complex))),
        (ValueError, r"out has shape \(3, 2\)", lambda: function(x, out=np.zeros((3, 2), np.float32))),
        (TypeError, "out has dtype float64", lambda: function(x, out=np.zeros((2, 3)))),
        (ValueError, r"where of shape \(2, 2\) does not broadcast", lambda: function(x, where=np.ones((2, 2), bool))),
        (ValueError, "temperature holds 0.0", lambda: function(x, temperature=0.0)),
        (ValueError, r"grad_output has shape \(3,\)", lambda: function.backward(np.zeros(3), x)),
    ]
    if function is not fa.hardmax:
        wrong.append((fa.BackendError, "'cython' has no sparse functions", lambda: function(x, backend="cython")))
    for error, match, call in wrong:
        with pytest.raises(error, match=match):
            call()


def test_wrong_generators() -> None:
    generator: Any
    for generator in (0, None, np.random.RandomState(0)):
        with pytest.raises(TypeError, match="pass a numpy"):
            fa.gumbel_softmax([1.0], generator)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'rng'"):
        fa.gumbel_softmax([1.0])  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="tau holds -1"):
        drawn([1.0], 0, -1.0)

    class OnGpu:
        __cuda_array_interface__: dict[str, Any] = {}  # noqa: RUF012

    with pytest.raises(TypeError, match="x is on the GPU"):
        drawn(OnGpu())


def test_catalogue() -> None:
    for kind in KINDS:
        f = getattr(fa, kind)
        assert fa.get(kind) is f
        assert set(f.notes) == {"for", "against", "use"}
        backend = "cython" if kind == "hardmax" else "threads"
        assert fa.explain(f, np.zeros(3)).startswith(f"{kind}: backend {backend!r}")
    for f in (*(getattr(fa, kind) for kind in KINDS), fa.gumbel_softmax):
        assert pickle.loads(pickle.dumps(f)) is copy.deepcopy(f) is f
        assert f.formula in repr(f)
        assert f.reference
