"""Host arrays for the GPU: copied there and back, large ones in chunks.

A chunk goes into page-locked memory, from there to the GPU, through the kernel, and back, all in the stream of a slot.
While one slot copies to the GPU, another computes and a third copies back. The slots have all memory that this takes,
on both sides, so that the arrays may be memory maps and larger than the GPU's memory. The next call takes the slots
over, because locking pages takes longer than copying them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numba import cuda

from fastact._core.arrays import overlaps
from fastact._kernels.native import pool
from fastact.backends.cuda.libraries import is_number, put

__all__ = ["CHUNK", "from_host", "in_chunks", "loop_dtype"]

#: Bytes of a chunk of one array.
CHUNK = 1 << 25
#: Chunks that are on their way at once.
SLOTS = 3
#: Bytes that a thread copies at a time.
COPIED = 1 << 20

Elementwise = Callable[..., Any]


def loop_dtype(operation: Any, operands: tuple[Any, ...], kinds: tuple[Any, ...], wanted: Any = None) -> np.dtype[Any]:
    """The dtype of an operation's results, as NumPy has it; `kinds` are dtypes, and types of Python numbers."""
    ufunc, signature = operation._loop_for(operands, wanted)
    unknown = (None,) * ufunc.nout
    return ufunc.resolve_dtypes((*kinds, *unknown), signature=signature or (None,) * ufunc.nargs)[-1]


def from_host(
    elementwise: Elementwise, operation: Any, operands: tuple[Any, ...], outs: tuple[Any, ...], wanted: Any
) -> Any:
    """Apply an operation to host arrays and numbers by `elementwise`, which takes arrays on the GPU."""
    hosts = [o if is_number(o) else _host_array(operation.name, o) for o in operands]
    single = all(np.ndim(o) == 0 for o in hosts)
    if single:  # an array has to carry the result
        carrier = next((i for i, o in enumerate(hosts) if isinstance(o, np.generic)), 0)
        hosts[carrier] = np.array([hosts[carrier]])
    shape = np.broadcast_shapes(*(np.shape(o) for o in hosts))
    if max(o.nbytes for o in hosts if isinstance(o, np.ndarray)) > CHUNK:
        found = _elementwise_in_chunks(elementwise, operation, hosts, shape, outs, wanted)
        return found if operation._outputs > 1 else found[0]
    moved = tuple(put(o) if isinstance(o, np.ndarray) and o.ndim else o for o in hosts)
    computed = elementwise(operation, moved, {"dtype": wanted})
    finished = []
    for out, result in zip(outs, computed if operation._outputs > 1 else (computed,), strict=True):
        array = result.copy_to_host()
        if out is None:
            finished.append(array[0] if single else array)
        else:
            np.copyto(out, array, casting="same_kind")
            finished.append(out)
    return tuple(finished) if operation._outputs > 1 else finished[0]


def _host_array(name: str, operand: Any) -> np.ndarray | np.generic:
    if isinstance(operand, np.ma.MaskedArray):
        raise TypeError(f"{name}: backend 'cuda' does not take masked arrays; the CPU backends do")
    array = np.asarray(operand)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name}: backend 'cuda' does not take {array.dtype} arrays; convert to float32 or float64")
    return array if array.ndim else array[()]


def _elementwise_in_chunks(
    elementwise: Elementwise, operation: Any, hosts: list[Any], shape: tuple[int, ...], outs: tuple[Any, ...],
    wanted: Any,
) -> tuple[np.ndarray, ...]:  # fmt: skip
    """Apply an operation in chunks along the first axis, or along the flat arrays if all are contiguous."""
    kinds = tuple(o.dtype if isinstance(o, (np.ndarray, np.generic)) else type(o) for o in hosts)
    dtype = loop_dtype(operation, tuple(hosts), kinds, wanted)
    results = tuple(np.empty(shape, dtype) if out is None else out for out in outs)
    for result in results:
        if result.shape != shape or not np.can_cast(dtype, result.dtype, "same_kind"):
            wrong = f"out has shape {result.shape} and dtype {result.dtype}"
            raise ValueError(f"{wrong}, the result {shape} and {dtype}; pass such an array")
    arrays = [np.broadcast_to(o, shape) for o in hosts if isinstance(o, np.ndarray) and o.ndim]
    targets = list(results)
    if all(each.flags.c_contiguous for each in (*arrays, *results)):
        arrays, targets = [each.reshape(-1) for each in arrays], [each.reshape(-1) for each in results]

    def compute(chunks: list[Any], computed: list[Any]) -> None:
        ready = iter(chunks)
        operands = tuple(next(ready) if isinstance(o, np.ndarray) and o.ndim else o for o in hosts)
        elementwise(operation, operands, {"dtype": wanted, "out": tuple(computed)})

    in_chunks(compute, arrays, targets, dtype)
    return results


