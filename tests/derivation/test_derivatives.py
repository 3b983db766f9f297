"""Derivatives that are derived: right, exact, without NaN or warning, on every backend; what has none is told."""

from __future__ import annotations

import inspect
import math
import pickle
import warnings
from typing import Any

import numpy as np
import pytest

import fastact as fa
from fastact._kernels.compile.fingerprint import fingerprint
from fastact.functions.derivation import derive
from fastact.math import erf, exp, expm1, like, sigmoid, tanh, where
from helpers.arrays import bits
from helpers.catalogue import ACTIVATIONS

pytest.importorskip("sympy")
pytest.importorskip("mpmath")

pytestmark = pytest.mark.usefixtures("own_registry")

#: Of all sizes, and no kinks.
X = np.array([-3e38, -700, -90, -20, -5.1, -1.3, -0.7, -0.2, -1e-20, 1e-20, 0.1, 0.4, 0.9, 1.7, 4.4, 18, 95, 800, 3e38])
#: Their formulas have no better form: x + sqrt(x**2 + b) cancels, and so does what snake's is made of by 1 / alpha.
CANCELLING = {"squareplus", "snake"}


@pytest.mark.parametrize("name", sorted({*ACTIVATIONS} - CANCELLING))
def test_what_is_derived_is_what_is_known(name: str) -> None:
    """The catalogue's derivatives are exact; these are computed by plain NumPy."""
    f = fa.get(name)
    values = list(f.parameters.values())
    for by in ("x", *f.parameters):
        known = f.derivative(X) if by == "x" else f.parameter_derivative(by)(X)
        with np.errstate(all="ignore"):
            found = derive(f, by).function(X, *map(np.float64, values))
        np.testing.assert_allclose(np.broadcast_to(found, X.shape), known, rtol=1e-8, atol=1e-15, err_msg=by)


def written_out_silu(x, beta):  # type: ignore[no-untyped-def]
    return x / (1 + np.exp(-beta * x))


def gelu_as_in_papers(x):  # type: ignore[no-untyped-def]
    return 0.5 * x * (1 + erf(x / math.sqrt(2)))


def mish_with_overflow(x):  # type: ignore[no-untyped-def]
    return x * np.tanh(np.log(1 + np.exp(x)))


def elish(x):  # type: ignore[no-untyped-def]
    if x >= 0:
        return x * sigmoid(x)
    return expm1(x) * sigmoid(x)


def rational(x):  # type: ignore[no-untyped-def]
    return (x**2 + 1) / (x**2 + 2)


def bent_identity(x):  # type: ignore[no-untyped-def]
    return (np.sqrt(x * x + 1) - 1) / 2 + x


FORMULAS: dict[Any, Any] = {
    written_out_silu: {"beta": 1.0}, gelu_as_in_papers: {}, mish_with_overflow: {}, elish: {}, rational: {},
    bent_identity: {},
}  # fmt: skip
LIMITS = {
    "written_out_silu": (0, 1), "gelu_as_in_papers": (0, 1), "mish_with_overflow": (0, 1), "elish": (0, 1),
    "rational": (0, 0), "bent_identity": (0.5, 1.5),
}  # fmt: skip


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda each: each.__name__)
def test_it_is_exact_up_to_the_ends_of_the_dtype(formula: Any) -> None:
    f = fa.activation(formula, **FORMULAS[formula])
    found = f.derivation.accuracy
    for dtype in "float32", "float64":
        assert np.median(found["x", dtype].ulp) < 1
        assert np.isfinite(found["x", dtype].worst)
        far_from_zeros = np.abs(f.derivative(found["x", dtype].x)) > 0.2
        assert found["x", dtype].ulp[far_from_zeros].max() < 8
    x = np.array([-np.inf, np.inf, np.nan, 1.0])
    for backend in "serial", "numpy":
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            ends = f.derivative(x, backend=backend)
        np.testing.assert_allclose(ends[:3], [*LIMITS[f.name], np.nan], atol=1e-12)


def own(**options: Any) -> Any:
    @fa.activation(beta=2.0, text=options)
    def own_swish(x, beta):  # type: ignore[no-untyped-def]
        return x * sigmoid(beta * x)

    return own_swish


