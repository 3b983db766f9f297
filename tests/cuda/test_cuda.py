"""The cuda backend on a real GPU; without one, all are skipped, with the reason."""

from __future__ import annotations

import functools
import importlib
import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import fastact as fa
from fastact.backends.cuda import backend, dtypes, libraries
from fastact.backends.cuda.calls import host
from fastact.functions.softmax.dense import log_softmax, softmax
from helpers.cuda_cases import (
    BY_NAME,
    FLOATS,
    LAYOUTS,
    SPARSE,
    TRAINED,
    assert_same,
    assert_trains_as_on_cpu,
    on_gpu,
    sample,
    ulps,
)


class Kind:
    """One library of device arrays: to the GPU, back, and what an array of it is."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.module = pytest.importorskip("numba.cuda" if name == "numba" else name)

    def put(self, array: np.ndarray) -> Any:
        if self.name == "torch":
            return self.module.from_numpy(array.copy()).cuda()
        return self.module.to_device(array) if self.name == "numba" else self.module.asarray(array)

    def get(self, array: Any) -> np.ndarray:
        if self.name == "torch":
            return array.cpu().numpy()
        return array.copy_to_host() if self.name == "numba" else self.module.asnumpy(array)

    def owns(self, array: Any) -> bool:
        return libraries.library_name(type(array)) == self.name and hasattr(array, "__cuda_array_interface__")


@pytest.fixture(params=["numba", "cupy", "torch"])
def kind(request: pytest.FixtureRequest) -> Kind:
    return Kind(request.param)


@pytest.fixture
def cupy() -> Any:
    return pytest.importorskip("cupy")


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch")


@on_gpu
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", BY_NAME)
def test_gpu_has_the_bits_of_the_cpu(name: str, dtype: str) -> None:
    operation, x = BY_NAME[name], sample(dtype)
    operands = (x,) if operation._inputs == 1 else (np.roll(x, 1), x)
    assert_same(operation(*operands, backend="cuda"), operation(*operands, backend="serial"))


@on_gpu
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", BY_NAME)
def test_gpu_has_the_bits_of_the_cpu_for_all_half_numbers(name: str, dtype: str) -> None:
    operation, x = BY_NAME[name], np.arange(1 << 16, dtype=np.uint16).view(dtypes.dtype_of(dtype))
    operands = (x,) if operation._inputs == 1 else (np.roll(x, 1), x)
    found, wanted = (operation(*operands, backend=each) for each in ("cuda", "serial"))
    assert found.dtype == wanted.dtype
    assert_same(found.astype(np.float32), wanted.astype(np.float32))


@on_gpu
def test_gpu_results_have_the_order_of_operands(kind: Kind) -> None:
    """As NumPy's order "K"."""
    x = sample("float32", 1000)[:1200].reshape(30, 40)
    transposed = kind.put(x.T) if kind.name == "numba" else kind.put(x).T  # Numba's .T is a copy in order "C"
    strides = transposed.__cuda_array_interface__["strides"]
    assert strides is not None
    for result, wanted in (
        (fa.gelu(transposed), fa.gelu(x.T)),
        (fa.gelu.backward(transposed, transposed), fa.gelu.backward(x.T, x.T)),
    ):
        assert result.__cuda_array_interface__["strides"] == strides
        assert_same(kind.get(result), wanted)


@on_gpu
def test_gpu_returns_the_kind_it_gets(kind: Kind) -> None:
    x = sample("float32", 1000)[:1000].reshape(20, 50)
    for operation, expected in [(fa.gelu, fa.gelu(x)), (fa.gelu.derivative, fa.gelu.derivative(x))]:
        device = kind.put(x)
        result = operation(device)
        assert kind.owns(result)
        assert_same(kind.get(result), expected)
        assert operation(device, out=device) is device
        assert_same(kind.get(device), expected)
    out = kind.put(np.zeros_like(x))
    assert fa.gelu.backward(kind.put(x), kind.put(x), out=out) is out
    assert_same(kind.get(out), fa.gelu.backward(x, x))
    alpha = np.linspace(0, 1, 50, dtype=np.float32)
    assert_same(kind.get(fa.leaky_relu(kind.put(x), kind.put(alpha))), fa.leaky_relu(x, alpha))
    for shape in [(), (0,), (3, 0), (1,)]:
        small = np.ones(shape, np.float32)
        result = fa.elu(kind.put(small))
        assert kind.owns(result)
        assert_same(kind.get(result), np.asarray(fa.elu(small)))


