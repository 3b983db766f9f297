"""The regressor: one number or several for each sample."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import column_or_1d
from sklearn.utils.metaestimators import available_if

from fastact.mlp.namespaces import is_lazy
from fastact.sklearn._arrays import Data, as_given, on_host
from fastact.sklearn._base import BaseMLP, can_go_on, store
from fastact.sklearn._callbacks import with_callbacks
from fastact.sklearn._documentation import documented
from fastact.sklearn._lazy import lazily, lazy_score

__all__ = ["MLPRegressor"]


@documented("""delta : float, default=1.0
    Where loss="huber" turns from half the squared error to a straight line.
quantile : float, default=0.5
    What loss="quantile" estimates.
""")
class MLPRegressor(RegressorMixin, BaseMLP):
    """Multi-layer perceptron for numbers.

    It takes the place of `sklearn.neural_network.MLPRegressor`, with the same parameters, attributes and methods.
    Those from `delta` on are fastact's, and three of the losses.

    Parameters
    ----------
    loss : {{"squared_error", "poisson", "absolute_error", "huber", "quantile"}}, default="squared_error"
        "squared_error" is half of it. "poisson" is half the deviance of counts, with a network that gives their
        logarithms. Those of several outputs are summed.
    {parameters}

    Attributes
    ----------
    {attributes}

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from fastact.sklearn import MLPRegressor
    >>> X, y = make_regression(200, 5, random_state=0)
    >>> model = MLPRegressor("huber", (32,), "silu", solver="lbfgs", random_state=0)
    >>> model.fit(X, y / 100).score(X, y / 100) > 0.95
    True
    """

    def __init__(
        self,
        loss: str = "squared_error",
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
        delta: float = 1.0,
        quantile: float = 0.5,
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
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Numbers; for loss="poisson" none below 0.
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
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Train the network for one epoch more.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), optional
        X_val, y_val, sample_weight_val : optional
            Validation data. With `early_stopping` they are needed; after `n_iter_no_change` calls without improvement
            the best weights are put back, and `converged_` is True.
        """
        return self._fit(X, y, sample_weight, X_val, y_val, sample_weight_val, incremental=True)

    def predict(self, X: Any) -> Any:
        """Return the numbers that the network gives for samples.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        """
        if is_lazy(X):
            return lazily(self, "predict", X)
        return as_given(self._predicted("predict", X), X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R^2, averaged over the outputs.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), optional
        """
        if is_lazy(X) or is_lazy(y):
            return lazy_score(self, X, y, sample_weight)
        return float(super().score(X, y, sample_weight))

    # ---- for the base class

    def _encoded(self, y: NDArray[Any], learn: bool) -> NDArray[Any]:
        if self.loss == "poisson" and (y < 0).any():
            raise ValueError(f"loss='poisson' takes counts, from 0; y has {y.min():g}. Take another loss")
        table = column_or_1d(y, warn=True)[:, np.newaxis] if y.ndim == 1 or y.shape[1] == 1 else y
        if not learn and table.shape[1] != self.n_outputs_:
            raise ValueError(f"y has {table.shape[1]} outputs, the network {self.n_outputs_}")
        return table

    def _output(self, y: NDArray[Any]) -> tuple[int, str]:
        return y.shape[1], "exp" if self.loss == "poisson" else "identity"

    def _loss(self) -> dict[str, Any] | str:
        outputs = float(self.n_outputs_)
        return {
            "squared_error": {"name": "mse", "scale": outputs / 2},
            "absolute_error": {"name": "mae", "scale": outputs},
            "huber": {"name": "huber", "delta": self.delta, "scale": outputs},
            "quantile": {"name": "quantile", "q": self.quantile, "scale": outputs},
            "poisson": {"name": "poisson", "scale": outputs},
        }[self.loss]

    def _offset(self, data: Data) -> float:
        if self.loss != "poisson":
            return 0.0
        return float(np.average((xlogy(data.y, data.y) - data.y).sum(axis=1), weights=data.weights))

    def _goodness(self, y: NDArray[Any], predicted: Any, weights: NDArray[Any] | None) -> float:
        predicted = on_host(predicted)
        return float(r2_score(y, predicted, sample_weight=weights)) if np.isfinite(predicted).all() else np.nan

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
