"""The cuda backend: generated code (no GPU needed), indexing (in Numba's simulator), and everything on a real GPU.

Tests marked gpu need a card and are skipped, with the reason, where there is none. The loops run over the registry: a
new activation is covered without a line here.
"""

from __future__ import annotations

import copy
import ctypes
import importlib.util
import os
import pickle
import re
import subprocess
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
import simulated_cupy
from test_sparse import POWERS, ROWS, exact, largest_error

import fastact as fa
from fastact import _cache
from fastact.activations import piecewise
from fastact.backends import cuda as backend
from fastact.backends.cuda import (
    call_elementwise,
    call_losses,
    call_softmax,
    compiling,
    device,
    elementwise_kernels,
    host,
    launching,
    libraries,
    loss_kernels,
    rows,
    softmax_kernels,
    sparse_kernels,
    views,
)
from fastact.softmax import log_softmax, softmax

ACTIVATIONS = [f for f in map(fa.get, fa.names()) if isinstance(f, fa.Activation)]
OPERATIONS = [part for f in ACTIVATIONS for part in (f, f.derivative, f.backward)]
OPERATIONS += [fa.swiglu, fa.swiglu.backward, fa.geglu.backward, fa.gelu.with_bias]
BY_NAME = {operation.name: operation for operation in OPERATIONS}
SPARSE = [fa.sparsemax, fa.entmax15, fa.hardmax]
FLOATS = ["float32", "float64"]

needs_numba_cuda = pytest.mark.skipif(
    importlib.util.find_spec("numba_cuda") is None or compiling.SIMULATED, reason="numba-cuda is not installed"
)
in_simulator = pytest.mark.skipif(not compiling.SIMULATED, reason="test_simulator runs this, in a process of its own")


def on_gpu(test: Any) -> Any:
    """Mark a test that needs a card."""
    reason = backend.why_not()
    return pytest.mark.gpu(pytest.mark.skipif(reason is not None, reason=f"no GPU: {reason}")(test))


