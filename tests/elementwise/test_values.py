"""Values known beforehand: printed figures, special numbers, kinks, tails, parameters; and no warnings.

Exact values come from helpers/reference.py. Kinks are found, and compared with those that the activation documents.
"""

from __future__ import annotations

import math
import re
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastact as fa
from fastact.measure.verification.definitions import DEFINITIONS
from fastact.measure.verification.inputs import kinks
from fastact.measure.verification.reference import Reference as Verified
from helpers.arrays import bits
from helpers.catalogue import ACTIVATIONS, operands
from helpers.reference import FIGURES, REFERENCES, Array, mp
from helpers.subject import bound
from helpers.ulp import of_mpmath, stratified, ulps

ROUND = [0.0, 1.0, 5.5, 20.0, 87.5, 88.9, 103.9, 104.1, 200.0, 709.9, 745.2, 750.0, 1e5, 1e13, 1e30, np.inf]


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


def numbers(parameters: Any, dtype: Any) -> tuple[Any, ...]:
    return tuple(dtype(p) for p in parameters)


def exactly(function: Any, x: Array, parameters: Any) -> list[Any]:
    """The value of mpmath's function; for an infinity, at a number beyond all floats."""
    given = [mp.mpf(float(p)) for p in parameters]
    return [function(mp.mpf(float(v)) if np.isfinite(v) else int(np.sign(v)) * mp.mpf(10) ** 400, *given) for v in x]


def rounded(exact: list[Any], dtype: Any) -> Array:
    """As floats, keeping the sign of what underflows."""
    return np.array([float(e) or math.copysign(0.0, mp.sign(e)) for e in exact]).astype(dtype)


def nans(dtype: Any) -> Array:
    """Signalling and quiet NaN, with several payloads and both signs."""
    bits_of_fraction, bytes_ = np.finfo(dtype).nmant, np.dtype(dtype).itemsize
    quiet = 1 << (bits_of_fraction - 1)
    infinity = ((1 << (8 * bytes_ - 1)) - 1) >> bits_of_fraction << bits_of_fraction
    fractions = [1, 0x1234, quiet >> 1, quiet - 1, quiet, quiet + 1, quiet + 0x1234, 2 * quiet - 1]
    patterns = [infinity + fraction for fraction in fractions]
    return np.array(patterns + [(1 << (8 * bytes_ - 1)) + p for p in patterns], f"u{bytes_}").view(dtype)


def magnitudes(dtype: Any) -> Array:
    """The least and the largest subnormal, the least normal and the largest number, of both signs."""
    limits = np.finfo(dtype)
    x = [limits.smallest_subnormal, np.nextafter(limits.tiny, dtype(0)), limits.tiny, limits.max]
    return np.array([*x, *(-v for v in x)], dtype)


@pytest.mark.parametrize("backend", ["serial", "numpy"])
def test_nan_is_passed_on(operation: Any, dtype: Any, backend: str) -> None:
    for n in 1, 7:
        assert np.all(np.isnan(operation(*operands(operation, np.tile(nans(dtype), n)), backend=backend)))
    if operation._inputs == 2:
        x = np.concatenate([np.zeros(1, dtype), magnitudes(dtype), np.array([-20, -2.5, 2.5, 20], dtype)])
        assert np.all(np.isnan(operation(nans(dtype)[:, None], x, backend=backend)))
        assert np.all(np.isnan(operation(x, nans(dtype)[:, None], backend=backend)))


def test_limits(activation: Any, dtype: Any) -> None:
    reference, x = REFERENCES[activation.name], np.array([-np.inf, np.inf], dtype)
    parameters = numbers(activation.parameters.values(), dtype)
    assert bits(activation(x)).tolist() == bits(rounded(exactly(reference.value, x, parameters), dtype)).tolist()
    slopes = rounded(exactly(reference.slope, x, parameters), dtype)
    np.testing.assert_array_equal(activation.derivative(x), slopes)
    np.testing.assert_array_equal(activation.backward(np.ones_like(x), x), slopes)


