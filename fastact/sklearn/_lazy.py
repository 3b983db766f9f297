"""Estimators on dask's collections: what they train with, lazy predictions, scores."""

from __future__ import annotations

import copy
import numbers
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import clone, is_classifier
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.validation import validate_data

from fastact.mlp.namespaces import is_lazy
from fastact.sklearn._arrays import Data

__all__ = ["LazyData", "Training", "Watching", "check_lazy", "lazily", "lazy_score"]

#: Methods whose results have a column for each class, or for each label.
_OF_CLASSES = ("predict_proba", "predict_log_proba")


class LazyData:
    """Samples, targets and weights in dask's collections, before a network is there that they are surveyed for.

    Attributes
    ----------
    y : ndarray
        Some targets as the network should give them.
    dtype : of the network
    """

    def __init__(self, estimator: Any, X: Any, y: Any, sample_weight: Any, going_on: bool, incremental: bool) -> None:
        from fastact.dask.training import Table, aligned

        if y is None:
            name = type(estimator).__name__
            raise ValueError(f"This {name} estimator requires y to be passed, but the target y is None.")
        if estimator.solver == "lbfgs":
            raise ValueError("solver='lbfgs' takes all samples at once, which dask's collections are not; take 'adam'")
        if isinstance(sample_weight, numbers.Real):
            if not float(sample_weight) > 0:
                raise ValueError(f"sample_weight is {sample_weight} for all samples; give a positive weight")
            sample_weight = None
        table, blocks = aligned(X, y, sample_weight)
        _check_features(estimator, table, reset=not going_on)
        self._data = X, y, sample_weight
        self.dtype = _dtype(table)
        self._class_weight: Any = None
        self._encode: Callable[[NDArray[Any]], NDArray[Any]] | None = None
        if is_classifier(estimator):
            some = _classes([block.y for block in blocks], X, y)
            if going_on and not incremental:
                estimator._check_going_on(some)
            told = incremental and hasattr(estimator, "classes_")  # by the first call of partial_fit
            self.y = estimator._encoded(some, learn=not (going_on or told))
            self._encode = partial(_codes, estimator.classes_, estimator._multilabel)
            self._class_weight = _weights_of_codes(estimator)
        else:
            columns = Table(y, "y").columns if is_lazy(y) else np.reshape(y, (len(y), -1)).shape[1]
            some = np.zeros((1, columns or 1))
            self.y = estimator._encoded(some[0] if some.size == 1 else some, learn=not going_on)

    def training(self, network: Any, shuffle: bool, fraction: float | None) -> tuple[Training, Watching | None]:
        """The data to train a network with, and a share of them that is held out, if that is wanted."""
        from fastact.dask.training import source_of

        X, y, weights = self._data
        source, held = source_of(network, X, y, weights, self._class_weight, fraction, shuffle, None, self._encode)
        return Training(source), None if held is None else Watching(held)

    def watching(self, network: Any) -> Watching:
        """The data to look at after each epoch."""
        from fastact.dask.training import watched

        options = {"class_weight": self._class_weight, "encode": self._encode, "prefix": "validation "}
        return Watching(watched(network, *self._data, **options))


class Watching:
    """Data that training does not see; has those methods of `Data` that these need."""

    def __init__(self, watched: Any) -> None:
        self._watched = watched

    def offset(self, estimator: Any) -> float:
        from fastact.dask.training import mean

        if getattr(estimator, "loss", None) != "poisson":
            return 0.0
        return float(mean(self._watched.each("offset of block", partial(_offset, clone(estimator)))))

    def evaluation(self, estimator: Any, network: Any) -> tuple[float, float]:
        return self._watched.evaluation()["val_loss"][0], self._watched.score()


class Training(Watching):
    """Data to train with; has those methods of `Data` that these need."""

    def __init__(self, source: Any) -> None:
        super().__init__(source.watched)
        self._source = source
        self.samples = source.rows

    def train(self, network: Any, epochs: int, callback: Callable[[int, Any], bool]) -> None:
        network.train_by(self._source, self._source.blocks, epochs, callback)


def lazily(estimator: Any, method: str, X: Any, **options: Any) -> Any:
    """What a method of an estimator gives for a collection of samples: one of the same kind, computed when asked for.

    The estimator is taken as it is now.
    """
    from fastact.dask.training import Table, by_block

    chosen = getattr(estimator, "_sklearn_output_config", {}).get("transform", get_config()["transform_output"])
    if method == "transform" and chosen not in (None, "default"):
        raise ValueError(
            f"set_output(transform={chosen!r}) would compute X of dask; unset it, for transform stays lazy"
        )
    table = Table(X, "X")
    _check_features(estimator, table, reset=False)
    columns = None
    if table.is_frame:
        sample = X._meta_nonempty.iloc[:1]
        if method == "transform" and options.get("layer", -1) == -1:
            columns = list(estimator.get_feature_names_out(getattr(estimator, "feature_names_in_", list(X.columns))))
        elif method in _OF_CLASSES:
            columns = list(estimator.classes_)
    else:
        sample = np.zeros((1, table.columns or 0), X.dtype)
    frozen = partial(_method, copy.deepcopy(estimator), method, options)
    return by_block(frozen, table, frozen(sample)[:0], columns)


