"""softmax and log_softmax: the public objects, and the checks that every backend relies on.

Imported by the package's __init__ and its registry. An operation of this family is a class below with its docstring,
an object at the end of the file, a kernel in _softmax_kernels.pxi and a reference in backends/_softmax_numpy.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple
from numpy.typing import ArrayLike, NDArray

from . import _dispatch, _registry

__all__ = ["LogSoftmax", "Softmax", "log_softmax", "softmax"]

Axis = int | Sequence[int] | None

_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)


class Softmax:
    """softmax(x)_i = exp(x_i) / sum_j exp(x_j) over the elements of one or several axes.

    Parameters
    ----------
    x : array_like
        float16, float32 and float64 keep their dtype (float16 is computed in float32 and rounded once); bool and
        integers become the float that ``np.exp`` would give. Any memory layout and byte order.
    axis : int, tuple of int or None, default -1
        The elements that sum to 1; None takes all of `x`.
    out : ndarray, optional
        Where to write; of the result's shape and dtype. It may be `x`, or overlap it.
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
        `x` is complex, longdouble, object or masked; `out` is not an array of the result's dtype.
    ValueError
        An axis is repeated; `out` has another shape or is read-only.

    Notes
    -----
    The error is at most 4 ULP for float32 and float64 rows of 1 to 10**6 elements, whatever their offset; subnormal
    results are kept. A row that holds NaN or +inf, or nothing but -inf, is NaN; otherwise exp(-inf) is exactly 0. Empty
    arrays stay empty. The same bits come out for any number of threads. No floating-point warning is raised.

    References
    ----------
    J. S. Bridle, "Probabilistic interpretation of feedforward classification network outputs", Neurocomputing,
    NATO ASI Series 68 (1990), pp. 227-236.
    """

    name: ClassVar[str] = "softmax"
    formula: ClassVar[str] = "exp(x_i) / sum_j exp(x_j)"
    range: ClassVar[str] = "[0, 1], summing to 1"
    parameters: ClassVar[dict[str, Any]] = {}
    reference: ClassVar[str] = "Bridle 1990, doi:10.1007/978-3-642-76153-9_28"
    max_ulp: ClassVar[float] = 4.0
    notes: ClassVar[dict[str, str]] = {
        "for": "probabilities over classes",
        "against": "not for hidden layers: its outputs compete, and its gradient vanishes",
        "use": "output of multi-class classification, trained with cross-entropy",
    }
    aliases: ClassVar[tuple[str, ...]] = ()

    def __call__(self, x: ArrayLike, axis: Axis = -1, out: np.ndarray | None = None, backend: str | None = None) -> Any:
        return _apply(self.name, (x,), axis, out, backend)

    def backward(
        self,
        grad_output: ArrayLike,
        output: ArrayLike,
        axis: Axis = -1,
        out: np.ndarray | None = None,
        backend: str | None = None,
    ) -> Any:
        """The gradient for the input, y * (g - sum(g * y)), from the gradient for the output and the OUTPUT itself.

        Parameters
        ----------
        grad_output, output : array_like
            g and y = softmax(x), of one shape; the dtype is that of both together.
        axis, out, backend
            As in the forward call.
        """
        return _apply(self.name, (grad_output, output), axis, out, backend)

    def explain(self, kernels: ModuleType, x: ArrayLike, axis: Axis = -1, **_: Any) -> str:
        """Which of the backend's loops a call would take: `fastact.explain` has chosen the backend."""
        backend = kernels.__name__.rpartition(".")[2]
        if not hasattr(kernels, "explain"):
            return f"backend {backend!r}"
        array = np.atleast_1d(_array(self.name, x))
        axes = tuple(sorted(normalize_axis_tuple(_all(axis, array.ndim), array.ndim)))
        return f"backend {backend!r}, {_float_dtype(self.name, array.dtype)}, {kernels.explain(array, axes)}"

    def __repr__(self) -> str:
        return f"<fastact.{self.name}: {self.formula}>"

    def __reduce__(self) -> tuple[Callable[[str], Any], tuple[str]]:
        return _registry.get, (self.name,)


