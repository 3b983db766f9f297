"""The contract of public functions: every one of them, of whatever kind, is asked for the same."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fastact as fa
from fastact._core.backends import FAMILIES
from fastact._core.registry import KINDS
from fastact._kernels.native.ufunc import Threads

FUNCTIONS = [fa.get(name) for name in fa.names()]
X = np.linspace(-2, 2, 12, dtype=np.float32).reshape(3, 4)
CLASSES = np.array([0, 3, 1])

#: kind -> arguments of a call
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "activation": (X,),
    "softmax": (X,),
    "reduction": (X,),
    "gated unit": (X, X),
    "loss": (X, X),
}
SPECIAL: dict[str, tuple[Any, ...]] = {
    "glu": (X,),
    "gumbel_softmax": (X, np.random.default_rng(0)),
    "cross_entropy": (X, CLASSES),
    "nll_loss": (X, CLASSES),
}
#: function -> arguments of its backward pass, where these are not its own with a gradient before them
BACKWARD: dict[str, tuple[Any, ...]] = {"logsumexp": (np.float32(1), X), "glu": (X[:, :2], X), "gumbel_softmax": (X, X)}


def arguments(f: fa.Function) -> tuple[Any, ...]:
    return SPECIAL.get(f.name) or ARGUMENTS[f.kind]


def passes(f: fa.Function) -> list[tuple[Any, tuple[Any, ...]]]:
    """Everything of a function that can be called, with arguments for it."""
    calls: list[tuple[Any, tuple[Any, ...]]] = [(f, arguments(f))]
    if f.kind == "loss":
        return calls if f.name == "nll_loss" else [*calls, (f.value_and_grad, arguments(f))]  # type: ignore[attr-defined]
    calls.append((f.backward, BACKWARD.get(f.name) or (X, *arguments(f))))  # type: ignore[attr-defined]
    if f.kind == "activation":
        calls.append((f.derivative, (X,)))  # type: ignore[attr-defined]
    return calls


@pytest.mark.parametrize("f", FUNCTIONS, ids=lambda f: f.name)
def test_contract(f: fa.Function) -> None:
    assert f.__name__ == f.name
    assert f.kind in KINDS
    assert f.name in repr(f)
    assert f.formula
    assert f.range
    assert f.notes.keys() == {"for", "against", "use"}
    assert f.kind == "softmax" or f.kind == "reduction" or f.derivative_formula or f.name == "gumbel_softmax"
    assert all(isinstance(value, float) for value in f.parameters.values())
    assert f.differentiable
    assert (f.__doc__ or "").partition("\n")[0]
    with pytest.raises(fa.UnknownNameError, match=f"{f.name} has no part 'middle'"):
        f._part("middle")


@pytest.mark.parametrize("f", FUNCTIONS, ids=lambda f: f.name)
def test_docstrings_list_the_backends_of_the_family(f: fa.Function) -> None:
    listed = (f.__doc__ or "").partition("backend : ")[2].partition("\n\n")[0]
    if '"' in listed:  # others refer to another function
        assert not [name for name in FAMILIES[f._family] if name and f'"{name}"' not in listed]


@pytest.mark.parametrize("f", FUNCTIONS, ids=lambda f: f.name)
def test_calls_are_explained_and_nothing_is_computed(f: fa.Function) -> None:
    for call, given in passes(f):
        rng = [each.bit_generator.state for each in given if isinstance(each, np.random.Generator)]
        for backend in (None, "numpy"):
            text = fa.explain(call, *given, backend=backend)
            assert f.name in text
            assert ": backend '" in text
            assert text.endswith("(asked for)") == (backend is not None)
        assert [each.bit_generator.state for each in given if isinstance(each, np.random.Generator)] == rng
        wrong = (np.array(["x"]), *given[1:])
        if f.kind not in ("gated unit", "activation"):
            with pytest.raises((TypeError, ValueError)):
                fa.explain(call, *wrong)
    assert f.explain(*arguments(f)) == fa.explain(f, *arguments(f))


def test_explanations_know_variants_and_weights() -> None:
    for f, given in ((fa.gelu, (X,)), (fa.gelu.derivative, (X,)), (fa.geglu, (X, X)), (fa.geglu.backward, (X, X, X))):
        assert "of ge" in fa.explain(f, *given, approximate="tanh")
        with pytest.raises(fa.UnknownNameError, match="approximate='tan'; did you mean 'tanh'"):
            fa.explain(f, *given, approximate="tan")
    assert "backend 'numpy', float32, weighted" in fa.explain(fa.logsumexp, X, b=X)
    assert "float16" in fa.explain(fa.softmax, X, dtype=np.float16, where=X > 0)
    with fa.use_backend("serial"):
        assert "backend 'serial'" in fa.explain(fa.softmax, X)
        assert fa.softmax(X).shape == X.shape
    for other in (np.sin, "gelu", lambda x: fa.gelu(x)):
        with pytest.raises(TypeError, match="is no function of fastact's"):
            fa.explain(other, X)
    with pytest.raises(TypeError, match=r"gelu\.facts is not a call that a backend computes"):
        fa.explain(fa.gelu.facts)
    for x, dtype in ((np.ones(3, np.float16), "float32"), (X, "float32"), (np.ones(3), "float64")):
        assert f"{dtype} loop" in fa.explain(fa.mse, x, np.zeros(x.shape, int))


def test_names_by_kind() -> None:
    assert fa.names() == [name for kind in KINDS for name in fa.names(kind)]
    assert [f.kind for f in map(fa.get, fa.names("loss"))] == ["loss"] * 8
    with pytest.raises(fa.UnknownNameError, match="kind='losses'; did you mean 'loss'"):
        fa.names("losses")


def test_ufuncs_pickle_by_names_that_can_be_imported(python: Callable[..., str]) -> None:
    """Also those that calls take by themselves, in processes that have not used them."""
    operations = [operation for f in FUNCTIONS for operation in f._operations() if hasattr(operation, "ufunc")]
    assert len(operations) > 100
    for operation in operations:
        for threads in Threads:
            for numbers in (False, True)[: 1 + bool(operation.parameters)]:
                ufunc = operation._ufunc_for(threads, numbers)
                assert pickle.loads(pickle.dumps(ufunc)) is ufunc
    assert pickle.loads(pickle.dumps(fa.tanh.ufunc)) is fa.tanh.ufunc is fa.ufuncs.tanh
    pickles = [
        pickle.dumps(u)
        for u in (fa.elu._common_ufunc, fa.ufuncs.swiglu_backward, fa.silu._ufunc_for(Threads.SERIAL, False))
    ]
    code = f"import pickle; print([pickle.loads(each).__name__ for each in {pickles!r}])"
    assert python(code) == "['elu', 'swiglu_backward', 'silu']\n"
    for name in ("nothing", "gelu_middle", "gelu__four", "softmax"):
        with pytest.raises(AttributeError, match=f"fastact.ufuncs has no '{name}'"):
            getattr(fa.ufuncs, name)


def test_pickles_name_public_places() -> None:
    texts = [pickle.dumps(f) for f in (*FUNCTIONS, fa.gelu.derivative, fa.elu.parameter_derivative("alpha"))]
    assert not [text for text in texts if b"_core" in text]


@pytest.mark.usefixtures("own_registry")
def test_unknown_metadata_is_refused() -> None:
    with pytest.raises(TypeError, match="text has no field 'fromula'; did you mean 'formula'"):
        fa.activation(lambda x: x, text={"fromula": "x"})
    with pytest.raises(TypeError, match="fromula"):
        fa.Metadata(fromula="x")  # type: ignore[call-arg]

    @fa.activation(derivative=lambda x: x, text=fa.Metadata(formula="x**2 / 2", notes={"use": "none"}))
    def half_square(x):  # type: ignore[no-untyped-def]
        return x * x / 2

    assert half_square.formula == "x**2 / 2"
    assert half_square.notes == {"use": "none"}


@pytest.mark.usefixtures("own_registry")
def test_names_of_parts_are_taken() -> None:
    for name in ("gelu_backward", "swiglu_backward", "mse_value", "leaky_relu_alpha_derivative", "gelu"):

        def formula(x: Any) -> Any:
            return x

        formula.__name__ = name
        with pytest.raises(ValueError, match=f"a function named '{name}' exists already"):
            fa.activation(formula)
    with pytest.raises(TypeError, match="aliases='xy'; it must be a tuple of names"):
        fa.activation(lambda x: x, text={"aliases": "xy"})


def test_asked_for_automatic_in_a_block_of_another() -> None:
    with fa.use_backend("numpy"):
        for call, given in ((fa.mse, (X, X)), (fa.glu, (X,)), (fa.mse.value_and_grad, (X, X))):
            assert "backend 'serial'" in fa.explain(call, *given, backend="auto")
    with fa.use_backend("cython"):  # which has no elementwise functions
        assert fa.mse(X, X, backend="auto") == 0
        assert fa.glu(X, backend="auto").shape == (3, 2)


def test_losses_of_nothing() -> None:
    for shape, axis in (((2, 0), 0), ((3, 2, 0), 1), ((0, 3), 1)):
        x, classes = np.zeros(shape), np.zeros([n for i, n in enumerate(shape) if i != axis], int)
        for backend in ("cython", "numpy"):
            value, grad = fa.cross_entropy.value_and_grad(x, classes, axis, backend=backend)
            assert np.isnan(value)
            assert grad.shape == shape
            assert fa.cross_entropy(x, classes, axis, reduction="sum", backend=backend) == 0


def test_warmup_compiles_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    for f in (fa.sparsemax, fa.entmax15):
        monkeypatch.setattr(type(f), "_compile_floats", lambda self: calls.append(self.name))
    fa.warmup("sparsemax", "entmax15")
    assert calls == ["sparsemax", "entmax15"]


def test_warmup_takes_every_name() -> None:
    fa.warmup("glu", "logsumexp", "mse", "cross_entropy", "gumbel_softmax", "rrelu")


def test_a_layer_takes_what_it_can_use() -> None:
    for f, kind in (
        (fa.glu, "gated unit"),
        ("mse", "loss"),
        ("logsumexp", "reduction"),
        ("gumbel_softmax", "sampling"),
    ):
        with pytest.raises(ValueError, match=f"is a {kind}; a layer takes an activation"):
            fa.MLP((2, 3, 1), activation=f)
    with pytest.raises(TypeError, match="neither a name nor a fastact function"):
        fa.MLP((2, 3, 1), activation=np.tanh)


def test_nll_loss_without_classes_and_by_backend() -> None:
    with pytest.raises(ValueError, match=r"log_probabilities has shape \(3, 0\): there are no classes along axis 1"):
        fa.nll_loss(np.ones((3, 0)), [0, 0, 0])
    log_probabilities = fa.log_softmax(X)
    for backend in ("cython", "numpy"):
        assert fa.nll_loss(log_probabilities, CLASSES, backend=backend) == fa.nll_loss(log_probabilities, CLASSES)
    with pytest.raises(fa.BackendError, match="has no class loss functions; those that have: cython, cuda, numpy"):
        fa.nll_loss(log_probabilities, CLASSES, backend="threads")
