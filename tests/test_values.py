"""Values that are known beforehand: printed figures, limits, zeros, kinks, parameters; and no floating-point warning.

Limits come from tests/reference.py; a kink that a new activation has is a line of `test_kinks`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from conftest import ACTIVATIONS, bits, operands
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import FIGURES, REFERENCES, mp

import fastact as fa

SPECIALS = [0.0, 1.0, 5.5, 20.0, 87.5, 88.9, 103.9, 104.1, 200.0, 709.9, 745.2, 750.0, 1e5, 1e13, 1e30, np.inf]


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("backend", ["serial", "numpy"])
def test_figures(name: str, backend: str) -> None:
    x: list[Any] = [-2, -1, 0, 1, 2]
    assert np.round(fa.get(name)(x, backend=backend), 3).tolist() == FIGURES[name]


def test_figures_of_integers() -> None:
    assert repr(fa.relu(np.array([-2, -1, 0, 1, 2]))) == "array([0, 0, 0, 1, 2])"
    assert fa.identity(2 * fa.identity(3)) == 6


def test_figures_of_softmax() -> None:
    assert np.round(fa.softmax([2.0, 1.0, 0.1]), 3).tolist() == [0.659, 0.242, 0.099]


def limit(function: Any, x: int, parameters: list[float]) -> float:
    """What mpmath's function of an x beyond all floats is as a float, which keeps the sign of what underflows."""
    value = function(mp.mpf(x), *(mp.mpf(p) for p in parameters))
    return float(value) or math.copysign(0.0, mp.sign(value))


def test_limits(activation: Any, dtype: Any) -> None:
    reference = REFERENCES[activation.name]
    parameters = [float(dtype(p)) for p in activation.parameters.values()]
    values = [limit(reference.value, x, parameters) for x in (-(10**400), 10**400)]
    assert bits(activation(np.array([-np.inf, np.inf], dtype))).tolist() == bits(np.array(values, dtype)).tolist()
    slopes = [limit(reference.slope, x, parameters) for x in (-(10**400), 10**400)]
    assert activation.derivative(np.array([-np.inf, np.inf], dtype)).tolist() == np.array(slopes, dtype).tolist()


def test_zeros(activation: Any, dtype: Any) -> None:
    """-0.0 stays -0.0 where f(0) is 0."""
    reference = REFERENCES[activation.name]
    parameters = [float(dtype(p)) for p in activation.parameters.values()]
    zeros, value = np.array([-0.0, 0.0], dtype), limit(reference.value, 0, parameters)
    assert bits(activation(zeros)).tolist() == bits(np.where(value == 0, zeros, dtype(value))).tolist()
    assert activation.derivative(zeros).tolist() == [dtype(limit(reference.slope, 0, parameters))] * 2


def test_nan_is_passed_on(operation: Any, dtype: Any) -> None:
    for n in 1, 100:
        assert np.all(np.isnan(operation(*operands(operation, np.full(n, np.nan, dtype)))))


@pytest.mark.parametrize("where", ["vector", "scalar", "strided"])
def test_no_floating_point_warning(operation: Any, dtype: Any, where: str) -> None:
    tiny = [np.finfo(dtype).smallest_subnormal, np.finfo(dtype).tiny, np.finfo(dtype).eps]
    x = np.array([*SPECIALS, *tiny, np.finfo(dtype).max, np.nan]).astype(dtype)
    x = np.concatenate([x, -x])
    pieces = {"vector": [np.tile(x, 8)], "scalar": list(x), "strided": [x[::2], x[1::2]]}[where]
    with np.errstate(all="raise"):
        for piece in pieces:
            operation(*operands(operation, piece))


def test_a_call_leaves_floating_point_flags_alone(activation: Any) -> None:
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        np.array([activation(1.0)]) / np.zeros(1)


@pytest.mark.parametrize(("name", "at_zero"), [("relu", 0), ("leaky_relu", 0.3), ("elu", 0.3)])
def test_kinks(name: str, at_zero: float, dtype: Any) -> None:
    parameters = (0.3,) * len(fa.get(name).parameters)
    tiny = np.finfo(dtype).smallest_subnormal
    slopes = fa.get(name).derivative(np.array([-tiny, -0.0, 0.0, tiny], dtype), *parameters)
    assert slopes.tolist() == np.array([at_zero, at_zero, at_zero, 1], dtype).tolist()


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if fa.get(name).parameters])
def test_array_parameter_equals_numbers(name: str, dtype: Any) -> None:
    f, numbers = fa.get(name), np.array([-1.5, 1e-3, 0.25, 1.0, 3.0], dtype)
    x = np.linspace(-30, 30, 77).astype(dtype)
    for call in (lambda x, p: f(x, p)), (lambda x, p: f.derivative(x, p)), (lambda x, p: f.backward(x, x, p)):
        each = [call(x, number) for number in numbers]
        np.testing.assert_array_equal(bits(call(x, numbers[:, None])), bits(each))
        np.testing.assert_array_equal(bits(call(np.tile(x, (5, 1)).T, numbers)), bits(np.transpose(each)))


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if fa.get(name).parameters])
def test_parameter_by_name_and_default(name: str) -> None:
    f, x = fa.get(name), np.linspace(-3, 3, 7, dtype=np.float32)
    ((parameter, default),) = f.parameters.items()
    assert f(x).tolist() == f(x, default).tolist() == f(x, **{parameter: default}).tolist()
    assert f(x, **{parameter: 0.25}).dtype == np.float32
    assert f.derivative(x, **{parameter: 0.25}).tolist() == f.derivative(x, 0.25).tolist()
    assert f.backward(x, x, **{parameter: 0.25}).tolist() == f.backward(x, x, 0.25).tolist()


def test_parameters_without_effect(dtype: Any) -> None:
    x = np.linspace(-30, 30, 61).astype(dtype)
    assert fa.leaky_relu(x, 1).tolist() == x.tolist()
    assert fa.leaky_relu(x, 0).tolist() == fa.elu(x, 0).tolist() == fa.relu(x).tolist()
    assert fa.swish(x, 0).tolist() == (x / 2).tolist()
    assert np.all(fa.softplus(x, 0) == np.inf)
    np.testing.assert_allclose(fa.swish(x, -1), -fa.silu(-x), rtol=4 * np.finfo(dtype).eps)


def test_approximate_selects_the_tanh_form() -> None:
    x = np.linspace(-6, 6, 101)
    for f, other in (fa.gelu, fa.gelu_tanh), (fa.gelu.derivative, fa.gelu_tanh.derivative):
        assert f(x, approximate="none").tolist() == f(x).tolist()
        assert f(x, approximate="tanh").tolist() == other(x).tolist() != f(x).tolist()
    assert fa.gelu.backward(x, x, approximate="tanh").tolist() == fa.gelu_tanh.backward(x, x).tolist()
    with pytest.raises(fa.UnknownNameError, match="did you mean 'tanh'"):
        fa.gelu(x, approximate="tan")


@settings(max_examples=50, deadline=None)
@given(st.floats(width=32))
def test_one_number_is_like_an_array(x: float) -> None:
    for name in ACTIVATIONS:
        f = fa.get(name)
        assert bits(f(np.float32(x))) == bits(f(np.full(40, x, np.float32)))[37]
        assert f(x).dtype == np.float64
