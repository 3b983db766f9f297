"""Elementwise functions of dask's arrays stay lazy, are the same in every process, and can be sent to others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fastact as fa

da: Any = pytest.importorskip("dask.array")
tokenize: Any = pytest.importorskip("dask.base").tokenize

CALLS: dict[str, Callable[[Any], Any]] = {
    "gelu": fa.gelu,
    "leaky_relu": lambda x: fa.leaky_relu(x, 0.1),
    "leaky_relu of arrays": lambda x: fa.leaky_relu(x, x),
    "tanh.derivative": fa.tanh.derivative,
    "swiglu": lambda x: fa.swiglu(x, x),
    "serial": lambda x: fa.silu(x, backend="serial"),
}


@pytest.mark.parametrize("name", CALLS)
def test_lazy_and_right(name: str) -> None:
    x = np.linspace(-3, 3, 24, dtype=np.float32).reshape(4, 6)
    lazy = CALLS[name](da.from_array(x, chunks=(2, 3)))
    assert isinstance(lazy, da.Array)
    assert lazy.dtype == np.float32
    np.testing.assert_array_equal(lazy.compute(scheduler="synchronous"), CALLS[name](x))


def test_tokens_are_the_same_in_every_process(python: Callable[..., str]) -> None:
    ufuncs = fa.gelu.ufunc, fa.leaky_relu._common_ufunc, fa.tanh.derivative.ufunc
    code = (
        "import fastact as fa; from dask.base import tokenize;"
        "print(*map(tokenize, (fa.gelu.ufunc, fa.leaky_relu._common_ufunc, fa.tanh.derivative.ufunc, fa.gelu)))"
    )
    assert python(code).split() == [*map(tokenize, ufuncs), tokenize(fa.gelu)]


def test_processes(python: Callable[..., str]) -> None:
    code = "\n".join([
        "import numpy as np, fastact as fa, dask.array as da, dask",
        "x = np.linspace(-3, 3, 8, dtype=np.float32)",
        "lazy = [fa.gelu(da.from_array(x, chunks=4)), fa.leaky_relu.backward(da.from_array(x, chunks=4), x, 0.1)]",
        "lazy += [fa.softmax(da.from_array(x, chunks=4)), fa.cross_entropy(da.from_array(x, chunks=4), 3)]",
        "found = dask.compute(*lazy, scheduler='processes', num_workers=2)",
        "print(np.array_equal(found[0], fa.gelu(x)), np.array_equal(found[1], fa.leaky_relu.backward(x, x, 0.1)))",
        "print(np.allclose(found[2], fa.softmax(x), 1e-6), np.isclose(found[3], fa.cross_entropy(x, 3), 1e-6))",
    ])  # fmt: skip
    assert python(code) == "True True\nTrue True\n"
