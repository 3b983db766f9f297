"""scikit-learn's estimators on dask's collections."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import fastact as fa

dask: Any = pytest.importorskip("dask")
da: Any = pytest.importorskip("dask.array")
dd: Any = pytest.importorskip("dask.dataframe")
pd: Any = pytest.importorskip("pandas")
pytest.importorskip("sklearn")

from sklearn.exceptions import ConvergenceWarning  # noqa: E402

from fastact.sklearn import ActivationTransformer, MLPClassifier, MLPRegressor  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = np.random.default_rng(0).standard_normal((600, 4)).astype(np.float32)
CODES = (X @ np.random.default_rng(1).standard_normal((4, 3))).argmax(axis=1)
NAMES = np.array(["blue", "green", "red"])[CODES]
LAZY, LAZY_NAMES = da.from_array(X, chunks=(200, 2)), da.from_array(NAMES, chunks=150)


@pytest.fixture(autouse=True)
def synchronous() -> Any:
    with dask.config.set(scheduler="synchronous"):
        yield


def never(*args: Any, **options: Any) -> Any:
    raise AssertionError("computed")


def classifier(**parameters: Any) -> Any:
    given = {"max_iter": 12, "batch_size": 100, "random_state": 0, "learning_rate_init": 0.02, **parameters}
    return MLPClassifier((8,), **given)


PARAMETERS: dict[str, dict[str, Any]] = {
    "plain": {},
    "early stopping": {"early_stopping": True, "validation_fraction": 0.2},
    "balanced": {"class_weight": "balanced"},
    "weights": {"class_weight": {"blue": 2, "green": 1, "red": 0.5}},
    "sgd": {"solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 0.1},
    "dropout": {"dropout": 0.1, "batch_norm": True},
    "automatic batches": {"batch_size": "auto", "max_iter": 60},
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_classifier(name: str) -> None:
    model = classifier(**PARAMETERS[name]).fit(LAZY, LAZY_NAMES)
    assert model.classes_.tolist() == ["blue", "green", "red"]
    assert model.n_features_in_ == 4
    assert model.score(LAZY, LAZY_NAMES) > 0.85
    assert model.score(LAZY, LAZY_NAMES) == model.score(X, NAMES)
    assert len(model.loss_curve_) == model.n_iter_
    if model.early_stopping:
        assert model.best_validation_score_ == max(model.validation_scores_)
    twin = classifier(**PARAMETERS[name]).fit(LAZY, LAZY_NAMES)
    other = classifier(**{**PARAMETERS[name], "random_state": 1}).fit(LAZY, LAZY_NAMES)
    assert (twin.coefs_[0] == model.coefs_[0]).all()
    assert (other.coefs_[0] != model.coefs_[0]).any()


def test_the_random_state_orders_samples() -> None:
    """With equal first weights too."""
    a, b = (classifier(warm_start=True, random_state=seed) for seed in (0, 1))
    for model in (a, b):
        model.fit(X[:300], NAMES[:300])
        model.coefs_, model.intercepts_ = ([np.ones_like(each) for each in part] for part in (a.coefs_, a.intercepts_))
        model.max_iter = 1
        model.fit(LAZY, LAZY_NAMES)
    assert (a.coefs_[0] != b.coefs_[0]).any()


@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba", "transform"])
def test_predictions_are_lazy(method: str) -> None:
    model = classifier().fit(LAZY, LAZY_NAMES)
    frame = pd.DataFrame(X, columns=list("abcd"))
    with dask.config.set(scheduler=never):
        lazy = getattr(model, method)(LAZY)
    assert isinstance(lazy, da.Array)
    np.testing.assert_array_equal(lazy.compute(), getattr(model, method)(X))
    named = classifier(max_iter=1).fit(dd.from_pandas(frame, npartitions=3), LAZY_NAMES.rechunk(200))
    assert named.feature_names_in_.tolist() == ["a", "b", "c", "d"]
    with dask.config.set(scheduler=never):
        lazy = getattr(named, method)(dd.from_pandas(frame, npartitions=3))
    np.testing.assert_array_equal(lazy.compute(), getattr(named, method)(frame))
    columns = {"transform": list(named.get_feature_names_out())}.get(method, ["blue", "green", "red"])
    assert method == "predict" or list(lazy.columns) == columns


@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
def test_regressor(loss: str) -> None:
    y = np.exp(X[:, 0] / 2)
    weights = np.random.default_rng(3).uniform(0, 1, 600)
    lazy, lazy_weights = da.from_array(y, chunks=250), da.from_array(weights, chunks=100)
    model: Any = MLPRegressor(loss, (8,), max_iter=40, batch_size=100, random_state=0, learning_rate_init=0.02)
    model.fit(LAZY, lazy, lazy_weights, X_val=LAZY, y_val=lazy, sample_weight_val=lazy_weights)
    here: Any = MLPRegressor(loss, (8,), max_iter=40, batch_size=100, random_state=0, learning_rate_init=0.02)
    here.fit(X, y, weights, X_val=X, y_val=y, sample_weight_val=weights)
    assert model.score(LAZY, lazy) > 0.9
    assert model.score(LAZY, lazy, lazy_weights) == pytest.approx(model.score(X, y, weights), rel=1e-5)
    assert model.validation_scores_[-1] == pytest.approx(model.score(X, y, weights), rel=1e-5)
    for name in ("loss_curve_", "validation_loss_curve_"):  # in the same units
        assert getattr(model, name)[-1] == pytest.approx(getattr(here, name)[-1], abs=0.05)


def test_several_outputs_and_labels() -> None:
    y = da.from_array(X[:, :2] * 2, chunks=(300, 1))
    model = MLPRegressor("squared_error", (8,), max_iter=30, batch_size=100, random_state=0, learning_rate_init=0.02)
    assert model.fit(LAZY, y).score(LAZY, y) > 0.8
    labels = da.from_array((X[:, :2] > 0).astype(int), chunks=(300, 1))
    several = classifier().fit(LAZY, labels)
    assert several.predict(LAZY).shape == (600, 2)
    assert several.score(LAZY, labels) > 0.8


def test_partial_fit() -> None:
    model = classifier()
    for _ in range(12):
        model.partial_fit(LAZY, LAZY_NAMES, classes=["blue", "green", "red"])
    assert model.score(LAZY, LAZY_NAMES) > 0.85
    with pytest.raises(ValueError, match="classes not in"):
        model.partial_fit(LAZY, da.from_array(np.full(600, "black"), chunks=200))


def test_transformer() -> None:
    frame = pd.DataFrame(X, columns=list("abcd"))
    with dask.config.set(scheduler=never):
        lazy = ActivationTransformer("gelu").fit_transform(LAZY)
        named = ActivationTransformer("softmax").fit_transform(dd.from_pandas(frame, npartitions=3))
    assert lazy.dtype == np.float32
    np.testing.assert_array_equal(lazy.compute(), fa.gelu(X))
    assert list(named.columns) == ["a", "b", "c", "d"]
    np.testing.assert_array_equal(named.compute(), fa.softmax(X))


def test_wrong_input() -> None:
    model = classifier(max_iter=1).fit(LAZY, LAZY_NAMES)
    missing = dd.from_pandas(pd.Series([None, *NAMES[1:]], dtype=object), npartitions=3)
    cases: list[tuple[Any, str]] = [
        (lambda: classifier().fit(LAZY, None), "requires y to be passed"),
        (lambda: classifier().fit(X, LAZY_NAMES), "give X as a dask array too"),
        (lambda: classifier(solver="lbfgs").fit(LAZY, LAZY_NAMES), "solver='lbfgs' takes all samples at once"),
        (lambda: classifier().fit(LAZY, missing), "block 0 of y has labels that are missing"),
        (lambda: classifier().fit(LAZY, LAZY[:, 0]), "Unknown label type: continuous"),
        (lambda: classifier().fit(LAZY.astype(str), LAZY_NAMES), "X has dtype .*, not real numbers"),
        (lambda: model.predict(LAZY[:, :3]), "X has 3 features, but MLPClassifier is expecting 4"),
        (lambda: model.transform(LAZY, layer=1), "layer=1 is not there"),
        (lambda: classifier().set_output(transform="pandas").fit(LAZY, LAZY_NAMES).transform(LAZY), "set_output"),
        (lambda: classifier(class_weight={"black": 1}).fit(LAZY, LAZY_NAMES), "black|class_weight"),
    ]
    for call, message in cases:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            with pytest.raises((TypeError, ValueError), match=message):
                call()
