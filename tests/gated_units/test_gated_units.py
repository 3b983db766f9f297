"""Gated linear units against mpmath: values, both gradients, layouts, dtypes, backends."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import fastact as fa
from fastact.functions import gated_units
from helpers.reference import REFERENCES, mp
from helpers.ulp import of_mpmath, ulps

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
DTYPES = [np.dtype(each) for each in (np.float16, BFLOAT16, np.float32, np.float64)]


def glu_of_two(value: np.ndarray, gate: np.ndarray, **keywords: Any) -> Any:
    """glu as a function of two arrays, which stand side by side."""
    return fa.glu(np.concatenate(np.broadcast_arrays(value, gate), -1), **keywords)


def glu_backward(grad: np.ndarray, value: np.ndarray, gate: np.ndarray, **keywords: Any) -> Any:
    x = np.concatenate(np.broadcast_arrays(value, gate), -1)
    return tuple(np.split(fa.glu.backward(grad, x, **keywords), 2, -1))


#: name -> unit, its backward pass, the activation of its gate
UNITS: dict[str, tuple[Callable[..., Any], Callable[..., Any], str]] = {
    "bilinear": (fa.bilinear, fa.bilinear.backward, "identity"),
    "reglu": (fa.reglu, fa.reglu.backward, "relu"),
    "geglu": (fa.geglu, fa.geglu.backward, "gelu"),
    "geglu_tanh": (
        lambda *a, **k: fa.geglu(*a, approximate="tanh", **k),
        lambda *a, **k: fa.geglu.backward(*a, approximate="tanh", **k),
        "gelu_tanh",
    ),
    "swiglu": (fa.swiglu, fa.swiglu.backward, "silu"),
    "glu": (glu_of_two, glu_backward, "sigmoid"),
}
TWO_ARRAYS = [unit for name, unit in vars(fa).items() if isinstance(unit, gated_units.GatedUnit)]


@pytest.fixture(params=UNITS)
def unit(request: pytest.FixtureRequest) -> Any:
    return UNITS[request.param]


@pytest.fixture(params=TWO_ARRAYS, ids=lambda each: each.name)
def two_arrays(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(autouse=True)
def no_floating_point_warnings() -> Any:
    with np.errstate(all="raise"):
        yield


def numbers(count: int, shape: tuple[int, ...], dtype: Any = np.float64, seed: int = 0) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    with np.errstate(all="ignore"):
        return [(random.normal(size=shape) * 4).astype(dtype) for _ in range(count)]


def test_all_are_tested() -> None:
    assert {unit.name for unit in TWO_ARRAYS} | {"geglu_tanh", "glu"} == set(UNITS)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_values_and_gradients(unit: Any, dtype: Any) -> None:
    function, backward, activation = unit
    grad, value, gate = numbers(3, (2000,), dtype)
    reference, most = REFERENCES[activation], (fa.swiglu.max_ulp, fa.swiglu.max_ulp_backward)
    if dtype.itemsize == 2:
        most = 0.51, 0.51
    exact = [[mp.mpf(float(each)) for each in row] for row in (grad, value, gate)]
    triples = list(zip(*exact, strict=True))
    for result, bound, wanted in (
        (function(value, gate), most[0], (v * reference.value(x) for _, v, x in triples)),
        (backward(grad, value, gate)[0], most[1], (g * reference.value(x) for g, _, x in triples)),
        (backward(grad, value, gate)[1], most[1], (g * v * reference.slope(x) for g, v, x in triples)),
    ):
        assert result.dtype == dtype
        assert ulps(result, *of_mpmath(wanted)).max() <= bound


def test_gradients_are_derivatives(unit: Any) -> None:
    """Against central differences."""
    function, backward, _ = unit
    grad, value, gate = numbers(3, (30,))
    gate = np.where(np.abs(gate) < 1e-3, 1.0, gate)  # away from relu's kink
    h = 1e-6
    by_value, by_gate = backward(grad, value, gate)
    np.testing.assert_allclose(
        by_value, grad * (function(value + h, gate) - function(value - h, gate)) / (2 * h), rtol=1e-7, atol=1e-7
    )
    np.testing.assert_allclose(
        by_gate, grad * (function(value, gate + h) - function(value, gate - h)) / (2 * h), rtol=1e-7, atol=1e-7
    )


@pytest.mark.parametrize("backend", ["serial", "threads", "parallel", "numpy"])
def test_backends(unit: Any, backend: str) -> None:
    function, backward, _ = unit
    grad, value, gate = numbers(3, (3, 40_000))
    for ours, theirs in (
        (function(value, gate), function(value, gate, backend=backend)),
        (backward(grad, value, gate), backward(grad, value, gate, backend=backend)),
    ):
        if backend == "numpy":
            np.testing.assert_allclose(theirs, ours, rtol=1e-9, atol=1e-11)
        else:
            np.testing.assert_array_equal(theirs, ours)


def layouts(shape: tuple[int, int], dtype: Any) -> dict[str, np.ndarray]:
    """Empty arrays of one shape."""
    rows, columns = shape
    return {
        "C": np.empty(shape, dtype),
        "Fortran": np.empty(shape, dtype, "F"),
        "strided": np.empty((rows, 2 * columns), dtype)[:, ::2],
        "reversed": np.empty(shape, dtype)[::-1, ::-1],
        "unaligned": np.empty(rows * columns * dtype.itemsize + 1, np.uint8)[1:].view(dtype).reshape(shape),
    }


@pytest.mark.parametrize("shape", [(5, 7), (300, 500)])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_layouts_and_out(two_arrays: Any, dtype: Any, shape: tuple[int, int]) -> None:
    """Inputs and outputs of any layout give the bits of plain arrays."""
    grad, value, gate = numbers(3, shape, dtype)
    plain = two_arrays(value, gate)
    by_value, by_gate = two_arrays.backward(grad, value, gate)
    for kind, first in layouts(shape, dtype).items():
        for other in layouts(shape, dtype).values():
            second = other.copy("K")
            first[...], second[...] = value, gate
            assert np.array_equal(two_arrays(first, second), plain), kind
            out = layouts(shape, dtype)[kind], other
            results = two_arrays.backward(grad, value, gate, out=out)
            assert results[0] is out[0]
            assert results[1] is out[1]
            assert np.array_equal(results[0], by_value)
            assert np.array_equal(results[1], by_gate)
            assert two_arrays(first, second, out=first) is first
            assert np.array_equal(first, plain)


@pytest.mark.parametrize("n", [10, 3000, 300_000])
def test_gradients_in_place_of_inputs(two_arrays: Any, n: int) -> None:
    """Both outputs may be inputs, or overlap them and each other's inputs at an offset."""
    inputs = numbers(3, (n,), np.float32)
    wanted = two_arrays.backward(*inputs)
    for first, second in ((0, 1), (1, 2), (2, 1), (2, 0)):
        copies = [each.copy() for each in inputs]
        results = two_arrays.backward(*copies, out=(copies[first], copies[second]))
        np.testing.assert_array_equal(results, wanted)
    for shift in (1, -1):
        memory = np.zeros((3, n + 2), np.float32)
        copies = [row[1:-1] for row in memory]
        for each, values in zip(copies, inputs, strict=True):
            each[...] = values
        out = memory[0, 1 + shift : n + 1 + shift], memory[1, 1 + shift : n + 1 + shift]
        two_arrays.backward(*copies, out=out)
        np.testing.assert_array_equal(out, wanted)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(
    ("shape", "other"),
    [
        ((5, 7), (7,)), ((400, 3), (3,)), ((2, 3, 1000), (3, 1000)), ((2, 3, 1000), (1000,)), ((700, 9001), (9001,)),
        ((1, 9), (9,)), ((6, 1), (1,)), ((4, 5), (4, 1)), ((5, 7), ()), ((20_000, 11), (11,)), ((3, 4), (2, 3, 4)),
    ],
)  # fmt: skip
def test_broadcasting(two_arrays: Any, shape: tuple[int, ...], other: tuple[int, ...], dtype: Any) -> None:
    """An operand that repeats along leading axes has a path of its own."""
    (value, grad), (gate,) = numbers(2, shape, dtype), numbers(1, other, dtype, 1)
    order: Any
    for order in "CF":
        value, grad = value.copy(order), grad.copy(order)
        whole = [each.copy() for each in np.broadcast_arrays(grad, value, gate)]
        assert np.array_equal(two_arrays(value, gate), two_arrays(*whole[1:]))
        assert np.array_equal(two_arrays(gate, value), two_arrays(whole[2], whole[1]))
        for ours, plain in zip(two_arrays.backward(grad, value, gate), two_arrays.backward(*whole), strict=True):
            assert np.array_equal(ours, plain)
        out = np.empty_like(whole[0])
        assert two_arrays(value, gate, out=out) is out
        assert np.array_equal(out, two_arrays(*whole[1:]))


