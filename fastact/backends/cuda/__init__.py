"""The `cuda` backend: fastact's functions for arrays of CuPy, JAX, Numba and PyTorch on an NVIDIA GPU.

Importing this imports neither Numba's CUDA target nor a kernel: the first call does. Formulas and primitives are the
CPU's, compiled with the same explicit fma and without any other contraction, so that elementwise results have the CPU's
bits.

    calls/             check the arguments, bring arrays into the form that kernels take, launch the kernels
    kernels/           the kernels: Python that numba-cuda compiles, and that Numba's simulator runs
    availability.py    does this backend work here?
    compiling.py       from a kernel to machine code
    launching.py       launches it on the device of the arrays, in the stream of their library
    libraries.py       what differs between CuPy, JAX, Numba and PyTorch
    views.py           arrays of any library as pointers and strides
    dtypes.py          dtypes by name, and what kernels compute in
"""

from __future__ import annotations

import functools
import importlib
from typing import Any

from fastact.backends.cuda.availability import why_not
from fastact.backends.cuda.compiling import register, vectorize

__all__ = [
    "backward_of_halves", "cross_entropy", "elementwise", "elementwise_loss", "nll_loss", "of_halves", "ptx",
    "register", "softmax", "softmax_on_device", "vectorize", "why_not",
]  # fmt: skip


@functools.cache
def _calls() -> Any:
    """The package `calls`, whose import brings the kernels and Numba's CUDA target."""
    return importlib.import_module("fastact.backends.cuda.calls")


def elementwise(operation: Any, operands: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    """Apply an operation to device arrays of one library, or to host arrays, which are copied to the GPU and back."""
    return _calls().elementwise.elementwise(operation, operands, keywords)


def of_halves(operation: Any, x: Any, axis: int, out: Any) -> Any:
    """Apply an operation to the two halves of a device array."""
    return _calls().elementwise.of_halves(operation, x, axis, out)


def backward_of_halves(operation: Any, grad_output: Any, x: Any, axis: int, out: Any) -> Any:
    """Apply an operation to a gradient and the halves of x; its two results are the halves of one array."""
    return _calls().elementwise.backward_of_halves(operation, grad_output, x, axis, out)


def softmax(kind: str, arrays: tuple[Any, ...], axes: tuple[int, ...], out: Any, options: Any = None) -> Any:
    """Compute a function of the softmax family for host arrays."""
    return _calls().softmax.softmax(kind, arrays, axes, out, options)


def softmax_on_device(
    function: Any, operands: tuple[Any, ...], axis: Any, where: Any, lengths: Any, temperature: Any, out: Any,
    dtype: Any, keepdims: bool,
) -> Any:  # fmt: skip
    """Compute a function of the softmax family for device arrays, with the arguments as its users write them."""
    given = operands, axis, where, lengths, temperature, out, dtype, keepdims
    return _calls().softmax.softmax_on_device(function, *given)


def cross_entropy(
    logits: Any, targets: Any, axis: int, weight: Any, ignore: int, smoothing: float, reduction: str, gradient: bool,
    out: Any,
) -> tuple[Any, Any]:  # fmt: skip
    """Compute the cross-entropy and, if wanted, its gradient."""
    return _calls().losses.cross_entropy(logits, targets, axis, weight, ignore, smoothing, reduction, gradient, out)


def nll_loss(log_probabilities: Any, targets: Any, axis: int, weight: Any, ignore: int, reduction: str) -> Any:
    """Compute the negative log-likelihood."""
    return _calls().losses.nll_loss(log_probabilities, targets, axis, weight, ignore, reduction)


def elementwise_loss(
    operation: Any, x: Any, target: Any, parameters: list[Any], reduction: str, gradient: bool, out: Any
) -> tuple[Any, Any]:
    """Compute an elementwise loss of device arrays and, if wanted, the gradient of its mean or sum."""
    return _calls().losses.elementwise_loss(operation, x, target, parameters, reduction, gradient, out)


def ptx(operation: Any, dtype: Any, compute_capability: tuple[int, int] = (8, 0)) -> str:
    """Compile an operation's kernel for contiguous arrays and scalar parameters; needs numba-cuda, but no GPU.

    Parameters
    ----------
    operation : an elementwise fastact function
    dtype : the dtype of the loop
    compute_capability : the GPU to compile for

    Returns
    -------
    str
        The PTX.
    """
    return _calls().elementwise.ptx(operation, dtype, compute_capability)
