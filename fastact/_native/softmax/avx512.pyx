# cython: cdivision=True, freethreading_compatible=True
"""The softmax kernels compiled for AVX-512 (F, DQ, VL, BW); setup.py has the flags. Their source is kernels.pxi.

To be imported only where `cpu_supports` of the baseline names this instruction set.
"""

include "kernels.pxi"
include "cross_entropy.pxi"
