"""The kernels of the cuda backend, and the trainer on it, in Numba's simulator, on host memory and in small blocks.

test_cuda_code.py runs this file, in a process whose environment has NUMBA_ENABLE_CUDASIM=1.
"""

from __future__ import annotations

import copy
import ctypes
import functools
import importlib.util
import pickle
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any

import ml_dtypes
import mpmath
import numpy as np
import pytest

import fastact as fa
from fastact._core.arguments import softmax_arguments
from fastact.backends.cuda import availability, backend, dtypes, launching, libraries
from fastact.backends.cuda.calls import elementwise as call_elementwise
from fastact.backends.cuda.calls import host, repeated
from fastact.backends.cuda.calls import losses as call_losses
from fastact.backends.cuda.calls import softmax as call_softmax
from fastact.backends.cuda.kernels import elementwise as elementwise_kernels
from fastact.backends.cuda.kernels import intrinsics, layouts
from fastact.functions.softmax.dense import softmax
from helpers import simulated_cupy
from helpers.cuda_cases import (
    FLOATS,
    LAYOUTS,
    OPTIONS,
    SPARSE,
    TRAINED,
    assert_same,
    assert_trains_as_on_cpu,
    network,
    sample,
    samples,
    ulps,
)
from helpers.sparse_cases import POWERS, ROWS, exact, largest_error

assert availability.SIMULATED, "run test_cuda_code.py, or set NUMBA_ENABLE_CUDASIM=1"


class Simulated:
    """Host memory that passes for a device array of Numba."""

    stream = 0

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        interface = self.array.__array_interface__
        return {"data": interface["data"], "shape": self.array.shape, "strides": self.array.strides,
                "typestr": interface["typestr"], "version": 3}  # fmt: skip


Simulated.__module__ = "numba.simulated"


class Pointer:
    """What a kernel sees of an array: items at an address."""

    def __init__(self, address: int, dtype: np.dtype[Any]) -> None:
        self.address, self.dtype = address, np.dtype("u2") if dtype.name == "bfloat16" else dtype
        self.item = ctypes.c_char * dtype.itemsize

    def _at(self, i: Any) -> Any:
        return np.frombuffer(self.item.from_address(self.address + int(i) * self.dtype.itemsize), self.dtype)

    def __getitem__(self, i: Any) -> Any:
        return self._at(i)[0]

    def __setitem__(self, i: Any, value: Any) -> None:
        self._at(i)[0] = value


@functools.cache
def kernel_of(template: Any, parameters: Any) -> Any:
    return template(*parameters)


@pytest.fixture
def simulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the backend run its kernels in Numba's simulator, on host memory, in blocks small enough to be quick."""
    for module in (elementwise_kernels, call_elementwise):
        monkeypatch.setattr(module, "THREADS", THREADS)
    simulated_block: Any = importlib.import_module("helpers.simulated_block")

    def shared_array(self: Any, shape: int, dtype: Any) -> np.ndarray:
        """As the simulator's own, but each function that a template makes has its own."""
        caller = sys._getframe(1)
        closed_over = tuple(id(caller.f_locals[name]) for name in caller.f_code.co_freevars)
        key = caller.f_code.co_filename, caller.f_lineno, closed_over
        return self._allocations.setdefault(key, np.empty(shape, dtype))

    kernel_api: Any = importlib.import_module("numba.cuda.simulator.kernelapi")
    monkeypatch.setattr(kernel_api.FakeCUDAShared, "array", shared_array)
    for name, value in {
        "WARP": 2,
        "MOST_THREADS": 4,
        "BLOCK": 4,
        "COALESCED": 2,
        "BYTES": 16,
        "FILLED": 4,
        "PART": 4,
        "BLOCK_BYTES": 96,
        "CACHED": 400,
    }.items():
        monkeypatch.setattr(layouts, name, value)
    layouts.layout_of.cache_clear()
    for name, value in {"ALONE": 4, "THREADS": 4, "BLOCKS": 3, "COUNTING": 2}.items():
        monkeypatch.setattr(call_losses, name, value)

    def arguments(signature: Any, taken: Iterator[Any]) -> Iterator[Any]:
        """What a kernel takes, of the flat numbers that a launch passes."""
        for item in signature:
            if isinstance(item, tuple):
                yield tuple(arguments(item, taken))
            else:
                value = next(taken)
                # cuda.core passes a Python int as an int64, and numbers of NumPy as what they are.
                assert type(value) is (int if isinstance(item, np.dtype) or item is np.int64 else item)
                yield Pointer(value, item) if isinstance(item, np.dtype) else item(value)

    class SimulatedCall(launching.Call):
        def launch(self, template: Any, parameters: Any, views: Any, grid: int, block: int, flat: Any) -> None:
            kernel = kernel_of(template, parameters)
            assert block == kernel.block
            taken = iter(flat)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # infinities
                given = list(arguments(kernel.arguments, taken))
                simulated_block.launch(kernel.function, grid, block, given)
            assert not list(taken)

    class Repetition(launching.Repetition):
        """Of a simulated call, which it has in the place of the kernel's handle."""

        kernel: Any

        @classmethod
        def of(cls, call: Any, template: Any, parameters: Any, grid: int, block: int) -> Any:
            return cls(call.library.stream, 0, (call, template, parameters), grid, block)

        def possible(self) -> bool:
            return True

        def launch(self, array: Any, arguments: Any) -> None:
            call, template, parameters = self.kernel
            call.launch(template, parameters, [], self.grid, self.block, arguments)

    monkeypatch.setattr(repeated, "Repetition", Repetition)
    monkeypatch.setattr(repeated, "_known", {})

    @contextmanager
    def call_on(library: Any, views: Any) -> Any:
        yield SimulatedCall(library, views[0], (8, 0))

    library = libraries.LIBRARIES["numba"]._replace(
        empty=lambda shape, strides, dtype, *_: Simulated(in_order(shape, strides, dtype)),
        put=lambda host, _: Simulated(host),
    )
    monkeypatch.setitem(libraries.LIBRARIES, "numba", library)
    for module in (call_elementwise, call_softmax, call_losses):
        monkeypatch.setattr(module, "call_on", call_on)
    monkeypatch.setattr(availability, "why_not", lambda: None)  # and public functions dispatch here
    yield
    layouts.layout_of.cache_clear()


