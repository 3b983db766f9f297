"""The softmax family and its sparse kin, forward and backward: shapes, dtypes, masks, temperatures, rows in parts."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import fake_gpu as gpu
import numpy as np
from cases import Case, group
from comparing import BF16, near, note, same
from fake_gpu import put

import fastact as fa

DENSE: list[Any] = [fa.softmax, fa.log_softmax, fa.softmin, fa.logsumexp]
FAMILY = [*DENSE, fa.sparsemax, fa.entmax15, fa.hardmax]
LIMITS = {"float32": 5, "float64": 5, "float16": 1, "bfloat16": 1}  # each side may be off by 2.5


def normal(shape: Any, dtype: Any, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Two arrays, for x and for the gradient of a result."""
    x, grad = np.random.default_rng(seed).normal(0, 3, (2, *shape))
    return np.asarray(x).astype(dtype), np.asarray(grad).astype(dtype)


def finite(x: np.ndarray) -> np.ndarray:
    wide = x.astype("f8")
    return np.where(np.isfinite(wide), wide, 0)


def exact(function: Any, x: np.ndarray, axis: Any) -> np.ndarray:
    """The exact result of a dense function, in float32."""
    wide = x.astype(np.longdouble) * (-1 if function is fa.softmin else 1)
    top = wide.max(axis, keepdims=True)
    powers = np.exp(wide - top)
    total = powers.sum(axis, keepdims=True)
    if function is fa.logsumexp:
        return (top + np.log(total)).squeeze(axis).astype("f4")
    return (wide - top - np.log(total) if function is fa.log_softmax else powers / total).astype("f4")


def check_layouts(call: Any, arrays: list[np.ndarray], wanted: np.ndarray) -> None:
    """In place of each operand, and from Fortran order into every other number of an array: the same bits."""
    for i in range(len(arrays)):
        given = [put(each) for each in arrays]
        assert call(*given, out=given[i]) is given[i]
        same(given[i].copy_to_host(), wanted)
    wider = put(np.zeros((*wanted.shape, 2), wanted.dtype))
    call(*(put(np.array(each, order="F")) for each in arrays), out=wider[..., 1])
    same(wider[..., 1].copy_to_host(), wanted)
    assert (wider[..., 0].copy_to_host().astype("f4") == 0).all(), "writes beside the result"


def over_rows(
    function: Any, x: np.ndarray, grad: np.ndarray, kind: str, ulps: float, *, axis: Any, **options: Any
) -> None:
    """Compare forward and backward with the CPU's, in place and in other layouts too."""
    given = {name: put(value) if isinstance(value, np.ndarray) else value for name, value in options.items()}
    forward, backward = (partial(each, axis=axis, **given) for each in (function, function.backward))
    temperature = float(np.min(np.abs(options.get("temperature", 1.0))))
    sums = function in (fa.logsumexp, fa.log_softmax)  # results may be near 0, of numbers of this size
    scale = np.abs(finite(x)).max(initial=0) / temperature if sums else None

    y = np.asarray(function(x, axis=axis, **options))
    got = forward(put(x)).copy_to_host()
    near(f"{kind} {x.dtype.name}", got, y, ulps, scale)
    if function in DENSE and x.dtype == np.float32 and not options and x.size:
        along = axis if x.ndim else None
        near(f"{kind} of the exact result", got, exact(function, x, along).reshape(y.shape), ulps, scale)

    if function is fa.logsumexp:
        operands = [np.linspace(1, 2, y.size).reshape(y.shape).astype(y.dtype), x]
        ulps, scale = ulps + 1, None
    else:
        operands = [grad.astype(y.dtype), y]
        bound = np.abs(finite(operands[0])).max(initial=0)
        if function is fa.log_softmax:  # its sum is multiplied by the softmax
            n = x.size // max(1, np.prod(np.delete(x.shape, axis))) if isinstance(axis, int) and x.ndim else x.size
            bound *= np.exp(np.where(np.isfinite(y.astype("f8")), y.astype("f8"), -np.inf)).max(initial=0) * max(1, n)
        ulps, scale = 4, max(bound / temperature, 1e-30)
    slope = np.asarray(function.backward(*operands, axis=axis, **options))
    back = backward(*map(put, operands)).copy_to_host()
    near(f"{kind} backward {x.dtype.name}", back, slope, ulps, scale)

    if function is not fa.logsumexp:
        check_layouts(forward, [x], got)
        check_layouts(backward, operands, back)


