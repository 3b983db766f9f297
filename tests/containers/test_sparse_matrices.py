"""SciPy's sparse arrays stay sparse where f(0) = 0, in every format; every other call is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fastact as fa

sparse: Any = pytest.importorskip("scipy.sparse")

DENSE = np.array([[0, -1.0, 2.0, 0], [0, 0, 3.0, 0], [-2.0, 0, 0, 0.5]])


#: f(0) is 0 for some, and not for others.
NAMES = ["gelu", "silu", "relu", "tanh", "softsign", "sigmoid", "softplus", "exponential"]


@pytest.mark.parametrize("name", NAMES)
def test_zero_decides(name: str) -> None:
    f, x = fa.get(name), sparse.csr_array(DENSE)
    if f(0.0) == 0:
        found = f(x)
        assert found.nnz == x.nnz
        np.testing.assert_array_equal(found.toarray(), f(DENSE))
    else:
        with pytest.raises(TypeError, match="would not be sparse"):
            f(x)


@pytest.mark.parametrize("kind", ["array", "matrix"])
@pytest.mark.parametrize("layout", ["csr", "csc", "coo", "bsr", "dia", "lil", "dok"])
def test_formats(layout: str, kind: str) -> None:
    x = getattr(sparse, f"{layout}_{kind}")(DENSE)
    found = fa.leaky_relu(x, 0.5)
    assert type(found) is type(x)
    np.testing.assert_array_equal(found.toarray(), fa.leaky_relu(DENSE, 0.5))
    np.testing.assert_array_equal(x.toarray(), DENSE)


def test_places() -> None:
    """Numbers that stand for one place are added first, and places of several arrays are brought together."""
    twice = sparse.coo_array((np.array([1.0, -3.0]), (np.array([0, 0]), np.array([1, 1]))), shape=(2, 2))
    assert fa.relu(twice).toarray().tolist() == [[0, 0], [0, 0]]
    x, grad = sparse.csr_array(DENSE), sparse.csc_array(DENSE[:, ::-1])
    np.testing.assert_array_equal(fa.gelu.backward(grad, x).toarray(), fa.gelu.backward(DENSE[:, ::-1], DENSE))
    pairs = zip(fa.swiglu.backward(grad, x, x), fa.swiglu.backward(DENSE[:, ::-1], DENSE, DENSE), strict=True)
    for found, wanted in pairs:
        np.testing.assert_array_equal(found.toarray(), wanted)
    assert fa.gelu(sparse.csr_array((3, 0))).shape == (3, 0)


X = sparse.csr_array(DENSE)


@pytest.mark.parametrize(
    ("match", "call"),
    [
        ("counts the zeros", lambda: fa.softmax(X)),
        ("counts the zeros", lambda: fa.mse(X, X)),
        ("counts the zeros", lambda: fa.glu(X)),
        ("counts the zeros", lambda: fa.leaky_relu.parameter_backward(X, X, 0.1)),
        ("a sparse and a dense", lambda: fa.gelu.backward(DENSE, X)),
        ("must be equal", lambda: fa.gelu.backward(X.T, X)),
        ("out is not taken", lambda: fa.gelu(X, out=X)),
    ],
)
def test_wrong_arguments(match: str, call: Callable[[], Any]) -> None:
    with pytest.raises((TypeError, ValueError), match=match):
        call()


def test_fill_values() -> None:
    """pydata/sparse keeps what is not stored at f(0), whatever that is; other calls are refused."""
    pydata: Any = pytest.importorskip("sparse")
    found = fa.sigmoid(pydata.COO.from_numpy(DENSE))
    assert found.fill_value == 0.5
    np.testing.assert_array_equal(found.todense(), fa.sigmoid(DENSE))
    for call in (fa.softmax, fa.logsumexp, fa.glu, lambda x: fa.mse(x, x)):
        with pytest.raises(TypeError, match="counts the zeros"):
            call(pydata.COO.from_numpy(DENSE))
