"""fastact's CUDA kernels in the emulator, against its results on the CPU. python check.py [group ...]"""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import fake_gpu as gpu
import ml_dtypes
import numpy as np
from fake_gpu import CupyArray, put

import fastact as fa
from fastact.backends.cuda.calls import host

BF16 = np.dtype(ml_dtypes.bfloat16)
ACTIVATIONS = [f for f in map(fa.get, fa.names()) if isinstance(f, fa.Activation)]
OPERATIONS = [part for f in ACTIVATIONS for part in (f, f.derivative, f.backward)]
GATED = [getattr(fa, name) for name in ("bilinear", "reglu", "geglu", "swiglu")]
OPERATIONS += [part for f in GATED for part in (f, f.backward)] + [fa.gelu.with_bias, fa.relu.with_bias]
SPARSE = [fa.sparsemax, fa.entmax15, fa.hardmax]
FAMILY = [fa.softmax, fa.log_softmax, fa.softmin, fa.logsumexp, *SPARSE]

FAILED: list[str] = []
WORST: dict[str, float] = {}
COUNT = 0


@contextmanager
def case(name: str) -> Iterator[None]:
    global COUNT
    COUNT += 1
    try:
        yield
    except Exception as error:
        FAILED.append(name)
        print(f"FAILED {name}: {type(error).__name__}: {str(error)[:1500]}", flush=True)
        if not isinstance(error, (AssertionError, gpu.EmulationError)):
            traceback.print_exc()


def same(got: Any, wanted: Any) -> None:
    """Equal bits; one NaN is as good as another."""
    got, wanted = np.asarray(got), np.asarray(wanted)
    assert (got.dtype, got.shape) == (wanted.dtype, wanted.shape), (got.dtype, wanted.dtype, got.shape, wanted.shape)
    a, b = (np.ascontiguousarray(each).reshape(-1).view(np.uint8).reshape(-1, each.itemsize) for each in (got, wanted))
    differ = (a != b).any(-1)
    if got.dtype.kind == "f" or got.dtype == BF16:
        differ &= ~(np.isnan(got.astype("f8")) & np.isnan(wanted.astype("f8"))).reshape(-1)
    at = np.flatnonzero(differ)
    assert not len(at), (
        f"{len(at)} of {got.size} differ, first at {at[:5]}: "
        f"{got.reshape(-1)[at[:5]]}, not {wanted.reshape(-1)[at[:5]]}"
    )


def near(key: str, got: Any, wanted: Any, ulps: float, scale: Any = None) -> None:
    """Within so many units in the last place of each number or, of sums that cancel, of `scale`."""
    got, wanted = np.asarray(got), np.asarray(wanted)
    assert (got.dtype, got.shape) == (wanted.dtype, wanted.shape), (got.dtype, wanted.dtype, got.shape, wanted.shape)
    if not got.size:
        return
    info = ml_dtypes.finfo(got.dtype)
    a, b = got.astype("f8"), wanted.astype("f8")
    special = ~(np.isfinite(a) & np.isfinite(b))
    assert ((a == b) | (np.isnan(a) & np.isnan(b)))[special].all(), (
        f"special numbers: {a[special][:5]}, not {b[special][:5]}"
    )
    size = np.abs(b) if scale is None else np.broadcast_to(np.maximum(np.abs(scale), np.abs(b)), b.shape)
    size = np.maximum(np.where(special, 1, size), float(info.tiny))
    unit = np.ldexp(float(info.eps), np.frexp(size)[1] - 1)
    error = np.where(special, 0, np.abs(np.where(special, 0, a) - np.where(special, 0, b)) / unit)
    WORST[key] = max(WORST.get(key, 0), float(error.max()))
    at = np.unravel_index(error.argmax(), error.shape)
    assert error.max() <= ulps, (
        f"{error.max():.3g} ulp at {at}: {a[at]!r}, not {b[at]!r}; {int((error > ulps).sum())} beyond {ulps}"
    )


