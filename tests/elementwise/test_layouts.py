"""The same bits whatever the operands' memory layout, the array's length, and the number of threads.

The measure is the serial result for a contiguous array. To add a layout, add a line to helpers/layouts.py.
"""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import fastact as fa
from fastact._kernels.native.ufunc import SLABS_FROM
from helpers.arrays import bits
from helpers.catalogue import operands
from helpers.layouts import LAYOUTS, SIZES

LARGE_SIZES = [16385, 32769, 65535, 65536, 65537, 100_003]
SHAPE = 60, 70


def numbers(dtype: Any, shape: Any) -> np.ndarray:
    """Every kind of value: ordinary, tails, subnormal, special."""
    n = int(np.prod(shape))
    random = np.random.default_rng(9)
    x = random.normal(size=n) * 10.0 ** random.integers(-3, 3, n)
    x[::97] = np.resize([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-310, -1e-40, 1e30, -1e30], x[::97].size)
    return x.astype(dtype).reshape(shape)


def serial(operation: Any, x: np.ndarray) -> np.ndarray:
    return bits(operation(*operands(operation, np.array(x, x.dtype.newbyteorder("="), order="C")), backend="serial"))


@pytest.fixture(autouse=True)
def overflow_of_gradients() -> Any:
    """Turn floating-point warnings into errors: grad_output * f'(x) may be inf * 0, and fastact gives no warning."""
    with np.errstate(all="raise", under="ignore"):
        yield


def test_layout_of_inputs(operation: Any, dtype: Any) -> None:
    x = numbers(dtype, SHAPE)
    expected = serial(operation, x)
    for layout, lay_out in LAYOUTS.items():
        view = lay_out(x)
        view.flags.writeable = False
        np.testing.assert_array_equal(bits(operation(*operands(operation, view))), expected, layout)


def test_layout_of_output(operation: Any, dtype: Any) -> None:
    x = numbers(dtype, SHAPE)
    expected = serial(operation, x)
    for layout, lay_out in LAYOUTS.items():
        out = lay_out(np.zeros_like(x))
        assert operation(*operands(operation, x), out=out) is out
        np.testing.assert_array_equal(bits(out), expected, layout)


def test_in_place_and_overlapping(operation: Any, dtype: Any) -> None:
    for n in 1, 17, 5000:
        x = numbers(dtype, n + 1)
        same, up, down, back = x.copy(), x.copy(), x.copy(), x.copy()
        operation(*operands(operation, same), out=same)
        operation(*operands(operation, up[:-1]), out=up[1:])
        operation(*operands(operation, down[1:]), out=down[:-1])
        operation(*operands(operation, back), out=back[::-1])
        np.testing.assert_array_equal(bits(same), serial(operation, x))
        np.testing.assert_array_equal(bits(up[1:]), serial(operation, x[:-1]))
        np.testing.assert_array_equal(bits(down[:-1]), serial(operation, x[1:]))
        np.testing.assert_array_equal(bits(back[::-1]), serial(operation, x))


def test_broadcast_with_stride_0(operation: Any, dtype: Any) -> None:
    row = numbers(dtype, 200)
    for view in np.broadcast_to(row, (30, 200)), np.broadcast_to(row[:, None], (200, 30)):
        np.testing.assert_array_equal(bits(operation(*operands(operation, view))), serial(operation, view))


def test_backward_broadcasts_its_operands(activation: Any, dtype: Any) -> None:
    g, x = numbers(dtype, (40, 1)), numbers(dtype, 3000)[1::2]
    both = (np.array(each) for each in np.broadcast_arrays(g, x))
    np.testing.assert_array_equal(bits(activation.backward(g, x)), bits(activation.backward(*both)))


def test_small_shapes(operation: Any, dtype: Any) -> None:
    for shape in ((), (0,), (3, 0), (1, 1)):
        x = np.full(shape, 0.5, dtype)
        result = operation(*operands(operation, x))
        assert (result.shape, result.dtype) == (shape, dtype)
        np.testing.assert_array_equal(bits(result), serial(operation, x))


@pytest.mark.parametrize("backend", ["serial", "parallel", "auto"])
def test_length_and_threads(operation: Any, dtype: Any, backend: str) -> None:
    """Element i does not depend on the length, the address, or the thread that computes it."""
    x = numbers(dtype, LARGE_SIZES[-1] + 1)
    whole = serial(operation, x)
    for n in SIZES if backend == "serial" else SIZES + LARGE_SIZES:
        start = n % 2
        result = operation(*operands(operation, x[start : start + n]), backend=backend)
        np.testing.assert_array_equal(bits(result), whole[start : start + n])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_in_parallel(dtype: Any, layout: str) -> None:
    x = numbers(dtype, (300, 500))
    for operation in fa.mish, fa.swish.backward:
        view, out = LAYOUTS[layout](x), LAYOUTS[layout](np.zeros_like(x))
        operation(*operands(operation, view), out=out, backend="parallel")
        np.testing.assert_array_equal(bits(out), serial(operation, x))


@settings(max_examples=50, deadline=None)
@given(st.data(), st.sampled_from(["f4", "f8"]))
def test_any_view(data: st.DataObject, kind: str) -> None:
    x = numbers(kind, data.draw(hnp.array_shapes(max_dims=4, max_side=9)))
    view = x[data.draw(hnp.basic_indices(x.shape, allow_ellipsis=False))]
    np.testing.assert_array_equal(bits(fa.elu(view)), serial(fa.elu, np.asarray(view)))