@on_gpu
@pytest.mark.parametrize("axis", [0, -1])
def test_gpu_glu(kind: Kind, axis: int) -> None:
    for dtype in ("float16", *FLOATS):
        x = np.random.default_rng(0).normal(size=(6, 50)).astype(dtype)
        y, device = fa.glu(x, axis), kind.put(x)
        found, out, goal = fa.glu(device, axis), kind.put(np.zeros_like(y)), kind.put(np.zeros_like(x))
        gradient = fa.glu.backward(found, device, axis)
        assert kind.owns(found)
        assert kind.owns(gradient)
        assert fa.glu(device, axis, out=out) is out
        assert fa.glu.backward(out, device, axis, out=goal) is goal
        for got in (found, out):
            assert_same(kind.get(got), y)
        for got in (gradient, goal):
            assert_same(kind.get(got), fa.glu.backward(y, x, axis))


@on_gpu
@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int16", "int32", "int64", "float16"])
def test_gpu_dtypes(kind: Kind, dtype: str) -> None:
    x = np.array([0, 1, 2, 3, 100, 127]).astype(dtype)
    for f in (fa.relu, fa.sigmoid):
        assert_same(kind.get(f(kind.put(x))), f(x))
    assert_same(kind.get(fa.tanh(kind.put(x), dtype="float32")), fa.tanh(x, dtype="float32"))


@on_gpu
@pytest.mark.parametrize("n", [1, 31, 1023, 1024, 1025, 12_345_678])
def test_gpu_writes_every_element_and_no_other(cupy: Any, n: int) -> None:
    x = np.random.default_rng(n).normal(size=n).astype(np.float32)
    guarded = cupy.full(n + 2, np.nan, np.float32)
    fa.silu(cupy.asarray(x), out=guarded[1:-1])
    assert_same(cupy.asnumpy(guarded[1:-1]), fa.silu(x))
    assert cupy.isnan(guarded[[0, -1]]).all()


@on_gpu
@pytest.mark.parametrize("layout", LAYOUTS)
def test_gpu_layouts(cupy: Any, layout: str) -> None:
    host = sample("float32", 1000)[:1200].reshape(150, 8)
    host = host if layout != "three axes" else host[:15]
    pick = LAYOUTS[layout]
    if layout == "broadcast":
        on_host = np.broadcast_to(host[:, :1], (150, 4))
        on_device = cupy.broadcast_to(cupy.asarray(host)[:, :1], (150, 4))
    else:
        on_host = pick(host)
        on_device = cupy.asfortranarray(cupy.asarray(host)) if layout == "Fortran" else pick(cupy.asarray(host))
    assert_same(cupy.asnumpy(fa.mish(on_device)), fa.mish(on_host))
    slope = np.arange(on_host.shape[-1], dtype=np.float32)
    assert_same(cupy.asnumpy(fa.elu(on_device, cupy.asarray(slope))), fa.elu(on_host, slope))
    if layout != "broadcast":
        expected = fa.mish(on_host)
        fa.mish(on_device, out=on_device)
        assert_same(cupy.asnumpy(on_device), expected)


@on_gpu
@pytest.mark.parametrize("shift", [-1, 1, 300])
def test_gpu_overlap(cupy: Any, shift: int) -> None:
    host = sample("float32", 50_000)
    device = cupy.asarray(host)
    fa.silu(device[1000:80_000], out=device[1000 + shift : 80_000 + shift])
    assert_same(cupy.asnumpy(device[1000 + shift : 80_000 + shift]), fa.silu(host[1000:80_000]))


@on_gpu
def test_gpu_counts_beyond_32_bits(cupy: Any) -> None:
    n = 2**31 + 5
    x = cupy.ones(n, np.int8)
    x[-3:] = cupy.asarray([-7, 5, -9])
    fa.relu(x, out=x)
    assert cupy.asnumpy(x[-4:]).tolist() == [1, 0, 5, 0]
    assert int(x.sum(dtype=np.int64)) == n - 3 + 5