def test_an_operand_that_repeats_may_be_part_of_out(two_arrays: Any) -> None:
    for n in (5, 5000):
        (value,) = numbers(1, (4, n))
        gate = value[1]
        wanted = two_arrays(value.copy(), gate.copy())
        np.testing.assert_array_equal(two_arrays(value, gate, out=value), wanted)


def test_promotion(two_arrays: Any) -> None:
    f2, f4, f8 = (np.ones(2, each) for each in ("f2", "f4", "f8"))
    for value, gate, dtype in (
        (f4, f4, "f4"), (f2, f4, "f4"), (f4, f8, "f8"), (f4, 0.5, "f4"), (f2, 0.5, "f2"),
        (np.ones(2, "i2"), np.ones(2, "u1"), "f4"), (np.ones(2, "i8"), f4, "f8"), (np.ones(2, bool), f2, "f2"),
        ([1, 2], 1, "f8"), (f4.astype(BFLOAT16), f4.astype(BFLOAT16), BFLOAT16),
    ):  # fmt: skip
        assert two_arrays(value, gate).dtype == dtype
        assert {each.dtype for each in two_arrays.backward(value, value, gate)} == {np.dtype(dtype)}
    assert two_arrays(f4, f4, dtype="f8").dtype == "f8"
    assert isinstance(two_arrays(1.0, 2.0), np.float64)
    assert two_arrays(np.zeros((0, 3)), np.ones(3)).shape == (0, 3)


