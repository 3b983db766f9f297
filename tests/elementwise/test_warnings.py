"""No input makes a function give a floating-point warning; NumPy's warnings are errors here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import fastact as fa
from fastact._core.backends import FAMILIES

DTYPES = [np.dtype(each) for each in (np.float16, ml_dtypes.bfloat16, np.float32, np.float64)]
OVER_AXES = [fa.softmax, fa.log_softmax, fa.softmin, fa.logsumexp, fa.sparsemax, fa.entmax15, fa.hardmax]
LOSSES = [fa.mse, fa.mae, fa.huber, fa.quantile_loss, fa.poisson_loss, fa.binary_cross_entropy]
GATED = [fa.bilinear, fa.reglu, fa.geglu, fa.swiglu]


@pytest.fixture(params=DTYPES, ids=str)
def dtype(request: pytest.FixtureRequest) -> np.dtype[Any]:
    return request.param


def extremes(dtype: np.dtype[Any]) -> np.ndarray:
    """Rows of numbers whose sums, products, quotients and conversions overflow, underflow or give NaN."""
    limits = ml_dtypes.finfo(dtype)
    big, tiny = float(limits.max), float(limits.smallest_subnormal)
    rows = [
        [0, 1e6, -1e6, 1e-6], [big, big, -big, big], [tiny, -tiny, tiny, 0.0], [np.inf, 1, 2, 3],
        [-np.inf, -np.inf, -np.inf, -np.inf], [np.inf, -np.inf, np.nan, 0], [1, 2, 3, -np.inf], [0.1, -1e-5, -17, -700],
    ]  # fmt: skip
    with np.errstate(all="ignore"):
        x = np.array(rows).astype(dtype)
    # A signalling NaN, for which hardware raises a flag.
    quiet = {2: (np.uint16, 0x7D00 if dtype == np.float16 else 0x7FA0), 4: (np.uint32, 0x7FA00000)}
    integer, bits = quiet.get(dtype.itemsize, (np.uint64, 0x7FF4000000000000))
    return np.concatenate([x, np.full((1, 4), bits, integer).view(dtype)])


@pytest.fixture(autouse=True)
def warnings_are_errors() -> Iterator[None]:
    with np.errstate(all="raise"):
        yield


def on_every_backend(family: str, call: Callable[[str], Any]) -> None:
    """All backends but the GPU and those that differ from another in their threads alone."""
    for backend in {"cython", "serial", "numpy"} & set(FAMILIES[family]):
        call(backend)


@pytest.mark.parametrize("function", OVER_AXES, ids=lambda f: f.name)
def test_softmax_family(function: Any, dtype: np.dtype[Any]) -> None:
    x = extremes(dtype)

    def call(backend: str) -> None:
        temperatures = cycle([1.0, 1e-300, 1e300, np.array([[1e-300, 1.0, 1e300, 1e-5]])])
        for array in (x, np.asfortranarray(x), x[::2], x.astype(dtype.newbyteorder())):
            for result in (None, *DTYPES):
                given = {"axis": -1, "temperature": next(temperatures), "backend": backend, "dtype": result}
                y = function(array, **given)
                function(array, out=np.empty(y.shape, y.dtype.newbyteorder()), **given)
                grad = function(array, -1) if function is fa.logsumexp else array
                function.backward(grad, array, **given)
                function.backward(grad, array, out=np.empty_like(array, y.dtype), **given)

    on_every_backend(function._family, call)


def test_weighted_logsumexp_and_gumbel(dtype: np.dtype[Any]) -> None:
    x = extremes(dtype)
    for b in (x, 1e300, -1.0):
        fa.logsumexp(x, -1, b=b, return_sign=True)
        fa.logsumexp(x, -1, b=b, temperature=1e-300)
    fa.logsumexp(x, -1, return_sign=True)
    for result in DTYPES:
        fa.gumbel_softmax(x, np.random.default_rng(0), 1e-5, dtype=result)
    fa.gumbel_softmax(x, np.random.default_rng(0), 1e300, hard=True, return_soft=True)


@pytest.mark.parametrize("smoothing", [0, 0.1])
@pytest.mark.parametrize("weight", [None, [1e300, 1e-300, 0, -1e300], [1e-320] * 4], ids=str)
def test_cross_entropy(dtype: np.dtype[Any], weight: Any, smoothing: float) -> None:
    x, classes = extremes(dtype), np.array([0, 1, 2, 3, 0, 1, 2, -100, 3])

    def call(backend: str) -> None:
        for targets in (classes, *(extremes(each) for each in DTYPES)):
            for reduction in ("mean", "sum", "none"):
                given = {"weight": weight, "label_smoothing": smoothing, "reduction": reduction, "backend": backend}
                fa.cross_entropy(x, targets, **given)
                fa.cross_entropy.value_and_grad(x, targets, **given)
                fa.cross_entropy.value_and_grad(x, targets, out=np.empty_like(x), **given)

    on_every_backend("class loss", call)
    for reduction in ("mean", "sum", "none"):
        fa.nll_loss(x, classes, weight=weight, reduction=reduction)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda f: f.name)
def test_elementwise_losses(loss: Any, dtype: np.dtype[Any]) -> None:
    x = extremes(dtype)

    def call(backend: str) -> None:
        for target in (x, extremes(DTYPES[2]), extremes(DTYPES[3]), 0.0, 1e300, np.float64(1e300)):
            for weight in (1.0, 1e300, [1e300, 1e-300, 0, 1]):
                for reduction in ("mean", "none"):
                    given = {"weight": weight, "reduction": reduction, "backend": backend}
                    loss(x, target, **given)
                    _, gradient = loss.value_and_grad(x, target, **given)
                    loss.value_and_grad(x, target, out=np.empty_like(gradient), **given)

    on_every_backend("elementwise", call)


@pytest.mark.parametrize("name", [name for name in fa.names() if isinstance(fa.get(name), fa.Activation)])
def test_activations(name: str, dtype: np.dtype[Any]) -> None:
    f, x = fa.get(name), extremes(dtype)

    def call(backend: str) -> None:
        given = {"backend": backend}
        f(x, **given)
        f.derivative(x, **given)
        f.backward(x[::-1], x, **given)
        f.with_bias(x, x[0], **given)
        if f.parameters:
            f.parameter_backward(x[::-1], x, **given)
            f.parameter_backward(x[::-1], x, *(np.ones(4, dtype) for _ in f.parameters), **given)

    on_every_backend("elementwise", call)


@pytest.mark.parametrize("unit", GATED, ids=lambda f: f.name)
def test_gated_units(unit: Any, dtype: np.dtype[Any]) -> None:
    x = extremes(dtype)

    def call(backend: str) -> None:
        unit(x, x[::-1], backend=backend)
        unit.backward(x, x[::-1], x[:, ::-1], backend=backend)
        fa.glu.backward(fa.glu(x, backend=backend), x, backend=backend)

    on_every_backend("elementwise", call)


def test_rrelu(dtype: np.dtype[Any]) -> None:
    x = extremes(dtype)
    for bounds in ((1e-9, 1e-8), (1e300, 1e300), (0.1, 0.3)):
        for generator in (None, np.random.default_rng(0)):
            _, slopes = fa.rrelu(x, *bounds, generator=generator, return_slopes=True)
            fa.rrelu.backward(x, x, slopes)
