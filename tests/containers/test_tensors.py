"""Tensors in host memory share it with the call, and results are tensors; what has a history is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastact as fa
from helpers.containers import Exporter

A = np.random.default_rng(4).normal(size=(3, 4)).astype(np.float32)


def test_torch_writes_in_place() -> None:
    torch: Any = pytest.importorskip("torch")
    x = torch.from_numpy(A.copy())
    for call in (fa.softmax, fa.gelu):
        wanted = call(x.numpy().copy())
        assert call(x, out=x) is x
        np.testing.assert_array_equal(x.numpy(), wanted)
    out = torch.empty_like(x), torch.empty_like(x)
    assert fa.swiglu.backward(x, x, x, out=out)[1] is out[1]
    target = np.empty_like(A)
    assert fa.softmax(x, out=target) is target
    assert fa.mse.value_and_grad(x, 0.0, out=x)[1] is x


def test_torch_dtypes_and_layouts() -> None:
    torch: Any = pytest.importorskip("torch")
    x = torch.from_numpy(A)
    assert fa.softmax(x, dtype=torch.float64).dtype == fa.gelu(x, dtype=torch.float64).dtype == torch.float64
    assert fa.softmax(x.bfloat16()).dtype == fa.mse(x.bfloat16(), 0.0).dtype == torch.bfloat16
    np.testing.assert_array_equal(fa.softmax(x.T).numpy(), fa.softmax(A.T))
    np.testing.assert_array_equal(fa.cross_entropy(x, torch.tensor([0, 1, 2])).numpy(), fa.cross_entropy(A, [0, 1, 2]))
    gradient = fa.leaky_relu.parameter_backward(x, x, torch.full((4,), 0.1))
    np.testing.assert_array_equal(gradient.numpy(), fa.leaky_relu.parameter_backward(A, A, np.full(4, 0.1, np.float32)))


def test_torch_history() -> None:
    torch: Any = pytest.importorskip("torch")
    x = torch.from_numpy(A.copy()).requires_grad_()
    for call in (fa.gelu, fa.softmax, fa.relu.derivative, lambda x: fa.mse(x, 0.0)):
        with pytest.raises(TypeError, match=r"fastact\.torch"):
            call(x)
    with torch.no_grad():
        assert not fa.softmax(x).requires_grad
    for wrong in (torch.empty(3, device="meta"), torch.eye(3).to_sparse()):
        with pytest.raises(TypeError, match="dense tensors in host memory"):
            fa.gelu(wrong)
    with pytest.raises(TypeError, match=r"torch\.Size"):
        fa.softmax(A, lengths=torch.Size([1, 2, 3]))


def test_jax() -> None:
    jax: Any = pytest.importorskip("jax")
    x = jax.numpy.asarray(A)
    assert fa.softmax(x.astype("bfloat16")).dtype == jax.numpy.bfloat16
    assert isinstance(fa.mse(x, 0.0), jax.Array)
    for traced in (jax.jit(fa.softmax), jax.jit(fa.gelu), jax.grad(lambda x: fa.mse(x, 0.0))):
        with pytest.raises(TypeError, match="JAX traces"):
            traced(x)
    with pytest.raises(TypeError, match="cannot be written to"):
        fa.softmax(x, out=x)
    shape = jax.ShapeDtypeStruct(x.shape, x.dtype)
    np.testing.assert_array_equal(jax.jit(lambda x: jax.pure_callback(fa.softmax, shape, x))(x), fa.softmax(A))


def test_others() -> None:
    bare: Any
    exporter: Any = Exporter(A)

    class Bare:
        """Exports its memory, and has no namespace."""

        def __dlpack__(self, **keywords: Any) -> Any:
            return A.__dlpack__(**keywords)

        def __dlpack_device__(self) -> Any:
            return A.__dlpack_device__()

    bare = Bare()
    assert type(fa.softmax(bare)) is np.ndarray
    assert isinstance(fa.logsumexp(exporter, axis=0), Exporter)
    with pytest.raises(TypeError, match="cannot be written to"):
        fa.softmax(A, out=exporter)

    class Elsewhere(Bare):
        def __dlpack__(self, **keywords: Any) -> Any:
            raise BufferError("not in host memory")

    with pytest.raises(TypeError, match="host memory"):
        fa.gelu(Elsewhere())
