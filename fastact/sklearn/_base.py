"""What classifier and regressor have in common: everything but their targets and losses.

The two say what `y` is to the network (`_encoded`), which loss goes with it (`_loss`), and how good a prediction is.
"""

from __future__ import annotations

import copy
import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin, is_regressor
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from fastact.mlp.namespaces import is_lazy
from fastact.sklearn._arrays import Data, as_given, checked_samples, checked_targets, checked_weights, in_pieces
from fastact.sklearn._callbacks import CallbackSupportMixin, Hooks, NoHooks
from fastact.sklearn._lazy import LazyData, lazily
from fastact.sklearn._network import OUTPUTS, Network
from fastact.sklearn._parameters import as_sizes, check_parameters, is_integer
from fastact.sklearn._training import train_by_batches, train_by_lbfgs

__all__ = ["BaseMLP", "can_go_on", "store"]


def store(estimator: Any, arguments: dict[str, Any]) -> None:
    """Store a constructor's arguments, which are its local variables, under their names, as scikit-learn asks."""
    estimator.__dict__.update({name: value for name, value in arguments.items() if name not in ("self", "__class__")})


def can_go_on(estimator: Any) -> bool:
    """Raise AttributeError for a solver that has no `partial_fit`."""
    if estimator.solver == "lbfgs":
        raise AttributeError("partial_fit is only available for stochastic optimizers; lbfgs is not stochastic")
    return True


def _attributes(network: Network) -> dict[str, Any]:
    """The attributes of an estimator that has this network."""
    layers = network.layers
    weights = {"coefs_": [layer.weights for layer in layers], "intercepts_": [layer.bias for layer in layers]}
    return {"_network": network, **weights}


