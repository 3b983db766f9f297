"""softmax and log_softmax against mpmath and extended precision: layouts, axes, dtypes, instruction sets."""

from __future__ import annotations

import pickle
from typing import Any

import ml_dtypes
import mpmath
import numpy as np
import pytest

import fastact as fa
from fastact.backends.cpu import instruction_sets
from helpers.arrays import assert_in_place_and_overlap, bits
from helpers.softmax_cases import DTYPES, KINDS, LAYOUTS, SHAPES, WIDE, each_instruction_set, exact, numbers, ulps


@pytest.fixture(params=instruction_sets.available())
def isa(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every instruction set that this CPU can run, in turn."""
    monkeypatch.setattr(instruction_sets, "kernels", instruction_sets.load(request.param))
    assert instruction_sets.name() == request.param
    return request.param


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("scale", "offset"), [(3, 0), (30, 5), (1000, 400), (1, -1e6)])
def test_error(
    monkeypatch: pytest.MonkeyPatch, kind: str, shape: tuple[int, ...], axis: int, dtype: type, scale: float,
    offset: float,
) -> None:  # fmt: skip
    x = numbers(shape, dtype, scale, offset)
    function, wanted = fa.get(kind), exact(kind, x, axis)
    for _ in each_instruction_set(monkeypatch):
        result = function(x, axis=axis)
        assert result.dtype == dtype
        assert result.shape == shape
        assert ulps(result, wanted) <= function.max_ulp
        if kind == "softmax":
            assert np.all(np.abs(result.astype(WIDE).sum(axis) - 1) <= 2 * np.finfo(dtype).eps)


@pytest.mark.parametrize("n", [1, 10, 1000, 1_000_000])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_equal_elements(isa: str, kind: str, dtype: Any, n: int) -> None:
    """A plain sum of equal elements drifts the same way at every step."""
    x = np.full(n, 0.3, dtype)
    assert ulps(fa.get(kind)(x), exact(kind, x, -1)) <= fa.get(kind).max_ulp


@pytest.mark.parametrize("scale", [1, 10, 1000])
@pytest.mark.parametrize("n", [1, 2, 100, 5000, 1_000_000])
@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_of_any_length(isa: str, dtype: type, n: int, scale: float) -> None:
    """Errors and sums, for numbers that differ little and for numbers that one dominates."""
    x = numbers((n,), dtype, scale)
    for kind in KINDS:
        result = fa.get(kind)(x)
        assert ulps(result, exact(kind, x, -1)) <= fa.get(kind).max_ulp
        if kind == "softmax":
            assert abs(result.astype(WIDE).sum() - 1) <= 2 * np.finfo(dtype).eps


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [3, 10, 33, 128])
def test_many_rows(isa: str, dtype: type, n: int, kind: str) -> None:
    """The loss of many sums whose terms grow and fall; 10**8 numbers reached 3.2 ULP, and 3.9 with the logarithm."""
    x = numbers((200_000 // n, n), dtype, 5)
    assert ulps(fa.get(kind)(x), exact(kind, x, -1)) <= fa.get(kind).max_ulp


@pytest.mark.parametrize("kind", KINDS)
def test_mpmath(isa: str, kind: str) -> None:
    x = numbers((40,), np.float64, 8)
    with mpmath.workdps(60):
        e = [mpmath.exp(mpmath.mpf(float(v))) for v in x]
        total = mpmath.fsum(e)
        wanted = [v / total if kind == "softmax" else mpmath.log(v / total) for v in e]
        for value, true in zip(fa.get(kind)(x), wanted, strict=True):
            assert abs(mpmath.mpf(float(value)) - true) <= fa.get(kind).max_ulp * np.spacing(abs(float(true)))


def test_subnormal_results_are_kept(isa: str) -> None:
    x = np.array([0, -88, -95, -103, -104, -200], np.float32)
    np.testing.assert_array_equal(fa.softmax(x)[1:5] > 0, [True, True, True, False])
    assert ulps(fa.softmax(x), exact("softmax", x, -1)) <= 2


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("axis", [0, 1, 2, -1, (0, 1), (0, 2), (2, 1), None, ()])
@pytest.mark.parametrize("dtype", [np.float16, *DTYPES])
@pytest.mark.parametrize("kind", KINDS)
def test_layouts(kind: str, axis: int, dtype: type, layout: str) -> None:
    """Any layout, read-only, gives what the plain array gives, forward and backward; so does every kind of out."""
    function = fa.get(kind)
    plain = numbers((7, 20, 33), dtype)
    x, before = LAYOUTS[layout](plain), plain.copy()
    if x.flags.owndata or layout != "unaligned":
        x.flags.writeable = False
    wide = exact(kind, plain, axis)
    tolerance = fa.get(kind).max_ulp if dtype != np.float16 else 0.51
    result = function(x, axis)
    assert result.dtype == dtype
    assert ulps(result, wide) <= tolerance
    grad = numbers(x.shape, dtype)[::-1]
    gradient = function.backward(grad, result, axis)
    for out in (np.empty_like(plain), np.empty(plain.shape, dtype, "F"), np.empty((7, 20, 66), dtype)[..., ::2]):
        assert function(x, axis, out=out) is out
        assert ulps(out, wide) <= tolerance
        assert function.backward(grad, result, axis, out=out) is out
        np.testing.assert_allclose(out, gradient, rtol=1e-3 if dtype == np.float16 else 1e-6, atol=1e-7)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
def test_in_place_and_overlap(isa: str, kind: str, shape: tuple[int, ...], axis: int) -> None:
    function = fa.get(kind)
    x = numbers(shape, np.float32)
    assert_in_place_and_overlap(function, x, x[::-1].copy(), axis)


@pytest.mark.parametrize("dtype", [*DTYPES, np.float16])
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
def test_hardmax(isa: str, shape: tuple[int, ...], axis: int, dtype: type) -> None:
    """Ties, NaN and rows of -inf as plain NumPy has them, into a new array and in place."""
    x = np.round(numbers(shape, dtype))
    places = np.random.default_rng(1).integers(0, x.size, 9)
    x.flat[places] = np.array([np.nan, np.inf, -np.inf] * 3, dtype)
    if axis == 1:
        x[0] = -np.inf
    wanted = fa.hardmax(x, axis, backend="numpy")
    np.testing.assert_array_equal(fa.hardmax(x, axis), wanted)
    np.testing.assert_array_equal(fa.hardmax.backward(x, wanted, axis), wanted - wanted)
    np.testing.assert_array_equal(fa.hardmax(x, axis, out=x), wanted)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_backward(isa: str, kind: str, shape: tuple[int, ...], axis: int, dtype: type) -> None:
    x, g = numbers(shape, dtype, 2), numbers(shape, dtype)[::-1]
    y = fa.get(kind)(x, axis)
    wide_y, wide_g = y.astype(WIDE), g.astype(WIDE)
    if kind == "softmax":
        wanted = wide_y * (wide_g - (wide_g * wide_y).sum(axis, keepdims=True))
        size = wide_y * (np.abs(wide_g) + np.abs(wide_g * wide_y).sum(axis, keepdims=True))
    else:
        wanted = wide_g - np.exp(wide_y) * wide_g.sum(axis, keepdims=True)
        size = np.abs(wide_g) + np.exp(wide_y) * np.abs(wide_g).sum(axis, keepdims=True)
    error = np.abs(fa.get(kind).backward(g, y, axis) - wanted)
    assert np.all(error <= 4 * np.finfo(dtype).eps * size)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("axis", [0, 1, (0, 2), None])
def test_backward_is_the_derivative(isa: str, kind: str, axis: int) -> None:
    """Against central differences of sum(g * f(x)); a direction per element."""
    function = fa.get(kind)
    x, g, h = numbers((3, 5, 4), np.float64, 1), numbers((3, 5, 4), np.float64)[::-1], 1e-5
    gradient = function.backward(g, function(x, axis), axis)
    for i in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[i] = h
        difference = (g * (function(x + step, axis) - function(x - step, axis))).sum() / (2 * h)
        assert gradient[i] == pytest.approx(difference, abs=1e-8)


@pytest.mark.parametrize(("shape", "axis"), SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_numpy_backend_agrees(kind: str, shape: tuple[int, ...], axis: int) -> None:
    x = numbers(shape, np.float64)
    y = fa.get(kind)(x, axis, backend="cython")
    np.testing.assert_allclose(fa.get(kind)(x, axis, backend="numpy"), y, rtol=1e-13)
    ours, theirs = (fa.get(kind).backward(x, y, axis, backend=name) for name in ("cython", "numpy"))
    np.testing.assert_allclose(theirs, ours, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [3, 64, 100, 70_000])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("kind", KINDS)
def test_specials_stay_in_their_row(isa: str, kind: str, axis: int, n: int, dtype: type) -> None:
    x = numbers((5, n), dtype)
    x[0] = -np.inf
    x[1, n // 2] = np.nan
    x[2, n - 1] = np.inf
    x[3, 1] = -np.inf
    result = fa.get(kind)(x if axis else np.ascontiguousarray(x.T), axis)
    result = result if axis else result.T
    assert np.isnan(result[:3]).all()
    assert result[3, 1] == (0 if kind == "softmax" else -np.inf)
    keep = np.arange(n) != 1
    assert ulps(result[3, keep], exact(kind, x[3, keep], -1)) <= fa.get(kind).max_ulp
    assert ulps(result[4], exact(kind, x[4], -1)) <= fa.get(kind).max_ulp


@pytest.mark.parametrize("backend", ["cython", "numpy"])
@pytest.mark.parametrize("shape", [(0,), (0, 4), (4, 0), (2, 0, 3)])
@pytest.mark.parametrize("kind", KINDS)
def test_empty(kind: str, shape: tuple[int, ...], backend: str) -> None:
    for axis in (0, -1, None):
        result = fa.get(kind)(np.empty(shape, np.float32), axis, backend=backend)
        assert result.shape == shape
        assert result.dtype == np.float32
        assert fa.get(kind).backward(result, result, axis, backend=backend).shape == shape


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("below", [30, 59, 61, 100, 700, np.inf])
@pytest.mark.parametrize("kind", KINDS)
def test_beginning_far_below_the_maximum(isa: str, kind: str, below: float, dtype: type) -> None:
    """For long rows, softmax assumes that the first numbers hold the maximum, and starts again where they do not."""
    x = numbers((3, 1000), dtype)
    x[0, :64] -= below
    x[1, -1] += below if below < np.inf else 0
    x[2, :999] -= below
    result = fa.get(kind)(x)
    finite = np.isfinite(x)
    with np.errstate(invalid="ignore"):
        wanted = exact(kind, x, -1)
    assert ulps(result[finite], wanted[finite]) <= fa.get(kind).max_ulp
    np.testing.assert_array_equal(result[~finite], wanted[~finite])
    x[0, 999], x[1, 500] = np.nan, np.inf
    assert np.isnan(fa.get(kind)(x)[:2]).all()


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_half_types_are_computed_in_float32(
    isa: str, kind: str, shape: tuple[int, ...], axis: int, dtype: type
) -> None:
    """The bits are those of float32's result, rounded once: forward, backward, in place, and on every path."""
    function, x = fa.get(kind), numbers(shape, dtype)
    x.flat[0] = 3e-39  # subnormal, if it is not 0
    wide = x.astype(np.float32)
    y = function(x, axis)
    np.testing.assert_array_equal(bits(y), bits(function(wide, axis).astype(dtype)))
    gradient = function.backward(x, y, axis)
    np.testing.assert_array_equal(
        bits(gradient), bits(function.backward(wide, y.astype(np.float32), axis).astype(dtype))
    )
    assert function.backward(x, y, axis, out=y) is y
    np.testing.assert_array_equal(bits(y), bits(gradient))
    np.testing.assert_array_equal(fa.logsumexp(x, axis), fa.logsumexp(wide, axis).astype(dtype))


@pytest.mark.parametrize("dtype", [*DTYPES, np.float16])
@pytest.mark.parametrize("n", [10, 100, 700, 70_000])
@pytest.mark.parametrize("kind", [*KINDS, "hardmax", "logsumexp"])
def test_rows_with_gaps(isa: str, kind: str, n: int, dtype: type) -> None:
    """Parts of wider rows, every second number, axes that merge in memory or not give the bits of a copy."""
    function, wide = getattr(fa, kind), numbers((2, 9 if n < 1000 else 5, 3 * n), dtype)
    views = [
        wide[..., :n], wide[..., n :: 2], wide[:, 1:8:2, :n], wide[:, ::4, ::3], wide[::-1, :, :n], wide[..., ::-3],
        wide[:1, :, :n], wide[:, 3, :n], np.broadcast_to(wide[..., :1], (*wide.shape[:2], n)),
        wide[..., :n].transpose(1, 0, 2),
    ]  # fmt: skip
    keep = np.arange(n) % 5 != 1
    for view in views:
        plain = view.copy()
        y = function(plain, -1)
        np.testing.assert_array_equal(function(view, -1), y)
        np.testing.assert_array_equal(function(view, -1, where=keep), function(plain, -1, where=keep))
        if kind != "logsumexp":
            wider = np.repeat(y, 2, -1)[..., ::2]
            np.testing.assert_array_equal(function.backward(view, wider, -1), function.backward(plain, y, -1))
            np.testing.assert_array_equal(function(view, -1, out=wider), y)


def test_shift_invariance(isa: str) -> None:
    x = np.round(numbers((50, 100), np.float32) * 64) / 64  # so that adding a power of two is exact
    for shift in (256, -1024, 2.0**14):
        assert ulps(fa.softmax(x + np.float32(shift)), exact("softmax", x, -1)) <= fa.softmax.max_ulp


@pytest.mark.parametrize(("shape", "axis"), SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_threads_do_not_change_bits(kind: str, shape: tuple[int, ...], axis: int) -> None:
    x, before = numbers(shape, np.float32), fa.get_num_threads()
    results = []
    try:
        for threads in (1, 2):
            fa.set_num_threads(threads)
            y = fa.get(kind)(x, axis)
            results.append((y.tobytes(), fa.get(kind).backward(x, y, axis).tobytes()))
    finally:
        fa.set_num_threads(before)
    assert results[0] == results[1]


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_does_not_depend_on_its_neighbours(isa: str, kind: str) -> None:
    for n in (10, 64, 100, 70_000):
        x = numbers((35, n), np.float32)
        together = fa.get(kind)(x)
        for i in (0, 15, 16, 34):
            np.testing.assert_array_equal(fa.get(kind)(x[i : i + 1])[0], together[i])


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.int16, np.uint16, np.int32, np.int64, np.uint64])
def test_integers_promote_as_exp_does(dtype: Any) -> None:
    x = np.array([[0, 1, 100], [1, 0, 1]]).astype(dtype)
    result = fa.softmax(x)
    assert result.dtype == np.exp(np.zeros_like(x)).dtype
    np.testing.assert_allclose(result, exact("softmax", x, -1).astype(float), rtol=1e-3, atol=1e-7)


