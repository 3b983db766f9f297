"""The cuda backend without a GPU: reasons, places, and the PTX and machine code of its kernels."""

from __future__ import annotations

import functools
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import fastact as fa
from fastact._core.operation import Operation
from fastact._kernels.compile import cache as _cache
from fastact.backends.cuda import availability, compiling, dtypes, launching, libraries, views
from fastact.backends.cuda.kernels import elementwise as elementwise_kernels
from fastact.backends.cuda.kernels import layouts, tiles
from fastact.backends.cuda.kernels import losses as loss_kernels
from fastact.backends.cuda.kernels import softmax as softmax_kernels
from fastact.backends.cuda.kernels import sparse as sparse_kernels
from fastact.backends.cuda.kernels import sums as sum_kernels
from fastact.functions.activations import piecewise
from fastact.mlp import layers, normalisation, operations, optimisers
from helpers.cuda_cases import (
    BY_NAME,
    FLOATS,
    needs_numba_cuda,
)


def test_reason_without_numba_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(availability, "find_spec", lambda name: None)
    assert availability.why_not.__wrapped__() == 'numba-cuda is not installed; pip install "fastact[cuda]"'


def test_reason_never_raises() -> None:
    reason = availability.why_not()
    assert reason is None or re.search("install|unset|nvidia-smi", reason)
    assert fa.backends()["cuda"] == (reason or "available")


