"""The scalar functions that formulas are made of, for float32 and float64, free of branches so that loops vectorise.

Two layers. pairs.py is arithmetic on unevaluated sums `high + low`; the other files hold the vocabulary of formulas by
kinship. Each of its functions has a body for NumPy arrays, which says what it computes, and a scalar one that compiled
code gets instead. These are the only files that know polynomial coefficients; benchmarks/coefficients.py computes them.
Only activations/ and math.py import from here.
"""

from fastact._primitives import like, where
from fastact._scalar_math.exponential import (
    exp,
    expm1,
    sigmoid,
    sigmoid_slope_times,
    sigmoid_times,
    softplus,
    tanh,
)
from fastact._scalar_math.gates import (
    gate_slope,
    mish,
    mish_slope,
    product,
    silu,
    tanh_gelu_argument,
    tanh_gelu_steepness,
)
from fastact._scalar_math.normal import gelu, gelu_slope

__all__ = [
    "exp", "expm1", "gate_slope", "gelu", "gelu_slope", "like", "mish", "mish_slope", "product", "sigmoid",
    "sigmoid_slope_times", "sigmoid_times", "silu", "softplus", "tanh", "tanh_gelu_argument",
    "tanh_gelu_steepness", "where",
]  # fmt: skip
