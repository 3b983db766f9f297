"""fastact.sklearn: scikit-learn's checks and results, and what scikit-learn's own estimators cannot do."""

from __future__ import annotations

import inspect
import pickle
from typing import Any

import numpy as np
import pytest

import fastact as fa

sklearn: Any = pytest.importorskip("sklearn", reason="scikit-learn is not installed")
from sklearn import datasets, model_selection, neural_network  # noqa: E402
from sklearn.base import clone  # noqa: E402
from sklearn.exceptions import ConvergenceWarning, NotFittedError  # noqa: E402
from sklearn.metrics import accuracy_score  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import scale  # noqa: E402
from sklearn.utils.estimator_checks import check_estimator  # noqa: E402

from fastact.sklearn import ActivationTransformer, MLPClassifier, MLPRegressor  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = datasets.load_iris(return_X_y=True)
X = scale(X)
NUMBERS = X @ np.array([[1.0, 2], [0, 1], [-1, 0], [1, 1]]) + np.tanh(X[:, :2])
LABELS = (X[:, :3] > 0).astype(int)
WEIGHTS = np.random.default_rng(0).random(len(X))

Estimator = Any


def both(name: str, **parameters: Any) -> tuple[Estimator, Estimator]:
    """The same estimator of fastact and of scikit-learn."""
    theirs = getattr(neural_network, name)(random_state=3, max_iter=12, **parameters)
    return getattr(fa.sklearn, name)(**theirs.get_params()), theirs


# ---- as scikit-learn's


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("estimator", [ActivationTransformer(), MLPClassifier(), MLPRegressor()], ids=repr)
def test_scikit_learns_checks(estimator: Estimator) -> None:
    """All pass but those that scikit-learn skips for its own estimators."""
    skipped = {
        result["check_name"] for result in check_estimator(estimator, on_skip=None) if result["status"] != "passed"
    }
    without_pandas = {name for name in skipped if "pandas" in name or name.endswith("_data_not_an_array")}
    allowed = {"check_array_api_input", "check_classifiers_multilabel_output_format_decision_function"}
    assert skipped - without_pandas <= allowed
    if without_pandas:
        pytest.skip("could not import 'pandas': the checks with its tables are left out")


@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
def test_parameters_are_theirs_and_more(name: str) -> None:
    mine, theirs = both(name)
    names = list(theirs.get_params())
    assert len(names) in (23, 24)
    assert mine.get_params().items() >= theirs.get_params().items()
    assert type(mine)().get_params().items() >= type(theirs)().get_params().items()
    assert list(inspect.signature(type(mine)).parameters)[: len(names)] == list(
        inspect.signature(type(theirs)).parameters
    )
    for parameter in mine._get_param_names():
        assert f"{parameter} : " in str(type(mine).__doc__)


