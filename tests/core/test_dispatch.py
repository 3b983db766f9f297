"""Which backend takes a call, how users ask for one, and what the error says if it is unavailable."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import fastact as fa
from fastact._core import dispatch
from fastact._core.backends import BACKENDS, FAMILIES, Backend
from helpers.catalogue import operands

SMALL, LARGE = np.ones(1000, np.float32), np.ones(100_000, np.float32)
CPU = ["serial", "threads", "parallel", "numpy", "auto"]


@pytest.fixture
def threads() -> Iterator[int]:
    """The number of threads, restored after the test."""
    before = fa.get_num_threads()
    yield before
    fa.set_num_threads(before)


def in_force() -> str:
    """The backend that a call would take now, in explain's words."""
    return fa.explain(fa.sigmoid, SMALL).split("'")[1]


def test_backends() -> None:
    found = fa.backends()
    assert list(found) == list(BACKENDS)
    assert {name for name, state in found.items() if state == "available"} >= {
        "serial",
        "threads",
        "parallel",
        "cython",
        "numpy",
    }


def test_backend_of_one_call(operation: Any, dtype: Any) -> None:
    """Away from the tails, where plain NumPy loses digits."""
    x = np.linspace(-5, 5, 500).astype(dtype)
    expected, eps = operation(*operands(operation, x)), np.finfo(dtype).eps
    for backend in CPU:
        result = operation(*operands(operation, x), backend=backend)
        assert result.dtype == dtype
        np.testing.assert_allclose(result, expected, rtol=32 * eps, atol=32 * eps, err_msg=backend)
        with fa.use_backend(backend):
            np.testing.assert_array_equal(operation(*operands(operation, x)), result, backend)


@pytest.mark.parametrize("backend", CPU)
def test_ufunc_keywords_reach_every_backend(backend: str) -> None:
    x, out = np.linspace(-1, 1, 6), np.full(6, 7.0)
    mask = x > 0
    assert fa.elu(x, 2.0, out=out, where=mask, backend=backend) is out
    assert out.tolist() == np.where(mask, x, 7).tolist()
    assert fa.tanh(x, dtype="f4", backend=backend).dtype == np.float32
    assert fa.tanh(SMALL[:6].reshape(2, 3), order="F", backend=backend).flags.f_contiguous
    assert type(fa.tanh(0.5, backend=backend)) is np.float64
    with pytest.raises(TypeError):
        fa.tanh(x, dtype="f4", casting="no", backend=backend)
    with pytest.raises(TypeError):
        fa.tanh(x.astype(complex), backend=backend)
    with pytest.raises(ValueError, match=r"broadcast|shape"):
        fa.tanh(x, out=np.empty(7), backend=backend)


def test_use_backend_nests() -> None:
    assert in_force() == "serial"
    with fa.use_backend("numpy"):
        assert in_force() == "numpy"
        with fa.use_backend("parallel"):
            assert in_force() == "parallel"
            with fa.use_backend("auto"):
                assert in_force() == "serial"
        with pytest.raises(ZeroDivisionError), fa.use_backend("parallel"):
            _ = 1 / 0
        assert in_force() == "numpy"
        assert fa.explain(fa.sigmoid, SMALL, backend="parallel").startswith("sigmoid: backend 'parallel'")
    assert in_force() == "serial"


def test_use_backend_holds_for_one_thread() -> None:
    with fa.use_backend("numpy"), ThreadPoolExecutor(1) as pool:
        assert pool.submit(in_force).result() == "serial"
        assert pool.submit(contextvars.copy_context().run, in_force).result() == "numpy"


def test_use_backend_holds_for_one_task() -> None:
    async def task(name: str) -> str:
        with fa.use_backend(name):
            await asyncio.sleep(0)
            return in_force()

    async def both() -> tuple[str, str]:
        return await asyncio.gather(task("numpy"), task("parallel"))

    assert tuple(asyncio.run(both())) == ("numpy", "parallel")


def test_backend_is_the_one_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "serial", "threads", "parallel", "numpy":
        monkeypatch.setattr(dispatch.find(name), "elementwise", lambda *_, name=name: name)
        assert fa.gelu(SMALL, backend=name) == name
        with fa.use_backend(name):
            assert fa.gelu(SMALL) == fa.gelu.derivative(SMALL) == name


