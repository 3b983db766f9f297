"""softmax, softmin and log_softmax.

A function is a class with its docstring and metadata, and an object at the end. Its operation has a kernel in
native/softmax/kernels.pyx, a formula in scalar/rows.py, and a reference in backends/numpy/softmax.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from fastact._core import registry
from fastact._core.arrays import Axis
from fastact._core.function import Metadata
from fastact.functions.softmax.over_axes import ONE, OverAxes

__all__ = ["LogSoftmax", "Softmax", "Softmin", "log_softmax", "softmax", "softmin"]


class Softmax(OverAxes):
    """softmax(x)_i = exp(x_i / T) / sum_j exp(x_j / T) over the elements of one or several axes.

    Parameters
    ----------
    x : array_like
        float16, bfloat16, float32 and float64 keep their dtype (the half types are computed in float32 and rounded
        once); bool and integers become the float that ``np.exp`` would give. Any memory layout and byte order. An array
        on a GPU gives such an array, and a mask is on the GPU then too. Containers, such as those of pandas, xarray and
        dask, are kept as well: see docs/guides/containers.md.
    axis : int, str, tuple of them or None, default -1
        The elements that sum to 1; None takes all of `x`. Names are of dimensions, which containers have.
    where : array_like of bool or "causal", optional
        The elements that count; it broadcasts against `x`. The others are not read, and their result is 0. "causal"
        is the mask ``np.tri(n, m)`` of the last two axes (queries, keys): query i attends to the keys 0 to i.
    lengths : array_like of int, optional
        How many elements along `axis`, which must be one, count: the first ones of each row. Its axes are the leading
        ones of `x` without `axis`: for scores of shape (batch, heads, queries, keys) it has the shape (batch,),
        (batch, heads) or (batch, heads, queries). It may be combined with `where`.
    temperature : float or array_like, default 1.0
        T, positive; an array broadcasts against `x`. x / T is rounded as ``x / T`` itself is, and T does not change the
        dtype.
    out : ndarray, optional
        Where to write; of the result's shape and dtype. It may be `x`, or overlap it.
    dtype : dtype, optional
        Of the result; what is computed is then at least as wide, and rounded once.
    backend : str, optional
        "cython", "serial", "threads", "parallel", "cuda", "numpy" or "auto", which takes the one that fits `x`.

    Returns
    -------
    ndarray
        Of `x`'s shape; a scalar for a scalar.

    Raises
    ------
    numpy.exceptions.AxisError
        `axis` is out of bounds.
    TypeError
        `x` is complex, longdouble or object; `where` is not boolean, `lengths` not integer; `out` is not an
        array of the result's dtype.
    ValueError
        An axis is repeated; `where`, `lengths` or `temperature` does not fit `x`; a length is negative or larger than
        the axis; a temperature is not positive; `out` has another shape or is read-only.

    Notes
    -----
    The error is at most 3.5 ULP for float32 and float64 rows of 1 to 10**6 elements, whatever their offset; subnormal
    results are kept. A row without elements, all masked, is 0. Among the elements that count, NaN or +inf makes a row
    NaN, and so does nothing but -inf; otherwise exp(-inf) is exactly 0. Empty arrays stay empty. The same bits come out
    for any number of threads. No floating-point warning is raised.

    References
    ----------
    J. S. Bridle, "Probabilistic interpretation of feedforward classification network outputs", Neurocomputing,
    NATO ASI Series 68 (1990), pp. 227-236.

    Examples
    --------
    >>> import fastact as fa
    >>> fa.softmax([2.0, 1.0, 0.1]).round(3)
    array([0.659, 0.242, 0.099])
    """

    name = "softmax"
    computation = "softmax"
    metadata = Metadata(
        formula="exp(x_i) / sum_j exp(x_j)",
        range="[0, 1], summing to 1",
        reference="Bridle 1990, doi:10.1007/978-3-642-76153-9_28",
        max_ulp=3.5,
        notes={
            "for": "probabilities over classes",
            "against": "not for hidden layers: its outputs compete, and its gradient vanishes",
            "use": "output of multi-class classification, trained with cross-entropy",
        },
    )

    def __call__(
        self,
        x: ArrayLike,
        axis: Axis = -1,
        where: ArrayLike | str | None = None,
        temperature: ArrayLike = ONE,
        out: np.ndarray | None = None,
        *,
        lengths: ArrayLike | None = None,
        dtype: DTypeLike | None = None,
        backend: str | None = None,
    ) -> Any:
        if where is lengths is dtype is backend is None and temperature is ONE:
            result = self._common(None, x, axis, out)
            if result is not None:
                return result
        return self._over_axes((x,), axis, out, where, lengths, temperature, dtype, backend)

    def backward(
        self,
        grad_output: ArrayLike,
        output: ArrayLike,
        axis: Axis = -1,
        where: ArrayLike | str | None = None,
        temperature: ArrayLike = ONE,
        out: np.ndarray | None = None,
        *,
        lengths: ArrayLike | None = None,
        dtype: DTypeLike | None = None,
        backend: str | None = None,
    ) -> Any:
        """The gradient for the input, y * (g - sum(g * y)) / T, from the gradient for the output and the OUTPUT itself.

        Parameters
        ----------
        grad_output, output : array_like
            g and y = softmax(x), of one shape; the dtype is that of both together.
        axis, where, temperature, out, lengths, dtype, backend
            As in the forward call. The gradient of a masked element is 0, whatever g and y hold there.
        """
        if where is lengths is dtype is backend is None and temperature is ONE:
            result = self._common(grad_output, output, axis, out)
            if result is not None:
                return result
        return self._over_axes((grad_output, output), axis, out, where, lengths, temperature, dtype, backend)


class Softmin(Softmax):
    """softmin(x)_i = exp(-x_i / T) / sum_j exp(-x_j / T): softmax(-x), without a copy of x.

    Parameters, errors, accuracy and layouts are those of `fastact.softmax`.

    Examples
    --------
    >>> import fastact as fa
    >>> fa.softmin([0.1, 1.0, 2.0]).round(3)
    array([0.643, 0.261, 0.096])
    """

    name = "softmin"
    sign = -1
    metadata = Metadata(
        formula="exp(-x_i) / sum_j exp(-x_j)",
        range="[0, 1], summing to 1",
        reference="Bridle 1990, doi:10.1007/978-3-642-76153-9_28",
        max_ulp=3.5,
        notes={
            "for": "probabilities from costs or distances: the smallest is the likeliest",
            "against": "not for hidden layers",
            "use": "attention or assignment by distance",
        },
    )

    def _common(self, grad: Any, x: Any, axis: Any, out: Any) -> Any:
        return None  # no kernel takes -x

    def backward(self, grad_output: ArrayLike, output: ArrayLike, *arguments: Any, **keywords: Any) -> Any:
        """The gradient for the input, -y * (g - sum(g * y)) / T; arguments as for `softmax.backward`."""
        return super().backward(grad_output, output, *arguments, **keywords)


class LogSoftmax(Softmax):
    """log_softmax(x)_i = x_i / T - log(sum_j exp(x_j / T)) over the elements of one or several axes.

    Parameters, errors and layouts are those of `fastact.softmax`; the result of a masked element is -inf.

    Notes
    -----
    The error is at most 4 ULP, near 0 too, where one element dominates: the logarithm is taken of 1 + the sum of the
    others. A row that holds NaN or +inf, or nothing but -inf, is NaN (SciPy gives -inf beside a +inf); otherwise -inf
    stays -inf.

    References
    ----------
    P. Blanchard, D. J. Higham, N. J. Higham, "Accurately computing the log-sum-exp and softmax functions",
    IMA Journal of Numerical Analysis 41 (2021), pp. 2311-2330.

    Examples
    --------
    >>> import fastact as fa
    >>> fa.log_softmax([2.0, 1.0, 0.1]).round(3)
    array([-0.417, -1.417, -2.317])
    """

    name = "log_softmax"
    computation = "log_softmax"
    metadata = Metadata(
        formula="x_i - log(sum_j exp(x_j))",
        range="(-inf, 0]",
        reference="Blanchard, Higham and Higham 2021, doi:10.1093/imanum/draa038",
        max_ulp=4.0,
        notes={
            "for": "log of softmax without its underflow",
            "against": "not for hidden layers",
            "use": "what cross-entropy is computed from",
        },
    )

    def backward(self, grad_output: ArrayLike, output: ArrayLike, *arguments: Any, **keywords: Any) -> Any:
        """The gradient for the input, (g - exp(y) * sum(g)) / T, where y = log_softmax(x) is the OUTPUT; arguments as
        for `softmax.backward`.
        """
        return super().backward(grad_output, output, *arguments, **keywords)


softmax = Softmax()
softmin = Softmin()
log_softmax = LogSoftmax()
for _function in (softmax, log_softmax, softmin):
    registry.add(_function)
