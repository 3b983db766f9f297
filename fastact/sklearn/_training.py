"""When training ends, by scikit-learn's rules, and what it leaves in the estimator's attributes."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning

from fastact.mlp.schedules import LEAST_RATE
from fastact.sklearn._arrays import Data
from fastact.sklearn._callbacks import NoHooks
from fastact.sklearn._network import Network

__all__ = ["train_by_batches", "train_by_lbfgs"]

NOT_FINITE = (
    "Solver produced non-finite parameter weights. The input data may contain large values and need to be preprocessed."
)


def train_by_batches(estimator: Any, network: Network, data: Any, held_out: Any, hooks: NoHooks, once: bool) -> None:
    """Train for at most `max_iter` epochs, or for one."""
    epochs = 1 if once else estimator.max_iter
    monitor = Monitor(estimator, network, data, held_out, hooks, epochs)
    hooks.epoch_begins()
    try:
        data.train(network, epochs, monitor)
    except KeyboardInterrupt:
        warnings.warn("Training interrupted by user.", stacklevel=4)
    except FloatingPointError as error:
        if not estimator.early_stopping:
            raise ValueError(f"{NOT_FINITE} Training {error}") from error
        monitor.diverged()
    else:
        if not (estimator.converged_ or monitor.stopped or once):
            _warn(f"Stochastic Optimizer: Maximum iterations ({epochs}) reached, but the loss has not converged yet.")
    if estimator.early_stopping and (not once or estimator.converged_):
        network.restore(estimator._best)
        del estimator._best
        if once:
            estimator._no_improvement_count = 0  # so that the next call can go on from there


class Monitor:
    """What happens between two epochs: the estimator's attributes are set, and it is decided whether to go on.

    The counts stand in the estimator, because `warm_start` and `partial_fit` go on with them.
    """

    def __init__(self, estimator: Any, network: Network, data: Any, held_out: Any, hooks: NoHooks, epochs: int) -> None:
        self._estimator, self._network, self._held_out, self._hooks = estimator, network, held_out, hooks
        self._epochs, self._samples, self._offset = epochs, data.samples, data.offset(estimator)
        self.stopped = False  # by a callback
        estimator.n_iter_, estimator.converged_ = 0, False
        if held_out is not None and estimator.validation_scores_ is None:
            estimator.validation_scores_, estimator.validation_loss_curve_ = [], []
            estimator.best_validation_score_ = -np.inf
        if estimator.early_stopping and not hasattr(estimator, "_best"):
            estimator._best = network.trained()

    def __call__(self, epoch: int, network: Any) -> bool:
        estimator = self._estimator
        self._record(network.history["loss"][-1] + self._offset)
        improved = self._loss_improved()
        if self._held_out is not None:
            score_improved = self._validate(self._held_out)
            improved = score_improved if estimator.early_stopping else improved
        estimator._no_improvement_count = 0 if improved else estimator._no_improvement_count + 1
        if estimator.solver == "sgd" and estimator.learning_rate == "invscaling":
            network.change_rate(estimator.learning_rate_init / (estimator.t_ + 1) ** estimator.power_t)
        estimator.converged_ = estimator._no_improvement_count > estimator.n_iter_no_change and self._ends()
        self.stopped = self._hooks.epoch_ends()
        if estimator.converged_ or self.stopped:
            return True
        if estimator.n_iter_ < self._epochs:
            self._hooks.epoch_begins()
        return False

    def diverged(self) -> None:
        """Record an epoch in which the loss was no number; the network is as before."""
        self._record(np.nan)
        if self._held_out is not None:
            self._estimator.validation_scores_.append(np.nan)
            self._estimator.validation_loss_curve_.append(np.nan)
        _warn("Training ended because the loss is no longer finite. Try a lower learning_rate_init.")

    def _record(self, loss: float) -> None:
        estimator = self._estimator
        estimator.n_iter_ += 1
        estimator.t_ += self._samples
        estimator.loss_ = loss
        estimator.loss_curve_.append(loss)
        self._say(f"Iteration {estimator.n_iter_}, loss = {loss:.8f}")

    def _validate(self, held_out: Any) -> bool:
        """Record loss and score of the validation data; return whether the score improved."""
        estimator, network = self._estimator, self._network
        loss, score = held_out.evaluation(estimator, network)
        loss += held_out.offset(estimator)
        estimator.validation_loss_curve_.append(loss)
        estimator.validation_scores_.append(score)
        self._say(f"Validation score: {score:f}")
        improved = not score < estimator.best_validation_score_ + estimator.tol
        if score > estimator.best_validation_score_:
            estimator.best_validation_score_ = score
            if estimator.early_stopping:
                estimator._best = network.trained()
        return improved

    def _loss_improved(self) -> bool:
        """Return whether the training loss improved; early stopping does not ask."""
        estimator = self._estimator
        if estimator.early_stopping:
            return True
        best = np.inf if estimator.best_loss_ is None else estimator.best_loss_
        estimator.best_loss_ = min(estimator.loss_, best)
        return not estimator.loss_ > best - estimator.tol

    def _ends(self) -> bool:
        """Return whether a lack of improvement ends training; learning_rate="adaptive" may slow it down instead."""
        estimator, optimizer = self._estimator, self._network.optimizer
        what = "Validation score" if estimator.early_stopping else "Training loss"
        epochs = estimator.n_iter_no_change
        text = f"{what} did not improve more than tol={estimator.tol:f} for {epochs} consecutive epochs."
        if estimator.solver != "sgd" or estimator.learning_rate != "adaptive":
            self._say(f"{text} Stopping.")
            return True
        if optimizer.learning_rate <= LEAST_RATE:
            self._say(f"{text} Learning rate too small. Stopping.")
            return True
        self._network.change_rate(optimizer.learning_rate / 5)
        estimator._no_improvement_count = 0
        self._say(f"{text} Setting learning rate to {optimizer.learning_rate:f}")
        return False

    def _say(self, text: str) -> None:
        if self._estimator.verbose:
            sys.stdout.write(f"{text}\n")


def train_by_lbfgs(estimator: Any, network: Network, data: Data, hooks: NoHooks) -> None:
    """Minimise the loss of all samples by SciPy's L-BFGS-B, an iteration being an epoch to callbacks."""
    X = data.X.toarray() if hasattr(data.X, "toarray") else data.X
    offset = estimator._offset(data)

    best = network.flat()

    def objective(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        network.assign(flat)
        return network.loss_and_gradient(X, data.y, data.weights)

    def look(intermediate_result: Any) -> None:
        best[...] = intermediate_result.x
        network.assign(best)
        estimator.n_iter_ += 1
        estimator.loss_curve_.append(float(intermediate_result.fun + offset))
        if estimator.verbose:
            sys.stdout.write(f"Iteration {estimator.n_iter_}, loss = {estimator.loss_curve_[-1]:.8f}\n")
        if hooks.epoch_ends():
            raise StopIteration
        if estimator.n_iter_ < estimator.max_iter:
            hooks.epoch_begins()

    estimator.n_iter_ = 0
    hooks.epoch_begins()
    options = {"maxfun": estimator.max_fun, "maxiter": estimator.max_iter, "gtol": estimator.tol}
    try:
        with np.errstate(all="ignore"):
            result = minimize(objective, best.copy(), method="L-BFGS-B", jac=True, callback=look, options=options)
        if not (np.isfinite(result.x).all() and np.isfinite(result.fun)):
            raise ValueError(NOT_FINITE)
        best[...] = result.x
    finally:  # after an error or Ctrl-C, the last whole iteration
        network.assign(best)
    estimator.n_iter_, estimator.loss_ = int(result.nit), float(result.fun + offset)
    estimator.best_loss_ = estimator.loss_
    estimator.converged_ = result.status == 0
    if result.status in (1, 2):
        _warn(
            f"lbfgs failed to converge after {estimator.n_iter_} iteration(s) (status={result.status}): "
            f"{result.message}. Increase max_iter or max_fun, or scale the data."
        )


def _warn(text: str) -> None:
    warnings.warn(text, ConvergenceWarning, stacklevel=6)
