"""The catalogue: names, documentation, pickles; and the same for activations that users define."""

from __future__ import annotations

import copy
import importlib
import inspect
import math
import os
import pickle
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

import fastact as fa
from fastact.functions import activations
from fastact.math import like, sigmoid, where
from helpers.arrays import bits
from helpers.catalogue import ACTIVATIONS, PARTS
from helpers.reference import REFERENCES

X = np.linspace(-4, 4, 33)

pytestmark = pytest.mark.usefixtures("own_registry")


def slope(x, beta):  # type: ignore[no-untyped-def]
    s = sigmoid(beta * x)
    return s + beta * x * s * (like(1, x) - s)


def define(**options: Any) -> Any:
    @fa.activation(derivative=slope, beta=1.0, **options)
    def own_swish(x, beta):  # type: ignore[no-untyped-def]
        """Somebody's swish."""
        return x * sigmoid(beta * x)

    return own_swish


def test_names() -> None:
    aliases = [alias for name in ACTIVATIONS for alias in fa.get(name).aliases]
    assert sorted(vars(activations)["__all__"]) == sorted([*fa.names("activation"), *aliases])
    assert sorted(ACTIVATIONS) == sorted(REFERENCES)
    for name in fa.names():
        assert fa.get(name) is getattr(fa, name)
        assert fa.get(name).name == name
        for alias in fa.get(name).aliases:
            assert fa.get(alias) is getattr(fa, alias) is fa.get(name)


def test_unknown_name() -> None:
    with pytest.raises(fa.UnknownNameError, match="unknown function 'sigmiod'; did you mean 'sigmoid'"):
        fa.get("sigmiod")
    with pytest.raises(ValueError, match="unknown function 7"):
        fa.get(7)  # type: ignore[arg-type]


def test_metadata(activation: Any) -> None:
    assert activation.formula
    assert activation.derivative_formula
    assert activation.range[0] in "[("
    assert activation.max_ulp <= 1
    assert set(activation.notes) == {"for", "against", "use"}
    assert all(isinstance(value, float) for value in activation.parameters.values())
    for text in activation.name, activation.formula, *activation.parameters, str(activation.max_ulp), "Raises":
        assert text in activation.__doc__


def test_signature_and_repr(operation: Any) -> None:
    signature = inspect.signature(operation)
    by_position = list(signature.parameters)[: operation._inputs + len(operation.parameters)]
    assert by_position == [*(["grad_output", "x"][-operation._inputs :]), *operation.parameters]
    assert {"out", "backend"} <= set(signature.parameters)
    assert repr(operation).startswith(f"<fastact {operation.name}(")


@pytest.mark.parametrize("name", fa.names())
def test_pickle_and_copy(name: str) -> None:
    f = fa.get(name)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(f, protocol)) is f
    assert copy.copy(f) is copy.deepcopy(f) is f
    if name in ACTIVATIONS:
        for part in "derivative", "backward":
            assert pickle.loads(pickle.dumps(getattr(f, part))) is copy.deepcopy(getattr(f, part)) is getattr(f, part)


def test_parts_unpickle_where_they_were_not_used_before(python: Any) -> None:
    for part in fa.elu.parameter_derivative("alpha"), fa.tanh.backward:
        assert python(f"import pickle; print(pickle.loads({pickle.dumps(part)!r}).name)") == f"{part.name}\n"