def test_zeros(activation: Any, dtype: Any) -> None:
    """-0.0 stays -0.0 where f(0) is 0 and f passes x through."""
    reference, zeros = REFERENCES[activation.name], np.array([-0.0, 0.0], dtype)
    parameters = numbers(activation.parameters.values(), dtype)
    values, slopes = (rounded(exactly(f, zeros, parameters), dtype) for f in (reference.value, reference.slope))
    expected = np.where(values == 0, zeros, values) if DEFINITIONS[activation.name].signed_zero else values
    assert bits(activation(zeros)).tolist() == bits(expected).tolist()
    assert activation.derivative(zeros).tolist() == slopes.tolist()
    assert activation.backward(np.ones_like(zeros), zeros).tolist() == slopes.tolist()


def test_least_and_largest_numbers(activation: Any, dtype: Any) -> None:
    """Backward at most 1 ULP worse than the derivative, even where that underflows or the gradient is huge."""
    reference, x = REFERENCES[activation.name], magnitudes(dtype)
    parameters = numbers(activation.parameters.values(), dtype)
    values, slopes = (exactly(f, x, parameters) for f in (reference.value, reference.slope))
    assert ulps(activation(x), *of_mpmath(values)).max() <= bound(activation.name, "forward", dtype)
    limit = bound(activation.name, "derivative", dtype)
    assert ulps(activation.derivative(x), *of_mpmath(slopes)).max() <= limit
    assert bits(activation.backward(np.ones_like(x), x)).tolist() == bits(activation.derivative(x)).tolist()
    for g in magnitudes(dtype):
        products = [mp.mpf(float(g)) * slope for slope in slopes]
        error = ulps(activation.backward(np.full_like(x, g), x), *of_mpmath(products))
        assert error.max() <= limit + 1, f"{error.max()} ULP at gradient {g!r}, x = {x[error.argmax()]!r}"
    assert not np.any(np.isfinite(activation.backward(np.full_like(x, np.inf), x)))


@pytest.mark.parametrize("where", ["vector", "scalar", "strided"])
def test_no_floating_point_warning(operation: Any, dtype: Any, where: str) -> None:
    tiny = [np.finfo(dtype).smallest_subnormal, np.finfo(dtype).tiny, np.finfo(dtype).eps]
    x = np.array([*ROUND, *tiny, np.finfo(dtype).max, np.nan]).astype(dtype)
    x = np.concatenate([x, -x])
    pieces = {"vector": [np.tile(x, 8)], "scalar": list(x), "strided": [x[::2], x[1::2]]}[where]
    with np.errstate(all="raise"):
        for piece in pieces:
            operation(*operands(operation, piece))


def test_a_call_leaves_floating_point_flags_alone(activation: Any) -> None:
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        np.array([activation(2.0)]) / np.zeros(1)


#: PyTorch's names of the functions that it has; parameters stand in the same places.
TORCH = {
    "relu": "relu", "relu6": "relu6", "leaky_relu": "leaky_relu", "elu": "elu", "celu": "celu", "selu": "selu",
    "hard_tanh": "hardtanh", "hard_silu": "hardswish", "softshrink": "softshrink", "hardshrink": "hardshrink",
    "threshold": "threshold",
}  # fmt: skip


def beside(x: float, dtype: Any) -> Array:
    """A number between its two neighbours."""
    middle = dtype(x)
    return np.array([np.nextafter(middle, dtype(-np.inf)), middle, np.nextafter(middle, dtype(np.inf))])


