"""Elementwise functions by name in device code, compiled to PTX without a GPU."""

from __future__ import annotations

import numba
import pytest

import fastact as fa
from fastact.backends.cuda import compiling
from helpers.cuda_cases import needs_numba_cuda

slope = fa.gelu.derivative


@needs_numba_cuda
def test_ptx() -> None:
    cuda = pytest.importorskip("numba.cuda")

    def kernel(x, out):  # type: ignore[no-untyped-def]
        i = cuda.grid(1)
        if i < x.size:
            out[i] = fa.gelu(x[i]) + slope(x[i]) + fa.leaky_relu(x[i], alpha=0.2) + fa.swiglu(x[i], x[i])

    def wrong(x, out):  # type: ignore[no-untyped-def]
        out[0] = fa.softmax(x)[0]

    types = numba.void(numba.float32[:], numba.float32[:])
    with compiling._compiling_for((9, 0)):
        ptx, _ = cuda.compile_ptx(kernel, types, cc=(9, 0))
        with pytest.raises(Exception, match=r"fastact\.softmax has no device code; call an elementwise function"):
            cuda.compile_ptx(wrong, types, cc=(9, 0))
    assert "fma.rn.f32" in ptx
    assert ".f64" not in ptx  # all of it in the dtype of x