def sample(dtype: Any, n: int) -> np.ndarray:
    """Numbers of every magnitude, special ones among them; of half types all there are, where n allows it."""
    dtype = np.dtype(dtype)
    if dtype.kind in "biu":
        return (
            np.random.default_rng(0)
            .integers(0 if dtype.kind in "bu" else -100, 2 if dtype.kind == "b" else 100, n)
            .astype(dtype)
        )
    bits = 8 * dtype.itemsize
    step = max(1, (1 << bits) // n) | 1
    spread = (
        ((np.arange(n, dtype=np.uint64) * np.uint64(step)) & np.uint64(2**bits - 1)).astype(f"u{bits // 8}").view(dtype)
    )
    tiny = float(ml_dtypes.finfo(dtype).smallest_subnormal)
    with np.errstate(all="ignore"):
        special = np.array(
            [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, tiny, -tiny, 88.8, -88.8, -104.0, -745.5]
        ).astype(dtype)
        usual = np.random.default_rng(0).normal(0, 5, n).astype(dtype)
    return np.concatenate([special, spread, usual])


GROUPS: dict[str, Callable[[], None]] = {}


def group(function: Callable[[], None]) -> Callable[[], None]:
    return GROUPS.setdefault(function.__name__, function)


# --- elementwise ------------------------------------------------------------------------------------------------------


def operands_for(operation: Any, x: np.ndarray) -> tuple[np.ndarray, ...]:
    return tuple(np.roll(x, 3 * k * k + k) for k in range(operation.inputs))


def as_tuple(result: Any) -> tuple[Any, ...]:
    return result if isinstance(result, tuple) else (result,)


def each_operation(dtype: Any, n: int) -> None:
    for operation in OPERATIONS:
        with case(f"{operation.name} {np.dtype(dtype).name}"):
            x = sample(dtype, n)
            x = x[: len(x) - len(x) % 1024 + 1021]  # a tail of every kind
            given = operands_for(operation, x)
            wanted = as_tuple(operation(*given, backend="serial" if x.dtype.itemsize > 2 else "auto"))
            for kind in (gpu.Array, CupyArray):
                found = as_tuple(operation(*(put(each, kind) for each in given)))
                for a, b in zip(found, wanted, strict=True):
                    same(a.copy_to_host(), b)
            found = as_tuple(operation(*(put(each, CupyArray) for each in given)))  # the call once more
            for a, b in zip(found, wanted, strict=True):
                same(a.copy_to_host(), b)
            if operation.outputs == 1:  # in place of the last operand
                arrays = [put(each) for each in given]
                assert operation(*arrays, out=arrays[-1]) is arrays[-1]
                same(arrays[-1].copy_to_host(), wanted[0])


@group
def float32() -> None:
    each_operation("f4", 6000)


@group
def float64() -> None:
    each_operation("f8", 6000)


@group
def float16() -> None:
    each_operation("f2", 1 << 15)


@group
def bfloat16() -> None:
    each_operation(BF16, 1 << 15)


@group
def sizes() -> None:
    """Tails, guards beside the results, empty arrays, pointers that are no multiple of 16 bytes."""
    for dtype in ("f4", "f8", "f2", BF16):
        for n in (0, 1, 2, 7, 8, 9, 31, 255, 256, 257, 1023, 1024, 1025, 2047, 2048, 2049, 2056, 5000):
            for shift in (0, 1, 3, 8):
                for kind in (gpu.Array, CupyArray):
                    with case(f"silu sizes {dtype} {n} {shift} {kind.__name__}"):
                        memory = np.linspace(-9, 9, n + 32).astype(dtype)
                        target = np.full(n + 32, 55, dtype)
                        x, out = put(memory, kind)[shift : shift + n], put(target, kind)[8 + shift : 8 + shift + n]
                        fa.silu(x, out=out)
                        wanted = target.copy()
                        wanted[8 + shift : 8 + shift + n] = fa.silu(memory[shift : shift + n])
                        same(gpu.root_of(out)[: wanted.nbytes].view(wanted.dtype), wanted)
                        same(fa.silu(x).copy_to_host(), wanted[8 + shift : 8 + shift + n])
                        if n:  # one at a multiple of 16, the other not
                            wide = fa.elu.backward(put(memory, kind)[1 : 1 + n], x)
                            same(wide.copy_to_host(), fa.elu.backward(memory[1 : 1 + n], memory[shift : shift + n]))


LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "step": lambda a: a[::2, ::3], "reversed": lambda a: a[::-1, ::-2], "transposed": lambda a: a.T,
    "column": lambda a: a[:, 1:2], "row": lambda a: a[1], "three axes": lambda a: a.reshape(30, 5, 8)[:, ::2, 1:5],
    "swapped": lambda a: a.reshape(30, 5, 8).transpose(1, 2, 0), "Fortran": np.asfortranarray,
    "broadcast": lambda a: np.broadcast_to(a[:, :1], (150, 4)), "offset": lambda a: a[3:, 1:],
    "four axes": lambda a: a.reshape(5, 2, 15, 8)[::-1, :, ::2, ::3].transpose(2, 0, 3, 1),
    "scalar": lambda a: a[1, 2:3].reshape(()),
}  # fmt: skip


def in_same_order(got: Any, wanted: np.ndarray) -> None:
    """Equal bits, and axes that lie in memory in the same order."""
    same(got.copy_to_host(), wanted)
    steps = [[s for s, n in zip(each.strides, wanted.shape, strict=True) if n > 1] for each in (got, wanted)]
    assert steps[0] == steps[1], f"strides {got.strides}, not {wanted.strides}"