@pytest.mark.usefixtures("own_registry")
def test_own_activation_unpickles_where_its_module_was_not_imported(
    python: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if it is an attribute of a class there. One that its module does not have under its name takes its
    formulas with it.
    """
    definition = "@fa.activation(derivative=lambda x: 2 * x)\ndef {}(x): return x * x\n"
    (tmp_path / "shapes_of_users.py").write_text(
        f"import fastact as fa\n{definition.format('square')}class Shapes:\n    "
        + definition.format("parabola").replace("\n", "\n    ") + "\n"
        + definition.format("gone") + "kept = gone\ndel gone\n"
    )  # fmt: skip
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("shapes_of_users")
    sent = [module.square, module.square.backward, module.Shapes.parabola, module.kept]
    for each in sent:
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            assert pickle.loads(pickle.dumps(each, protocol)) is copy.deepcopy(each) is each
    code = f"import pickle; print([pickle.loads(each).name for each in {[pickle.dumps(each) for each in sent[:3]]!r}])"
    assert (
        python(code, PYTHONPATH=f"{tmp_path}{os.pathsep}{Path(fa.__file__).parents[1]}")
        == "['square', 'square_backward', 'parabola']\n"
    )
    assert python(f"import pickle; print(pickle.loads({pickle.dumps(module.kept)!r})(3.0))") == "9.0\n"


def test_own_activation_of_a_script_takes_its_formulas_with_it(python: Any) -> None:
    """Another process has another script."""
    code = "\n".join([
        "import pickle, fastact as fa",
        "by = 3.0",
        "@fa.activation(derivative=lambda x: by)",
        "def tripled(x): return by * x",
        "assert pickle.loads(pickle.dumps(tripled)) is tripled",
        "print([pickle.dumps(each) for each in (tripled, tripled.backward)])",
    ])  # fmt: skip
    sent = python(code).strip()
    arrive = f"import pickle, fastact as fa; f, part = map(pickle.loads, {sent})"
    assert python(f"{arrive}; print(f is fa.get('tripled'), f(2.0), "
                  "part(5.0, 2.0), part is f.backward)") == "True 6.0 15.0 True\n"  # fmt: skip


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_scalar_in_compiled_code(name: str) -> None:
    f = fa.get(name)
    defaults, forward, derivative = tuple(f.parameters.values()), f.scalar, f.derivative.scalar

    @numba.njit
    def total(values):  # type: ignore[no-untyped-def]
        result = 0.0
        for value in values:
            result += forward(value, *defaults) + derivative(value, *defaults)
        return result

    assert total(X) == pytest.approx(math.fsum(f(X) + f.derivative(X)), rel=1e-12)


def test_vectorize_of_the_catalogue() -> None:
    for f in fa.silu, fa.tanh.derivative:
        ufunc = f.vectorize()
        assert bits(ufunc(X)).tolist() == bits(f(X)).tolist()
        assert ufunc(X.astype("f4")).dtype == np.float32


def test_own_activation() -> None:
    own = define(text={"formula": "x / (1 + e**(-beta x))", "aliases": ("mine",), "max_ulp": 4.0})
    assert fa.get("own_swish") is fa.get("mine") is own
    assert isinstance(own.ufunc, np.ufunc)
    assert own.parameters == {"beta": 1.0}
    assert "Somebody's swish." in own.__doc__
    for backend in "serial", "parallel", "numpy", "auto":
        for result, expected in [
            (own(X, 2.0, backend=backend), fa.swish(X, 2.0)),
            (own.derivative(X, backend=backend), fa.swish.derivative(X)),
            (own.backward(X, X, beta=3.0, backend=backend), fa.swish.backward(X, X, 3.0)),
        ]:
            np.testing.assert_allclose(result, expected, rtol=1e-13, atol=1e-15)
    assert own(X.astype("f4")).dtype == np.float32
    assert pickle.loads(pickle.dumps(own)) is own
    assert pickle.loads(pickle.dumps(own.backward)) is own.backward
    for target in "cpu", "parallel":
        assert bits(own.vectorize(target)(X, 1.0)).tolist() == bits(own(X)).tolist()


def test_own_activation_in_own_compiled_code() -> None:
    scalar = define().scalar
    assert numba.njit(lambda x: scalar(x, 3.0) + 1)(0.0) == 1.0


def test_own_activation_without_derivative() -> None:
    @fa.activation
    def next_one(x):  # type: ignore[no-untyped-def]
        return np.nextafter(x, x)

    assert next_one([-1.0, 0.0, 2.0]).tolist() == [-1, 0, 2]
    assert not next_one.differentiable
    assert next_one.derivation is None
    for part in PARTS[1:]:
        with pytest.raises(TypeError, match=r"next_one was defined without a derivative, and none .* numpy.nextafter"):
            getattr(next_one, part)


def test_own_activation_that_keeps_integers() -> None:
    @fa.activation(keeps_integers=True)
    def clipped(x):  # type: ignore[no-untyped-def]
        return where(x > like(6, x), like(6, x), x)

    for kind in "bBhHiIqQfd":
        assert clipped(np.array([1, 9], kind)).dtype == kind
        assert clipped(np.array([1, 9], kind)).tolist() == [1, 6]


def test_duplicates_are_refused() -> None:
    first = define()
    with pytest.raises(ValueError, match="'own_swish' exists already"):
        define()
    assert fa.get("own_swish") is first
    for name in "relu", "linear":
        with pytest.raises(ValueError, match=f"'{name}' exists already"):
            fa.activation(lambda x: x, text={"aliases": (name,)})
    assert "<lambda>" not in fa.names()


def test_wrong_definitions_are_refused() -> None:
    names = fa.names()
    for define_wrongly in (
        lambda: fa.activation(lambda x, a: x),
        lambda: fa.activation(lambda x: x, a=1.0),
        lambda: fa.activation(lambda x, a, b: x, b=1.0, a=1.0),
        lambda: fa.activation(lambda x: x, derivative=lambda x, a: x),
    ):
        with pytest.raises(TypeError, match="must be the parameters"):
            define_wrongly()
    with pytest.raises(ValueError, match="at most 10 parameters"):
        fa.activation(
            lambda x, a, b, c, d, e, f, g, h, i, j, k: x, a=1, b=1, c=1, d=1, e=1, f=1, g=1, h=1, i=1, j=1, k=1
        )
    assert fa.names() == names


def test_broken_formula_raises_numbas_error() -> None:
    @fa.activation
    def broken(x):  # type: ignore[no-untyped-def]
        return x.no_such_method()

    many = np.ones((40, 40))[::2, ::2]  # many inner loops, each of which wants the kernel
    for operand in 1.0, np.ones(5), np.ones(100_000), many:
        for backend in "serial", "parallel", "auto":
            with pytest.raises(numba.TypingError, match="no_such_method"):
                broken(operand, backend=backend)
    with pytest.raises(AttributeError, match="no_such_method"):
        broken(1.0, backend="numpy")
    assert fa.tanh(0.0) == 0