class BaseMLP(CallbackSupportMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """A network's life in scikit-learn's terms: `fit`, `partial_fit`, what they leave, and the hidden layers.

    The network is kept in `_network`. Its weights are `coefs_` and `intercepts_`, to which users may assign.
    """

    # ---- for subclasses

    def _encoded(self, y: NDArray[Any], learn: bool) -> NDArray[Any]:
        """Check y, and turn it into what the network should give; `learn` which classes there are."""
        raise NotImplementedError

    def _check_going_on(self, y: NDArray[Any]) -> None:
        """Raise ValueError unless a warm start can go on with these targets."""

    def _output(self, y: NDArray[Any]) -> tuple[int, str]:
        """The number of output units for encoded targets, and scikit-learn's name of their activation."""
        raise NotImplementedError

    def _loss(self) -> dict[str, Any] | str:
        """The loss, as `fastact.MLP` takes it."""
        raise NotImplementedError

    def _offset(self, data: Data) -> float:
        """What scikit-learn's loss is more than the network's."""
        return 0.0

    def _goodness(self, y: NDArray[Any], predicted: NDArray[Any], weights: NDArray[Any] | None) -> float:
        """The score of the network's predictions."""
        raise NotImplementedError

    def _weights(self, y: Any, weights: NDArray[Any] | None) -> NDArray[Any] | None:
        """What the samples weigh, given `sample_weight`."""
        return weights

    # ---- training

    def _fit(
        self, X: Any, y: Any, sample_weight: Any, X_val: Any, y_val: Any, sample_weight_val: Any, incremental: bool
    ) -> Self:
        check_parameters(type(self).__name__, self.get_params(deep=False))
        going_on = hasattr(self, "coefs_") and (incremental or self.warm_start)
        if incremental and self.early_stopping and X_val is None:
            raise ValueError("partial_fit does not support early_stopping=True without X_val and y_val")
        data: Any = self._data(X, y, sample_weight, going_on, incremental)
        self._random_state = check_random_state(self.random_state)
        if not going_on:
            self._start(data)
        held_out = None if X_val is None else self._data(X_val, y_val, sample_weight_val, True, True)
        network = self._prepare(data, going_on, incremental)
        hooks = NoHooks() if incremental else Hooks(self, X, y, sample_weight, self._fitted_copy)
        if self.solver == "lbfgs":
            train_by_lbfgs(self, network, data, hooks)
        else:
            automatic = isinstance(data, LazyData) and self.batch_size == "auto"
            if isinstance(held_out, LazyData):
                held_out = held_out.watching(network)
            wanted = self.early_stopping and held_out is None
            if isinstance(data, LazyData):
                data, held = data.training(network, self.shuffle, self.validation_fraction if wanted else None)
                held_out = held_out or held
            elif wanted:
                data, held_out = self._split(data)
            network.batch_size = None if automatic else self._batch_size(data.samples)
            train_by_batches(self, network, data, held_out, hooks, once=incremental)
        hooks.fit_ends()
        return self

    def _data(self, X: Any, y: Any, sample_weight: Any, going_on: bool, incremental: bool) -> Any:
        """Check samples, targets and weights."""
        if is_lazy(X) or is_lazy(y):
            return LazyData(self, X, y, sample_weight, going_on, incremental)
        samples = checked_samples(self, X, reset=not going_on)
        targets = checked_targets(self, y, samples, numeric=is_regressor(self))
        weights = self._weights(targets, checked_weights(sample_weight, samples))
        if going_on and not incremental:
            self._check_going_on(targets)
        told = incremental and hasattr(self, "classes_")  # by the first call of partial_fit
        return Data(samples, self._encoded(targets, learn=not (going_on or told)), weights)

    def _start(self, data: Any) -> None:
        """Set the attributes that training changes to their first values."""
        self.n_outputs_, self.out_activation_ = self._output(data.y)
        self.n_layers_ = len(as_sizes(self.hidden_layer_sizes)) + 2
        self.n_iter_ = self.t_ = self._no_improvement_count = 0
        self.loss_curve_: list[float] = []
        self.best_loss_: float | None = None
        self.best_validation_score_: float | None = None
        self.validation_scores_: list[float] | None = None
        self.validation_loss_curve_: list[float] | None = None

    def _prepare(self, data: Any, going_on: bool, incremental: bool) -> Network:
        """The network to train: the one there is for `partial_fit`, else a new one, drawn or with the old weights."""
        if going_on and incremental and hasattr(self, "_network"):
            network = self._current()
        else:
            network = self._built(data.dtype, orders=isinstance(data, LazyData))
            if going_on:
                self._take_over(network)
            elif self.init == "scikit-learn":
                network.draw(self._random_state, logistic=self.activation == "logistic")
            self._show(network)
        network.draws, network.shuffles = self._random_state, self.shuffle
        return network

    def _built(self, dtype: Any, orders: bool = False) -> Network:
        """A network of the estimator's parameters, with its first weights; `orders` where its seed orders samples."""
        seeded = orders or self.init != "scikit-learn" or np.any(np.asarray(self.dropout) != 0)
        return Network(
            (self.n_features_in_, *as_sizes(self.hidden_layer_sizes), self.n_outputs_),
            activation=self.activation,
            output=OUTPUTS[self.out_activation_],
            loss=self._loss(),
            optimizer=self._solver(),
            learning_rate=self.learning_rate_init,
            momentum=self.momentum if self.solver == "sgd" else self.beta_1,
            init="glorot" if self.init == "scikit-learn" else self.init,
            seed=int(self._random_state.randint(2**31)) if seeded else 0,
            dtype=dtype,
            device=self.device,
            batch_norm=self.batch_norm,
            residual=self.residual,
            dropout=self.dropout,
            trainable=self.trainable,
            l2=self.alpha,
            l2_shared=True,
            weight_decay=self.weight_decay,
            clip_norm=self.clip_norm,
        )

    def _solver(self) -> dict[str, Any] | str:
        """The optimiser, as `fastact.MLP` takes it."""
        if self.solver == "sgd":
            return "nesterov" if self.nesterovs_momentum else "sgd"
        if self.solver == "lbfgs":
            return {"name": "lbfgs", "evaluations": self.max_fun, "tolerance": self.tol}
        hat = {"epsilon_hat": True} if self.solver == "adam" else {}
        return {"name": self.solver, "beta2": self.beta_2, "epsilon": self.epsilon, **hat}

    def _take_over(self, network: Network) -> None:
        """Give a new network the weights of the old one, and what else is trained if it is of the same kind."""
        self._assign(network)
        old = getattr(self, "_network", network)
        if [layer.plan.arrays for layer in old.layers] == [layer.plan.arrays for layer in network.layers]:
            self._assign(old)
            network.restore((old.parameters, old.statistics))

    def _batch_size(self, samples: int) -> int:
        if self.batch_size == "auto":
            return min(200, samples)
        if self.batch_size > samples:
            warnings.warn(
                f"Got `batch_size` {self.batch_size}, larger than sample size {samples}. It is going to be clipped",
                stacklevel=4,
            )
        return min(self.batch_size, samples)

    def _split(self, data: Data) -> tuple[Data, Data]:
        """Hold samples out for early stopping; of two classes each the same share."""
        parts = train_test_split(
            np.arange(len(data.y)),
            random_state=self._random_state,
            test_size=self.validation_fraction,
            stratify=self._strata(data.y),
        )
        train, held_out = (data.rows(part) for part in parts)
        if len(held_out.y) < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
            )
        return train, held_out

    def _strata(self, y: NDArray[Any]) -> NDArray[Any] | None:
        return None

    # ---- the network and its weights

    @property
    def _optimizer(self) -> Any:
        return self._network.optimizer

    def _show(self, network: Network) -> None:
        """Make a network the estimator's."""
        self.__dict__.update(_attributes(network))

    def _current(self) -> Network:
        """The network, with the weights that stand in `coefs_` and `intercepts_`."""
        check_is_fitted(self, "coefs_")
        if not hasattr(self, "_network"):
            self._network = self._built(np.result_type(*self.coefs_))
        self._assign(self._network)
        return self._network

    def _assign(self, network: Network) -> None:
        shapes = [layer.weights.shape for layer in network.layers]
        found = [coefs.shape for coefs in self.coefs_]
        if shapes != found:
            raise ValueError(
                f"coefs_ has the shapes {found}, but the parameters ask for {shapes}; assign such arrays, or fit anew "
                "with warm_start=False"
            )
        for layer, coefs, intercepts in zip(network.layers, self.coefs_, self.intercepts_, strict=True):
            if coefs is not layer.weights:
                layer.weights = coefs
            if intercepts is not layer.bias:
                layer.bias = intercepts

    def _fitted_copy(self) -> dict[str, Any]:
        """What makes a copy of the estimator predict as this one does now."""
        return _attributes(copy.deepcopy(self._network))

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the weights, which are in the network."""
        state = dict(super().__getstate__())
        if "_network" in state:
            self._current()
            del state["coefs_"], state["intercepts_"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "_network" in state:
            self._show(self._network)

    # ---- predictions

    def _predicted(self, method: str, X: Any) -> NDArray[Any]:
        """What a method of the network gives for samples, which are checked."""
        network = self._current()
        return in_pieces(getattr(network, method), checked_samples(self, X, reset=False))

    def transform(self, X: Any, layer: int = -1) -> Any:
        """Return the output of a hidden layer.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        layer : int, default=-1
            The hidden layer, from 0 for the first or from -1 for the last. `set_output` knows the names for the last.

        Returns
        -------
        X_new : ndarray of shape (n_samples, units of the layer)
        """
        network = self._current()
        hidden = len(network.layers) - 1
        if not is_integer(layer) or not -hidden <= layer < hidden:
            raise ValueError(f"layer={layer!r} is not there; the network has {hidden} hidden layers, counted from 0")
        if layer % hidden != hidden - 1 and self._has_container:
            raise ValueError(f"set_output knows the names of the last hidden layer, not of layer={layer}; unset it")
        if is_lazy(X):
            return lazily(self, "transform", X, layer=layer)
        samples = checked_samples(self, X, reset=False)
        return as_given(in_pieces(lambda x: network.hidden(x, layer), samples), X)

    @property
    def _has_container(self) -> bool:
        """Whether `transform` gives data frames."""
        chosen = getattr(self, "_sklearn_output_config", {}).get("transform", get_config()["transform_output"])
        return chosen not in (None, "default")

    @property
    def _n_features_out(self) -> int:
        return self.coefs_[-1].shape[0]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.required = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
