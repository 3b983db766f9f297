"""Elementwise functions by name inside users' compiled code: the public functions' bits, for numbers and arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numba
import numpy as np
import pytest

import fastact as fa
from fastact.math import like
from helpers.compiled_calls import compiled, same

X = np.concatenate([np.linspace(-9, 9, 61), [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-30, -100.0]])
OPERATIONS = {
    f"{name}_{part}": operation
    for name in fa.names()
    if isinstance(fa.get(name), fa.Activation) or fa.get(name).kind == "gated unit"
    for operation in fa.get(name)._operations()
    for part in (operation.name,)
}
#: Numba's compiler takes 0.05 s for a call of an array, and 0.2 s for a formula: all of them are for the slow tests.
FUNCTIONS = [name for name, operation in OPERATIONS.items() if isinstance(operation, fa.Function)]
BATCHES = [list(OPERATIONS)[i::8] for i in range(8)]


def calls(names: list[str]) -> Iterator[tuple[dict[str, Any], Any]]:
    """Functions that call all operations with so many inputs."""
    for inputs in (1, 2, 3):
        operations = {name: OPERATIONS[name] for name in names if OPERATIONS[name]._inputs == inputs}
        if operations:
            parameters = ", ".join("abc"[:inputs])
            yield operations, compiled(operations, parameters, f"{{}}({parameters})")


def check(names: list[str], dtype: type, numbers: bool) -> None:
    x: np.ndarray = X.astype(dtype)
    for operations, call in calls(names):
        columns = [x, x[::-1], x + 1][: next(iter(operations.values()))._inputs]
        for arguments in zip(*columns, strict=True) if numbers else [columns]:
            for found, (name, operation) in zip(call(*arguments), operations.items(), strict=True):
                assert same(found, operation(*arguments)), (name, arguments)


def test_arrays_have_the_bits_of_the_public_functions() -> None:
    check(FUNCTIONS, np.float32, numbers=False)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("batch", range(8))
@pytest.mark.parametrize("numbers", [False, True])
def test_all_parts_have_the_bits_of_the_public_functions(batch: int, dtype: type, numbers: bool) -> None:
    check(BATCHES[batch], dtype, numbers)


def test_numbers_in_a_loop() -> None:
    functions = {"a": fa.gelu, "b": fa.leaky_relu, "c": fa.swiglu.backward}

    @numba.njit(fastmath=True)
    def loop(x):  # type: ignore[no-untyped-def]
        gelu, leaky, value, gate = np.empty_like(x), np.empty_like(x), np.empty_like(x), np.empty_like(x)
        for i in range(x.size):
            gelu[i] = fa.gelu(x[i])
            leaky[i] = fa.leaky_relu(x[i], alpha=0.3)
            value[i], gate[i] = fa.swiglu.backward(x[i], x[i], x[i] + x[i])
        return gelu, leaky, value, gate

    x = np.linspace(-5, 5, 1001, dtype=np.float32)
    wanted = functions["a"](x), fa.leaky_relu(x, 0.3), *fa.swiglu.backward(x, x, x + x)
    assert same(loop(x), wanted)
    assert any("vmulps" in line or "zmm" in line for line in loop.inspect_asm(loop.signatures[0]).splitlines())


@pytest.mark.parametrize("layout", ["Fortran", "strided", "reversed", "broadcast", "empty", "no axes"])
def test_layouts(layout: str) -> None:
    whole = np.random.default_rng(0).normal(size=(6, 8, 10)).astype(np.float32)
    x, y = {
        "Fortran": (np.asfortranarray(whole), np.asfortranarray(whole + 1)),
        "strided": (whole[:, ::2], whole[::-1, 1::2]),
        "reversed": (whole[::-1, :, ::-1], whole),
        "broadcast": (whole, whole[0, 0]),
        "empty": (whole[:0], whole[:0]),
        "no axes": (np.array(2.0), np.array(3.0)),
    }[layout]
    results = by_two(x, y)
    assert same(results, (fa.gelu(x), fa.swish(x, beta=2), fa.swiglu(x, y), fa.gelu.with_bias(x, y)))
    if layout == "Fortran":
        assert results[0].flags.f_contiguous


@numba.njit
def by_two(x, y):  # type: ignore[no-untyped-def]
    return fa.gelu(x), fa.swish(x, beta=2), fa.swiglu(x, y), fa.gelu.with_bias(x, y)


def test_dtypes_are_those_of_the_public_functions() -> None:
    @numba.njit
    def call(x, alpha):  # type: ignore[no-untyped-def]
        return fa.leaky_relu(x), fa.leaky_relu(x, alpha), fa.relu(x), fa.gelu.backward(2.0, x)

    for dtype in (np.int16, np.int32, np.int64, np.uint8, np.float32, np.float64):
        x = np.arange(5).astype(dtype)
        if dtype is np.uint8:  # of which floating-point functions make float16
            with pytest.raises(numba.TypingError, match="float16, which Numba does not have on the CPU"):
                call(x, 0.5)
            continue
        wanted = fa.leaky_relu(x), fa.leaky_relu(x, 0.5), fa.relu(x), fa.gelu.backward(2.0, x)
        assert same(call(x, 0.5), wanted), dtype
    assert same(call(3, 0.5), (fa.leaky_relu(3), fa.leaky_relu(3, 0.5), fa.relu(3), fa.gelu.backward(2.0, 3)))
    slopes, y = np.array([0.1, 0.2]), -np.ones((3, 2), np.float32)
    wanted = fa.leaky_relu(y), fa.leaky_relu(y, slopes), fa.relu(y), fa.gelu.backward(2.0, y)
    assert same(call(y, slopes), wanted)


def test_ways_to_name_a_function() -> None:
    inner, slope = fa.gelu, fa.gelu.derivative

    @numba.njit
    def call(x, given):  # type: ignore[no-untyped-def]
        named = fa.leaky_relu.parameter_derivative("alpha")
        return inner(x), slope(x), given(x), fa.gelu(x=x), fa.gelu(x, approximate="tanh"), named(x), fa.rrelu(x)

    x = np.linspace(-3, 3, 20)
    for given in (fa.silu, fa.mish.derivative, fa.softmax):
        tanh, named = fa.gelu(x, approximate="tanh"), fa.leaky_relu.parameter_derivative("alpha")
        assert same(call(x, given), (inner(x), slope(x), given(x), inner(x), tanh, named(x), fa.rrelu(x)))


def test_out() -> None:
    @numba.njit
    def call(x, y, both):  # type: ignore[no-untyped-def]
        fa.gelu(x, out=x[::-1])  # overlaps: x is read first
        return fa.gelu(y, out=y), fa.swiglu.backward(y, y, y, out=both)

    x, y, both = np.linspace(-3, 3, 7), np.linspace(-2, 2, 5), (np.empty(5), np.empty(5))
    wanted = fa.gelu(x)[::-1], fa.gelu(y), fa.swiglu.backward(fa.gelu(y), fa.gelu(y), fa.gelu(y))
    first, second = call(x, y, both)
    assert same((x, y, second), wanted)
    assert first is not None
    assert np.shares_memory(first, y)
    assert np.shares_memory(second[0], both[0])
    with pytest.raises(ValueError, match="out does not have the shape of the result"):
        call(x, y, (np.empty(4), np.empty(5)))


@pytest.mark.usefixtures("own_registry")
def test_functions_of_a_users_own() -> None:
    @fa.activation(derivative=lambda x, k: k / (like(1.0, x) + x), k=2.0)
    def quotient_of_the_users(x, k):  # type: ignore[no-untyped-def]
        return k * x / (like(1.0, x) + x)

    @numba.njit(fastmath=True)  # which must not reach the formula
    def call(x):  # type: ignore[no-untyped-def]
        return quotient_of_the_users(x), quotient_of_the_users.derivative(x, k=3.0)

    x = np.linspace(-0.9, 1, 50, dtype=np.float32)
    found = call(np.float32(0.7)), call(np.float32(-1))  # the formula is compiled here first
    assert same(
        found[0], (quotient_of_the_users(np.float32(0.7)), quotient_of_the_users.derivative(np.float32(0.7), 3.0))
    )
    assert found[1][0] == -np.inf
    assert same(call(x), (quotient_of_the_users(x), quotient_of_the_users.derivative(x, 3.0)))
    exact = np.float32(2) * x / (np.float32(1) + x)
    assert np.array_equal(quotient_of_the_users(x), exact)


def test_parallel() -> None:
    @numba.njit(parallel=True)
    def call(x):  # type: ignore[no-untyped-def]
        numbers, rows = np.empty_like(x), np.empty_like(x)
        for i in numba.prange(x.shape[0]):
            for j in range(x.shape[1]):
                numbers[i, j] = fa.mish(x[i, j])
            rows[i] = fa.softmax(fa.gelu(x[i]))
        return numbers, rows, fa.gelu(x)

    x = np.random.default_rng(0).normal(size=(200, 3000)).astype(np.float32)  # long enough for fastact's own threads
    wanted = fa.mish(x), fa.softmax(fa.gelu(x)), fa.gelu(x)
    for _ in range(3):
        assert same(call(x), wanted)


def test_ufuncs_of_numba() -> None:
    @numba.vectorize
    def vectorized(x):  # type: ignore[no-untyped-def]
        return fa.gelu(x) + x

    @numba.guvectorize(["float32[:], float32[:]"], "(n)->(n)")
    def generalized(x, out):  # type: ignore[no-untyped-def]
        fa.softmax(x, out=out)
        for i in range(x.size):
            out[i] += fa.silu(x[i])

    x = np.linspace(-3, 3, 24, dtype=np.float32).reshape(4, 6)
    assert same(vectorized(x), fa.gelu(x) + x)
    assert same(generalized(x), fa.softmax(x) + fa.silu(x))


def test_nothing_leaks() -> None:
    numba.core.runtime.nrt._nrt.memsys_enable_stats()

    @numba.njit
    def call(x, n):  # type: ignore[no-untyped-def]
        total = 0.0
        for _ in range(n):
            total += fa.mse(fa.softmax(fa.gelu(x)), 1) + fa.swiglu.backward(x, x, x)[1][0, 0]
        return total

    x = np.arange(12).reshape(3, 4)
    call(x, 1)
    before = numba.core.runtime.rtsys.get_allocation_stats()
    call(x, 100)
    after = numba.core.runtime.rtsys.get_allocation_stats()
    assert after.alloc - before.alloc == after.free - before.free


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: fa.gelu(x, backend="serial"), r"fastact.gelu takes no backend= .* leave it out"),
        (lambda x: fa.gelu(x, where=x), "takes no argument 'where'"),
        (lambda x: fa.gelu(x, x, x), "too many positional arguments"),
        (lambda x: fa.gelu(), "missing a required argument: 'x'"),
        (lambda x: fa.gelu((1.0, 2.0)), r"takes a real number or an aligned array .* \(np.asarray makes one of it\)"),
        (lambda x: fa.gelu(1j), "takes a real number"),
        (lambda x: fa.gelu(x, approximate="tan"), "got approximate='tan'; it must be one of 'none', 'tanh'"),
        (lambda x: fa.gelu(x, out=1.0), "takes as out= a writeable"),
        (lambda x: fa.gelu(1.0, out=x), "takes out= with arrays"),
        (lambda x: fa.gumbel_softmax(x, x), "cannot be called in compiled code; call it outside"),
        (lambda x: fa.rrelu(x, return_slopes=True), "draw the slopes"),
        (
            lambda x: fa.gelu.backwards(x),  # type: ignore[attr-defined]
            "Unknown attribute 'backwards' of type fastact.gelu",
        ),
        (lambda x: fa.leaky_relu.parameter_derivative("beta"), "leaky_relu has no parameter 'beta'"),
    ],
)
def test_errors_name_the_remedy(call: Any, message: str) -> None:
    with pytest.raises(numba.TypingError, match=message):
        numba.njit(call)(np.ones(3))


def test_errors_of_shapes() -> None:
    call = numba.njit(lambda x, y: fa.swiglu(x, y))
    with pytest.raises(ValueError, match=r"fastact.swiglu: operands do not broadcast together"):
        call(np.ones((2, 3)), np.ones((3, 2)))


def test_a_part_may_be_the_first_of_fastact_that_numba_meets(python: Any) -> None:
    code = "import numba, fastact as fa; print(numba.njit(lambda x: fa.relu.derivative(x))(2.0))"
    assert python(code) == "1.0\n"