def test_it_behaves_like_one_that_was_given() -> None:
    f, x = own(), np.linspace(-6, 6, 97)
    assert f.differentiable
    for result, expected in [
        (f.derivative(x), fa.swish.derivative(x, 2.0)),
        (f.backward(x, x, 1.5), fa.swish.backward(x, x, 1.5)),
        (f.parameter_derivative("beta")(x), fa.swish.parameter_derivative("beta")(x, 2.0)),
        (f.parameter_backward(x, x), fa.swish.parameter_backward(x, x, 2.0)),
        (f.derivative(x, backend="numpy"), fa.swish.derivative(x, 2.0)),
        (f.derivative.vectorize()(x, 2.0), fa.swish.derivative(x, 2.0)),
    ]:
        np.testing.assert_allclose(result, expected, rtol=1e-12, atol=1e-14)
    for backend in "serial", "threads", "parallel":
        assert (bits(f.derivative(x, backend=backend)) == bits(f.derivative(x))).all()
    assert f.derivative(x.astype("f4")).dtype == np.float32
    assert f.derivative(x.astype("f2")).dtype == np.float16
    ml_dtypes = pytest.importorskip("ml_dtypes")
    assert f.derivative(x.astype(ml_dtypes.bfloat16)).dtype == ml_dtypes.bfloat16
    assert pickle.loads(pickle.dumps(f.derivative)) is f.derivative
    assert fa.ufuncs.own_swish_derivative is f.derivative.ufunc
    assert fingerprint(f.derivative._jitted) is not None  # else it would be compiled in every process


def test_it_is_shown() -> None:
    f = own()
    assert f.derivative_formula == "beta*x*sigmoid(-beta*x)*sigmoid(beta*x) + sigmoid(beta*x)"
    assert dict(f.facts())["derivative"] == f.derivative_formula
    assert "f'(x)" in f._samples()
    assert "def own_swish_derivative(x, beta):" in inspect.getsource(f.derivative._plain)
    f.parameter_derivative("beta")
    derivation = f.derivation
    assert list(derivation.formulas) == ["x", "beta"]
    namespace: dict[str, Any] = {}
    exec(derivation.source, namespace)  # it stands for itself
    assert namespace["own_swish_beta_derivative"](1.0, 2.0) == pytest.approx(
        fa.swish.parameter_derivative("beta")(1.0, 2.0)
    )
    worst = derivation.accuracy["x", "float64"]
    assert f"x float64: {worst.worst:.3g} ULP" in repr(derivation)
    assert derivation.max_ulp == {dtype: derivation.accuracy["x", dtype].worst for dtype in ("float32", "float64")}
    [table] = derivation.tables()
    assert [row[:2] for row in table.rows] == [[by, dtype] for by in ("x", "beta") for dtype in ("float32", "float64")]
    assert derivation.sentences()[0] == f"own_swish'(x) = {f.derivative_formula}"
    assert derivation.as_dict()["accuracy"][0]["max_ulp"] == derivation.max_ulp["float32"]
    assert len(derivation.figure().axes) == 2


def test_a_given_formula_or_derivative_stays() -> None:
    assert own(derivative_formula="s").derivative_formula == "s"

    @fa.activation(derivative=lambda x: x)
    def wrong(x):  # type: ignore[no-untyped-def]
        return x * x

    assert wrong.derivation is None
    assert wrong.derivative(3.0) == 3.0


def test_a_kink_has_the_slope_of_the_branch_that_is_taken_there() -> None:
    @fa.activation(text={"formula": "closed"})
    def closed(x):  # type: ignore[no-untyped-def]
        return where(x >= like(0, x), x, like(0, x))

    @fa.activation
    def open_(x):  # type: ignore[no-untyped-def]
        return x if x > 0 else 0.0

    assert closed.derivative([-1.0, 0.0, 1.0]).tolist() == [0, 1, 1]
    assert open_.derivative([-1.0, 0.0, 1.0]).tolist() == [0, 0, 1]
    assert closed.derivative_formula == "1 if x >= 0 else 0"


