"""float16 and bfloat16: every number of both, in any layout and promotion, against the float64 loops rounded once.

bfloat16 is ml_dtypes', which fastact must neither import nor need: that is tested in an interpreter of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import fastact as fa
from fastact._kernels.native import ufunc
from helpers.catalogue import operands
from helpers.layouts import LAYOUTS, SIZES

HALVES = [np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)]
INSTRUCTIONS = ufunc.half_instruction_sets()
#: Half an ULP, for one rounding, and 0.01 for the error in float32.
MAX_ULP = 0.51


@pytest.fixture(params=HALVES, ids=str)
def half(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(params=INSTRUCTIONS)
def instructions(request: pytest.FixtureRequest) -> Iterator[None]:
    ufunc.use_half_instructions(request.param)
    yield
    ufunc.use_half_instructions(INSTRUCTIONS[0])


@pytest.fixture(autouse=True)
def no_floating_point_warnings() -> Iterator[None]:
    with np.errstate(all="raise"):
        yield


def every_number(half: Any) -> np.ndarray:
    return np.arange(2**16, dtype=np.uint16).view(half)


def numbers(half: Any, n: int) -> np.ndarray:
    """n numbers of every kind."""
    return np.random.default_rng(5).permutation(every_number(half))[:n]


def bits(x: Any) -> np.ndarray:
    """The bits, the same for every NaN."""
    x = np.array(x)
    x = x.astype(np.float16) if x.dtype.kind == "f" else x  # which may be byte-swapped
    words = x.view(np.uint16)
    return np.where(np.isnan(x.astype(np.float32)), 0x7FFF, words)


def quietly(x: np.ndarray, dtype: Any) -> np.ndarray:
    with np.errstate(all="ignore"):
        return x.astype(dtype)


def error(result: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """The distance in ULP, with infinity as the next power of two; NaN and the signs of zeros must agree."""
    limits = ml_dtypes.finfo(result.dtype)
    beyond = 2.0**limits.maxexp
    values = result.astype(np.float64)
    np.testing.assert_array_equal(np.isnan(values), np.isnan(exact))
    zero = values == 0
    np.testing.assert_array_equal(np.signbit(values[zero]), np.signbit(exact[zero]))
    values, exact = values[~np.isnan(values)].clip(-beyond, beyond), exact[~np.isnan(exact)].clip(-beyond, beyond)
    exponent = np.frexp(exact)[1].clip(limits.minexp + 1, limits.maxexp)
    return np.abs(values - exact) / np.exp2(exponent - 1 - limits.nmant)


def test_every_number(operation: Any, half: Any) -> None:
    x = every_number(half)
    one: Any = 1.0
    calls = [(x,)] if operation._inputs == 1 else [(one, x), (x, x[::-1])]
    for call in calls:
        exact = operation(*(each if each is one else quietly(each, np.float64) for each in call))
        result = operation(*call)
        assert result.dtype == half
        assert error(result, exact).max() <= MAX_ULP


@pytest.mark.usefixtures("instructions")
@pytest.mark.parametrize("factor", [1.0, 1.5, 3.0, 1.25, 0.5, 2**-12, 2**-110, 1 + 2**-11, 1 - 2**-8, 1e4, 3e38])
def test_rounding(half: Any, factor: float) -> None:
    """leaky_relu rounds its float32 products to nearest, ties to even, keeps subnormals and overflows to infinity."""
    x = every_number(half)
    x = x[quietly(x, np.float32) < 0]
    with np.errstate(all="ignore"):
        expected = (x.astype(np.float32) * np.float32(factor)).astype(half)
    np.testing.assert_array_equal(bits(fa.leaky_relu(x, factor)), bits(expected))
    np.testing.assert_array_equal(bits(fa.identity(every_number(half))), bits(every_number(half)))


@pytest.mark.usefixtures("instructions")
@pytest.mark.parametrize("backend", ["serial", "parallel", "auto"])
def test_length_and_threads(half: Any, backend: str) -> None:
    x = np.concatenate([numbers(half, 2**16), numbers(half, 40_000)])
    for operation in (fa.silu, fa.elu.backward):
        whole = bits(operation(*operands(operation, x), backend="serial"))
        for n in [*SIZES, 4095, 4096, 4097, 16385, 65535, 65537, 100_003]:
            result = operation(*operands(operation, x[n % 2 :][:n]), backend=backend)
            np.testing.assert_array_equal(bits(result), whole[n % 2 :][:n])
    for threads in range(1, fa.get_num_threads() + 1):
        before = fa.get_num_threads()
        fa.set_num_threads(threads)
        np.testing.assert_array_equal(bits(fa.elu.backward(x, x, backend=backend)), whole)
        fa.set_num_threads(before)


def test_layouts(operation: Any, half: Any) -> None:
    x = numbers(half, 60 * 70).reshape(60, 70)
    expected = bits(operation(*operands(operation, x), backend="serial"))
    for layout, lay_out in LAYOUTS.items():
        if layout == "byte-swapped" and half != np.float16:
            continue  # ml_dtypes has no such arrays
        view, out = lay_out(x), lay_out(np.zeros_like(x))
        assert operation(*operands(operation, view), out=out) is out
        np.testing.assert_array_equal(bits(out), expected, layout)
        np.testing.assert_array_equal(bits(operation(*operands(operation, view))), expected, layout)


def test_in_place_and_overlapping(operation: Any, half: Any) -> None:
    for n in 1, 17, 5000:
        x = numbers(half, n + 1)
        same, up, down, back = x.copy(), x.copy(), x.copy(), x.copy()
        whole = bits(operation(*operands(operation, x), backend="serial"))
        operation(*operands(operation, same), out=same)
        operation(*operands(operation, up[:-1]), out=up[1:])
        operation(*operands(operation, down[1:]), out=down[:-1])
        operation(*operands(operation, back), out=back[::-1])
        np.testing.assert_array_equal(bits(same), whole)
        np.testing.assert_array_equal(bits(up[1:]), whole[:-1])
        np.testing.assert_array_equal(bits(down[:-1]), whole[1:])
        np.testing.assert_array_equal(bits(back[::-1]), whole)


def test_reduce_and_accumulate(half: Any) -> None:
    step = fa.tanh.backward
    x = np.linspace(-1, 1, 50).astype(half)
    running = [x[0]]
    for each in x[1:]:
        running.append(step(running[-1], each))
    np.testing.assert_array_equal(bits(step.ufunc.accumulate(x)), bits(running))
    np.testing.assert_array_equal(bits(step.ufunc.reduce(x)), bits(running[-1]))
    np.testing.assert_array_equal(bits(step.ufunc.reduce(np.stack([x, x[::-1]]))), bits(step(x, x[::-1])))


def test_ufunc_methods(half: Any) -> None:
    x = np.array([-1, 0.5, 2]).astype(half)
    table = fa.leaky_relu.ufunc.outer(x, np.array([0.5, 0.25]).astype(half))
    assert (table.dtype, table.tolist()) == (half, [[-0.5, -0.25], [0.5, 0.5], [2, 2]])
    fa.relu.ufunc.at(x, [0, 0, 1])
    assert x.tolist() == [0, 0.5, 2]


def test_array_parameters(half: Any) -> None:
    """Parameters in the half type, of any layout, give the rounded result of float32 parameters."""
    x, alpha = numbers(half, 5000), numbers(half, 10_000)[::2]
    for given in alpha, alpha.copy(), alpha[0], np.broadcast_to(alpha[1], 5000):
        expected = fa.leaky_relu(quietly(x, "f4"), quietly(np.asarray(given), "f4"))
        np.testing.assert_array_equal(bits(fa.leaky_relu(x, given)), bits(quietly(expected, half)))


# --- dtypes -----------------------------------------------------------------------------------------------------------


def test_result_dtype(operation: Any) -> None:
    """np.exp's for any parameters that are Python numbers; functions that keep integers keep them."""
    for kind in "?bBhHiIlLqQefd":
        x = np.ones(3, kind)
        expected = np.exp.resolve_dtypes((x.dtype, None))[-1]
        if "i" in operation._dtypes:
            expected = np.positive.resolve_dtypes((np.dtype("b") if kind == "?" else x.dtype, None))[-1]
        for each in x, x[0]:
            assert operation(*operands(operation, each)).dtype == expected
            assert operation(*operands(operation, each), backend="numpy").dtype == expected
        assert f"{expected} loop" in fa.explain(operation, *operands(operation, x))
        for wanted in [*HALVES, np.dtype("f"), np.dtype("d")]:
            for backend in "auto", "serial", "numpy":
                assert operation(*operands(operation, x), dtype=wanted, backend=backend).dtype == wanted
            assert f"{wanted} loop" in fa.explain(operation, *operands(operation, x), dtype=wanted)


