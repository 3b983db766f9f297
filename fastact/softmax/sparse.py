"""sparsemax, entmax15, hardmax and gumbel_softmax: softmax's relatives with exact zeros, and its random one.

Imported by the package's __init__ and its registry. The first two are formulas in _rows.py with a reference in
backends/_softmax_numpy.py, hardmax has kernels beside softmax's, for GPUs all three are in
backends/cuda/sparse_kernels.py, and they take every argument of softmax; the last draws noise and leaves the rest to
softmax.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from fastact._core import registry as _registry
from fastact._core.arguments import Axis, as_array, as_dtype, float_dtype, rounded, wide_dtype
from fastact._core.devices import on_gpu
from fastact._native.arithmetic import standard_arithmetic
from fastact.softmax.dense import Softmax, softmax

__all__ = ["Entmax15", "GumbelSoftmax", "Hardmax", "Sparsemax", "entmax15", "gumbel_softmax", "hardmax", "sparsemax"]


class Sparsemax(Softmax):
    """sparsemax(x)_i = max(x_i / T - t, 0), where the threshold t makes the sum 1: the nearest probabilities to x / T.

    Parameters, errors and layouts are those of :class:`Softmax`; the backends are "threads" (by default), "serial",
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
    """

    name = "sparsemax"
    kind = "sparsemax"
    family = "sparse"
    formula = "max(x_i - t, 0), t such that the sum is 1"
    range = "[0, 1], summing to 1"
    reference = "Martins and Astudillo 2016, arXiv:1602.02068"
    max_ulp = 0.51
    notes: ClassVar[dict[str, str]] = {
        "for": "probabilities that are exactly 0 for all but a few",
        "against": "no gradient reaches what is 0",
        "use": "attention that can be read, multi-label classification",
    }

    def backward(self, grad_output: ArrayLike, output: ArrayLike, *arguments: Any, **keywords: Any) -> Any:
        """The gradient for the input, (g - mean of g where y > 0) / T where y > 0 and else 0, from the OUTPUT y.

        Arguments as for `softmax.backward`. Where y is 0, g is not read. At a kink, where an element is just at the
        threshold, it is the gradient from the side on which the element stays 0.
        """
        return super().backward(grad_output, output, *arguments, **keywords)

    def operations(self) -> list[Sparsemax]:
        """What `fastact.warmup` is to compile."""
        return [self]

    def compile(self) -> None:
        """Compile the forward and the backward pass for float32 and float64."""
        for dtype in (np.float32, np.float64):
            one = self(np.zeros(1, dtype))
            self.backward(one, one)


class Entmax15(Sparsemax):
    """entmax15(x)_i = max(x_i / 2T - t, 0)**2, where the threshold t makes the sum 1: between softmax and sparsemax.

    Parameters, errors, layouts and special numbers are those of :class:`Sparsemax`.

    Notes
    -----
    Elements 2 or more below the largest are always 0. The error is at most 0.51 ULP, of every element however small.
    The gradient is continuous everywhere.

    References
    ----------
    B. Peters, V. Niculae, A. F. T. Martins, "Sparse sequence-to-sequence models", ACL 2019,
    doi:10.18653/v1/P19-1146.
    """

    name = "entmax15"
    kind = "entmax15"
    formula = "max(x_i / 2 - t, 0)^2, t such that the sum is 1"
    reference = "Peters, Niculae and Martins 2019, doi:10.18653/v1/P19-1146"
    notes: ClassVar[dict[str, str]] = {
        "for": "sparse probabilities, with a gradient that has no jumps",
        "against": "no gradient reaches what is 0",
        "use": "attention and output of sequence models",
    }

    def backward(self, grad_output: ArrayLike, output: ArrayLike, *arguments: Any, **keywords: Any) -> Any:
        """The gradient for the input, w * (g - sum(w * g) / sum(w)) / T with w = sqrt(y), from the OUTPUT y.

        Arguments as for `softmax.backward`. Where y is 0, g is not read.
        """
        return super().backward(grad_output, output, *arguments, **keywords)


class Hardmax(Softmax):
    """hardmax(x)_i = 1 for the first of the largest elements over one or several axes, 0 for all others.

    Parameters, errors and layouts are those of :class:`Softmax`; over several axes the first one is that in C order.

    Notes
    -----
    The result is exact. A row with NaN is NaN, and so is one of nothing but -inf; a row without elements is 0.

    References
    ----------
    ONNX, operator Hardmax, version 13.
    """

    name = "hardmax"
    kind = "hardmax"
    kernel = 3
    formula = "1 if x_i is the first maximum else 0"
    range = "{0, 1}, summing to 1"
    reference = "ONNX, operator Hardmax"
    max_ulp = 0.0
    notes: ClassVar[dict[str, str]] = {
        "for": "a decision as a one-hot row",
        "against": "its gradient is 0 everywhere",
        "use": "inference; in training gumbel_softmax(hard=True)",
    }

    def backward(self, grad_output: ArrayLike, output: ArrayLike, *arguments: Any, **keywords: Any) -> Any:
        """The gradient for the input, which is 0 (NaN in rows of NaN); arguments as for `softmax.backward`."""
        return super().backward(grad_output, output, *arguments, **keywords)


class GumbelSoftmax:
    """gumbel_softmax(x) = softmax((x + g) / tau) with random g: a differentiable sample of a category.

    g is Gumbel noise, -log(-log(u)) with u uniform in (0, 1); the largest element of the result is the i-th with the
    probability softmax(x)_i.

    Parameters
    ----------
    x : array_like
        Logits; dtypes as for :class:`Softmax`.
    rng : numpy.random.Generator
        Draws the noise, one number for each element, masked or not: the same seed gives the same sample.
    tau : float, default 1.0
        The temperature, positive: near 0 samples are near to one-hot.
    hard : bool, default False
        Whether the result is one-hot: `hardmax` of the soft sample.
    axis, where, lengths, out, dtype, backend
        As for :class:`Softmax`.
    return_soft : bool, default False
        Whether to return the soft sample too, which the backward pass of a hard one needs.

    Returns
    -------
    ndarray or scalar, or a pair of them
        Of `x`'s shape; with `return_soft` also the soft sample.

    Raises
    ------
    TypeError
        `rng` is not a `numpy.random.Generator`, or x is on the GPU.
    numpy.exceptions.AxisError, TypeError, ValueError
        As for :class:`Softmax`.

    References
    ----------
    E. Jang, S. Gu, B. Poole, "Categorical reparameterization with Gumbel-softmax", ICLR 2017, arXiv:1611.01144;
    C. J. Maddison, A. Mnih, Y. W. Teh, "The concrete distribution: a continuous relaxation of discrete random
    variables", ICLR 2017, arXiv:1611.00712.

    Examples
    --------
    >>> import numpy as np
    >>> import fastact as fa
    >>> x = np.zeros((2, 3))
    >>> y, soft = fa.gumbel_softmax(x, np.random.default_rng(0), tau=0.5, hard=True, return_soft=True)
    >>> y.sum(axis=-1).tolist()
    [1.0, 1.0]
    >>> gradient = fa.gumbel_softmax.backward(np.ones((2, 3)), soft, tau=0.5)
    """

    name: ClassVar[str] = "gumbel_softmax"
    formula: ClassVar[str] = "exp((x_i + g_i) / tau) / sum_j exp((x_j + g_j) / tau), g random"
    reference: ClassVar[str] = (
        "Jang, Gu and Poole 2017, arXiv:1611.01144; Maddison, Mnih and Teh 2017, arXiv:1611.00712"
    )

    def __call__(
        self,
        x: ArrayLike,
        rng: np.random.Generator,
        tau: float = 1.0,
        hard: bool = False,
        axis: Axis = -1,
        where: ArrayLike | str | None = None,
        out: np.ndarray | None = None,
        *,
        lengths: ArrayLike | None = None,
        dtype: DTypeLike | None = None,
        return_soft: bool = False,
        backend: str | None = None,
    ) -> Any:
        noisy, dtype = _with_noise(self.name, x, rng, dtype)
        arguments: dict[str, Any] = {
            "axis": axis,
            "where": where,
            "lengths": lengths,
            "dtype": dtype,
            "backend": backend,
        }
        soft = softmax(noisy, temperature=tau, out=None if hard else out, **arguments)
        y = hardmax(noisy, out=out, **arguments) if hard else soft
        return (y, soft) if return_soft else y

    def backward(
        self, grad_output: ArrayLike, soft: ArrayLike, tau: float = 1.0, axis: Axis = -1, **keywords: Any
    ) -> Any:
        """The gradient for the logits from the SOFT sample, for hard samples too (the straight-through estimator).

        Parameters
        ----------
        grad_output, soft : array_like
            The gradient for the result, and the soft sample: the result itself unless `hard`.
        tau, axis
            As in the forward call.
        where, lengths, out, dtype, backend
            As for `softmax.backward`.
        """
        return softmax.backward(grad_output, soft, axis, temperature=tau, **keywords)

    def __repr__(self) -> str:
        return f"<fastact.{self.name}: {self.formula}>"

    def __reduce__(self) -> str:
        return self.name


def _with_noise(
    name: str, x: Any, rng: np.random.Generator, dtype: DTypeLike | None
) -> tuple[np.ndarray, np.dtype[Any]]:
    """x plus Gumbel noise, computed as widely as the result is, and the dtype of the result."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(
            f"rng={rng!r} is a {type(rng).__name__}; pass a numpy.random.Generator, such as np.random.default_rng(seed)"
        )
    if on_gpu(x):
        raise TypeError("x is on the GPU, and noise is drawn on the host; add it to x there and call softmax")
    array = as_array(name, x)
    natural = float_dtype(name, array.dtype)
    wanted = natural if dtype is None else as_dtype(dtype)
    wide = wide_dtype(natural, wanted)
    noise = np.asarray(rng.standard_exponential(array.shape, wide))
    np.maximum(noise, np.finfo(wide).tiny, out=noise)  # 0 may be drawn, and would be infinite noise
    np.log(noise, out=noise)
    with standard_arithmetic():
        return np.subtract(rounded(array, wide), noise, out=noise), wanted


sparsemax = Sparsemax()
entmax15 = Entmax15()
hardmax = Hardmax()
gumbel_softmax = GumbelSoftmax()
for _function in (sparsemax, entmax15, hardmax):
    _registry.add(_function)
