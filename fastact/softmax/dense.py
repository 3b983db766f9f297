"""softmax, log_softmax, softmin and logsumexp: the public objects.

Imported by the package's __init__ and its registry. An operation of this family is a class below with its docstring,
an object at the end of the file, a kernel in _softmax_kernels.pxi and a reference in backends/_softmax_numpy.py. What
arguments may be is in _axes.py.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from fastact._core import dispatch
from fastact._core import registry as _registry
from fastact._core.arguments import (
    PYTHON_NUMBERS,
    Axis,
    Options,
    as_array,
    as_dtype,
    as_lengths,
    as_mask,
    as_temperature,
    check_out,
    float_dtype,
    normalize_axes,
    reduced,
    rounded,
    wide_dtype,
)
from fastact._core.devices import on_gpu
from fastact._native.arithmetic import standard_arithmetic
from fastact.errors import BackendError

__all__ = ["LogSoftmax", "LogSumExp", "Softmax", "Softmin", "log_softmax", "logsumexp", "softmax", "softmin"]

_ONE = 1.0  # the default temperature is known by its identity
_SINGLES = np.dtype(np.float32), np.dtype(np.float64)


class _OverAxes:
    """What all of the family have: a kernel's name, how they print and pickle, and `explain`."""

    name: ClassVar[str]
    formula: ClassVar[str]
    kind: ClassVar[str]  # the backends' name of the operation
    kernel: ClassVar[int]  # the number of its kernel, if calls without options are common; each class has its own
    family: ClassVar[str] = "softmax"  # what a backend must offer
    sign: ClassVar[int] = 1  # what x is multiplied with

    def __init_subclass__(cls) -> None:
        cls.kernel = cls.__dict__.get("kernel", -1)

    def explain(self, kernels: ModuleType, x: ArrayLike, axis: Axis = -1, **_: Any) -> str:
        """Which of the backend's loops a call would take: `fastact.explain` has chosen the backend."""
        backend = kernels.__name__.rpartition(".")[2]
        if not hasattr(kernels, "explain"):
            return f"backend {backend!r}"
        array = np.atleast_1d(as_array(self.name, x))
        axes = normalize_axes(axis, array.ndim)
        return f"backend {backend!r}, {float_dtype(self.name, array.dtype)}, {kernels.explain(self.kind, array, axes)}"

    def __repr__(self) -> str:
        return f"<fastact.{self.name}: {self.formula}>"

    def __reduce__(self) -> str:
        return self.name