@pytest.mark.parametrize("kind", ["?", "b", "B", "h", "H", "i", "I", "l", "L", "e", "f", "d", ml_dtypes.bfloat16])
def test_mixed_dtypes(half: Any, kind: Any) -> None:
    """A half array with an array or a NumPy number of another dtype: as np.multiply."""
    x, other = np.ones(3, half), np.ones(3, kind)
    expected = np.multiply(x, other).dtype
    for each in other, other[0]:
        assert fa.leaky_relu(x, each).dtype == fa.leaky_relu(each, x).dtype == expected
        assert fa.sigmoid.backward(x, each).dtype == fa.sigmoid.backward(each, x).dtype == expected
        assert fa.leaky_relu(x, each, backend="numpy").dtype == expected


def test_python_numbers_are_weak(half: Any) -> None:
    x = np.linspace(-2, 2, 7).astype(half)
    for alpha in 0.01, 1e-6, 1e6, 3:
        expected = quietly(np.where(x < 0, x.astype("f8") * alpha, x.astype("f8")), half)
        for backend in "auto", "serial", "parallel", "numpy":
            np.testing.assert_array_equal(bits(fa.leaky_relu(x, alpha, backend=backend)), bits(expected))
            np.testing.assert_array_equal(bits(fa.leaky_relu(x, alpha=alpha, backend=backend)), bits(expected))
        for number in 0.5, 1:
            for backend in "auto", "serial", "numpy":
                assert fa.leaky_relu.backward(x, number, alpha, backend=backend).dtype == half
                assert fa.leaky_relu.backward(number, x, alpha, backend=backend).dtype == half
            assert fa.tanh.backward(number, x).dtype == fa.tanh.backward(x, number).dtype == half
            assert fa.tanh.backward(number, x, dtype=np.float32).dtype == np.float32
            assert f"{half} loop" in fa.explain(fa.tanh.backward, number, x)
        assert fa.leaky_relu(np.ones(2, np.int8), alpha).dtype == np.float16
        assert fa.leaky_relu(1.0, alpha).dtype == fa.leaky_relu(1, alpha).dtype == np.float64