def documented_kinks(name: str) -> dict[float, float]:
    """The slopes at kinks, for the default parameters, that `kinks` tells as "name'(a) = name'(b) = slope"."""
    activation, found = fa.get(name), {}
    for equation in re.findall(r"\w+'\([^,;]*", activation.kinks):
        *_, slope = equation.split("=")
        for point in re.findall(r"\w+'\((.*?)\)", equation):
            found[float(eval(point, {}, dict(activation.parameters)))] = eval(
                slope.strip(), {}, dict(activation.parameters)
            )
    return found


@cache
def found_kinks(name: str, parameters: tuple[float, ...] = ()) -> list[float]:
    """Where the function or its slope jumps; 0 always is among them."""
    return kinks(Verified(name, dict(zip(fa.get(name).parameters, parameters, strict=False))), 1 << 20)


def beside_kinks(name: str, parameters: tuple[float, ...], dtype: Any) -> Array:
    """Kinks between their neighbours; those that are only documented are bends of the slope."""
    points = {*found_kinks(name, parameters), *documented_kinks(name)}
    return np.concatenate([beside(each, dtype) for each in sorted(points)])


SETTINGS = [(name, parameters) for name in ACTIVATIONS for parameters in ((), *REFERENCES[name].parameters)]


@pytest.mark.parametrize(("name", "parameters"), SETTINGS)
def test_kinks(name: str, parameters: tuple[float, ...], dtype: Any) -> None:
    f, x, given = fa.get(name), beside_kinks(name, parameters, dtype), numbers(parameters, dtype)
    expected = exactly(REFERENCES[name].slope, x, given or numbers(f.parameters.values(), dtype))
    assert ulps(f.derivative(x, *given), *of_mpmath(expected)).max() <= bound(name, "derivative", dtype)
    assert f.backward(np.ones_like(x), x, *given).tolist() == f.derivative(x, *given).tolist()


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if not DEFINITIONS[name].periodic])  # steep far out
def test_kinks_are_documented(name: str) -> None:
    """With the slopes there; squareplus has one for b = 0 alone."""
    documented, parameters = documented_kinks(name), {"b": 0} if name == "squareplus" else {}
    assert {0.0, *documented} >= set(found_kinks(name))
    slopes = fa.get(name).derivative(np.array([*documented]), **parameters)
    np.testing.assert_allclose(slopes, [*documented.values()], rtol=1e-3)


@pytest.mark.parametrize(("name", "parameters"), [setting for setting in SETTINGS if setting[0] in TORCH])
def test_kinks_as_in_torch(name: str, parameters: tuple[float, ...], dtype: Any) -> None:
    torch = pytest.importorskip("torch")
    f, x = fa.get(name), beside_kinks(name, parameters, dtype)
    given = parameters or tuple(f.parameters.values())
    tensor = torch.tensor(x, requires_grad=True)
    getattr(torch.nn.functional, TORCH[name])(tensor, *given).sum().backward()
    # PyTorch keeps some constants of float64 functions, such as celu's 1 / alpha, in float32.
    np.testing.assert_allclose(f.derivative(x, *given), tensor.grad.numpy(), rtol=2**-21, atol=0)


TAILS = [
    ("sigmoid", "forward", -100), ("silu", "forward", -90), ("gelu", "forward", -10), ("gelu", "forward", -13),
    ("mish", "forward", -90), ("log_sigmoid", "forward", 90), ("sigmoid", "derivative", 20), ("tanh", "derivative", 15),
]  # fmt: skip


@pytest.mark.parametrize(("name", "part", "x"), [tail for tail in TAILS if tail[0] in ACTIVATIONS])
def test_tails_that_others_lose(name: str, part: str, x: float) -> None:
    f, reference = fa.get(name), REFERENCES[name]
    function, of = (f, reference.value) if part == "forward" else (f.derivative, reference.slope)
    error = ulps(function(np.full(1, x, np.float32)), *of_mpmath([of(mp.mpf(x))]))
    assert error[0] <= bound(f.name, part, np.float32)


PARAMETERS = [(name, parameter) for name in ACTIVATIONS for parameter in fa.get(name).parameters]