@on_gpu
def test_gpu_works_in_the_current_stream_of_torch(torch: Any) -> None:
    x = torch.zeros(1 << 20, device="cuda")
    fa.sigmoid(x)  # compiled before
    torch.cuda.synchronize()
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        torch.cuda._sleep(200_000_000)
        x.fill_(1)
        result = fa.sigmoid(x)
        assert not stream.query()  # nothing has waited for the GPU
    stream.synchronize()
    assert (result == float(fa.sigmoid(np.float32(1)))).all()


@on_gpu
def test_gpu_works_in_the_current_stream_of_cupy(cupy: Any) -> None:
    host = np.ones(1 << 24, np.float32)
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        x = cupy.zeros(1 << 24, np.float32)
        for _ in range(200):
            x += np.float32(1)
        result = fa.sigmoid(x - np.float32(199))
    stream.synchronize()
    assert_same(cupy.asnumpy(result), fa.sigmoid(host))


@on_gpu
def test_gpu_two_streams_at_once(torch: Any) -> None:
    """Among them softmax of rows in parts, whose blocks wait for each other."""
    streams = [torch.cuda.Stream() for _ in range(2)]
    arrays = [torch.randn(2, 1_000_000, device="cuda") for _ in streams]
    wanted = [(fa.softmax(x), fa.gelu(x)) for x in arrays]
    torch.cuda.synchronize()
    found: list[tuple[Any, Any]] = []
    for _ in range(20):
        for stream, x in zip(streams, arrays, strict=True):
            with torch.cuda.stream(stream):
                found.append((fa.softmax(x), fa.gelu(x)))
    torch.cuda.synchronize()
    for i, results in enumerate(found):
        assert all(map(torch.equal, results, wanted[i % 2]))


@on_gpu
def test_gpu_refuses_tensors_that_require_grad(torch: Any) -> None:
    x = torch.ones(3, device="cuda", requires_grad=True)
    with pytest.raises(RuntimeError, match="detach"):
        fa.sigmoid(x)
    assert fa.sigmoid(x.detach()).shape == (3,)


@on_gpu
def test_gpu_errors_leave_it_usable(cupy: Any, torch: Any) -> None:
    x, host = cupy.ones((2, 3), np.float32), np.ones((2, 3), np.float32)
    tensor = torch.ones(2, 3, device="cuda")
    for error, text, call in [
        (TypeError, "host memory", lambda: fa.leaky_relu(x, host)),
        (TypeError, "host memory", lambda: fa.relu.backward(host, x)),
        (TypeError, "host memory", lambda: fa.relu(x, out=host)),
        (TypeError, "cupy and torch", lambda: fa.relu.backward(tensor, x)),
        (TypeError, "not supported for the input types", lambda: fa.relu(x.astype(np.complex64))),
        (TypeError, "out has dtype float64", lambda: fa.relu(x, out=cupy.ones((2, 3)))),
        (ValueError, "out has shape", lambda: fa.relu(x, out=x[:1])),
        (ValueError, "broadcast", lambda: fa.leaky_relu(x, cupy.ones(2, np.float32))),
        (fa.BackendError, "takes host arrays", lambda: fa.relu(x, backend="serial")),
        (np.exceptions.AxisError, "out of bounds", lambda: softmax(x, 2)),
        (TypeError, "host memory", lambda: softmax(x, where=host > 0)),
    ]:
        with pytest.raises(error, match=text):
            call()
    assert_same(cupy.asnumpy(fa.relu(x)), host)


@on_gpu
def test_gpu_takes_host_arrays_when_asked() -> None:
    x = sample("float32", 1000)[:1200].reshape(30, 40)
    with fa.use_backend("cuda"):
        swapped = np.linspace(-9, 9, 50).astype(">f8")
        for array in (x, x.T, x[::-1, ::3], x[:0], swapped, x[0, 0], np.float32(2), 2, [0.5, -1]):
            actual, expected = fa.gelu(array), fa.gelu(array, backend="serial")
            assert type(actual) is type(expected)
            assert_same(actual, expected)
        assert_same(fa.elu(x, np.float32(0.5)), fa.elu(x, np.float32(0.5), backend="serial"))
        out = np.empty_like(x)
        assert fa.gelu(x, out=out) is out
        assert_same(out, fa.gelu(x, backend="serial"))
        np.testing.assert_allclose(softmax(x[1:]), softmax(x[1:], backend="numpy"), rtol=1e-5)
        with pytest.raises(TypeError, match="masked"):
            fa.gelu(np.ma.array([1.0, 2.0], mask=[0, 1]))


