"""The `cython` backend: softmax and log_softmax on the CPU, for any axes and any memory layout.

It chooses the compiled kernels for this CPU, and brings every array to what they take: C-contiguous, one axis.
Imported by _dispatch alone, on first use. The kernels are in ../_softmax_kernels.pxi.
"""

from __future__ import annotations

import importlib
import math
import os
from importlib.util import find_spec
from types import ModuleType

import numpy as np

from .._errors import BackendError, nearest

name = "cython"

KINDS = {"softmax": 0, "log_softmax": 1}


def why_not() -> str | None:
    """Why this backend cannot be used here: the kernels' baseline runs everywhere, so there is no reason."""
    return None


def instruction_sets() -> list[str]:
    """The instruction sets, best first, that this CPU can run and this build holds."""
    supported = importlib.import_module("fastact._softmax_baseline").cpu_supports()
    return [each for each in supported if find_spec(f"fastact._softmax_{each}")]


def instruction_set() -> str:
    """The instruction set in use: "avx512", "avx2" or "baseline"."""
    return _kernels.__name__.rpartition("_")[2]


def load(wanted: str | None = None) -> ModuleType:
    """The kernels for the best instruction set, or for the one `wanted` (the variable FASTACT_SIMD)."""
    available = instruction_sets()
    if wanted and wanted not in available:
        raise BackendError(f"FASTACT_SIMD={wanted!r} cannot run here{nearest(wanted, available)}")
    return importlib.import_module(f"fastact._softmax_{wanted or available[0]}")


_kernels = load(os.environ.get("FASTACT_SIMD"))


def softmax(
    kind: str, arrays: tuple[np.ndarray, ...], axes: tuple[int, ...], out: np.ndarray | None, options=None
) -> np.ndarray:
    """Forward for arrays (x,), backward for (grad_output, output); float16, float32 or float64, checked before."""
    if options is not None or kind == "logsumexp" or arrays[-1].dtype.name == "bfloat16":
        from ._softmax_numpy import softmax as plain

        return plain(kind, arrays, axes, out, options)
    if len(axes) == 1:
        grad = arrays[0] if len(arrays) == 2 else None
        result = _kernels.run(KINDS[kind], grad, arrays[-1], out, axes[0])
        if result is not None:
            return result
    return _any_layout(KINDS[kind], arrays, axes, out)


def explain(x: np.ndarray, axes: tuple[int, ...]) -> str:
    """The instruction set, the loop and the threads that a call would take."""
    order, shape = _three_axes(x, axes)
    copied = "" if np.transpose(x, order).flags.c_contiguous and x.dtype.isnative else ", on a contiguous copy"
    return f"{instruction_set()} kernels, {_kernels.explain(*shape)}{copied}"


def _any_layout(kind: int, arrays: tuple[np.ndarray, ...], axes: tuple[int, ...], out: np.ndarray | None) -> np.ndarray:
    """Reorder and merge axes into (outer, n, inner), as a view wherever memory allows it."""
    x = arrays[-1]
    order, shape = _three_axes(x, axes)
    dtype = np.dtype(np.float32) if x.itemsize == 2 else x.dtype.newbyteorder("=")
    ordered = [np.transpose(each, order) for each in arrays]
    operands = [np.require(each, dtype, ["C", "A"]).reshape(shape) for each in ordered]

    target = None
    if out is not None and out.dtype == dtype and out.dtype.isnative:
        view = np.transpose(out, order)
        if view.flags.c_contiguous and view.flags.aligned:
            target = view.reshape(shape)
            operands = [each.copy() if _overlaps(each, target) else each for each in operands]
    elif not np.may_share_memory(operands[-1], x):  # the copy just made can hold the result
        target = operands[-1]
    *grad, source = operands
    result = _kernels.run(kind, grad[0] if grad else None, source, target, 1)
    result = result.reshape(ordered[0].shape).transpose(np.argsort(order))
    if out is None:
        return result.astype(x.dtype.newbyteorder("="), copy=False)
    if target is None or not np.may_share_memory(target, out):
        out[...] = result
    return out


def _three_axes(x: np.ndarray, axes: tuple[int, ...]) -> tuple[list[int], tuple[int, int, int]]:
    """An order of x's axes in which `axes` are neighbours, and the shape (outer, n, inner) that then merges them.

    It is the order in memory, largest stride first, unless `axes` are apart there or too long for strips.
    """
    order = sorted(range(x.ndim), key=lambda axis: -abs(x.strides[axis]))
    places = sorted(order.index(axis) for axis in axes)
    n = math.prod(x.shape[axis] for axis in axes)
    neighbours = not places or places[-1] - places[0] < len(places)
    last = not places or places[-1] == x.ndim - 1
    if not (neighbours and (last or n <= _kernels.STRIP_LIMIT)):
        order = [axis for axis in order if axis not in axes] + [axis for axis in order if axis in axes]
    first = min((order.index(axis) for axis in axes), default=x.ndim)
    sizes = [x.shape[axis] for axis in order]
    return order, (math.prod(sizes[:first]), n, math.prod(sizes[first + len(axes) :]))


def _overlaps(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays of one size share memory without being the same."""
    return np.may_share_memory(a, b) and a.ctypes.data != b.ctypes.data
