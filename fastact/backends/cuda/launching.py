"""Launching kernels: on the device of the arrays, in the stream of their library."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from fastact._errors import BackendError

from .compiling import Template, kernel
from .libraries import LEGACY_STREAM, Library, view_of
from .views import View

__all__ = ["Call", "call_on"]


class Call(NamedTuple):
    """A call in progress: what it needs to make arrays and to launch kernels beside its own arrays."""

    library: Library
    model: View
    capability: tuple[int, int]

    def new(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> View:
        """An array of any contents."""
        view = view_of(self.library.empty(shape, dtype, self.model))
        view.dtype, view.device = dtype, self.model.device
        return view

    def launch(
        self, template: Template, parameters: tuple[Any, ...], views: Sequence[View], grid: int, block: int,
        arguments: Sequence[Any],
    ) -> None:  # fmt: skip
        """Launch a template's kernel in the library's stream, after what the streams of the arrays hold now."""
        from cuda.core import LaunchConfig, Stream, launch

        handle = self.library.stream(self.model.array) or LEGACY_STREAM
        stream = Stream.from_handle(handle)
        for other in {view.stream for view in views} - {None, handle}:
            stream.wait(Stream.from_handle(other))
        compiled = kernel(template, *parameters, capability=self.capability)
        launch(stream, LaunchConfig(grid=grid, block=block), compiled, *arguments)


@contextmanager
def call_on(library: Library, views: Sequence[View]) -> Iterator[Call]:
    """A call on these arrays, with the context of their device current meanwhile."""
    from cuda.bindings import driver
    from cuda.core import Device

    found = {_ordinal(view) if view.device is None else view.device for view in views if math.prod(view.shape)}
    if len(found) > 1:
        raise BackendError(f"operands are on several GPUs ({', '.join(map(str, sorted(found)))}); move them to one")
    _, context = driver.cuCtxGetCurrent()
    device = Device(*found)
    device.set_current()
    try:
        yield Call(library, views[0], tuple(device.compute_capability))
    finally:
        if int(context):
            driver.cuCtxSetCurrent(context)


def _ordinal(view: View) -> int:
    """The number of the device that the array's memory is on."""
    from cuda.bindings import driver

    attribute = driver.CUpointer_attribute.CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL
    error, ordinal = driver.cuPointerGetAttribute(attribute, driver.CUdeviceptr(view.pointer))
    if error:
        raise BackendError(f"an array's address is not known to the CUDA driver ({error.name})")
    return int(ordinal)
