"""The scalar functions that formulas are made of, for float32 and float64, without branches, so that loops vectorise.

primitives.py and pairs.py are the tools, rows.py is the softmax family over one row, and the other files hold the
vocabulary of formulas by kinship. To add a function, write it beside its kin: a body for NumPy arrays, which says what
it computes, and the scalar one that `compiled` puts in its place; then name it below. Of all Python files, those here
alone know polynomial coefficients; a comment beside each table says what it approximates, and how well.
"""

from fastact._kernels.scalar.algebraic import (
    hard_sigmoid,
    hard_silu,
    hard_silu_slope,
    inside_hard_sigmoid,
    softsign,
    softsign_slope_times,
    sparse_plus,
    squareplus,
    squareplus_slope_by_b,
    squareplus_slope_times,
    star_relu,
    star_relu_slope_times,
)
from fastact._kernels.scalar.elementary import (
    arccos,
    arccosh,
    arcsin,
    arcsinh,
    arctan,
    arctanh,
    cos,
    cosh,
    hypot,
    log,
    log1p,
    sin,
    sinh,
    tan,
)
from fastact._kernels.scalar.error import erf, erf_slope_times, serf, serf_slope_times
from fastact._kernels.scalar.exponential import (
    celu,
    celu_slope_by_alpha,
    celu_slope_times,
    elu,
    elu_slope_by_alpha,
    elu_slope_times,
    exp,
    exp_times,
    expm1,
    log_sigmoid,
    log_sigmoid_slope_times,
    selu,
    selu_slope_times,
    sigmoid,
    sigmoid_slope_times,
    softplus,
    softplus_slope_by_beta,
    softplus_slope_times,
    tanh,
    tanh_slope_times,
    tanhshrink,
    tanhshrink_slope_times,
)
from fastact._kernels.scalar.gates import (
    gelu_tanh,
    gelu_tanh_slope_times,
    mish,
    mish_slope_times,
    quick_gelu,
    quick_gelu_slope_times,
    silu,
    silu_slope_times,
    swish,
    swish_slope_by_beta,
    swish_slope_times,
    telu,
    telu_slope_times,
)
from fastact._kernels.scalar.normal import gelu, gelu_slope_times, ndtr, normal_density_times
from fastact._kernels.scalar.primitives import floor, like, sqrt, where
from fastact._kernels.scalar.sine import snake, snake_slope, snake_slope_by_alpha

__all__ = [
    "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "celu", "celu_slope_by_alpha", "celu_slope_times",
    "cos", "cosh", "elu", "elu_slope_by_alpha", "elu_slope_times", "erf", "erf_slope_times", "exp", "exp_times",
    "expm1", "floor", "gelu", "gelu_slope_times", "gelu_tanh", "gelu_tanh_slope_times", "hard_sigmoid", "hard_silu",
    "hard_silu_slope", "hypot", "inside_hard_sigmoid", "like", "log", "log1p", "log_sigmoid",
    "log_sigmoid_slope_times", "mish", "mish_slope_times", "ndtr", "normal_density_times", "quick_gelu",
    "quick_gelu_slope_times", "selu", "selu_slope_times", "serf", "serf_slope_times", "sigmoid", "sigmoid_slope_times",
    "silu", "silu_slope_times", "sin", "sinh", "snake", "snake_slope", "snake_slope_by_alpha", "softplus",
    "softplus_slope_by_beta", "softplus_slope_times", "softsign", "softsign_slope_times", "sparse_plus", "sqrt",
    "squareplus", "squareplus_slope_by_b", "squareplus_slope_times", "star_relu", "star_relu_slope_times", "swish",
    "swish_slope_by_beta", "swish_slope_times", "tan", "tanh", "tanh_slope_times", "tanhshrink",
    "tanhshrink_slope_times", "telu", "telu_slope_times", "where",
]  # fmt: skip
