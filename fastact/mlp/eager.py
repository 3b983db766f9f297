"""The operations that layers, losses and optimisers are made of, each computed when it is asked for.

`Eager` stands for one batch. Layers never look at values or at the number of rows: what they ask for here, a recorder
can also write down and repeat. Matrix products and sums are in the three functions at the end of the file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastact as fa
from fastact.mlp.namespaces import namespace_of

__all__ = ["Eager"]


class Eager:
    """One batch of `rows` rows.

    Parameters
    ----------
    weights : ndarray of shape (rows, ...), optional
        The first column weighs the rows.
    step : int
        The number of the update that this batch is for, from 1.
    key : int
        Of 64 bits; decides with the step what dropout drops.

    Attributes
    ----------
    loss : number
        What the losses of the batch sum up to. On a GPU it is an array without dimensions, as `right` is, so that
        nobody waits for it.
    right : number
        How many rows are predicted rightly.
    """

    def __init__(self, rows: int, weights: NDArray[Any] | None = None, step: int = 1, key: int = 0) -> None:
        self.loss: Any = 0.0
        self.right: Any = 0
        self._rows, self._weights, self._step, self._key = rows, weights, step, key

    # ---- arrays

    def affine(self, x: NDArray[Any], weights: NDArray[Any], bias: NDArray[Any]) -> NDArray[Any]:
        """x @ weights + bias."""
        z = _product(x, weights)
        z += bias
        return z

    def weights_gradient(self, x: NDArray[Any], grad: NDArray[Any], out: NDArray[Any]) -> None:
        """Write x.T @ grad to `out`."""
        _product(x.T, grad, out)

    def input_gradient(self, grad: NDArray[Any], weights: NDArray[Any]) -> NDArray[Any]:
        """grad @ weights.T."""
        return _product(grad, weights.T)

    def column_sums(self, a: NDArray[Any], out: NDArray[Any] | None = None) -> NDArray[Any]:
        """The sum over the rows."""
        return _column_sums(a, out)

    def loop(self, operation: Any, *operands: Any, out: Any = None) -> Any:
        """An operation on arrays, on vectors that are repeated for each row, and on numbers; several results: a tuple.

        With flat vectors of one size instead of arrays there are no rows. `out` is an array, or a tuple of one for each
        result, None where it has no place yet; they may be operands.
        """
        return operation(*operands) if out is None else operation(*operands, out=out)

    def dropout(self, a: NDArray[Any], rate: float, layer: int) -> NDArray[Any]:
        """A mask of the shape of `a`: 0 with probability `rate`, else 1 / (1 - rate).

        It depends on the key, the step, the layer's number and the element's index alone, so that nothing is kept.
        """
        xp = namespace_of(a)
        kept = _hashes(xp, a.size, self._key, self._step, layer) >= int(rate * 2**32)
        return kept.reshape(a.shape).astype(a.dtype) * a.dtype.type(1 / (1 - rate))

    # ---- numbers

    def share(self, parts: int = 1) -> Any:
        """1 / (parts * sum of the rows' weights), a row weighing 1 unless given; 0 where nothing weighs anything."""
        if self._weights is None:
            return 1 / (parts * self._rows)
        total = parts * float(self._weights[:, 0].sum(dtype=np.float64))
        return 1 / total if total else 0.0

    def per_row(self) -> Any:
        """1 / rows, whatever they weigh."""
        return 1 / self._rows

    def per_step(self, function: Callable[[NDArray[np.int64]], NDArray[np.float64]], count: int) -> tuple[Any, ...]:
        """The `count` numbers of this step: function(numbers of steps) returns a row for each of them."""
        (numbers,) = function(np.array([self._step])).tolist()
        assert len(numbers) == count
        return tuple(numbers)

    def clip_factor(self, flat: NDArray[Any], limit: float) -> Any:
        """min(1, limit / norm), by the Euclidean norm of a flat vector."""
        xp = namespace_of(flat)
        norm = float(xp.sqrt(xp.square(flat, dtype=np.float64).sum()))
        return limit / norm if norm > limit else 1.0

    # ---- loss and score

    def cross_entropy(self, z: NDArray[Any], target: NDArray[Any]) -> NDArray[Any]:
        """Add the loss of the logits z, and return its gradient by them.

        The target is a label for each row, or a weight for each class of each row.
        """
        if target.ndim == 1 and self._weights is None:
            loss, gradient = fa.cross_entropy.value_and_grad(z, target)
        else:
            loss, gradient = fa.cross_entropy.value_and_grad(z, target, reduction="sum")
            share = self.share()
            loss, gradient = loss * share, gradient * share
        self.loss = self.loss + loss
        return gradient

    def add_loss(self, values: NDArray[Any], scale: Any) -> None:
        """Add scale * sum of the values, which is taken in float64."""
        self.loss = self.loss + values.sum(dtype=np.float64) * scale

    def count_right(self, z: NDArray[Any], labels: NDArray[np.intp]) -> None:
        """Count the rows whose label is predicted by z: its largest unit, or whether its only one is above 0.

        Labels of shape (rows, units) are right where every unit is.
        """
        if labels.ndim == 2:
            right = ((z > 0) == labels).all(axis=1)
        else:
            right = (z.argmax(axis=1) if z.shape[1] > 1 else z[:, 0] > 0) == labels
        self.right = self.right + namespace_of(z).count_nonzero(right)


def _hashes(xp: Any, size: int, key: int, step: int, layer: int) -> Any:
    """Numbers of 32 bits, one for each index: a mixer of two rounds, started and shifted by what 64 bits hold."""
    start = key
    for number in (step, layer):
        start = _mixed((start + 0x9E3779B97F4A7C15 * (number + 1)) % 2**64)
    h = xp.arange(size, dtype=np.uint32) * np.uint32(0x9E3779B9) + np.uint32(start % 2**32)
    h = (h ^ (h >> np.uint32(16))) * np.uint32(0x7FEB352D)
    h = (h ^ np.uint32(start >> 32) ^ (h >> np.uint32(15))) * np.uint32(0x846CA68B)
    return h ^ (h >> np.uint32(16))


def _mixed(x: int) -> int:
    """The finaliser of splitmix64."""
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    x = (x ^ x >> 27) * 0x94D049BB133111EB % 2**64
    return x ^ x >> 31


def _product(a: NDArray[Any], b: NDArray[Any], out: NDArray[Any] | None = None) -> NDArray[Any]:
    return namespace_of(a).matmul(a, b, out=out)


def _column_sums(a: NDArray[Any], out: NDArray[Any] | None) -> NDArray[Any]:
    return namespace_of(a).add.reduce(a, axis=0, out=out)