class Softmax(_OverAxes):
    """softmax(x)_i = exp(x_i / T) / sum_j exp(x_j / T) over the elements of one or several axes.

    Parameters
    ----------
    x : array_like
        float16, bfloat16, float32 and float64 keep their dtype (the half types are computed in float32 and rounded
        once); bool and integers become the float that ``np.exp`` would give. Any memory layout and byte order. An array
        on a GPU gives such an array, and a mask is on the GPU then too.
    axis : int, tuple of int or None, default -1
        The elements that sum to 1; None takes all of `x`.
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
        A backend by name ("cython", "numpy", "cuda"); by default the one that fits `x`.

    Returns
    -------
    ndarray
        Of `x`'s shape; a scalar for a scalar.

    Raises
    ------
    numpy.exceptions.AxisError
        `axis` is out of bounds.
    TypeError
        `x` is complex, longdouble, object or masked; `where` is not boolean, `lengths` not integer; `out` is not an
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
    """

    name: ClassVar[str] = "softmax"
    kind: ClassVar[str] = "softmax"
    kernel = 0
    formula: ClassVar[str] = "exp(x_i) / sum_j exp(x_j)"
    range: ClassVar[str] = "[0, 1], summing to 1"
    parameters: ClassVar[dict[str, Any]] = {}
    reference: ClassVar[str] = "Bridle 1990, doi:10.1007/978-3-642-76153-9_28"
    max_ulp: ClassVar[float] = 3.5
    notes: ClassVar[dict[str, str]] = {
        "for": "probabilities over classes",
        "against": "not for hidden layers: its outputs compete, and its gradient vanishes",
        "use": "output of multi-class classification, trained with cross-entropy",
    }
    aliases: ClassVar[tuple[str, ...]] = ()

    def __call__(
        self,
        x: ArrayLike,
        axis: Axis = -1,
        where: ArrayLike | str | None = None,
        temperature: ArrayLike = _ONE,
        out: np.ndarray | None = None,
        *,
        lengths: ArrayLike | None = None,
        dtype: DTypeLike | None = None,
        backend: str | None = None,
    ) -> Any:
        if where is lengths is dtype is backend is None and temperature is _ONE:
            result = dispatch.common_softmax(self.kernel, None, x, axis, out)
            if result is not None:
                return result
        return _apply(self, (x,), axis, where, lengths, temperature, out, dtype, backend)

    def backward(
        self,
        grad_output: ArrayLike,
        output: ArrayLike,
        axis: Axis = -1,
        where: ArrayLike | str | None = None,
        temperature: ArrayLike = _ONE,
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
        operands = grad_output, output
        if where is lengths is dtype is backend is None and temperature is _ONE:
            result = dispatch.common_softmax(self.kernel, grad_output, output, axis, out)
            if result is not None:
                return result
        return _apply(self, operands, axis, where, lengths, temperature, out, dtype, backend)


class Softmin(Softmax):
    """softmin(x)_i = exp(-x_i / T) / sum_j exp(-x_j / T): softmax(-x), without a copy of x.

    Parameters, errors, accuracy and layouts are those of :class:`Softmax`.
    """

    name = "softmin"
    sign = -1
    formula = "exp(-x_i) / sum_j exp(-x_j)"
    notes: ClassVar[dict[str, str]] = {
        "for": "probabilities from costs or distances: the smallest is the likeliest",
        "against": "not for hidden layers",
        "use": "attention or assignment by distance",
    }

    def backward(self, grad_output: ArrayLike, output: ArrayLike, *arguments: Any, **keywords: Any) -> Any:
        """The gradient for the input, -y * (g - sum(g * y)) / T; arguments as for `softmax.backward`."""
        return super().backward(grad_output, output, *arguments, **keywords)


class LogSoftmax(Softmax):
    """log_softmax(x)_i = x_i / T - log(sum_j exp(x_j / T)) over the elements of one or several axes.

    Parameters, errors and layouts are those of :class:`Softmax`; the result of a masked element is -inf.

    Notes
    -----
    The error is at most 4 ULP, near 0 too, where one element dominates: the logarithm is taken of 1 + the sum of the
    others. A row that holds NaN or +inf, or nothing but -inf, is NaN (SciPy gives -inf beside a +inf); otherwise -inf
    stays -inf.

    References
    ----------
    P. Blanchard, D. J. Higham, N. J. Higham, "Accurately computing the log-sum-exp and softmax functions",
    IMA Journal of Numerical Analysis 41 (2021), pp. 2311-2330.
    """

    name = "log_softmax"
    kind = "log_softmax"
    kernel = 1
    max_ulp = 4.0
    formula = "x_i - log(sum_j exp(x_j))"
    range = "(-inf, 0]"
    reference = "Blanchard, Higham and Higham 2021, doi:10.1093/imanum/draa038"
    notes: ClassVar[dict[str, str]] = {
        "for": "log of softmax without its underflow",
        "against": "not for hidden layers",
        "use": "what cross-entropy is computed from",
    }

    def backward(self, grad_output: ArrayLike, output: ArrayLike, *arguments: Any, **keywords: Any) -> Any:
        """The gradient for the input, (g - exp(y) * sum(g)) / T, where y = log_softmax(x) is the OUTPUT; arguments as
        for `softmax.backward`."""
        return super().backward(grad_output, output, *arguments, **keywords)


class LogSumExp(_OverAxes):
    """logsumexp(x) = log(sum_j b_j exp(x_j / T)) over the elements of one or several axes, which it reduces.

    Parameters
    ----------
    x : array_like
        As for :class:`Softmax`.
    axis : int, tuple of int or None, default None
        The axes to sum over; None takes all of `x`, as SciPy and NumPy's reductions do.
    b : array_like, optional
        Weights, which broadcast against `x`, and `x` against them; they may be negative. An element of weight 0 is not
        read. With weights the sum is computed by plain NumPy, and `out` and `dtype` are not taken.
    keepdims : bool, default False
        Keep the reduced axes, with size 1.
    return_sign : bool, default False
        Return the sign of the sum too; without it, the result for a negative sum is NaN.
    out : ndarray, optional
        Where to write; of the result's shape and dtype.
    where, lengths, temperature, dtype, backend
        As for :class:`Softmax`.

    Returns
    -------
    ndarray or scalar, or a pair of them
        The logarithm of the sum's magnitude, and with `return_sign` its sign: 1, 0, -1 or NaN.

    Raises
    ------
    numpy.exceptions.AxisError, TypeError, ValueError
        As for :class:`Softmax`; `b` does not broadcast.

    Notes
    -----
    The sum over no elements, along an axis of size 0 or all masked, is 0, and its logarithm -inf, as SciPy has it. +inf
    among the elements gives +inf, nothing but -inf gives -inf; NaN gives NaN. The error is at most 2 ULP of the larger
    of the result and max(x).

    References
    ----------
    Blanchard, Higham and Higham 2021, as for :class:`LogSoftmax`.
    """

    name = "logsumexp"
    kind = "logsumexp"
    kernel = 2
    formula = "log(sum_j exp(x_j))"

    def __call__(
        self,
        x: ArrayLike,
        axis: Axis = None,
        b: ArrayLike | None = None,
        keepdims: bool = False,
        return_sign: bool = False,
        out: np.ndarray | None = None,
        *,
        where: ArrayLike | str | None = None,
        lengths: ArrayLike | None = None,
        temperature: ArrayLike = _ONE,
        dtype: DTypeLike | None = None,
        backend: str | None = None,
    ) -> Any:
        if b is where is lengths is dtype is out is backend is None and temperature is _ONE and not return_sign:
            result = dispatch.common_softmax(self.kernel, None, x, axis, None)
            if result is not None:
                result = rounded(result, x.dtype)  # type: ignore[union-attr]
                return result if keepdims else result.squeeze(axis)[()]
        if on_gpu(x) and (b is not None or return_sign):
            raise BackendError("logsumexp takes no b or return_sign with x on the GPU; copy x to the host")
        if b is not None:
            if out is not None or dtype is not None:
                raise TypeError("logsumexp takes no out or dtype together with b; convert x, or assign the result")
            value, sign = _weighted(self, x, b, axis, keepdims, where, lengths, temperature)
            if return_sign:
                return value, sign
            with standard_arithmetic():  # NaN is compared
                return np.where(sign < 0, np.nan, value)[()]
        value = _apply(self, (x,), axis, where, lengths, temperature, out, dtype, backend, keepdims)
        if not return_sign:
            return value
        with standard_arithmetic():
            return value, np.where(np.isnan(value), value, value > -np.inf)[()]

    def explain(self, kernels: ModuleType, x: ArrayLike, axis: Axis = None, **_: Any) -> str:
        return super().explain(kernels, x, axis)

    def backward(
        self,
        grad_output: ArrayLike,
        x: ArrayLike,
        axis: Axis = None,
        out: np.ndarray | None = None,
        *,
        where: ArrayLike | str | None = None,
        lengths: ArrayLike | None = None,
        temperature: ArrayLike = _ONE,
        dtype: DTypeLike | None = None,
        backend: str | None = None,
    ) -> Any:
        """The gradient for the input, g * softmax(x) / T, from the gradient for the result and the INPUT.

        Parameters
        ----------
        grad_output : array_like
            g, of the result's shape, with or without the reduced axes.
        x, axis, out, where, lengths, temperature, dtype, backend
            As in the forward call; without weights.
        """
        return _apply(self, (grad_output, x), axis, where, lengths, temperature, out, dtype, backend)


def _apply(
    function: _OverAxes,
    operands: tuple[Any, ...],
    axis: Axis,
    where: ArrayLike | str | None,
    lengths: ArrayLike | None,
    temperature: ArrayLike,
    out: np.ndarray | None,
    dtype: DTypeLike | None,
    backend: str | None,
    keepdims: bool = True,
) -> Any:
    """Check the arguments and hand them to a backend: float arrays of one dtype, axes counted from 0."""
    x, kind = operands[-1], function.kind
    kernels = dispatch.choose(function.family, backend, x)
    plain = (
        where is None and lengths is None and dtype is None and type(temperature) is float
        and temperature == 1.0 and function.sign == 1
    )  # fmt: skip
    if (
        plain and out is None and len(operands) == 1 and type(x) is np.ndarray and type(axis) is int
        and x.dtype in _SINGLES and -x.ndim <= axis < x.ndim and kind != "logsumexp"
    ):  # fmt: skip
        return kernels.softmax(kind, operands, (axis % x.ndim,), None)  # checked in a fraction of the time
    if on_gpu(x):
        return kernels.softmax_on_device(function, operands, axis, where, lengths, temperature, out, dtype, keepdims)

    arrays = [as_array(function.name, operand) for operand in operands]
    strong = arrays[1:] if len(arrays) == 2 and type(operands[0]) in PYTHON_NUMBERS else arrays
    natural = np.result_type(*(float_dtype(function.name, array.dtype) for array in strong))
    shape = arrays[-1].shape
    axes = normalize_axes(axis, max(len(shape), 1))  # as np.sum: a scalar has an axis 0
    whole = shape or (1,)
    if kind == "logsumexp":
        rest = tuple(size for i, size in enumerate(shape) if i not in axes)
        kept = reduced(shape, axes)
        allowed, result_shape = [rest, kept], (kept if keepdims else rest) if len(arrays) == 1 else shape
    else:
        allowed, result_shape = [shape], shape
    if len(arrays) == 2 and arrays[0].shape not in allowed:
        raise ValueError(f"grad_output has shape {arrays[0].shape}; {function.name} of this has {allowed[0]}")
    options = None
    if not plain:
        result_dtype = natural if dtype is None else as_dtype(dtype)
        options = _options(function, whole, axes, where, lengths, temperature, result_dtype)
    if out is not None:
        check_out(out, result_shape, natural if options is None else options.dtype)
    ready = [a if a.dtype.newbyteorder("=") == natural else rounded(a, natural) for a in arrays]
    ready[-1] = ready[-1].reshape(whole)
    if len(arrays) == 2:
        ready[0] = ready[0].reshape(whole if kind != "logsumexp" else reduced(whole, axes))
    target = out
    if target is not None and target.ndim < len(whole):
        target = target.reshape(1) if shape == () else np.expand_dims(target, axes)
    result = kernels.softmax(kind, tuple(ready), axes, target, options)
    if out is not None:
        return out
    if result.shape != result_shape:
        result = result.reshape(result_shape)
    return result if result_shape else result[()]


def _weighted(
    function: _OverAxes,
    x: ArrayLike,
    b: ArrayLike,
    axis: Axis,
    keepdims: bool,
    where: ArrayLike | str | None,
    lengths: ArrayLike | None,
    temperature: ArrayLike,
) -> tuple[Any, Any]:
    """logsumexp with weights, and the sign: the weights of masked elements are 0."""
    arrays = np.broadcast_arrays(as_array(function.name, x), as_array(function.name, b))
    dtype = float_dtype(function.name, np.result_type(*arrays))
    shape, wide = arrays[0].shape or (1,), wide_dtype(dtype)
    axes = normalize_axes(axis, len(shape))
    options = _options(function, shape, axes, where, lengths, temperature, dtype)
    values, weights = (rounded(array, wide).reshape(shape) for array in arrays)
    mask = options.mask(shape, axes)
    if mask is not None:
        weights = np.where(mask, weights, wide.type(0))
    with standard_arithmetic():
        values = values / np.asarray(options.temperature, wide)
    parts = dispatch.choose("softmax", "numpy", values).signed_logsumexp(values, weights, axes)
    value, sign = (rounded(part, dtype) if keepdims else rounded(part, dtype).squeeze(axes)[()] for part in parts)
    return value, sign


def _options(
    function: _OverAxes,
    shape: tuple[int, ...],
    axes: tuple[int, ...],
    where: ArrayLike | str | None,
    lengths: ArrayLike | None,
    temperature: ArrayLike,
    dtype: np.dtype[Any],
) -> Options:
    mask, causal = (None, False) if where is None else as_mask(where, shape, axes)
    counts = None if lengths is None else as_lengths(lengths, shape, axes)
    return Options(dtype, mask, causal, counts, function.sign * as_temperature(temperature, shape))


softmax = Softmax()
softmin = Softmin()
log_softmax = LogSoftmax()
logsumexp = LogSumExp()
for _function in (softmax, log_softmax, softmin):
    _registry.add(_function)
