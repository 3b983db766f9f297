"""The `cuda` backend: fastact's functions on arrays of CuPy, JAX, Numba and PyTorch on an NVIDIA GPU.

_dispatch.py imports this, and only a call imports Numba's CUDA target. Formulas and primitives are the CPU's, compiled
with the same explicit fma and nothing else contracted: results have the CPU's bits.

    call_elementwise.py, call_softmax.py, ...  the calls: arguments checked, arrays brought to what kernels take
    host.py                                    host arrays, there and back, large ones in chunks
    elementwise_kernels.py, ...                the kernels: plain Python, which Numba's simulator runs too
    rows.py, device.py                         what they are made of, and what the simulator does in another way
    compiling.py                               the one file that imports numba.cuda's compiler: from kernel to code
    launching.py                               launching it on the arrays' device, in their library's stream
    libraries.py, views.py                     CuPy, JAX, Numba, PyTorch; their arrays as pointers and strides
"""

from __future__ import annotations

from fastact.backends.cuda.calls.elementwise import backward_of_halves, elementwise, of_halves
from fastact.backends.cuda.calls.losses import cross_entropy, elementwise_loss, nll_loss
from fastact.backends.cuda.calls.softmax import softmax, softmax_on_device
from fastact.backends.cuda.compiling import ptx, register, vectorize, why_not

__all__ = [
    "backward_of_halves", "cross_entropy", "elementwise", "elementwise_loss", "nll_loss", "of_halves", "ptx",
    "register", "softmax", "softmax_on_device", "vectorize", "why_not",
]  # fmt: skip