def in_order(shape: tuple[int, ...], strides: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array of which nothing is known but where its items are; strides count these."""
    memory = np.full(max(1, np.prod(shape)), 77, dtype)
    return np.ndarray(shape, dtype, memory, 0, [step * memory.itemsize for step in strides])


def on_simulator(operation: Any, *operands: Any, **keywords: Any) -> Any:
    wrapped = [Simulated(o) if isinstance(o, np.ndarray) else o for o in operands]
    if "out" in keywords:
        keywords["out"] = Simulated(keywords["out"])
    return backend.elementwise(operation, tuple(wrapped), keywords).array


THREADS = 8
BLOCK = THREADS * elementwise_kernels.PER_THREAD


@pytest.mark.usefixtures("simulator")
@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, BLOCK - 9, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 12])
def test_simulated_sizes(n: int) -> None:
    x = np.linspace(-3, 3, n, dtype=np.float32)
    guarded = np.full(n + 2, 55, np.float32)
    result = on_simulator(fa.leaky_relu, x, 0.25, out=guarded[1:-1])
    assert_same(result, fa.leaky_relu(x, 0.25))
    assert guarded[0] == guarded[-1] == 55


@pytest.mark.usefixtures("simulator")
@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize("n", [1, 3, 4, 33, 8 * THREADS - 1, 8 * THREADS, 8 * THREADS + 33])
def test_simulated_halves(n: int, dtype: type) -> None:
    """Eight at a time where memory begins at a multiple of 16 bytes, else one by one."""
    memory = np.zeros(n + 16, dtype)
    start = -(memory.ctypes.data // 2) % 8
    for first in (start + 1, start + 8):
        x = np.linspace(-3, 3, n).astype(dtype)
        memory[:] = 55
        result = on_simulator(fa.leaky_relu, x, 0.25, out=memory[first : first + n])
        np.testing.assert_array_equal(result, fa.leaky_relu(x, 0.25))
        assert (memory[:first] == 55).all()
        assert (memory[first + n :] == 55).all()
    assert_same(
        on_simulator(fa.leaky_relu.backward, x, x, 0.25).view("u2"), fa.leaky_relu.backward(x, x, 0.25).view("u2")
    )


@pytest.mark.usefixtures("simulator")
@pytest.mark.parametrize("dtype", ["f4", "f2"])
def test_simulated_several_results(dtype: str) -> None:
    g, value, gate = np.random.default_rng(0).normal(size=(3, 5, 7)).astype(dtype)
    wanted = fa.reglu.backward(g, value, gate)
    operands = tuple(map(Simulated, (g, value, gate)))
    for got, expected in zip(backend.elementwise(fa.reglu.backward, operands, {}), wanted, strict=True):
        assert_same(got.array, expected)
    outs = Simulated(value), Simulated(np.zeros((5, 14), dtype)[:, ::2])  # in place, and strided
    assert backend.elementwise(fa.reglu.backward, operands, {"out": outs}) == outs
    for out, expected in zip(outs, wanted, strict=True):
        assert_same(out.array, expected)
    with pytest.raises(ValueError, match="out has 1 arrays; reglu_backward has 2 results"):
        backend.elementwise(fa.reglu.backward, operands, {"out": outs[0]})
    row = np.arange(7, dtype=dtype)
    assert_same(on_simulator(fa.relu.with_bias, value, row), fa.relu.with_bias(value, row))


@pytest.mark.parametrize("axis", [0, -1])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i4"])
@pytest.mark.parametrize("shape", [(4, 6), (2, 5, 2), (0, 2), (2, 0)], ids=str)
def test_simulated_glu(host_cupy: Any, shape: tuple[int, ...], dtype: str, axis: int) -> None:
    """Both passes on the device, where nothing turns into a host array; x is read where it lies, in any layout."""
    host = np.random.default_rng(0).normal(0, 3, shape).astype(dtype)
    wanted = fa.glu(host, axis)
    slope = fa.glu.backward(wanted, host, axis)
    waits = host_cupy.ndarray.waits
    for layout in (np.ascontiguousarray, np.asfortranarray, lambda a: np.repeat(a, 2, 0)[::-2][::-1]):
        x = host_cupy.ndarray(layout(host))
        y, out = fa.glu(x, axis), host_cupy.ndarray(np.full((*wanted.shape, 2), 7, wanted.dtype)[..., 1])
        assert fa.glu(x, axis, out=out) is out
        gradient, goal = fa.glu.backward(y, x, axis), host_cupy.ndarray(layout(np.full_like(slope, 7)))
        assert fa.glu.backward(y, x, axis, out=goal) is goal
        for found, expected in ((y, wanted), (out, wanted), (gradient, slope), (goal, slope)):
            assert type(found) is host_cupy.ndarray
            assert_same(found.host, expected)
    if slope.dtype == host.dtype:
        assert fa.glu.backward(y, x, axis, out=x) is x
        assert_same(x.host, slope)
    assert host_cupy.ndarray.waits == waits


def test_simulated_glu_of_wrong_arguments(host_cupy: Any) -> None:
    host = np.ones((2, 4), np.float32)
    x, half, odd = (host_cupy.asarray(each) for each in (host, host[:, :2], host[:, :3]))
    for error, text, call in [
        (ValueError, r"x has shape \(2, 3\): its length along axis 1, 3, cannot", lambda: fa.glu(odd)),
        (np.exceptions.AxisError, "axis 2 is out of bounds", lambda: fa.glu(x, 2)),
        (TypeError, "host memory is mixed", lambda: fa.glu(x, out=host[:, :2])),
        (TypeError, "host memory is mixed", lambda: fa.glu.backward(host[:, :2], x)),
        (TypeError, "host memory is mixed", lambda: fa.glu.backward(half, host)),
        (TypeError, "host memory is mixed", lambda: fa.glu.backward(host[:, :2], host, out=x)),
        (ValueError, r"grad_output has shape \(2, 4\), glu\(x\) \(2, 2\)", lambda: fa.glu.backward(x, x)),
        (ValueError, r"out has shape \(2, 2\), x \(2, 4\)", lambda: fa.glu.backward(half, x, out=half)),
        (ValueError, "broadcast", lambda: fa.glu(x, out=x)),
        (fa.BackendError, "backend 'serial' takes host arrays", lambda: fa.glu(x, backend="serial")),
    ]:
        with pytest.raises(error, match=text):
            call()


def assert_loss_as_on_cpu(
    loss: Any, x: np.ndarray, target: np.ndarray, *arguments: Any, tolerance: float, **keywords: Any
) -> None:
    """Value and gradient of arrays in the simulator, with and without out=, and the value alone."""
    keywords |= {name: np.asarray(each) for name, each in keywords.items() if isinstance(each, list)}
    wanted, slope = loss.value_and_grad(x, target, *arguments, **keywords)
    on_gpu = {name: Simulated(each) if isinstance(each, np.ndarray) else each for name, each in keywords.items()}
    alone = loss(Simulated(x), Simulated(target), *arguments, **on_gpu).array
    scale = max(np.abs(wanted).max(initial=0), 1e-3)
    np.testing.assert_allclose(alone, wanted, rtol=tolerance, atol=tolerance * scale)
    copy = x.copy()
    outs: list[Any] = [None]
    if slope.shape == x.shape and slope.dtype == x.dtype:
        outs += [Simulated(np.zeros((*x.shape, 2), x.dtype)[..., 1]), Simulated(copy)]
    for out in outs:
        given = Simulated(copy) if out is outs[-1] else Simulated(x)
        value, gradient = loss.value_and_grad(given, Simulated(target), *arguments, out=out, **on_gpu)
        assert out is None or gradient is out
        assert value.array.dtype == gradient.array.dtype == slope.dtype
        np.testing.assert_allclose(value.array, wanted, rtol=tolerance, atol=tolerance * scale)
        np.testing.assert_allclose(gradient.array, slope, rtol=0, atol=tolerance * np.abs(slope).max(initial=0) * 4)


TOLERANCES = {"f8": 1e-13, "f4": 2e-6, "f2": 4e-3}


@pytest.mark.usefixtures("simulator")
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(
    "options", [{}, {"weight": [0.5, 2, 0, 1, 1.5]}, {"label_smoothing": 0.2}, "all", "probabilities"], ids=str
)
@pytest.mark.parametrize(("shape", "axis"), [((6, 5), -1), ((5, 3), 0), ((2, 5, 3), 1)])
def test_simulated_cross_entropy(shape: tuple[int, ...], axis: int, options: Any, reduction: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(0, 5, shape)
    targets = rng.integers(0, 5, np.delete(shape, axis))
    targets.flat[0] = 1
    if options in ("all", "probabilities"):
        probable, options = options == "probabilities", {"weight": [0.5, 2, 0, 1, 1.5], "label_smoothing": 0.2}
        if probable:
            targets = fa.softmax(rng.normal(0, 2, shape), axis)
        else:
            options["ignore_index"] = 1
    for dtype, tolerance in TOLERANCES.items():
        given = {"axis": axis, "reduction": reduction, "tolerance": tolerance, **options}
        wanted = targets.astype("f4") if targets.dtype.kind == "f" and dtype != "f8" else targets
        assert_loss_as_on_cpu(fa.cross_entropy, x.astype(dtype), wanted, **given)


@pytest.mark.usefixtures("simulator")
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(("shape", "axis"), [((2, 50), -1), ((1, 50, 3), 1)])
def test_simulated_cross_entropy_in_parts(shape: tuple[int, ...], axis: int, reduction: str) -> None:
    """Several blocks share a row, one of whose parts has no finite number."""
    rng = np.random.default_rng(0)
    x, weight = rng.normal(0, 5, shape), rng.random(50)
    np.moveaxis(x, axis, -1)[0, ..., :20], weight[:20] = -np.inf, 0
    targets = rng.integers(20, 50, np.delete(shape, axis))
    cases: Any = (targets, {}), (targets, {"label_smoothing": 0.2}), (np.full(shape, 0.02), {})
    for given, options in cases:
        options |= {"axis": axis, "reduction": reduction, "weight": weight}
        assert_loss_as_on_cpu(fa.cross_entropy, x, given, tolerance=1e-13, **options)


@pytest.mark.usefixtures("simulator")
@pytest.mark.parametrize("n", [3, 80])
def test_simulated_impossible_classes(n: int) -> None:
    """A logit of -inf makes the loss infinite where its class has a weight, and has no effect where it has none."""
    x, even, zero = np.zeros((6, n), np.float32), np.full((6, n), 1 / n, np.float32), np.zeros(6, int)
    x[::3, :2] = -np.inf
    weight = (np.arange(n) > 1).astype(np.float64)
    for targets, options in ((even, {}), (zero + 2, {"label_smoothing": 0.1}), (zero, {"weight": weight})):
        wanted = fa.cross_entropy(x, targets, reduction="none", **options)
        given = {name: Simulated(each) if isinstance(each, np.ndarray) else each for name, each in options.items()}
        found = fa.cross_entropy(Simulated(x), Simulated(targets), reduction="none", **given).array
        np.testing.assert_allclose(found, wanted, rtol=1e-6)


@pytest.mark.usefixtures("simulator")
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weight", [None, [0.5, 2, 0, 1, 1.5]], ids=str)
def test_simulated_nll_loss(weight: Any, reduction: str) -> None:
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 5, (2, 3)).astype(np.int32)
    targets[0, 0] = -100
    for dtype, tolerance in TOLERANCES.items():
        x = rng.normal(0, 5, (2, 5, 3)).astype(dtype)
        keywords = {"axis": 1, "weight": weight, "reduction": reduction}
        wanted = fa.nll_loss(x, targets, **keywords)
        found = fa.nll_loss(Simulated(x), Simulated(targets), **keywords).array
        np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance)
        with pytest.raises(TypeError, match="classes are integers"):
            fa.nll_loss(Simulated(x), Simulated(x), axis=1)
        with pytest.raises(TypeError, match="dtype uint64"):
            fa.nll_loss(Simulated(x), Simulated(targets.astype(np.uint64)), axis=1)


@pytest.mark.usefixtures("simulator")
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_simulated_factor_is_an_argument(monkeypatch: pytest.MonkeyPatch, reduction: str) -> None:
    """No launch fills an array with the factor of a sum that is known before."""
    monkeypatch.setattr(call_losses, "copy_to", None)
    x, y = np.random.default_rng(0).normal(size=(2, 3, 4))
    for target, loss in ((y, fa.mse), (fa.softmax(y), fa.cross_entropy)):
        value = loss(Simulated(x), Simulated(target), reduction=reduction).array
        np.testing.assert_allclose(value, loss(x, target, reduction=reduction), rtol=1e-13)


@pytest.mark.usefixtures("simulator")
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("n", [0, 1, 7])
@pytest.mark.parametrize(
    "loss",
    [fa.mse, fa.mae, fa.huber, fa.quantile_loss, fa.poisson_loss, fa.binary_cross_entropy],
    ids=lambda loss: loss.name,
)
def test_simulated_elementwise_losses(loss: Any, n: int, reduction: str) -> None:
    """More elements than one round of the blocks takes, operands that broadcast, other layouts and dtypes."""
    rng = np.random.default_rng(0)
    for dtype, tolerance in TOLERANCES.items():
        x, target = rng.normal(size=(n, 3)).astype(dtype), rng.integers(0, 2, (n, 3))
        options: dict[str, Any] = {"reduction": reduction, "tolerance": tolerance}
        assert_loss_as_on_cpu(loss, x, target.astype(dtype), **options)
        assert_loss_as_on_cpu(loss, np.asfortranarray(x), target > 0, weight=[0.5, 1, 2], **options)
        assert_loss_as_on_cpu(loss, x, target[:1].astype("f4"), **options)


@pytest.mark.usefixtures("simulator")
@pytest.mark.parametrize("dtype", TOLERANCES)
def test_simulated_numbers_beside_arrays(dtype: str) -> None:
    """Python's leave the arrays' dtype alone, NumPy's do not."""
    x = np.array([0.25, 0.5, 3], dtype)
    for number in (0.5, 1, np.float64(0.5)):
        for loss in (fa.mse, fa.mae, fa.huber, fa.quantile_loss, fa.poisson_loss, fa.binary_cross_entropy):
            for reduction in ("mean", "none"):
                for a, b in ((x, number), (number, x)):
                    wanted = loss.value_and_grad(a, b, reduction=reduction)
                    on_gpu = (Simulated(each) if each is x else each for each in (a, b))
                    for found, expected in zip(loss.value_and_grad(*on_gpu, reduction=reduction), wanted, strict=True):
                        assert found.array.dtype == expected.dtype
                        np.testing.assert_allclose(found.array, expected, rtol=TOLERANCES[dtype])
        slope = fa.logsumexp.backward(number, Simulated(x)).array
        assert slope.dtype == fa.logsumexp.backward(number, x).dtype
        np.testing.assert_allclose(slope, fa.logsumexp.backward(number, x), rtol=TOLERANCES[dtype])
    targets = np.array([0.25, 0.5, 0.25])
    for each in ("f2", "f4", "f8"):
        for smoothing in (0.1, np.float16(0.1)):
            given = Simulated(x), Simulated(targets.astype(each))
            found = fa.cross_entropy(*given, label_smoothing=smoothing).array
            wanted = fa.cross_entropy(x, targets, label_smoothing=float(smoothing))
            np.testing.assert_allclose(found, wanted, rtol=TOLERANCES[dtype])


@pytest.mark.usefixtures("simulator")
def test_simulated_losses_of_wrong_arguments() -> None:
    x, classes = np.zeros((3, 4), np.float32), np.array([0, 1, 2])
    value, grad = fa.cross_entropy.value_and_grad(Simulated(x), Simulated(np.array([0, 4, -100])), reduction="none")
    np.testing.assert_allclose(value.array, [np.log(4), np.nan, 0], rtol=1e-6)
    assert np.isnan(grad.array).any(1).tolist() == [False, True, False]
    for error, text, loss, target, keywords in [
        (ValueError, "targets has dtype .* and shape", fa.cross_entropy, classes[:2], {}),
        (ValueError, "targets has dtype .* and shape", fa.cross_entropy, x[:2], {}),
        (ValueError, "weight has shape", fa.cross_entropy, classes, {"weight": [1, 2]}),
        (TypeError, "out has dtype", fa.cross_entropy, classes, {"out": Simulated(x.astype("f8"))}),
        (np.exceptions.AxisError, "out of bounds", fa.cross_entropy, classes, {"axis": 2}),
        (ValueError, "reduction='all'", fa.mse, x, {"reduction": "all"}),
        (TypeError, "unexpected keyword argument 'delta'", fa.mse, x, {"delta": 2}),
        (ValueError, "broadcast", fa.mse, x[:2], {}),
        (ValueError, "out has shape", fa.huber, x, {"out": Simulated(x[:1])}),
        (TypeError, "complex64", fa.huber, x.astype(np.complex64), {}),
        (TypeError, "host memory", fa.huber, x, {"weight": np.ones(4)}),
    ]:
        with pytest.raises(error, match=text):
            loss.value_and_grad(Simulated(x), Simulated(target), **keywords)
    with pytest.raises(TypeError, match="host memory"):
        fa.mse(Simulated(x), x)
    with pytest.raises(fa.BackendError, match="takes host arrays"):
        fa.mse(Simulated(x), Simulated(x), backend="serial")


class HostArray(np.ndarray):
    """Host memory that passes for an array that Numba allocated, and can be handed over by DLPack."""

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return Simulated(np.asarray(self)).__cuda_array_interface__


HostArray.__module__ = "numba.simulated"


@pytest.mark.usefixtures("simulator")
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_simulated_jax(monkeypatch: pytest.MonkeyPatch, dtype: str) -> None:
    """Arrays of JAX are read in order with its stream and never written; results are its own."""
    jax = importlib.import_module("jax")
    streams, waits = [], []

    class Array:
        """What an array of JAX on a GPU shows of itself; of bfloat16 not even __cuda_array_interface__."""

        def __init__(self, array: np.ndarray) -> None:
            self.array = jax.numpy.asarray(array)
            self.dtype, self.shape = self.array.dtype, self.array.shape

        def __dlpack__(self, *, stream: Any = None, **_: Any) -> Any:
            streams.append(stream)
            return self.array.__dlpack__()

        def __dlpack_device__(self) -> tuple[int, int]:
            return 2, 0

    Array.__module__ = "jaxlib._jax"

    class Numba:
        gpus = {0: nullcontext()}  # noqa: RUF012

        def device_array(self, shape: Any, dtype: Any) -> Any:
            return np.full(shape, 77, dtype).view(HostArray)

        def default_stream(self) -> Any:
            return SimpleNamespace(synchronize=lambda: waits.append(1))

    monkeypatch.setattr(libraries, "cuda", Numba())
    monkeypatch.setattr(libraries, "put", Simulated)
    x = np.linspace(-3, 3, 42).reshape(6, 7).astype(dtypes.dtype_of(dtype))
    before = x.copy()
    for found, wanted in [
        (fa.leaky_relu(Array(x), 0.25), fa.leaky_relu(x, 0.25)),
        (fa.leaky_relu.backward(Array(x), Array(x)), fa.leaky_relu.backward(x, x)),
        (fa.softmax(Array(x), axis=(0, 1)), fa.softmax(x, axis=(0, 1))),
        (fa.softmax(Array(x), axis=0, lengths=[3]), fa.softmax(x, axis=0, lengths=[3])),
        (fa.cross_entropy(Array(x), Array(np.arange(6, dtype="i4"))), fa.cross_entropy(x, np.arange(6))),
        (fa.relu(Array(x[:0])), x[:0]),
        (fa.glu(Array(x), axis=0), fa.glu(x, axis=0)),
        (fa.glu.backward(Array(x[3:]), Array(x), axis=0), fa.glu.backward(x[3:], x, axis=0)),
    ]:
        assert isinstance(found, jax.Array)
        assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
        np.testing.assert_allclose(np.asarray(found, "f8"), wanted.astype("f8"), rtol=2 * ml_dtypes.finfo(x.dtype).eps)
    assert set(streams) == {1}
    assert waits
    np.testing.assert_array_equal(x, before)
    with pytest.raises(ValueError, match="read-only"):
        fa.relu(Array(x), out=Array(x))


class FakeCuda:
    """What host.py uses of numba.cuda, on host memory. Copies back happen when the stream is waited for."""

    class Stream:
        def __init__(self) -> None:
            self.waiting: list[Any] = []

        def synchronize(self) -> None:
            for each in self.waiting:
                each()
            self.waiting.clear()

    class Array(Simulated):
        def __init__(self, array: np.ndarray) -> None:
            super().__init__(array)

        @property
        def shape(self) -> tuple[int, ...]:
            return self.array.shape

        @property
        def size(self) -> int:
            return self.array.size

        def __getitem__(self, part: slice) -> Any:
            return FakeCuda.Array(self.array[part])

        def reshape(self, shape: tuple[int, ...]) -> Any:
            return FakeCuda.Array(self.array.reshape(shape))

        def copy_to_device(self, source: np.ndarray, stream: Any) -> None:
            self.array[...] = source

        def copy_to_host(self, target: np.ndarray, stream: Any) -> None:
            content = self.array.copy()
            target[...] = 77
            stream.waiting.append(lambda: np.copyto(target, content))

    Array.__module__ = "numba.simulated"
    allocated = 0

    def stream(self) -> Stream:
        return self.Stream()

    def pinned_array(self, size: int, dtype: Any) -> np.ndarray:
        FakeCuda.allocated += size * dtype.itemsize
        return np.empty(size, dtype)

    def device_array(self, size: int, dtype: Any, stream: Any) -> Any:
        return self.Array(np.empty(size, dtype))

    def get_current_device(self) -> Any:
        return SimpleNamespace(id=0)


@pytest.mark.usefixtures("simulator")
@pytest.mark.parametrize("layout", ["contiguous", "strided", "broadcast", "swapped", "several results", "memory map"])
def test_simulated_chunks(monkeypatch: pytest.MonkeyPatch, tmp_path: Any, layout: str) -> None:
    monkeypatch.setattr(host, "CHUNK", 100)
    monkeypatch.setattr(host, "cuda", FakeCuda())
    FakeCuda.allocated = 0
    x = np.random.default_rng(0).normal(size=(41, 6)).astype(np.float32)
    out: Any = None
    if layout == "strided":
        x, out = np.repeat(x, 2, 1)[:, ::2], np.zeros((6, 41), np.float32).T
    elif layout == "swapped":
        x = x.astype(">f4")
    elif layout == "memory map":
        x = np.memmap(tmp_path / "x", np.float32, "w+", shape=(41, 6))
        x[...] = np.arange(246).reshape(41, 6) - 100
        out = np.memmap(tmp_path / "y", np.float32, "w+", shape=(41, 6))
    before = x.copy()
    if layout == "several results":
        found = backend.elementwise(fa.reglu.backward, (x, x, x[:1]), {})
        for got, wanted in zip(found, fa.reglu.backward(x, x, np.repeat(x[:1], 41, 0)), strict=True):
            assert_same(got, wanted)
    else:
        slope = np.arange(6, dtype=np.float32) if layout == "broadcast" else 0.5
        found = backend.elementwise(fa.leaky_relu, (x, slope), {} if out is None else {"out": out})
        assert out is None or found is out
        assert_same(np.asarray(found), np.asarray(fa.leaky_relu(before.astype("f4"), slope)))
    np.testing.assert_array_equal(x, before)
    if layout == "contiguous":
        memory = np.concatenate([x.reshape(-1), x[0]])
        backend.elementwise(fa.leaky_relu, (memory[:-6], 0.5), {"out": memory[6:]})  # which overlap
        assert_same(memory[6:], fa.leaky_relu(x, 0.5).reshape(-1))
        backend.elementwise(fa.leaky_relu, (x, 0.5), {"out": x})
        assert_same(x, fa.leaky_relu(before, 0.5))
        return
    assert 0 < FakeCuda.allocated <= host.SLOTS * 5 * 100
    allocated = FakeCuda.allocated
    with pytest.raises(ValueError, match=r"out has shape \(3,\)"):
        backend.elementwise(fa.leaky_relu, (x, 0.5), {"out": np.zeros(3, np.float32)})
    if layout == "strided":
        backend.elementwise(fa.leaky_relu, (x, 0.25), {"out": out})
        assert FakeCuda.allocated == allocated  # the slots are used again


@pytest.mark.usefixtures("simulator")
@pytest.mark.parametrize("function", [fa.softmax, fa.log_softmax, fa.logsumexp, fa.sparsemax], ids=lambda f: f.name)
def test_simulated_chunks_of_rows(monkeypatch: pytest.MonkeyPatch, function: Any) -> None:
    for module in (host, call_softmax):
        monkeypatch.setattr(module, "CHUNK", 100)
    monkeypatch.setattr(host, "cuda", FakeCuda())
    x, grad = np.random.default_rng(0).normal(size=(2, 11, 3, 5)).astype(np.float32)
    for axis in (-1, (1, 2)):
        y = function(x, axis=axis, backend="cuda")
        np.testing.assert_allclose(y, function(x, axis=axis), rtol=2e-6, atol=1e-7)
        g = y if function is fa.logsumexp else grad
        last = x if function is fa.logsumexp else y
        out = np.zeros((5, 3, 11), np.float32).T
        assert function.backward(g, last, axis=axis, out=out, backend="cuda") is out
        np.testing.assert_allclose(out, function.backward(g, last, axis=axis), rtol=2e-5, atol=1e-6)


@pytest.mark.usefixtures("simulator")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_simulated_layouts(layout: str) -> None:
    x = LAYOUTS[layout](np.linspace(-9, 9, 120, dtype=np.float32).reshape(15, 8))
    assert_same(on_simulator(fa.leaky_relu, x, 0.1), fa.leaky_relu(x, 0.1))
    grad = np.linspace(1, 2, x.size, dtype=np.float32).reshape(x.shape)
    assert_same(on_simulator(fa.leaky_relu.backward, grad, x, 0.1), fa.leaky_relu.backward(grad, x, 0.1))
    if layout != "broadcast":
        expected = fa.leaky_relu(x, 0.1)
        result = on_simulator(fa.leaky_relu, x, 0.1, out=x)
        assert result is x
        assert_same(x, expected)


@pytest.mark.usefixtures("simulator")
def test_simulated_array_parameters() -> None:
    x = np.linspace(-9, 9, 48, dtype=np.float32).reshape(2, 6, 4)
    for alpha in (np.linspace(0, 1, 4), np.linspace(0, 1, 6).reshape(6, 1), np.float64(0.3), np.ones((2, 1, 1, 4))):
        alpha = alpha.astype(np.float32)
        assert_same(on_simulator(fa.leaky_relu, x, alpha), fa.leaky_relu(x, alpha))
    out = np.empty((3, *x.shape), np.float32)
    assert_same(on_simulator(fa.leaky_relu, x, 0.5, out=out), np.stack([fa.leaky_relu(x, 0.5)] * 3))


@pytest.mark.usefixtures("simulator")
@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int64", "float16", "float64"])
def test_simulated_dtypes(dtype: str) -> None:
    x = np.array([0, 1, 1, 0, 1]).astype(dtype)
    assert_same(on_simulator(fa.relu, x), fa.relu(x))
    assert_same(on_simulator(fa.leaky_relu, x, 0.1), fa.leaky_relu(x, 0.1))
    assert_same(on_simulator(fa.leaky_relu, x, 0.1, dtype="float32"), fa.leaky_relu(x, 0.1, dtype="float32"))


@pytest.mark.usefixtures("simulator")
@pytest.mark.parametrize("shift", [-1, 1, 7])
def test_simulated_overlap(shift: int) -> None:
    memory = np.linspace(-5, 5, 100, dtype=np.float32)
    x, out = memory[10:90], memory[10 + shift : 90 + shift]
    expected = fa.leaky_relu(x, 0.5)
    on_simulator(fa.leaky_relu, x, 0.5, out=out)
    assert_same(out, expected)


def over_axes(function: Any, *operands: np.ndarray, axis: Any = -1, where: Any = None, lengths: Any = None,
              temperature: Any = 1.0, out: Any = None, dtype: Any = None) -> np.ndarray:  # fmt: skip
    """A call of the softmax family in the simulator; reduced axes are kept."""
    where, out = (Simulated(o) if isinstance(o, np.ndarray) else o for o in (where, out))
    given = *map(Simulated, operands), out, where, lengths, temperature
    *seen, out, where, lengths, temperature = backend.seen(*given)
    record = softmax_arguments(function, seen, axis, out, where, lengths, temperature, dtype)
    return backend.over_axes(record).array


def on_cpu(function: Any, *operands: np.ndarray, **keywords: Any) -> np.ndarray:
    if function is fa.logsumexp and len(operands) == 1:
        keywords["keepdims"] = True
    return (function if len(operands) == 1 else function.backward)(*operands, **keywords)


#: One thread, a warp and a block for a row, parts of a row, columns, axes that are not neighbours.
ROW_SHAPES = [
    ((3, 1), -1), ((5, 3), -1), ((5, 7), 1), ((3, 21), 1), ((1, 35), 1), ((5, 5), 0), ((2, 9, 3), 1),
    ((2, 3, 2), (1, 2)), ((2, 3, 2), (0, 2)), ((2, 3), None), ((2, 3), ()), ((4, 0), -1), ((0, 4), -1),
    ((4, 0, 2), 1), ((), -1),
]  # fmt: skip


@pytest.mark.usefixtures("simulator")
@pytest.mark.parametrize(("shape", "axis"), ROW_SHAPES, ids=str)
@pytest.mark.parametrize(
    "function", [fa.softmax, fa.log_softmax, fa.softmin, fa.logsumexp, *SPARSE], ids=lambda f: f.name
)
def test_simulated_softmax(function: Any, shape: tuple[int, ...], axis: Any) -> None:
    """Forward and backward, into new arrays, in place, and from and to other layouts."""
    x, grad = map(np.asarray, np.random.default_rng(1).normal(0, 3, (2, *shape)))
    y = over_axes(function, x, axis=axis)
    np.testing.assert_allclose(y, on_cpu(function, x, axis=axis), rtol=1e-13, atol=1e-300)
    if function is fa.logsumexp:
        given, last = y, x
    else:
        given, last = grad, y
    slope = over_axes(function, given, last, axis=axis)
    np.testing.assert_allclose(slope, on_cpu(function, given, last, axis=axis), rtol=1e-11, atol=1e-14)
    turned = np.array(x, order="F")
    assert_same(over_axes(function, turned, axis=axis), y)
    wider = np.full((*y.shape, 2), np.nan)
    over_axes(function, x, axis=axis, out=wider[..., 1])
    assert_same(wider[..., 1], y)
    assert np.isnan(wider[..., 0]).all()
    if function is not fa.logsumexp:
        assert over_axes(function, x, axis=axis, out=x) is x
        assert_same(x, y)


@pytest.mark.usefixtures("simulator")
@pytest.mark.parametrize(
    "options", ["where", "where of a row", "causal", "lengths", "temperature", "temperatures", "all", "none"]
)
@pytest.mark.parametrize(
    ("shape", "axis"), [((2, 1, 3, 4), -1), ((2, 2, 2, 9), -1), ((1, 1, 2, 20), -1), ((2, 1, 5, 3), 2)]
)
@pytest.mark.parametrize("function", [fa.softmax, fa.log_softmax, fa.logsumexp, *SPARSE], ids=lambda f: f.name)
def test_simulated_softmax_options(function: Any, shape: tuple[int, ...], axis: int, options: str) -> None:
    rng = np.random.default_rng(2)
    x, grad = rng.normal(0, 3, (2, *shape))
    mask = rng.random(shape) < 0.6
    row = rng.random((shape[0], 1, 1, shape[-1])) < 0.7
    lengths = rng.integers(0, shape[axis] + 1, shape[0])
    given: dict[str, Any] = {
        "where": {"where": mask}, "where of a row": {"where": row}, "causal": {"where": "causal"},
        "lengths": {"lengths": lengths}, "temperature": {"temperature": 0.3},
        "temperatures": {"temperature": 1 + rng.random(shape[1:])}, "none": {"where": np.zeros(shape, bool)},
        "all": {"where": mask, "lengths": lengths, "temperature": 2.5},
    }[options]  # fmt: skip
    if options == "causal" and axis != -1:
        with pytest.raises(ValueError, match="causal"):
            over_axes(function, x, axis=axis, **given)
        return
    y = over_axes(function, x, axis=axis, **given)
    np.testing.assert_allclose(y, on_cpu(function, x, axis=axis, **given), rtol=1e-13, atol=1e-300)
    assert_same(over_axes(function, np.swapaxes(x.swapaxes(-2, -1).copy(), -2, -1), axis=axis, **given), y)
    x[..., 0] = np.nan  # which must not leak where it does not count
    operands = (np.ones_like(y), x) if function is fa.logsumexp else (grad, y)
    wanted = on_cpu(function, *operands, axis=axis, **given)
    np.testing.assert_allclose(over_axes(function, *operands, axis=axis, **given), wanted, rtol=1e-11, atol=1e-14)


@pytest.mark.usefixtures("simulator")
@pytest.mark.parametrize(
    ("dtype", "result"), [("f2", None), ("f2", "f4"), ("f4", "f2"), ("f4", "f8"), ("i2", None), ("?", None)]
)
@pytest.mark.parametrize("shape", [(3, 7), (2, 20)], ids=str)
@pytest.mark.parametrize("function", [fa.softmax, fa.log_softmax, fa.logsumexp, *SPARSE], ids=lambda f: f.name)
def test_simulated_softmax_dtypes(function: Any, shape: tuple[int, ...], dtype: str, result: str | None) -> None:
    x = (np.random.default_rng(1).normal(0, 3, shape)).astype(dtype)
    y = over_axes(function, x, dtype=result)
    wanted = on_cpu(function, x, dtype=result, **({"axis": -1} if function is fa.logsumexp else {}))
    assert y.dtype == wanted.dtype
    np.testing.assert_allclose(y.astype("f8"), wanted.astype("f8"), rtol=4 * np.finfo(y.dtype).eps)
    if dtype == "f2":
        slope = over_axes(function, y, x if function is fa.logsumexp else y) if result is None else y
        assert slope.dtype == y.dtype


def test_simulated_bfloat16() -> None:
    """Every bit pattern there, and rounding as ml_dtypes does it back."""
    half = np.arange(1 << 16, dtype=np.uint16)
    wide = (half.astype(np.uint32) << 16).view(np.float32)
    assert_same(np.array([intrinsics.from_bfloat16(each, np.float32(0)) for each in half]), wide)
    values = sample("float32", 1000)[:2000]
    with np.errstate(all="ignore"):
        back = np.array([intrinsics.to_bfloat16(each, np.uint16(0)) for each in values], np.uint16)
        expected = values.astype(ml_dtypes.bfloat16)
    same = (back == expected.view(np.uint16)) | np.isnan(values)
    assert same.all()
    assert np.isnan(back.view(ml_dtypes.bfloat16)[np.isnan(values)]).all()


@pytest.mark.usefixtures("simulator")
@pytest.mark.parametrize("rise", [1e-3, 0.02, 0.5, -0.02])
@pytest.mark.parametrize("function", [fa.softmax, fa.log_softmax, fa.logsumexp], ids=lambda f: f.name)
def test_simulated_rising_rows(function: Any, rise: float) -> None:
    """Digits are not lost with every new maximum; ties and rows in parts among them."""
    x = (np.arange(120)[np.newaxis] // 2 * 2 * rise).astype(np.float32)
    exact = x.astype(np.longdouble)
    total = np.log(np.exp(exact - exact.max()).sum()) + exact.max()
    wanted = {"softmax": np.exp(exact - total), "log_softmax": exact - total, "logsumexp": total.reshape(1, 1)}
    for count in (1, 20):  # the first row of which is one of few, and of many
        assert ulps(over_axes(function, np.repeat(x, count, 0))[:1], wanted[function.name]) <= 2.5


@pytest.mark.usefixtures("simulator")
@pytest.mark.parametrize("n", [3, 20])
def test_simulated_row_specials(n: int) -> None:
    head = np.array([[0, np.nan, 1], [np.inf, 0, 1], [-np.inf] * 3, [-np.inf, 0, 0], [1e4, 1e4, -1e4]], np.float32)
    x = np.concatenate([head, np.full((5, n - 3), -np.inf, np.float32)], 1)
    for function in (fa.softmax, fa.log_softmax, fa.logsumexp, *SPARSE):
        for part in (x, x[:2]):  # of which two long rows are taken in parts
            wanted = on_cpu(function, part, axis=-1)
            np.testing.assert_allclose(over_axes(function, part), wanted, rtol=1e-6)


@pytest.mark.usefixtures("simulator")
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("function", [fa.sparsemax, fa.entmax15], ids=lambda f: f.name)
def test_simulated_sparse_error(function: Any, dtype: str) -> None:
    power = POWERS[function.name]
    for name, make in ROWS.items():
        x = make(power, np.dtype(dtype))
        if len(x) <= 500:
            y = over_axes(function, x)
            with mpmath.workdps(700 if name in ("farther", "largest", "subnormal") else 100):
                assert largest_error(y, exact(x, y, power)) <= function.max_ulp, name


@pytest.mark.usefixtures("simulator")
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("function", SPARSE, ids=lambda f: f.name)
def test_simulated_sparse_alone(function: Any, axis: int) -> None:
    """A row has the bits that it has beside others, whose thresholds take other numbers of steps to find."""
    x = np.random.default_rng(0).normal(size=(9, 9)).astype(np.float32) * np.float32(4) ** -np.arange(9, dtype="f4")
    x = np.moveaxis(x, 1, 1 - axis)
    y = over_axes(function, x, axis=axis)
    for i in range(9):
        assert_same(over_axes(function, x.take([i], 1 - axis), axis=axis), y.take([i], 1 - axis))


@pytest.mark.usefixtures("simulator")
@pytest.mark.parametrize("shape", [(3, 5), (2, 21)], ids=str)
@pytest.mark.parametrize("function", SPARSE, ids=lambda f: f.name)
def test_simulated_sparse_does_not_read(function: Any, shape: tuple[int, ...]) -> None:
    """x under the mask, and the gradient for what is 0; rows of NaN stay NaN."""
    x, grad = np.random.default_rng(0).normal(0, 1, (2, *shape))
    mask = np.random.default_rng(1).random(shape) < 0.8
    y = on_cpu(function, x, where=mask)
    assert_same(over_axes(function, np.where(mask, x, np.nan), where=mask), y)
    grad[y == 0] = np.nan
    y[0] = np.nan
    wanted = on_cpu(function, grad, y)
    for out in (None, grad.copy(), y.copy()):
        operands = [out if out is not None and np.array_equal(out, o, equal_nan=True) else o for o in (grad, y)]
        np.testing.assert_allclose(over_axes(function, *operands, out=out), wanted, atol=1e-15)


@pytest.mark.usefixtures("simulator")
def test_simulated_errors() -> None:
    x = np.ones((2, 3), np.float32)
    for error, text, call in [
        (TypeError, "host memory", lambda: backend.elementwise(fa.leaky_relu, (Simulated(x), np.ones(3)), {})),
        (TypeError, "out has dtype float64", lambda: on_simulator(fa.relu, x, out=np.ones((2, 3)))),
        (ValueError, r"out has shape \(3, 2\)|broadcast", lambda: on_simulator(fa.relu, x, out=x.reshape(3, 2))),
        (ValueError, "out has shape", lambda: on_simulator(fa.relu, x, out=x[:1])),
        (TypeError, "not supported for the input types", lambda: on_simulator(fa.tanh, x.astype(complex))),
        (TypeError, "unexpected keyword argument 'axis'", lambda: on_simulator(fa.tanh, x, axis=1)),
        (fa.BackendError, "not where=", lambda: on_simulator(fa.tanh, x, where=x > 0)),
        (np.exceptions.AxisError, "axis 2 is out of bounds", lambda: over_axes(softmax, x, axis=2)),
        (TypeError, "out has dtype float64", lambda: over_axes(softmax, x, out=np.ones((2, 3)))),
        (ValueError, r"out has shape \(3, 2\)", lambda: over_axes(softmax, x, out=np.ones((3, 2), np.float32))),
        (TypeError, "where has dtype float32", lambda: over_axes(softmax, x, where=x)),
        (ValueError, "does not broadcast", lambda: over_axes(softmax, x, where=np.ones(4, bool))),
        (ValueError, r"lengths\[1\] is 4", lambda: over_axes(softmax, x, lengths=[3, 4])),
        (ValueError, "temperature holds 0.0", lambda: over_axes(softmax, x, temperature=0)),
        (ValueError, "temperature of shape", lambda: over_axes(softmax, x, temperature=[1, 2])),
        (ValueError, "temperature of shape", lambda: over_axes(softmax, x, temperature=Simulated(np.ones(2)))),
        (ValueError, "grad_output has shape", lambda: over_axes(softmax, x[:1], x)),
        (fa.BackendError, "no b or return_sign", lambda: fa.logsumexp(Simulated(x), b=2)),
        (TypeError, "complex64", lambda: over_axes(softmax, x.astype(np.complex64))),
    ]:
        with pytest.raises(error, match=text):
            call()
    frozen = x.copy()
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        on_simulator(fa.relu, x, out=frozen)


# --- the trainer ------------------------------------------------------------------------------------------------------


@pytest.fixture
def host_cupy(simulator: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module that passes for cupy, with kernels in the simulator."""
    monkeypatch.setitem(sys.modules, "cupy", simulated_cupy)
    return simulated_cupy


def test_simulated_libraries_do_not_mix(host_cupy: Any) -> None:
    x = np.ones((2, 3), np.float32)
    one, other, classes = Simulated(x), host_cupy.asarray(x), Simulated(np.array([0, 1]))
    for call in (
        lambda: fa.relu.backward(one, other),
        lambda: fa.relu(one, out=other),
        lambda: fa.softmax(one, where=host_cupy.asarray(x > 0)),
        lambda: fa.mse(one, other),
        lambda: fa.cross_entropy(one, classes, weight=other[0]),
    ):
        with pytest.raises(TypeError, match="arrays of cupy and numba are mixed"):
            call()


@pytest.mark.parametrize("dtype", ["f2", "f4", "i2"])
def test_simulated_calls_once_more(host_cupy: Any, dtype: str) -> None:
    """A call of the same kind has its own numbers, arrays, memory and layout; what is known is used where it holds."""
    rng = np.random.default_rng(0)

    def check(operation: Any, operands: Any, out: Any = None) -> None:
        expected = operation(*(o.host.copy() if type(o) is host_cupy.ndarray else o for o in operands))
        found = operation(*operands) if out is None else operation(*operands, out=out)
        assert out is None or found is out
        for got, wanted in zip(
            *((each if isinstance(each, tuple) else (each,)) for each in (found, expected)), strict=True
        ):
            assert_same(got.host, wanted)

    known = repeated._known
    for turn in range(3):
        x, grad, memory = (host_cupy.asarray(rng.normal(0, 9, (6, 8)).astype(dtype)) for _ in range(3))
        check(fa.leaky_relu, (x, 0.1 * turn))
        check(fa.leaky_relu, (x[::2, 1:], 0.5))
        check(fa.leaky_relu, (x.T, turn))
        result = fa.leaky_relu._result_dtype((x.host, 0.5))
        check(fa.leaky_relu, (x, 0.5), host_cupy.zeros((6, 8), result))
        if dtype != "i2":
            check(fa.leaky_relu.backward, (grad, x, 0.1))
            check(fa.reglu.backward, (grad, x, memory))
            check(fa.relu, (memory[1:],), memory[:-1])  # which overlap, and are never known
            check(fa.relu, (x,), x)
        if turn == 0:
            found = len(known)
    assert len(known) == found > 0  # after the first turn, nothing is new
    check(fa.leaky_relu, (host_cupy.zeros((0, 8), dtype), 0.5))
    with pytest.raises(ValueError, match="out has shape"):
        fa.relu(x, out=host_cupy.zeros((1, 8), dtype))


def test_simulated_rows_once_more(host_cupy: Any) -> None:
    """A call of the softmax family that is like one before is repeated; one that differs in anything is not."""
    rng = np.random.default_rng(0)

    def check(call: Any, *operands: Any, **options: Any) -> None:
        wanted = call(*(o.host.copy() for o in operands), **options)
        for out in (None, host_cupy.asarray(np.full_like(wanted, 7))):
            found = call(*operands, **options, **({} if out is None else {"out": out}))
            assert out is None or found is out
            np.testing.assert_allclose(found.host, wanted, rtol=1e-5, atol=1e-6)

    for turn in range(2):
        x, y, other = (host_cupy.asarray(rng.normal(size=(4, 4)).astype("f4")) for _ in range(3))
        for function in (fa.softmax, fa.softmin, fa.log_softmax, fa.sparsemax):
            check(function, x)
            check(function.backward, x, y)
        for options in ({"axis": 0}, {"axis": None}, {"where": "causal"}, {"temperature": 2.0}, {"temperature": 3}):
            check(fa.softmax, x, **options)
        check(fa.softmax, x.T)
        check(fa.softmax, x, lengths=[1, 2, 3, 0])
        for keepdims in (False, True):
            check(fa.logsumexp, x, axis=1, keepdims=keepdims)
        check(fa.logsumexp.backward, other[0], x, axis=1)
        if turn == 0:
            found = len(repeated._known)
        assert len(repeated._known) == found > 0
    with pytest.raises(TypeError, match="axis"):
        fa.softmax(x, axis=0.0)
    with pytest.raises(ValueError, match="out has shape"):
        fa.softmax(x, out=other[:1])
    with pytest.raises(fa.BackendError, match="takes host arrays"), fa.use_backend("serial"):
        fa.softmax(x)
    with pytest.raises(fa.BackendError, match="takes host arrays"):
        fa.softmax(x, backend="serial")
    assert "backend 'cuda'" in fa.explain(fa.softmax, x)


ORDERS: dict[str, Any] = {
    "transposed": lambda a: a.T,
    "permuted": lambda a: a.reshape(2, 3, 4).transpose(1, 2, 0),
    "Fortran": lambda a: np.asfortranarray(a.reshape(2, 3, 4)),
    "sliced": lambda a: np.repeat(a, 2, 1).T[::2],
    "reversed": lambda a: a.reshape(2, 3, 4).transpose(2, 0, 1)[::-1],
}


@pytest.mark.parametrize("order", ORDERS)
def test_simulated_results_keep_their_order(host_cupy: Any, order: str) -> None:
    """New results lie in memory as those of the CPU do, and arrays of one order are read and written as flat ones."""
    x = ORDERS[order](np.arange(24, dtype="f4").reshape(6, 4) - 9)
    c_order, row = np.ascontiguousarray(x) + 3, x[:1].copy()
    for kind, on_host in ((host_cupy.asarray, lambda o: o.host), (Simulated, lambda o: o.array)):
        for operation, *operands in (
            (fa.relu, x), (fa.relu.backward, x, x), (fa.relu.backward, x, c_order), (fa.relu.backward, c_order, x),
            (fa.leaky_relu, x, row), (fa.reglu.backward, x, x, row), (fa.leaky_relu, x[:1], x),
        ):  # fmt: skip
            wanted = operation(*operands)
            found = operation(*map(kind, operands))
            pairs = zip(found, wanted, strict=True) if operation._outputs > 1 else [(found, wanted)]
            for got, expected in pairs:
                assert_same(on_host(got), expected)
                assert on_host(got).strides == expected.strides
    repeated._known.clear()
    fa.relu(host_cupy.ndarray(x))
    (known,) = repeated._known.values()
    launched: Any = known.repetition.kernel
    flat = order not in ("sliced", "reversed")
    assert launched[1] is (elementwise_kernels.contiguous_kernel if flat else elementwise_kernels.strided_kernel)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("kind", TRAINED, ids=lambda kind: kind[1])
def test_simulated_training(host_cupy: Any, kind: Any, dtype: str) -> None:
    assert_trains_as_on_cpu(host_cupy, kind, dtype, 6)


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: next(iter(options)))
def test_simulated_training_with_options(host_cupy: Any, options: dict[str, Any]) -> None:
    assert_trains_as_on_cpu(
        host_cupy, ("softmax", "cross_entropy", 3, "leaky_relu", "rmsprop"), "float64", 6, **options
    )


@pytest.mark.parametrize("kind", TRAINED, ids=lambda kind: kind[1])
def test_simulated_training_with_weights(host_cupy: Any, kind: Any) -> None:
    assert_trains_as_on_cpu(host_cupy, kind, "float64", 6, weighted=True)


@pytest.mark.parametrize("kind", TRAINED[:2], ids=lambda kind: kind[1])
def test_simulated_training_waits_once_an_epoch(host_cupy: Any, kind: Any) -> None:
    """However many batches it has."""
    waits = []
    for n in (4, 10):
        x, y = map(host_cupy.asarray, samples(kind[1], kind[2], n))
        model, before = network(*kind, device="cuda"), host_cupy.ndarray.waits
        model.fit(x, y, epochs=1)
        waits.append(host_cupy.ndarray.waits - before)
    assert waits[0] == waits[1]


def test_simulated_trainer_moves_between_sides(host_cupy: Any, tmp_path: Any) -> None:
    """Copies stay on the device, a file has none, and training goes on alike on either."""
    kind, (x, y) = TRAINED[0], samples("cross_entropy", 3)
    model = network(*kind, device="cuda").fit(x, y, epochs=1)
    model.save(tmp_path / "model")
    loaded = fa.MLP.load(tmp_path / "model", device="cuda")
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), loaded):
        assert twin.device == "cuda"
        assert repr(twin) == repr(model)
        assert_same(twin.forward(x), model.forward(x))
    on_host = fa.MLP.load(tmp_path / "model")
    assert on_host.device == "cpu"
    assert type(on_host.parameters) is np.ndarray
    assert type(on_host.predict(host_cupy.asarray(x))) is host_cupy.ndarray
    np.testing.assert_allclose(on_host.fit(x, y, epochs=1).parameters, model.fit(x, y, epochs=1).parameters.host)
    model.layers[0].weights, model.layers[0].bias = np.ones((3, 4)), [1, 2, 3, 4]
    assert model.layers[0].weights.host.tolist() == [[1] * 4] * 3
    assert model.layers[0].bias.host.tolist() == [1, 2, 3, 4]


def test_simulated_trainer_checks_data_where_it_is(host_cupy: Any) -> None:
    """With the messages of the CPU, and without a copy to the host."""
    kind, (x, y) = TRAINED[0], samples("cross_entropy", 3)
    model, regression = network(*kind, device="cuda"), network(*TRAINED[2], device="cuda")
    before = model.forward(x)
    spoilt, wide = x.copy(), np.ones((10, 3)) * 1e300
    spoilt[7, 2] = np.nan
    for each, wrong_x, wrong_y in [
        (model, spoilt, y), (model, x[0], y), (model, x[:, :2], y), (model, x[:0], y), (model, x.astype(complex), y),
        (model, x, y[:9]), (model, x, y + 1), (model, x, y + 0.5), (model, x, np.ones((10, 3))),
        (network(*TRAINED[1], device="cuda"), x, y + 2), (regression, x, y), (regression, x, np.full((10, 2), np.inf)),
        (network(*kind, device="cuda", dtype=np.float32), wide, y),
    ]:  # fmt: skip
        messages = []
        for data in ((wrong_x, wrong_y), map(host_cupy.asarray, (wrong_x, wrong_y))):
            with pytest.raises((TypeError, ValueError)) as caught:
                each.fit(*data, epochs=1)
            messages.append(f"{caught.type} {caught.value}")
        assert messages[0] == messages[1]
    assert_same(model.forward(x), before)


@pytest.mark.usefixtures("host_cupy")
def test_simulated_trainer_diverges_back_to_the_epoch_before() -> None:
    x, y = samples("mse", 2)
    model = network(*TRAINED[2], device="cuda").fit(x, y, epochs=1)
    before = [array.host.copy() for array in (model.parameters, model.optimizer.state)]
    model.optimizer.learning_rate = 1e300
    with pytest.raises(FloatingPointError, match=r"epoch 2 .* learning_rate below 1e\+300"):
        model.fit(x, y, epochs=1)
    assert_same(model.parameters.host, before[0])
    assert_same(model.optimizer.state.host, before[1])
    assert len(model.history["loss"]) == 1


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_simulated_scikit_learn(host_cupy: Any) -> None:
    """Estimators train on the device as on the host, and answer where the samples are."""
    estimators: Any = pytest.importorskip("fastact.sklearn", reason="scikit-learn is not installed")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(12, 3)), np.arange(12) % 3
    here, classes = host_cupy.asarray(x), host_cupy.asarray(y)
    settings = {"hidden_layer_sizes": (4,), "max_iter": 3, "random_state": 0, "class_weight": "balanced"}
    plain = estimators.MLPClassifier(**settings).fit(x, y)
    model = estimators.MLPClassifier(**settings, device="cuda").fit(here, classes, X_val=here, y_val=classes)
    assert type(model.coefs_[0]) is host_cupy.ndarray
    for method in ("predict", "predict_proba", "predict_log_proba", "transform"):
        expected = getattr(plain, method)(x)
        for each in (model, plain):
            np.testing.assert_allclose(getattr(each, method)(here).host, expected)
        np.testing.assert_allclose(getattr(model, method)(x), expected)
    early = {**settings, "early_stopping": True, "validation_fraction": 0.3, "class_weight": None}
    np.testing.assert_allclose(
        estimators.MLPClassifier(**early, device="cuda").fit(here, classes).predict_proba(x),
        estimators.MLPClassifier(**early).fit(x, y).predict_proba(x),
    )
    twin = pickle.loads(pickle.dumps(model)).set_params(class_weight=None).partial_fit(here, classes)
    assert type(twin.coefs_[0]) is host_cupy.ndarray
    regressor = estimators.MLPRegressor("huber", (4,), solver="lbfgs", max_iter=3, random_state=0)
    on_device = copy.deepcopy(regressor).set_params(device="cuda").fit(here, host_cupy.asarray(x[:, 0]))
    np.testing.assert_allclose(on_device.predict(x), regressor.fit(x, x[:, 0]).predict(x))
    with pytest.raises(ValueError, match="Expected 2D array, got 1D array"):
        model.predict(here[0])