def assert_same(actual: Any, expected: Any) -> None:
    """Equal bits, except that any NaN is as good as another."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert (actual.dtype, actual.shape) == (expected.dtype, expected.shape)
    if actual.dtype.kind != "f":
        np.testing.assert_array_equal(actual, expected)
        return
    integer = f"i{actual.itemsize}"
    a, e = np.ascontiguousarray(actual), np.ascontiguousarray(expected)
    differ = (a.reshape(-1).view(integer) != e.reshape(-1).view(integer)) & ~(np.isnan(a) & np.isnan(e)).reshape(-1)
    where = np.flatnonzero(differ)[:5]
    assert not len(where), f"{differ.sum()} differ, as {a.reshape(-1)[where]} from {e.reshape(-1)[where]}"


def sample(dtype: str, n: int = 1 << 18) -> np.ndarray:
    """Numbers of every magnitude, NaN, infinities, zeros and subnormals among them."""
    bits = np.dtype(dtype).itemsize * 8
    spread = (np.arange(n, dtype=np.uint64) * np.uint64(((1 << bits) // n) | 1)).astype(f"u{bits // 8}").view(dtype)
    tiny = np.finfo(dtype).smallest_subnormal
    special = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, tiny, -tiny, 88.8, -88.8, -104.0, -745.5], dtype)
    usual = np.random.default_rng(0).normal(0, 5, n).astype(dtype)
    return np.concatenate([special, spread, usual])


def ulps(actual: np.ndarray, expected: np.ndarray) -> float:
    """Largest distance in units in the last place, from what is expected in a wider format."""
    return float(np.max(np.abs(actual - expected) / np.spacing(np.abs(expected.astype(actual.dtype)))))


# --- anywhere ---------------------------------------------------------------------------------------------------------


def test_reason_without_numba_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "find_spec", lambda name: None)
    assert backend.why_not.__wrapped__() == 'numba-cuda is not installed; pip install "fastact[cuda]"'


def test_reason_never_raises() -> None:
    reason = backend.why_not()
    assert reason is None or re.search("install|unset|nvidia-smi", reason)
    assert fa.backends()["cuda"] == (reason or "available")


@needs_numba_cuda
def test_reason_when_numpy_is_too_new(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = SimpleNamespace(find_spec=None)
    monkeypatch.setitem(sys.modules, "numba.cuda.cudadrv", broken)
    monkeypatch.setattr(np, "__version__", "2.99")
    reason = backend.why_not.__wrapped__()
    assert "fails under NumPy 2.99" in reason
    assert 'pip install "fastact[cuda]"' in reason


@pytest.mark.skipif(backend.why_not() is None, reason="there is a GPU")
def test_asked_for_by_name_without_gpu() -> None:
    with pytest.raises(fa.BackendError, match="backend 'cuda' is not available: "):
        fa.sigmoid(np.ones(3), backend="cuda")
    with pytest.raises(fa.BackendError, match="backend 'cuda' is not available: "):
        fa.sigmoid.vectorize("cuda")


def test_import_leaves_numba_cuda_alone() -> None:
    code = "import sys, fastact.backends.cuda; assert not {'numba.cuda', 'torch', 'cupy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-P", "-c", code], check=True, env={**os.environ, "NUMBA_ENABLE_CUDASIM": "0"})


@pytest.mark.parametrize(
    ("shape", "strides", "collapsed"),
    [
        ((4, 5), [(5, 1), (5, 1)], ((20,), ((1,), (1,)))),
        ((4, 5), [(1, 4), (1, 4)], ((20,), ((1,), (1,)))),
        ((4, 5), [(1, 4), (5, 1)], ((4, 5), ((1, 4), (5, 1)))),
        ((2, 3, 4), [(12, 4, 1), (0, 0, 0), (12, 4, 1)], ((24,), ((1,), (0,), (1,)))),
        ((2, 3, 4), [(12, 4, 1), (0, 0, 1), (12, 4, 1)], ((6, 4), ((4, 1), (0, 1), (4, 1)))),
        ((2, 1, 3), [(3, 99, 1), (3, 3, 1)], ((6,), ((1,), (1,)))),
        ((1, 1), [(7, 7), (1, 1)], ((1,), ((1,), (1,)))),
        ((6,), [(-1,), (1,)], ((6,), ((-1,), (1,)))),
    ],
)
def test_collapse(shape: Any, strides: Any, collapsed: Any) -> None:
    assert views.collapse(shape, tuple(strides)) == collapsed


@pytest.mark.parametrize("itemsize", [4, 8])
@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 2, 1), (7, 1000, 1), (3, 10**6, 1), (4, 7, 5), (1, 10**6, 10**5)])
def test_row_layouts(shape: tuple[int, int, int], itemsize: int) -> None:
    layout = rows.layout_of(*shape, itemsize)
    assert layout.threads & (layout.threads - 1) == 0
    assert layout.threads * layout.rows <= 1024
    assert layout.columns == (shape[2] > 1)
    assert layout.whole == (shape[1] <= layout.threads * layout.numbers)
    assert layout.parts == 0 or (layout.parts - 1) * layout.part < shape[1] <= layout.parts * layout.part
    assert not (layout.whole and layout.parts)


# --- generated code ---------------------------------------------------------------------------------------------------


@needs_numba_cuda
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", *FLOATS])
@pytest.mark.parametrize("name", BY_NAME)
def test_code(name: str, dtype: str) -> None:
    code = backend.ptx(BY_NAME[name], dtype)
    check_code(code, dtype)
    if "16" in dtype:  # an access to eight numbers; others where that many are not left
        assert len(re.findall(r"\bld\.global\.v4\.[bu]32", code)) == BY_NAME[name].inputs
        assert len(re.findall(r"\bst\.global\.v4\.[bu]32", code)) == BY_NAME[name].outputs
    else:
        assert len(re.findall(r"\bld\.global", code)) >= elementwise_kernels.PER_THREAD * BY_NAME[name].inputs
    if not name.startswith(tuple(piecewise.__all__)):
        assert "fma.rn" in code


def check_code(code: str, dtype: str) -> None:
    assert ".entry" in code
    assert dtype == "float64" or ".f64" not in code
    assert ".local" not in code  # nothing is spilled or indexed in memory
    assert not re.search(r"\bcall\b|__nv_", code)  # all inlined, and none of it libdevice's
    assert not re.search(r"\b(add|sub|mul|div)\.f(32|64)", code)  # only .rn: the driver may fuse the others
    assert not re.search(r"\bftz\b|\.ftz\.|\.approx", code)  # subnormals and division are exact


@needs_numba_cuda
@pytest.mark.parametrize("axes", [1, 2, 4])
def test_code_for_strides(axes: int) -> None:
    parameters = fa.leaky_relu.backward.scalar, (np.dtype("f4"), np.dtype("?"), None), 1, np.dtype("f4"), axes
    check_code(code_of(elementwise_kernels.strided_kernel, *parameters), "float32")


def code_of(template: Any, *parameters: Any) -> str:
    """PTX."""
    backend.register()
    return str(compiling.code_library(template, *parameters, capability=(8, 0)).get_asm_str(cc=(8, 0)))


ROW_LAYOUTS = {
    "warps": rows.Layout(32, 4, False, 8, True),
    "block": rows.Layout(512, 1, False, 16, True),
    "long": rows.Layout(512, 1, False, 16, False),
    "columns": rows.Layout(8, 32, True, 8, True),
}
ROW_OPTIONS = {
    "plain": rows.Options("float32", "float32"),
    "float64": rows.Options("float64", "float64"),
    "float16": rows.Options("float16", "float16"),
    "bfloat16": rows.Options("bfloat16", "float32"),
    "all": rows.Options("float32", "float32", 2, 1, True, True),
}
ROW_TEMPLATES = {
    **dict.fromkeys(sorted(softmax_kernels.KINDS), softmax_kernels.row_kernel),
    **dict.fromkeys(sparse_kernels.KINDS, sparse_kernels.row_kernel),
}


@needs_numba_cuda
@pytest.mark.parametrize("options", ROW_OPTIONS)
@pytest.mark.parametrize("layout", ROW_LAYOUTS)
@pytest.mark.parametrize("key", ROW_TEMPLATES, ids=str)
def test_code_for_rows(key: tuple[str, int], layout: str, options: str) -> None:
    code = code_of(ROW_TEMPLATES[key], *key, ROW_LAYOUTS[layout], ROW_OPTIONS[options])
    assert ".entry" in code
    assert ".local" not in code
    assert options == "float64" or ".f64" not in code
    assert re.search(rf"\.maxntid\s+{ROW_LAYOUTS[layout].block}\b", code)  # which have registers for all
    if key in softmax_kernels.KINDS and ROW_LAYOUTS[layout].whole and options == "plain":  # each number is read once
        loads = ROW_LAYOUTS[layout].numbers * (2 if key[1] == 2 and key[0] != "logsumexp" else 1)
        assert len(re.findall(r"\bld\.global", code)) == loads + (key == ("logsumexp", 2))
    together = key != ("hardmax", 2)  # whose numbers have nothing to do with each other
    assert ("shfl" in code) == (together and layout != "columns")
    assert ("bar.sync" in code) == (together and layout != "warps")
    assert ("bar.red.or" in code) == (key in [("sparsemax", 1), ("entmax15", 1)])  # as often for all of a block
    assert not re.search(r"\b(add|sub|mul|div)\.f(32|64)", code)  # only .rn: the driver may fuse the others


@needs_numba_cuda
@pytest.mark.parametrize("columns", [False, True])
@pytest.mark.parametrize("key", sorted(softmax_kernels.KINDS), ids=str)
def test_code_for_parts_of_rows(key: tuple[str, int], columns: bool) -> None:
    layout = rows.layout_of(64, 1 << 20, 1 + 63 * columns, 4)
    assert layout.parts > 1
    code = code_of(softmax_kernels.parts_kernel, *key, layout, ROW_OPTIONS["plain"])
    assert ".local" not in code
    assert ".f64" not in code
    assert len(re.findall(r"atom\.add\.acq_rel\.gpu", code)) == 2
    assert len(re.findall(r"ld\.acquire\.gpu", code)) >= 1
    assert "membar" in code or "fence" in code


@needs_numba_cuda
@pytest.mark.parametrize("options", ["plain", "float64", "float16"])
@pytest.mark.parametrize("layout", ROW_LAYOUTS)
@pytest.mark.parametrize(
    "targets", [{}, {"gradient": True, "weighted": True, "smoothed": True}, {"probabilities": "float32"}], ids=str
)
def test_code_for_losses(targets: Any, layout: str, options: str) -> None:
    parameters = ROW_LAYOUTS[layout], ROW_OPTIONS[options], loss_kernels.Targets(**targets)
    code = code_of(loss_kernels.loss_kernel, *parameters)
    assert ".local" not in code
    assert options == "float64" or not re.search(r"\b(add|mul|fma|div)[.a-z]*\.f64", code)


@needs_numba_cuda
@pytest.mark.parametrize("dtype", ["bfloat16", *FLOATS])
def test_code_for_sums_of_losses(dtype: str) -> None:
    items = (libraries.dtype_of(dtype),) * 2
    for loss in (fa.mse, fa.huber, fa.binary_cross_entropy):
        numbers = (None,) * len(loss.parameters)
        for operation, more in ((loss._value, ()), (loss._both, (None,))):
            parameters = operation.scalar, (*items, *more, *numbers), items[0], bool(more), 1, 256
            code = code_of(loss_kernels.sums_kernel, *parameters)
            assert ".local" not in code
            assert dtype == "float64" or ".f64" not in code
    for weighted in (True, False):
        assert ".local" not in code_of(loss_kernels.nll_kernel, dtype, weighted, 256)
    assert "shfl" in code_of(loss_kernels.total_kernel, dtype, 1024)
    assert "shfl" in code_of(loss_kernels.count_kernel, True, 1024)


@needs_numba_cuda
def test_code_is_kept_on_disk(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """By everything that shapes it; a truncated file is compiled again."""
    backend.register()
    monkeypatch.setenv("FASTACT_CACHE", str(tmp_path / "cache"))
    _cache._opened.cache_clear()
    contiguous = elementwise_kernels.contiguous_kernel
    try:
        keys = [
            (contiguous, fa.relu.scalar, (np.dtype(dtype),), 1, np.dtype(dtype), capability)
            for dtype in FLOATS
            for capability in [(8, 0), (9, 0)]
        ]
        keys.append((softmax_kernels.row_kernel, "softmax", 1, ROW_LAYOUTS["warps"], ROW_OPTIONS["plain"], (8, 0)))

        def code_for(key: Any) -> tuple[str, bytes]:
            return compiling.machine_code(*key[:-1], capability=key[-1])

        found = list(map(code_for, keys))
        assert len({code for _, code in found}) == 5
        assert all(code.startswith(b"\x7fELF") for _, code in found)
        assert _cache.cache_info().kernels == 5
        with monkeypatch.context() as patch:
            patch.setattr(compiling, "code_library", None)  # which is not asked again
            assert list(map(code_for, keys)) == found
        for path in _cache.cache_info().folder.glob("*.kernel"):
            path.write_bytes(path.read_bytes()[:-1])
        assert code_for(keys[0])[1].startswith(b"\x7fELF")
    finally:
        _cache._opened.cache_clear()


# --- indexing, in the simulator ---------------------------------------------------------------------------------------


def test_simulator() -> None:
    """Run the tests below under NUMBA_ENABLE_CUDASIM, which Numba reads at import."""
    if compiling.SIMULATED:
        pytest.skip("this is that process")
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, "-k", "simulated"]
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d\d passed", done.stdout), done.stdout


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


@pytest.fixture
def simulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the backend run its kernels in Numba's simulator, on host memory, in blocks small enough to be quick."""
    backend.register()
    for module in (elementwise_kernels, call_elementwise):
        monkeypatch.setattr(module, "THREADS", THREADS)
    simulated_block: Any = importlib.import_module("simulated_block")

    def shared_array(self: Any, shape: int, dtype: Any) -> np.ndarray:
        """As the simulator's own, which two functions of one template share even if their arrays differ."""
        caller = sys._getframe(1)
        key = caller.f_code.co_filename, caller.f_lineno, shape, dtype
        return self._allocations.setdefault(key, np.empty(shape, dtype))

    kernel_api: Any = importlib.import_module("numba.cuda.simulator.kernelapi")
    monkeypatch.setattr(kernel_api.FakeCUDAShared, "array", shared_array)
    for name, value in {
        "WARP": 2,
        "MOST_THREADS": 4,
        "BLOCK": 4,
        "BYTES": 16,
        "FILLED": 4,
        "PART": 4,
        "BLOCK_BYTES": 96,
        "CACHED": 400,
    }.items():
        monkeypatch.setattr(rows, name, value)
    rows.layout_of.cache_clear()
    for name, value in {"ALONE": 4, "THREADS": 4, "BLOCKS": 3}.items():
        monkeypatch.setattr(call_losses, name, value)

    def arguments(signature: Any, taken: Iterator[Any]) -> Iterator[Any]:
        """What a kernel takes, of the flat numbers that a launch passes."""
        for item in signature:
            if isinstance(item, tuple):
                yield tuple(arguments(item, taken))
            else:
                yield Pointer(next(taken), item) if isinstance(item, np.dtype) else item(next(taken))

    class SimulatedCall(launching.Call):
        def launch(self, template: Any, parameters: Any, views: Any, grid: int, block: int, flat: Any) -> None:
            kernel = template(*parameters)
            assert block == kernel.block
            taken = iter(flat)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # infinities
                given = list(arguments(kernel.arguments, taken))
                simulated_block.launch(kernel.function, grid, block, given, compiling.KERNEL_MODULES)
            assert not list(taken)

    @contextmanager
    def call_on(library: Any, views: Any) -> Any:
        yield SimulatedCall(library, views[0], (8, 0))

    library = libraries.LIBRARIES["numba"]._replace(
        empty=lambda shape, dtype, _: Simulated(np.full(shape, 77, dtype)), put=lambda host, _: Simulated(host)
    )
    monkeypatch.setitem(libraries.LIBRARIES, "numba", library)
    for module in (call_elementwise, call_softmax, call_losses):
        monkeypatch.setattr(module, "call_on", call_on)
    monkeypatch.setattr(backend, "why_not", lambda: None)  # and public functions dispatch here
    yield
    rows.layout_of.cache_clear()