@pytest.mark.parametrize("offset", [0, 4, 16, 20])
def test_results_too_large_for_the_caches(offset: int) -> None:
    """Aligned stores bypass the caches; the ends are written as usual."""
    n = (24 << 20) // 8 + 4099
    x = np.linspace(-1, 1, n, dtype=np.float32)
    out = np.full(n + 32, 7, np.float32)[8 + offset // 4 :]
    assert fa.relu(x, out=out[:n]) is not None
    np.testing.assert_array_equal(out[:n], np.maximum(x, 0))
    assert (out[n:] == 7).all()
    assert out.base is not None
    assert (out.base[: 8 + offset // 4] == 7).all()


def test_input_ahead_of_the_output_on_threads() -> None:
    """NumPy passes such operands on unchanged; no thread may overwrite what another has yet to read."""
    x = np.linspace(-9, 9, 60_001, dtype=np.float32)
    expected = fa.tanh(x, backend="serial")
    for _ in range(50):
        shifted, apart = x.copy(), x.copy()
        fa.tanh(shifted[1:], out=shifted[:-1], backend="threads")
        fa.tanh(apart[::2], out=apart[: x.size // 2 + 1], backend="threads")
        np.testing.assert_array_equal(shifted[:-1], expected[1:])
        np.testing.assert_array_equal(apart[: x.size // 2 + 1], expected[::2])


#: Of an array of 400 x 802.
LARGE = {
    "columns": lambda x: x[:, ::2],
    "part of the columns": lambda x: x[:, :401],
    "three axes": lambda x: x[:, :800].reshape(100, 4, 800)[:, :, 1:],
    "middle axis": lambda x: x[:, :800].reshape(100, 4, 800).swapaxes(0, 1)[:, ::-1, 1:],
    "windows": lambda x: np.lib.stride_tricks.sliding_window_view(x.ravel(), 5)[::3],
}


@pytest.mark.parametrize("layout", LARGE)
@pytest.mark.parametrize("kind", ["f2", "f4", "f8", "i1", ">f4"])
def test_large_arrays_without_an_order(layout: str, kind: str) -> None:
    """Such arrays are cut into slabs; values, dtype, shape and strides are those of NumPy's own ufuncs."""
    x = LARGE[layout](np.linspace(-9, 9, 400 * 802).reshape(400, 802).astype(kind))
    assert x.size >= SLABS_FROM
    result, control = fa.elu(x), np.tanh(x)
    np.testing.assert_array_equal(bits(result), bits(fa.elu(x.copy(), backend="serial")))
    assert (result.dtype, result.shape, result.strides) == (control.dtype, control.shape, control.strides)


def test_slabs_of_several_operands() -> None:
    x = np.linspace(-9, 9, 2 * 400 * 401, dtype=np.float32).reshape(400, 802)[:, 1::2]
    row, column = np.linspace(0, 2, 401, dtype=np.float32), np.linspace(0, 2, 400)[:, None]
    expected = fa.swish(x.copy(), row, backend="serial")
    np.testing.assert_array_equal(fa.swish(x, row), expected)
    assert fa.swish(x, column).dtype == np.float64
    np.testing.assert_array_equal(fa.swish.backward(x.T, x.T, 1.0), fa.swish.backward(x, x, backend="serial").T)
    out = np.zeros((401, 400), np.float32)
    assert fa.swish(x, row, out=out.T) is not None
    np.testing.assert_array_equal(out.T, expected)
    wide = np.zeros((2, 400, 401), np.float32)
    fa.swish(x, row, out=wide[:, ::-1])
    np.testing.assert_array_equal(wide, np.stack([expected[::-1]] * 2))
    same = x.copy(order="F").T
    assert fa.swish(same[::2, :], out=same[::2, :]) is not None
    moved = np.concatenate([x, x], axis=1)
    fa.tanh(moved[:, 2:800], out=moved[:, :798])
    np.testing.assert_array_equal(moved[:, :798], fa.tanh(np.concatenate([x, x], axis=1)[:, 2:800], backend="serial"))
    with pytest.raises(ValueError, match=r"broadcast|shape"):
        fa.swish(x, out=np.empty((3, 400), np.float32))
    with pytest.raises(TypeError, match="ufunc"):
        fa.swish(x, out=np.empty(x.shape, np.int8))
    masked = np.full(x.shape, 7, np.float32)
    fa.tanh(x, out=masked, where=x > 0)
    assert (masked[x <= 0] == 7).all()


@pytest.mark.parametrize("kind", ["f2", "f4", "f8", "i4"])
@pytest.mark.parametrize("layout", [*LAYOUTS, "contiguous"])
def test_no_memory_besides_the_result(layout: str, kind: str) -> None:
    """No layout or dtype causes a copy: a call allocates at most 1 % of the operands' bytes besides the result."""
    x = np.ones((1024, 1200), kind)
    x, y = LAYOUTS.get(layout, np.copy)(x), x.astype(np.result_type(x, np.float16))
    for f, arrays, out in (fa.gelu, (x,), None), (fa.swish.backward, (y, x), None), (fa.gelu, (y,), y):
        f(*arrays, out=out)
        tracemalloc.start()
        try:
            result = f(*arrays, out=out)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        allocated = 0 if out is not None else result.nbytes
        assert peak <= allocated + 0.01 * (sum(each.nbytes for each in arrays) + result.nbytes)
