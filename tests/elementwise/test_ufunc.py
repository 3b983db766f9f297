"""Every function behaves as a NumPy ufunc does: the same call gives the same kind of result, or of error, as np.tanh.

np.tanh is the control of functions of one operand, np.copysign that of backward passes, np.positive that of functions
that keep integers. To cover another way of calling, add a line to `CALLS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fastact as fa
from helpers.catalogue import operands


class Sub(np.ndarray):
    """An ndarray subclass."""


class Foreign:
    """Takes over every ufunc it meets."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
        return "foreign", type(ufunc), method, len(keywords)


X = np.linspace(-2, 2, 12).reshape(3, 4)
MASK = np.arange(12).reshape(3, 4) % 3 == 0


def masked() -> Any:
    return np.ma.masked_array(X, MASK)


# (f, u, p): the function, its operands from an array, and its parameters, none for the control.
CALLS: dict[str, Callable[..., Any]] = {
    "array": lambda f, u, p: f(*u(X)),
    "float32": lambda f, u, p: f(*u(X.astype("f4"))),
    "float16": lambda f, u, p: f(*u(X.astype("f2"))),
    "int8": lambda f, u, p: f(*u(np.arange(3, dtype="i1"))),
    "Fortran": lambda f, u, p: f(*u(X.T)),
    "strided": lambda f, u, p: f(*u(X[:, ::2])),
    "list": lambda f, u, p: f(*u([[1.0, 2.0]])),
    "tuple": lambda f, u, p: f(*u((1.0, 2.0))),
    "float": lambda f, u, p: f(*u(0.5)),
    "NumPy float32": lambda f, u, p: f(*u(np.float32(0.5))),
    "NumPy float16": lambda f, u, p: f(*u(np.float16(0.5))),
    "0-d": lambda f, u, p: f(*u(np.array(0.5))),
    "0-d with out=...": lambda f, u, p: f(*u(np.array(0.5)), out=...),
    "empty": lambda f, u, p: f(*u(np.ones((0, 3)))),
    "empty list": lambda f, u, p: f(*u([])),
    "byte-swapped": lambda f, u, p: f(*u(X.astype(">f8"))),
    "subclass": lambda f, u, p: f(*u(X.view(Sub))),
    "subok=False": lambda f, u, p: f(*u(X.view(Sub)), subok=False),
    "masked": lambda f, u, p: f(*u(masked())),
    "recarray": lambda f, u, p: f(*u(X.view(np.recarray))),
    "__array_ufunc__": lambda f, u, p: f(*u(Foreign())),
    "out": lambda f, u, p: f(*u(X), out=np.empty_like(X)),
    "out tuple": lambda f, u, p: f(*u(X), out=(np.empty_like(X),)),
    "out None": lambda f, u, p: f(*u(X), out=None),
    "out positional": lambda f, u, p: f(*u(X), *p, np.empty_like(X)),
    "out is x": lambda f, u, p: (lambda x: f(*u(x), out=x) is x)(X.copy()),
    "out Fortran": lambda f, u, p: f(*u(X), out=np.empty_like(X, order="F")),
    "out larger": lambda f, u, p: f(*u(X), out=np.empty((2, 3, 4))),
    "out float32 same_kind": lambda f, u, p: f(*u(X), out=np.empty((3, 4), "f4")),
    "out float16": lambda f, u, p: f(*u(X), out=np.empty((3, 4), "f2")),
    "out float32 from float16": lambda f, u, p: f(*u(X.astype("f2")), out=np.empty((3, 4), "f4")),
    "out float32 safe": lambda f, u, p: f(*u(X), out=np.empty((3, 4), "f4"), casting="safe"),
    "out float64 from float32": lambda f, u, p: f(*u(X.astype("f4")), out=np.empty((3, 4))),
    "out complex": lambda f, u, p: f(*u(X.astype("f8")), out=np.empty((3, 4), complex)),
    "out integer": lambda f, u, p: f(*u(X), out=np.empty((3, 4), int)),
    "out integer unsafe": lambda f, u, p: f(*u(X), out=np.empty((3, 4), int), casting="unsafe"),
    "out subclass": lambda f, u, p: f(*u(X), out=np.empty_like(X).view(Sub)),
    "out byte-swapped": lambda f, u, p: f(*u(X), out=np.empty_like(X, dtype=">f8")),
    "out shape": lambda f, u, p: f(*u(X), out=np.empty((4, 3))),
    "out smaller": lambda f, u, p: f(*u(X), out=np.empty(4)),
    "out list": lambda f, u, p: f(*u(X), out=[0.0]),
    "out two": lambda f, u, p: f(*u(X), out=(np.empty_like(X), np.empty_like(X))),
    "out twice": lambda f, u, p: f(*u(X), *p, np.empty_like(X), out=np.empty_like(X)),
    "out read-only": lambda f, u, p: f(*u(X), out=np.broadcast_to(np.zeros(4), (3, 4))),
    "where": lambda f, u, p: np.isnan(f(*u(X), where=MASK, out=np.full_like(X, np.nan))),
    "where broadcast": lambda f, u, p: np.isnan(f(*u(X), where=MASK[:1], out=np.full_like(X, np.nan))),
    "where float32": lambda f, u, p: np.isnan(f(*u(X), where=MASK, out=np.full((3, 4), np.nan, "f4"))),
    "where False": lambda f, u, p: f(*u(X), where=False, out=np.zeros_like(X)).tolist(),
    "where not bool": lambda f, u, p: f(*u(X), where=np.ones((3, 4)), out=np.zeros_like(X)),
    "where shape": lambda f, u, p: f(*u(X), where=np.ones(7, bool), out=np.zeros_like(X)),
    "dtype float32": lambda f, u, p: f(*u(X), dtype="f4"),
    "dtype float16": lambda f, u, p: f(*u(X), dtype="f2"),
    "dtype float64 from float16": lambda f, u, p: f(*u(X.astype("f2")), dtype=float),
    "dtype float64": lambda f, u, p: f(*u(X.astype("f4")), dtype=np.float64),
    "dtype from integer": lambda f, u, p: f(*u(np.arange(3)), dtype=np.float32),
    "dtype safe": lambda f, u, p: f(*u(X), dtype="f4", casting="safe"),
    "dtype string": lambda f, u, p: f(*u(X), dtype="U3"),
    "dtype nonsense": lambda f, u, p: f(*u(X), dtype="nonsense"),
    "casting no": lambda f, u, p: f(*u(X), casting="no"),
    "casting no, cast": lambda f, u, p: f(*u(X.astype("f4")), dtype="f8", casting="no"),
    "casting nonsense": lambda f, u, p: f(*u(X), casting="nonsense"),
    "order F": lambda f, u, p: f(*u(X), order="F"),
    "order C": lambda f, u, p: f(*u(X.T), order="C"),
    "order A": lambda f, u, p: f(*u(X.T), order="A"),
    "order K": lambda f, u, p: f(*u(X.T[::-1]), order="K"),
    "order nonsense": lambda f, u, p: f(*u(X), order="Z"),
    "signature": lambda f, u, p: f(*u(X.astype("f4")), signature="d" * len((*u(X), *p)) + "->d"),
    "unknown keyword": lambda f, u, p: f(*u(X), nonsense=1),
    "no operand": lambda f, u, p: f(),
    "too many operands": lambda f, u, p: f(*u(X), *p, X, X, X),
    "string": lambda f, u, p: f(*u("abc")),
    "None": lambda f, u, p: f(*u(None)),
    "datetime": lambda f, u, p: f(*u(np.array(["2000-01-01"], "M8[D]"))),
    "structured": lambda f, u, p: f(*u(np.zeros(2, "f4,f4"))),
    "axis": lambda f, u, p: f(*u(X), axis=0),
}