def with_parameter(f: Any, name: str, value: Any, dtype: Any = np.float64) -> tuple[Any, ...]:
    """Pass all parameters by position, each but one at its default."""
    return tuple(value if name == parameter else dtype(default) for parameter, default in f.parameters.items())


@pytest.mark.parametrize(("name", "parameter"), PARAMETERS)
def test_array_parameter_equals_numbers(name: str, parameter: str, dtype: Any) -> None:
    f, several = fa.get(name), np.array([-1.5, 1e-3, 0.25, 1.0, 3.0], dtype)
    x = np.linspace(-30, 30, 77).astype(dtype)
    for call in f, f.derivative, lambda x, *p: f.backward(x, x, *p):
        each = [call(x, *with_parameter(f, parameter, number, dtype)) for number in several]
        column, row = (with_parameter(f, parameter, p, dtype) for p in (several[:, None], several))
        np.testing.assert_array_equal(bits(call(x, *column)), bits(each))
        np.testing.assert_array_equal(bits(call(np.tile(x, (5, 1)).T, *row)), bits(np.transpose(each)))


@pytest.mark.parametrize(("name", "parameter"), PARAMETERS)
def test_parameter_by_name_and_default(name: str, parameter: str) -> None:
    f, x = fa.get(name), np.linspace(-3, 3, 7, dtype=np.float32)
    default, given = {parameter: f.parameters[parameter]}, {parameter: 0.25}
    by_position = with_parameter(f, parameter, 0.25, float)
    assert f(x).tolist() == f(x, *f.parameters.values()).tolist() == f(x, **default).tolist()
    assert f(x, **given).tolist() == f(x, *by_position).tolist()
    assert f(x, **given).dtype == np.float32
    assert f.derivative(x, **given).tolist() == f.derivative(x, *by_position).tolist()
    assert f.backward(x, x, **given).tolist() == f.backward(x, x, *by_position).tolist()


def parameters_of(name: str, dtype: Any) -> list[tuple[Any, ...]]:
    """The defaults and those that helpers/reference.py adds."""
    return [numbers(p, dtype) for p in (tuple(fa.get(name).parameters.values()), *REFERENCES[name].parameters)]


@pytest.mark.parametrize(("name", "parameter"), PARAMETERS)
def test_parameter_derivative(name: str, parameter: str, dtype: Any) -> None:
    """Within 4 ULP of the value; where snake oscillates, of the largest value nearby."""
    derivative, exact_derivative = fa.get(name).parameter_derivative(parameter), REFERENCES[name].parameter_slopes
    x = stratified(dtype, 128, seed=8, landmarks=[0.0, 0.5, 1.0, 3.0])
    if name == "snake":
        x = x[np.abs(x) < 1e4]
    for parameters in parameters_of(name, dtype):
        exact, low = of_mpmath(exactly(exact_derivative[parameter], x, parameters))
        result = derivative(x, *parameters)
        assert result.dtype == dtype
        error = ulps(result, exact, low)
        if name == "snake":
            alpha, wide = float(parameters[0]), np.abs(x.astype(float))
            size = wide * np.minimum(wide, 1 / abs(alpha) if alpha else np.inf)
            error = np.abs(result - exact) / np.maximum(size * np.finfo(dtype).eps, np.finfo(dtype).smallest_subnormal)
        worst = error.argmax()
        assert error[worst] <= 4, f"{error[worst]:.3g} ULP at {x[worst]!r}, {parameters}: {result[worst]!r}"


@pytest.mark.parametrize(("name", "parameter"), PARAMETERS)
def test_parameter_derivative_of_specials(name: str, parameter: str, dtype: Any) -> None:
    derivative, exact_derivative = fa.get(name).parameter_derivative(parameter), REFERENCES[name].parameter_slopes
    x = np.array([-np.inf, np.inf], dtype)
    for parameters in parameters_of(name, dtype):
        assert np.all(np.isnan(derivative(nans(dtype), *parameters)))
    parameters = parameters_of(name, dtype)[0]
    limits = rounded(exactly(exact_derivative[parameter], x, parameters), dtype)
    np.testing.assert_array_equal(derivative(x, *parameters), limits)


