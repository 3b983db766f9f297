"""logsumexp: the softmax family's sum, as a logarithm."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from fastact._core import containers, dispatch, registry
from fastact._core.arguments import softmax_arguments
from fastact._core.arrays import Axis, as_array, as_numbers, float_dtype, rounded
from fastact._core.devices import on_gpu
from fastact._core.function import Metadata
from fastact._kernels.native.arithmetic import standard_arithmetic
from fastact.errors import BackendError
from fastact.functions.softmax.over_axes import ONE, OverAxes

__all__ = ["LogSumExp", "logsumexp"]


class LogSumExp(OverAxes):
    """logsumexp(x) = log(sum_j b_j exp(x_j / T)) over the elements of one or several axes, which it reduces.

    Parameters
    ----------
    x : array_like
        As for `fastact.softmax`.
    axis : int, str, tuple of them or None, default None
        The axes to sum over; None takes all of `x`, as SciPy and NumPy's reductions do.
    b : array_like, optional
        Weights, which broadcast against `x`, and `x` against them; they may be negative. An element of weight 0 is not
        read. With weights "numpy" is the only backend, and `out` and `dtype` are not taken.
    keepdims : bool, default False
        Keep the reduced axes, with size 1.
    return_sign : bool, default False
        Return the sign of the sum too; without it, the result for a negative sum is NaN.
    out : ndarray, optional
        Where to write; of the result's shape and dtype.
    where, lengths, temperature, dtype, backend
        As for `fastact.softmax`.

    Returns
    -------
    ndarray or scalar, or a pair of them
        The logarithm of the sum's magnitude, and with `return_sign` its sign: 1, 0, -1 or NaN.

    Raises
    ------
    numpy.exceptions.AxisError, TypeError, ValueError
        As for `fastact.softmax`; `b` does not broadcast.
    BackendError
        `b` is given, and another backend than "numpy" is asked for, by the call or around it.

    Notes
    -----
    The sum over no elements, along an axis of size 0 or all masked, is 0, and its logarithm -inf, as SciPy has it. +inf
    among the elements gives +inf, nothing but -inf gives -inf; NaN gives NaN. The error is at most 2 ULP of the larger
    of the result and max(x).

    References
    ----------
    Blanchard, Higham and Higham 2021, as for `fastact.log_softmax`.

    Examples
    --------
    >>> import fastact as fa
    >>> float(fa.logsumexp([1000.0, 1000.0]).round(3))
    1000.693
    """

    name = "logsumexp"
    kind = "reduction"
    computation = "logsumexp"
    reduces = True
    metadata = Metadata(
        formula="log(sum_j exp(x_j))",
        reference="Blanchard, Higham and Higham 2021, doi:10.1093/imanum/draa038",
        max_ulp=2.0,
        notes={
            "for": "a smooth maximum; sums of probabilities that are kept as logarithms",
            "against": "one number for each row",
            "use": "normalising, and mixtures in log space",
        },
    )

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
        temperature: ArrayLike = ONE,
        dtype: DTypeLike | None = None,
        backend: str | None = None,
    ) -> Any:
        if b is where is lengths is dtype is out is backend is None and temperature is ONE and not return_sign:
            result = self._common(None, x, axis, None)
            if result is not None:
                result = rounded(result, x.dtype)  # type: ignore[union-attr]
                return result if keepdims else result.squeeze(axis)[()]
        if b is None and not return_sign:
            return self._over_axes((x,), axis, out, where, lengths, temperature, dtype, backend, keepdims)
        adapter = containers.adapter(x, b, out, where, lengths, temperature)
        if adapter is not None:
            options: dict[str, Any] = {
                "axis": axis,
                "b": b,
                "keepdims": keepdims,
                "return_sign": return_sign,
                "out": out,
            }
            options |= {"where": where, "lengths": lengths, "temperature": temperature, "dtype": dtype}
            return adapter.call(self, "__call__", (x,), {**options, "backend": backend})
        if on_gpu(x) and (b is not None or return_sign):
            raise BackendError("logsumexp takes no b or return_sign with x on the GPU; copy x to the host")
        if b is not None:
            if out is not None or dtype is not None:
                raise TypeError("logsumexp takes no out or dtype together with b; convert x, or assign the result")
            value, sign = self._weighted(x, b, axis, where, lengths, temperature, keepdims, backend)
            if return_sign:
                return value, sign
            with standard_arithmetic():  # NaN is compared
                return np.where(sign < 0, np.nan, value)[()]
        value = self._over_axes((x,), axis, out, where, lengths, temperature, dtype, backend, keepdims)
        with standard_arithmetic():
            return value, np.where(np.isnan(value), value, value > -np.inf)[()]

    def _weighted(
        self, x: ArrayLike, b: ArrayLike, axis: Axis, where: Any, lengths: Any, temperature: Any, keepdims: bool,
        backend: str | None,
    ) -> tuple[Any, Any]:  # fmt: skip
        """The result with weights, and the sign."""
        chosen = dispatch.choose("weighted sum", backend, x, b)
        values, weights = as_array(self.name, x), as_array(self.name, b)
        as_numbers("b", b)
        try:
            values, weights = np.broadcast_arrays(values, weights)
        except ValueError:
            shapes = f"b of shape {weights.shape} and x of shape {values.shape}"
            raise ValueError(f"{shapes} do not broadcast together") from None
        values = rounded(values, float_dtype(self.name, np.result_type(values, weights)))
        record = softmax_arguments(self, [values], axis, None, where, lengths, temperature, None, keepdims)
        return chosen.signed_logsumexp(record, weights)

    def backward(
        self,
        grad_output: ArrayLike,
        x: ArrayLike,
        axis: Axis = None,
        out: np.ndarray | None = None,
        *,
        where: ArrayLike | str | None = None,
        lengths: ArrayLike | None = None,
        temperature: ArrayLike = ONE,
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
        return self._over_axes((grad_output, x), axis, out, where, lengths, temperature, dtype, backend)


logsumexp = LogSumExp()
registry.add(logsumexp)