@on_gpu
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("f", [softmax, log_softmax], ids=lambda f: f.name)
@pytest.mark.parametrize("n", [1, 10, 33, 1000, 4096, 100_001])
def test_gpu_rows(cupy: Any, f: Any, n: int, dtype: str) -> None:
    rng = np.random.default_rng(n)
    x, grad = (rng.normal(0, 5, (2, 7, n)) + 100).astype(dtype)
    y = f(cupy.asarray(x))
    shifted = x.astype(np.longdouble) - x.max(-1, keepdims=True)
    total = np.exp(shifted).sum(-1, keepdims=True)
    exact = np.exp(shifted) / total if f is softmax else shifted - np.log(total)
    assert ulps(cupy.asnumpy(y), exact) <= 4
    slope = f.backward(cupy.asarray(grad), y)
    g, wide = grad.astype(np.longdouble), cupy.asnumpy(y).astype(np.longdouble)
    if f is softmax:
        expected = wide * (g - (g * wide).sum(-1, keepdims=True))
    else:
        expected = g - np.exp(wide) * g.sum(-1, keepdims=True)
    weight = np.abs(cupy.asnumpy(y)).max() if f is softmax else 1 + n * np.exp(cupy.asnumpy(y).max())
    assert np.abs(cupy.asnumpy(slope) - expected).max() <= 4 * np.finfo(dtype).eps * np.abs(grad).max() * weight


@on_gpu
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", *FLOATS])
@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 10, 17, 31, 63])
def test_gpu_short_rows(torch: Any, n: int, dtype: str) -> None:
    """At places of any alignment; nothing beside them is written."""
    kind, rows = getattr(torch, dtype), 4099
    tolerance = {"float16": 2e-3, "bfloat16": 1e-2, "float32": 1e-6, "float64": 1e-14}[dtype]
    for start in (0, 1):
        memory = torch.randn(rows * n + 9, device="cuda", dtype=torch.float64).to(kind)
        x, out = memory[start : start + rows * n].view(rows, n), torch.full_like(memory, 7)
        fa.softmax(x, out=out[start : start + rows * n].view(rows, n))
        wanted = torch.softmax(x.double(), -1)
        found = out[start : start + rows * n].view(rows, n)
        torch.testing.assert_close(found.double(), wanted, rtol=tolerance, atol=tolerance)
        assert (out[:start] == 7).all()
        assert (out[start + rows * n :] == 7).all()
        slope = fa.softmax.backward(x, found).double()
        y, grad = found.double(), x.double()
        wanted = y * (grad - (grad * y).sum(-1, keepdim=True))
        torch.testing.assert_close(slope, wanted, rtol=10 * tolerance, atol=10 * tolerance)


@on_gpu
def test_gpu_rows_of_every_kind(kind: Kind) -> None:
    x = np.array([[0, np.nan, 1], [np.inf, 0, 1], [-np.inf] * 3, [-np.inf, 0, 0], [1e4, 1e4, -1e4]], np.float32)
    for f in (softmax, log_softmax):
        device = kind.put(x)
        result = f(device)
        assert kind.owns(result)
        np.testing.assert_allclose(kind.get(result), f(x), rtol=3e-7)
        assert f(device, out=device) is device
        assert_same(kind.get(device), kind.get(result))
        assert kind.get(f(kind.put(np.ones((0, 3), np.float32)))).shape == (0, 3)
        assert kind.get(f(kind.put(np.arange(6).reshape(2, 3)))).dtype == np.float64


@on_gpu
@pytest.mark.parametrize("name", ["relu", "gelu", "softplus", "tanh_derivative", "elu_backward"])
def test_gpu_vectorize(name: str) -> None:
    operation = BY_NAME[name]
    x = np.linspace(-5, 5, 1000, dtype=np.float32)
    operands = (*[x] * operation._inputs, *np.full((len(operation.parameters), 1000), 0.5, np.float32))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Numba's, of a grid that is small
        actual = operation.vectorize("cuda")(*operands)
    expected = operation(*operands)
    np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-7)


