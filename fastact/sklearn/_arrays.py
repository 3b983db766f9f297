"""Arrays on their way in and out: NumPy's, sparse ones, CuPy's, and those of other libraries."""

from __future__ import annotations

import numbers
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array, check_consistent_length, gen_batches
from sklearn.utils.validation import validate_data

from fastact.mlp.namespaces import moved, namespace_of

__all__ = ["Data", "as_given", "checked_samples", "checked_targets", "checked_weights", "in_pieces", "on_host"]

FLOATS = [np.float64, np.float32]

#: Bytes of a sparse matrix that are made dense at a time for predictions.
PIECE = 2**26


class Data(NamedTuple):
    """Samples, what the network should give for them, and what they weigh.

    Data of dask's have the same methods, see _lazy.py.
    """

    X: Any
    y: NDArray[Any]
    weights: NDArray[Any] | None

    @property
    def samples(self) -> int:
        return len(self.y)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self.X.dtype)

    def train(self, network: Any, epochs: int, callback: Callable[[int, Any], bool]) -> None:
        """Train a network with these data."""
        network.train(*self, epochs, callback)

    def offset(self, estimator: Any) -> float:
        """What scikit-learn's loss is more than the network's."""
        return float(estimator._offset(self))

    def evaluation(self, estimator: Any, network: Any) -> tuple[float, float]:
        """The network's loss and the estimator's score."""
        predicted = in_pieces(network.predict, self.X)
        return network.loss_of(*self), estimator._goodness(self.y, predicted, self.weights)

    def rows(self, rows: NDArray[np.intp]) -> Data:
        """Those of some samples."""
        here = moved(rows, namespace_of(self.X))
        return Data(self.X[here], self.y[rows], None if self.weights is None else self.weights[rows])


def checked_samples(estimator: Any, X: Any, reset: bool, sparse: bool = True) -> Any:
    """Check X and return it as floats: an array, a sparse matrix in rows, or CuPy's array, which stays on its GPU."""
    if namespace_of(X) is np:
        return validate_data(estimator, on_host(X), reset=reset, accept_sparse="csr" if sparse else False, dtype=FLOATS)
    if X.ndim != 2:
        raise ValueError(f"Expected 2D array, got {X.ndim}D array instead; reshape X to (n_samples, n_features)")
    validate_data(estimator, X, reset=reset, skip_check_array=True)
    return X if X.dtype in FLOATS else X.astype(np.float64)


def checked_targets(estimator: Any, y: Any, X: Any, numeric: bool) -> NDArray[Any]:
    """Check y and return it on the host, with a dimension for each that it needs."""
    if y is None:
        raise ValueError(
            f"This {type(estimator).__name__} estimator requires y to be passed, but the target y is None."
        )
    y = check_array(
        on_host(y), accept_sparse="csr", ensure_2d=False, dtype="numeric" if numeric else None, input_name="y",
        estimator=estimator,
    )  # fmt: skip
    check_consistent_length(X, y)
    return y if isinstance(y, np.ndarray) else y.toarray()


def checked_weights(sample_weight: Any, X: Any, name: str = "sample_weight") -> NDArray[Any] | None:
    """Check that there is a weight for each sample, none negative, not all of them 0."""
    if sample_weight is None:
        return None
    samples = X.shape[0]
    number = isinstance(sample_weight, numbers.Real)
    values = np.full(samples, sample_weight) if number else on_host(sample_weight)
    weights = check_array(values, ensure_2d=False, dtype=FLOATS, input_name=name)
    if weights.shape != (samples,):
        raise ValueError(f"{name} has shape {weights.shape}, expected {(samples,)}: one weight for each sample")
    if (weights < 0).any():
        raise ValueError(f"Negative values in {name}: the least is {weights.min():g}; weights must be at least 0")
    if not weights.any():
        raise ValueError(f"All values of {name} are zero; give at least one sample a positive weight")
    return weights


def on_host(values: Any) -> Any:
    """An array of another library as NumPy's; everything else as it is."""
    if namespace_of(values) is not np:
        return moved(values, np)
    foreign = hasattr(values, "__dlpack__") and not isinstance(values, np.ndarray)
    return np.asarray(values) if foreign else values


def in_pieces(function: Callable[[Any], Any], X: Any) -> Any:
    """function(X), for a sparse matrix piece by piece, each of them dense."""
    if not hasattr(X, "toarray"):
        return function(X)
    size = max(1, PIECE // (X.shape[1] * X.dtype.itemsize))
    return np.concatenate([function(X[rows].toarray()) for rows in gen_batches(X.shape[0], size)])


def as_given(result: Any, X: Any) -> Any:
    """Return a result of numbers in the library that the samples came from: NumPy, CuPy, PyTorch, JAX, ..."""
    if isinstance(X, np.ndarray) or result.dtype.kind not in "biuf":
        return result
    if namespace_of(X) is not np:
        return namespace_of(X).asarray(result)
    if hasattr(X, "__array_namespace__"):
        return X.__array_namespace__().asarray(result)
    torch = sys.modules.get("torch")
    return torch.asarray(result) if torch is not None and isinstance(X, torch.Tensor) else result