def on_simulator(operation: Any, *operands: Any, **keywords: Any) -> Any:
    wrapped = [Simulated(o) if isinstance(o, np.ndarray) else o for o in operands]
    if "out" in keywords:
        keywords["out"] = Simulated(keywords["out"])
    return backend.elementwise(operation, tuple(wrapped), keywords).array


THREADS = 8
BLOCK = THREADS * elementwise_kernels.PER_THREAD


@in_simulator
@pytest.mark.usefixtures("simulator")
@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, BLOCK - 9, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 12])
def test_simulated_sizes(n: int) -> None:
    x = np.linspace(-3, 3, n, dtype=np.float32)
    guarded = np.full(n + 2, 55, np.float32)
    result = on_simulator(fa.leaky_relu, x, 0.25, out=guarded[1:-1])
    assert_same(result, fa.leaky_relu(x, 0.25))
    assert guarded[0] == guarded[-1] == 55


@in_simulator
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


@in_simulator
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


@in_simulator
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


@in_simulator
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


@in_simulator
@pytest.mark.usefixtures("simulator")
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("n", [0, 1, 7])
@pytest.mark.parametrize("loss", [fa.mse, fa.huber, fa.binary_cross_entropy], ids=lambda loss: loss.name)
def test_simulated_elementwise_losses(loss: Any, n: int, reduction: str) -> None:
    """More elements than one round of the blocks takes, operands that broadcast, other layouts and dtypes."""
    rng = np.random.default_rng(0)
    for dtype, tolerance in TOLERANCES.items():
        x, target = rng.normal(size=(n, 3)).astype(dtype), rng.integers(0, 2, (n, 3))
        options: dict[str, Any] = {"reduction": reduction, "tolerance": tolerance}
        assert_loss_as_on_cpu(loss, x, target.astype(dtype), **options)
        assert_loss_as_on_cpu(loss, np.asfortranarray(x), target > 0, weight=[0.5, 1, 2], **options)
        assert_loss_as_on_cpu(loss, x, target[:1].astype("f4"), **options)


