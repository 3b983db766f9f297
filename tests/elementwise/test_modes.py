"""The modes of the floating-point unit: results do not depend on them, and the caller's mode comes back.

PyTorch flushes subnormals to zero on request, and interval arithmetic rounds downwards. np.errstate is the caller's
too.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numba
import numpy as np
import pytest
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

import fastact as fa
from fastact._core.operation import Operation
from fastact._kernels.native import pool
from helpers.arrays import bits
from helpers.catalogue import operands

on_x86 = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="the register is x86's")

DEFAULT = 0x1F80
MODES = {"flushing": 0x8040, "downwards": 0x2000, "upwards": 0x4000, "to zero": 0x6000}


def register_instruction(name: str) -> Callable[[int], None]:
    """ldmxcsr or stmxcsr: load or store the unit's control register, from or to the 32 bits at an address."""

    @intrinsic
    def instruction(_context: Any, address: Any) -> Any:
        def build(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            pointer = ir.IntType(8).as_pointer()
            kind = ir.FunctionType(ir.VoidType(), [pointer])
            function = builder.module.declare_intrinsic(f"llvm.x86.sse.{name}", [], kind)
            builder.call(function, [builder.inttoptr(values[0], pointer)])
            return context.get_dummy_value()

        return types.void(types.uintp), build

    @numba.njit(types.void(types.uintp))
    def call(address):  # type: ignore[no-untyped-def]
        instruction(address)

    return call


@pytest.fixture(scope="module")
def register() -> tuple[Callable[[int], None], Callable[[], int]]:
    """Functions that set the register, and read it."""
    box = np.zeros(1, np.uint32)
    load, store = map(register_instruction, ("ldmxcsr", "stmxcsr"))

    def write(value: int) -> None:
        box[0] = value
        load(box.ctypes.data)

    def read() -> int:
        store(box.ctypes.data)
        return int(box[0])

    return write, read


@pytest.fixture
def mode(register: Any) -> Callable[[str], Any]:
    """Enter the mode of this name; insist at the end that it is still in force."""
    write, read = register

    @contextmanager
    def working(name: str) -> Iterator[None]:
        before, wanted = read(), DEFAULT | MODES[name]
        write(wanted)
        try:
            yield
        finally:
            found = read()
            write(before)
        assert found & 0xFFC0 == wanted, hex(found)

    return working


def awkward(dtype: Any, n: int) -> np.ndarray:
    """Numbers of every magnitude and both signs: subnormals, their neighbours, and kinks."""
    info = np.finfo(dtype)
    sizes = np.geomspace(float(info.tiny), min(float(info.max), 1e30), n // 4)
    small = np.linspace(0, float(info.tiny), n // 8)
    bend = np.linspace(-120, 120, n - 2 * (n // 4) - 2 * (n // 8))
    return np.concatenate([sizes, -sizes, small, -small, bend]).astype(dtype)


@on_x86
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_elementwise(operation: Any, dtype: Any, mode: Any) -> None:
    """Several threads; each has inherited the mode of the thread that started it."""
    x = awkward(dtype, 12_000)
    expected = bits(operation(*operands(operation, x), backend="serial"))
    for name in MODES:
        with mode(name):
            result = operation(*operands(operation, x), backend="threads")
        np.testing.assert_array_equal(bits(result), expected, err_msg=name)


def backward(f: Any, words: dict[str, Any], x: np.ndarray) -> Any:
    """Call f.backward with x and f(x): the gradient comes first, and only f(x) has the shape of logsumexp's."""
    y = f(x, **words)
    return f.backward(y, x, **words) if f is fa.logsumexp else f.backward(x, y, **words)


def against_reversed(loss: Any, x: np.ndarray) -> Any:
    return loss.value_and_grad(x, x[::-1])


def over_axes() -> dict[str, Callable[[np.ndarray], Any]]:
    """A call of every function over axes and of every loss, forwards and backwards, with and without options."""
    calls: dict[str, Callable[[np.ndarray], Any]] = {}
    options: dict[str, dict[str, Any]] = {
        "plain": {}, "axis": {"axis": 0}, "temperature": {"temperature": 0.7}, "causal": {"where": "causal"},
        "half": {"dtype": np.float16}, "numpy": {"backend": "numpy"}, "serial": {"backend": "serial"},
        "threads": {"backend": "threads"},
    }  # fmt: skip
    for name in ("softmax", "log_softmax", "softmin", "logsumexp", "sparsemax", "entmax15", "hardmax"):
        f: Any = getattr(fa, name)
        for option, given in options.items():
            if (name, option) in (("hardmax", "serial"), ("hardmax", "threads")):  # it has no such backends
                continue
            words = {"axis": -1, **given}
            calls[f"{name} {option}"] = partial(f, **words)
            calls[f"{name}.backward {option}"] = partial(backward, f, words)
    classes = lambda x: np.arange(len(x)) % x.shape[1]  # noqa: E731
    calls["cross_entropy"] = lambda x: fa.cross_entropy.value_and_grad(x, classes(x), label_smoothing=0.1)
    calls["probabilities"] = lambda x: fa.cross_entropy.value_and_grad(x, np.full_like(x, 2.0**-8))
    calls["nll_loss"] = lambda x: fa.nll_loss(x, classes(x))
    calls["weighted"] = lambda x: fa.logsumexp(x, 1, b=np.full_like(x, 0.3))
    calls["gradient of alpha"] = lambda x: fa.prelu.parameter_backward(x, x, alpha=0.25)
    calls["sum of a gradient"] = lambda x: fa.swish.parameter_backward(x, x, beta=np.ones(x.shape[1], x.dtype))
    for loss in (fa.mse, fa.mae, fa.huber, fa.quantile_loss, fa.poisson_loss, fa.binary_cross_entropy):
        calls[loss.name] = partial(against_reversed, loss)
    return calls


@on_x86
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("name", over_axes())
def test_over_axes(name: str, dtype: Any, mode: Any) -> None:
    call = over_axes()[name]
    x = np.random.default_rng(0).permutation(awkward(np.float16, 60_000)).reshape(200, 300).astype(dtype)
    expected = flat(call(x))
    for each in MODES:
        with mode(each):
            result = flat(call(x))
        for found, wanted in zip(result, expected, strict=True):
            np.testing.assert_array_equal(bits(found), bits(wanted), err_msg=each)


def flat(results: Any) -> tuple[Any, ...]:
    return results if isinstance(results, tuple) else (results,)


@on_x86
def test_compiling(mode: Any, no_cache: None) -> None:
    """The constants of a kernel are rounded when it is compiled."""

    def formula(x: Any) -> Any:
        return x * 0.1 + 1 / 3

    x = np.linspace(-1, 1, 1001, dtype=np.float32)
    make = lambda: Operation("thirds", formula, ("x",), {})  # noqa: E731
    expected = make()(x)
    for name in MODES:
        with mode(name):
            result = make()(x)
        np.testing.assert_array_equal(result, expected, err_msg=name)


@on_x86
def test_flush_denormal_of_torch(python: Any) -> None:
    pytest.importorskip("torch")
    code = "\n".join([
        "import numpy as np, torch, fastact as fa",
        "x = np.full((64, 1000), -90, np.float32); x[:, 0] = 0",
        "expected = fa.softmax(x)",
        "assert (expected[:, 1] > 0).all()",
        "tiny = np.float32(1e-40)",
        "assert torch.set_flush_denormal(True)",
        "assert fa.softmax(x).tobytes() == expected.tobytes()",
        "print(fa.relu(tiny).tobytes() == tiny.tobytes())",
    ])  # fmt: skip
    assert python(code) == "True\n"


def test_slabs_are_computed_under_the_callers_errstate() -> None:
    """Several threads compute large arrays with gaps; a cast that overflows warns as the caller's errstate says."""
    x = np.full((600, 800), 1e6)[:, ::2]
    for _ in range(20):
        with np.errstate(all="ignore"):
            assert (fa.identity(x, dtype=np.float16, casting="unsafe") == np.inf).all()
        with np.errstate(all="raise"), pytest.raises(FloatingPointError):
            fa.identity(x, dtype=np.float16, casting="unsafe")


def test_slabs_run_in_a_copy_of_the_context() -> None:
    states: list[str] = []
    with np.errstate(over="call", call=lambda *_: None):
        pool.for_slabs(lambda *_: states.append(np.geterr()["over"]), 64, 1)
    assert states == ["call"] * 64
