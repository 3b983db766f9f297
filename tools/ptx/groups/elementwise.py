"""Elementwise functions: every operation and dtype, sizes, layouts and mixed dtypes, with the bits of the CPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import fake_gpu as gpu
import numpy as np
from cases import Case, group
from comparing import BF16, numbers, same
from fake_gpu import CupyArray, put

import fastact as fa
from fastact.backends.cuda.calls import host

ACTIVATIONS = [f for f in map(fa.get, fa.names()) if isinstance(f, fa.Activation)]
OPERATIONS: list[Any] = [part for f in ACTIVATIONS for part in (f, f.derivative, f.backward)]
GATED = [getattr(fa, name) for name in ("bilinear", "reglu", "geglu", "swiglu")]
OPERATIONS += [part for f in GATED for part in (f, f.backward)] + [fa.gelu.with_bias, fa.relu.with_bias]
FLOATS = [np.dtype(each) for each in ("f4", "f8", "f2", BF16)]


def as_tuple(result: Any) -> tuple[Any, ...]:
    return result if isinstance(result, tuple) else (result,)


def all_same(found: Any, wanted: Any) -> None:
    for a, b in zip(as_tuple(found), as_tuple(wanted), strict=True):
        same(a.copy_to_host(), b)


def as_on_cpu(call: Callable[..., Any], *arrays: np.ndarray) -> None:
    all_same(call(*map(put, arrays)), call(*arrays))


def check_operation(operation: Any, dtype: np.dtype, n: int) -> None:
    x = numbers(dtype, n)
    x = x[: len(x) - len(x) % 1024 + 1021]  # a tail of every kind
    given = [np.roll(x, 3 * k * k + k) for k in range(operation._inputs)]
    wanted = operation(*given, backend="serial" if dtype.itemsize > 2 else "auto")
    for kind in (gpu.Array, CupyArray, CupyArray):  # the last time it is a call that is known
        all_same(operation(*(put(each, kind) for each in given)), wanted)
    if operation._outputs == 1:  # in place of the last operand
        arrays = [put(each) for each in given]
        assert operation(*arrays, out=arrays[-1]) is arrays[-1]
        all_same(arrays[-1], wanted)


def operations(dtype: Any, n: int) -> Iterator[Case]:
    for operation in OPERATIONS:
        yield Case((operation.name, np.dtype(dtype).name), partial(check_operation, operation, np.dtype(dtype), n))


@group
def float32() -> Iterator[Case]:
    return operations("f4", 6000)


@group
def float64() -> Iterator[Case]:
    return operations("f8", 6000)


@group
def float16() -> Iterator[Case]:
    return operations("f2", 1 << 15)


@group
def bfloat16() -> Iterator[Case]:
    return operations(BF16, 1 << 15)


def check_size(dtype: np.dtype, n: int, shift: int, kind: type[gpu.Array]) -> None:
    """Write a part of an array, and nothing beside it, at pointers that are no multiple of 16 bytes."""
    memory, target = np.linspace(-9, 9, n + 32).astype(dtype), np.full(n + 32, 55, dtype)
    part = slice(shift, shift + n)
    x, out = put(memory, kind)[part], put(target, kind)[8 + shift : 8 + shift + n]
    fa.silu(x, out=out)
    wanted = target.copy()
    wanted[8 + shift : 8 + shift + n] = fa.silu(memory[part])
    same(gpu.root_of(out)[: wanted.nbytes].view(dtype), wanted)
    all_same(fa.silu(x), fa.silu(memory[part]))
    if n:  # one at a multiple of 16, the other not
        wide = fa.elu.backward(put(memory, kind)[1 : 1 + n], x)
        all_same(wide, fa.elu.backward(memory[1 : 1 + n], memory[part]))


@group
def sizes() -> Iterator[Case]:
    for dtype in FLOATS:
        for n in (0, 1, 2, 7, 8, 9, 31, 255, 256, 257, 1023, 1024, 1025, 2047, 2048, 2049, 2056, 5000):
            for shift in (0, 1, 3, 8):
                for kind in (gpu.Array, CupyArray):
                    labels = dtype.name, f"size {n}", f"at {shift}", kind.__name__
                    yield Case(labels, partial(check_size, dtype, n, shift, kind))


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
    all_same(got, wanted)
    steps = [[s for s, n in zip(each.strides, wanted.shape, strict=True) if n > 1] for each in (got, wanted)]
    assert steps[0] == steps[1], f"strides {got.strides}, not {wanted.strides}"


def check_layout(layout: str, dtype: np.dtype) -> None:
    x = LAYOUTS[layout](numbers(dtype, 600)[:1200].reshape(150, 8))
    grad = np.linspace(1, 2, x.size).astype(dtype).reshape(x.shape)
    for kind in (gpu.Array, CupyArray):
        in_same_order(fa.mish(put(x, kind)), np.asarray(fa.mish(x)))
        in_same_order(fa.elu.backward(put(grad, kind), put(x, kind)), np.asarray(fa.elu.backward(grad, x)))
    all_same(fa.elu.backward(put(grad), put(x), 0.3), np.asarray(fa.elu.backward(grad, x, 0.3)))
    if x.ndim:
        slope = np.linspace(0, 1, x.shape[-1]).astype(dtype)
        as_on_cpu(fa.leaky_relu, x, slope)
        as_on_cpu(fa.gelu.with_bias, x, slope)
        as_on_cpu(fa.swiglu.backward, grad, x, slope)
    if layout not in ("broadcast", "scalar"):
        device = put(x)
        before = gpu.root_of(device)
        fa.mish(device, out=device)
        all_same(device, fa.mish(x))
        device.host_view()[0][...] = x
        assert (gpu.root_of(device) == before).all(), "writes beside the result"


@group
def layouts() -> Iterator[Case]:
    for dtype in FLOATS:
        for layout in LAYOUTS:
            yield Case((layout, dtype.name), partial(check_layout, layout, dtype))


CALLS: dict[str, Callable[[Any], Any]] = {
    "relu": fa.relu, "sigmoid": fa.sigmoid, "leaky_relu": lambda x: fa.leaky_relu(x, 0.1),
    "tanh to float32": lambda x: fa.tanh(x, dtype="f4"), "tanh to float64": lambda x: fa.tanh(x, dtype="f8"),
    "step of relu": lambda x: fa.relu(x[::3]),
}  # fmt: skip


def check_overlap(shift: int) -> None:
    memory, roots = np.linspace(-5, 5, 9000).astype("f4"), dict[int, Any]()
    x, out = (put(memory[2000 + by : 7000 + by], roots=roots) for by in (0, shift))
    wanted = memory.copy()
    wanted[2000 + shift : 7000 + shift] = fa.silu(memory[2000:7000])
    fa.silu(x, out=out)
    same(gpu.root_of(out)[: memory.nbytes].view("f4"), wanted)


def check_glu(axis: int) -> None:
    x = np.random.default_rng(0).normal(size=(6, 50)).astype("f4")
    as_on_cpu(partial(fa.glu, axis=axis), x)
    as_on_cpu(partial(fa.glu.backward, axis=axis), fa.glu(x, axis=axis), x)


def check_host_arrays() -> None:
    x = np.random.default_rng(0).normal(size=(41, 700)).astype("f4")
    slope = np.linspace(0, 1, 700, dtype="f4")
    chunk, host.CHUNK = host.CHUNK, 1 << 14
    try:
        same(fa.gelu(x, backend="cuda"), fa.gelu(x))
        same(fa.gelu(x[:, ::2], backend="cuda"), fa.gelu(x[:, ::2]))
        same(fa.leaky_relu(x.astype(">f4"), slope, backend="cuda"), fa.leaky_relu(x, slope))
        found = fa.reglu.backward(x, x, x[:1], backend="cuda")
        for a, b in zip(found, fa.reglu.backward(x, x, np.repeat(x[:1], 41, 0)), strict=True):
            same(a, b)
    finally:
        host.CHUNK = chunk


@group
def dtypes() -> Iterator[Case]:
    """Integers, mixed dtypes, and what else a call may be given."""
    for dtype in map(np.dtype, ("?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8")):
        for name, call in CALLS.items():
            if name != "tanh to float32" or np.can_cast(dtype, "f4"):
                yield Case((name, dtype.name), partial(as_on_cpu, call, numbers(dtype, 1000)[:2501]))
    halves = numbers("f2", 1000)
    yield Case(("int8 and halves",), partial(as_on_cpu, fa.leaky_relu, halves, numbers("i1", len(halves))))
    for axis in (-1, 0):
        yield Case(("glu", f"axis {axis}"), partial(check_glu, axis))
    yield Case(("rrelu",), partial(as_on_cpu, fa.rrelu, np.random.default_rng(0).normal(size=(6, 50)).astype("f4")))
    for shift in (-1, 1, 7, 300, 1024):
        yield Case(("overlap", f"by {shift}"), partial(check_overlap, shift))
    x = np.linspace(-9, 9, 48, dtype="f4").reshape(2, 6, 4)
    for alpha in (np.linspace(0, 1, 4), np.linspace(0, 1, 6).reshape(6, 1), np.ones((2, 1, 1, 4)) * 0.3):
        yield Case(("parameters", alpha.shape), partial(as_on_cpu, fa.leaky_relu, x, alpha.astype("f4")))
    for shape in [(), (0,), (3, 0), (1,), (0, 5, 2)]:
        yield Case(("elu of shape", shape), partial(as_on_cpu, lambda x: fa.elu(x), np.ones(shape, "f4")))
    yield Case(("host arrays in chunks",), check_host_arrays)