@in_simulator
@pytest.mark.usefixtures("simulator")
def test_simulated_losses_of_wrong_arguments() -> None:
    x, classes = np.zeros((3, 4), np.float32), np.array([0, 1, 2])
    value, grad = fa.cross_entropy.value_and_grad(Simulated(x), Simulated(np.array([0, 4, -100])), reduction="none")
    np.testing.assert_allclose(value.array, [np.log(4), np.nan, 0], rtol=1e-6)
    assert np.isnan(grad.array).any(1).tolist() == [False, True, False]
    for error, text, loss, target, keywords in [
        (ValueError, "targets has shape", fa.cross_entropy, classes[:2], {}),
        (ValueError, "targets has shape", fa.cross_entropy, x[:2], {}),
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


@in_simulator
@pytest.mark.usefixtures("simulator")
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_simulated_jax(monkeypatch: pytest.MonkeyPatch, dtype: str) -> None:
    """Arrays of JAX are read in order with its stream and never written; results are its own."""
    pytest.importorskip("cuda.core")
    jax = pytest.importorskip("jax")
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

    monkeypatch.setattr(libraries, "numba_cuda", Numba)
    monkeypatch.setattr(libraries, "put", Simulated)
    x = np.linspace(-3, 3, 42).reshape(6, 7).astype(libraries.dtype_of(dtype))
    before = x.copy()
    for found, wanted in [
        (fa.leaky_relu(Array(x), 0.25), fa.leaky_relu(x, 0.25)),
        (fa.leaky_relu.backward(Array(x), Array(x)), fa.leaky_relu.backward(x, x)),
        (fa.softmax(Array(x), axis=(0, 1)), fa.softmax(x, axis=(0, 1))),
        (fa.softmax(Array(x), axis=0, lengths=[3]), fa.softmax(x, axis=0, lengths=[3])),
        (fa.cross_entropy(Array(x), Array(np.arange(6, dtype="i4"))), fa.cross_entropy(x, np.arange(6))),
        (fa.relu(Array(x[:0])), x[:0]),
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


@in_simulator
@pytest.mark.usefixtures("simulator")
@pytest.mark.parametrize("layout", ["contiguous", "strided", "broadcast", "swapped", "several results", "memory map"])
def test_simulated_chunks(monkeypatch: pytest.MonkeyPatch, tmp_path: Any, layout: str) -> None:
    monkeypatch.setattr(host, "CHUNK", 100)
    monkeypatch.setattr(host, "numba_cuda", FakeCuda)
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


@in_simulator
@pytest.mark.usefixtures("simulator")
@pytest.mark.parametrize("function", [fa.softmax, fa.log_softmax, fa.logsumexp, fa.sparsemax], ids=lambda f: f.name)
def test_simulated_chunks_of_rows(monkeypatch: pytest.MonkeyPatch, function: Any) -> None:
    for module in (host, call_softmax):
        monkeypatch.setattr(module, "CHUNK", 100)
    monkeypatch.setattr(host, "numba_cuda", FakeCuda)
    x, grad = np.random.default_rng(0).normal(size=(2, 11, 3, 5)).astype(np.float32)
    for axis in (-1, (1, 2)):
        y = function(x, axis=axis, backend="cuda")
        np.testing.assert_allclose(y, function(x, axis=axis), rtol=2e-6, atol=1e-7)
        g = y if function is fa.logsumexp else grad
        last = x if function is fa.logsumexp else y
        out = np.zeros((5, 3, 11), np.float32).T
        assert function.backward(g, last, axis=axis, out=out, backend="cuda") is out
        np.testing.assert_allclose(out, function.backward(g, last, axis=axis), rtol=2e-5, atol=1e-6)


LAYOUTS = {
    "step": lambda a: a[::2, ::3],
    "reversed": lambda a: a[::-1, ::-2],
    "transposed": lambda a: a.T,
    "column": lambda a: a[:, 1:2],
    "row": lambda a: a[1],
    "three axes": lambda a: a.reshape(3, 5, 8)[:, ::2, 1:5],
    "broadcast": lambda a: np.broadcast_to(a[:, :1], (15, 4)),
    "Fortran": lambda a: np.asfortranarray(a),
}


@in_simulator
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


@in_simulator
@pytest.mark.usefixtures("simulator")
def test_simulated_array_parameters() -> None:
    x = np.linspace(-9, 9, 48, dtype=np.float32).reshape(2, 6, 4)
    for alpha in (np.linspace(0, 1, 4), np.linspace(0, 1, 6).reshape(6, 1), np.float64(0.3), np.ones((2, 1, 1, 4))):
        alpha = alpha.astype(np.float32)
        assert_same(on_simulator(fa.leaky_relu, x, alpha), fa.leaky_relu(x, alpha))
    out = np.empty((3, *x.shape), np.float32)
    assert_same(on_simulator(fa.leaky_relu, x, 0.5, out=out), np.stack([fa.leaky_relu(x, 0.5)] * 3))


@in_simulator
@pytest.mark.usefixtures("simulator")
@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int64", "float16", "float64"])
def test_simulated_dtypes(dtype: str) -> None:
    x = np.array([0, 1, 1, 0, 1]).astype(dtype)
    assert_same(on_simulator(fa.relu, x), fa.relu(x))
    assert_same(on_simulator(fa.leaky_relu, x, 0.1), fa.leaky_relu(x, 0.1))
    assert_same(on_simulator(fa.leaky_relu, x, 0.1, dtype="float32"), fa.leaky_relu(x, 0.1, dtype="float32"))


@in_simulator
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
    x = tuple(map(Simulated, operands))
    result = backend.softmax_on_device(function, x, axis, where, lengths, temperature, out, dtype, True)
    return result.array


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


@in_simulator
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


@in_simulator
@pytest.mark.usefixtures("simulator")
@pytest.mark.parametrize("options", ["where", "where of a row", "causal", "lengths", "temperature", "all", "none"])
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
        "lengths": {"lengths": lengths}, "temperature": {"temperature": 0.3}, "none": {"where": np.zeros(shape, bool)},
        "all": {"where": mask, "lengths": lengths, "temperature": 2.5},
    }[options]  # fmt: skip
    if options == "causal" and axis != -1:
        with pytest.raises(ValueError, match="causal"):
            over_axes(function, x, axis=axis, **given)
        return
    y = over_axes(function, x, axis=axis, **given)
    np.testing.assert_allclose(y, on_cpu(function, x, axis=axis, **given), rtol=1e-13, atol=1e-300)
    x[..., 0] = np.nan  # which must not leak where it does not count
    operands = (np.ones_like(y), x) if function is fa.logsumexp else (grad, y)
    wanted = on_cpu(function, *operands, axis=axis, **given)
    np.testing.assert_allclose(over_axes(function, *operands, axis=axis, **given), wanted, rtol=1e-11, atol=1e-14)


@in_simulator
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


@in_simulator
def test_simulated_bfloat16() -> None:
    """Every bit pattern there, and rounding as ml_dtypes does it back."""
    half = np.arange(1 << 16, dtype=np.uint16)
    wide = (half.astype(np.uint32) << 16).view(np.float32)
    assert_same(np.array([device.from_bfloat16(each, np.float32(0)) for each in half]), wide)
    values = sample("float32", 1000)[:2000]
    with np.errstate(all="ignore"):
        back = np.array([device.to_bfloat16(each, np.uint16(0)) for each in values], np.uint16)
        expected = values.astype(ml_dtypes.bfloat16)
    same = (back == expected.view(np.uint16)) | np.isnan(values)
    assert same.all()
    assert np.isnan(back.view(ml_dtypes.bfloat16)[np.isnan(values)]).all()


@in_simulator
@pytest.mark.usefixtures("simulator")
@pytest.mark.parametrize("n", [3, 20])
def test_simulated_row_specials(n: int) -> None:
    head = np.array([[0, np.nan, 1], [np.inf, 0, 1], [-np.inf] * 3, [-np.inf, 0, 0], [1e4, 1e4, -1e4]], np.float32)
    x = np.concatenate([head, np.full((5, n - 3), -np.inf, np.float32)], 1)
    for function in (fa.softmax, fa.log_softmax, fa.logsumexp, *SPARSE):
        for part in (x, x[:2]):  # of which two long rows are taken in parts
            wanted = on_cpu(function, part, axis=-1)
            np.testing.assert_allclose(over_axes(function, part), wanted, rtol=1e-6)


@in_simulator
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


@in_simulator
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


@in_simulator
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


@in_simulator
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
        (fa.BackendError, "one temperature", lambda: over_axes(softmax, x, temperature=[1, 2, 3])),
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


#: (output, loss, units, hidden activation, optimizer)
TRAINED = [
    ("softmax", "cross_entropy", 3, "relu", "adam"),
    ("sigmoid", "bce", 1, "leaky_relu", "sgd"),
    ("identity", "mse", 2, "softsign", "adam"),
    ("tanh", "huber", 1, "tanh", "sgd"),
]


def network(output: str, loss: str, units: int, hidden: str, optimizer: str, **settings: Any) -> fa.MLP:
    settings = {"seed": 0, "learning_rate": 0.05, "batch_size": 4, "dtype": np.float64, **settings}
    return fa.MLP((3, 4, units), hidden, output, loss, optimizer, **settings)


def samples(loss: str, units: int, n: int = 10) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    y = rng.normal(size=(n, units)) if loss in ("mse", "huber") else rng.integers(0, max(units, 2), n)
    return rng.normal(size=(n, 3)), y


def assert_trains_as_on_cpu(cupy: Any, kind: Any, dtype: str, n: int) -> None:
    """Loss by loss, weight by weight and prediction by prediction, but for rounding."""
    x, y = samples(kind[1], kind[2], n)
    cpu, gpu = (network(*kind, dtype=dtype, device=name) for name in ("cpu", "cuda"))
    assert_same(cupy.asnumpy(gpu.parameters), cpu.parameters)
    for model in (cpu, gpu):
        model.fit(x, y, epochs=2, validation=(x[:5], y[:5]))
    close = {"float32": {"rtol": 1e-3, "atol": 1e-4}, "float64": {"rtol": 1e-9, "atol": 1e-11}}[dtype]
    for array in ("parameters", "gradients"):
        found = getattr(gpu, array)
        assert type(found) is cupy.ndarray
        np.testing.assert_allclose(cupy.asnumpy(found), getattr(cpu, array), **close)
    assert gpu.history.keys() == cpu.history.keys()
    for name in gpu.history.keys() - {"seconds"}:
        assert {type(value) for value in gpu.history[name]} == {float}
        np.testing.assert_allclose(gpu.history[name], cpu.history[name], **close)
    calls = ["forward", "predict", *(["predict_proba"] if cpu.loss.classifies else [])]
    for call in calls:
        wanted, found, there = getattr(cpu, call)(x), getattr(gpu, call)(x), getattr(gpu, call)(cupy.asarray(x))
        assert type(found) is np.ndarray
        assert type(there) is cupy.ndarray
        assert found.dtype == wanted.dtype
        np.testing.assert_allclose(found, wanted, **close)
        assert_same(cupy.asnumpy(there), found)
    assert type(gpu.score(x, y)) is float
    assert gpu.score(cupy.asarray(x), y) == gpu.score(x, cupy.asarray(y)) == pytest.approx(cpu.score(x, y), rel=1e-3)


@in_simulator
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("kind", TRAINED, ids=lambda kind: kind[1])
def test_simulated_training(host_cupy: Any, kind: Any, dtype: str) -> None:
    assert_trains_as_on_cpu(host_cupy, kind, dtype, 6)


@in_simulator
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


@in_simulator
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


@in_simulator
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


@in_simulator
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


# --- on a GPU ---------------------------------------------------------------------------------------------------------


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
    operands = (x,) if operation.inputs == 1 else (np.roll(x, 1), x)
    assert_same(operation(*operands, backend="cuda"), operation(*operands, backend="serial"))


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
@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int16", "int32", "int64", "float16"])
def test_gpu_dtypes(kind: Kind, dtype: str) -> None:
    x = np.array([0, 1, 2, 3, 100, 127]).astype(dtype)
    for f in (fa.relu, fa.sigmoid):
        assert_same(kind.get(f(kind.put(x))), f(x))
    assert_same(kind.get(fa.tanh(kind.put(x), dtype="float32")), fa.tanh(x, dtype="float32"))


@on_gpu
@pytest.mark.parametrize("n", [1, BLOCK - 1, 1023, 1024, 1025, 12_345_678])
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
    operands = (*[x] * operation.inputs, *np.full((len(operation.parameters), 1000), 0.5, np.float32))
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
def test_gpu_graph(torch: Any) -> None:
    x = torch.randn(1000, device="cuda")
    fa.gelu(x), fa.softmax(x)  # compiled before
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        y, p = fa.gelu(x), fa.softmax(x)
    x.copy_(torch.linspace(-3, 3, 1000))
    graph.replay()
    assert torch.equal(y, fa.gelu(x))
    assert torch.equal(p, fa.softmax(x))


@on_gpu
def test_gpu_jax() -> None:
    """Results are JAX's, and right although arguments are given up at once."""
    jax = pytest.importorskip("jax")
    x = np.random.default_rng(0).normal(0, 3, (300, 1000)).astype(np.float32)
    for dtype in ("float32", "float16", "bfloat16"):
        host = x.astype(libraries.dtype_of(dtype))
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
@pytest.mark.parametrize("loss", [fa.mse, fa.huber, fa.binary_cross_entropy], ids=lambda loss: loss.name)
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
@pytest.mark.parametrize("shape", [(3, 3_000_000), (200, 40_000), (100_000, 70), (2, 100_000, 40), (4096, 50_257)])
def test_gpu_rows_in_parts(torch: Any, shape: tuple[int, ...]) -> None:
    """Blocks that wait for each other, again and again, in place too."""
    axis = 0 if len(shape) == 2 and shape[0] > shape[1] else 1
    x = torch.randn(shape, device="cuda")
    wanted = torch.softmax(x.double(), axis).float()
    for _ in range(5):
        torch.testing.assert_close(fa.softmax(x, axis), wanted, rtol=1e-5, atol=1e-12)
    grad = torch.randn(shape, device="cuda")
    slope = wanted * (grad - (grad * wanted).sum(axis, keepdim=True))
    torch.testing.assert_close(fa.softmax.backward(grad, wanted, axis), slope, rtol=1e-3, atol=1e-7)
    torch.testing.assert_close(fa.softmax(x, axis, out=x), wanted, rtol=1e-5, atol=1e-12)


@on_gpu
def test_gpu_out_of_memory_leaves_it_usable(cupy: Any) -> None:
    free, _ = cupy.cuda.runtime.memGetInfo()
    x = cupy.zeros(int(free * 0.6), np.int8)
    with pytest.raises((MemoryError, RuntimeError), match=r"[Mm]emory"):
        fa.relu(x)
    assert fa.relu(cupy.ones(3)).tolist() == [1, 1, 1]
