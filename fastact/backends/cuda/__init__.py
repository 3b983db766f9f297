"""The `cuda` backend: fastact's functions for arrays of CuPy, JAX, Numba and PyTorch on an NVIDIA GPU.

Importing this imports neither Numba's CUDA target nor a kernel: the first call does. Formulas and primitives are the
CPU's, compiled with the same explicit fma and without any other contraction, so that elementwise results have the CPU's
bits.

    calls/             bring arrays into the form that kernels take, and launch the kernels
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

from fastact._core.arguments import ClassLossArguments, ElementwiseLossArguments, SoftmaxArguments
from fastact._core.backends import Backend
from fastact._core.devices import on_gpu
from fastact.backends.cuda import availability, compiling

__all__ = ["backend"]


@functools.cache
def _calls() -> Any:
    """The package `calls`, whose import brings the kernels and Numba's CUDA target."""
    return importlib.import_module("fastact.backends.cuda.calls")


class Cuda(Backend):
    """Has everything; host arrays are copied to the GPU and back."""

    name = "cuda"

    def why_not(self) -> str | None:
        return availability.why_not()

    def seen(self, *arguments: Any) -> tuple[Any, ...]:
        return tuple(_calls().view_of(each) if on_gpu(each) else each for each in arguments)

    def elementwise(self, operation: Any, operands: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        return _calls().elementwise.elementwise(operation, operands, keywords)

    def of_halves(self, operation: Any, x: Any, axis: int | str, out: Any) -> Any:
        return _calls().elementwise.of_halves(operation, x, axis, out)

    def backward_of_halves(self, operation: Any, grad_output: Any, x: Any, axis: int | str, out: Any) -> Any:
        return _calls().elementwise.backward_of_halves(operation, grad_output, x, axis, out)

    def elementwise_loss(self, operation: Any, record: ElementwiseLossArguments) -> tuple[Any, Any]:
        return _calls().losses.elementwise_loss(operation, record)

    def vectorize(self, operation: Any) -> Any:
        return compiling.vectorize(operation)

    def register(self) -> None:
        compiling.register()

    def over_axes(self, record: SoftmaxArguments) -> Any:
        return _calls().softmax.over_axes(record)

    def cross_entropy(self, record: ClassLossArguments) -> tuple[Any, Any]:
        return _calls().losses.cross_entropy(record)

    def nll_loss(self, record: ClassLossArguments) -> Any:
        return _calls().losses.nll_loss(record)


backend = Cuda()
