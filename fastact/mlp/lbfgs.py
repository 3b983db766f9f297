"""L-BFGS: SciPy's minimiser of the loss of all samples at once."""

from __future__ import annotations

import math
import sys
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastact.errors import require
from fastact.mlp.eager import Eager
from fastact.mlp.namespaces import moved, namespace_of
from fastact.mlp.training import History, diverged, gradients

__all__ = ["WholeTrainer"]


class WholeTrainer:
    """Takes as many iterations as epochs are asked for; fewer, where it converges before.

    SciPy computes in float64; what the model is asked for is rounded to its dtype.
    """

    most = sys.maxsize

    def __init__(self, model: Any, source: Any) -> None:
        self._model, (self._x, self._target) = model, source.whole()

    def run(self, epochs: int) -> History:
        """After an error or Ctrl-C the model may be anything."""
        minimize = require("scipy.optimize", "scipy", 'optimizer="lbfgs"').minimize
        model, optimizer, records = self._model, self._model.optimizer, []
        run = Eager(0)  # of the last evaluation, which is the one that an iteration accepts
        started, xp = time.perf_counter(), namespace_of(model.parameters)

        def value_and_gradient(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            model.parameters[...] = moved(parameters, xp)
            nonlocal run
            run = Eager(len(self._x), self._target.weights, 1, model._key)
            gradients(run, model, self._x, self._target)
            return float(run.loss), moved(model.gradients, np).astype(np.float64)

        def note(_: Any) -> None:
            nonlocal started
            now = time.perf_counter()
            scores = {"accuracy": float(run.right / len(self._x))} if model.loss.classifies else {}
            records.append({"loss": float(run.loss), **scores, "seconds": now - started})
            started = now

        options = {"maxiter": epochs, "maxfun": optimizer.evaluations, "gtol": optimizer.tolerance}
        start = moved(model.parameters, np).astype(np.float64)
        with np.errstate(all="ignore"):
            found = minimize(value_and_gradient, start, method="L-BFGS-B", jac=True, options=options, callback=note)
        model.parameters[...] = moved(found.x, xp)
        if not (math.isfinite(found.fun) and np.isfinite(found.x).all()):
            raise diverged(model, found.fun)
        if not records:  # converged before the first iteration
            note(None)
        optimizer.steps += len(records)
        model.epochs += len(records)
        model.samples += len(records) * len(self._x)
        return {name: [record[name] for record in records] for name in records[0]}
