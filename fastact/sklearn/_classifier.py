"""The classifier: two classes, more, or several labels for each sample."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils import column_or_1d
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels

from fastact.mlp.namespaces import is_lazy
from fastact.sklearn._arrays import as_given, on_host
from fastact.sklearn._base import BaseMLP, can_go_on, store
from fastact.sklearn._callbacks import with_callbacks
from fastact.sklearn._documentation import documented
from fastact.sklearn._lazy import lazily, lazy_score

__all__ = ["MLPClassifier"]


@documented("""class_weight : dict, "balanced" or None, default=None
    What the samples of each class weigh; "balanced" gives all classes the same sum. It also counts in the scores of
    validation data.
""")
class MLPClassifier(ClassifierMixin, BaseMLP):
    """Multi-layer perceptron for classes, trained to minimise the log-loss.

    It takes the place of `sklearn.neural_network.MLPClassifier`, with the same parameters, attributes and methods.
    Those from `class_weight` on are fastact's.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels. With several labels for each sample, their numbers.
    {attributes}

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from fastact.sklearn import MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier((16, 8), ["gelu", "tanh"], dropout=0.1, learning_rate_init=0.01, random_state=0)
    >>> model.fit(X, y).score(X, y) > 0.95
    True
    >>> model.transform(X).shape
    (150, 8)
    """

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: Any = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        class_weight: Any = None,
        dropout: Any = 0.0,
        batch_norm: bool = False,
        residual: bool = False,
        trainable: bool = False,
        weight_decay: float | None = None,
        clip_norm: float | None = None,
        init: str = "scikit-learn",
        device: str = "cpu",
    ) -> None:
        store(self, locals())

    @with_callbacks
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Classes, or a column of 0 and 1 for each label.
        sample_weight : array-like of shape (n_samples,), optional
        X_val, y_val, sample_weight_val : optional
            Validation data, of which loss and score are recorded after each epoch. Early stopping then holds out none.
        """
        return self._fit(X, y, sample_weight, X_val, y_val, sample_weight_val, incremental=False)

    @available_if(can_go_on)
    def partial_fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        classes: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Train the network for one epoch more.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
        sample_weight : array-like of shape (n_samples,), optional
        classes : array-like of shape (n_classes,), optional
            All classes, for the first call; y need not have them all.
        X_val, y_val, sample_weight_val : optional
            Validation data. With `early_stopping` they are needed; after `n_iter_no_change` calls without improvement
            the best weights are put back, and `converged_` is True.
        """
        self._learn_classes(y, classes)
        return self._fit(X, y, sample_weight, X_val, y_val, sample_weight_val, incremental=True)

    def predict(self, X: Any) -> Any:
        """Return the classes of samples, or a column of 0 and 1 for each label.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_labels)
        """
        if is_lazy(X):
            return lazily(self, "predict", X)
        codes = on_host(self._predicted("predict", X))
        if self._multilabel:
            return as_given(codes, X)
        return as_given(self.classes_[np.minimum(codes, len(self.classes_) - 1)], X)

    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each class, in the order of `classes_`, or of each label.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        probability : ndarray of shape (n_samples, n_classes)
        """
        if is_lazy(X):
            return lazily(self, "predict_proba", X)
        return as_given(self._columns(self._predicted("predict_proba", X)), X)

    def predict_log_proba(self, X: Any) -> Any:
        """Return the logarithms of `predict_proba`, exact also where it is 0 or 1.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        log_probability : ndarray of shape (n_samples, n_classes)
        """
        if is_lazy(X):
            return lazily(self, "predict_log_proba", X)
        return as_given(self._columns(self._predicted("log_proba", X)), X)

    def _columns(self, of_classes: Any) -> Any:
        """Leave out the class that there is not: the network has two where the data have one."""
        return of_classes[:, : len(self.classes_)]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of right samples, by their weights.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
        sample_weight : array-like of shape (n_samples,), optional
        """
        if is_lazy(X) or is_lazy(y):
            return lazy_score(self, X, y, sample_weight)
        return float(super().score(X, y, sample_weight))

    # ---- for the base class

    def _learn_classes(self, y: Any, classes: Any) -> None:
        """Take over what the first call of `partial_fit` says, and check what later calls say."""
        if isinstance(self.class_weight, str):
            raise ValueError(
                f"class_weight={self.class_weight!r} needs all of y at once, which partial_fit has not; give "
                "class_weight=dict(zip(classes, compute_class_weight('balanced', classes=classes, y=y)))"
            )
        known = getattr(self, "classes_", None)
        if classes is None:
            if known is None:
                raise ValueError("classes must be passed on the first call to partial_fit.")
        elif known is None:
            self.classes_ = unique_labels(classes)
            columns = getattr(y, "shape", ())[1:]
            self._multilabel = (
                columns not in ((), (1,)) if is_lazy(y) else type_of_target(on_host(y)) == "multilabel-indicator"
            )
        elif not np.array_equal(known, unique_labels(classes)):
            raise ValueError(f"`classes={classes!r}` is not the same as on last call to partial_fit, was: {known!r}")

    def _encoded(self, y: NDArray[Any], learn: bool) -> NDArray[Any]:
        check_classification_targets(y)
        if type_of_target(y) == "multiclass-multioutput":
            raise ValueError(
                "y has several columns of classes; give 0 and 1 for each label, or take MultiOutputClassifier"
            )
        multilabel = type_of_target(y) == "multilabel-indicator"
        labels = y if multilabel else column_or_1d(y, warn=True)
        classes = np.arange(labels.shape[1]) if multilabel else np.unique(labels)
        if learn:
            self.classes_, self._multilabel = classes, multilabel
        elif unseen := set(classes.tolist()) - set(self.classes_.tolist()):
            raise ValueError(f"`y` has classes not in `self.classes_`: {unseen}; `self.classes_` has {self.classes_}.")
        return labels if multilabel else np.searchsorted(self.classes_, labels)

    def _check_going_on(self, y: NDArray[Any]) -> None:
        classes = unique_labels(y)
        if not np.array_equal(classes, self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous call to fit. Previously "
                f"got {self.classes_}, `y` has {classes}"
            )

    def _output(self, y: NDArray[Any]) -> tuple[int, str]:
        if self._multilabel:
            return y.shape[1], "logistic"
        return (1, "logistic") if len(self.classes_) <= 2 else (len(self.classes_), "softmax")

    def _loss(self) -> dict[str, Any] | str:
        if self.out_activation_ == "softmax":
            return "cross_entropy"
        return {"name": "bce", "scale": float(self.n_outputs_)}

    def _weights(self, y: NDArray[Any], weights: NDArray[Any] | None) -> NDArray[Any] | None:
        if self.class_weight is None:
            return weights
        product = compute_sample_weight(self.class_weight, y) * (1.0 if weights is None else weights)
        if not product.any():
            raise ValueError(
                f"class_weight={self.class_weight!r:.99} leaves all samples without weight; give a class in y a "
                "positive weight"
            )
        return product

    def _strata(self, y: NDArray[Any]) -> NDArray[Any] | None:
        return y.astype(bool)[:, np.newaxis] if self.n_outputs_ == 1 else None

    def _goodness(self, y: NDArray[Any], predicted: Any, weights: NDArray[Any] | None) -> float:
        right = y == on_host(predicted)
        return float(np.average(right.all(axis=1) if self._multilabel else right, weights=weights))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
