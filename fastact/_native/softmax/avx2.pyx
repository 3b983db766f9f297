# cython: cdivision=True, freethreading_compatible=True
"""The softmax kernels compiled for AVX2, FMA and F16C; setup.py has the flags.

Only backends/cython.py imports this, and only where the CPU can run it. The code is in _softmax_kernels.pxi.
"""

include "kernels.pxi"
include "cross_entropy.pxi"
