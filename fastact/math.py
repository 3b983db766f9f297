"""The scalar functions to write formulas with: for your own `@fastact.activation`, and callable in your own Numba code.

Each works on scalars in compiled code (CPU and CUDA, float32 and float64, without branches, so that loops vectorise)
and on arrays in plain NumPy, where it is the readable definition.
"""

from fastact._kernels.scalar import (
    arccos,
    arccosh,
    arcsin,
    arcsinh,
    arctan,
    arctanh,
    cos,
    cosh,
    erf,
    erf_slope_times,
    exp,
    expm1,
    floor,
    gelu,
    hypot,
    like,
    log,
    log1p,
    mish,
    ndtr,
    normal_density_times,
    sigmoid,
    sigmoid_slope_times,
    silu,
    sin,
    sinh,
    softplus,
    sqrt,
    tan,
    tanh,
    tanh_slope_times,
    where,
)

__all__ = [
    "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "cos", "cosh", "erf", "erf_slope_times", "exp",
    "expm1", "floor", "gelu", "hypot", "like", "log", "log1p", "mish", "ndtr", "normal_density_times", "sigmoid",
    "sigmoid_slope_times", "silu", "sin", "sinh", "softplus", "sqrt", "tan", "tanh", "tanh_slope_times", "where",
]  # fmt: skip