def test_calling(half: Any) -> None:
    x = np.linspace(-2, 2, 8).astype(half)
    mask = np.arange(8) % 2 == 0
    for f in fa.gelu, fa.leaky_relu:
        expected = f(x)
        for backend in "auto", "serial", "parallel", "numpy":
            assert np.array_equal(f(x, backend=backend, out=np.empty(8, np.float32)), expected)
            partly = f(x, backend=backend, where=mask, out=np.zeros(8, half))
            assert np.array_equal(partly, np.where(mask, expected.astype("f4"), 0))
            assert f"{half} loop" in fa.explain(f, x) or backend == "numpy"
        assert type(f(x[0])) is half.type
        assert f([x[0], x[1]]).dtype == f([0.5, 1], dtype=half).dtype == half
        with pytest.raises(TypeError):
            f(x, out=np.empty(8, np.int16))


def test_parameter_backward(half: Any) -> None:
    x = np.linspace(-2, 2, 1000).astype(half)
    gradient = fa.leaky_relu.parameter_backward(np.ones_like(x), x, np.full(1, 0.1).astype(half))
    assert gradient.dtype == half
    assert float(gradient[0]) == pytest.approx(x[x < 0].astype("f8").sum(), rel=0.01)


def test_without_ml_dtypes(python: Callable[..., str]) -> None:
    """fastact never imports ml_dtypes, works without it, and takes bfloat16 wherever it first meets it."""
    code = """
        import sys, numpy as np, fastact as fa
        held = fa.gelu.ufunc
        assert fa.relu(np.ones(2, "e")).dtype == np.float16 == fa.relu([np.float16(1)]).dtype
        assert "ml_dtypes" not in sys.modules
        from ml_dtypes import bfloat16
        one = bfloat16(1)
        for f in fa.relu, fa.leaky_relu:
            assert f([one]).dtype == f(one).dtype == f(np.ones(2, bfloat16)).dtype == bfloat16
        for f in fa.tanh, fa.elu:
            assert f(one).dtype == f(one).dtype == bfloat16
        for f in fa.mish, fa.softplus:
            assert f(np.ones(2, bfloat16)).dtype == f(np.ones(2, bfloat16), out=np.empty(2, bfloat16)).dtype == bfloat16
        assert fa.silu.ufunc(np.ones(2, bfloat16)).dtype == bfloat16
        assert fa.silu.backward([[one]], 0.5).dtype == fa.silu.backward(0.5, one).dtype == bfloat16
        class Array:
            def __array__(self, dtype=None, copy=None):
                return np.ones(3, bfloat16)
        assert fa.sigmoid(Array()).dtype == bfloat16
        print("done")
    """
    assert python("import textwrap\nexec(textwrap.dedent('''" + code + "'''))") == "done\n"