class _Slot:
    """The stream and the memory, on both sides, of one chunk."""

    def __init__(self, size: int, inputs: tuple[np.dtype[Any], ...], outputs: tuple[np.dtype[Any], ...]) -> None:
        self.stream = cuda.stream()
        self.staged = [cuda.pinned_array(size, dtype) for dtype in (*inputs, *outputs)]
        self.arrays = [cuda.device_array(size, dtype, stream=self.stream) for dtype in (*inputs, *outputs)]
        self.part: Any = None  # the slice that the results on their way belong to

    def shaped(self, chunk: Any, shape: tuple[int, ...]) -> Any:
        if chunk.shape == shape:
            return chunk
        array = chunk.reshape(shape)
        array.stream = self.stream  # Numba's reshape forgets it
        return array


#: The slots of the last call that needed some, by their device and what they hold.
_idle: dict[Any, list[_Slot]] = {}


def in_chunks(
    compute: Callable[[list[Any], list[Any]], Any], arrays: list[np.ndarray], targets: list[np.ndarray],
    dtype: np.dtype[Any],
) -> None:  # fmt: skip
    """Call compute(chunks, results) for chunks on the GPU, along the first axis, which all arrays have in common.

    The results have this dtype. An array that shares memory with a target is copied before.
    """
    arrays = [each.copy() if any(overlaps(each, target) for target in targets) else each for each in arrays]
    row = max(math.prod(each.shape[1:]) for each in (*arrays, *targets))
    length = max(1, CHUNK // max(1, row * max(each.itemsize for each in (*arrays, *targets))))
    key = length * row, tuple(each.dtype.newbyteorder("=") for each in arrays), (dtype,) * len(targets)
    device = cuda.get_current_device().id
    slots = _idle.pop((device, key), None) or [_Slot(*key) for _ in range(SLOTS)]

    def finish(slot: _Slot) -> None:
        if slot.part is not None:
            slot.stream.synchronize()
            for target, staged in zip(targets, slot.staged[len(arrays) :], strict=True):
                whole = target[slot.part]
                _copy(whole, staged[: whole.size].reshape(whole.shape))
            slot.part = None

    for number, part in enumerate(_parts(len(targets[0]), length)):
        slot = slots[number % SLOTS]
        finish(slot)
        chunks = [memory[: each[part].size] for each, memory in zip((*arrays, *targets), slot.arrays, strict=True)]
        for array, staged, chunk in zip(arrays, slot.staged, chunks, strict=False):
            whole = array[part]
            _copy(staged[: whole.size].reshape(whole.shape), whole)
            chunk.copy_to_device(staged[: whole.size], stream=slot.stream)
        shapes = [each[part].shape for each in (*arrays, *targets)]
        shaped = [slot.shaped(chunk, shape) for chunk, shape in zip(chunks, shapes, strict=True)]
        compute(shaped[: len(arrays)], shaped[len(arrays) :])
        for chunk, staged in zip(chunks[len(arrays) :], slot.staged[len(arrays) :], strict=True):
            chunk.copy_to_host(staged[: chunk.size], stream=slot.stream)
        slot.part = part
    for number in range(SLOTS):
        finish(slots[(number + -(-len(targets[0]) // length)) % SLOTS])
    _idle.clear()
    _idle[device, key] = slots


def _parts(n: int, length: int) -> Iterator[slice]:
    return (slice(start, min(start + length, n)) for start in range(0, n, length))


def _copy(target: np.ndarray, source: np.ndarray) -> None:
    """Copy with all threads: one alone is slower than the way to the GPU."""

    def piece(start: int, stop: int) -> None:
        np.copyto(target[start:stop], source[start:stop], casting="same_kind")

    pool.for_slabs(piece, len(target), max(1, COPIED * len(target) // max(1, target.nbytes)))
