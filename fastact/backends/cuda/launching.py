"""Launches kernels on the device of the arrays, in the stream of their library."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from fastact._kernels.native.launch import current_context, launch
from fastact.backends.cuda.compiling import Template, kernel
from fastact.backends.cuda.libraries import LEGACY_STREAM, Library, view_of
from fastact.backends.cuda.views import View, c_strides
from fastact.errors import BackendError

__all__ = ["Call", "Repetition", "call_on"]


#: The driver's functions are asked for as CUDA 12.0 has them, whose cuLaunchKernel takes kernels of cuda.core too.
CUDA_VERSION = 12000


@functools.cache
def _driver() -> Any:
    """What this file uses of NVIDIA's packages; the first call imports them."""
    from cuda.bindings import driver
    from cuda.core import Device, Stream

    addresses = {}
    for name in ("cuLaunchKernel", "cuCtxGetCurrent"):
        error, address, _ = driver.cuGetProcAddress(name.encode(), CUDA_VERSION, 0)
        if error or not address:
            raise BackendError(f"the CUDA driver has no {name} of CUDA 12.0; install a newer driver")
        addresses[name] = int(address)
    return SimpleNamespace(driver=driver, device=Device, stream=functools.lru_cache(Stream.from_handle), **addresses)


def _launch(kernel: int, grid: int, block: int, stream: int, arguments: Sequence[Any]) -> None:
    """Launch a kernel in a stream, given their handles; raises BackendError with what the driver says."""
    error = launch(_driver().cuLaunchKernel, kernel, grid, block, stream, arguments)
    if error:
        driver = _driver().driver
        asked = driver.cuGetErrorName, driver.cuGetErrorString
        name, text = (ask(driver.CUresult(error))[1].decode() for ask in asked)
        raise BackendError(f"the CUDA driver launched no kernel: {name}, {text}")


class Call(NamedTuple):
    """A call in progress: makes arrays beside its own, and launches kernels."""

    library: Library
    model: View
    capability: tuple[int, int]

    def new(self, shape: tuple[int, ...], dtype: np.dtype[Any], strides: tuple[int, ...] | None = None) -> View:
        """An array whose contents are undefined, in C order or, where its library can, with these strides."""
        steps = c_strides(shape) if strides is None else strides
        view = view_of(self.library.empty(shape, steps, dtype, self.model.array, self.model.device))
        view.dtype, view.device = dtype, self.model.device
        return view

    def _stream(self) -> int:
        """The handle of the stream in which the library works now."""
        return self.library.stream(self.model.array) or LEGACY_STREAM

    def other_streams(self, views: Sequence[View]) -> set[int]:
        """The handles of the streams, beside that one, in which arrays are written."""
        handles = {view.stream or LEGACY_STREAM for view in views if view.stream is not None}
        return handles - {self._stream()} if handles else handles

    def kernel(self, template: Template, parameters: tuple[Any, ...]) -> Any:
        return kernel(template, *parameters, capability=self.capability)

    def launch(
        self, template: Template, parameters: tuple[Any, ...], views: Sequence[View], grid: int, block: int,
        arguments: Sequence[Any],
    ) -> None:  # fmt: skip
        """Launch a template's kernel in the library's stream.

        It runs after the work that the streams of the arrays hold now, and before what they get later.
        """
        handle, compiled = self._stream(), int(self.kernel(template, parameters).handle)
        others = [_driver().stream(each) for each in self.other_streams(views)]
        for other in others:
            _driver().stream(handle).wait(other)
        _launch(compiled, grid, block, handle, arguments)
        for other in others:
            other.wait(_driver().stream(handle))


class Repetition(NamedTuple):
    """Launches a kernel once more, in the context in which it was launched before."""

    stream: Callable[[Any], int]  # of the library of an array
    context: int
    kernel: int
    grid: int
    block: int

    @classmethod
    def of(cls, call: Call, template: Template, parameters: tuple[Any, ...], grid: int, block: int) -> Repetition:
        compiled = int(call.kernel(template, parameters).handle)
        return cls(call.library.stream, current_context(_driver().cuCtxGetCurrent), compiled, grid, block)

    def possible(self) -> bool:
        """Is that context the current one?"""
        return current_context(_driver().cuCtxGetCurrent) == self.context

    def launch(self, array: Any, arguments: Sequence[Any]) -> None:
        """Launch it in the stream in which the library of `array` works now."""
        _launch(self.kernel, self.grid, self.block, self.stream(array) or LEGACY_STREAM, arguments)


#: Number of a device that was used -> its primary context, and its compute capability.
_contexts: dict[int, tuple[int, tuple[int, int]]] = {}


class call_on:
    """A call on these arrays; meanwhile the context of their device is the current one."""

    def __init__(self, library: Library, views: Sequence[View]) -> None:
        self.library, self.views = library, views
        self.former = 0

    def __enter__(self) -> Call:
        cuda, ordinal = _driver(), _common_device(self.views)
        current = current_context(cuda.cuCtxGetCurrent)
        if ordinal not in _contexts or _contexts[ordinal][0] != current:
            device = cuda.device(ordinal)
            device.set_current()
            self.former = current
            _contexts[ordinal] = current_context(cuda.cuCtxGetCurrent), tuple(device.compute_capability)
        return Call(self.library, self.views[0], _contexts[ordinal][1])

    def __exit__(self, *_: object) -> None:
        if self.former:
            _driver().driver.cuCtxSetCurrent(_driver().driver.CUcontext(self.former))


def _common_device(views: Sequence[View]) -> int:
    """The number of the device that all are on; raises BackendError if they are on several."""
    found = {_ordinal(view) if view.device is None else view.device for view in views if math.prod(view.shape)}
    if len(found) > 1:
        raise BackendError(f"operands are on several GPUs ({', '.join(map(str, sorted(found)))}); move them to one")
    return found.pop() if found else views[0].device or 0


def _ordinal(view: View) -> int:
    driver = _driver().driver
    attribute = driver.CUpointer_attribute.CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL
    error, ordinal = driver.cuPointerGetAttribute(attribute, driver.CUdeviceptr(view.pointer))
    if error:
        raise BackendError(f"an array's address is not known to the CUDA driver ({error.name})")
    return int(ordinal)
