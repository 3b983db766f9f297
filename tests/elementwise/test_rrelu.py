"""rrelu: random slopes in training, their mean in evaluation, and the backward pass that takes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastact as fa

X = np.random.default_rng(1).normal(0, 3, (50, 40))


def drawn(x: Any, seed: int = 0, *bounds: float, **keywords: Any) -> Any:
    return fa.rrelu(x, *bounds, generator=np.random.default_rng(seed), return_slopes=True, **keywords)


def test_evaluation_takes_the_mean_slope(dtype: Any) -> None:
    x = X.astype(dtype)
    for y, slope in (fa.rrelu(x), (1 / 8 + 1 / 3) / 2), (fa.rrelu(x, lower=0.1, upper=0.2), (0.1 + 0.2) / 2):
        assert y.dtype == dtype
        np.testing.assert_array_equal(y, fa.leaky_relu(x, slope))
    y, slopes = fa.rrelu(x, 0.1, 0.2, return_slopes=True)
    np.testing.assert_array_equal(y, fa.leaky_relu(x, slopes))
    assert np.all(slopes == dtype((0.1 + 0.2) / 2))


def test_training_draws_a_slope_for_each_element(dtype: Any) -> None:
    x = X.astype(dtype)
    y, slopes = drawn(x)
    assert y.dtype == slopes.dtype == dtype
    assert y.shape == slopes.shape == x.shape
    np.testing.assert_array_equal(y, np.where(x < 0, slopes * x, x))
    assert len(np.unique(slopes)) > 1990
    np.testing.assert_array_equal(fa.rrelu(x, generator=np.random.default_rng(0)), y)


@pytest.mark.parametrize("bounds", [(1 / 8, 1 / 3), (-0.5, 0.5), (0.0, 1.0), (0.1, 0.1)])
def test_slopes_are_uniform(bounds: tuple[float, float], dtype: Any) -> None:
    lower, upper = bounds
    _, slopes = drawn(np.zeros(100_000, dtype), 2, lower, upper)
    assert dtype(lower) <= slopes.min()
    assert slopes.max() < dtype(upper) or lower == upper
    counts, _ = np.histogram(slopes, bins=10, range=(lower, upper)) if lower < upper else (np.full(10, 10_000), None)
    assert np.all(abs(counts - 10_000) < 500)


def test_upper_is_never_drawn() -> None:
    """Two neighbouring floats: rounding would give the larger half of the time."""
    lower = np.float32(0.25)
    _, slopes = drawn(np.zeros(1000, np.float32), 0, float(lower), float(np.nextafter(lower, np.float32(1))))
    assert np.all(slopes == lower)


def test_seed_and_order_decide(dtype: Any) -> None:
    x = X.astype(dtype)
    for results in (drawn(x, 3), drawn(x, 3)), (drawn(x, 3), drawn(-x, 3)):
        np.testing.assert_array_equal(results[0][1], results[1][1])
    assert not np.array_equal(drawn(x, 3)[1], drawn(x, 4)[1])
    generator = np.random.default_rng(0)
    assert not np.array_equal(fa.rrelu(x, generator=generator), fa.rrelu(x, generator=generator))


def test_backward_takes_the_slopes(dtype: Any) -> None:
    x, g = X.astype(dtype), np.random.default_rng(5).normal(size=X.shape).astype(dtype)
    _, slopes = drawn(x)
    gradient = fa.rrelu.backward(g, x, slopes)
    np.testing.assert_array_equal(gradient, np.where(x > 0, g, g * slopes))
    np.testing.assert_array_equal(gradient, fa.leaky_relu.backward(g, x, slopes))
    np.testing.assert_array_equal(fa.rrelu.derivative(x, slopes), fa.leaky_relu.derivative(x, slopes))
    out = np.empty_like(x)
    assert fa.rrelu.backward(g, x, slopes, out=out) is out
    np.testing.assert_array_equal(out, gradient)


def test_backward_of_evaluation_takes_the_mean_slope() -> None:
    np.testing.assert_array_equal(fa.rrelu.backward(X, X), fa.leaky_relu.backward(X, X, (1 / 8 + 1 / 3) / 2))
    np.testing.assert_array_equal(fa.rrelu.derivative(X, lower=0.0, upper=0.5), fa.leaky_relu.derivative(X, 0.25))


def test_special_numbers(dtype: Any) -> None:
    x = np.array([-np.inf, -0.0, 0.0, np.inf, np.nan], dtype)
    y, slopes = drawn(x)
    np.testing.assert_array_equal(y, x)
    assert np.signbit(y).tolist()[:4] == [True, True, False, False]
    assert fa.rrelu.derivative(x, slopes)[:4].tolist() == [*slopes[:3].tolist(), 1]


def test_out_lists_numbers_and_other_dtypes() -> None:
    x = X.copy()
    expected, _ = drawn(x)
    assert drawn(x, out=x)[0] is x
    np.testing.assert_array_equal(x, expected)
    y, slope = drawn(-2.0)
    assert y == -2 * slope
    assert np.ndim(y) == 0
    y, slopes = drawn([-1, 2])
    assert y.dtype == slopes.dtype == np.float64
    assert y.tolist() == [-slopes[0], 2]
    assert drawn(np.empty((0, 3), np.float32))[1].shape == (0, 3)
    assert drawn(X.T)[0].shape == (40, 50)
    np.testing.assert_array_equal(fa.rrelu(X, backend="numpy"), fa.rrelu(X))


@pytest.mark.parametrize(
    ("keywords", "error", "says"),
    [
        ({"generator": 0}, TypeError, "generator=0 is a int; pass a numpy.random.Generator"),
        ({"generator": np.random.RandomState(0)}, TypeError, "is a RandomState; pass a numpy.random.Generator"),
        ({"lower": 0.5, "upper": 0.25}, ValueError, "lower=0.5 is larger than upper=0.25"),
        ({"lower": np.nan}, ValueError, "lower=nan, upper=0.333.*; both must be finite"),
        ({"upper": np.inf}, ValueError, "both must be finite"),
    ],
)
def test_wrong_arguments(keywords: dict[str, Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        fa.rrelu(X, **keywords)


def test_wrong_arrays() -> None:
    for x in X + 1j, X.astype(object):
        with pytest.raises(TypeError, match="not supported for the input types"):
            drawn(x)

    class OnGpu:
        __cuda_array_interface__: dict[str, Any] = {}  # noqa: RUF012

    with pytest.raises(TypeError, match="x is on the GPU, and slopes are drawn on the host"):
        drawn(OnGpu())


def test_it_is_in_the_catalogue() -> None:
    assert fa.get("rrelu") is fa.rrelu
    assert set(fa.rrelu.notes) == {"for", "against", "use"}
    assert fa.rrelu.parameters == {"lower": 1 / 8, "upper": 1 / 3}
    assert fa.rrelu.formula in repr(fa.rrelu)
    assert fa.explain(fa.rrelu, X).startswith("rrelu: backend 'serial', float64 loop")
