"""gumbel_softmax: draws noise, and leaves the rest to softmax and hardmax."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from fastact._core import containers, registry
from fastact._core.arguments import positive
from fastact._core.arrays import Axis, as_array, as_dtype, float_dtype, rounded, wide_dtype
from fastact._core.devices import on_gpu
from fastact._core.function import Function, Metadata
from fastact._kernels.native.arithmetic import standard_arithmetic
from fastact.functions.softmax.dense import softmax
from fastact.functions.softmax.sparse import hardmax

__all__ = ["GumbelSoftmax", "gumbel_softmax"]


class GumbelSoftmax(Function):
    """gumbel_softmax(x) = softmax((x + g) / tau) with random g: a differentiable sample of a category.

    g is Gumbel noise, -log(-log(u)) with u uniform in (0, 1); the largest element of the result is the i-th with the
    probability softmax(x)_i.

    Parameters
    ----------
    x : array_like
        Logits; dtypes as for `fastact.softmax`.
    rng : numpy.random.Generator
        Draws the noise, one number for each element, masked or not: the same seed gives the same sample.
    tau : float, default 1.0
        The temperature, positive: near 0 samples are near to one-hot.
    hard : bool, default False
        Whether the result is one-hot: `hardmax` of the soft sample.
    axis, where, lengths, out, dtype, backend
        As for `fastact.softmax`.
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
        As for `fastact.softmax`.

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

    name = "gumbel_softmax"
    kind = "sampling"
    _family = "softmax"
    parameters = MappingProxyType({"tau": 1.0})
    metadata = Metadata(
        formula="exp((x_i + g_i) / tau) / sum_j exp((x_j + g_j) / tau), g random",
        range="[0, 1], summing to 1",
        reference="Jang, Gu and Poole 2017, arXiv:1611.01144; Maddison, Mnih and Teh 2017, arXiv:1611.00712",
        notes={
            "for": "samples of a category that gradients pass through",
            "against": "random; as tau goes to 0 gradients vary without bound",
            "use": "discrete latent variables",
        },
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
        adapter = containers.adapter(x, where, out, lengths)
        if adapter is not None:
            options = {"rng": rng, "tau": tau, "hard": hard, "axis": axis, "where": where, "out": out}
            options |= {"lengths": lengths, "dtype": dtype, "return_soft": return_soft, "backend": backend}
            return adapter.call(self, "__call__", (x,), options)
        noisy, dtype = _with_noise(self.name, x, rng, dtype)
        arguments: dict[str, Any] = {
            "axis": axis,
            "where": where,
            "lengths": lengths,
            "dtype": dtype,
            "backend": backend,
        }
        soft = softmax(noisy, temperature=positive("tau", tau), out=None if hard else out, **arguments)
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
        return softmax.backward(grad_output, soft, axis, temperature=positive("tau", tau), **keywords)


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


gumbel_softmax = GumbelSoftmax()
registry.add(gumbel_softmax)
