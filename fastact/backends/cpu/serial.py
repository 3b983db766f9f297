"""The `serial` backend: the loops on one core."""

from fastact._kernels.native.ufunc import Threads
from fastact.backends.cpu.loops import Loops

__all__ = ["backend"]

backend = Loops("serial", Threads.SERIAL)