@pytest.mark.parametrize("name", ["serial", "threads", "parallel", "numpy"])
def test_environment(python: Any, name: str) -> None:
    code = "import fastact as fa; print(fa.explain(fa.tanh, 1.0), fa.tanh(0.0))"
    assert python(code, FASTACT_BACKEND=name).startswith(f"tanh: backend {name!r}")


def test_unknown_names(python: Any) -> None:
    with pytest.raises(fa.UnknownNameError, match="unknown backend 'paralel' in backend=; did you mean 'parallel'"):
        fa.tanh(SMALL, backend="paralel")
    with pytest.raises(fa.UnknownNameError, match="did you mean 'cuda'"), fa.use_backend("cuda13"):
        pass
    with pytest.raises(fa.UnknownNameError, match="unknown target 'gpu'; did you mean 'cpu'"):
        fa.tanh.vectorize("gpu")
    code = "import fastact as fa\ntry: fa.tanh(1.0)\nexcept fa.UnknownNameError as error: print(error)"
    assert "FASTACT_BACKEND; did you mean 'numpy'" in python(code, FASTACT_BACKEND="nunpy")


def test_cuda_that_is_not_there(no_gpu: str) -> None:
    assert fa.backends()["cuda"] == no_gpu
    for call in (
        lambda: fa.tanh(SMALL, backend="cuda"),
        lambda: fa.softmax(SMALL, backend="cuda"),
        lambda: fa.explain(fa.tanh, SMALL, backend="cuda"),
        lambda: fa.tanh.vectorize("cuda"),
        lambda: fa.use_backend("cuda").__enter__(),
    ):
        with pytest.raises(fa.BackendError, match="'cuda' is not available: ") as caught:
            call()
        assert no_gpu in str(caught.value)


def test_backend_without_the_family() -> None:
    with pytest.raises(fa.BackendError, match=r"'cython' has no elementwise functions; .*serial, threads, parallel"):
        fa.tanh(SMALL, backend="cython")
    with pytest.raises(fa.BackendError, match=r"'cython' has no sparse functions; .*threads, serial, parallel"):
        fa.sparsemax(SMALL, backend="cython")
    with fa.use_backend("cython"), pytest.raises(fa.BackendError, match="no elementwise"):
        fa.tanh(SMALL)


def test_weighted_logsumexp_obeys_or_refuses() -> None:
    plain = fa.logsumexp(SMALL, b=2.0)
    for backend in ("numpy", "auto", None):
        assert fa.logsumexp(SMALL, b=2.0, backend=backend) == plain
    with pytest.raises(fa.BackendError, match="'serial' has no weighted sum functions; those that have: numpy"):
        fa.logsumexp(SMALL, b=2.0, backend="serial")
    with fa.use_backend("cython"), pytest.raises(fa.BackendError, match="'cython' has no weighted sum"):
        fa.logsumexp(SMALL, b=2.0)
    with pytest.raises(fa.UnknownNameError, match=r"unknown backend 'nunpy'.*did you mean 'numpy'"):
        fa.logsumexp(SMALL, b=2.0, backend="nunpy")


OFFERED = {
    "elementwise": ["elementwise", "of_halves", "backward_of_halves", "elementwise_loss"],
    "softmax": ["over_axes"],
    "sparse": ["over_axes"],
    "weighted sum": ["signed_logsumexp"],
    "class loss": ["cross_entropy", "nll_loss"],
}


@pytest.mark.parametrize("name", [None, *BACKENDS])
def test_a_backend_offers_what_the_table_says_with_the_arguments_of_the_protocol(name: str | None) -> None:
    backend = dispatch.find(name)
    assert list(OFFERED) == list(FAMILIES)
    for family, able in FAMILIES.items():
        for function in OFFERED[family]:
            has = getattr(type(backend), function) is not getattr(Backend, function)
            assert has or name not in able, f"{name} lacks {function}"
    for function, protocol in inspect.getmembers(Backend, inspect.isfunction):
        wanted = list(inspect.signature(protocol).parameters)
        assert list(inspect.signature(getattr(type(backend), function)).parameters) == wanted, function
    assert isinstance(backend.why_not(), str | None)
    assert backend.name == (name or "automatic")