SAME: dict[str, tuple[str, Any, dict[str, Any]]] = {
    "adam": ("MLPClassifier", Y, {"hidden_layer_sizes": (16, 9), "batch_size": 17}),
    "adam's numbers": ("MLPRegressor", NUMBERS, {"beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3}),
    "sgd": ("MLPClassifier", Y, {"solver": "sgd", "learning_rate_init": 0.1}),
    "no momentum": ("MLPClassifier", Y, {"solver": "sgd", "momentum": 0.0, "batch_size": 40}),
    "invscaling": ("MLPClassifier", Y, {"solver": "sgd", "learning_rate": "invscaling"}),
    "adaptive": ("MLPRegressor", NUMBERS, {"solver": "sgd", "learning_rate": "adaptive", "n_iter_no_change": 1}),
    "logistic": ("MLPClassifier", Y, {"solver": "sgd", "activation": "logistic", "nesterovs_momentum": False}),
    "two classes": ("MLPClassifier", Y > 0, {"solver": "sgd", "hidden_layer_sizes": (8, 5), "activation": "tanh"}),
    "labels": ("MLPClassifier", LABELS, {"solver": "sgd", "batch_size": 17, "alpha": 0.5}),
    "stopping": ("MLPClassifier", Y > 0, {"solver": "sgd", "early_stopping": True, "learning_rate_init": 0.1}),
    "no shuffling": ("MLPRegressor", NUMBERS[:, 0], {"solver": "sgd", "shuffle": False, "batch_size": 17}),
    "numbers": ("MLPRegressor", NUMBERS, {"solver": "sgd", "early_stopping": True, "validation_fraction": 0.3}),
    "lbfgs": ("MLPClassifier", Y, {"solver": "lbfgs", "hidden_layer_sizes": 5}),
    "poisson": ("MLPRegressor", Y, {"solver": "lbfgs", "loss": "poisson", "hidden_layer_sizes": ()}),
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", SAME)
def test_equal_seeds_give_scikit_learns_network(kind: str, weighted: bool) -> None:
    name, y, parameters = SAME[kind]
    mine, theirs = both(name, **parameters)
    for estimator in (mine, theirs):
        estimator.fit(X, y, WEIGHTS if weighted else None)
    for ours, their in zip(mine.coefs_ + mine.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True):
        np.testing.assert_allclose(ours, their, rtol=1e-7, atol=1e-9)
    names = ["n_iter_", "n_layers_", "n_outputs_", "t_", "out_activation_", "n_features_in_"]
    assert [getattr(mine, each) for each in names] == [getattr(theirs, each) for each in names]
    if mine.n_outputs_ == 1 or name == "MLPClassifier":  # scikit-learn's loss of numbers is not that of its gradient
        assert mine.loss_ == pytest.approx(theirs.loss_, rel=1e-6)
    if mine.early_stopping:
        np.testing.assert_allclose(mine.validation_scores_, theirs.validation_scores_, atol=1e-12)
        assert mine.best_validation_score_ == pytest.approx(theirs.best_validation_score_)
    np.testing.assert_allclose(mine.predict(X), theirs.predict(X), rtol=1e-6)
    if name == "MLPClassifier":
        np.testing.assert_allclose(mine.predict_proba(X), theirs.predict_proba(X), rtol=1e-6)
        np.testing.assert_allclose(mine.predict_log_proba(X), theirs.predict_log_proba(X), rtol=1e-6, atol=1e-15)


def test_partial_fit_goes_on_as_scikit_learns() -> None:
    mine, theirs = both("MLPClassifier", solver="sgd", learning_rate="adaptive", n_iter_no_change=1, tol=0.1)
    for estimator in (mine, theirs):
        for _ in range(8):
            estimator.partial_fit(X, Y, classes=[0, 1, 2])
    np.testing.assert_allclose(mine.coefs_[1], theirs.coefs_[1], rtol=1e-9)
    assert mine._optimizer.learning_rate == theirs._optimizer.learning_rate < 1e-3
    assert mine.t_ == theirs.t_
    assert len(mine.loss_curve_) == 8


# ---- what goes in and comes out


@pytest.mark.parametrize("labels", [["setosa", "versicolor", "virginica"], [3, 7, 9], [False, True, True]])
def test_labels_come_back(labels: Any) -> None:
    y = np.array(labels)[Y]
    model = MLPClassifier((8,), solver="lbfgs", random_state=0).fit(X, y)
    assert model.classes_.tolist() == sorted(set(labels))
    assert model.predict(X).dtype == y.dtype
    assert model.score(X, y) > 0.9


def test_one_class() -> None:
    model = MLPClassifier((3,), max_iter=3).fit(X, np.full(len(X), "a"))
    assert set(model.predict(X)) == {"a"}
    assert model.predict_proba(X).shape == (len(X), 1)


def test_float32_stays() -> None:
    x = X.astype(np.float32)
    model = MLPClassifier((4,), max_iter=3, random_state=0).fit(x, Y)
    assert {each.dtype.name for each in [*model.coefs_, model.predict_proba(x), model.transform(x)]} == {"float32"}
    assert MLPRegressor(hidden_layer_sizes=(4,), max_iter=3).fit(x, NUMBERS).predict(x).dtype == np.float32


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_sparse_matrices_train_as_dense_ones(solver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    monkeypatch.setattr("fastact.sklearn._arrays.PIECE", 1000)  # of 31 rows
    model = MLPClassifier((8,), solver=solver, batch_size=20, early_stopping=solver == "adam", random_state=0)
    dense, thin = (clone(model).set_params(max_iter=9).fit(each, Y) for each in (X, sparse.csr_array(X)))
    for a, b in zip(dense.coefs_, thin.coefs_, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)
    np.testing.assert_allclose(dense.predict_proba(X), thin.predict_proba(sparse.csc_matrix(X)), atol=1e-12)
    if solver == "adam":
        np.testing.assert_allclose(dense.validation_loss_curve_, thin.validation_loss_curve_)


def test_data_frames() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcd"))
    model = MLPClassifier((4,), max_iter=3, early_stopping=True).fit(frame, pandas.Series(Y))
    assert model.feature_names_in_.tolist() == list("abcd")
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame.rename(columns={"a": "e"}))
    hidden = model.set_output(transform="pandas").transform(frame)
    assert list(hidden.columns) == [f"mlpclassifier{i}" for i in range(4)]


@pytest.mark.parametrize("library", ["torch", "jax.numpy"])
def test_arrays_of_other_libraries(library: str) -> None:
    xp: Any = pytest.importorskip(library)
    x = xp.asarray(X)
    model = MLPClassifier((4,), max_iter=3, random_state=0).fit(x, xp.asarray(Y))
    for method in ("predict", "predict_proba", "transform"):
        result = getattr(model, method)(x)
        assert type(result) is type(x)
        np.testing.assert_allclose(np.asarray(result), getattr(model, method)(np.asarray(x)), rtol=1e-5)
    named = MLPClassifier((4,), max_iter=3).fit(x, np.array(list("abc"))[Y])
    assert type(named.predict(x)) is np.ndarray


def test_copies(tmp_path: Any) -> None:
    joblib = pytest.importorskip("joblib")
    model = MLPClassifier((4,), max_iter=5, random_state=0, solver="adam").fit(X, Y)
    path = tmp_path / "model"
    joblib.dump(model, path)
    size = len(pickle.dumps(model))
    for twin in (pickle.loads(pickle.dumps(model)), joblib.load(path)):
        np.testing.assert_array_equal(twin.predict_proba(X), model.predict_proba(X))
        assert np.shares_memory(twin.coefs_[0], twin._network.parameters)
        twin.partial_fit(X, Y)
    assert size < 20_000
    assert not hasattr(clone(model), "coefs_")
    model.coefs_[0][:] = 0
    assert len(np.unique(model.predict(X))) == 1


def test_weights_that_are_assigned_predict() -> None:
    """As those who average models do."""
    models = [MLPRegressor(hidden_layer_sizes=(4,), max_iter=3, random_state=seed).fit(X, NUMBERS) for seed in range(2)]
    mean = MLPRegressor(hidden_layer_sizes=(4,), max_iter=3).fit(X, NUMBERS)
    for name in ("coefs_", "intercepts_"):
        setattr(mean, name, [sum(pair) / 2 for pair in zip(*(getattr(each, name) for each in models), strict=True)])
    z = np.maximum(X @ mean.coefs_[0] + mean.intercepts_[0], 0) @ mean.coefs_[1] + mean.intercepts_[1]
    np.testing.assert_allclose(mean.predict(X), z)
    np.testing.assert_allclose(pickle.loads(pickle.dumps(mean)).predict(X), z)


def test_metadata_routing_and_search() -> None:
    with sklearn.config_context(enable_metadata_routing=True):
        model = MLPClassifier((4,), max_iter=9, random_state=0).set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        search = model_selection.GridSearchCV(model, {"activation": ["relu", ["gelu"]]}, cv=2)
        search.fit(X, Y, sample_weight=WEIGHTS)
    best = clone(model).set_params(**search.best_params_).fit(X, Y, WEIGHTS)
    np.testing.assert_array_equal(search.best_estimator_.coefs_[0], best.coefs_[0])


# ---- more than scikit-learn's


def test_activations_of_ones_own_and_per_layer(own_registry: None) -> None:
    @fa.activation(derivative=lambda x: 3 * x * x)
    def cube(x: Any) -> Any:
        return x * x * x

    choices: tuple[Any, ...] = cube, ["gelu", cube], [fa.leaky_relu, "snake"]
    for activation in choices:
        model = MLPClassifier((6, 5), activation, max_iter=5, random_state=0).fit(X, Y)
        hidden = model.transform(X)
        names = activation if isinstance(activation, list) else [activation] * 2
        first, second = (fa.get(each) if isinstance(each, str) else each for each in names)
        x = second(first(X @ model.coefs_[0] + model.intercepts_[0]) @ model.coefs_[1] + model.intercepts_[1])
        np.testing.assert_allclose(hidden, x, rtol=1e-12)


def test_hidden_layers() -> None:
    model = MLPClassifier((6, 5), max_iter=5, random_state=0).fit(X, Y)
    first = np.maximum(X @ model.coefs_[0] + model.intercepts_[0], 0)
    np.testing.assert_allclose(model.transform(X, layer=0), first)
    np.testing.assert_array_equal(model.transform(X, layer=-1), model.transform(X, layer=1))
    assert model.transform(X).shape[1] == len(model.get_feature_names_out()) == 5
    for layer in (2, -3, "a", 0.5):
        with pytest.raises(ValueError, match=r"layer=.* is not there; the network has 2"):
            model.transform(X, layer=layer)
    pipeline = make_pipeline(MLPClassifier((6,), max_iter=5), neural_network.MLPClassifier(max_iter=5))
    assert pipeline.fit(X, Y).predict(X).shape == Y.shape
    pytest.importorskip("pandas")
    with pytest.raises(ValueError, match=r"set_output .*layer=0"):
        model.set_output(transform="pandas").transform(X, layer=0)


@pytest.mark.parametrize(
    "parameters",
    [
        {"dropout": [0.5, 0.0]},
        {"batch_norm": True},
        {"residual": True},
        {"activation": "leaky_relu", "trainable": True},
        {"weight_decay": 5.0},
        {"clip_norm": 1e-9, "solver": "sgd"},
        {"init": "orthogonal"},
        {"solver": "adamw"},
        {"solver": "rmsprop"},
    ],
    ids=str,
)
def test_options_change_training_and_survive_a_copy(parameters: dict[str, Any]) -> None:
    plain = MLPClassifier((8, 8), max_iter=5, random_state=0)
    model = clone(plain).set_params(**parameters)
    assert not np.array_equal(model.fit(X, Y).predict_proba(X), plain.fit(X, Y).predict_proba(X))
    again = clone(model).fit(X, Y).predict_proba(X)
    np.testing.assert_array_equal(model.predict_proba(X), again)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), again)
    before = model.loss_
    assert model.set_params(warm_start=True, max_iter=200).fit(X, Y).loss_ < before


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_the_logarithm_of_a_vanishing_probability_does_not_warn() -> None:
    model = MLPClassifier((4,), max_iter=20, random_state=0).fit(X, Y > 0)
    with np.errstate(all="raise"):
        found = model.predict_log_proba(X * 1e8)
    assert (model.predict_proba(X * 1e8) == 0).any()
    assert np.isfinite(found).all()


def test_class_weight() -> None:
    y = np.where(np.arange(len(X)) % 10 == 0, "rare", "usual")
    model = MLPClassifier((4,), solver="lbfgs", random_state=0)
    mine = clone(model).set_params(class_weight={"rare": 9.0}).fit(X, y)
    weights = np.where(y == "rare", 9.0, 1.0)
    np.testing.assert_allclose(mine.coefs_[0], clone(model).fit(X, y, weights).coefs_[0])
    twice = clone(mine).fit(X, y, WEIGHTS)
    np.testing.assert_allclose(twice.coefs_[0], clone(model).fit(X, y, weights * WEIGHTS).coefs_[0])
    balanced = clone(model).set_params(class_weight="balanced").fit(X, y)
    assert (balanced.predict(X) == "rare").sum() > (
        clone(model).set_params(max_iter=5).fit(X, y).predict(X) == "rare"
    ).sum()
    with pytest.raises(ValueError, match=r"class_weight=\{'rare': 0, .* leaves all samples without weight"):
        clone(model).set_params(class_weight={"rare": 0, "usual": 0}).fit(X, y)
    with pytest.raises(ValueError, match="'balanced' needs all of y at once"):
        balanced.set_params(solver="adam").partial_fit(X, y)
    assert clone(mine).set_params(solver="sgd").partial_fit(X, y, classes=["rare", "usual"]).n_iter_ == 1


def test_given_validation_data() -> None:
    train, test = slice(None, None, 2), slice(1, None, 2)
    model = MLPClassifier((8,), max_iter=40, random_state=0).fit(
        X[train], Y[train], X_val=X[test], y_val=Y[test], sample_weight_val=WEIGHTS[test]
    )
    assert len(model.validation_loss_curve_) == len(model.validation_scores_) == model.n_iter_ == 40
    score = accuracy_score(Y[test], model.predict(X[test]), sample_weight=WEIGHTS[test])
    assert model.validation_scores_[-1] == pytest.approx(score)
    log_proba = model.predict_log_proba(X[test])[np.arange(75), Y[test]]
    assert model.validation_loss_curve_[-1] == pytest.approx(-np.average(log_proba, weights=WEIGHTS[test]))
    early = clone(model).set_params(early_stopping=True, n_iter_no_change=2, max_iter=500, tol=0.01)
    early.fit(X[train], Y[train], X_val=X[test], y_val=Y[test])
    assert early.converged_
    assert early.n_iter_ < 500
    assert early.score(X[test], Y[test]) == early.best_validation_score_


def test_early_stopping_with_partial_fit() -> None:
    model = MLPClassifier((8,), early_stopping=True, n_iter_no_change=3, learning_rate_init=0.1, random_state=0)
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True without X_val"):
        model.partial_fit(X, Y, classes=[0, 1, 2])
    while not getattr(model, "converged_", False):
        model = pickle.loads(pickle.dumps(model.partial_fit(X[::2], Y[::2], classes=[0, 1, 2], X_val=X, y_val=Y)))
    assert model.validation_scores_ is not None
    assert 3 < len(model.validation_scores_) < 200
    assert model.score(X, Y) == model.best_validation_score_ == max(model.validation_scores_)


@pytest.mark.parametrize("loss", ["absolute_error", "huber", "quantile"])
def test_losses(loss: str) -> None:
    """A network without hidden units gives the location that the loss is least for."""
    rng = np.random.default_rng(0)
    y = rng.exponential(size=2000)
    x = np.zeros((2000, 1))
    model = MLPRegressor(loss, (1,), delta=0.1, quantile=0.9, learning_rate_init=0.01, max_iter=400, alpha=0, tol=0)
    found = model.set_params(random_state=0).fit(x, y).predict(x[:1])[0]
    residual = y - found
    slope = {
        "absolute_error": np.sign(residual),
        "huber": np.clip(residual, -0.1, 0.1) * 10,
        "quantile": (residual > 0) - 0.1,
    }[loss]
    assert abs(slope.mean()) < 0.03
    value = {
        "absolute_error": abs(residual),
        "huber": np.where(abs(residual) < 0.1, residual**2 / 2, 0.1 * (abs(residual) - 0.05)),
        "quantile": np.maximum(0.9 * residual, -0.1 * residual),
    }[loss]
    assert model.loss_ == pytest.approx(value.mean(), rel=0.02)


def test_callbacks() -> None:
    callback: Any = pytest.importorskip("sklearn.callback", reason="scikit-learn has it from 1.9")
    monitor = callback.ScoringMonitor(scoring="accuracy")
    model = MLPClassifier((4,), max_iter=5, random_state=0).set_callbacks(monitor)
    model.fit(X, Y, X_val=X, y_val=Y)
    rows = monitor.get_logs().data
    of_epochs = [row["accuracy"] for row in rows if row["task_name"] == "epoch"]
    assert of_epochs == pytest.approx(model.validation_scores_)
    assert rows[0]["accuracy"] == model.score(X, Y)
    lbfgs = MLPRegressor(hidden_layer_sizes=(4,), solver="lbfgs", max_iter=5).set_callbacks(
        callback.ScoringMonitor(scoring="r2")
    )
    lbfgs.fit(X, NUMBERS, sample_weight=WEIGHTS)

    class Stop:
        def setup(self, estimator: Any, context: Any) -> None: ...
        def teardown(self, estimator: Any, context: Any) -> None: ...
        def on_fit_task_begin(self, estimator: Any, context: Any) -> None: ...
        def on_fit_task_end(self, estimator: Any, context: Any, *, fitted_estimator: Any) -> bool:
            fitted_estimator.coefs_[0][:] = 0  # of a copy
            return context.task_name == "epoch" and context.task_id == 1

    for solver in ("adam", "lbfgs"):
        stopped = MLPClassifier((4,), solver=solver, random_state=0).set_callbacks(Stop())
        assert stopped.fit(X, Y).n_iter_ == 2
        twin = MLPClassifier((4,), solver=solver, random_state=0, max_iter=2).fit(X, Y)
        np.testing.assert_array_equal(stopped.predict_proba(X), twin.predict_proba(X))


def test_progress_bar(capsys: pytest.CaptureFixture[str]) -> None:
    callback: Any = pytest.importorskip("sklearn.callback", reason="scikit-learn has it from 1.9")
    pytest.importorskip("rich")
    MLPClassifier((4,), max_iter=5).set_callbacks(callback.ProgressBar()).fit(X, Y)
    assert "MLPClassifier - fit" in capsys.readouterr().out


def test_verbose(capsys: pytest.CaptureFixture[str]) -> None:
    parameters: dict[str, Any] = {"verbose": True, "random_state": 0, "max_iter": 60, "n_iter_no_change": 1, "tol": 1.0}
    MLPClassifier((4,), solver="sgd", learning_rate="adaptive", **parameters).fit(X, Y)
    MLPClassifier((4,), early_stopping=True, **parameters).fit(X, Y)
    MLPClassifier((4,), solver="lbfgs", **{**parameters, "tol": 1e-4, "max_iter": 3}).fit(X, Y)
    text = capsys.readouterr().out
    assert "Iteration 1, loss = " in text
    assert (
        "Training loss did not improve more than tol=1.000000 for 1 consecutive epochs. Setting learning rate" in text
    )
    assert "Learning rate too small. Stopping." in text
    assert "Validation score: 0." in text


# ---- what goes wrong


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"alpha": -1}, r"The 'alpha' parameter of MLPClassifier must be a number in \[0, inf\). Got -1 instead."),
        ({"alpha": "small"}, "Got 'small' instead"),
        ({"solver": "adm"}, "'solver' parameter .* one of 'lbfgs', 'sgd', 'adam'.*Got 'adm'"),
        ({"max_iter": 0}, "'max_iter' parameter .* an integer, at least 1"),
        ({"max_iter": True}, "Got True instead"),
        ({"batch_size": "all"}, "one of 'auto' or an integer"),
        ({"hidden_layer_sizes": (5, 0)}, r"hidden_layer_sizes must be > 0, got \[5, 0\]"),
        ({"dropout": 1.0}, r"\[0, 1\), or a list of it for the hidden layers. Got 1.0"),
        ({"dropout": [0.1]}, "dropout lists 1 for 2 hidden layers"),
        ({"activation": "rleu"}, "rleu.*relu"),
        ({"activation": ["relu"]}, "activation lists 1 for 2 hidden layers"),
        ({"init": "hee"}, "unknown init 'hee'"),
        ({"device": "gpu"}, "unknown device 'gpu'"),
        ({"solver": "lbfgs", "dropout": 0.5}, "lbfgs.* takes no dropout"),
        ({"class_weight": "even"}, "'class_weight' parameter .*Got 'even'"),
        ({"n_iter_no_change": 1.5}, "'n_iter_no_change' .* at least 1 or infinity"),
    ],
    ids=str,
)
def test_wrong_parameters(parameters: dict[str, Any], message: str) -> None:
    model = MLPClassifier((5, 5)).set_params(**parameters)
    with pytest.raises(ValueError, match=message):
        model.fit(X, Y)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((X, None), "requires y to be passed, but the target y is None"),
        ((X, Y[:9]), "inconsistent numbers of samples"),
        ((X * np.nan, Y), "Input X contains NaN"),
        ((X, np.linspace(0, 1, 150)), "Unknown label type: continuous"),
        ((X, np.stack([Y, Y], 1)), "columns of classes"),
        ((X, Y, WEIGHTS[:9]), r"sample_weight has shape \(9,\), expected \(150,\)"),
        ((X, Y, -WEIGHTS), "Negative values in sample_weight: the least is -"),
        ((X, Y, 0 * WEIGHTS), "All values of sample_weight are zero"),
        ((np.full((150, 1), "a"), Y), "could not convert string to float|dtype='numeric'"),
        ((X[0], Y[:1]), "Expected 2D array, got 1D array"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_wrong_data(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MLPClassifier((4,)).fit(*arguments)


def test_wrong_calls() -> None:
    model = MLPClassifier((4,), max_iter=2)
    with pytest.raises(NotFittedError):
        model.predict(X)
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        model.partial_fit(X, Y)
    model.fit(X, Y)
    with pytest.raises(ValueError, match="has 2 features, but MLPClassifier is expecting 4"):
        model.predict(X[:, :2])
    with pytest.raises(ValueError, match=r"classes not in `self.classes_`: \{3\}"):
        model.partial_fit(X, Y + 1)
    with pytest.raises(ValueError, match="is not the same as on last call"):
        model.partial_fit(X, Y, classes=[1, 2, 3])
    with pytest.raises(ValueError, match=r"shapes \[\(4, 4\), \(4, 3\)\], but the parameters ask for"):
        clone(model).set_params(warm_start=True).fit(X, Y).set_params(hidden_layer_sizes=(5,)).fit(X, Y)
    assert not hasattr(MLPRegressor(solver="lbfgs"), "partial_fit")
    with pytest.raises(ValueError, match="'poisson' takes counts, from 0; y has -"):
        MLPRegressor("poisson").fit(X, NUMBERS)
    numbers = MLPRegressor(max_iter=1).fit(X, NUMBERS, X_val=X, y_val=NUMBERS)
    with pytest.raises(ValueError, match="y has 1 outputs, the network 2"):
        numbers.partial_fit(X, NUMBERS[:, 0])


def test_warnings() -> None:
    with pytest.warns(UserWarning, match=r"`batch_size` 999, larger than sample size 150. .* clipped"):
        MLPClassifier((4,), batch_size=999, max_iter=1).fit(X, Y)
    for solver in ("adam", "lbfgs"):
        with pytest.warns(ConvergenceWarning):
            MLPClassifier((4,), solver=solver, max_iter=2).fit(X, Y)


def test_divergence_keeps_the_model_before_it() -> None:
    model = MLPRegressor(activation="identity", solver="sgd", learning_rate_init=1e3, random_state=0)
    with pytest.raises(ValueError, match=r"non-finite parameter weights.*diverged in epoch"):
        model.fit(X * 1e3, NUMBERS)
    assert np.isfinite(model.predict(X)).all()


def test_ctrl_c_ends_lbfgs_at_an_iteration(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def loss_and_gradients(self: Any, *arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 9:
            raise KeyboardInterrupt
        return fa.MLP.loss_and_gradients(self, *arguments)

    model = MLPClassifier((4,), solver="lbfgs", random_state=0)
    monkeypatch.setattr("fastact.sklearn._network.Network.loss_and_gradients", loss_and_gradients)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y)
    monkeypatch.undo()
    twin = clone(model).set_params(max_iter=model.n_iter_).fit(X, Y)
    np.testing.assert_array_equal(model.predict_proba(X), twin.predict_proba(X))


def test_ctrl_c_keeps_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def goodness(*_: Any) -> float:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return 0.5

    monkeypatch.setattr(MLPClassifier, "_goodness", staticmethod(goodness))
    model = MLPClassifier((4,), random_state=0)
    with pytest.warns(UserWarning, match="interrupted by user"):
        model.fit(X, Y, X_val=X, y_val=Y)
    assert model.predict(X).shape == Y.shape


def test_without_scikit_learn(python: Any) -> None:
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "try: import fastact.sklearn\n"
        "except ImportError as error: print(type(error).__name__, error)"
    )
    text = python(code)
    assert text.startswith("MissingDependencyError fastact.sklearn needs scikit-learn")
    assert text.endswith('pip install "fastact[sklearn]"\n')