@group
def layouts() -> None:
    for dtype in ("f4", "f8", "f2", BF16):
        for layout, pick in LAYOUTS.items():
            with case(f"layout {layout} {np.dtype(dtype).name}"):
                x = pick(sample(dtype, 600)[:1200].reshape(150, 8))
                grad = np.linspace(1, 2, x.size).astype(x.dtype).reshape(x.shape)
                for kind in (gpu.Array, CupyArray):
                    in_same_order(fa.mish(put(x, kind)), np.asarray(fa.mish(x)))
                    in_same_order(fa.elu.backward(put(grad, kind), put(x, kind)), np.asarray(fa.elu.backward(grad, x)))
                same(fa.elu.backward(put(grad), put(x), 0.3).copy_to_host(), np.asarray(fa.elu.backward(grad, x, 0.3)))
                if x.ndim:
                    slope = np.linspace(0, 1, x.shape[-1]).astype(dtype)
                    same(fa.leaky_relu(put(x), put(slope)).copy_to_host(), fa.leaky_relu(x, slope))
                    same(fa.gelu.with_bias(put(x), put(slope)).copy_to_host(), fa.gelu.with_bias(x, slope))
                    for got, wanted in zip(
                        fa.swiglu.backward(put(grad), put(x), put(slope)),
                        fa.swiglu.backward(grad, x, slope),
                        strict=True,
                    ):
                        same(got.copy_to_host(), wanted)
                if layout not in ("broadcast", "scalar"):
                    wanted, device = fa.mish(x), put(x)
                    before = gpu.root_of(device)
                    fa.mish(device, out=device)
                    same(device.copy_to_host(), wanted)
                    device.host_view()[0][...] = x
                    assert (gpu.root_of(device) == before).all(), "writes beside the result"


@group
def dtypes() -> None:
    for dtype in ("?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"):
        x = sample(dtype, 1000)[:2501]
        for name, call in {
            "relu": lambda x: fa.relu(x), "sigmoid": lambda x: fa.sigmoid(x),
            "leaky_relu": lambda x: fa.leaky_relu(x, 0.1),
            "tanh to f4": lambda x: fa.tanh(x, dtype="f4"), "tanh to f8": lambda x: fa.tanh(x, dtype="f8"),
            "step": lambda x: fa.relu(x[::3]),
        }.items():  # fmt: skip
            if "f4" in name and dtype in ("i8", "u8", "f8", "i4", "u4"):
                continue
            with case(f"{name} of {dtype}"), np.errstate(all="ignore"):
                same(call(put(x)).copy_to_host(), call(x))
    with case("int8 halves and float32 together"):
        x, slope = sample("f2", 1000), sample("i1", 4000)[: len(sample("f2", 1000))]
        same(fa.leaky_relu(put(x), put(slope)).copy_to_host(), fa.leaky_relu(x, slope))
    for axis in (-1, 0):
        with case(f"glu {axis}"):
            x = np.random.default_rng(0).normal(size=(6, 50)).astype("f4")
            y = fa.glu(x, axis=axis)
            same(fa.glu(put(x), axis=axis).copy_to_host(), y)
            same(fa.glu.backward(put(y), put(x), axis=axis).copy_to_host(), fa.glu.backward(y, x, axis=axis))
    with case("rrelu"):
        x = np.random.default_rng(0).normal(size=(6, 50)).astype("f4")
        same(fa.rrelu(put(x)).copy_to_host(), fa.rrelu(x))
    for shift in (-1, 1, 7, 300, 1024):
        with case(f"overlap {shift}"):
            memory = np.linspace(-5, 5, 9000).astype("f4")
            roots: dict[int, Any] = {}
            x, out = put(memory[2000:7000], roots=roots), put(memory[2000 + shift : 7000 + shift], roots=roots)
            wanted = memory.copy()
            wanted[2000 + shift : 7000 + shift] = fa.silu(memory[2000:7000])
            fa.silu(x, out=out)
            same(gpu.root_of(out)[: memory.nbytes].view("f4"), wanted)
    for alpha in (np.linspace(0, 1, 4), np.linspace(0, 1, 6).reshape(6, 1), np.ones((2, 1, 1, 4)) * 0.3):
        with case(f"parameters {alpha.shape}"):
            x, alpha = np.linspace(-9, 9, 48, dtype="f4").reshape(2, 6, 4), alpha.astype("f4")
            same(fa.leaky_relu(put(x), put(alpha)).copy_to_host(), fa.leaky_relu(x, alpha))
    for shape in [(), (0,), (3, 0), (1,), (0, 5, 2)]:
        with case(f"shape {shape}"):
            same(fa.elu(put(np.ones(shape, "f4"))).copy_to_host(), np.asarray(fa.elu(np.ones(shape, "f4"))))
    chunk, host.CHUNK = host.CHUNK, 1 << 14
    with case("host arrays in chunks"):
        x = np.random.default_rng(0).normal(size=(41, 700)).astype("f4")
        same(fa.gelu(x, backend="cuda"), fa.gelu(x))
        same(fa.gelu(x[:, ::2], backend="cuda"), fa.gelu(x[:, ::2]))
        same(
            fa.leaky_relu(x.astype(">f4"), np.linspace(0, 1, 700, dtype="f4"), backend="cuda"),
            fa.leaky_relu(x, np.linspace(0, 1, 700, dtype="f4")),
        )
        for a, b in zip(
            fa.reglu.backward(x, x, x[:1], backend="cuda"),
            fa.reglu.backward(x, x, np.repeat(x[:1], 41, 0)),
            strict=True,
        ):
            same(a, b)
    host.CHUNK = chunk