@needs_numba_cuda
def test_reason_when_numpy_is_too_new(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = SimpleNamespace(find_spec=None)
    monkeypatch.setitem(sys.modules, "numba.cuda.cudadrv", broken)
    monkeypatch.setattr(np, "__version__", "2.99")
    reason = availability.why_not.__wrapped__()
    assert "fails under NumPy 2.99" in reason
    assert 'pip install "fastact[cuda]"' in reason


def test_asked_for_by_name_without_gpu(no_gpu: str) -> None:
    with pytest.raises(fa.BackendError, match="backend 'cuda' is not available: "):
        fa.sigmoid(np.ones(3), backend="cuda")
    with pytest.raises(fa.BackendError, match="backend 'cuda' is not available: "):
        fa.sigmoid.vectorize("cuda")


@pytest.mark.parametrize(
    "code",
    [
        "import sys, fastact.backends.cuda; assert not {'numba.cuda', 'torch', 'cupy'} & set(sys.modules)",
        "import sys; sys.modules.update({'numba_cuda': None, 'numba.cuda': None});"
        "import fastact as fa; assert 'is not installed' in fa.backends()['cuda']",
    ],
    ids=["not imported", "not there"],
)
def test_import_leaves_numba_cuda_alone(code: str) -> None:
    subprocess.run([sys.executable, "-P", "-c", code], check=True, env={**os.environ, "NUMBA_ENABLE_CUDASIM": "0"})


@pytest.mark.parametrize("tests", ["not jax", "jax"])
def test_simulator(tests: str) -> None:
    """All of test_cuda_simulated.py passes under NUMBA_ENABLE_CUDASIM, which Numba reads at import."""
    if tests == "jax":
        pytest.importorskip("cuda.core")
        pytest.importorskip("jax")
    file = Path(__file__).with_name("test_cuda_simulated.py")
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--no-skips", "-k", tests, file]
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d passed", done.stdout), done.stdout


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
    count, n, inner = shape
    layout = layouts.layout_of(n, inner, itemsize)
    assert layout.threads & (layout.threads - 1) == 0
    assert 32 <= layout.block <= 512
    assert layout.columns == (inner > 1)
    assert layout.whole == (n <= layout.tile)
    assert layout.staged == (layout.whole and inner == 1 and layout.threads < 8)
    parts = layouts.parts_of(layout, count * inner, n, itemsize)
    if parts is not None:
        assert not layout.whole
        assert (parts.parts - 1) * parts.size < n <= parts.parts * parts.size
        assert parts.size % layout.tile == 0


@pytest.mark.parametrize("seed", range(5))
def test_kept_strides(seed: int) -> None:
    """K order is NumPy's, for operands of any order that broadcast."""
    rng = np.random.default_rng(seed)
    for _ in range(200):
        shape = tuple(rng.integers(2, 5, rng.integers(1, 5)))
        operands = []
        for _ in range(rng.integers(1, 4)):
            order = rng.permutation(len(shape))
            array = np.zeros([2 * shape[axis] for axis in order], "f4").transpose(np.argsort(order))
            steps = rng.choice([-2, 1, 2], len(shape))
            cut = zip(steps, shape, strict=True)
            array = array[tuple(slice(None, None, int(step)) if abs(step) == 2 else slice(n) for step, n in cut)]
            operands.append(array[tuple(slice(1 if rng.random() < 0.2 else None) for _ in shape)])
        result = functools.reduce(np.broadcast, operands[1:], np.broadcast(operands[0])).shape
        wanted = np.nditer([*operands, None], flags=["zerosize_ok"], order="K").operands[-1]
        found = views.kept_strides(
            result, tuple(tuple(s // 4 for s in np.broadcast_to(each, result).strides) for each in operands)
        )
        assert [s for s, n in zip(found, result, strict=True) if n > 1] == [
            s // 4 for s, n in zip(wanted.strides, result, strict=True) if n > 1
        ]


def test_tensors() -> None:
    """New ones have strides; ones without are not looked at."""
    torch, library = pytest.importorskip("torch"), libraries.LIBRARIES["torch"]
    assert library.look is not None
    tensor = library.empty((2, 3, 4), (1, 8, 2), np.dtype("f2"), torch.zeros(3), None)
    assert (tensor.shape, tensor.stride(), tensor.dtype) == ((2, 3, 4), (1, 8, 2), torch.float16)
    address, facts = library.look(tensor)
    assert address == tensor.data_ptr()
    assert library.look(torch.zeros((2, 3, 4), dtype=torch.float16))[1] != facts != library.look(tensor[1:])[1]
    assert library.look(torch.eye(3).to_sparse()) == (0, None)


def test_rows_of_no_numbers_are_not_staged() -> None:
    assert not layouts.layout_of(0, 1, 4).staged  # there is nothing to read


@needs_numba_cuda
@pytest.mark.parametrize(("left", "within"), [(3, 3), (99, 16), (0, 0), (-1, 0), (1 << 40, 16), (-(1 << 31) - 5, 0)])
def test_numbers_of_a_tile_within_a_long_row(left: int, within: int) -> None:
    assert tiles.within.py_func(left, 16) == within


def test_arrays_on_two_devices_are_refused() -> None:
    on = [views.View(None, 64, np.dtype("f4"), (3,), None, device=device) for device in (1, 1, 0)]
    assert launching._common_device(on[:2]) == 1
    with pytest.raises(fa.BackendError, match=r"several GPUs \(0, 1\)"):
        launching._common_device(on)


# --- generated code ---------------------------------------------------------------------------------------------------


#: Every operation in float32, float64 and one of the half types, whose kernels differ in how they load and store.
CODE_CASES = [(name, kind) for i, name in enumerate(BY_NAME) for kind in (*FLOATS, ("float16", "bfloat16")[i % 2])]


@needs_numba_cuda
@pytest.mark.parametrize(("name", "dtype"), CODE_CASES)
def test_code(name: str, dtype: str) -> None:
    code = importlib.import_module("fastact.backends.cuda.calls.elementwise").ptx(BY_NAME[name], dtype, (8, 0))
    check_code(code, dtype)
    if "16" in dtype:  # an access to eight numbers; others where that many are not left
        assert len(re.findall(r"\bld\.global\.v4\.[bu]32", code)) == BY_NAME[name]._inputs
        assert len(re.findall(r"\bst\.global\.v4\.[bu]32", code)) == BY_NAME[name]._outputs
    else:
        assert len(re.findall(r"\bld\.global", code)) >= elementwise_kernels.PER_THREAD * BY_NAME[name]._inputs
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
    return compiling.assembly(template, *parameters, capability=(8, 0))


ROW_LAYOUTS = {
    "warps": layouts.Layout(32, 4, False, 8, True),
    "block": layouts.Layout(512, 1, False, 16, True),
    "long": layouts.Layout(512, 1, False, 16, False),
    "columns": layouts.Layout(8, 32, True, 8, True),
    "short": layouts.Layout(2, 64, False, 8, True, True),
}
ROW_TRAITS = {
    "plain": layouts.RowTraits("float32", "float32"),
    "float64": layouts.RowTraits("float64", "float64"),
    "float16": layouts.RowTraits("float16", "float16"),
    "bfloat16": layouts.RowTraits("bfloat16", "float32"),
    "all": layouts.RowTraits("float32", "float32", 2, 1, True, True),
}
#: Each layout with the options that differ most; all others with one. The emulator refuses what these tests look for.
ROW_CASES = [(a, b) for a in ROW_LAYOUTS for b in ROW_TRAITS if a == "warps" or b in ("plain", "all")]
#: The functions of the softmax family, and the number of arrays that each reads.
SOFTMAX = [(kind, arrays) for kind in ("log_softmax", "logsumexp", "softmax") for arrays in (1, 2)]
ROW_TEMPLATES = {
    **dict.fromkeys(SOFTMAX, softmax_kernels.row_kernel),
    **dict.fromkeys(sparse_kernels.STEPS, sparse_kernels.sparse_kernel),
}


def test_internals_of_the_compiler() -> None:
    """Two files use internal modules of numba-cuda; CONTRIBUTING.md tells who replaces the compiler so."""
    internal = re.compile(r"""(import_module\(["']|from |import )numba\.cuda\.""")
    files = Path(compiling.__file__).parent.rglob("*.py")
    found = {file.name for file in files if internal.search(file.read_text(encoding="utf-8"))}
    assert found == {"availability.py", "compiling.py"}


@needs_numba_cuda
@pytest.mark.parametrize(("layout", "options"), ROW_CASES)
@pytest.mark.parametrize("key", ROW_TEMPLATES, ids=str)
def test_code_for_rows(key: tuple[str, int], layout: str, options: str) -> None:
    code = code_of(ROW_TEMPLATES[key], *key, ROW_LAYOUTS[layout], ROW_TRAITS[options])
    assert ".entry" in code
    assert ".local" not in code
    assert options == "float64" or ".f64" not in code
    assert re.search(rf"\.maxntid\s+{ROW_LAYOUTS[layout].block}\b", code)  # which have registers for all
    if key in SOFTMAX and ROW_LAYOUTS[layout].whole and options == "plain":  # each number is read once
        loads = ROW_LAYOUTS[layout].numbers * (2 if key[1] == 2 and key[0] != "logsumexp" else 1)
        assert len(re.findall(r"\bld\.global", code)) == loads + (key == ("logsumexp", 2))
    together = key != ("hardmax", 2)  # whose numbers have nothing to do with each other
    assert ("shfl" in code) == (together and layout != "columns")
    assert ("bar.sync" in code) == (layout == "short" or (together and layout != "warps"))
    assert ("bar.red.or" in code) == (key in [("sparsemax", 1), ("entmax15", 1)])  # as often for all of a block
    assert not re.search(r"\b(add|sub|mul|div)\.f(32|64)", code)  # only .rn: the driver may fuse the others


@needs_numba_cuda
@pytest.mark.parametrize("columns", [False, True])
@pytest.mark.parametrize("key", SOFTMAX, ids=str)
def test_code_for_parts_of_rows(key: tuple[str, int], columns: bool) -> None:
    layout = layouts.layout_of(1 << 20, 1 + 63 * columns, 4)
    code = code_of(softmax_kernels.parts_kernel, *key, layout, ROW_TRAITS["plain"])
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
    parameters = ROW_LAYOUTS[layout], ROW_TRAITS[options], loss_kernels.TargetTraits(**targets)
    code = code_of(loss_kernels.loss_kernel, *parameters)
    assert ".local" not in code
    assert options == "float64" or not re.search(r"\b(add|mul|fma|div)[.a-z]*\.f64", code)


@needs_numba_cuda
@pytest.mark.parametrize("columns", [False, True])
@pytest.mark.parametrize("targets", [{"gradient": True, "counted": True, "reduced": True}, {"smoothed": True}], ids=str)
def test_code_for_parts_of_losses(targets: Any, columns: bool) -> None:
    layout = layouts.layout_of(1 << 20, 1 + 63 * columns, 4)
    parameters = layout, ROW_TRAITS["plain"], loss_kernels.TargetTraits(**targets)
    code = code_of(loss_kernels.loss_parts_kernel, *parameters)
    assert ".local" not in code
    assert len(re.findall(r"atom\.add\.acq_rel\.gpu", code)) == 2


@needs_numba_cuda
@pytest.mark.parametrize("dtype", ["bfloat16", *FLOATS])
def test_code_for_sums_of_losses(dtype: str) -> None:
    items = (dtypes.dtype_of(dtype),) * 2
    for loss in (fa.mse, fa.mae, fa.huber, fa.quantile_loss, fa.poisson_loss, fa.binary_cross_entropy):
        numbers = (None,) * len(loss.parameters)
        for operation, more in ((loss._value, ()), (loss._both, (None,))):
            parameters = operation.scalar, (*items, *more, *numbers), items[0], bool(more), 1, 256
            code = code_of(sum_kernels.sums_kernel, *parameters)
            assert ".local" not in code
            assert dtype == "float64" or len(re.findall(r"\b(?:add|mul|fma|div)[.a-z]*\.f64", code)) == 1  # of a block
    for weighted in (True, False):
        for result in (dtype, ""):
            layout = layouts.each_alone(256, 1 + weighted)
            assert ".local" not in code_of(sum_kernels.nll_kernel, dtype, result, weighted, layout)
    assert "shfl" in code_of(sum_kernels.total_kernel, dtype, False, 1024)
    assert "shfl" in code_of(sum_kernels.count_kernel, True, 1024)


@needs_numba_cuda
def test_code_for_training() -> None:
    """Every formula of layers and optimisers compiles."""
    modules = layers, normalisation, operations, optimisers
    found = {each for module in modules for each in vars(module).values() if isinstance(each, Operation)}
    found |= {each.formula for each in optimisers.OPTIMISERS.values() if each.rows}
    assert len(found) >= 14
    dtype = np.dtype(np.float32)
    for operation in found:
        items = (dtype,) * operation._inputs + (None,) * len(operation.parameters)
        code = code_of(elementwise_kernels.contiguous_kernel, operation.scalar, items, operation._outputs, dtype)
        assert ".f64" not in code


@needs_numba_cuda
def test_code_is_kept_on_disk(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """By everything that shapes it; a truncated file is compiled again."""
    monkeypatch.setenv("FASTACT_CACHE", str(tmp_path / "cache"))
    _cache._opened.cache_clear()
    contiguous = elementwise_kernels.contiguous_kernel
    try:
        keys = [
            (contiguous, fa.relu.scalar, (np.dtype(dtype),), 1, np.dtype(dtype), capability)
            for dtype in FLOATS
            for capability in [(8, 0), (9, 0)]
        ]
        keys.append((softmax_kernels.row_kernel, "softmax", 1, ROW_LAYOUTS["warps"], ROW_TRAITS["plain"], (8, 0)))

        def code_for(key: Any) -> tuple[str, bytes]:
            return compiling.machine_code(*key[:-1], capability=key[-1])

        found = list(map(code_for, keys))
        assert len({code for _, code in found}) == 5
        assert all(code.startswith(b"\x7fELF") for _, code in found)
        assert _cache.cache_info().kernels == 5
        with monkeypatch.context() as patch:
            patch.setattr(compiling, "_code_library", None)  # which is not asked again
            assert list(map(code_for, keys)) == found
        for path in _cache.cache_info().folder.glob("*.kernel"):
            path.write_bytes(path.read_bytes()[:-1])
        assert code_for(keys[0])[1].startswith(b"\x7fELF")
    finally:
        _cache._opened.cache_clear()