WITH_PARAMETERS = [name for name in ACTIVATIONS if fa.get(name).parameters]


@pytest.mark.parametrize("name", WITH_PARAMETERS)
@pytest.mark.parametrize("shapes", [[()], [(3, 1, 1)], [(2, 3, 4, 5)], [(3, 1, 1), ()], [(1, 3, 4, 1), (5,)]])
def test_parameter_backward(name: str, shapes: list[tuple[int, ...]]) -> None:
    """The gradient of a parameter is the sum over the axes along which it was broadcast, in its own shape."""
    f, random, dtype = fa.get(name), np.random.default_rng(9), np.float32
    x, g = random.normal(0, 2, (2, 2, 3, 4, 5)).astype(dtype)
    shapes = [shapes[i % len(shapes)] for i in range(len(f.parameters))]
    defaults = zip(f.parameters.values(), shapes, strict=True)
    parameters = [(default * random.uniform(0.8, 1.2, shape)).astype(dtype)[()] for default, shape in defaults]
    gradients = f.parameter_backward(g, x, *parameters)
    assert isinstance(gradients, tuple) == (len(shapes) > 1)
    by_name = f.parameter_backward(g, x, **dict(zip(f.parameters, parameters, strict=True)))
    gradients, by_name = (each if len(shapes) > 1 else (each,) for each in (gradients, by_name))
    for parameter, shape, gradient, same in zip(f.parameters, shapes, gradients, by_name, strict=True):
        products = (g * f.parameter_derivative(parameter)(x, *parameters)).astype(float)
        axes = tuple(i for i in range(4) if i < 4 - len(shape) or shape[i - 4 + len(shape)] == 1)
        expected, size = (each.sum(axes).reshape(shape) for each in (products, np.abs(products)))
        assert (gradient.shape, gradient.dtype) == (shape, dtype)
        assert gradient.tolist() == same.tolist()
        assert np.all(np.abs(gradient - expected) <= np.finfo(dtype).eps * size)


def test_parameter_backward_of_the_defaults() -> None:
    for dtype in np.float32, np.float64:
        x = np.linspace(-2, 2, 5, dtype=dtype)
        for gradient in fa.leaky_relu.parameter_backward(x, x), fa.leaky_relu.parameter_backward(x, x, backend="numpy"):
            assert (gradient, gradient.dtype) == (5.0, dtype)
        assert fa.leaky_relu.parameter_backward(dtype(2), dtype(-3)) == -6.0


@pytest.mark.usefixtures("own_registry")
def test_parameter_derivatives_that_there_are_not() -> None:
    @fa.activation(derivative=lambda x, gain: gain, gain=1.0)
    def own_gain(x, gain):  # type: ignore[no-untyped-def]
        return gain * np.nextafter(x, x)

    x = np.ones(3)
    with pytest.raises(TypeError, match="relu has no parameters"):
        fa.relu.parameter_backward(x, x)
    with pytest.raises(TypeError, match=r"@activation\(parameter_derivatives=\{'gain': ...\}\)"):
        own_gain.parameter_backward(x, x)
    with pytest.raises(TypeError, match=r"@activation\(parameter_derivatives=\{'gain': ...\}\)"):
        own_gain.parameter_derivative("gain")
    with pytest.raises(fa.UnknownNameError, match="leaky_relu has no parameter 'alfa'; did you mean 'alpha'"):
        fa.leaky_relu.parameter_derivative("alfa")
    with pytest.raises(TypeError, match="unexpected keyword argument 'gian'"):
        fa.leaky_relu.parameter_backward(x, x, gian=1.0)


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
