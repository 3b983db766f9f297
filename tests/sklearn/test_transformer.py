"""ActivationTransformer: activations as steps of pipelines."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import fastact as fa

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
from sklearn.base import clone
from sklearn.compose import make_column_transformer

from fastact.sklearn import ActivationTransformer

X = np.random.default_rng(0).normal(size=(6, 4))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", [*fa.names("activation"), *fa.names("softmax")])
def test_values(name: str, dtype: Any) -> None:
    x = X.astype(dtype)
    result = ActivationTransformer(name).fit_transform(x)
    np.testing.assert_array_equal(result, fa.get(name)(x))
    assert result.dtype == dtype


def test_parameters_and_functions_of_ones_own(own_registry: None) -> None:
    @fa.activation(by=1.0)
    def steep(x: Any, by: Any) -> Any:
        return x * by

    for activation, parameters in (
        ("leaky_relu", {"alpha": 0.3}), (fa.swish, {"beta": 2.0}), (steep, {"by": 3.0}), ("softmax", {"axis": 0}),
    ):  # fmt: skip
        model = ActivationTransformer(activation, parameters=parameters)
        function = fa.get(activation) if isinstance(activation, str) else activation
        for each in (model, clone(model), pickle.loads(pickle.dumps(model))):
            np.testing.assert_array_equal(each.transform(X), function(X, **parameters))


def test_names_of_features() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcd"))
    model = ActivationTransformer("tanh").set_output(transform="pandas").fit(frame)
    assert list(model.transform(frame).columns) == model.get_feature_names_out().tolist() == list("abcd")
    columns = make_column_transformer((ActivationTransformer("relu"), ["a", "c"]), remainder="passthrough")
    assert columns.fit_transform(frame).min(axis=0).tolist()[:2] == [0, 0]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("rleu",), ValueError, "rleu.*relu"),
        (("swiglu",), ValueError, "activation='swiglu' is a gated unit; take an activation or softmax"),
        (("logsumexp",), ValueError, "'logsumexp' is a "),
        ((np.tanh,), TypeError, "neither a name nor a fastact function"),
        (("leaky_relu", {"slope": 1.0}), TypeError, "slope"),
    ],
)
def test_wrong_parameters(arguments: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        ActivationTransformer(*arguments).fit(X)