def test_specials(unit: Any) -> None:
    function, backward, activation = unit
    for value, gate in ((np.nan, 1.0), (1.0, np.nan)):
        assert np.isnan(function(np.array([value]), np.array([gate])))
        assert np.isnan(np.array(backward(np.ones(1), np.array([value]), np.array([gate])))).any()
    assert function(np.array([2.0]), np.array([800.0])) == 2 * (800 if activation != "sigmoid" else 1)
    small = function(np.array([2.0]), np.array([-800.0]))
    assert small == (-1600 if function is fa.bilinear else 0)


def test_where_and_ufunc(two_arrays: Any) -> None:
    value, gate = numbers(2, (9,))
    mask = np.arange(9) % 2 == 0
    out = two_arrays(value, gate, where=mask, out=np.zeros(9))
    np.testing.assert_array_equal(out, np.where(mask, two_arrays(value, gate), 0))
    assert isinstance(two_arrays.ufunc, np.ufunc)
    np.testing.assert_array_equal(two_arrays.ufunc(value, gate), two_arrays(value, gate))
    assert two_arrays.backward.ufunc.nout == 2
    np.testing.assert_array_equal(two_arrays(value=value, gate=gate), two_arrays(value, gate))


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("order", ["C", "F"])
def test_glu_axis(axis: int, order: Any) -> None:
    (x,) = numbers(1, (4, 6, 8))
    x = x.copy(order)
    value, gate = np.split(x, 2, axis)
    s, t = 1 / (1 + np.exp(-gate)), 1 / (1 + np.exp(gate))
    wanted = value * s
    np.testing.assert_allclose(fa.glu(x, axis), wanted, rtol=1e-14)
    out = np.empty_like(wanted)
    assert fa.glu(x, axis, out=out) is out
    np.testing.assert_allclose(out, wanted, rtol=1e-14)
    (grad,) = numbers(1, wanted.shape)
    gradient = fa.glu.backward(grad, x, axis)
    np.testing.assert_allclose(gradient, np.concatenate([grad * s, grad * value * s * t], axis), rtol=1e-13)
    assert fa.glu.backward(grad, x, axis, out=x) is x
    np.testing.assert_array_equal(x, gradient)


def test_torch() -> None:
    torch = pytest.importorskip("torch")
    (x,), (grad,) = numbers(1, (8, 10)), numbers(1, (8, 5), seed=1)
    tensor = torch.from_numpy(x).requires_grad_()
    result = torch.nn.functional.glu(tensor)
    result.backward(torch.from_numpy(grad))
    np.testing.assert_allclose(fa.glu(x), result.detach().numpy(), rtol=1e-13)
    np.testing.assert_allclose(fa.glu.backward(grad, x), tensor.grad.numpy(), rtol=1e-9)


def test_pickle_and_copy() -> None:
    for each in (fa.glu, *(part for unit in TWO_ARRAYS for part in (unit, unit.backward))):
        assert pickle.loads(pickle.dumps(each)) is copy.deepcopy(each) is copy.copy(each) is each


def test_wrong_arguments() -> None:
    x = np.zeros((2, 4))
    with pytest.raises(ValueError, match=r"x has shape \(3, 5\): its length along axis 1, 5, cannot be halved"):
        fa.glu(np.zeros((3, 5)))
    with pytest.raises(np.exceptions.AxisError):
        fa.glu(x, 2)
    with pytest.raises(np.exceptions.AxisError):
        fa.glu(1.0)
    with pytest.raises(ValueError, match=r"grad_output has shape \(2, 4\), glu\(x\) \(2, 2\)"):
        fa.glu.backward(x, x)
    with pytest.raises(ValueError, match=r"out has shape \(2, 2\), x \(2, 4\)"):
        fa.glu.backward(x[:, :2], x, out=np.zeros((2, 2)))
    with pytest.raises(ValueError, match="broadcast"):
        fa.swiglu(np.zeros(3), np.zeros(4))
    with pytest.raises(TypeError, match="missing its operand 'gate'"):
        fa.swiglu(x)
    with pytest.raises(TypeError):
        fa.swiglu(x, x * 1j)
    with pytest.raises(TypeError, match="tuple"):
        fa.swiglu.backward(x, x, x, out=x)
    with pytest.raises(fa.UnknownNameError, match="did you mean 'tanh'"):
        fa.geglu(x, x, approximate="tan")
    with pytest.raises(TypeError, match="several results"):
        fa.swiglu.backward.vectorize()


def test_documentation() -> None:
    for unit in TWO_ARRAYS:
        assert unit.formula in str(unit.__doc__)
        assert "Raises" in str(unit.__doc__)
        assert f"grad_output * {unit.activation.name}(gate)" in str(unit.backward.__doc__)
        assert "float64 loop" in fa.explain(unit, np.ones(9), np.ones(9))
