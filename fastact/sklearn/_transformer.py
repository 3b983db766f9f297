"""An activation as a step of a pipeline."""

from __future__ import annotations

from functools import partial
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin

import fastact as fa
from fastact.mlp.namespaces import is_lazy
from fastact.sklearn._arrays import as_given, checked_samples
from fastact.sklearn._lazy import check_lazy, lazily

__all__ = ["ActivationTransformer"]


class ActivationTransformer(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Apply an activation to each feature, or softmax to each sample.

    Parameters
    ----------
    activation : str or fastact activation, default="relu"
        A name from `fastact.names("activation")` or `fastact.names("softmax")`, or an object, such as one's own
        `fastact.activation`.
    parameters : dict, default=None
        The activation's parameters, such as {"alpha": 0.2} for "leaky_relu".

    Attributes
    ----------
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only of samples whose features all have a name that is text.

    Notes
    -----
    Nothing is learnt, so that `transform` works without `fit`. float32 stays float32; all else becomes float64.

    Examples
    --------
    >>> from fastact.sklearn import ActivationTransformer
    >>> ActivationTransformer("leaky_relu", parameters={"alpha": 0.5}).fit_transform([[-2.0, 3.0]])
    array([[-1.,  3.]])
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> pipeline = make_pipeline(StandardScaler(), ActivationTransformer("tanh"), Ridge())
    """

    def __init__(self, activation: Any = "relu", parameters: dict[str, Any] | None = None) -> None:
        self.activation = activation
        self.parameters = parameters

    def fit(self, X: Any, y: Any = None) -> Self:
        """Check the parameters and the samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : ignored
        """
        dtype = (check_lazy if is_lazy(X) else partial(checked_samples, sparse=False))(self, X, reset=True).dtype
        self._function(np.empty((0, 1), dtype), **(self.parameters or {}))
        return self

    def transform(self, X: Any) -> Any:
        """Apply the activation.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_features)
        """
        if is_lazy(X):
            return lazily(self, "transform", X)
        checked = checked_samples(self, X, reset=False, sparse=False)
        return as_given(self._function(checked, **(self.parameters or {})), X)

    @property
    def _function(self) -> Any:
        function = fa.get(self.activation) if isinstance(self.activation, str) else self.activation
        if not isinstance(function, fa.Function):
            raise TypeError(f"activation={self.activation!r} is neither a name nor a fastact function")
        if function.kind not in ("activation", "softmax"):
            raise ValueError(f"activation={function.name!r} is a {function.kind}; take an activation or softmax")
        return function

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
