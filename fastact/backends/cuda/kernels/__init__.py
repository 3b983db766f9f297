"""The kernels: plain Python that numba-cuda compiles, and that Numba's simulator runs.

A template is a function that makes a kernel for dtypes, a layout and options; it makes device functions, and from these
the kernel. The modules here import Numba's CUDA target, so that only the calls import them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from numba import cuda

__all__ = ["DeviceFunction", "Kernel", "device_function"]

#: A function that kernels call.
DeviceFunction = Callable[..., Any]

#: Make a function one that kernels can call.
device_function = cuda.jit(device=True)


class Kernel(NamedTuple):
    """What templates make."""

    function: Callable[..., None]
    #: A dtype stands for a pointer to items of it, a scalar type for a number, a tuple for a tuple of these.
    arguments: tuple[Any, ...]
    block: int  # threads