def test_scalars_and_lists() -> None:
    assert fa.softmax(3.0) == 1.0
    assert isinstance(fa.softmax(3.0), np.float64)
    assert fa.log_softmax(np.float32(3)) == 0
    assert isinstance(fa.log_softmax(np.float32(3)), np.float32)
    np.testing.assert_array_equal(fa.softmax([0, 0]), [0.5, 0.5])
    with pytest.raises(np.exceptions.AxisError):
        fa.softmax(3.0, axis=1)


@pytest.mark.parametrize("kind", KINDS)
def test_wrong_arguments(kind: str) -> None:
    function, x = fa.get(kind), np.zeros((2, 3), np.float32)
    for axis in (2, -3, (0, 5)):
        with pytest.raises(np.exceptions.AxisError, match="out of bounds for array of dimension 2"):
            function(x, axis)
    with pytest.raises(ValueError, match="repeated axis"):
        function(x, (0, -2))
    with pytest.raises(TypeError):
        function(x, 0.5)
    for bad in (np.array([1, None]), np.zeros(2, complex), np.zeros(2, np.longdouble), np.array(["a"])):
        with pytest.raises(TypeError, match=f"ufunc '{kind}' not supported"):
            function(bad)
    with pytest.raises(ValueError, match=r"out has shape \(3, 2\)"):
        function(x, out=np.zeros((3, 2), np.float32))
    with pytest.raises(TypeError, match="out has dtype float64"):
        function(x, out=np.zeros((2, 3)))
    with pytest.raises(TypeError, match="out is a list"):
        function(x, out=[0])
    frozen = np.zeros((2, 3), np.float32)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        function(x, out=frozen)
    with pytest.raises(ValueError, match=r"grad_output has shape \(3,\)"):
        function.backward(np.zeros(3, np.float32), x)