# --- rows -------------------------------------------------------------------------------------------------------------

LIMITS = {"f4": 5, "f8": 5, "f2": 1, "bfloat16": 1}  # each side may be off by 2.5


def over_rows(
    function: Any, x: np.ndarray, grad: np.ndarray, key: str, ulps: float, kind: Any = gpu.Array, **options: Any
) -> None:
    """Forward, in place, to another layout, and backward, as on the CPU."""
    given = {name: put(value, kind) if isinstance(value, np.ndarray) else value for name, value in options.items()}
    on_host = dict(options)
    y = np.asarray(function(x, **on_host))
    got = function(put(x, kind), **given)
    scale = None
    if function in (fa.logsumexp, fa.log_softmax):  # results may be near 0, and are sums of numbers of this size
        wide = x.astype("f8")
        scale = np.abs(np.where(np.isfinite(wide), wide, 0)).max(initial=0) / np.min(options.get("temperature", 1.0))
    near(f"{key} {x.dtype.name}", got.copy_to_host(), y, ulps, scale)
    first = got.copy_to_host()
    if function in FAMILY[:4] and x.dtype == np.float32 and not set(options) - {"axis"} and x.size:
        wide = x.astype(np.longdouble) * (-1 if function is fa.softmin else 1)
        axis = options.get("axis", -1) if x.ndim else None
        top = wide.max(axis, keepdims=True)
        total = np.exp(wide - top).sum(axis, keepdims=True)
        exact = np.exp(wide - top) / total if function in (fa.softmax, fa.softmin) else wide - top - np.log(total)
        if function is fa.logsumexp:
            exact = (top + np.log(total)).reshape(y.shape)
        near(f"{key} of the exact result", first.astype("f8").astype("f4"), exact.astype("f4"), ulps, scale)
    if function is fa.logsumexp:
        g = np.linspace(1, 2, y.size).reshape(y.shape).astype(y.dtype)
        operands = g, x
    else:
        operands = grad.astype(y.dtype), y
    slope = np.asarray(function.backward(*operands, **on_host))
    back = function.backward(*(put(each, kind) for each in operands), **given)
    if function is fa.logsumexp:
        near(f"{key} backward {x.dtype.name}", back.copy_to_host(), slope, ulps + 1)
    else:  # its sums cancel
        n = (
            max(1, x.size // max(1, np.prod(np.delete(x.shape, options.get("axis", -1)))))
            if isinstance(options.get("axis", -1), int) and x.ndim
            else x.size
        )
        bound = np.abs(operands[0].astype("f8")).max(initial=0) * (
            1
            if function is not fa.log_softmax
            else np.exp(np.where(np.isfinite(y.astype("f8")), y.astype("f8"), -np.inf)).max(initial=0) * n
        )
        divisor = np.abs(options.get("temperature", 1.0))
        divisor = np.min(divisor if isinstance(divisor, np.ndarray) else float(divisor))
        near(f"{key} backward {x.dtype.name}", back.copy_to_host(), slope, 4, scale=max(bound / divisor, 1e-30))
    if function is not fa.logsumexp and y.dtype == x.dtype:
        array = put(x, kind)
        assert function(array, out=array, **given) is array
        same(array.copy_to_host(), first)
        arrays = [put(each, kind) for each in operands]
        for i in (0, 1):
            arrays = [put(each, kind) for each in operands]
            function.backward(*arrays, out=arrays[i], **given)
            same(arrays[i].copy_to_host(), back.copy_to_host())
        wider = put(np.zeros((*x.shape, 2), x.dtype), kind)
        function(put(np.array(x, order="F"), kind), out=wider[..., 1], **given)
        same(wider[..., 1].copy_to_host(), first)
        assert (wider[..., 0].copy_to_host().astype("f4") == 0).all()


#: One thread, a warp, a block for each row; rows that are not held; columns, held and not; axes that are no neighbours.
ROW_SHAPES: dict[str, list[tuple[tuple[int, ...], Any]]] = {
    "f4": [
        ((70, 3), -1), ((9, 17), -1), ((3, 500), -1), ((5, 1000), -1), ((2, 4097), -1), ((300, 8193), -1), ((5, 5), 0),
        ((300, 70), 0), ((2, 99, 33), 1),
        ((4, 5, 6), (0, 2)), ((2, 3), None), ((2, 3), ()), ((4, 0), -1), ((0, 4), -1), ((4, 0, 2), 1), ((), -1),
    ],
    "f8": [((70, 3), -1), ((3, 500), -1), ((2, 4096), -1), ((300, 70), 0), ((2, 99, 33), 1)],
    "f2": [((70, 3), -1), ((5, 1000), -1), ((300, 70), 0), ((4, 5, 6), (0, 2))],
    "bfloat16": [((70, 3), -1), ((5, 1000), -1), ((300, 70), 0)],
}  # fmt: skip


def each_row(name: str) -> None:
    dtype = BF16 if name == "bfloat16" else np.dtype(name)
    for shape, axis in ROW_SHAPES[name]:
        for function in FAMILY:
            if np.prod(shape) > 1e6 and function not in FAMILY[:2]:
                continue
            with case(f"{function.name} {name} {shape} axis {axis}"):
                x, grad = (np.asarray(a).astype(dtype) for a in np.random.default_rng(1).normal(0, 3, (2, *shape)))
                over_rows(function, x, grad, function.name, LIMITS[name], axis=axis)


@group
def softmax_f4() -> None:
    each_row("f4")


@group
def softmax_f2() -> None:
    each_row("f2")


@group
def softmax_f8() -> None:
    each_row("f8")


@group
def softmax_bf16() -> None:
    each_row("bfloat16")


@group
def options() -> None:
    rng = np.random.default_rng(2)
    for shape, axis in [((2, 3, 7, 9), -1), ((2, 1, 3, 1100), -1), ((2, 3, 40, 3), 2)]:
        x, grad = rng.normal(0, 3, (2, *shape)).astype("f4")
        mask = rng.random(shape) < 0.6
        row = rng.random((shape[0], *[1] * (len(shape) - 2), shape[-1])) < 0.7
        lengths = rng.integers(0, shape[axis] + 1, np.delete(shape, axis)[0])
        cases: dict[str, dict[str, Any]] = {
            "where": {"where": mask}, "where of a row": {"where": row},
            "strided where": {"where": np.repeat(mask, 2, -1)[..., ::2]},
            "transposed where": {"where": np.ascontiguousarray(mask.T).T}, "none": {"where": np.zeros(shape, bool)},
            "temperatures": {"temperature": (1 + rng.random(shape[1:])).astype("f4")},
            "lengths": {"lengths": lengths, "temperature": 0.3},
            "all": {"where": mask, "lengths": lengths, "temperature": 2.5},
        }  # fmt: skip
        if axis == -1:
            cases["causal"] = {"where": "causal"}
            cases["causal lengths"] = {"where": "causal", "lengths": lengths, "temperature": 0.7}
        for function in (fa.softmax, fa.log_softmax, fa.logsumexp, fa.sparsemax):
            for name, given in cases.items():
                with case(f"{function.name} {shape} axis {axis} {name}"):
                    over_rows(
                        function,
                        x,
                        grad,
                        f"{function.name} {name if 'temperature' in name else 'masked'}",
                        LIMITS["f4"] + 1,
                        axis=axis,
                        **given,
                    )


@group
def row_dtypes() -> None:
    for dtype, result in [("f2", "f4"), ("f4", "f2"), ("f4", "f8"), ("i2", None), ("?", None), (BF16, "f4")]:
        for shape in [(3, 7), (2, 2000)] if dtype == "f2" else [(3, 7)]:
            for function in (fa.softmax, fa.logsumexp, fa.sparsemax):
                with case(f"{function.name} {dtype} to {result} {shape}"):
                    x = np.random.default_rng(1).normal(0, 3, shape).astype(dtype)
                    given: dict[str, Any] = {"axis": -1} | ({} if result is None else {"dtype": result})
                    near(
                        f"{function.name} to another dtype",
                        function(put(x), **given).copy_to_host(),
                        function(x, **given),
                        3,
                    )
    for n in (3, 500, 20000):
        head = np.array([[0, np.nan, 1], [np.inf, 0, 1], [-np.inf] * 3, [-np.inf, 0, 0], [1e4, 1e4, -1e4]], np.float32)
        x = np.concatenate([head, np.full((5, n - 3), -np.inf, np.float32)], 1)
        for function in FAMILY:
            for axis in (-1,):
                with case(f"{function.name} specials {n} axis {axis}"), np.errstate(all="ignore"):
                    given = x if axis == -1 else np.ascontiguousarray(x.T)
                    near(
                        f"{function.name} specials",
                        function(put(given), axis=axis).copy_to_host(),
                        function(given, axis=axis),
                        3,
                    )


@group
def accuracy() -> None:
    """Rows in which one number dominates, whose logarithms are near 0, against exact results: what the CPU promises."""
    rng = np.random.default_rng(0)
    for shape, axis in [((40, 500), -1), ((3, 8193), -1), ((300, 70), 0)]:
        for offset in (0, 1000):
            x = (rng.normal(0, 1, shape) + offset).astype("f4")
            for r, row in enumerate(np.moveaxis(x, axis, -1)):
                row[rng.integers(len(row))] += np.float32(8 + r % 30)
            wide = x.astype(np.longdouble)
            d = wide - wide.max(axis, keepdims=True)
            rest = np.where(d == 0, 0, np.exp(d)).sum(axis, keepdims=True)
            for function, exact in ((fa.softmax, np.exp(d) / (1 + rest)), (fa.log_softmax, d - np.log1p(rest))):
                with case(f"accuracy of {function.name} {shape} axis {axis} offset {offset}"):
                    got = function(put(x), axis=axis).copy_to_host()
                    error = float(np.max(np.abs(got - exact) / np.spacing(np.abs(exact.astype("f4")))))
                    WORST[f"{function.name} of dominated rows"] = max(
                        error, WORST.get(f"{function.name} of dominated rows", 0)
                    )
                    assert error <= function.max_ulp, error


@group
def parts() -> None:
    """Rows in parts: several blocks for each, that wait for each other, in any order that can be."""
    rng = np.random.default_rng(3)
    for shape, axis in [((3, 30001), -1), ((7, 9000), -1), ((40, 70001), -1), ((2, 9000, 40), 1), ((30000, 70), 0)]:
        for dtype in ("f4", "f2") if shape == (3, 30001) else ("f4",):
            x, grad = rng.normal(0, 3, (2, *shape)).astype(dtype)
            for function in (FAMILY[0], FAMILY[1], FAMILY[3]):
                for resident, seed in ((1, 0), (2, 1), (16, 2)) if np.prod(shape) < 100000 else ((8, 3),):
                    with case(f"parts {function.name} {dtype} {shape} axis {axis} resident {resident}"):
                        gpu.OPTIONS.update(resident=resident, seed=seed if resident > 1 else 0)
                        over_rows(function, x, grad, f"{function.name} in parts", LIMITS[dtype], axis=axis)
                    gpu.OPTIONS.update(resident=4, seed=0)
            with case(f"parts of masked rows {dtype} {shape}"):
                mask = rng.random(shape) < 0.5
                counts = rng.integers(0, shape[axis] + 1, np.delete(shape, axis)[0])
                for options in ({"where": mask}, {"lengths": counts, "temperature": 0.5}):
                    over_rows(fa.softmax, x, grad, "softmax in parts", LIMITS[dtype] + 1, axis=axis, **options)


# --- losses -----------------------------------------------------------------------------------------------------------


def loss_as_on_cpu(loss: Any, key: str, x: np.ndarray, target: np.ndarray, *more: Any, **options: Any) -> None:
    given = {name: put(value) if isinstance(value, np.ndarray) else value for name, value in options.items()}
    value, slope = loss.value_and_grad(x, target, *more, **options)
    value, slope = np.asarray(value), np.asarray(slope)
    got, grad = loss.value_and_grad(put(x), put(target), *more, **given)
    near(
        f"{key} value {x.dtype.name}",
        got.copy_to_host(),
        value,
        4,
        scale=np.abs(value.astype("f8")).max(initial=0) * (0.1 if value.ndim else 1),
    )
    scale = np.nanmax(np.abs(slope.astype("f8")), initial=0)
    near(f"{key} gradient {x.dtype.name}", grad.copy_to_host(), slope, 8, scale=scale)
    same(loss(put(x), put(target), *more, **given).copy_to_host(), got.copy_to_host())
    if slope.shape == x.shape and slope.dtype == x.dtype:
        array = put(x)
        loss.value_and_grad(array, put(target), *more, out=array, **given)
        same(array.copy_to_host(), grad.copy_to_host())
        wider = put(np.zeros((*x.shape, 2), x.dtype))
        loss.value_and_grad(put(x), put(target), *more, out=wider[..., 1], **given)
        same(wider[..., 1].copy_to_host(), grad.copy_to_host())


@group
def losses() -> None:
    rng = np.random.default_rng(0)
    for dtype in ("f4", "f8", "f2"):
        for shape, axis in (
            [((300, 10), -1), ((5, 1000), -1), ((3, 9000), -1), ((3, 30, 50), 1)]
            if dtype == "f4"
            else [((300, 10), -1), ((3, 9000), -1)]
        ):
            x, classes = rng.normal(0, 4, shape).astype(dtype), rng.integers(0, shape[axis], np.delete(shape, axis))
            classes.flat[:2] = -100
            weight = 0.5 + rng.random(shape[axis])
            probable = np.asarray(fa.softmax(rng.normal(0, 2, shape), axis)).astype("f4" if dtype != "f8" else "f8")
            for reduction in ("mean", "sum", "none"):
                for name, target, more in [
                    ("plain", classes, {}), ("int32", classes.astype("i4"), {}),
                    ("weight", classes, {"weight": weight}), ("smoothing", classes, {"label_smoothing": 0.2}),
                    ("all", np.where(classes < 0, 1, classes),
                     {"label_smoothing": 0.2, "weight": weight, "ignore_index": 1}),
                    ("probabilities", probable, {"weight": weight}),
                ]:  # fmt: skip
                    with case(f"cross_entropy {dtype} {shape} {axis} {reduction} {name}"):
                        loss_as_on_cpu(
                            fa.cross_entropy, "cross_entropy", x, target, axis=axis, reduction=reduction, **more
                        )
                with case(f"nll_loss {dtype} {shape} {axis} {reduction}"):
                    for more in ({}, {"weight": weight}):
                        got = fa.nll_loss(
                            put(x), put(classes), axis=axis, reduction=reduction, **{k: put(v) for k, v in more.items()}
                        )
                        wanted = np.asarray(fa.nll_loss(x, classes, axis=axis, reduction=reduction, **more))
                        near(f"nll_loss {x.dtype.name}", got.copy_to_host(), wanted, 4,
                             scale=1.0 if reduction != "sum" else len(classes))  # fmt: skip
        for loss in (fa.mse, fa.huber, fa.binary_cross_entropy):
            for shape in ((0, 3), (1, 3), (7, 3), (300, 333)):
                for reduction in ("mean", "sum", "none"):
                    with case(f"{loss.name} {dtype} {shape} {reduction}"):
                        x, target = rng.normal(size=shape).astype(dtype), rng.integers(0, 2, shape)
                        loss_as_on_cpu(loss, loss.name, x, target.astype(dtype), reduction=reduction)
                        if shape[0] > 1:
                            weight = np.linspace(0.5, 1, shape[1])
                            loss_as_on_cpu(
                                loss,
                                loss.name,
                                np.asfortranarray(x),
                                target > 0,
                                weight=weight.astype(dtype),
                                reduction=reduction,
                            )
                            loss_as_on_cpu(loss, loss.name, x, target[:1].astype(dtype), reduction=reduction)
    with case("many losses"):
        x, classes = rng.normal(0, 4, (70000, 3)).astype("f4"), rng.integers(0, 3, 70000)
        gpu.OPTIONS["races"] = False
        loss_as_on_cpu(fa.cross_entropy, "cross_entropy of many", x, classes)
    gpu.OPTIONS["races"] = True
    with case("targets that are no classes"):
        x = np.zeros((4, 5), "f4")
        value, grad = fa.cross_entropy.value_and_grad(put(x), put(np.array([0, 5, -100, -1])), reduction="none")
        assert np.isnan(value.copy_to_host()).tolist() == [False, True, False, True]
        assert np.isnan(grad.copy_to_host()).any(1).tolist() == [False, True, False, True]


# --- how much is done -------------------------------------------------------------------------------------------------


@group
def large() -> None:
    """The last blocks of arrays whose items do not have numbers of 32 bits."""

    def numbers(n: int, dtype: Any, tail: np.ndarray) -> Any:
        array = gpu.empty(n, dtype)
        data, shadow, _ = gpu.MEMORY.bytes_of(array.address)
        data[-tail.nbytes :], shadow[-tail.nbytes :] = tail.reshape(-1).view(np.uint8), 1
        return array

    gpu.OPTIONS["races"] = False
    for dtype, n in (("i1", 2**31 + 5000), ("f2", 2**31 + 5000), ("u1", 2**32 + 5000)):
        with case(f"relu of {n} {dtype}"):
            tail = sample(dtype, 4000)[:4000]
            gpu.OPTIONS["first"] = n // (2048 if dtype == "f2" else 1024) - 2
            out = fa.relu(numbers(n, dtype, tail))
            same(out[n - 1000 :].copy_to_host(), fa.relu(tail)[-1000:])
    with case("strided, beyond 32 bits"):
        n = 2**31 + 5000
        tail = sample("i1", 4000)
        gpu.OPTIONS["first"] = n // 256 // 2 - 8
        out = fa.relu(numbers(n, "i1", tail)[1::2])
        same(out[len(out) - 500 :].copy_to_host(), fa.relu(tail[1::2])[-500:])
    with case("rows beyond 32 bits"):
        rows = 2**29 + 1000
        x = np.random.default_rng(0).normal(size=(2000, 5)).astype("f2")
        gpu.OPTIONS["first"] = rows // 128 - 6
        y = fa.softmax(numbers(rows * 5, "f2", x).reshape((rows, 5)))
        same(y[rows - 500 :].copy_to_host(), fa.softmax(x)[-500:])
    gpu.OPTIONS.update(first=0, races=True)


@group
def counts() -> None:
    def report(name: str, elements: int, touched: int, call: Callable[[], Any]) -> None:
        del gpu.LAUNCHES[:]
        call()
        s = {key: sum(each.stats[key] for each in gpu.LAUNCHES) for key in gpu.LAUNCHES[0].stats}
        sectors = s["load_sectors"] + s["store_sectors"]
        print(
            f"{name:34} {s['warp_instructions'] * 32 / elements:8.1f} instructions/element, "
            f"{32 * sectors / elements:6.2f} bytes of sectors, {touched} needed; "
            f"{s['shuffles'] * 32 / elements:.2f} shuffles, {s['barriers']} barriers in "
            f"{sum(each.grid for each in gpu.LAUNCHES)} blocks, {s['bank_conflicts']} conflicts of "
            f"{s['shared_accesses']} shared accesses, launches {len(gpu.LAUNCHES)}", flush=True,
        )  # fmt: skip

    gpu.OPTIONS["races"] = False
    rng = np.random.default_rng(0)
    for dtype in ("f4", "f8", "f2", BF16):
        size, x = np.dtype(dtype).itemsize, put(rng.normal(0, 2, 1 << 15).astype(dtype))
        for function in (fa.relu, fa.gelu, fa.silu, fa.mish):
            report(
                f"{function.name} {np.dtype(dtype).name}", x.size, 2 * size, lambda function=function, x=x: function(x)
            )
    x = put(rng.normal(0, 2, (128, 256)).astype("f4").T)
    report("gelu float32, transposed in and out", x.size, 8, lambda: fa.gelu(x))
    report("gelu float32, to C order", x.size, 8, lambda: fa.gelu(x, out=gpu.empty(x.shape, "f4")))
    for dtype, shape, axis in (
        ("f4", (64, 1024), -1),
        ("f2", (64, 1024), -1),
        ("f4", (64, 1000), -1),
        ("f4", (4096, 10), -1),
        ("f4", (2, 100000), -1),
        ("f4", (1000, 64), 0),
    ):
        x, size = put(rng.normal(0, 2, shape).astype(dtype)), np.dtype(dtype).itemsize
        for function in (
            (fa.softmax, fa.log_softmax, fa.sparsemax) if shape == (64, 1024) and dtype == "f4" else (fa.softmax,)
        ):
            report(
                f"{function.name} {dtype} {shape} {axis}",
                x.size,
                2 * size,
                lambda function=function, x=x, axis=axis: function(x, axis=axis),
            )
        report(
            f"softmax.backward {dtype} {shape} {axis}",
            x.size,
            3 * size,
            lambda x=x, axis=axis: fa.softmax.backward(x, x, axis=axis),
        )
    x, y = put(rng.normal(0, 2, (64, 1000)).astype("f4")), put(rng.integers(0, 1000, 64))
    report("cross_entropy (64, 1000)", 64000, 8, lambda: fa.cross_entropy.value_and_grad(x, y))
    gpu.OPTIONS["races"] = True


def main() -> None:
    names = [each for each in sys.argv[1:] if not each.startswith("-")] or list(GROUPS)
    for each in sys.argv[1:]:
        if each.startswith("--cc="):
            gpu.CAPABILITY = gpu._Device.compute_capability = tuple(map(int, each[5:].split(".")))
    gpu.install()
    for name in names:
        start, failed, count = time.time(), len(FAILED), COUNT
        with np.errstate(all="ignore"):
            GROUPS[name]()
        print(
            f"== {name}: {COUNT - count} cases, {len(FAILED) - failed} failed, {time.time() - start:.0f} s", flush=True
        )
    for key, worst in sorted(WORST.items()):
        print(f"   largest difference: {key}: {worst:.2f} ulp")
    t = gpu.TOTALS
    print(
        f"{len(gpu.KERNELS)} kernels, {t['launches']} launches, {t['thread_instructions']:.3g} thread instructions, "
        f"{t['shuffles']} shuffles, {t['split_shuffles']} of them waited, {t['barriers']} barriers "
        f"({t['split_barriers']} reached by lanes one after the other), {t['spins']} polls; "
        f"{len(FAILED)} of {COUNT} cases failed"
    )


if __name__ == "__main__":
    main()
