"""xarray: dimensions by name, in any order; arguments broadcast by name; labels must agree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fastact as fa

xr: Any = pytest.importorskip("xarray")

A = np.random.default_rng(3).normal(size=(2, 3, 4)).astype(np.float32)
COORDS = {"batch": [7, 8], "class": list("abcd"), "weight": ("class", [1, 2, 3, 4]), "run": 5}
X = xr.DataArray(A, COORDS, ("batch", "row", "class"), name="logits", attrs={"unit": "nats"})
Y = xr.DataArray(np.array([[0, 1, 2], [3, 2, 1]]), dims=("batch", "row"), coords={"batch": [7, 8]})


@pytest.mark.parametrize(("axis", "numbers"), [
    ("class", -1), ("batch", 0), (("row", "class"), (1, 2)), (["class", "batch"], (0, 2)), (1, 1), (None, None),
])  # fmt: skip
def test_names_of_axes(axis: Any, numbers: Any) -> None:
    found = fa.softmax(X, axis=axis)
    xr.testing.assert_identical(found, X.copy(data=fa.softmax(A, axis=numbers)))
    sums = fa.logsumexp(X, axis=axis)
    np.testing.assert_array_equal(sums, fa.logsumexp(A, axis=numbers))
    assert set(sums.coords) == {name for name, each in X.coords.items() if set(each.dims) <= set(sums.dims)}


def test_arguments_broadcast_by_name() -> None:
    where = xr.DataArray([True, False, True, True], dims="class")
    np.testing.assert_array_equal(fa.softmax(X, axis="class", where=where), fa.softmax(A, where=where.values))
    flipped = (X > 0).transpose("class", "batch", "row")
    np.testing.assert_array_equal(fa.softmax(X, axis="row", where=flipped), fa.softmax(A, axis=1, where=A > 0))
    rows = xr.DataArray([0.5, 2.0], dims="batch")
    found = fa.softmax(X, axis="class", temperature=rows)
    np.testing.assert_array_equal(found, fa.softmax(A, temperature=rows.values[:, None, None]))
    lengths = xr.DataArray([1, 2, 3], dims="row")
    wanted = fa.softmax(A, lengths=np.array([[1, 2, 3]] * 2))
    np.testing.assert_array_equal(fa.softmax(X, axis="class", lengths=lengths), wanted)
    swept = fa.softmax(X, axis="class", temperature=xr.DataArray([0.5, 1.0], {"t": [0.5, 1.0]}, "t"))
    assert swept.dims == ("t", *X.dims)
    np.testing.assert_array_equal(swept.sel(t=0.5), fa.softmax(A, temperature=0.5))
    np.testing.assert_array_equal(fa.softmax.backward(X.T, found, axis="class"), fa.softmax.backward(A, found.values))


def test_losses() -> None:
    wanted, wanted_gradient = fa.cross_entropy.value_and_grad(A, Y.values)
    loss, gradient = fa.cross_entropy.value_and_grad(X, Y.transpose("row", "batch"), axis="class")
    assert loss.dims == ()
    assert loss == wanted
    np.testing.assert_array_equal(gradient, wanted_gradient)
    first = fa.cross_entropy(X.transpose("class", ...), Y, axis="class", reduction="none")
    np.testing.assert_array_equal(first, fa.cross_entropy(A, Y.values, reduction="none"))
    mean = X.mean("class")
    np.testing.assert_array_equal(
        fa.mse(X, mean, reduction="none"), fa.mse(A, mean.values[..., None], reduction="none")
    )
    assert fa.cross_entropy(A, Y) == wanted  # x goes by position: the result is a number


def test_halves() -> None:
    found = fa.glu(X, axis="class")
    assert found["class"].values.tolist() == ["a", "b"]
    np.testing.assert_array_equal(found, fa.glu(A))
    np.testing.assert_array_equal(fa.glu.backward(found, X, axis="class"), fa.glu.backward(fa.glu(A), A))


def test_names_of_lazy_results() -> None:
    pytest.importorskip("dask.array")
    assert fa.cross_entropy(X.chunk(), Y, axis="class").name is None
    assert fa.softmax(X.chunk(), axis="class").name == "logits"


def test_other_containers_of_xarray() -> None:
    data = xr.Dataset({"one": X, "two": X[0]}, attrs={"from": "here"})
    found = fa.softmax(data, axis="class")
    single = {name: fa.softmax(data[name], axis="class") for name in data}
    xr.testing.assert_identical(found, xr.Dataset(single, attrs=data.attrs))
    loss, gradient = fa.mse.value_and_grad(data, data * 2)
    assert set(loss.data_vars) == set(gradient.data_vars) == {"one", "two"}
    xr.testing.assert_identical(fa.softmax(X.variable, axis="class"), fa.softmax(X, axis="class").variable)
    index = xr.Coordinates.from_pandas_multiindex(X.stack(z=("batch", "row")).indexes["z"], "z")
    stacked = xr.DataArray(A.reshape(6, 4), dims=("z", "class"), coords=index)
    assert fa.logsumexp(stacked, axis="class").indexes["z"].equals(stacked.indexes["z"])
    slope = fa.leaky_relu.parameter_backward(X, X, xr.DataArray(np.full(4, 0.1, np.float32), dims="class"))
    np.testing.assert_allclose(slope, fa.leaky_relu.parameter_backward(A, A, np.full(4, 0.1, np.float32)), rtol=1e-6)
    with xr.set_options(keep_attrs=False):
        assert fa.softmax(X, axis="class").attrs == {}


DATA = xr.Dataset({"one": X, "two": X[0]})
SWEPT, OF_CLASSES = xr.DataArray([1.0, 2.0], dims="t"), xr.DataArray([1] * 4, dims="class")


@pytest.mark.parametrize(
    ("error", "match", "call"),
    [
        (ValueError, "has batch, row, class; did you mean 'class'", lambda: fa.softmax(X, axis="Class")),
        (np.exceptions.AxisError, "axis 3", lambda: fa.softmax(X, axis=3)),
        (ValueError, "along the dimension 'batch'", lambda: fa.mse(X, X.isel(batch=[1, 0]))),
        (ValueError, "sizes 3 and 2 along the dimension 'row'", lambda: fa.mse(X, X.isel(row=[0, 1]))),
        (ValueError, "the dimension 'class'", lambda: fa.glu.backward(X.isel({"class": [2, 3]}), X, axis="class")),
        (ValueError, "has the dimension 'class'", lambda: fa.softmax(X, axis="class", lengths=OF_CLASSES)),
        (ValueError, "targets has the dimension 'class'", lambda: fa.cross_entropy(X, OF_CLASSES)),
        (ValueError, "variable 'two', which has row, class;", lambda: fa.softmax(DATA, axis=("class", "batch"))),
        (TypeError, "pass names", lambda: fa.softmax(xr.Dataset({"x": X}))),
        (ValueError, "the variables", lambda: fa.mse(xr.Dataset({"x": X}), xr.Dataset({"y": X}))),
        (TypeError, "out is not taken", lambda: fa.softmax(X, axis="class", out=A)),
        (TypeError, "no bare arrays", lambda: fa.softmax(X, axis="class", temperature=SWEPT, where=A > 0)),
        (TypeError, "DataArrayGroupBy", lambda: fa.softmax(X.groupby("batch"), axis="class")),
    ],
)  # fmt: skip
def test_wrong_arguments(error: type[Exception], match: str, call: Callable[[], Any]) -> None:
    with pytest.raises(error, match=match) as raised:
        call()
    assert "\n" not in str(raised.value)