def lazy_score(estimator: Any, X: Any, y: Any, sample_weight: Any) -> float:
    """The mean accuracy, or R^2, of an estimator."""
    from fastact.dask.training import Scheduler, accuracy, aligned, r2_score

    table, blocks = aligned(X, y, sample_weight)
    _check_features(estimator, table, reset=False)
    scheduler = Scheduler(X, y, sample_weight)
    frozen = scheduler.task("estimator", _same, copy.deepcopy(estimator))
    function = _hits if is_classifier(estimator) else _fit
    found = scheduler.compute([scheduler.task("score of block", function, frozen, *block[1:]) for block in blocks])
    if is_classifier(estimator):
        return accuracy(found)
    fits = [each for each in found if each is not None]
    if not fits:
        raise ValueError("X is empty in all its blocks; give at least one sample")
    return float(r2_score(fits))


def check_lazy(estimator: Any, X: Any, reset: bool) -> NDArray[Any]:
    """Check a collection as far as that goes without computing it; return an array of the dtype it gets."""
    from fastact.dask.training import Table

    table = Table(X, "X")
    _check_features(estimator, table, reset)
    return np.empty(0, _dtype(table))


def _dtype(table: Any) -> np.dtype[Any]:
    """float32 if nothing else is there, or float64."""
    dtypes = set(table.collection.dtypes) if table.is_frame else {table.collection.dtype}
    return np.dtype(np.float32 if dtypes == {np.dtype(np.float32)} else np.float64)


# ---- checks


def _check_features(estimator: Any, table: Any, reset: bool) -> None:
    """Check names and number of the features, or learn them."""
    X = table.collection
    table.check_numbers()
    if table.columns is None:
        raise ValueError(f"Expected 2D array, got 1D array instead: {table.name} of dask; give the columns as a list")
    sample = X._meta if table.is_frame else np.empty((0, table.columns), X.dtype)
    validate_data(estimator, sample, reset=reset, skip_check_array=True)


def _classes(blocks: list[Any], X: Any, y: Any) -> NDArray[Any]:
    """All labels that occur; with several columns, all rows that do. Each three times, as scikit-learn warns else."""
    from fastact.dask.training import Scheduler

    scheduler = Scheduler(X, y)
    found = scheduler.compute(
        [scheduler.task("classes of block", _labels, number, y) for number, y in enumerate(blocks)]
    )
    found = [each for each in found if len(each)]
    if not found:
        raise ValueError(f"y is empty in all its {len(blocks)} blocks; give at least one sample")
    return np.repeat(np.unique(np.concatenate(found), axis=0), 3, axis=0)


def _weights_of_codes(estimator: Any) -> Any:
    """`class_weight` by the numbers of the classes."""
    given = estimator.class_weight
    if given is None or isinstance(given, str):
        return given
    if estimator._multilabel:
        raise ValueError("class_weight of several labels needs all of y at once, which dask has not; use sample_weight")
    weights = compute_class_weight(given, classes=estimator.classes_, y=estimator.classes_)
    return dict(enumerate(weights.tolist()))


# ---- for workers


def _same(value: Any) -> Any:
    return value


def _labels(number: int, y: Any) -> NDArray[Any]:
    from fastact.dask.training import as_array

    labels = as_array(y)
    labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    try:
        return np.unique(labels, axis=0 if labels.ndim == 2 else None)
    except TypeError:
        raise ValueError(
            f"block {number} of y has labels that are missing, or of several types; drop or fill them"
        ) from None


def _codes(classes: NDArray[Any], multilabel: bool, y: NDArray[Any]) -> NDArray[Any]:
    if multilabel:
        return y
    return np.searchsorted(classes, y[:, 0] if y.ndim == 2 else y)


def _offset(estimator: Any, rows: Any) -> tuple[float, float]:
    table, weights = rows.target.table, rows.target.weights
    column = None if weights is None else weights[:, 0]
    return estimator._offset(Data(None, table, column)), float(len(table) if column is None else column.sum())


def _method(estimator: Any, method: str, options: dict[str, Any], block: Any) -> NDArray[Any]:
    found: NDArray[Any] = np.asarray(getattr(estimator, method)(block, **options))
    return found


def _weights(weights: Any) -> NDArray[Any] | None:
    from fastact.dask.training import as_array

    return None if weights is None else as_array(weights).reshape(-1)


def _hits(estimator: Any, X: Any, y: Any, weights: Any) -> tuple[float, float]:
    """The sums of the weights of a block's right rows, and of all."""
    from fastact.dask.training import as_array, hits_of

    return hits_of(estimator.predict(X), as_array(y), _weights(weights)) if len(X) else (0.0, 0.0)


def _fit(estimator: Any, X: Any, y: Any, weights: Any) -> Any:
    """How well a block's numbers are met; None if it has none."""
    from fastact.dask.training import Fit, as_array

    return Fit.of(as_array(y).reshape(len(X), -1), estimator.predict(X), _weights(weights)) if len(X) else None
