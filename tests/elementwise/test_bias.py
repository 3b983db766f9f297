"""Activations of x + bias in one pass, against two calls: every activation, dtype, layout and shape of the bias."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import fastact as fa
from helpers.arrays import bits
from helpers.catalogue import ACTIVATIONS

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
SHAPES = [((5, 7), (7,)), ((400, 3), (3,)), ((3, 50, 100), (100,)), ((7, 9001), (9001,)), ((9,), (9,)), ((6, 1), (1,)),
          ((4, 5), (4, 1)), ((2, 3, 4), (3, 4)), ((30_000, 11), (11,)), ((4, 5), ()), ((0, 3), (3,))]  # fmt: skip


@pytest.fixture(autouse=True)
def no_floating_point_warnings() -> Any:
    with np.errstate(all="raise"):
        yield


def numbers(shape: tuple[int, ...], dtype: Any, seed: int = 0) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.asarray(np.random.default_rng(seed).normal(size=shape) * 4).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation(name: str, dtype: Any) -> None:
    f, x, bias = fa.get(name), numbers((50, 30), dtype), numbers((30,), dtype, 1)
    wanted = f(x + bias)
    np.testing.assert_array_equal(bits(f.with_bias(x, bias)), bits(wanted))
    plain = f.with_bias(x, bias, backend="numpy")
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(plain, wanted, rtol=1e-4, atol=1e-6)
    assert f.with_bias(x, bias, out=x) is x
    np.testing.assert_array_equal(bits(x), bits(wanted))
    for part in pickle.loads(pickle.dumps(f.with_bias)), copy.deepcopy(f.with_bias):
        assert part is f.with_bias


@pytest.mark.parametrize("dtype", [np.float16, BFLOAT16, np.float32, np.float64], ids=str)
@pytest.mark.parametrize(("shape", "biases"), SHAPES)
def test_shapes_and_layouts(shape: tuple[int, ...], biases: tuple[int, ...], dtype: Any) -> None:
    """The half types are rounded once, at the end."""
    dtype = np.dtype(dtype)
    wide = np.float32 if dtype.itemsize == 2 else dtype
    order: Any
    for order in "CF":
        x, bias = numbers(shape, dtype).copy(order), numbers(biases, dtype, 1)
        with np.errstate(all="ignore"):
            wanted = fa.gelu(x.astype(wide) + bias.astype(wide)).astype(dtype)
        assert np.array_equal(fa.gelu.with_bias(x, bias), wanted)
        strided = np.repeat(x, 2, axis=0)[::2]
        assert np.array_equal(
            fa.gelu.with_bias(strided, np.repeat(bias, 2, axis=-1)[..., ::2] if bias.ndim else bias), wanted
        )
        for backend in "serial", "threads", "parallel":
            assert np.array_equal(fa.gelu.with_bias(x, bias, backend=backend), wanted)
        assert fa.gelu.with_bias(x, bias, out=x) is x
        assert np.array_equal(x, wanted)


def test_parameters_variants_and_names() -> None:
    x, bias = numbers((6, 4), np.float32), numbers((4,), np.float32, 1)
    slopes = np.array([0.1, 0.2, 0.3, 0.4], np.float32)
    for slope in 0.2, slopes:
        np.testing.assert_array_equal(fa.leaky_relu.with_bias(x, bias, slope), fa.leaky_relu(x + bias, slope))
        np.testing.assert_array_equal(fa.leaky_relu.with_bias(x, bias, alpha=slope), fa.leaky_relu(x + bias, slope))
    np.testing.assert_array_equal(fa.hard_sigmoid.with_bias(x, bias, 0.2, 0.5), fa.hard_sigmoid(x + bias, 0.2, 0.5))
    tanh_form = fa.gelu.with_bias(x, bias, approximate="tanh")
    np.testing.assert_array_equal(tanh_form, fa.gelu(x + bias, approximate="tanh"))
    np.testing.assert_array_equal(fa.silu.with_bias(x, bias=bias), fa.silu(x + bias))
    np.testing.assert_array_equal(fa.silu.with_bias(x, 0.5), fa.silu(x + np.float32(0.5)))


def test_integers() -> None:
    x, bias = np.array([[-5, 100], [3, 4]], np.int8), np.array([3, 100], np.int8)
    result = fa.relu.with_bias(x, bias)
    assert result.dtype == np.int8
    np.testing.assert_array_equal(result, fa.relu(x + bias))
    assert fa.gelu.with_bias(x, bias).dtype == np.float16


def test_own_activation(own_registry: None) -> None:
    @fa.activation(beta=2.0)
    def scaled(x, beta):  # type: ignore[no-untyped-def]
        return x * beta

    np.testing.assert_array_equal(scaled.with_bias(np.ones((2, 2)), np.arange(2.0)), [[2, 4], [2, 4]])


def test_a_bias_inside_of_out() -> None:
    for n in 4, 4000:
        x = numbers((3, n), np.float64)
        wanted = fa.tanh(x + x[1])
        np.testing.assert_array_equal(fa.tanh.with_bias(x, x[1], out=x), wanted)


def test_wrong_arguments() -> None:
    x = np.zeros((2, 3))
    with pytest.raises(ValueError, match="broadcast"):
        fa.gelu.with_bias(x, np.zeros(2))
    with pytest.raises(TypeError, match="missing its operand 'bias'"):
        fa.gelu.with_bias(x)
    with pytest.raises(ValueError, match="broadcast"):
        fa.gelu.with_bias(x[0], x, out=np.zeros(3))


def test_no_copy_is_made() -> None:
    import tracemalloc

    x, bias = np.ones((4000, 500), np.float32), np.ones(500, np.float32)
    fa.relu.with_bias(x, bias, out=x)
    tracemalloc.start()
    fa.relu.with_bias(x, bias, out=x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000
