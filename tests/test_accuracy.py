"""How far every function is from the exact result, in units in the last place (ULP) of it.

The bound is the activation's own `max_ulp`, twice that for derivatives, one more for backward passes, half an ULP more
in float64; the exact results are tests/reference.py's. benchmarks/accuracy.py measures all 2**32 float32 inputs; here
are a sample and the worst inputs that it found. To test a new activation, add its entry to tests/reference.py.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ACTIVATIONS, ROOT
from reference import REFERENCES, mp
from subject import PARTS, Subject, bound
from ulp import Array, around, of_mpmath, stratified, ulps

import fastact as fa

#: Inputs where some function changes its formula, its sign of curvature, or its kind of result.
LANDMARKS = [
    0.0, 0.17, 0.2876, 0.3466, 0.41421, 0.6931, 0.7518, 0.7525, 0.8814, 1.0, 1.1924, 1.2785, 8.49, 9.01, 13.3, 14.17,
    14.5, 16.6, 17.32, 17.4, 34.8, 36.7, 37.5, 38.4, 39.0, 44.0, 75.0, 87.34, 88.03, 88.723, 89.0, 92.2, 103.28, 103.98,
    110.0, 112.0, 708.4, 709.78, 710.0, 714.6, 745.13, 752.0, 760.0, 1e3, 1e4,
]  # fmt: skip
CASES = [(name, parameters) for name in ACTIVATIONS for parameters in ((), *REFERENCES[name].parameters)]
WITH_INTERIOR_ZEROS = [n for n in ACTIVATIONS if REFERENCES[n].slope_zeros or REFERENCES[n].value_zeros]
#: The inputs with the largest errors of all float32 numbers, by function and part.
WORST = {key: row["at"] for key, row in json.loads((ROOT / "docs" / "accuracy.json").read_text())["fastact"].items()}


class Case(Subject):
    """One function to measure in one dtype, and what error it may have."""

    def __init__(self, name: str, parameters: tuple[float, ...], part: str, dtype: Any) -> None:
        super().__init__(name, part, parameters)
        self.bound = bound(name, part, dtype)
        self.worst = [WORST[f"{name} {part}"]] if f"{name} {part}" in WORST and dtype == np.float32 else []

    def fast_error(self, x: Array) -> Array:
        """In ULP, from the float64 reference; mpmath decides what that leaves open."""
        error = self.near_error(x)
        open_ones = np.flatnonzero(error > self.bound - 1e-3)[:1000]
        if self.bound and open_ones.size:
            error[open_ones] = self.error(x[open_ones])
        return error

    def check(self, x: Array, error: Array) -> None:
        worst = np.argmax(error)
        assert error[worst] <= self.bound, f"{error[worst]:.3f} ULP at {x[worst]!r}, allowed are {self.bound}"


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_float32(name: str, parameters: tuple[float, ...], part: str) -> None:
    case = Case(name, parameters, part, np.float32)
    x = stratified(np.float32, 1 << (18 if parameters else 22), seed=1, landmarks=LANDMARKS + case.worst)
    case.check(x, case.fast_error(x))


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_float64(name: str, parameters: tuple[float, ...], part: str) -> None:
    case = Case(name, parameters, part, np.float64)
    x = stratified(np.float64, 256 if parameters else 2048, seed=2, landmarks=LANDMARKS)
    case.check(x, case.error(x))


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", WITH_INTERIOR_ZEROS)
def test_beside_interior_zeros(name: str, part: str, dtype: Any) -> None:
    case = Case(name, (), part, dtype)
    for zero in case.zeros:
        near = around(dtype, zero, 200)
        wide = np.linspace(zero - 0.5, zero + 0.5, 301).astype(dtype)
        for x in near, wide:
            case.check(x, case.error(x))


def test_backward(activation: Any, dtype: Any) -> None:
    """The gradient times the derivative, also where that alone is subnormal, by mpmath."""
    case = Case(activation.name, (), "derivative", dtype)
    x, g = stratified(dtype, 512, seed=3, landmarks=[-80.0, -95.0, -720.0]), stratified(dtype, 1024, seed=4)
    g = g[: x.size]
    with np.errstate(all="ignore"):
        result = activation.backward(g, x, *case.parameters(dtype))
    parameters = [mp.mpf(float(p)) for p in case.parameters(dtype)]
    exact = of_mpmath(mp.mpf(float(a)) * case.exact(mp.mpf(float(b)), *parameters) for a, b in zip(g, x, strict=True))
    with np.errstate(all="ignore"):
        error = ulps(result, *exact)
    worst = np.argmax(error)
    assert error[worst] <= case.bound + 1, f"{error[worst]:.3f} ULP at grad_output={g[worst]!r}, x={x[worst]!r}"


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_fast_reference(name: str, parameters: tuple[float, ...], part: str) -> None:
    """The float64 reference against mpmath, in ULP of float32."""
    case, x = Case(name, parameters, part, np.float32), stratified(np.float32, 256, seed=5)
    exact, low = case.exactly(x)
    with np.errstate(all="ignore"):
        fast = case.nearly(x)
        unit = np.ldexp(1.0, np.clip(np.frexp(exact)[1] - 1, -126, 127) - 23)
        difference = np.abs((fast - exact) - low) / unit
    same = (fast == exact) | (np.isnan(fast) & np.isnan(exact)) | (np.minimum(np.abs(fast), np.abs(exact)) > 1e39)
    assert np.all((difference < 1e-3) | same)


@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_slope_reference(name: str, parameters: tuple[float, ...]) -> None:
    """The analytic derivative against central differences, both in mpmath."""
    case, reference = Case(name, parameters, "derivative", np.float64), REFERENCES[name]
    given = [mp.mpf(float(p)) for p in case.parameters(np.float64)]
    for x in np.linspace(-20.3, 20.3, 30):  # no kink is among them
        difference = mp.diff(lambda t: reference.value(t, *given), mp.mpf(x))
        assert mp.almosteq(reference.slope(mp.mpf(x), *given), difference, 1e-15, 1e-20)


def test_central_differences(activation: Any) -> None:
    x, h = np.linspace(-20.3, 20.3, 2000), 1e-5
    difference = (activation(x + h) - activation(x - h)) / (2 * h)
    np.testing.assert_allclose(activation.derivative(x), difference, rtol=1e-6, atol=1e-9)


#: Functions that nowhere fall for their default parameters.
MONOTONE = [
    "identity", "relu", "leaky_relu", "relu6", "hard_tanh", "hard_sigmoid", "softshrink", "hardshrink", "threshold",
    "thresholded_relu", "relu_squared", "star_relu", "step", "sparse_plus", "sparse_sigmoid", "elu", "celu", "selu",
    "softplus", "squareplus", "sigmoid", "log_sigmoid", "tanh", "tanhshrink", "softsign", "erf", "ndtr", "exponential",
]  # fmt: skip


@pytest.mark.parametrize("name", [name for name in MONOTONE if name in ACTIVATIONS])
def test_monotone(name: str, dtype: Any) -> None:
    unsigned = f"u{dtype().itemsize}"
    starts = stratified(dtype, 256, seed=7, landmarks=LANDMARKS).view(unsigned)
    neighbours = (starts[:, None] + np.arange(2048, dtype=unsigned)).view(dtype)
    for x in stratified(dtype, 1 << 18, seed=6, landmarks=LANDMARKS), *neighbours:
        with np.errstate(invalid="ignore"):
            x = np.sort(x[np.isfinite(x)])
        y = fa.get(name)(x)
        falls = np.flatnonzero(~(y[1:] >= y[:-1]))
        assert falls.size == 0, f"{name} falls after {x[falls[0]]!r}"


@pytest.mark.parametrize(
    ("name", "sign"),
    [(each, -1) for each in ("tanh", "tanhshrink", "softsign", "erf", "hard_tanh", "softshrink", "hardshrink")]
    + [(each, 1) for each in ("sigmoid", "tanh", "erf", "ndtr", "softsign", "tanhshrink")],
)
def test_symmetry(name: str, sign: int, dtype: Any) -> None:
    """Odd functions are odd to the bit, and derivatives of functions that are odd but for a constant even."""
    if name not in ACTIVATIONS:
        pytest.skip(f"{name} is not in the catalogue")
    f = fa.get(name) if sign < 0 else fa.get(name).derivative
    x = stratified(dtype, 1 << 16, seed=9, landmarks=LANDMARKS)
    np.testing.assert_array_equal(f(-x), sign * f(x))


def validation(function: str) -> Iterator[tuple[Array, Array, Array]]:
    """Inputs, results and tolerances of NumPy's own validation set, for each float type."""
    path = Path(np.__file__).parent / "_core" / "tests" / "data" / f"umath-validation-set-{function}.csv"
    if not path.exists():
        pytest.skip(f"this NumPy came without {path.name}")
    with path.open() as file:
        rows = [row for row in csv.reader(line for line in file if not line.startswith("#")) if row[0] != "dtype"]
    for dtype in np.float32, np.float64:
        mine = [row for row in rows if row[0] == f"np.{dtype.__name__}"]
        unsigned = f"u{dtype().itemsize}"
        x, y = (np.array([int(row[i], 16) for row in mine], unsigned).view(dtype) for i in (1, 2))
        yield x, y, np.array([float(row[3]) for row in mine])


@pytest.mark.parametrize(("function", "name"), [("exp", "exponential"), ("tanh", "tanh"), ("expm1", "elu")])
def test_numpys_validation_sets(function: str, name: str) -> None:
    """NumPy's tolerances are in ULP of its rounded result, hence one more."""
    if name not in ACTIVATIONS:
        pytest.skip(f"{name} is not in the catalogue")
    for x, expected, _ in validation(function):
        if name == "elu":  # e**x - 1 for negative numbers
            with np.errstate(invalid="ignore"):
                negative = ~(x > 0)
            x, expected = x[negative], expected[negative]
        assert x.size > 100
        with np.errstate(all="ignore"):
            assert ulps(fa.get(name)(x), expected.astype(float)).max() <= fa.get(name).max_ulp + 0.5
