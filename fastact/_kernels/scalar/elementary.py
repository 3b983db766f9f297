"""Functions that the C library and CUDA's libdevice compute: log, log1p, sines, hyperbolic and inverse functions.

They are for formulas of users and for derivatives that are derived of them. Loops that call them do not vectorise, and
their last digits are the library's.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastact._kernels.scalar.primitives import compiled

__all__ = [
    "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "cos", "cosh", "hypot", "log", "log1p", "sin",
    "sinh", "tan",
]  # fmt: skip


@compiled(lambda x: math.log(x))
def log(x: Any) -> Any:
    """The natural logarithm."""
    return np.log(x)


@compiled(lambda x: math.log1p(x))
def log1p(x: Any) -> Any:
    """log(1 + x)."""
    return np.log1p(x)


@compiled(lambda x: math.sin(x))
def sin(x: Any) -> Any:
    """The sine."""
    return np.sin(x)


@compiled(lambda x: math.cos(x))
def cos(x: Any) -> Any:
    """The cosine."""
    return np.cos(x)


@compiled(lambda x: math.tan(x))
def tan(x: Any) -> Any:
    """The tangent."""
    return np.tan(x)


@compiled(lambda x: math.sinh(x))
def sinh(x: Any) -> Any:
    """(e**x - e**-x) / 2."""
    return np.sinh(x)


@compiled(lambda x: math.cosh(x))
def cosh(x: Any) -> Any:
    """(e**x + e**-x) / 2."""
    return np.cosh(x)


@compiled(lambda x: math.asin(x))
def arcsin(x: Any) -> Any:
    """The inverse of the sine."""
    return np.arcsin(x)


@compiled(lambda x: math.acos(x))
def arccos(x: Any) -> Any:
    """The inverse of the cosine."""
    return np.arccos(x)


@compiled(lambda x: math.atan(x))
def arctan(x: Any) -> Any:
    """The inverse of the tangent."""
    return np.arctan(x)


@compiled(lambda x: math.asinh(x))
def arcsinh(x: Any) -> Any:
    """The inverse of sinh."""
    return np.arcsinh(x)


@compiled(lambda x: math.acosh(x))
def arccosh(x: Any) -> Any:
    """The inverse of cosh."""
    return np.arccosh(x)


@compiled(lambda x: math.atanh(x))
def arctanh(x: Any) -> Any:
    """The inverse of tanh."""
    return np.arctanh(x)


@compiled(lambda a, b: math.hypot(a, b))
def hypot(a: Any, b: Any) -> Any:
    """The square root of a**2 + b**2, without overflow of the squares."""
    return np.hypot(a, b)