def outcome(call: Callable[..., Any], f: Any, inputs: int, parameters: tuple[Any, ...]) -> Any:
    """The kind of result, or of error. Values differ between functions; kinds must not."""
    try:
        result = call(f, lambda x: (x,) * inputs, parameters)
    except (TypeError, ValueError) as error:
        return [kind for kind in (TypeError, ValueError) if isinstance(error, kind)]
    if not isinstance(result, np.ndarray | np.generic):
        return result
    mask = np.ma.getmaskarray(result).tolist() if isinstance(result, np.ma.MaskedArray) else None
    values = result.tolist() if result.dtype == bool else None
    return type(result), result.dtype, result.shape, result.strides, result.flags.writeable, mask, values


def test_calls_as_numpy(operation: Any) -> None:
    control = {1: np.tanh, 2: np.copysign}[operation._inputs]
    if "i" in operation._dtypes:
        control = np.positive
    defaults = tuple(operation.parameters.values())
    for name, call in CALLS.items():
        expected = outcome(call, control, operation._inputs, ())
        assert outcome(call, operation, operation._inputs, defaults) == expected, name


@pytest.mark.parametrize("operation", [fa.leaky_relu, fa.swish, fa.swish.backward], ids=lambda f: f.name)
def test_calls_of_the_numpy_backend_as_numpy(operation: Any) -> None:
    """Masks, subclasses and other libraries' containers survive."""
    with fa.use_backend("numpy"):
        test_calls_as_numpy(operation)