def test_kernels_of_cross_entropy_have_the_same_arguments() -> None:
    able: Any = [dispatch.find(name) for name in ("cython", "numpy")]
    kernels, reference = (backend.kernels for backend in able)
    for name in ("total", "count_targets", "write_losses"):
        assert inspect.signature(getattr(kernels, name)) == inspect.signature(getattr(reference, name)), name


def test_explain(threads: int) -> None:
    short, long = (fa.explain(fa.elu, np.ones(n, np.float32)) for n in (10, 10_000_000))
    assert re.fullmatch(r"elu: backend 'serial', float32 loop, 1 thread \(automatic: 0.0 us of work.*\)", short)
    asked = fa.explain(fa.elu, [1, 2], 0.5, backend="serial")
    assert asked == "elu: backend 'serial', float64 loop, 1 thread (asked for)"
    assert ", float64 loop" in fa.explain(fa.elu, SMALL, alpha=np.ones((66, 1)))
    assert fa.explain(fa.relu, np.arange(3)).startswith("relu: backend 'serial', int64 loop")
    assert "backend 'numpy', plain NumPy" in fa.explain(fa.elu.backward, SMALL, SMALL, backend="numpy")
    assert fa.explain(fa.softmax, SMALL).startswith("softmax: backend 'cython', float32")
    assert fa.explain(fa.softmax, SMALL, backend="serial") == "softmax: backend 'serial', float32 (asked for)"
    assert fa.explain(fa.sparsemax, SMALL) == "sparsemax: backend 'threads', float32 (automatic)"
    if threads > 1:
        assert re.fullmatch(
            rf"elu: backend 'threads', float32 loop, {threads} threads \(automatic: [\d.]+ us of work\)", long
        )
    fa.set_num_threads(1)
    assert fa.explain(fa.elu, np.ones(10_000_000)).endswith("(automatic: one thread is set)")


def test_number_of_threads(threads: int) -> None:
    fa.set_num_threads(1)
    assert fa.get_num_threads() == 1
    assert fa.tanh(LARGE, backend="parallel").tolist() == fa.tanh(LARGE, backend="serial").tolist()
    for wrong in 0, -1, 10_000:
        with pytest.raises(ValueError, match=f"n={wrong} threads.* from 1 to"):
            fa.set_num_threads(wrong)
    with pytest.raises((TypeError, ValueError)):
        fa.set_num_threads(1.5)  # type: ignore[arg-type]
    assert fa.get_num_threads() == 1


def test_without_numbas_compiler(python: Any) -> None:
    """NUMBA_DISABLE_JIT=1 is how formulas are debugged: calls run them as plain NumPy."""
    code = "\n".join([
        "import numpy as np, fastact as fa",
        "x = np.linspace(-3, 3, 7)",
        "for f in map(fa.get, fa.names('activation') + fa.names('softmax')):",
        "    y = f(x)",
        "    assert y.shape == x.shape, f",
        "    assert f.backward(x, y).shape == x.shape, f",
        "@fa.activation(derivative=lambda x: x)",
        "def half_square(x): return x * x / 2",
        "print(half_square(x)[0], half_square.derivative(x)[0], half_square.with_bias(x, x)[0])",
        "fa.mse(x, x), fa.swiglu(x, x), fa.glu(x[:6]), fa.cross_entropy(x, 3)",
        "fa.MLP([1, 4, 1], loss='mse', output='identity').fit(x[:, None], x, epochs=2)",
        "print(fa.explain(fa.gelu, x))",
        "for call in (lambda: fa.gelu(x, backend='serial'), lambda: fa.gelu.ufunc(x), lambda: fa.warmup('gelu')):",
        "    try: call()",
        "    except fa.BackendError as error: print(error)",
    ])  # fmt: skip
    reason = "NUMBA_DISABLE_JIT is set; unset it, or let the backend be 'numpy'"
    assert python(code, NUMBA_DISABLE_JIT="1").splitlines() == [
        "4.5 -3.0 18.0",
        f"gelu: backend 'numpy', plain NumPy, the readable reference (automatic: {reason})",
        f"backend 'serial' is not available: {reason}",
        f"gelu cannot be compiled: {reason}",
        f"gelu cannot be compiled: {reason}",
    ]


def test_the_function_backends_is_not_replaced_by_the_package(python: Any) -> None:
    assert python("import fastact as fa, fastact.backends.numpy; print(callable(fa.backends))") == "True\n"
