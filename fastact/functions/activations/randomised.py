"""rrelu: leaky_relu with a random slope for each element.

Not an `Activation`, since it draws random numbers: the public object draws the slopes and leaves the rest to
leaky_relu, on any backend.
"""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastact._core import containers, registry
from fastact._core.arrays import as_float
from fastact._core.devices import on_gpu
from fastact._core.function import Function, Metadata
from fastact._kernels.native.arithmetic import standard_arithmetic
from fastact.functions.activations.piecewise import leaky_relu

__all__ = ["RRelu", "rrelu"]


class RRelu(Function):
    """Randomised leaky rectified linear unit: leaky_relu with a random slope for each element.

    In training the slopes are random, which regularises as dropout does; in evaluation all are their mean.

    Parameters
    ----------
    x : array_like
        Floats keep their dtype; other real dtypes are converted as by `leaky_relu`.
    lower, upper : float, default 1/8 and 1/3
        Slopes are drawn uniformly from [lower, upper).
    generator : numpy.random.Generator, optional
        Draws the slopes, one for each element whatever its sign: the same seed gives the same slopes. Without it every
        slope is (lower + upper) / 2.
    out : ndarray, optional
        Where to write.
    return_slopes : bool, default False
        Whether to return the slopes too, which the backward pass needs: `rrelu.backward(grad_output, x, slopes)`.
    backend : str, optional
        As for `leaky_relu`.

    Returns
    -------
    ndarray or scalar, or a tuple of two
        Of x's shape; with `return_slopes` also the slopes, of the result's shape and dtype.

    Raises
    ------
    TypeError
        `generator` is not a `numpy.random.Generator`, or x is on the GPU and `generator` is given.
    ValueError
        `lower` is larger than `upper`, or one of them is not finite.

    Notes
    -----
    Derivative at the kink: the slope. NaN gives NaN. Largest error in float32: 0.5 ULP. `fastact.MLP` passes no
    generator, and so trains with the mean slope.

    References
    ----------
    Xu, Wang, Chen, Li. Empirical evaluation of rectified activations in convolutional network. arXiv:1505.00853, 2015.

    Examples
    --------
    >>> import numpy as np
    >>> import fastact as fa
    >>> y, slopes = fa.rrelu(np.array([-1.0, 2.0]), generator=np.random.default_rng(0), return_slopes=True)
    >>> gradient = fa.rrelu.backward(np.ones(2), np.array([-1.0, 2.0]), slopes)
    >>> bool(y[0] == -slopes[0] and gradient[0] == slopes[0])
    True
    """

    name = "rrelu"
    kind = "activation"
    _family = "elementwise"
    parameters = MappingProxyType({"lower": 1 / 8, "upper": 1 / 3})
    metadata = Metadata(
        formula="x if x >= 0 else slope * x, slope random in [lower, upper) or their mean",
        derivative_formula="1 if x > 0 else slope",
        kinks="rrelu'(0) = slope",
        reference="Xu, Wang, Chen, Li. Empirical evaluation of rectified activations in convolutional network. "
        "arXiv:1505.00853, 2015.",
        notes={
            "for": "no dying units; its randomness regularises",
            "against": "random numbers cost more than all the rest; slopes must be kept for the backward pass",
            "use": "small data sets that a network overfits",
        },
        max_ulp=0.5,
    )

    def __call__(
        self,
        x: ArrayLike,
        lower: float = 1 / 8,
        upper: float = 1 / 3,
        *,
        generator: np.random.Generator | None = None,
        out: np.ndarray | None = None,
        return_slopes: bool = False,
        backend: str | None = None,
    ) -> Any:
        lower, upper = _checked(lower, upper)
        if generator is None and not return_slopes:
            return leaky_relu(x, (lower + upper) / 2, out=out, backend=backend)
        adapter = containers.adapter(x, out)
        if adapter is not None:
            options = {"lower": lower, "upper": upper, "generator": generator, "out": out}
            return adapter.call(self, "__call__", (x,), {**options, "return_slopes": return_slopes, "backend": backend})
        slopes = _slopes(x, lower, upper, generator)
        y = leaky_relu(x, slopes, out=out, backend=backend)
        return (y, slopes) if return_slopes else y

    def derivative(self, x: ArrayLike, slopes: ArrayLike | None = None, **keywords: Any) -> Any:
        """1 if x > 0 else the slope; by default the mean slope, that of evaluation.

        Parameters
        ----------
        x : array_like
        slopes : array_like, optional
            Those that the forward pass returned.
        lower, upper : float
            For the mean slope.
        out, backend, ...
            As for `leaky_relu.derivative`.
        """
        return leaky_relu.derivative(x, _given(slopes, keywords), **keywords)

    def backward(self, grad_output: ArrayLike, x: ArrayLike, slopes: ArrayLike | None = None, **keywords: Any) -> Any:
        """grad_output times the derivative; parameters as there."""
        return leaky_relu.backward(grad_output, x, _given(slopes, keywords), **keywords)

    @property
    def ufunc(self) -> np.ufunc:
        """leaky_relu's, which does the arithmetic."""
        return leaky_relu.ufunc

    def _operations(self) -> list[Any]:
        return leaky_relu._operations()

    def _find(self, name: str) -> Any:
        return leaky_relu._find(name)


def _checked(lower: float, upper: float) -> tuple[float, float]:
    if not type(lower) is type(upper) is float:
        lower, upper = as_float("lower", lower), as_float("upper", upper)
    if not (math.isfinite(lower) and math.isfinite(upper)):
        raise ValueError(f"lower={lower!r}, upper={upper!r}; both must be finite")
    if lower > upper:
        raise ValueError(f"lower={lower!r} is larger than upper={upper!r}; slopes are drawn from [lower, upper)")
    return lower, upper


def _given(slopes: ArrayLike | None, keywords: dict[str, Any]) -> Any:
    """The slopes, or else the mean of `lower` and `upper`, which are taken out of the keywords."""
    bounds = (keywords.pop(name, default) for name, default in RRelu.parameters.items())
    return sum(_checked(*bounds)) / 2 if slopes is None else slopes


def _slopes(x: Any, lower: float, upper: float, generator: np.random.Generator | None) -> NDArray[Any]:
    """A slope for each element of x, in the dtype of the result."""
    if not isinstance(generator, np.random.Generator | None):
        raise TypeError(
            f"generator={generator!r} is a {type(generator).__name__}; pass a numpy.random.Generator, such as "
            "np.random.default_rng(seed), or None for the mean slope"
        )
    if on_gpu(x):
        raise TypeError(
            "x is on the GPU, and slopes are drawn on the host; draw them on the GPU and call leaky_relu(x, slopes)"
        )
    dtype = leaky_relu._result_dtype((x, 0.0))
    with standard_arithmetic():
        if generator is None:
            return np.full(np.shape(x), (lower + upper) / 2, dtype)[()]
        drawn = generator.random(np.shape(x), dtype if dtype == np.float32 else np.float64).astype(dtype, copy=False)
        low, high = dtype.type(lower), dtype.type(upper)
        # Rounding may reach `upper`, which the interval excludes.
        return np.minimum(low + (high - low) * drawn, np.nextafter(high, low))[()]


rrelu = RRelu()
registry.add(rrelu)