def test_a_branch_not_taken_leaks_nothing() -> None:
    """Where e**x overflows in the other branch, a product of both would be NaN."""

    @fa.activation
    def masked(x):  # type: ignore[no-untyped-def]
        return (x < 0) * exp(x) * x + (x >= 0) * tanh(x)

    x = np.array([-1e4, -200.0, -1.0, 1.0, 200.0, 1e4], np.float32)
    expected = [0, 0, 0, 1 / math.cosh(1) ** 2, 0, 0]
    np.testing.assert_allclose(masked.derivative(x), expected, atol=1e-7)


def test_a_kink_where_the_derivative_is_checked_does_no_harm() -> None:
    @fa.activation
    def clipped(x):  # type: ignore[no-untyped-def]
        return np.clip(x, -0.61, 0.43)

    assert clipped.derivative([-1.0, -0.61, 0.0, 0.43, 1.0]).tolist() == [0, 0, 1, 0, 0]


def test_a_power_of_the_magnitude_has_a_slope_at_zero() -> None:
    @fa.activation(p=1.5)
    def power(x, p):  # type: ignore[no-untyped-def]
        return np.abs(x) ** p

    assert np.array_equal(power.derivative([-4.0, -0.0, 0.0, 4.0]), [-3, 0, 0, 3])
    assert max(power.derivation.max_ulp.values()) < 3


def test_what_overflows_is_said() -> None:
    @fa.activation
    def sinc(x):  # type: ignore[no-untyped-def]
        return where(x == like(0, x), like(1, x), np.sin(x) / x)

    assert "it is NaN or infinite at" in " ".join(sinc.derivation.sentences())
    assert "NaN" not in " ".join(own().derivation.sentences())


def test_parameters_named_as_functions_are_refused() -> None:
    @fa.activation(exp=1.0)
    def shadowing(x, exp):  # type: ignore[no-untyped-def]
        return exp * x

    with pytest.raises(
        TypeError, match="a parameter is named exp, as a function that a derivative may call; rename it"
    ):
        shadowing.derivative  # noqa: B018


def test_a_network_learns_with_it() -> None:
    given = own()

    @fa.activation(derivative=lambda x: 1 - np.tanh(x) ** 2)
    def by_hand(x):  # type: ignore[no-untyped-def]
        return np.tanh(x)

    @fa.activation
    def derived(x):  # type: ignore[no-untyped-def]
        return np.tanh(x)

    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float64)
    y = np.array([0, 1, 1, 0])
    losses = {}
    for f in by_hand, derived, given:
        model = fa.MLP([2, 8, 1], activation=f, seed=0, dtype="float64")
        losses[f.name] = model.fit(x, y, epochs=200).history["loss"][-1]
    assert losses["derived"] == pytest.approx(losses["by_hand"], rel=1e-6)
    assert losses["own_swish"] < 0.6


def test_without_sympy_the_error_says_what_to_install(python: Any) -> None:
    code = "\n".join([
        "import sys; sys.modules['sympy'] = None",
        "import fastact as fa",
        "@fa.activation",
        "def halved(x): return x / 2",
        "print(halved.differentiable, halved(3.0), halved.derivation)",
        "try: halved.derivative",
        "except TypeError as error: print(error)",
    ])  # fmt: skip
    first, second = python(code).splitlines()
    assert first == "False 1.5 None"
    assert second.startswith("halved was defined without a derivative, and none can be derived: ")
    assert 'pip install "fastact[derive]"' in second
    assert "or define it as @activation(derivative=...)" in second


def test_defining_and_calling_loads_no_sympy(python: Any) -> None:
    code = "\n".join([
        "import sys, fastact as fa",
        "@fa.activation",
        "def halved(x): return x / 2",
        "halved(3.0), repr(halved), halved.__doc__",
        "print('sympy' in sys.modules, 'fastact.functions.derivation.formula' in sys.modules)",
    ])  # fmt: skip
    assert python(code) == "False False\n"


def test_what_cannot_be_derived_is_told_once_and_again() -> None:
    @fa.activation
    def gamma(x):  # type: ignore[no-untyped-def]
        return math.gamma(x)

    for _ in range(2):
        with pytest.raises(TypeError, match=r"gamma was .* it calls math.gamma, which is not known") as caught:
            gamma.backward  # noqa: B018
        assert "\n" not in str(caught.value)