@on_gpu
def test_gpu_formulas_in_kernels_of_the_user() -> None:
    from numba import cuda

    sigmoid = fa.sigmoid.scalar
    backend.register()

    @cuda.jit
    def kernel(x, out):  # type: ignore[no-untyped-def]
        i = cuda.grid(1)
        if i < x.size:
            out[i] = sigmoid(x[i])

    x = np.linspace(-9, 9, 10_000, dtype=np.float32)
    out = cuda.device_array_like(x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Numba's, of a grid that is small
        kernel[40, 256](cuda.to_device(x), out)
    np.testing.assert_allclose(out.copy_to_host(), fa.sigmoid(x), rtol=2e-7)


@on_gpu
@pytest.mark.parametrize("dtype", ["float16", *FLOATS])
@pytest.mark.parametrize(
    ("shape", "axis"),
    [((70_000, 3), -1), ((300, 1000), 1), ((2, 100_000), -1), ((1000, 300), 0), ((5, 77, 33), 1), ((5, 7, 9), (0, 2))],
)
def test_gpu_softmax_family(kind: Kind, shape: tuple[int, ...], axis: Any, dtype: str) -> None:
    rng = np.random.default_rng(0)
    x, grad = rng.normal(0, 3, (2, *shape)).astype(dtype)
    mask = rng.random(shape) < 0.7
    tolerance = {"float16": 1e-3, "float32": 2e-6, "float64": 1e-14}[dtype]
    for function in (fa.softmax, fa.log_softmax, fa.softmin, fa.logsumexp, *SPARSE):
        for options in ({}, {"where": mask}, {"temperature": 0.5}):
            given = {name: kind.put(value) if name == "where" else value for name, value in options.items()}
            wanted = function(x, axis, **options) if function is not fa.logsumexp else function(x, axis=axis, **options)
            got = function(kind.put(x), axis=axis, **given)
            assert kind.owns(got)
            np.testing.assert_allclose(kind.get(got), wanted, rtol=4 * tolerance, atol=tolerance)
            if function is not fa.logsumexp:
                slope = function.backward(kind.put(grad), got, axis=axis, **given)
                expected = function.backward(grad, wanted, axis, **options)
                np.testing.assert_allclose(kind.get(slope), expected, rtol=0.1, atol=20 * tolerance)


@on_gpu
def test_gpu_bfloat16(torch: Any) -> None:
    x = torch.linspace(-5, 5, 10_007, device="cuda").to(torch.bfloat16)
    host = x.cpu().view(torch.uint16).numpy().view(ml_dtypes.bfloat16)
    for function in (fa.gelu, fa.silu.derivative, fa.softmax):
        for part in (x, x[1:]):  # the second is not at a multiple of 16 bytes
            got = function(part)
            assert got.dtype == torch.bfloat16
            wanted = function(host[-len(part) :])
            close = np.abs(got.cpu().float().numpy() - wanted.astype(np.float32)) <= np.abs(wanted.astype("f4")) * 2**-8
            assert close.all()


@on_gpu
@pytest.mark.parametrize("dtype", FLOATS)
def test_gpu_cross_entropy(kind: Kind, dtype: str) -> None:
    rng = np.random.default_rng(0)
    for shape, axis in [((300, 10), -1), ((50, 5000), -1), ((4, 30, 50), 1)]:
        x = rng.normal(0, 4, shape).astype(dtype)
        targets = rng.integers(0, shape[axis], np.delete(shape, axis))
        targets.flat[:3] = -100
        for reduction in ("mean", "sum", "none"):
            options = {"label_smoothing": 0.1, "weight": rng.random(shape[axis]), "reduction": reduction}
            wanted = fa.cross_entropy.value_and_grad(x, targets, axis, **options)
            got = fa.cross_entropy.value_and_grad(kind.put(x), kind.put(targets), axis, **options)
            for each, expected in zip(got, wanted, strict=True):
                scale = np.abs(expected).max()
                np.testing.assert_allclose(kind.get(each), expected, rtol=0, atol=20 * np.finfo(dtype).eps * scale)


@on_gpu
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("kind", TRAINED, ids=lambda kind: kind[1])
def test_gpu_trainer(cupy: Any, kind: Any, dtype: str) -> None:
    assert_trains_as_on_cpu(cupy, kind, dtype, 50)


@on_gpu
def test_gpu_gated_units(kind: Kind) -> None:
    g, value, gate = np.random.default_rng(0).normal(size=(3, 1000)).astype(np.float32)
    on_gpu_arrays = kind.put(g), kind.put(value), kind.put(gate)
    for got, wanted in zip(fa.swiglu.backward(*on_gpu_arrays), fa.swiglu.backward(g, value, gate), strict=True):
        assert kind.owns(got)
        assert_same(kind.get(got), wanted)


@on_gpu
def test_gpu_chunks_of_host_arrays(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(host, "CHUNK", 1 << 16)
    x = np.memmap(tmp_path / "x", np.float32, "w+", shape=1_000_003)
    x[...] = np.random.default_rng(0).normal(size=len(x))
    out = np.memmap(tmp_path / "y", np.float32, "w+", shape=len(x))
    assert fa.gelu(x, out=out, backend="cuda") is out
    assert_same(np.asarray(out), fa.gelu(np.asarray(x)))
    table = np.asarray(x[:1_000_000]).reshape(1000, 1000)
    assert_same(fa.elu(table[:, ::2], backend="cuda"), fa.elu(table[:, ::2]))


@on_gpu
@pytest.mark.parametrize("shape", [(1000,), (2, 100_000)])
def test_gpu_graph_of_torch(torch: Any, shape: tuple[int, ...]) -> None:
    """Of rows in parts too, whose counters must be 0 at each replay."""
    x = torch.randn(shape, device="cuda")
    fa.gelu(x), fa.softmax(x)  # compiled before
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        y, p = fa.gelu(x), fa.softmax(x)
    for scale in (1, 2, 3):
        x.copy_(torch.linspace(-scale, scale, x.numel()).reshape(shape))
        graph.replay()
        assert torch.equal(y, fa.gelu(x))
        assert torch.equal(p, fa.softmax(x))


@on_gpu
def test_gpu_graph_of_cupy(cupy: Any) -> None:
    x = cupy.linspace(-1, 1, 1000, dtype=np.float32)
    y, p = fa.gelu(x), fa.softmax(x)  # compiled before
    cupy.cuda.Device().synchronize()
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        stream.begin_capture()
        fa.gelu(x, out=y)
        fa.softmax(x, out=p)
        graph = stream.end_capture()
    for scale in (2, 3):
        x[...] = cupy.linspace(-scale, scale, 1000, dtype=np.float32)
        cupy.cuda.Device().synchronize()
        graph.launch(stream)
        stream.synchronize()
        assert_same(cupy.asnumpy(y), cupy.asnumpy(fa.gelu(x)))
        assert_same(cupy.asnumpy(p), cupy.asnumpy(fa.softmax(x)))


@on_gpu
@pytest.mark.filterwarnings("ignore")  # PyTorch warns of what it does not trace
@pytest.mark.parametrize("name", ["gelu", "softmax"])
def test_gpu_inside_torch_compile(torch: Any, name: str) -> None:
    """With PyTorch's own kernels before and after."""
    pytest.importorskip("triton")
    differentiable = getattr(importlib.import_module("fastact.torch"), name)

    def network(x: Any) -> Any:
        return 3 * differentiable(2 * x) + 1

    x = torch.randn(300, 1000, device="cuda", requires_grad=True)
    found, wanted = torch.compile(network)(x), network(x)
    torch.testing.assert_close(found, wanted)
    grad = torch.randn_like(x)
    torch.testing.assert_close(*(torch.autograd.grad(each, x, grad)[0] for each in (found, wanted)))


@on_gpu
def test_gpu_jax() -> None:
    """Results are JAX's, and right although arguments are given up at once."""
    jax = pytest.importorskip("jax")
    if jax.default_backend() != "gpu":
        pytest.skip("JAX sees no GPU")
    x = np.random.default_rng(0).normal(0, 3, (300, 1000)).astype(np.float32)
    for dtype in ("float32", "float16", "bfloat16"):
        host = x.astype(dtypes.dtype_of(dtype))
        for function in (fa.gelu, fa.softmax, fa.sparsemax):
            for _ in range(20):
                found = function(jax.numpy.asarray(host) * 1)
            assert isinstance(found, jax.Array)
            assert found.dtype == host.dtype
            wanted = function(host).astype("f4")
            np.testing.assert_allclose(np.asarray(found, "f4"), wanted, rtol=0.02 if "16" in dtype else 1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="read-only"):
        fa.relu(jax.numpy.ones(3), out=jax.numpy.ones(3))


@on_gpu
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(
    "loss",
    [fa.mse, fa.mae, fa.huber, fa.quantile_loss, fa.poisson_loss, fa.binary_cross_entropy],
    ids=lambda loss: loss.name,
)
def test_gpu_elementwise_losses(kind: Kind, loss: Any, reduction: str) -> None:
    rng = np.random.default_rng(0)
    x, target = rng.normal(size=(1000, 333)).astype(np.float32), rng.integers(0, 2, (1000, 333)).astype(np.float32)
    wanted = loss.value_and_grad(x, target, reduction=reduction)
    for got, expected in zip(
        loss.value_and_grad(kind.put(x), kind.put(target), reduction=reduction), wanted, strict=True
    ):
        assert kind.owns(got)
        np.testing.assert_allclose(kind.get(got), expected, rtol=1e-5, atol=1e-9)


@on_gpu
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", *FLOATS])
@pytest.mark.parametrize("shape", [(3, 3_000_000), (200, 40_000), (100_000, 70), (2, 100_000, 40), (4096, 50_257)])
def test_gpu_rows_in_parts(torch: Any, shape: tuple[int, ...], dtype: str) -> None:
    """Blocks that wait for each other, again and again, in place too."""
    axis = 0 if len(shape) == 2 and shape[0] > shape[1] else 1
    kind, close = getattr(torch, dtype), functools.partial(torch.testing.assert_close, check_dtype=False)
    rounding = {"float16": 2e-3, "bfloat16": 1e-2}.get(dtype, 1e-5)
    least = 1e-7 if dtype == "float16" else 1e-12  # half a step of its subnormal numbers
    x = torch.randn(shape, device="cuda").to(kind)
    wanted = torch.softmax(x.double(), axis)
    for _ in range(5):
        close(fa.softmax(x, axis).double(), wanted, rtol=rounding, atol=least)
    grad, y = torch.randn(shape, device="cuda").to(kind), wanted.to(kind)
    slope = y.double() * (grad.double() - (grad.double() * y.double()).sum(axis, keepdim=True))
    close(fa.softmax.backward(grad, y, axis).double(), slope, rtol=max(1e-3, rounding), atol=1e-7)
    close(fa.softmax(x, axis, out=x).double(), wanted, rtol=rounding, atol=least)


#: How a library makes an array of bytes, and gives back the memory that it keeps.
FILLING: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "numba": (lambda numba, n: numba.device_array(n, np.int8), lambda numba: None),
    "cupy": (lambda cupy, n: cupy.empty(n, np.int8), lambda cupy: cupy.get_default_memory_pool().free_all_blocks()),
    "torch": (
        lambda torch, n: torch.empty(n, dtype=torch.int8, device="cuda"), lambda torch: torch.cuda.empty_cache()
    ),
}  # fmt: skip


@on_gpu
def test_gpu_out_of_memory_leaves_it_usable(kind: Kind) -> None:
    from numba import cuda

    fill, give_back = FILLING[kind.name]
    give_back(kind.module)
    x = fill(kind.module, int(cuda.current_context().get_memory_info().free * 0.6))
    with pytest.raises(Exception, match=r"(?i)memory"):  # of the library's own class
        fa.relu(x)
    host = np.linspace(-3, 3, 1000, dtype=np.float32)
    for function in (fa.relu, fa.softmax):
        np.testing.assert_allclose(kind.get(function(kind.put(host))), function(host), rtol=1e-5)
    del x
    give_back(kind.module)


@on_gpu
@pytest.mark.parametrize("name", ["gelu", "softmax"])
def test_gpu_apply(tmp_path: Any, name: str) -> None:
    x = np.random.default_rng(0).normal(size=(30_000, 1000)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    command = [sys.executable, "-m", "fastact", "apply", name, "x.npy", "y.npy", "--backend", "cuda", "--quiet"]
    subprocess.run(command, check=True, cwd=tmp_path)
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), fa.get(name)(x), rtol=1e-5, atol=1e-9)