def test_errors_of_a_formula_in_plain_numpy(own_registry: None) -> None:
    @fa.activation
    def chooses(x):  # type: ignore[no-untyped-def]
        return x if x > 0 else -x

    for x in (X, masked()):
        with pytest.raises(ValueError, match="truth value of an array"):
            chooses(x, backend="numpy")


def test_values_as_numpy(dtype: Any) -> None:
    for call in CALLS.values():
        try:
            expected: Any = call(np.tanh, lambda x: (x,), ())
        except (TypeError, ValueError):
            continue
        if getattr(expected, "dtype", np.dtype(bool)).kind == "f":
            single = max(np.finfo(expected.dtype).eps, np.finfo("f4").eps)
            np.testing.assert_allclose(call(fa.tanh, lambda x: (x,), ()), expected, rtol=4 * single)


def test_is_a_ufunc(operation: Any) -> None:
    assert isinstance(operation.ufunc, np.ufunc)
    assert operation.ufunc.nin == operation._inputs + len(operation.parameters)
    assert operation.ufunc.nout == 1
    assert operation.ufunc.__name__ == operation.name
    arguments = *operands(operation, X), *operation.parameters.values()
    assert operation.ufunc(*arguments).tolist() == operation(*operands(operation, X)).tolist()


def test_ufunc_methods() -> None:
    x, y = X[0].copy(), X[0].copy()
    fa.tanh.ufunc.at(x, [0, 0, 2])
    np.tanh.at(y, [0, 0, 2])
    np.testing.assert_allclose(x, y)
    np.testing.assert_array_equal(fa.leaky_relu.ufunc.outer(X[0], [0.1, 0.2]), fa.leaky_relu(X[0, :, None], [0.1, 0.2]))


def test_promotion(operation: Any) -> None:
    """As np.exp, whatever the default parameters; relu and its kin keep integers."""
    for kind in ("?", "b", "B", "h", "H", "i", "I", "q", "Q", "e", "f", "d", ">e", ">f", ">d"):
        x = np.ones(3, kind)
        if "i" in operation._dtypes and x.dtype.kind != "f":
            expected = np.promote_types(x.dtype, np.int8) if x.dtype == bool else x.dtype
        else:
            expected = np.exp(x).dtype
        assert operation(*operands(operation, x)).dtype == expected
        assert operation(*operands(operation, x), dtype=np.float64).dtype == np.float64


def test_refused_dtypes(operation: Any) -> None:
    for kind in ("O", "F", "D", "g", "U3", "S3", "M8[s]", "m8[s]"):
        with pytest.raises(TypeError, match=f"'{operation.name}'"):
            operation(*operands(operation, np.ones(3, int).astype(kind)))


def test_python_numbers_are_weak() -> None:
    x = np.ones(3, np.float32)
    assert fa.leaky_relu(x, 0.1).dtype == fa.leaky_relu(x, alpha=1).dtype == np.float32
    assert fa.leaky_relu(x, np.float64(0.1)).dtype == np.float64
    assert fa.sigmoid.backward(1, x).dtype == fa.sigmoid.backward(x, 0.5).dtype == np.float32


def test_wrong_operands() -> None:
    for call, message in [
        (lambda: fa.elu(X, beta=1), "beta"),
        (lambda: fa.elu(), "missing its operand 'x'"),
        (lambda: fa.sigmoid.backward(X), "missing its operand 'x'"),
        (lambda: fa.elu(X, 1.0, alpha=1.0), "'alpha' twice"),
        (lambda: fa.elu(1, 2, 3, 4), "4 operands were given"),
    ]:
        with pytest.raises(TypeError, match=message):
            call()


def test_reduce_and_accumulate_go_one_by_one() -> None:
    x = np.random.default_rng(0).standard_normal(70_000)
    running = np.empty_like(x)
    running[0] = x[0]
    for i in range(1, x.size):
        running[i] = running[i - 1] if running[i - 1] >= 0 else x[i] * running[i - 1]
    assert fa.leaky_relu.ufunc.accumulate(x).tolist() == running.tolist()
    assert fa.leaky_relu.ufunc.reduce(x) == running[-1]