class LogSoftmax(Softmax):
    """log_softmax(x)_i = x_i - log(sum_j exp(x_j)) over the elements of one or several axes.

    Parameters, errors and layouts are those of :class:`Softmax`.

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
    formula = "x_i - log(sum_j exp(x_j))"
    range = "(-inf, 0]"
    reference = "Blanchard, Higham and Higham 2021, doi:10.1093/imanum/draa038"
    notes: ClassVar[dict[str, str]] = {
        "for": "log of softmax without its underflow",
        "against": "not for hidden layers",
        "use": "what cross-entropy is computed from",
    }

    def backward(
        self,
        grad_output: ArrayLike,
        output: ArrayLike,
        axis: Axis = -1,
        out: np.ndarray | None = None,
        backend: str | None = None,
    ) -> Any:
        """The gradient for the input, g - exp(y) * sum(g), from the gradient for the output and the OUTPUT itself.

        Parameters
        ----------
        grad_output, output : array_like
            g and y = log_softmax(x), of one shape; the dtype is that of both together.
        axis, out, backend
            As in the forward call.
        """
        return _apply(self.name, (grad_output, output), axis, out, backend)


def _apply(kind: str, operands: tuple[Any, ...], axis: Axis, out: np.ndarray | None, backend: str | None) -> Any:
    """Check the arguments and hand them to a backend: float arrays of one shape and dtype, axes counted from 0."""
    x = operands[-1]
    kernels = _dispatch.softmax_backend(backend, x)
    if type(x) is np.ndarray and out is None and len(operands) == 1 and type(axis) is int:
        ndim = x.ndim  # the common call, checked in a fraction of the time
        if -ndim <= axis < ndim and (x.dtype is _FLOAT32 or x.dtype is _FLOAT64):
            return kernels.softmax(kind, operands, (axis % ndim,), None)
    if hasattr(x, "__cuda_array_interface__"):
        return kernels.softmax(kind, operands, normalize_axis_tuple(_all(axis, x.ndim), x.ndim), out)

    arrays = [_array(kind, operand) for operand in operands]
    dtype = np.result_type(*(_float_dtype(kind, array.dtype) for array in arrays))
    shape = arrays[-1].shape
    if arrays[0].shape != shape:
        raise ValueError(f"grad_output has shape {arrays[0].shape}, output {shape}; they must be equal")
    _check_out(out, shape, dtype)
    keep = [a if a.dtype.newbyteorder("=") == dtype else a.astype(dtype, order="K") for a in arrays]
    if shape == ():  # as np.sum: a scalar has an axis 0
        normalize_axis_tuple(_all(axis, 1), 1)
        result = kernels.softmax(kind, tuple(a.reshape(1) for a in keep), (0,), None).reshape(())
        if out is None:
            return result[()]
        out[()] = result
        return out
    axes = tuple(sorted(normalize_axis_tuple(_all(axis, len(shape)), len(shape))))
    return kernels.softmax(kind, tuple(keep), axes, out)


def _all(axis: Axis, ndim: int) -> int | Sequence[int]:
    return range(ndim) if axis is None else axis


def _array(kind: str, operand: Any) -> NDArray[Any]:
    if isinstance(operand, np.ma.MaskedArray):
        raise TypeError(f"{kind} does not take masked arrays; pass x.filled(-np.inf)")
    return np.asarray(operand)


def _float_dtype(kind: str, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of the result for an input of `dtype`, as np.exp has it, in native byte order."""
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise TypeError(
            f"ufunc '{kind}' not supported for the input types, and the inputs could not be safely coerced to any "
            f"supported types according to the casting rule ''safe'' (x is {dtype}; convert it to float64)"
        )
    return dtype.newbyteorder("=") if dtype.kind == "f" else np.exp.resolve_dtypes((dtype, None))[1]


def _check_out(out: np.ndarray | None, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if out is None:
        return
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out is a {type(out).__name__}; pass a numpy array of shape {shape} and dtype {dtype}")
    if out.dtype.newbyteorder("=") != dtype:
        raise TypeError(f"out has dtype {out.dtype}, the result {dtype}; pass an array of dtype {dtype}")
    if out.shape != shape:
        raise ValueError(f"out has shape {out.shape}, the result {shape}; pass an array of shape {shape}")
    if not out.flags.writeable:
        raise ValueError("out is read-only; pass a writeable array")


softmax = Softmax()
log_softmax = LogSoftmax()
_registry.add(softmax)
_registry.add(log_softmax)
