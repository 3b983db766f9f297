"""Launches kernels on the device of the arrays, in the stream of their library."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from fastact.backends.cuda.compiling import Template, kernel
from fastact.backends.cuda.libraries import LEGACY_STREAM, Library, view_of
from fastact.backends.cuda.views import View
from fastact.errors import BackendError

__all__ = ["Call", "Repetition", "call_on"]


@functools.cache
def _driver() -> Any:
    """What this file uses of NVIDIA's packages; the first call imports them."""
    from cuda.bindings import driver
    from cuda.core import Device, LaunchConfig, Stream, launch

    return SimpleNamespace(
        driver=driver, device=Device, launch=launch,
        config=functools.lru_cache(lambda grid, block: LaunchConfig(grid=grid, block=block)),
        stream=functools.lru_cache(Stream.from_handle),
    )  # fmt: skip


class Call(NamedTuple):
    """A call in progress: makes arrays beside its own, and launches kernels."""

    library: Library
    model: View
    capability: tuple[int, int]

    def new(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> View:
        """An array whose contents are undefined."""
        view = view_of(self.library.empty(shape, dtype, self.model.array, self.model.device))
        view.dtype, view.device = dtype, self.model.device
        return view

    def kernel(self, template: Template, parameters: tuple[Any, ...]) -> Any:
        return kernel(template, *parameters, capability=self.capability)

    def launch(
        self, template: Template, parameters: tuple[Any, ...], views: Sequence[View], grid: int, block: int,
        arguments: Sequence[Any],
    ) -> None:  # fmt: skip
        """Launch a template's kernel in the library's stream.

        It runs after the work that the streams of the arrays hold now, and before what they get later.
        """
        cuda = _driver()
        handle = self.library.stream(self.model.array) or LEGACY_STREAM
        stream = cuda.stream(handle)
        handles = {view.stream or LEGACY_STREAM for view in views if view.stream is not None} - {handle}
        others = [cuda.stream(each) for each in handles]
        for other in others:
            stream.wait(other)
        cuda.launch(stream, cuda.config(grid, block), self.kernel(template, parameters), *arguments)
        for other in others:
            other.wait(stream)


class Repetition(NamedTuple):
    """Launches a kernel once more, in the context in which it was launched before."""

    library: Library
    context: int
    kernel: Any
    grid: int
    block: int

    @classmethod
    def of(cls, call: Call, template: Template, parameters: tuple[Any, ...], grid: int, block: int) -> Repetition:
        compiled = call.kernel(template, parameters)
        return cls(call.library, int(_driver().driver.cuCtxGetCurrent()[1]), compiled, grid, block)

    def possible(self) -> bool:
        """Is that context the current one?"""
        return int(_driver().driver.cuCtxGetCurrent()[1]) == self.context

    def launch(self, array: Any, arguments: Sequence[Any]) -> None:
        """Launch it in the stream in which the library of `array` works now."""
        cuda = _driver()
        stream = cuda.stream(self.library.stream(array) or LEGACY_STREAM)
        cuda.launch(stream, cuda.config(self.grid, self.block), self.kernel, *arguments)


#: Number of a device that was used -> its primary context, and its compute capability.
_contexts: dict[int, tuple[int, tuple[int, int]]] = {}


class call_on:
    """A call on these arrays; meanwhile the context of their device is the current one."""

    def __init__(self, library: Library, views: Sequence[View]) -> None:
        self.library, self.views = library, views
        self.former: Any = None

    def __enter__(self) -> Call:
        cuda, ordinal = _driver(), _common_device(self.views)
        _, current = cuda.driver.cuCtxGetCurrent()
        if ordinal not in _contexts or _contexts[ordinal][0] != int(current):
            device = cuda.device(ordinal)
            device.set_current()
            self.former = current
            _contexts[ordinal] = int(cuda.driver.cuCtxGetCurrent()[1]), tuple(device.compute_capability)
        return Call(self.library, self.views[0], _contexts[ordinal][1])

    def __exit__(self, *_: object) -> None:
        if self.former is not None and int(self.former):
            _driver().driver.cuCtxSetCurrent(self.former)


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