def test_instruction_set_by_name() -> None:
    with pytest.raises(fa.BackendError, match="FASTACT_SIMD='avx1024'"):
        instruction_sets.load("avx1024")
    for each in instruction_sets.available():
        assert instruction_sets.load(each).__name__.endswith(each)


def test_explain(isa: str) -> None:
    shapes = {(128, 10): "short rows", (9, 1000): "rows", (2, 70_000): "long rows"}
    for shape, loop in shapes.items():
        text = fa.explain(fa.softmax, np.zeros(shape, np.float32))
        assert f"{isa} kernels, {loop} of ({shape[0]}, {shape[1]}, 1)" in text
    assert "short columns of (1, 9, 50), 1 thread" in fa.explain(fa.log_softmax, np.zeros((9, 50)), axis=0)
    assert "lines of (1, 9, 500), 1 thread" in fa.explain(fa.log_softmax, np.zeros((9, 500)), axis=0)
    assert "contiguous copy" in fa.explain(fa.softmax, np.zeros((9, 50))[:, ::2])
    assert "copy" not in fa.explain(fa.softmax, np.zeros((9, 50)).T)


@pytest.mark.parametrize("kind", KINDS)
def test_pickle(kind: str) -> None:
    assert pickle.loads(pickle.dumps(fa.get(kind))) is fa.get(kind)
