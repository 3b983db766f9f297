"""The operations that layers, losses and optimisers are made of, each computed when it is asked for.

`Eager` stands for one batch. Layers never look at values or at the number of rows: what they ask for here, a recorder
can also write down and repeat. On the CPU both take the same matrix products and sums, so that their bits agree.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastact._kernels.compile.products import compile_tile
from fastact._kernels.native import step
from fastact.functions.losses import cross_entropy
from fastact.mlp.namespaces import moved, namespace_of

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
        if namespace_of(x) is not np:
            return x @ weights + bias
        out = np.empty((len(x), weights.shape[1]), x.dtype)
        step.product(compile_tile(x.dtype), x, weights, bias, out)
        return out

    def weights_gradient(self, x: NDArray[Any], grad: NDArray[Any], out: NDArray[Any]) -> None:
        """Write x.T @ grad to `out`."""
        if namespace_of(x) is np:
            step.product(compile_tile(x.dtype), x, grad, None, out, x_transposed=True)
        else:
            namespace_of(x).matmul(x.T, grad, out=out)

    def input_gradient(self, grad: NDArray[Any], weights: NDArray[Any]) -> NDArray[Any]:
        """grad @ weights.T."""
        if namespace_of(grad) is not np:
            return grad @ weights.T
        out = np.empty((len(grad), len(weights)), grad.dtype)
        step.product(compile_tile(grad.dtype), grad, weights, None, out, weights_transposed=True)
        return out

    def column_sums(self, a: NDArray[Any], out: NDArray[Any] | None = None) -> NDArray[Any]:
        """The sum over the rows."""
        if namespace_of(a) is not np:
            return namespace_of(a).add.reduce(a, axis=0, out=out)
        out = np.empty(a.shape[1], a.dtype) if out is None else out
        step.sums(a, out)
        return out

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
        mask = np.empty(a.shape, a.dtype)
        step.mask(mask, rate, self._key, self._step, layer)
        return moved(mask, namespace_of(a))

    # ---- numbers

    def share(self, parts: float = 1) -> Any:
        """1 / (parts * sum of the rows' weights), where a row weighs 1 unless given; 0 where the sum is 0."""
        if self._weights is None:
            return 1 / (parts * self._rows)
        total = parts * _total(self._weights[:, 0])
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
        if namespace_of(flat) is np:
            return step.clip_factor(flat, limit)
        xp = namespace_of(flat)
        norm = float(xp.sqrt(xp.square(flat, dtype=np.float64).sum()))
        return limit / norm if norm > limit else 1.0

    # ---- loss and score

    def cross_entropy(self, z: NDArray[Any], target: NDArray[Any]) -> NDArray[Any]:
        """Add the loss of the logits z, and return its gradient by them.

        The target is a label for each row, or a weight for each class of each row.
        """
        if namespace_of(z) is not np:
            loss, gradient = cross_entropy.value_and_grad(z, target, reduction="sum")
            self.loss = self.loss + loss * self.share()
            return gradient * self.share()
        from fastact.backends.cpu.instruction_sets import kernels  # which importing fastact does not load

        weighted = target.ndim == 2 or self._weights is not None
        values, gradient = np.empty(len(z), z.dtype), np.empty_like(z)
        labels, table = (None, target) if target.ndim == 2 else (target, None)
        of_loss = 1.0 if weighted else self.per_row()
        kernels.cross_entropy(z[..., np.newaxis], labels, -1, 1.0, None, table, of_loss, values, gradient)
        if weighted:
            self.add_loss(values, self.share())
            gradient *= self.share()
        else:
            self.loss += _total(values) / len(z)
        return gradient

    def add_loss(self, values: NDArray[Any], scale: Any) -> None:
        """Add scale * sum of the values, which is taken in float64; the scale is rounded to their dtype."""
        self.loss = self.loss + _total(values) * float(values.dtype.type(scale))

    def count_right(self, z: NDArray[Any], labels: NDArray[np.intp]) -> None:
        """Count the rows whose label is predicted by z: its largest unit, or whether its only one is above 0.

        Labels of shape (rows, units) are right where every unit is.
        """
        if labels.ndim == 2:
            right = ((z > 0) == labels).all(axis=1)
        else:
            right = (z.argmax(axis=1) if z.shape[1] > 1 else z[:, 0] > 0) == labels
        self.right = self.right + namespace_of(z).count_nonzero(right)


def _total(values: NDArray[Any]) -> Any:
    """The sum in float64, on the CPU in the order in which a recorded step adds."""
    if namespace_of(values) is np:
        return step.total(np.ascontiguousarray(values))
    return values.sum(dtype=np.float64)
