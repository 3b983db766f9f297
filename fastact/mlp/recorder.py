"""A `run` that writes operations down: as nodes of a native step, which goes through epochs without Python.

Every method does what the one of the same name in eager.py does, later and for every batch. What it returns is where
the result will be.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastact._core.operation import Operation
from fastact._kernels.compile.products import compile_tile
from fastact._kernels.native.step import Step
from fastact._kernels.scalar.primitives import not_compiling
from fastact.mlp.operations import SCALE

__all__ = ["Recorder", "Unrecordable"]

Array = NDArray[Any]
Number = Any  # a Python number, or an array without dimensions

#: Arrays begin at a cache line, and at a vector.
ALIGNMENT = 64

#: Bytes that arrays are cut from, so that a small network's lie side by side.
ARENA = 1 << 16

#: Steps that one call goes through, unless an epoch has more: Python's part in it is nothing then.
STEPS = 4096


class Unrecordable(Exception):
    """Something is no loop of machine code; the message says what."""


class Recorder:
    """Records one step for batches of at most `rows` samples out of `samples`.

    Attributes
    ----------
    weights : array of the batch, optional
        The first column weighs the rows; set before the step is recorded.
    steps_per_epoch, most_epochs : int
        `run` goes through so many epochs at most.
    ended : ndarray
        A row for each epoch of the last `run` that came to its end.
    last_loss : float
        Of the last epoch, ended or not.
    """

    def __init__(self, dtype: np.dtype[Any], rows: int, samples: int, key: int = 0) -> None:
        reason = not_compiling()
        if reason is not None:
            raise Unrecordable(reason)
        self._dtype, self.rows, self._key = dtype, rows, key
        self._step = Step(dtype, rows, compile_tile(dtype))
        self._by_rows: dict[int, Array] = {}  # by their identity: arrays with a row for each sample of the batch
        self._schedules: list[tuple[Callable[[NDArray[np.intp]], NDArray[np.float64]], Array]] = []
        self.weights: Array | None = None
        self.steps_per_epoch = -(-samples // rows)
        self._most_steps = max(self.steps_per_epoch, STEPS)
        self.most_epochs = self._most_steps // self.steps_per_epoch
        self._order = np.empty(samples, np.intp)
        self._backup: list[Array] = []
        self._arena, self._used = np.empty(0, np.uint8), 0
        self.ended, self.last_loss = np.empty((0, 3)), math.nan

    # --- operations

    def batch(self, table: Array) -> Array:
        """The batch's rows of an array that has a row, or a number, for every sample."""
        rows = self._new_rows(*table.shape[1:], dtype=table.dtype)
        self._step.gather(table, rows)
        return rows

    def share(self, parts: float = 1) -> Number:
        return self._new_share(parts, self.weights)

    def per_row(self) -> Number:
        return self._new_share(1, None)

    def _new_share(self, parts: float, weights: Array | None) -> Number:
        out = self._new(())
        self._step.share(out, parts, weights)
        return out

    def affine(self, x: Array, weights: Array, bias: Array) -> Array:
        out = self._new_rows(weights.shape[1])
        self._step.affine(x, weights, bias, out)
        return out

    def weights_gradient(self, x: Array, grad: Array, out: Array) -> None:
        self._step.weights_gradient(x, grad, out)

    def input_gradient(self, grad: Array, weights: Array) -> Array:
        out = self._new_rows(weights.shape[0])
        self._step.input_gradient(grad, weights, out)
        return out

    def column_sums(self, a: Array, out: Array | None = None) -> Array:
        out = self._new(a.shape[1:]) if out is None else out
        self._step.column_sums(a, out)
        return out

    def loop(self, operation: Any, *operands: Any, out: Any = None) -> Any:
        if not isinstance(operation, Operation):
            raise Unrecordable(f"{operation!r} is no elementwise operation")
        arrays = [each for each in operands if isinstance(each, np.ndarray) and each.ndim]
        by_rows = next((each for each in arrays if id(each) in self._by_rows), None)
        like = arrays[0] if by_rows is None else by_rows
        wanted = out if isinstance(out, tuple) else (out,) * operation._outputs
        outputs = tuple(self._like(like) if each is None else each for each in wanted)
        values, parameters = operands[: operation._inputs], operands[operation._inputs :]
        parameters = (*parameters, *[*operation.parameters.values()][len(parameters) :])
        as_arrays = any(isinstance(each, np.ndarray) and each.ndim for each in parameters)
        places = [self._filled(each, like.shape[-1:] if as_arrays else ()) for each in (*values, *parameters)]
        address, nanoseconds = operation._compile(operation._dtypes.index(self._dtype.char), as_arrays)
        if by_rows is None:
            self._step.flat_loop(address, (*places, *outputs), like.size, nanoseconds)
        else:
            shared = sum(1 << k for k, each in enumerate(places) if each.ndim and id(each) not in self._by_rows)
            self._step.loop(address, (*places, *outputs), like[0].size, shared, nanoseconds)
        return outputs if operation._outputs > 1 else outputs[0]

    def per_step(self, function: Callable[[Any], Any], count: int) -> tuple[Number, ...]:
        table, numbers = self._new((self._most_steps, count)), self._new((count,))
        self._schedules.append((function, table))
        self._step.numbers(table, numbers)
        return tuple(numbers[k : k + 1].reshape(()) for k in range(count))

    def cross_entropy(self, z: Array, target: Array) -> Array:
        from fastact.backends.cpu.instruction_sets import kernels  # which importing fastact does not load

        gradient, values = self._new_rows(z.shape[1]), self._new_rows()
        weighted = target.ndim == 2 or self.weights is not None
        self._step.cross_entropy(kernels.losses_function(), z, gradient, values, target, weighted)
        if not weighted:
            self._step.add_loss(values, None, True)
            return gradient
        share = self.share()
        self._step.add_loss(values, share, True)
        return self.loop(SCALE, gradient, share, out=gradient)

    def add_loss(self, values: Array, scale: Number) -> None:
        self._step.add_loss(values, self._filled(scale, ()), id(values) in self._by_rows)

    def count_right(self, z: Array, labels: Array) -> None:
        self._step.count_right(z, labels)

    def dropout(self, a: Array, rate: float, layer: int) -> Array:
        out = self._new_rows(*a.shape[1:])
        self._step.mask(out, rate, self._key, layer)
        return out

    def clip_factor(self, flat: Array, limit: float) -> Number:
        out = self._new(())
        self._step.clip_factor(flat, limit, out)
        return out

    # --- training

    def run(
        self, generator: Any, chosen: NDArray[np.intp] | None, epochs: int, steps: int, kept: Sequence[Array]
    ) -> None:
        """Train for so many epochs; afterwards `ended` has loss, share of right rows and seconds of each.

        There are fewer where a number became infinite or NaN.

        Parameters
        ----------
        generator : NumPy's bit generator that shuffles the samples; or None, for their order
        chosen : the numbers of the samples to train with; or None, for all
        epochs : at most `most_epochs`
        steps : how many updates there were before
        kept : arrays that an epoch which does not come to its end leaves as they were
        """
        self.ended = np.empty((0, 3))
        ahead = np.arange(steps + 1, steps + 1 + epochs * self.steps_per_epoch)
        for function, table in self._schedules:
            table[: len(ahead)] = function(ahead)
        if not self._backup:
            self._backup = [np.empty_like(each) for each in kept]
        history = np.full((epochs, 3), np.nan)
        capsule = None if generator is None else generator.capsule
        try:
            self._step.run(capsule, self._order, chosen, epochs, steps, kept, self._backup, history)
        finally:
            done = self._step.ended
            self.ended, self.last_loss = history[:done], history[min(done, epochs - 1), 0]

    # --- arrays

    def _new(self, shape: tuple[int, ...], dtype: Any = None) -> Array:
        """A new array of zeros that begins at a multiple of `ALIGNMENT`, in the arena where it fits."""
        dtype = self._dtype if dtype is None else dtype
        size = -(-math.prod(shape) * dtype.itemsize // ALIGNMENT) * ALIGNMENT
        if size > len(self._arena) - self._used:
            self._arena = np.zeros(max(size, ARENA) + ALIGNMENT, np.uint8)
            self._used = -self._arena.ctypes.data % ALIGNMENT
        array: Array = np.ndarray(shape, dtype, self._arena, self._used)
        self._used += size
        return array

    def _new_rows(self, *shape: int, dtype: Any = None) -> Array:
        array = self._new((self.rows, *shape), dtype)
        self._by_rows[id(array)] = array
        return array

    def _like(self, array: Array) -> Array:
        return self._new_rows(*array.shape[1:]) if id(array) in self._by_rows else self._new(array.shape)

    def _filled(self, value: Any, shape: tuple[int, ...]) -> Array:
        """The value of an operand as an array: a number of the dtype, or a vector of it where that is asked for."""
        if isinstance(value, np.ndarray) and (value.ndim or not shape):
            return value
        if isinstance(value, np.ndarray):
            raise Unrecordable("a number of this step beside parameters that are arrays")
        array = self._new(shape)
        array[...] = value
        return array
