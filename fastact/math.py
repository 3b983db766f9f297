"""The scalar functions to write formulas with: for your own `@fastact.activation`, and callable in your own Numba code.

Each works on scalars in compiled code (CPU and CUDA, float32 and float64, without branches, so that loops vectorise)
and on arrays in plain NumPy, where it is the readable definition.
"""

from fastact._scalar import exp, expm1, gelu, like, mish, sigmoid, silu, tanh, where

__all__ = ["exp", "expm1", "gelu", "like", "mish", "sigmoid", "silu", "tanh", "where"]
