"""Batch normalisation of a layer's preactivations (Ioffe and Szegedy, ICML 2015), in the operations of a run."""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray

from fastact._core.operation import Operation
from fastact.math import like, sqrt
from fastact.mlp.operations import SCALE, TIMES

__all__ = ["BatchNorm", "Normalised"]

#: Added to variances.
EPSILON = 1e-5

#: How much of the running statistics a batch replaces.
RATE = 0.1


def _normalised(z, mean, inverse, gamma, beta):  # type: ignore[no-untyped-def]
    normal = (z - mean) * inverse
    return normal, normal * gamma + beta


def _inverse_root(variance, epsilon):  # type: ignore[no-untyped-def]
    return like(1.0, variance) / sqrt(variance + epsilon)


def _gradient(grad, normal, grad_sum, product_sum, gamma, inverse, per_row):  # type: ignore[no-untyped-def]
    return gamma * inverse * (grad - per_row * (grad_sum + normal * product_sum))


_SQUARE = Operation("squared_difference", lambda z, mean: (z - mean) * (z - mean), ("z", "mean"), {})
_INVERSE = Operation("inverse_root", _inverse_root, ("variance",), {"epsilon": EPSILON})
_RUNNING = Operation(
    "running", lambda average, new, rate: average + rate * (new - average), ("average", "new"), {"rate": RATE}
)
_NORMALISE = Operation("normalise", _normalised, ("z", "mean", "inverse", "gamma", "beta"), {}, outputs=2)
_GRADIENT = Operation(
    "normalise_backward",
    _gradient,
    ("grad", "normal", "grad_sum", "product_sum", "gamma", "inverse"),
    {"per_row": 1.0},
)


class Normalised(NamedTuple):
    """What the forward pass in training leaves for the backward pass."""

    normal: NDArray[Any]  # of mean 0 and variance 1
    mean: NDArray[Any]
    variance: NDArray[Any]
    inverse: NDArray[Any]  # 1 / standard deviation


class BatchNorm:
    """gamma * (z - mean) / sqrt(variance + 1e-5) + beta, unit by unit.

    Mean and (biased) variance are the batch's in training, whatever its rows weigh. For predictions they are running
    averages, of which each batch replaces a tenth.
    """

    def __init__(
        self, parameters: dict[str, NDArray[Any]], gradients: dict[str, NDArray[Any]], statistics: NDArray[Any]
    ) -> None:
        self._gamma, self._beta = parameters["gamma"], parameters["beta"]
        self._gradients = gradients
        self.mean, self.variance = statistics[: self._gamma.size], statistics[self._gamma.size :]
        self._gamma[...] = self.variance[...] = 1

    def forward(self, run: Any, z: NDArray[Any], training: bool) -> tuple[NDArray[Any], Normalised | None]:
        mean, variance = self.mean, self.variance
        if training:
            mean = run.loop(SCALE, run.column_sums(z), run.per_row())
            variance = run.loop(SCALE, run.column_sums(run.loop(_SQUARE, z, mean)), run.per_row())
        inverse = run.loop(_INVERSE, variance, EPSILON)
        normal, output = run.loop(_NORMALISE, z, mean, inverse, self._gamma, self._beta)
        return output, Normalised(normal, mean, variance, inverse) if training else None

    def backward(self, run: Any, kept: Normalised, grad: NDArray[Any]) -> NDArray[Any]:
        """Write the gradients by gamma and beta; turn the gradient by the output into that by z."""
        sums = run.column_sums(grad, self._gradients["beta"])
        products = run.column_sums(run.loop(TIMES, grad, kept.normal), self._gradients["gamma"])
        operands = grad, kept.normal, sums, products, self._gamma, kept.inverse
        return run.loop(_GRADIENT, *operands, run.per_row(), out=grad)

    def learn(self, run: Any, kept: Normalised) -> None:
        """Move the running averages."""
        run.loop(_RUNNING, self.mean, kept.mean, RATE, out=self.mean)
        run.loop(_RUNNING, self.variance, kept.variance, RATE, out=self.variance)
