"""How far every function is from the exact result, in units in the last place (ULP) of it.

The bound is the activation's own `max_ulp`, twice that for derivatives; the exact results are tests/reference.py's.
To test a new activation, add its entry there. `pytest -m slow` takes 2**24 float32 inputs a function, and minutes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from conftest import ACTIVATIONS, bits
from reference import REFERENCES, Array, Function, mp

import fastact as fa

#: Inputs where some function changes its formula, its sign of curvature, or its kind of result, and their neighbours.
LANDMARKS = [
    0.0, 0.17, 0.2876, 0.3466, 0.41421, 0.6931, 0.7518, 0.7525, 0.8814, 1.0, 1.1924, 1.2785, 8.49, 9.01, 13.3, 14.17,
    14.5, 16.6, 17.32, 17.4, 34.8, 36.7, 37.5, 38.4, 39.0, 44.0, 75.0, 87.34, 88.03, 88.723, 89.0, 92.2, 103.28, 103.98,
    110.0, 112.0, 708.4, 709.78, 710.0, 714.6, 745.13, 752.0, 760.0, 1e3, 1e4,
]  # fmt: skip
CASES = [(name, parameters) for name in ACTIVATIONS for parameters in ((), *REFERENCES[name].parameters)]
PARTS = ("forward", "derivative")


def stratified(dtype: Any, n: int, seed: int) -> Array:
    """n numbers, half from equal strata of all bit patterns, half with exponents from -12 to 10; and the landmarks."""
    random, unsigned = np.random.default_rng(seed), np.dtype(f"u{np.dtype(dtype).itemsize}").type
    stratum = (int(np.iinfo(unsigned).max) + 1) // (n // 2)
    everywhere = np.arange(n // 2, dtype=unsigned) * unsigned(stratum)
    everywhere += random.integers(0, stratum, n // 2, dtype=unsigned)
    low, high = np.array([2.0**-12, 2.0**11], dtype).view(unsigned)
    common = random.integers(low, high, n // 2, dtype=unsigned).view(dtype) * random.choice([-1, 1], n // 2)
    marks = np.array(LANDMARKS, dtype)
    marks = np.concatenate([marks, np.nextafter(marks, dtype(np.inf)), np.nextafter(marks, dtype(-np.inf))])
    extremes = np.array([np.finfo(dtype).max, np.finfo(dtype).tiny, np.finfo(dtype).smallest_subnormal], dtype)
    x = np.concatenate([everywhere.view(dtype), common.astype(dtype), marks, -marks, extremes, -extremes])
    return x[np.isfinite(x)]


class Case:
    """One function to measure: how to compute it, exactly and fast, and what error it may have."""

    def __init__(self, name: str, parameters: tuple[float, ...], part: str, dtype: Any) -> None:
        f, reference = fa.get(name), REFERENCES[name]
        given = parameters or tuple(f.parameters.values())
        self.dtype = dtype
        self.compute = f if part == "forward" else f.derivative
        self.parameters = tuple(dtype(p) for p in given)
        self.exact: Function = reference.value if part == "forward" else reference.slope
        self.fast: Function = reference.fast_value if part == "forward" else reference.fast_slope
        self.bound = f.max_ulp if part == "forward" else 2 * f.max_ulp
        self.zeros = reference.slope_zeros if part == "derivative" else ()

    def call(self, x: Array) -> Array:
        return self.compute(x, *self.parameters) if self.parameters else self.compute(x)

    def quantum(self, x: Array, exact: Array) -> Array:
        """The unit in the last place of `exact`; beside a zero of a derivative, where errors are absolute, of 1/8."""
        limits, scale, steepness = np.finfo(self.dtype), np.abs(exact), [float(p) for p in self.parameters] or [1.0]
        for zero in self.zeros:
            with np.errstate(over="ignore"):
                near = np.abs(x.astype(float) * steepness[0] - zero) < 2
            scale = np.where(near, np.maximum(scale, 1 / 8), scale)
        return np.ldexp(1.0, np.maximum(np.frexp(scale)[1] - 1, limits.minexp) - limits.nmant)

    def exactly(self, x: Array) -> list[Any]:
        parameters = [mp.mpf(float(p)) for p in self.parameters]
        return [self.exact(mp.mpf(float(each)), *parameters) for each in x]

    def error(self, x: Array) -> Array:
        """In ULP, from mpmath."""
        exact, result = self.exactly(x), self.call(x)
        rounded = np.array([float(each) for each in exact])
        with np.errstate(over="ignore"):
            overflow = np.isinf(result) & (result == rounded.astype(self.dtype))
        result, quantum = np.where(overflow, 0, result), self.quantum(x, np.where(overflow, 1, rounded))
        pairs = zip(result, exact, quantum, overflow, strict=True)
        return np.array([0.0 if o else float((mp.mpf(float(r)) - e) / mp.mpf(float(q))) for r, e, q, o in pairs])

    def fast_error(self, x: Array) -> Array:
        """In ULP, from the float64 reference."""
        with np.errstate(all="ignore"):
            exact = self.fast(x.astype(float), *(float(p) for p in self.parameters))
            result = self.call(x)
            return np.where(
                np.isinf(result) & (result == exact.astype(self.dtype)), 0, (result - exact) / self.quantum(x, exact)
            )

    def check(self, x: Array, error: Array) -> None:
        error = np.where(np.isnan(error), np.inf, np.abs(error))
        worst = np.argmax(error)
        assert error[worst] <= self.bound, f"{error[worst]:.3f} ULP at {x[worst]!r}, allowed are {self.bound}"


def check_float32(case: Case, x: Array) -> None:
    """The float64 reference is wrong by 0.001 ULP at most; mpmath decides what it leaves open."""
    error = case.fast_error(x)
    undecided = np.flatnonzero(np.abs(np.abs(error) - case.bound) < 1e-3)[:1000]
    if case.bound and undecided.size:
        error[undecided] = case.error(x[undecided])
    case.check(x, error)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_float32(name: str, parameters: tuple[float, ...], part: str) -> None:
    check_float32(Case(name, parameters, part, np.float32), stratified(np.float32, 1 << 18, seed=1))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_float32_many(name: str, parameters: tuple[float, ...], part: str) -> None:
    case = Case(name, parameters, part, np.float32)
    for chunk in chunks(1 << 24):
        check_float32(case, chunk)


def chunks(n: int) -> Iterator[Array]:
    return (stratified(np.float32, 1 << 20, seed) for seed in range(n >> 20))


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_float64(name: str, parameters: tuple[float, ...], part: str) -> None:
    case, x = Case(name, parameters, part, np.float64), stratified(np.float64, 256 if parameters else 2048, seed=2)
    case.check(x, case.error(x))


def test_backward_is_gradient_times_derivative(activation: Any, dtype: Any) -> None:
    x, g = stratified(dtype, 4096, seed=3), stratified(dtype, 4096, seed=4)
    g, x = g[: x.size], x[: g.size]
    with np.errstate(all="ignore"):
        expected = g * activation.derivative(x)
    np.testing.assert_array_equal(bits(activation.backward(g, x)), bits(expected))


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_fast_reference(name: str, parameters: tuple[float, ...], part: str) -> None:
    """The float64 reference against mpmath, in ULP of float32."""
    case, x = Case(name, parameters, part, np.float32), stratified(np.float32, 256, seed=5)
    exact = case.exactly(x)
    quantum = case.quantum(x, np.array([float(each) for each in exact]))
    with np.errstate(all="ignore"):
        fast = case.fast(x.astype(float), *(float(p) for p in case.parameters))
    triples = zip(fast, exact, quantum, strict=True)
    assert max(abs(mp.mpf(float(f)) - e) / mp.mpf(float(q)) for f, e, q in triples) < 1e-3


@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_slope_reference(name: str, parameters: tuple[float, ...]) -> None:
    """The analytic derivative against central differences, both in mpmath."""
    case, reference = Case(name, parameters, "derivative", np.float64), REFERENCES[name]
    given = [mp.mpf(float(p)) for p in case.parameters]
    for x in np.linspace(-20.3, 20.3, 30):  # no kink is among them
        difference = mp.diff(lambda t: reference.value(t, *given), mp.mpf(x))
        assert mp.almosteq(reference.slope(mp.mpf(x), *given), difference, 1e-15, 1e-20)


def test_central_differences(activation: Any) -> None:
    x, h = np.linspace(-20.3, 20.3, 2000), 1e-5
    difference = (activation(x + h) - activation(x - h)) / (2 * h)
    np.testing.assert_allclose(activation.derivative(x), difference, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", ["identity", "relu", "leaky_relu", "elu", "sigmoid", "tanh", "softplus"])
def test_monotone(name: str, dtype: Any) -> None:
    unsigned = f"u{dtype().itemsize}"
    starts = stratified(dtype, 256, seed=7).view(unsigned)
    neighbours = (starts[:, None] + np.arange(2048, dtype=unsigned)).view(dtype)
    for x in stratified(dtype, 1 << 18, seed=6), *neighbours:
        x = np.sort(x[np.isfinite(x)])
        y = fa.get(name)(x)
        falls = np.flatnonzero(~(y[1:] >= y[:-1]))
        assert falls.size == 0, f"{name} falls after {x[falls[0]]!r}"
