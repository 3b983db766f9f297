"""fastact's network as scikit-learn's estimators start, shuffle and measure it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import gen_batches

import fastact as fa
from fastact.mlp import MLP, fitting
from fastact.mlp.data import as_table
from fastact.mlp.eager import Eager
from fastact.mlp.layers import Kept, forward
from fastact.mlp.namespaces import moved, namespace_of
from fastact.mlp.sources import Arrays, Batches
from fastact.mlp.stopping import Course

__all__ = ["OUTPUTS", "Network"]

#: scikit-learn's names of output activations, and fastact's. The exponential is in Poisson's loss.
OUTPUTS = {"identity": "identity", "exp": "identity", "logistic": "sigmoid", "softmax": "softmax"}


class Network(MLP):
    """An MLP whose first parameters and order of samples come from a random state, drawn as scikit-learn draws them.

    With the same random state both train the same network by the same batches.
    """

    _bit_generator = None
    draws: np.random.RandomState
    shuffles: bool
    _order: NDArray[np.int64]

    def draw(self, random_state: np.random.RandomState, logistic: bool) -> None:
        """Draw weights and biases from Glorot's uniform distribution (Glorot and Bengio 2010, eq. 16)."""
        for layer in self.layers:
            bound = math.sqrt((2 if logistic else 6) / sum(layer.weights.shape))
            layer.weights = random_state.uniform(-bound, bound, layer.weights.shape)
            layer.bias = random_state.uniform(-bound, bound, layer.bias.shape)

    def _permutation(self, samples: int) -> NDArray[np.int64]:
        """The order in which an epoch takes the samples: that of the epoch before, shuffled once more."""
        if self.shuffles:
            order = np.arange(samples)
            self.draws.shuffle(order)
            self._order = self._order[order]
        return self._order

    def train(self, X: Any, y: NDArray[Any], weights: Any, epochs: int, callback: Callable[[int, Any], bool]) -> None:
        """Train, whatever the data are: `MLP.fit` refuses those from which there is nothing to learn."""
        source: Any
        if hasattr(X, "toarray"):
            source = Batches(self, SparseBatches(self, X, y, weights), None)
        else:
            source = Arrays(self, *self._checked(X, y, weights), shuffle=True)
        self.train_by(source, len(y), epochs, callback)

    def train_by(self, source: Any, count: int, epochs: int, callback: Callable[[int, Any], bool]) -> None:
        """Train by a source, which orders so many samples, or blocks of them, by `permutation`."""
        self._order = np.arange(count)
        try:
            fitting.fit(self, source, epochs, fitting.Looks(callback=callback), Course())
        finally:
            del self._order  # a copy or a pickle does without

    def change_rate(self, learning_rate: float) -> None:
        """Change SGD's learning rate, but not the momentum, which in scikit-learn has the rate of its time in it."""
        self.optimizer.state *= self.optimizer.learning_rate / learning_rate
        self.optimizer.learning_rate = learning_rate

    def loss_of(self, X: Any, y: NDArray[Any], weights: NDArray[Any] | None) -> float:
        """The loss of samples that training does not see, of sparse ones batch by batch."""
        batches: Any = SparseBatches(self, X, y, weights, ordered=True) if hasattr(X, "toarray") else [(X, y, weights)]
        losses, shares = [], []
        for batch in batches:
            losses.extend(self._evaluation(*self._checked(*batch))["val_loss"])
            shares.append(len(batch[1]) if weights is None else batch[2].sum())
        return float(np.average(losses, weights=shares))

    def hidden(self, X: Any, layer: int) -> Any:
        """The output of a hidden layer."""
        x = moved(as_table(X, "X", self.layer_sizes[0], self.dtype), self._xp)
        return moved(forward(Eager(len(x)), self.layers[:-1], x)[layer].output, namespace_of(X))

    def _keep(self, passes: list[Kept]) -> None:
        """Keep nothing: samples and activations would stay in memory after each prediction."""

    def log_proba(self, X: Any) -> Any:
        """The logarithms of `predict_proba`, of small ones too; equal probabilities have equal ones."""
        z, xp = self._forward(X, False).preactivation, self._xp
        if self.layers[-1].activation.name == "softmax":
            result = fa.log_softmax(z)
        else:
            z = z if z.shape[1] > 1 else xp.hstack([-z, z])
            # Of what stands under the log, the negative is not taken; without `maximum` NumPy would warn of it.
            result = xp.where(z < 0, fa.log_sigmoid(z), xp.log(fa.sigmoid(xp.maximum(z, 0))))
        return moved(result, namespace_of(X))

    # ---- all parameters at once

    def trained(self) -> tuple[Any, Any]:
        """A copy of all that predictions depend on, for `restore`."""
        return self.parameters.copy(), self.statistics.copy()

    def restore(self, trained: tuple[Any, Any]) -> None:
        self.parameters[...], self.statistics[...] = trained

    def flat(self) -> NDArray[np.float64]:
        return moved(self.parameters, np).astype(np.float64)

    def assign(self, flat: NDArray[np.float64]) -> None:
        self.parameters[...] = moved(flat.astype(self.dtype), self._xp)

    def loss_and_gradient(self, X: Any, y: NDArray[Any], weights: Any) -> tuple[float, NDArray[np.float64]]:
        """The loss of all samples and its gradient, as SciPy wants them."""
        loss, gradient = self.loss_and_gradients(X, y, weights)
        return loss, moved(gradient, np).astype(np.float64)


class SparseBatches:
    """Iterates over batches (X, y) or (X, y, weights) of a sparse matrix, each made dense on its turn."""

    def __init__(self, network: Network, X: Any, y: NDArray[Any], weights: Any, ordered: bool = False) -> None:
        self._network, self._X, self._ordered = network, X, ordered
        self._others = [y] if weights is None else [y, weights]

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        samples = self._X.shape[0]
        order = np.arange(samples) if self._ordered else self._network._permutation(samples)
        for batch in gen_batches(samples, self._network._rows):
            rows = order[batch]
            yield self._X[rows].toarray(), *(each[rows] for each in self._others)