#: One thread, a warp, a block for each row; rows that are not held; columns, held and not; axes that are no neighbours.
SHAPES: dict[str, list[tuple[tuple[int, ...], Any]]] = {
    "float32": [
        ((70, 3), -1), ((9, 17), -1), ((3, 500), -1), ((5, 1000), -1), ((2, 4097), -1), ((300, 8193), -1), ((5, 5), 0),
        ((300, 70), 0), ((2, 99, 33), 1),
        ((4, 5, 6), (0, 2)), ((2, 3), None), ((2, 3), ()), ((4, 0), -1), ((0, 4), -1), ((4, 0, 2), 1), ((), -1),
    ],
    "float64": [((70, 3), -1), ((3, 500), -1), ((2, 4096), -1), ((300, 70), 0), ((2, 99, 33), 1)],
    "float16": [((70, 3), -1), ((5, 1000), -1), ((300, 70), 0), ((4, 5, 6), (0, 2))],
    "bfloat16": [((70, 3), -1), ((5, 1000), -1), ((300, 70), 0)],
}  # fmt: skip


def check_shape(function: Any, dtype: str, shape: tuple[int, ...], axis: Any) -> None:
    x, grad = normal(shape, BF16 if dtype == "bfloat16" else dtype)
    over_rows(function, x, grad, function.name, LIMITS[dtype], axis=axis)


def shapes(dtype: str) -> Iterator[Case]:
    for shape, axis in SHAPES[dtype]:
        long = np.prod(shape) > 1e6
        for function in DENSE[:2] if long else FAMILY:
            labels = function.name, dtype, shape, f"axis {axis}", *(["no numbers"] if 0 in shape else [])
            yield Case(labels, partial(check_shape, function, dtype, shape, axis), bool(long))


@group
def softmax_float32() -> Iterator[Case]:
    return shapes("float32")


@group
def softmax_float64() -> Iterator[Case]:
    return shapes("float64")


@group
def softmax_float16() -> Iterator[Case]:
    return shapes("float16")


@group
def softmax_bfloat16() -> Iterator[Case]:
    return shapes("bfloat16")


@group
def options() -> Iterator[Case]:
    """Masks, causal masks, lengths and temperatures."""
    rng = np.random.default_rng(2)
    for shape, axis in [((2, 3, 7, 9), -1), ((2, 1, 3, 1100), -1), ((2, 3, 40, 3), 2)]:
        x, grad = normal(shape, "f4", 2)
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
                kind = f"{function.name} {'temperature' if name == 'temperatures' else 'masked'}"
                check = partial(over_rows, function, x, grad, kind, LIMITS["float32"] + 1, axis=axis, **given)
                yield Case((function.name, shape, f"axis {axis}", name), check)


def check_forward(kind: str, function: Any, x: np.ndarray, **given: Any) -> None:
    near(kind, function(put(x), **given).copy_to_host(), function(x, **given), 3)


