"""sparsemax, entmax15 and hardmax: softmax's relatives with exact zeros.

The first two are formulas in scalar/rows.py, hardmax has kernels beside softmax's; for GPUs all three are in
backends/cuda/kernels/sparse.py. The references are in backends/numpy/softmax.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastact._core import registry
from fastact._core.function import Metadata
from fastact.functions.softmax.dense import Softmax

__all__ = ["Entmax15", "Hardmax", "Sparsemax", "entmax15", "hardmax", "sparsemax"]


class Sparsemax(Softmax):
    """sparsemax(x)_i = max(x_i / T - t, 0), where the threshold t makes the sum 1: the nearest probabilities to x / T.

    Parameters, errors and layouts are those of `fastact.softmax`; the backends are "threads" (by default), "serial",
    "parallel", "cuda" and "numpy".

    Notes
    -----
    Elements 1 or more below the largest are always 0, and often many others. The error is at most 0.51 ULP, of every
    element however small. A row without elements, all masked, is 0. NaN or +inf makes a row NaN, and so does nothing
    but -inf; otherwise -inf gives 0. Newton's method finds the threshold in time proportional to the row's length, and
    then to twice float64's digits; on a GPU only to twice the dtype's, and elements below 1e-5 (float32) or 1e-14
    (float64) may there have an error of more than 0.51 ULP, about 1e-14 or 1e-31.

    References
    ----------
    A. F. T. Martins, R. F. Astudillo, "From softmax to sparsemax: a sparse model of attention and multi-label
    classification", ICML 2016, arXiv:1602.02068.

    Examples
    --------
    >>> import fastact as fa
    >>> fa.sparsemax([1.0, 0.5, -1.0])
    array([0.75, 0.25, 0.  ])
    """

    name = "sparsemax"
    computation = "sparsemax"
    _family = "sparse"
    metadata = Metadata(
        formula="max(x_i - t, 0), t such that the sum is 1",
        range="[0, 1], summing to 1",
        reference="Martins and Astudillo 2016, arXiv:1602.02068",
        max_ulp=0.51,
        notes={
            "for": "probabilities that are exactly 0 for all but a few",
            "against": "no gradient reaches what is 0",
            "use": "attention that can be read, multi-label classification",
        },
    )

    def backward(self, grad_output: ArrayLike, output: ArrayLike, *arguments: Any, **keywords: Any) -> Any:
        """The gradient for the input, (g - mean of g where y > 0) / T where y > 0 and else 0, from the OUTPUT y.

        Arguments as for `softmax.backward`. Where y is 0, g is not read. At a kink, where an element is just at the
        threshold, it is the gradient from the side on which the element stays 0.
        """
        return super().backward(grad_output, output, *arguments, **keywords)

    def _operations(self) -> list[Any]:
        return [self]

    def _compile_floats(self) -> None:
        """Compile the forward and the backward pass for float32 and float64."""
        for dtype in (np.float32, np.float64):
            one = self(np.zeros(1, dtype))
            self.backward(one, one)


class Entmax15(Sparsemax):
    """entmax15(x)_i = max(x_i / 2T - t, 0)**2, where the threshold t makes the sum 1: between softmax and sparsemax.

    Parameters, errors, layouts and special numbers are those of `fastact.sparsemax`.

    Notes
    -----
    Elements 2 or more below the largest are always 0. The error is at most 0.51 ULP, of every element however small.
    The gradient is continuous everywhere.

    References
    ----------
    B. Peters, V. Niculae, A. F. T. Martins, "Sparse sequence-to-sequence models", ACL 2019,
    doi:10.18653/v1/P19-1146.

    Examples
    --------
    >>> import fastact as fa
    >>> fa.entmax15([1.0, 0.5, -2.0]).round(3)
    array([0.674, 0.326, 0.   ])
    """

    name = "entmax15"
    computation = "entmax15"
    metadata = Metadata(
        formula="max(x_i / 2 - t, 0)^2, t such that the sum is 1",
        range="[0, 1], summing to 1",
        max_ulp=0.51,
        reference="Peters, Niculae and Martins 2019, doi:10.18653/v1/P19-1146",
        notes={
            "for": "sparse probabilities, with a gradient that has no jumps",
            "against": "no gradient reaches what is 0",
            "use": "attention and output of sequence models",
        },
    )

    def backward(self, grad_output: ArrayLike, output: ArrayLike, *arguments: Any, **keywords: Any) -> Any:
        """The gradient for the input, w * (g - sum(w * g) / sum(w)) / T with w = sqrt(y), from the OUTPUT y.

        Arguments as for `softmax.backward`. Where y is 0, g is not read.
        """
        return super().backward(grad_output, output, *arguments, **keywords)


class Hardmax(Softmax):
    """hardmax(x)_i = 1 for the first of the largest elements over one or several axes, 0 for all others.

    Parameters, errors and layouts are those of `fastact.softmax`; over several axes the first one is that in C order.

    Notes
    -----
    The result is exact. A row with NaN is NaN, and so is one of nothing but -inf; a row without elements is 0.

    References
    ----------
    ONNX, operator Hardmax, version 13.

    Examples
    --------
    >>> import fastact as fa
    >>> fa.hardmax([0.1, 2.0, 1.0])
    array([0., 1., 0.])
    """

    name = "hardmax"
    computation = "hardmax"
    metadata = Metadata(
        formula="1 if x_i is the first maximum else 0",
        range="{0, 1}, summing to 1",
        reference="ONNX, operator Hardmax",
        max_ulp=0.0,
        notes={
            "for": "a decision as a one-hot row",
            "against": "its gradient is 0 everywhere",
            "use": "inference; in training gumbel_softmax(hard=True)",
        },
    )

    def backward(self, grad_output: ArrayLike, output: ArrayLike, *arguments: Any, **keywords: Any) -> Any:
        """The gradient for the input, which is 0 (NaN in rows of NaN); arguments as for `softmax.backward`."""
        return super().backward(grad_output, output, *arguments, **keywords)


sparsemax = Sparsemax()
entmax15 = Entmax15()
hardmax = Hardmax()
for _function in (sparsemax, entmax15, hardmax):
    registry.add(_function)
