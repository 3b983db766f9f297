"""The `cuda` backend: fastact's functions on arrays of CuPy, JAX, Numba and PyTorch on an NVIDIA GPU."""

from __future__ import annotations

from fastact.backends import Backend
from fastact.backends.cuda.compiling import register, why_not

__all__ = ["backend"]


class Cuda(Backend):
    name = "cuda"

    def why_not(self):
        return why_not()

    def register(self):
        register()


backend = Cuda()