@group
def row_dtypes() -> Iterator[Case]:
    """Results of another dtype, and special numbers."""
    for dtype, result in [("f2", "f4"), ("f4", "f2"), ("f4", "f8"), ("i2", None), ("?", None), (BF16, "f4")]:
        for shape in [(3, 7), (2, 2000)] if dtype == "f2" else [(3, 7)]:
            for function in (fa.softmax, fa.logsumexp, fa.sparsemax):
                x, kind, given = normal(shape, dtype)[0], f"{function.name} to another dtype", {"dtype": result}
                labels = function.name, f"from {np.dtype(dtype).name}", f"to {result}", shape
                yield Case(labels, partial(check_forward, kind, function, x, **({} if result is None else given)))
    head = np.array([[0, np.nan, 1], [np.inf, 0, 1], [-np.inf] * 3, [-np.inf, 0, 0], [1e4, 1e4, -1e4]], np.float32)
    for n in (3, 500, 20000):
        x = np.concatenate([head, np.full((5, n - 3), -np.inf, np.float32)], 1)
        for function in FAMILY:
            labels = function.name, "specials", f"in {n} columns"
            yield Case(labels, partial(check_forward, f"{function.name} specials", function, x))


def check_dominated(function: Any, shape: tuple[int, ...], axis: int, offset: int) -> None:
    """Rows in which one number dominates, whose logarithms are near 0, against exact results."""
    rng = np.random.default_rng(0)
    x = (rng.normal(0, 1, shape) + offset).astype("f4")
    for r, row in enumerate(np.moveaxis(x, axis, -1)):
        row[rng.integers(len(row))] += np.float32(8 + r % 30)
    wide = x.astype(np.longdouble)
    d = wide - wide.max(axis, keepdims=True)
    rest = np.where(d == 0, 0, np.exp(d)).sum(axis, keepdims=True)
    wanted = np.exp(d) / (1 + rest) if function is fa.softmax else d - np.log1p(rest)
    error = np.abs(function(put(x), axis=axis).copy_to_host() - wanted) / np.spacing(np.abs(wanted.astype("f4")))
    note(f"{function.name} of dominated rows", float(error.max()))
    assert error.max() <= function.max_ulp, error.max()


@group
def accuracy() -> Iterator[Case]:
    for shape, axis in [((40, 500), -1), ((3, 8193), -1), ((300, 70), 0)]:
        for offset in (0, 1000):
            for function in DENSE[:2]:
                labels = function.name, shape, f"axis {axis}", f"offset {offset}"
                yield Case(labels, partial(check_dominated, function, shape, axis, offset))


def check_parts(function: Any, shape: tuple[int, ...], axis: int, dtype: str, resident: int, seed: int) -> None:
    with gpu.options(resident=resident, seed=seed):
        over_rows(function, *normal(shape, dtype, 3), f"{function.name} in parts", LIMITS[dtype], axis=axis)


def check_masked_parts(shape: tuple[int, ...], axis: int, dtype: str) -> None:
    rng = np.random.default_rng(4)
    lengths = rng.integers(0, shape[axis] + 1, np.delete(shape, axis)[0])
    for options in ({"where": rng.random(shape) < 0.5}, {"lengths": lengths, "temperature": 0.5}):
        x, grad = normal(shape, dtype, 3)
        over_rows(fa.softmax, x, grad, "softmax in parts", LIMITS[dtype] + 1, axis=axis, **options)


@group
def parts() -> Iterator[Case]:
    """Rows in parts: several blocks for each, that wait for each other, in any order that can be."""
    for shape, axis in [
        ((3, 30001), -1), ((7, 9000), -1), ((40, 70001), -1), ((2, 5000, 3), 1), ((2, 9000, 40), 1), ((30000, 70), 0),
    ]:  # fmt: skip
        long = bool(np.prod(shape) > 1e5)
        for dtype in ("float32", "float16") if shape == (3, 30001) else ("float32",):
            labels = dtype, shape, f"axis {axis}"
            for function in (fa.softmax, fa.log_softmax, fa.logsumexp):
                for resident, seed in ((8, 3),) if long else ((1, 0), (2, 1), (16, 2)):
                    check = partial(check_parts, function, shape, axis, dtype, resident, seed)
                    yield Case((function.name, *labels, f"{resident} resident"), check, long)
            yield Case(("masked", *labels), partial(check_masked_parts, shape, axis, dtype), long)
