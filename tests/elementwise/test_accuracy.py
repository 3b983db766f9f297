"""How far every function is from the exact result, in units in the last place (ULP) of it.

The bound is the activation's own `max_ulp`, twice that for derivatives, one more for backward passes, half an ULP more
in float64; the exact results are helpers/reference.py's. benchmarks/accuracy.py measures all 2**32 float32 inputs; here
are a sample, larger in the tests marked slow, and the worst inputs that it found.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastact as fa
from fastact.measure.verification.definitions import DEFINITIONS
from helpers import ROOT
from helpers.catalogue import ACTIVATIONS
from helpers.reference import REFERENCES, mp
from helpers.subject import LANDMARKS, PARTS, Subject, bound
from helpers.ulp import Array, around, of_mpmath, stratified, ulps

CASES = [(name, parameters) for name in ACTIVATIONS for parameters in ((), *REFERENCES[name].parameters)]
WITH_INTERIOR_ZEROS = [n for n in ACTIVATIONS if REFERENCES[n].slope_zeros or REFERENCES[n].value_zeros]
#: By function and part, the inputs with the largest errors: of all float32 numbers, and of the float64 ones looked at.
WORST = json.loads((ROOT / "docs" / "accuracy.json").read_text())["fastact"]


def sizes(usual: int, large: int) -> pytest.MarkDecorator:
    """Run a test for `size` random inputs: the usual number of them, and a large one where slow tests are wanted."""
    return pytest.mark.parametrize("size", [usual, pytest.param(large, marks=pytest.mark.slow)])


class Case(Subject):
    """A function to measure in one dtype, with its error bound."""

    def __init__(self, name: str, parameters: tuple[float, ...], part: str, dtype: Any) -> None:
        super().__init__(name, part, parameters)
        self.bound = bound(name, part, dtype)
        worst = WORST.get(f"{name} {part}", {})
        self.worst = [worst[key] for key in ("at" if dtype == np.float32 else "float64_at",) if key in worst]

    def fast_error(self, x: Array) -> Array:
        """Errors in ULP, from the float64 reference; mpmath decides the close cases."""
        error = self.near_error(x)
        open_ones = np.flatnonzero(error > self.bound - 1e-3)[:1000]
        if self.bound and open_ones.size:
            error[open_ones] = self.error(x[open_ones])
        return error

    def check(self, x: Array, error: Array) -> None:
        worst = np.argmax(error)
        assert error[worst] <= self.bound, f"{error[worst]:.3f} ULP at {x[worst]!r}, allowed are {self.bound}"


@sizes(1 << 18, 1 << 20)
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_float32(name: str, parameters: tuple[float, ...], part: str, size: int) -> None:
    case = Case(name, parameters, part, np.float32)
    x = stratified(np.float32, size if parameters else 4 * size, seed=1, landmarks=LANDMARKS + case.worst)
    case.check(x, case.fast_error(x))


@sizes(256, 512)
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_float64(name: str, parameters: tuple[float, ...], part: str, size: int) -> None:
    case = Case(name, parameters, part, np.float64)
    x = stratified(np.float64, size if parameters else 4 * size, seed=2, landmarks=LANDMARKS + case.worst)
    case.check(x, case.error(x))


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", WITH_INTERIOR_ZEROS)
def test_beside_interior_zeros(name: str, part: str, dtype: Any) -> None:
    case = Case(name, (), part, dtype)
    for zero in case.zeros:
        x = np.concatenate([around(dtype, zero, 1000, 200), np.linspace(zero - 0.5, zero + 0.5, 301).astype(dtype)])
        case.check(x, case.error(x))


@pytest.mark.parametrize("name", WITH_INTERIOR_ZEROS)
def test_interior_zeros(name: str) -> None:
    """The references have so many digits that the neighbouring floats are the nearest ones in both dtypes."""
    reference, given = REFERENCES[name], [mp.mpf(value) for value in fa.get(name).parameters.values()]
    assert all(abs(reference.slope(zero, *given)) < 1e-38 for zero in reference.slope_zeros)
    assert all(abs(reference.value(zero, *given)) < 1e-38 for zero in reference.value_zeros)


#: Of the largest and of the least normal number: gradients so large that a product is finite only if it is taken in the
#: right order, and so small that it loses bits.
FROM_LARGEST, FROM_LEAST = (1, 0.999, 0.9, 0.77, 0.6, 0.51, 0.26, 1e-3), (3.7, 1.3, 1, 0.6)


@pytest.mark.parametrize("count", [3, pytest.param(17, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_backward(name: str, parameters: tuple[float, ...], dtype: Any, count: int) -> None:
    """The gradient times the derivative, also where either of them is subnormal or huge, by mpmath.

    Each x meets so many of the gradients in turn, which are all of them in the slow test.
    """
    case, limits = Case(name, parameters, "derivative", dtype), np.finfo(dtype)
    factors = (limits.max, FROM_LARGEST), (limits.tiny, FROM_LEAST), (limits.smallest_subnormal, (1, 3, 1001))
    gradients = np.array([*(unit * dtype(each) for unit, row in factors for each in row), 1, -1.7], dtype)
    x = stratified(dtype, 256, seed=3, landmarks=[*LANDMARKS, *np.linspace(0, 12, 61), *case.zeros])
    g = np.resize(gradients, (x.size, count))
    with np.errstate(all="ignore"):
        result = fa.get(name).backward(g, x[:, None], *case.parameters(dtype))
    given = [mp.mpf(float(p)) for p in case.parameters(dtype)]
    slopes = [case.exact(mp.mpf(float(each)), *given) for each in x]
    exact = of_mpmath(mp.mpf(each) * slope for slope, row in zip(slopes, g.tolist(), strict=True) for each in row)
    error = ulps(result.ravel(), *exact)
    worst = np.argmax(error)
    at = f"grad_output={g.flat[worst]!r}, x={x[worst // count]!r}"
    assert error[worst] <= case.bound + 1, f"{error[worst]:.3f} ULP at {at}"


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_fast_reference(name: str, parameters: tuple[float, ...], part: str) -> None:
    """The float64 reference against mpmath, in ULP of float32."""
    case, x = Case(name, parameters, part, np.float32), stratified(np.float32, 256, seed=5)
    exact, _ = case.exactly(x)
    with np.errstate(all="ignore"):
        fast = case.nearly(x)
        unit = np.ldexp(1.0, np.clip(np.frexp(exact)[1] - 1, -126, 127) - 23)
        difference = np.abs(fast - exact) / unit
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


def never_falls(name: str) -> bool:
    """Whether the definition does not fall, for the default parameters, and does not oscillate either."""
    parameters = [mp.mpf(value) for value in fa.get(name).parameters.values()]
    y = [REFERENCES[name].value(mp.mpf(x), *parameters) for x in np.sinh(np.linspace(-4, 4, 41))]
    return not DEFINITIONS[name].periodic and all(left <= right for left, right in pairwise(y))


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if never_falls(name)])
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
